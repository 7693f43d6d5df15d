"""A drill and a check of the backups of a real site, by a running bot and without an incident."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.site import production as productions
from tests.site.clone import clone_production
from tests.site.fixtures import production, production_template, template_on
from tests.site.production import Production
from tests.site.scenario import Scene, fresh_scene

__all__ = ["production", "production_template"]

LIMIT_S = 120


def until(scene: Scene, done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return what `/backups health` says once `done` holds for it."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        reply = scene.api().command("/backups health album")
        if done(reply):
            return reply
        time.sleep(0.2)
    raise TimeoutError(f"{reply}\n{scene.bot.log.read_text()[-1500:]}")


def left_on_the_host(site: Production) -> list[str]:
    return sorted(p.name for p in (site.home_path / ".backout" / "sites" / "album" / "scratch").iterdir())


def drilled(site: Production, folder: Path) -> tuple[dict[str, Any], str, str]:
    """Return what is told after a drill, and live's content before and after it; the backups are then checked too."""
    with fresh_scene(site, folder) as scene:
        before = scene.content()
        assert scene.api().command("/backups drill album")["ok"]
        reply = until(scene, lambda r: any(label.startswith("drill of") for label, _ in r["facts"]))
        after = scene.content()
        assert scene.api().command("/backups health album --now")["ok"]
        checked = until(scene, lambda r: r.get("table") is not None)
        assert checked["text"].startswith("The backups of album are good: nightly-"), checked["text"]
    return reply, before, after


def test_a_drill_restores_the_newest_backup_and_leaves_nothing(
    production: Production, tmp_path: Path
) -> None:
    """It is proven and timed, part by part; live and its backups are as before, and scratch is empty again."""
    backups = {p: p.stat().st_mtime_ns for p in Path(production.backups_path).rglob("*")}
    reply, before, after = drilled(production, tmp_path / "bot")
    facts = dict(reply["facts"])
    (told,) = [text for label, text in reply["facts"] if label.startswith("drill of")]
    assert told.startswith("The drill of album restored "), told
    assert " and proved it in " in told
    assert {"finding and reading the backup", "loading it", "proving it"} <= set(facts)
    assert before == after
    assert backups == {p: p.stat().st_mtime_ns for p in Path(production.backups_path).rglob("*")}
    assert left_on_the_host(production) == []


@pytest.mark.long
def test_a_drill_on_a_server_leaves_no_database(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """On MariaDB the backup is loaded into a database of Backout's own, which is gone afterwards."""
    site = clone_production(template_on(tmp_path_factory, "mariadb").folder, tmp_path / "production")
    try:
        reply, before, after = drilled(site, tmp_path / "bot")
        (told,) = [text for label, text in reply["facts"] if label.startswith("drill of")]
        assert " and proved it in " in told, told
        assert before == after
        assert site.server is not None
        found = site.server.login().rows("show databases like 'backout\\_drill%'")
        assert found == []
    finally:
        productions.stop(site.folder)
