"""Operations: durable runs of work, with named checkpoints."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


class OperationState(enum.StrEnum):
    """RUNNING until its end is recorded; there is no way back from an end but `retry` by a person."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A row of work. `id` is the idempotency key. `fence` counts claims; `changes_site` takes the site's lock.

    `tries` counts how often its work was begun since its last progress, the present try included: more than one means
    that a process ended in the middle of it.
    """

    id: str
    kind: str
    incident_id: str
    site: str
    person: str
    args: dict[str, Any] = field(default_factory=dict)
    changes_site: bool = False
    state: OperationState = OperationState.RUNNING
    result: Any = None
    error: str | None = None
    owner: str | None = None
    fence: int = 0
    tries: int = 0
    cancel_requested: bool = False
    created_at: datetime | None = None
    ended_at: datetime | None = None
