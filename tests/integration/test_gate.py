"""`backout gate` on a real application before its deployment: what passes, what is refused, and that nothing is touched."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.site import production as productions
from tests.site.bot_settings import write_settings
from tests.site.history import HERE
from tests.site.production import Production
from tests.site.running_bot import RunningBot
from tests.site.scenario import content_of

PHOTOS = 300


def deployed(site: Production, *commits: str) -> None:
    """Put the files of those commits over the application, as a deployment does before it migrates."""
    for commit in commits:
        shutil.copytree(HERE / "commits" / commit, site.app_path, dirs_exist_ok=True)


def backed_up(site: Production) -> None:
    """Take a backup of the database as it is now."""
    target = Path(site.backups_path) / "right-now.sqlite"
    with closing(sqlite3.connect(site.database_path)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)


def left_on_the_host(site: Production) -> list[str]:
    folder = site.home_path / ".backout" / "sites" / "album" / "scratch"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_the_gate_tells_a_deployment_whether_it_may_migrate(tmp_path: Path) -> None:
    """Refused without a fresh backup and for what would lose data; passed for what goes up, down and up again."""
    site = productions.build(tmp_path / "production", photos=PHOTOS, migration="none")
    try:
        gate = Gate(site, tmp_path)
        deployed(site, "2-posts")
        status, line, result = gate.says()
        assert (status, result["rehearsal"]) == (1, None)
        assert line.startswith("REFUSED album: there is no VERIFIED backup from the last 1 h")

        backed_up(site)
        status, line, result = gate.says("--accept", "review")
        assert (status, result["outcome"]) == (1, "refused")
        assert line.startswith(
            "REFUSED album: comments shrank from 60 to 0 rows (and 1 more). Nothing was changed."
        )
        assert "values of `photos.caption`" in result["refusals"][1]
        assert "is dropped here" in result["accepted"][0]
        tables = {table["table"]: table for table in result["rehearsal"]["loss"]["tables"]}
        assert tables["photos"]["values_lost"] > 0

        deployed(site, "4-native-drop")
        status, line, result = gate.says()
        assert (status, result["refusals"]) == (0, []), line
        assert line.startswith(
            "PASS album: 2025_11_25_120000_convert_photos_to_multi_photo_posts: up, down and"
        )
        assert result["rehearsal"]["passed"]
        assert all(result["rehearsal"][name] > 0 for name in ("up_s", "down_s", "again_s"))
        assert result["backup"]["file"] == "right-now.sqlite"
    finally:
        productions.stop(site.folder)


class Gate:
    """The command on one production, which must be as it was after each of its answers."""

    def __init__(self, site: Production, folder: Path) -> None:
        self._site = site
        self._bot = RunningBot(write_settings(site, folder / "bot", port=1), 1)

    def says(self, *words: str) -> tuple[int, str, dict[str, Any]]:
        """Return exit status, line and result; production's content and code, and scratch, must be as before."""
        before = content_of(self._site.database_path)
        code = {p: p.stat().st_mtime_ns for p in (self._site.app_path / "storage").rglob("*")}
        done = self._bot.backout("gate", "album", "--json", *words)
        assert content_of(self._site.database_path) == before
        assert code == {p: p.stat().st_mtime_ns for p in (self._site.app_path / "storage").rglob("*")}
        assert left_on_the_host(self._site) == []
        assert done.stdout, done.stderr
        result = json.loads(done.stdout)
        assert done.returncode == result["exit_status"], done.stderr
        return done.returncode, result["why"], result
