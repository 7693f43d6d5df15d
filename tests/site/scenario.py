"""Incidents on a production of their own, with short waits: one from its start, and one that stands at a known stage.

A stage is an incident that was played once and is put back in place for each test: the rows of the live file (not the
file, whose identity the plan names) or the server's data, Backout's folder on the host, the code, and the bot's records.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.private import copy_data
from tests.site import production
from tests.site.bot_settings import APPROVER, READER, RESPONDER, write_settings
from tests.site.clone import clone_production
from tests.site.forked import REPOSITORY
from tests.site.history import git
from tests.site.play import LONGEST_PAUSE_S, PAUSE_S, Player, answer_tables
from tests.site.production import Production
from tests.site.running_bot import Api, RunningBot
from tests.site.server_content import server_content
from tests.site.servers import free_port

STAGES = ("safe", "planned")
INCIDENT = "inc-album-1"
DIED = 9
"""The exit status of a bot that ended itself at its moment."""
START_LIMIT_S = 20


class IncidentBot(RunningBot):
    """A bot that may be started so that it ends itself, or its host fails it, at a chosen moment."""

    def start_dying(self, moment: str) -> None:
        """Start the bot of `tests.faults.crashing_bot`, which knows the moments."""
        self._process = self._fork("tests.faults.crashing_bot", str(self.settings), moment)
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                urllib.request.urlopen(self.url, timeout=2).close()
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"the bot does not answer:\n{self.log.read_text()[-2000:]}")

    def wait_for_death(self, limit_s: float = 60) -> int:
        """Return the exit status of a process that ends by itself. *Raises* TimeoutExpired when it does not."""
        if self._process is None:
            raise RuntimeError("the bot was not started")
        return self._process.wait(timeout=limit_s)


@dataclass
class Scene:
    """A production with its bot, as the people of the settings see them."""

    site: Production
    bot: IncidentBot
    tokens: dict[str, str]

    def api(self, name: str = RESPONDER) -> Api:
        """Return the JSON API as that person sees it."""
        return self.bot.as_person(self.tokens[name])

    def player(self, name: str = RESPONDER) -> Player:
        """Return that person at the console, in the incident's channel, saying nothing."""
        return Player(self.api(name), lambda _: None, incident=INCIDENT)

    def state(self) -> dict[str, Any]:
        """Return the incident as it is now."""
        return dict(self.api().get(f"/api/incidents/{INCIDENT}"))

    def entries(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the timeline's entries, of these kinds only where any is named."""
        found = self.api().get(f"/api/incidents/{INCIDENT}/timeline")
        return [e for e in found if not kinds or e["kind"] in kinds]

    def until(self, what: str, done: Callable[[dict[str, Any]], Any], limit_s: float = 40) -> dict[str, Any]:
        """Return the incident's state once `done` says so, whatever failed meanwhile. *Raises* TimeoutError."""
        deadline, pause_s = time.monotonic() + limit_s, PAUSE_S
        while time.monotonic() < deadline:
            state = self.state()
            if done(state):
                return state
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
        log = self.bot.log.read_text()[-1500:]
        raise TimeoutError(f"{what}: {state['headline']} {state['operation']} {state['cutover']}\n{log}")

    def at_rest(self, limit_s: float = 40) -> dict[str, Any]:
        """Return the incident's state once nothing runs any more."""
        return self.until("nothing runs", lambda s: s["operation"] is None, limit_s)

    def decisions(self, purpose: str = "") -> list[dict[str, Any]]:
        """Return the open decisions, of one purpose only where it is named."""
        found = [d for d in self.state()["decisions"] if d["open"]]
        return [d for d in found if purpose in ("", d["purpose"])]

    def content(self) -> str:
        """Return a hash of every row and the structure of the live database; see `content_of` and `server_content`."""
        if self.site.server is not None:
            return server_content(self.site.server.login())
        return content_of(self.site.database_path)

    def rehearsed_content(self) -> str:
        """Return the same hash of the copy that the plan made last is to put in production's place."""
        place = str(self.planned()["scratch_path"])
        if self.site.server is not None:
            return server_content(self.site.server.login().to(place))
        return content_of(Path(place))

    def jobs(self, step: str) -> list[Path]:
        """Return the folders of the jobs of that step, as the host keeps them."""
        host = self.site.home_path / ".backout" / "sites" / "album"
        return sorted(host.glob(f"*jobs/jobs/*.{step}"))

    def planned(self) -> dict[str, Any]:
        """Return the data of the plan made last."""
        return dict(self.entries("plan.made")[-1]["data"])

    def head(self) -> str:
        """Return the commit that is checked out on production."""
        return git(self.site.app_path, "rev-parse", "HEAD").strip()


def content_of(database: Path) -> str:
    """Return a hash of every row and the structure of a database, read from a copy of its files.

    An interrupted write is rolled back in the copy, as SQLite does it for any next user of the file; shares no code with
    the product.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        for suffix in ("", "-journal", "-wal"):
            if Path(f"{database}{suffix}").exists():
                shutil.copy(f"{database}{suffix}", f"{copy}{suffix}")
        connection = sqlite3.connect(copy)
        text = "\n".join(connection.iterdump())
        connection.close()
    return hashlib.sha256(text.encode()).hexdigest()


def disagreements(site: Production, final: str, *, online: bool = False) -> list[str]:
    """Return what the oracle, run as a program apart, says against the production; nothing where it agrees."""
    words = [str(site.folder), "--final", final, *(["--online"] if online else [])]
    command = [sys.executable, "-m", "tests.site.oracle", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    return [] if done.returncode == 0 else [*done.stdout.splitlines(), *done.stderr.splitlines()]


def make_scene(site: Production, folder: Path, more: str = "", *, pdf: bool = False) -> Scene:
    """Return a scene with the bot not started yet; `more` is put before the site's ssh settings. *Changes*: the folder."""
    with contextlib.closing(production.session(site)) as live:
        first = live.number("select min(id) from photos")
    port = free_port()
    settings = write_settings(
        site, folder, port=port, samples_s=0.3, watch_s=1.0, watch_step_s=0.4, first_photo=first, pdf=pdf
    )
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("[sites.album.ssh]", f"{more}\n[sites.album.ssh]"), encoding="utf-8")
    bot = IncidentBot(settings, port)
    return Scene(site, bot, {name: bot.token(name) for name in (RESPONDER, APPROVER, READER)})


@contextlib.contextmanager
def changed_settings(scene: Scene, old: str, new: str) -> Iterator[None]:
    """Let the bot run, from its next start on, with something in its settings replaced. *Changes*: restarts the bot."""
    before = scene.bot.settings.read_text(encoding="utf-8")
    assert old in before
    scene.bot.stop()
    scene.bot.settings.write_text(before.replace(old, new), encoding="utf-8")
    scene.bot.start()
    try:
        yield
    finally:
        scene.bot.settings.write_text(before, encoding="utf-8")


@contextlib.contextmanager
def fresh_scene(site: Production, folder: Path, more: str = "") -> Iterator[Scene]:
    """Give a scene with its bot running on a production that nothing has happened to yet."""
    scene = make_scene(site, folder, more)
    scene.bot.start()
    try:
        yield scene
    finally:
        scene.bot.stop()


def play_to_safe(player: Player) -> None:
    """Play an incident from its start to a proven safety backup."""
    player.incident = player.api.command("/incident start album captions are gone")["incident_id"]
    player.choose("assessed", "freeze")
    player.step(2)
    player.type("/backups create")
    player.step(4)


def play_to_planned(player: Player) -> None:
    """Play on from a proven safety backup to a proposed plan of the repair."""
    player.type("/restore plan")
    answer_tables(player)
    player.decision("cutover")


class Stages:
    """One incident that was played to each of the stages, on a production that stays in its place."""

    def __init__(self, template: Production, folder: Path) -> None:
        self._folder = folder
        if not (folder / "stages.json").exists():
            self._play(template)
        kept = json.loads((folder / "stages.json").read_text())
        self.site = production.start(folder / "production")
        self.scene = Scene(
            self.site, IncidentBot(folder / "bot" / "backout.toml", kept["port"]), kept["tokens"]
        )

    def _play(self, template: Production) -> None:
        self.site = clone_production(template.folder, self._folder / "production")
        scene = make_scene(self.site, self._folder / "bot")
        for stage, play_on in zip(STAGES, (play_to_safe, play_to_planned), strict=True):
            scene.bot.start()
            try:
                play_on(scene.player())
                scene.at_rest()
            finally:
                scene.bot.stop()
            self._save(stage)
        port = int(scene.bot.url.rpartition(":")[2])
        (self._folder / "stages.json").write_text(json.dumps({"port": port, "tokens": scene.tokens}))

    def _save(self, stage: str) -> None:
        for name, place in self._places().items():
            kept = self._folder / stage / name
            kept.parent.mkdir(parents=True, exist_ok=True)
            if name == "data":
                with production.server_at_rest(self.site.folder):
                    copy_data(place, kept)
            elif place.is_dir():
                shutil.copytree(place, kept)
            elif place.exists():
                shutil.copy(place, kept)

    def _places(self) -> dict[str, Path]:
        app = self.site.app_path
        server = self.site.server is not None
        return {
            **({"data": self.site.database_path / "data"} if server else {"live": self.site.database_path}),
            "env": app / ".env",
            "down": app / "storage" / "framework" / "down",
            "maintenance.php": app / "storage" / "framework" / "maintenance.php",
            "host": self.site.home_path / ".backout" / "sites",
            "records": self._folder / "bot" / "records",
        }

    @contextlib.contextmanager
    def at(self, stage: str, dying: str = "") -> Iterator[Scene]:
        """Give the scene as it was at that stage, with the bot running; `dying` is a moment of the crashing bot."""
        for name, place in self._places().items():
            self._put_back(self._folder / stage / name, place)
        for suffix in ("-journal", "-wal", "-shm"):
            Path(f"{self.site.database_path}{suffix}").unlink(missing_ok=True)
        self.scene.site = self.site = production.start(self.site.folder)  # a test may have killed its server
        git(self.site.app_path, "checkout", "--quiet", "--force", self.site.branch)
        if dying:
            self.scene.bot.start_dying(dying)
        else:
            self.scene.bot.start()
        try:
            yield self.scene
        finally:
            self.scene.bot.kill()

    def _put_back(self, kept: Path, place: Path) -> None:
        if place.name == "data":
            with production.server_at_rest(self.site.folder):
                shutil.rmtree(place)
                copy_data(kept, place)
        elif kept.is_dir():
            shutil.rmtree(place)
            shutil.copytree(kept, place)
        elif kept.exists():
            place.write_bytes(kept.read_bytes())  # in place: the file keeps its identity
        else:
            place.unlink(missing_ok=True)


@contextlib.contextmanager
def stages_below(folder: Path, template: Production) -> Iterator[Stages]:
    """Give the stages of the session's folder, played once however many modules use them."""
    name = "stages" if template.server is None else f"stages-on-{template.database}"
    stages = Stages(template, folder / name)
    try:
        yield stages
    finally:
        production.stop(stages.site.folder)
