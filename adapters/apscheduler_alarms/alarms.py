"""The alarm clock on APScheduler 3, in memory: what is due lives in the store, not here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger


class ApschedulerAlarms:
    """Rings by callback. `misfire_grace_time=None`: the library's default drops an alarm that is one second late."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True}
        )

    def start(self) -> None:
        """Begin to ring; needs a running event loop."""
        self._scheduler.start()

    def ring_at(self, name: str, at: datetime, callback: Callable[[], Awaitable[None]]) -> None:
        """Set or move the alarm of this name."""
        when = max(at, datetime.now(UTC))
        self._scheduler.add_job(callback, DateTrigger(run_date=when), id=name, replace_existing=True)

    def close(self) -> None:
        """Stop ringing."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
