"""What became of one attempt to deliver something to the bot, and the record of the whole delivery."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.fakes.common.book import Json

ACK_S = 3.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One attempt. `reason`: "" where it was acked, else timeout, closed, nobody, or http_error with its status."""

    ack_ms: float | None = None
    body: Json | None = None
    status: int = 0
    reason: str = ""
    no_retry: bool = False


@dataclass(kw_only=True)
class Record:
    """One delivery with all its attempts. `kind`: command, action, submission, closed, shortcut, event."""

    id: str
    kind: str
    name: str
    payload: Json
    trigger_id: str = ""
    ack_ms: float | None = None
    body: Json | None = None
    error: str = ""
    status: int = 0
    attempts: int = 0
    bot_was_there: bool = True
    hidden: Json = field(default_factory=dict)

    @property
    def is_event(self) -> bool:
        return self.kind == "event"

    def shown(self) -> Json:
        """Return what a test sees of it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "name": self.name,
            "ack_ms": self.ack_ms,
            "body": self.body,
            "error": self.error,
            "status": self.status,
            "attempts": self.attempts,
            "trigger_id": self.trigger_id,
            "payload": self.payload,
        }
