"""Timeline entries: append-only, each one chained to the one before by its hash."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bot.model.codec import digest

GENESIS = "0" * 64


class Kind(enum.StrEnum):
    """What an entry records. The incident's state is a fold over these."""

    INCIDENT_OPENED = "incident.opened"
    INCIDENT_CLOSED = "incident.closed"
    NOTE = "note"
    COMMAND = "command"  # a slash command or button by a person, as typed
    REFUSED = "refused"  # something asked for that may not happen now, with the reason
    HOST_COMMAND = "host.command"  # one command on the host, with person, exit status and duration
    STEP_STARTED = "step.started"
    STEP_DONE = "step.done"
    STEP_FAILED = "step.failed"
    STEP_UNKNOWN = "step.unknown"  # the outcome cannot be told; looked up before anything else
    STEP_SKIPPED = "step.skipped"
    ASSESSED = "assessed"
    FROZEN = "frozen"
    FREEZE_BROKEN = "freeze.broken"
    BACKUPS_LISTED = "backups.listed"
    BACKUP_INSPECTED = "backup.inspected"
    SAFETY_MADE = "safety.made"
    PLAN_MADE = "plan.made"
    PLAN_VOID = "plan.void"
    REHEARSED = "rehearsed"
    APPROVED = "approved"
    CUTOVER_INTENT = "cutover.intent"
    CUTOVER_DONE = "cutover.done"
    CUTOVER_NOT_DONE = "cutover.not_done"  # looked up: production is as it was before
    CUTOVER_UNKNOWN = "cutover.unknown"
    UNDO_INTENT = "undo.intent"
    UNDO_DONE = "undo.done"
    ALIGNED = "aligned"
    CORRECTED_PROPOSED = "corrected.proposed"
    CORRECTED_REHEARSED = "corrected.rehearsed"
    CORRECTED_INTENT = "corrected.intent"
    CORRECTED_DONE = "corrected.done"
    DATA_CHECKED = "data.checked"
    APP_TESTED = "app.tested"
    ROWS_SET_ASIDE = (
        "rows.set_aside"  # a person had jobs, sessions or locks taken out of production; they are kept
    )
    REOPENED = "reopened"
    WATCH = "watch"
    WATCH_ENDED = "watch.ended"
    DECISION_OPENED = "decision.opened"
    DECISION_VOTED = "decision.voted"
    DECISION_ANSWERED = "decision.answered"
    DECISION_VOID = "decision.void"
    ESCALATED = "escalated"
    PAGED = "paged"
    RUNG = "rung"  # one try to reach somebody by e-mail or a paging service, and what came of it
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"  # somebody had it, and nothing followed
    OPERATION_FAILED = "operation.failed"
    OPERATION_CANCELLED = "operation.cancelled"
    SITE_RELEASED = "site.released"
    RECOVERED_AFTER_CRASH = "recovered.after_crash"
    REPORT_WRITTEN = "report.written"
    ACTIONS_LISTED = "actions.listed"  # what the post-mortem asks for, so that it does not happen again
    ACTION_CHANGED = "action.changed"  # a person closed an action item, opened it again, or said whose it is
    BACKUPS_CHECKED = "backups.checked"  # in a site's logbook: how its backups are
    DRILLED = "drilled"  # in a site's logbook: a backup was restored into scratch, or could not be
    CORRECTION = "correction"  # a person corrects an earlier entry; the earlier one stays


@dataclass(frozen=True, kw_only=True)
class NewEntry:
    """An entry to be appended. `actor` is a person's name or "backout". `data` is JSON; it holds no row and no secret."""

    kind: Kind
    text: str
    actor: str = "backout"
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry as it stands in the timeline. `sequence` counts from 1 within its incident; `at` is aware UTC."""

    incident_id: str
    sequence: int
    at: datetime
    actor: str
    kind: Kind
    text: str
    data: dict[str, Any]
    previous_hash: str
    hash: str


def entry_hash(*, incident_id: str, sequence: int, at: datetime, new: NewEntry, previous_hash: str) -> str:
    """Return the hash of an entry: SHA-256 over all of its fields and the hash before it."""
    return digest(
        [
            incident_id,
            sequence,
            at.astimezone(UTC).isoformat(),
            new.actor,
            new.kind.value,
            new.text,
            new.data,
            previous_hash,
        ]
    )


def chain(incident_id: str, last: tuple[int, str], at: datetime, new: Sequence[NewEntry]) -> list[Entry]:
    """Return `new` as chained entries after `last` (sequence, hash); (0, GENESIS) for an empty timeline."""
    sequence, previous = last
    entries = []
    for item in new:
        sequence += 1
        value = entry_hash(
            incident_id=incident_id, sequence=sequence, at=at, new=item, previous_hash=previous
        )
        entries.append(
            Entry(
                incident_id=incident_id,
                sequence=sequence,
                at=at,
                actor=item.actor,
                kind=item.kind,
                text=item.text,
                data=item.data,
                previous_hash=previous,
                hash=value,
            )
        )
        previous = value
    return entries


def first_fault(incident_id: str, entries: Sequence[Entry], head: tuple[int, str]) -> str | None:
    """Return what is wrong with a timeline and at which entry, or None when it is whole.

    `head` is the (count, last hash) kept beside the timeline: without it a cut-off end could not be seen.
    """
    previous = GENESIS
    for expected, entry in enumerate(entries, start=1):
        if entry.sequence != expected:
            return f"{incident_id} entry {expected}: missing or out of order (found entry {entry.sequence} in its place)"
        if entry.previous_hash != previous:
            return f"{incident_id} entry {expected}: does not follow entry {expected - 1} (the chain is broken here)"
        new = NewEntry(kind=entry.kind, text=entry.text, actor=entry.actor, data=entry.data)
        value = entry_hash(
            incident_id=incident_id, sequence=expected, at=entry.at, new=new, previous_hash=previous
        )
        if entry.incident_id != incident_id or value != entry.hash:
            return f"{incident_id} entry {expected}: was changed after it was written"
        previous = value
    if (len(entries), previous) != head:
        return f"{incident_id} entry {len(entries) + 1}: the end of the timeline is missing or was changed ({head[0]} entries were written)"
    return None
