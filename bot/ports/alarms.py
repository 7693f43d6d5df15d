"""The port to the alarm clock: calls back at a time. It keeps nothing: what is due is read from the store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol


class Alarms(Protocol):
    """An alarm clock within this process. A missed alarm is rung at once, however late."""

    def start(self) -> None:
        """Begin to ring; needs a running event loop."""

    def ring_at(self, name: str, at: datetime, callback: Callable[[], Awaitable[None]]) -> None:
        """Set or move the alarm of this name. `at` is aware UTC; a time that has passed rings at once."""

    def next_time(self, cron: str, after: datetime) -> datetime:
        """Return the first time of a cron line (five fields, UTC; day of the week 0 or 7 is Sunday) after a moment.

        *Raises* SettingsError for a line that is none, or that never comes.
        """

    def close(self) -> None:
        """Stop ringing."""
