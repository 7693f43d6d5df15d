"""The neutral message: what is shown in an incident's channel, on any platform."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime


class Tone(enum.StrEnum):
    """How bad it is; a platform turns it into a colour or a sign."""

    NEUTRAL = "neutral"
    WORKING = "working"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text under column titles. `numeric` lists the column indexes that are set to the right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a piece of work is. `total` 0: unknown.

    `rate_per_s` is in units a second, `left_s` the seconds it will still take; None while they cannot be told.
    """

    what: str
    done: int
    total: int
    unit: str
    rate_per_s: float | None = None
    left_s: float | None = None


class Place(enum.StrEnum):
    """Where a message is shown. A platform that has no such place shows nothing of it."""

    CHANNEL = "channel"  # the incident's channel
    REPORTS = "reports"  # where the reports of all incidents are read
    DIRECT = "direct"  # the direct messages of one person


STATUS_SLOT = "status"
"""The slot of the message that says what is so now; a chat platform pins it. The console has a page for it."""

REPORT_SLOT = "report"
"""The slot of the message that carries the post-mortem as a file."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message. The same `slot` within an incident is the same message, edited in place; `step` is 1 to 11 or None.

    `body` is plain text with line breaks and **bold** and `code` only. `next_steps` are slash commands to type next.
    `decision_id` shows that decision's buttons under the message. `file_name` and `file_text` is a long output.
    `calls` are the names of persons who must notice it. `person` is whose direct messages it goes to, where it does.
    """

    slot: str
    title: str
    tone: Tone = Tone.NEUTRAL
    step: int | None = None
    body: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    table: Table | None = None
    progress: Progress | None = None
    decision_id: str | None = None
    next_steps: tuple[str, ...] = ()
    file_name: str | None = None
    file_text: str | None = None
    calls: tuple[str, ...] = ()
    place: Place = Place.CHANNEL
    person: str | None = None


@dataclass(frozen=True, kw_only=True)
class StoredMessage:
    """A message as the store keeps it: `id` is the outbox id, `revision` grows with each edit (from 1)."""

    id: str
    incident_id: str
    channel: str
    revision: int
    created_at: datetime
    updated_at: datetime
    message: Message


@dataclass(frozen=True, kw_only=True)
class IncomingCommand:
    """A slash command as it came in. `account` is the platform's id of the one who typed; `delivery_id` is unique per
    typing, so that a re-sent delivery has one effect."""

    platform: str
    account: str
    channel: str
    text: str
    delivery_id: str


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The answer to the one who typed. `ok` False: refused or wrong, nothing was changed.

    `incident_id` and `operation_id` say what was found or started.
    """

    text: str
    ok: bool = True
    incident_id: str | None = None
    operation_id: str | None = None
    decision_id: str | None = None
    table: Table | None = None
    facts: tuple[tuple[str, str], ...] = field(default=())
    suggestions: tuple[str, ...] = ()
