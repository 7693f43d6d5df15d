"""What a test kills while a job of a production on a database server works, and at which moment it does so."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.faults.crashing_bot import session_of, signal_session
from tests.site.production import SERVERS, load
from tests.site.scenario import Scene
from tests.site.servers import children_of, is_alive, signal_gently

LIMIT_S = 60.0
SLICE_S = 0.005
NAMES = {
    "shell": ("sh", "dash"),
    "reader": ("python",),
    "client": ("mariadb", "mysql", "psql", "pg_dump", "pg_restore"),
}
"""How the processes are called that watch a job, that work, and that talk with the server."""


@dataclass(frozen=True, kw_only=True)
class Kill:
    """Whom to kill while the job of one step works: `delay_s` after a moment of `MOMENTS` is seen for the first time.

    `victim` is one of `NAMES`, `session` for all of them, or `server` for the database server.
    """

    step: str
    moment: str
    victim: str
    delay_s: float = 0.0

    def __str__(self) -> str:
        """Return the name of a test that is run with it."""
        return f"{self.victim}-at-{self.step}-{self.moment}-{self.delay_s * 1000:.0f}ms"


class MomentMissedError(TimeoutError):
    """The moment of a kill did not come, or was over before it was seen."""


def kill(scene: Scene, what: Kill) -> None:
    """Wait for the moment in a job that began after this call, and kill. *Raises* MomentMissedError when it does not come.

    The job runs for some milliseconds at a time and holds still (SIGSTOP) in between, so that no moment is missed.
    """
    kept = Path(scene.site.home_path) / ".backout" / "sites" / "album"
    old = {job for job in scene.jobs(what.step) if (job / "rc").exists()}
    job, deadline = _new_job(scene, what, old), time.monotonic() + LIMIT_S
    while time.monotonic() < deadline and session_of(job):
        signal_session(job, signal.SIGSTOP)
        try:
            if MOMENTS[what.moment](kept, job) and _kill_now(scene, what, job):
                return
        finally:
            signal_session(job, signal.SIGCONT)
        time.sleep(SLICE_S)
    raise MomentMissedError(f"{what} was not reached in {job.name}")


def _new_job(scene: Scene, what: Kill, old: set[Path]) -> Path:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        for job in scene.jobs(what.step):
            if job not in old and _began(job):
                return job
        time.sleep(SLICE_S)
    raise TimeoutError(f"no job for {what} has begun")


def _kill_now(scene: Scene, what: Kill, job: Path) -> bool:
    """Kill the victim, after the delay for which the job goes on; whether there was one, or all is over by then."""
    if what.delay_s:
        signal_session(job, signal.SIGCONT)
        time.sleep(what.delay_s)
        signal_session(job, signal.SIGSTOP)
    if what.victim == "server":
        kill_server(scene)
        return True
    pids = victims(job, what.victim)
    for pid in pids:
        signal_gently(pid, signal.SIGKILL)
    return bool(pids) or not session_of(job)


def victims(job: Path, victim: str) -> list[int]:
    """Return the pids of that kind among the processes of a job."""
    names = NAMES.get(victim, ("",))
    return [pid for pid in session_of(job) if _name(pid).startswith(names)]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _began(job: Path) -> bool:
    try:
        return bool((job / "pid").read_text().split())
    except OSError:
        return False


def _works(kept: Path, job: Path) -> bool:
    del kept
    return bool(victims(job, "reader"))


def _asks(kept: Path, job: Path) -> bool:
    del kept
    return bool(victims(job, "client"))


def _intends(kept: Path, job: Path) -> bool:
    """The swap is noted as intended, and not as done."""
    del job
    for path in (kept / "cutovers").glob("*.json"):
        last = json.loads(path.read_text())["swaps"][-1:]
        return any(swap.get("state") == "intended" or swap.get("done") is False for swap in last)
    return False


def _is_imaged(kept: Path, job: Path) -> bool:
    """It is noted what scratch is to become; no chunk is in yet."""
    del job
    return any('"answer"' in path.read_text() for path in (kept / "work").glob("repair-*/journal.json"))


def _has_chunk(kept: Path, job: Path) -> bool:
    del job
    return any(path.stat().st_size > 0 for path in (kept / "work").glob("repair-*/chunks.jsonl"))


MOMENTS: dict[str, Callable[[Path, Path], bool]] = {
    "begun": _works,
    "client": _asks,
    "intended": _intends,
    "imaged": _is_imaged,
    "chunk": _has_chunk,
}


def kill_server(scene: Scene) -> None:
    """Kill every process of the production's database server, as a loss of power does. *Changes*: ends it."""
    for process in load(scene.site.folder).pids:
        if process.name in SERVERS:
            os.kill(process.pid, signal.SIGSTOP)  # so that it starts no more of them meanwhile
            for pid in [*children_of(process.pid), process.pid]:
                signal_gently(pid, signal.SIGKILL)
            while is_alive(process):
                time.sleep(0.01)


def start_server(scene: Scene) -> None:
    """Start the database server again where it is not running, on its port. *Changes*: starts it, and the scene's site."""
    site = load(scene.site.folder)
    others = tuple(process for process in site.pids if process.name not in SERVERS)
    if any(is_alive(process) for process in site.pids if process not in others):
        return
    place, processes = site.engine.start(site)
    scene.site = replace(site, server=place, pids=(*processes, *others))
    scene.site.save()
