"""The alarm clock on APScheduler 3, in memory: what is due lives in the store, not here."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger

from bot.model.errors import SettingsError

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _named(weekday: str) -> str:
    """Return a cron line's day of the week with names for numbers: the library's 0 is Monday, cron's is Sunday.

    *Source*: apscheduler 3, docs of `apscheduler.triggers.cron`, "The first weekday is always monday".
    """
    return re.sub(r"(?<![/\d])\d+", lambda number: _DAYS[int(number.group())], weekday)


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

    def next_time(self, cron: str, after: datetime) -> datetime:
        """Return the first time of a cron line after a moment. *Raises* SettingsError for a line that is none."""
        *dates, weekday = cron.split()
        try:
            trigger = CronTrigger.from_crontab(" ".join([*dates, _named(weekday)]), timezone=UTC)
            found: datetime | None = trigger.get_next_fire_time(None, after + timedelta(microseconds=1))
        except (ValueError, IndexError) as error:
            raise SettingsError(
                f"the cron line {cron!r} cannot be read: {error}. Nothing was started."
            ) from None
        if found is None:
            raise SettingsError(f"the cron line {cron!r} names a time that never comes. Nothing was started.")
        return found

    def close(self) -> None:
        """Stop ringing."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
