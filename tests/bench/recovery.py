"""The whole recovery against the same commands by a shell script over one SSH connection: `python -m tests.bench.recovery [PHOTOS]`.

Counted for both: maintenance mode, the safety copy, the cut-over from the repaired copy, fetch and checkout of the
corrected code, its migration, caches, reopening. Left out of both: rehearsals and proofs, whose cost is printed apart.

Of the bot's changing operations the wall time is taken, from the click to the recorded end. Taken off, once where they
overlap, are the times in which it only proved:

- each question to the host named in PROOFS, a job among them from its intent to its end. Not among them, and so counted, are Backout's own folders and records,
  every launch and every wait;
- a proof of the freeze from its first sample to its second: the pause, and the look from outside, which is no command
  on the host. (It was counted as a change at first, two PHP requests for each proof of a freeze.)
- the fingerprints that the safety copy and the cut-over read within their own job, as the job itself tells (`proof_s`).
  (They were counted as a change at first: two and three whole reads of the database beside one copy of it.)
- in `reopen` the look where the log ends and which logs there are: it belongs to the watch, as `tail -f` does.

Counted are, on the other hand, what the guarded migration does beside migrating (it proves its target and counts every
table in the same PHP), and the fetch, which the bot runs in another operation. (That was left out at first.)
The bound: 1.15.
"""

from __future__ import annotations

import json
import shlex
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.site import production
from tests.site.bot_settings import RESPONDER, write_settings
from tests.site.clone import clone_production
from tests.site.play import Player, play
from tests.site.production import Production
from tests.site.running_bot import RunningBot
from tests.site.servers import free_port

BOUND = 1.15
SAMPLES_S = 1.0
LOOK_S = 0.4
CHANGING_OPERATIONS = ("freeze", "safety", "cutover", "deploy", "caches", "reopen")
CHANGING_COMMANDS = ("php artisan", "copy ", "CUT OVER", "git checkout")
PROOFS = (
    "php: ask the application",
    "php: read the maintenance state",
    "sample ",
    "list processes",
    "read structure",
    "fingerprint ",
    "compare ",
    "look for orphans",
    "git: ",
    "find the end of ",
)
_SCRIPT = """
set -eu
cd {app}
php artisan down --retry=300 --status=503
sqlite3 {live} ".backup '{safety}'"
sqlite3 {live} ".restore '{repaired}'"
git fetch --quiet origin {branch}
git checkout --quiet --detach {commit}
php artisan migrate --force --path=database/migrations/{migration}.php
php artisan cache:clear
php artisan queue:restart
php artisan up
"""


def by_shell_s(site: Production, repaired: Path) -> float:
    """Return the seconds in which a shell script does it over one connection. *Changes*: that production."""
    script = _SCRIPT.format(
        app=shlex.quote(str(site.app_path)),
        live=shlex.quote(str(site.database_path)),
        safety=site.home_path / "safety.sqlite",
        repaired=repaired,
        branch=site.branch,
        commit=site.corrected_commits[-1],
        migration=site.bad_migration,
    )
    command = [
        "ssh",
        "-F",
        "none",
        "-o",
        f"UserKnownHostsFile={site.known_hosts_path}",
        "-i",
        str(site.user_key_path),
    ]
    command += ["-p", str(site.ssh_port), f"{site.ssh_user}@{site.ssh_host}", "sh -s"]
    began = time.monotonic()
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(
            f"the shell script ended with {done.returncode}: {done.stderr[-500:]}{done.stdout[-500:]}"
        )
    return time.monotonic() - began


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation that ended: the seconds of its fetch (0: it has none), the times of its jobs' intents by job key."""

    kind: str
    begin: datetime
    end: datetime
    fetch_s: float
    intents: dict[str, datetime]

    @property
    def changes(self) -> bool:
        """Return whether something that it does is compared with the shell script."""
        return self.kind in CHANGING_OPERATIONS or self.fetch_s > 0

    @property
    def seconds(self) -> float:
        """Return its wall time, from the click to its recorded end."""
        return (self.end - self.begin).total_seconds()


def operations(records: Path) -> list[Operation]:
    """Return every operation that ended; reads only."""
    connection = sqlite3.connect(f"file:{records}?mode=ro", uri=True)
    rows = connection.execute(
        "select id, kind, created_at, ended_at from operations where ended_at is not null"
    ).fetchall()
    steps = {
        (operation, name): datetime.fromisoformat(at)
        for operation, name, at in connection.execute("select operation_id, name, at from checkpoints")
    }
    intents = [
        (operation, json.loads(result)["key"], datetime.fromisoformat(at))
        for operation, result, at in connection.execute(
            "select operation_id, result, at from checkpoints where name like '%.intent'"
        )
    ]
    connection.close()

    def fetch_s(operation: str) -> float:
        if (operation, "fetch") not in steps:
            return 0.0
        return (steps[operation, "fetch"] - steps[operation, "fetch.intent"]).total_seconds()

    return [
        Operation(
            kind=kind,
            begin=datetime.fromisoformat(begin),
            end=datetime.fromisoformat(end),
            fetch_s=fetch_s(operation),
            intents={key: at for owner, key, at in intents if owner == operation},
        )
        for operation, kind, begin, end in rows
    ]


class CalmPlayer(Player):
    """A person who looks twice a second, and so takes little of the machine that is measured."""

    def show(self) -> list[dict[str, Any]]:
        """Wait a little, then return the timeline's new entries."""
        time.sleep(LOOK_S)
        return super().show()


def by_bot(site: Production, folder: Path) -> tuple[list[Operation], list[dict[str, Any]], float]:
    """Play the recovery and return its operations, its host commands and the wall seconds of the whole play."""
    port = free_port()
    bot = RunningBot(write_settings(site, folder, port=port, samples_s=SAMPLES_S), port)
    token = bot.token(RESPONDER)
    bot.start()
    player = CalmPlayer(bot.as_person(token), lambda _: None)
    began = time.monotonic()
    try:
        play(player, commits=site.corrected_commits[-1:], before=lambda _: None)
        entries = player.api.get(f"/api/incidents/{player.incident}/timeline")
    finally:
        bot.stop()
    wall = time.monotonic() - began
    return (
        operations(folder / "records" / "backout.db"),
        [e for e in entries if e["kind"] == "host.command"],
        wall,
    )


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Seconds of one changing operation: without its proofs, those of its commands alone, and apart what proofs took."""

    wall: float
    commands: float
    proofs: float


def proving(operation: Operation, inside: list[dict[str, Any]]) -> list[tuple[datetime, datetime]]:
    """Return when it only proved: each question or job of that, and each freeze from its first sample to its second."""
    spans = [
        (operation.intents.get(c["data"].get("job_key"), _began(c)), datetime.fromisoformat(c["at"]))
        for c in inside
        if c["text"].startswith(PROOFS)
    ]
    samples = [c for c in inside if c["text"].startswith("sample ")]
    pairs = zip(samples[::2], samples[1::2], strict=True)
    return spans + [(_began(first), datetime.fromisoformat(second["at"])) for first, second in pairs]


def _began(command: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(command["at"]) - timedelta(seconds=command["data"]["duration_s"])


def covered_s(spans: list[tuple[datetime, datetime]]) -> float:
    """Return the seconds that are in at least one of the spans."""
    seconds, until = 0.0, datetime.min.replace(tzinfo=UTC)
    for begin, end in sorted(spans):
        seconds += max(0.0, (end - max(begin, until)).total_seconds())
        until = max(until, end)
    return seconds


def proofs_within_s(site: Production, operation: Operation) -> float:
    """Return the seconds in which the operation's jobs only read production, as they tell themselves."""
    jobs = [site.home_path / ".backout/sites/album/jobs/jobs" / key / "stdout" for key in operation.intents]
    answers = [job.read_text() for job in jobs if job.is_file()]
    return float(sum(json.loads(answer)["proof_s"] for answer in answers if '"proof_s"' in answer))


def spent(operation: Operation, commands: list[dict[str, Any]], within_s: float) -> Spent:
    """Return what a changing operation took, or the fetch of another one; `within_s`: proofs within its jobs."""
    if operation.kind not in CHANGING_OPERATIONS:
        return Spent(wall=operation.fetch_s, commands=operation.fetch_s, proofs=0.0)
    inside = [c for c in commands if operation.begin <= datetime.fromisoformat(c["at"]) <= operation.end]
    proofs = covered_s(proving(operation, inside)) + within_s
    own = sum(c["data"]["duration_s"] for c in inside if c["text"].startswith(CHANGING_COMMANDS))
    return Spent(wall=operation.seconds - proofs, commands=own - within_s, proofs=proofs)


def main() -> None:
    """Recover one production by the bot and its twin by a shell script, and print a table."""
    photos = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = production.build(folder / "bot-site", photos=photos)
        twin = clone_production(first.folder, folder / "shell-site")
        try:
            done, commands, whole = by_bot(first, folder / "bot")
            bot = {o.kind: spent(o, commands, proofs_within_s(first, o)) for o in done if o.changes}
            (repaired,) = (first.home_path / ".backout/sites/album/scratch").glob("repair-*.sqlite")
            shell = by_shell_s(twin, repaired)
        finally:
            production.stop(first.folder)
            production.stop(twin.folder)
    rehearsals = sum(o.seconds - o.fetch_s for o in done if o.kind in ("plan", "propose"))
    print(f"{photos:,} photos{'':<40}{'seconds':>10}")
    print(f"{'shell script over one SSH connection':<48}{shell:>10.2f}")
    wall, own, proofs = (
        sum(getattr(o, name) for o in bot.values()) for name in ("wall", "commands", "proofs")
    )
    print(f"{'Backout, the same commands, with its overhead':<48}{wall:>10.2f}")
    for kind, one in bot.items():
        print(f"{'  ' + kind + ' (on the host alone)':<48}{one.wall:>10.2f}{one.commands:>10.2f}")
    print(f"{'  of which on the host':<48}{own:>10.2f}")
    print(f"{'ratio (bound ' + str(BOUND) + ')':<48}{wall / shell:>10.2f}")
    print(f"{'apart: proofs within these operations':<48}{proofs:>10.2f}")
    print(f"{'apart: the two rehearsals (plan, correction)':<48}{rehearsals:>10.2f}")
    print(f"{'the whole play, assessment and watch included':<48}{whole:>10.2f}")


if __name__ == "__main__":
    main()
