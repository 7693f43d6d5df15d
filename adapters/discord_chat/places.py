"""Where a message is in Discord, written as one text: `channel:message`, with its file's mark behind it where it has one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

_EPOCH_MS = 1_420_070_400_000  # Discord's own: the first moment of 2015 (docs.discord.com, "Snowflakes")


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A message that is there; a thread's id is its channel. `file` marks the content of its file, empty for none."""

    channel: str
    message: str
    file: str = ""

    def __str__(self) -> str:
        return ":".join(part for part in (self.channel, self.message, self.file) if part)


def sent_of(external_id: str | None) -> Sent | None:
    """Return what an external id says, None for none."""
    if not external_id:
        return None
    channel, message, file, *_ = [*external_id.split(":"), "", ""]
    return Sent(channel=channel, message=message, file=file)


def snowflake(at: datetime) -> str:
    """Return the smallest id that anything made at this moment or later has."""
    return str(max(0, int(at.timestamp() * 1000) - _EPOCH_MS) << 22)


def mark_of(outbox_id: str) -> str:
    """Return the mark by which a message is found again; it stands in its last line, as fetched messages have no nonce."""
    return hashlib.sha256(outbox_id.encode()).hexdigest()[:12]
