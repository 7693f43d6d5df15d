"""Where a message is in Slack, written as one text: `channel:ts`, with its file's mark behind it where it has one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A message that is there. `file` marks the content of the file that stands in its thread, empty for none."""

    channel: str
    ts: str
    file: str = ""

    def __str__(self) -> str:
        return ":".join(part for part in (self.channel, self.ts, self.file) if part)


def sent_of(external_id: str | None) -> Sent | None:
    """Return what an external id says, None for none."""
    if not external_id:
        return None
    channel, ts, file, *_ = [*external_id.split(":"), "", ""]
    return Sent(channel=channel, ts=ts, file=file)
