"""What the host is told of the live database when it judges a backup, and what of its answer is shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from bot.laravel.facts import AppFacts
from bot.ports.database import Work
from bot.service.backup_search import LiveShape, inspect
from bot.service.site_work import SiteWork

APP = SimpleNamespace(
    database=SimpleNamespace(driver="mysql", database="album"),
    migration_rows=[SimpleNamespace(migration="2024_01_01_000000_create")],
)
NOTE = "it holds no routines, and the live database has 2"


class Host:
    """Answers one inspection and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    async def ask(self, work: Work[Any], **_limits: Any) -> Any:
        self.asked.append(dict(work.request))
        manifest = {"path": "/b.sql", "size_bytes": 1, "mtime": "m", "completed": None, "sha256": "s"}
        manifest |= {"format": "mysql_dump", "compression": None, "tables": {}, "migrations": None}
        hazards = [{"code": "use_database", "severity": "block", "message": "it names a database"}]
        verdict = {"word": "REFUSED", "reasons": ["it names a database"], "notes": [NOTE], "older_by": 0}
        return work.read({"manifest": manifest, "hazards": hazards, "verdict": verdict})


async def inspected(live: LiveShape) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the host was told to expect, and the line that came of its answer."""
    host = Host()
    line = await inspect(
        cast("SiteWork", host), cast("AppFacts", APP), "2026_02_01_000000_bad", "/b.sql", live
    )
    return host.asked[0]["expect"], line


async def test_the_host_is_told_what_live_has() -> None:
    """Version, objects and tables of the live database go to the host with the question."""
    live = LiveShape(tables=("a", "b"), version="10.11.19-MariaDB", objects={"routines": 2})

    expect, line = await inspected(live)

    assert (expect["tables"], expect["version"], expect["objects"]) == (
        ["a", "b"],
        "10.11.19-MariaDB",
        {"routines": 2},
    )
    assert (line["reasons"], line["notes"]) == (["it names a database"], [NOTE])


async def test_what_is_not_known_of_live_is_not_compared() -> None:
    """Where live's tables and version are not known, the host is told so."""
    expect, _ = await inspected(LiveShape())

    assert (expect["tables"], expect["version"], expect["objects"]) == (None, None, {})
