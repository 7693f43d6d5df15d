"""The port to a paging service, which rings telephones until somebody answers."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class Act(enum.StrEnum):
    """What a signal says of an alert: it is there, somebody has it, it is over."""

    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One signal about one alert. Signals with the same `key` are about the same alert, so one may be sent twice.

    `source` is what is ill (a host name), `lines` what is known, `person` who has it (acknowledge, resolve), `link` where
    to answer, None where no address leads there.
    """

    act: Act
    key: str
    summary: str
    lines: tuple[str, ...]
    source: str
    site: str
    at: datetime
    person: str = ""
    link: str | None = None


class Pager(Protocol):
    """One integration of a paging service.

    *Raises* CallLaterError where the signal was not taken (it may be sent again), FailedError where it was refused for
    good, UnknownOutcomeError where no answer came; it may then be sent again too. No message holds a secret.
    """

    async def send(self, signal: Signal) -> str:
        """Send a signal and return in words what the service answered. *Changes*: the alert of that key."""

    async def prove(self) -> str:
        """Reach the service without a signal, and return in words what was proven."""
