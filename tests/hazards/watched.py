"""One whole incident, played through the JSON API and watched: what the bot said, what `ps` showed, what changed."""

from __future__ import annotations

import functools
import json
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.hazards.typed import column, command_lines
from tests.site.bot_settings import write_settings
from tests.site.clone import clone_production
from tests.site.fixtures import production_template
from tests.site.play import play
from tests.site.production import Production, stop
from tests.site.running_bot import RunningBot
from tests.site.scenario import Scene, disagreements, make_scene
from tests.site.servers import free_port

__all__ = ["production_template"]

PASSWORD = "korn-blume-1987"
"""The password that stands in the deploy script, on a line with the word backup."""

TESTED = """
[browser]
sandbox = false
start_limit = 60

[[sites.album.probes]]
address = "/"
contains = ["Upload"]
lacks = ["Under construction"]

[sites.album.browser]
time_limit = 120
steps = [{ click = "li a" }, { expect = "Comment" }]
"""
"""How the application is tested before it is reopened: an address, and a walk in a browser."""


@dataclass(kw_only=True)
class Watched:
    """What was seen. `said` is every text the bot gave to anyone or keeps; `shown_by_ps` every command line at work for the site."""

    site: Production
    scene: Scene
    entries: list[dict[str, Any]] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    disagreements: list[str] | None = None
    said: dict[str, str] = field(default_factory=dict)
    shown_by_ps: set[str] = field(default_factory=set)
    bypass_secrets: set[str] = field(default_factory=set)
    log_before: str = ""
    log_after: str = ""
    jobs_before: list[int] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the timeline's entries of one kind."""
        return [entry for entry in self.entries if entry["kind"] == kind]


class ProcessList:
    """Looks at the list of processes and at the maintenance flag again and again, until it is closed."""

    def __init__(self, seen: Watched) -> None:
        self._seen = seen
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="ps")
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        flag = self._seen.site.app_path / "storage/framework/down"
        while not self._over.wait(0.1):
            self._seen.shown_by_ps.update(command_lines(self._seen.site))
            with suppress(OSError, ValueError):
                secret = json.loads(flag.read_text(encoding="utf-8"))["secret"]
                self._seen.bypass_secrets.update({secret} - {None})


@pytest.fixture(scope="session")
def watched(production_template: Production, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """Return what was seen of one incident, played once through the JSON API to its end, for whichever modules use it."""
    return play_watched(production_template.folder, tmp_path_factory.getbasetemp() / "watched")


@functools.cache
def play_watched(template: Path, folder: Path) -> Watched:
    """Play one incident from its start to its close on a copy of a production, and return what was seen of it."""
    site = clone_production(template, folder / "production")
    seen = Watched(site=site, scene=make_scene(site, folder / "bot", TESTED, pdf=True))
    log = site.app_path / "storage/logs/laravel.log"
    seen.log_before = log.read_text(encoding="utf-8")
    seen.jobs_before = column(site.database_path, "select id from jobs order by id")
    bot, api = seen.scene.bot, seen.scene.api()
    bot.start()
    processes = ProcessList(seen)
    try:
        player = seen.scene.player()
        seen.state = play(player, commits=site.corrected_commits, before=lambda _: None)
        seen.entries = api.get(f"/api/incidents/{player.incident}/timeline?after=0")
        seen.said = {path: as_text(api.get(path)) for path in everything_of(player.incident)}
        seen.said |= {name: as_text(api.command(name, player.incident)) for name in ("/app status", "/help")}
        seen.disagreements = disagreements(site, "corrected", online=True)
    finally:
        processes.close()
        bot.stop()
        stop(site.folder)
    seen.said |= {f"file {path.name}": readable(path) for path in kept_by(bot.settings.parent)}
    seen.log_after = log.read_text(encoding="utf-8")
    return seen


def running_bot(site: Production, folder: Path) -> RunningBot:
    """Return a bot for a production, not started, whose waits are short."""
    first = column(site.database_path, "select min(id) from photos")[0]
    port = free_port()
    settings = write_settings(
        site, folder, port=port, samples_s=0.3, watch_s=1.0, watch_step_s=0.4, first_photo=first
    )
    return RunningBot(settings, port)


def everything_of(incident: str) -> list[str]:
    """Return every address under which something of an incident can be read."""
    base = f"/api/incidents/{incident}"
    return [
        "/api/incidents",
        "/api/decisions",
        base,
        *(f"{base}/{what}" for what in ("timeline?after=0", "report.md", "report.html")),
    ]


def kept_by(folder: Path) -> list[Path]:
    """Return the files that the bot keeps of an incident: its store, its log, its reports."""
    return [p for p in folder.rglob("*") if p.is_file() and p.suffix not in (".pyz", ".toml")]


def readable(path: Path) -> str:
    """Return a file's bytes as text, the parts of a database file included."""
    return path.read_bytes().decode("utf-8", "replace")


def as_text(answer: Any) -> str:
    """Return an answer as the characters that a person would see, nothing escaped."""
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
