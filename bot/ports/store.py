"""The port to Backout's own database: timelines, decisions, operations, messages, deadlines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from bot.model.decision import Decision
from bot.model.event import Entry, Kind, NewEntry
from bot.model.incident import Incident
from bot.model.message import Message, Place, StoredMessage
from bot.model.operation import Operation, OperationState
from bot.model.room import Room

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class IncidentRow:
    """The projection of an incident that is needed to find it. All else is folded from its timeline.

    `open_site` rule: at most one open incident for each site. `head` is (number of entries, last hash).
    """

    id: str
    site: str
    channel: str
    title: str
    opened_at: datetime
    closed_at: datetime | None
    head: tuple[int, str]


@dataclass(frozen=True, kw_only=True)
class Deadline:
    """Something to look at later: `key` is unique; `kind` and `args` say what; `due_at` aware UTC."""

    key: str
    kind: str
    due_at: datetime
    incident_id: str | None
    args: dict[str, Any]


class Transaction(Protocol):
    """All reads and writes of one transaction: they become durable together or not at all.

    Times are the store's clock. Methods that change state of an operation first prove its owner and fence.
    """

    async def now(self) -> datetime:
        """Return the store's time, aware UTC."""

    # -- incidents and timelines
    async def open_incident(
        self, *, incident_id: str, site: str, channel: str, title: str
    ) -> IncidentRow | None:
        """Create the incident; None when the site has an open one already."""

    async def next_incident_number(self, site: str) -> int:
        """Return 1 + the number of incidents the site has ever had."""

    async def incident(self, incident_id: str) -> IncidentRow | None:
        """Return the incident row, locked until the end of the transaction; None when unknown."""

    async def incidents(
        self, *, site: str | None = None, channel: str | None = None, open_only: bool = False
    ) -> list[IncidentRow]:
        """Return incidents, newest first."""

    async def close_incident(self, incident_id: str) -> None:
        """Mark the incident as closed now."""

    async def open_logbook(self, site: str) -> str:
        """Return the id of the site's logbook, made where there is none; it is never among `incidents`.

        Entries and messages belong to it as to an incident. It has no channel: only what is shown elsewhere is shown.
        """

    async def append(self, incident_id: str, entries: Sequence[NewEntry]) -> list[Entry]:
        """Append entries to the timeline (hash-chained, in this order) and return them as written."""

    async def entries(self, incident_id: str, after: int = 0) -> list[Entry]:
        """Return the timeline's entries with sequence > `after`, in order."""

    async def last_entries(self, incident_id: str, kinds: Sequence[Kind], limit: int) -> list[Entry]:
        """Return the last entries of these kinds, at most `limit`, in the order in which they were written."""

    async def state(self, incident_id: str) -> Incident:
        """Return the incident's state, folded from its timeline as this transaction sees it; reads only.

        An implementation may keep what it folded before, for as long as the chain of hashes proves that it still holds.
        """

    # -- decisions
    async def put_decision(self, decision: Decision) -> None:
        """Insert the decision, or replace the stored one of the same id.

        A change makes a new revision of each message that shows it, so that no platform keeps showing its old buttons.
        """

    async def decision(self, decision_id: str) -> Decision | None:
        """Return the decision, locked until the end of the transaction."""

    async def decisions(self, *, incident_id: str | None = None, open_only: bool = True) -> list[Decision]:
        """Return decisions, oldest first."""

    # -- messages (the outbox)
    async def put_message(self, incident_id: str, message: Message) -> StoredMessage:
        """Store the message, or the next revision of the one of its slot. An equal content makes no new revision."""

    async def messages(self, incident_id: str) -> list[StoredMessage]:
        """Return the incident's messages in the order in which they were first put."""

    async def unserved(self, platform: str) -> list[str]:
        """Return the ids of incidents of which the platform has not got every message's latest revision, oldest first."""

    async def undelivered(
        self, platform: str, incident_id: str | None = None, limit: int = 100
    ) -> list[tuple[StoredMessage, str | None]]:
        """Return messages whose latest revision the platform has not got, with its own id for them.

        The id is None where it was never sent, and empty where it was sent and nobody knows whether it arrived.
        """

    async def mark_attempt(self, platform: str, message_id: str) -> None:
        """Record that the message is about to be sent for the first time: from now on it may have arrived."""

    async def mark_delivered(self, platform: str, message_id: str, revision: int, external_id: str) -> None:
        """Record that the platform has this revision."""

    async def delivered(self, platform: str, incident_id: str) -> dict[str, str]:
        """Return the platform's own ids of the incident's messages, by slot; those that are not known are left out."""

    async def forget_delivered(self, platform: str, incident_id: str, place: Place) -> None:
        """Forget that the incident's messages of this place were ever sent to the platform: that place is gone."""

    # -- channels of incidents on chat platforms
    async def put_room(self, room: Room) -> None:
        """Insert the channel of the incident on its platform, or replace the stored one."""

    async def room(self, platform: str, incident_id: str) -> Room | None:
        """Return the incident's channel on the platform, or None."""

    async def room_at(self, platform: str, channel: str) -> Room | None:
        """Return what stands behind a platform's channel id, or None where it belongs to no incident."""

    async def rooms(self, platform: str) -> list[Room]:
        """Return the channels of all incidents on the platform."""

    # -- deliveries that come in
    async def first_delivery(self, delivery_id: str) -> bool:
        """Record an incoming delivery id; False when it was seen before."""

    # -- operations
    async def add_operation(self, operation: Operation) -> bool:
        """Insert a running operation; False when one of this id exists (nothing changed)."""

    async def operation(self, operation_id: str) -> Operation | None:
        """Return the operation, locked until the end of the transaction."""

    async def operations(
        self, *, incident_id: str | None = None, state: OperationState | None = None
    ) -> list[Operation]:
        """Return operations, oldest first."""

    async def claim(
        self, owner: str, kinds: Sequence[str], lease: timedelta, limit: int, exclude: Sequence[str]
    ) -> list[Operation]:
        """Claim running operations whose lease has lapsed: sets owner, fence + 1 and the lease. Skips rows locked by others."""

    async def renew(self, owner: str, ids: Sequence[str], lease: timedelta) -> dict[str, Operation]:
        """Renew the leases this owner still holds and return those operations by id (fence and cancel flag included)."""

    async def prove_owner(self, operation_id: str, owner: str, fence: int) -> None:
        """*Raises* LeaseLostError unless the operation is running and held by this owner at this fence. Locks its row."""

    async def release_leases(self, owner: str | None) -> None:
        """Let go of this owner's leases (None: of all, when this process is known to be the only one).

        An operation given back by its own owner has one try less: that one did not end in a crash.
        """

    async def begin_try(self, operation_id: str) -> int:
        """Count one more try of the operation since its last progress, and return how many there are now."""

    async def checkpoints(self, operation_id: str) -> dict[str, Any]:
        """Return the recorded results by checkpoint name."""

    async def add_checkpoint(self, operation_id: str, name: str, result: Any) -> bool:
        """Record a checkpoint once; False when one of this name was there (it keeps its first result).

        A new one is progress: the tries are counted from 1 again.
        """

    async def finish_operation(
        self, operation_id: str, state: OperationState, *, result: Any = None, error: str | None = None
    ) -> None:
        """Record the operation's end."""

    async def request_cancel(self, operation_id: str) -> bool:
        """Ask a running operation to stop; False when it is not running."""

    async def revive_operation(self, operation_id: str) -> bool:
        """Set a failed or cancelled operation to running again (checkpoints kept); False when it is neither."""

    # -- the site lock: one changing operation for each site
    async def take_site(self, site: str, operation_id: str) -> str:
        """Take the site for an operation if it is free, and return the id of the operation that holds it now."""

    async def site_holder(self, site: str) -> str | None:
        """Return the id of the operation that holds the site, or None."""

    async def free_site(self, site: str, operation_id: str) -> bool:
        """Free the site if this operation holds it; False otherwise."""

    # -- deadlines
    async def set_deadline(self, deadline: Deadline) -> None:
        """Set or move the deadline of this key."""

    async def deadline(self, key: str) -> Deadline | None:
        """Return the deadline of this key, None where there is none."""

    async def drop_deadline(self, key: str) -> None:
        """Remove a deadline; nothing happens when there is none."""

    async def win_due(self, limit: int = 20) -> list[Deadline]:
        """Remove and return deadlines that are due; each is returned to exactly one caller."""

    async def next_due(self) -> datetime | None:
        """Return the time of the earliest deadline, or None."""


class Store(Protocol):
    """Backout's database."""

    async def transact(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `body` in one transaction, committed when it returns, rolled back when it raises.

        Shielded: a cancel of the caller lets the transaction end first. *Raises* StoreUnavailableError.
        """

    async def read(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `body`, which only reads, on one state of the database: the last committed one or a later one.

        It stands in nobody's way and waits for nobody who writes. *Raises* StoreUnavailableError.
        """

    def on_change(self, callback: Callable[[str], None]) -> None:
        """Call back with an incident id after each commit that changed its timeline, decisions, messages or operations."""

    async def close(self) -> None:
        """Close all connections."""
