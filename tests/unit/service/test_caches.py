"""Clearing caches: what was cached is cached again from the code, and what fails there is told and breaks nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from bot.laravel.caches import CacheClear, CacheDecision
from bot.laravel.guarded import Target
from bot.ports.host import Command
from bot.service.operations.verify import CLEARED, CLEARED_AND_MADE, cleared
from bot.service.site_work import Folders, SiteWork
from tests.unit.laravel.test_answer_and_facts import printed

TARGET = Target(driver="sqlite", database="/srv/app/live.sqlite", is_scratch=False)


def ran(exit_code: int) -> dict[str, Any]:
    return {
        "target": {"database": TARGET.database},
        "target_after": {"database": TARGET.database},
        "exit_code": exit_code,
        "output": "",
        "problem": None,
        "rows_before": [],
        "rows_after": [],
        "tables_before": {},
        "tables_after": {},
        "duration_s": 0.1,
    }


class Work:
    """A host that runs artisan commands; those named in `failing` end with 1."""

    def __init__(self, *failing: str) -> None:
        self.settings = type("Settings", (), {"app_path": "/srv/app"})()
        self.ran: list[str] = []
        self._failing = failing

    async def job(self, step: str, command: Command, describe: str, **more: object) -> str:
        name = list(command.argv)[-1]
        self.ran.append(name)
        assert command.timeout <= timedelta(minutes=2)
        return printed({"run": ran(1 if name in self._failing else 0)})


async def came_of(work: Work, clear: CacheClear) -> str:
    decision = CacheDecision(clear=clear, needed=True, reason="its code changed")
    folders = cast("Folders", type("Folders", (), {"change_jobs": "/jobs"})())
    return await cleared(cast("SiteWork", work), folders, TARGET, decision)


async def test_what_was_cached_is_cached_again() -> None:
    """A site that was optimised is so again afterwards: configuration, routes and events are made anew from the code."""
    work = Work()
    for clear in (CacheClear.CONFIG, CacheClear.ROUTES, CacheClear.EVENTS):
        assert await came_of(work, clear) == CLEARED_AND_MADE
    assert work.ran == [
        "config:clear",
        "config:cache",
        "route:clear",
        "route:cache",
        "event:clear",
        "event:cache",
    ]


async def test_what_is_made_by_use_is_only_cleared() -> None:
    """Views and data are cached again by visits themselves."""
    work = Work()
    assert [await came_of(work, clear) for clear in (CacheClear.VIEWS, CacheClear.WORKERS)] == [
        CLEARED,
        CLEARED,
    ]
    assert work.ran == ["view:clear", "queue:restart"]


async def test_a_cache_that_cannot_be_made_anew_is_told() -> None:
    """Without its cache the application works from the code; a clear that fails is not followed by another command."""
    said = await came_of(Work("route:cache"), CacheClear.ROUTES)
    assert said == "cleared, but route:cache: FAILED. The application works without it, more slowly"
    stuck = Work("route:clear")
    assert await came_of(stuck, CacheClear.ROUTES) == "FAILED"
    assert stuck.ran == ["route:clear"]
