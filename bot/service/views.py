"""Read-only views of incidents as plain JSON, for a platform that shows more than messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import Any

from bot.model.codec import to_json
from bot.model.command import Completion
from bot.model.decision import Decision, DecisionState
from bot.model.event import Entry
from bot.model.incident import Incident
from bot.model.logbook import is_logbook
from bot.model.message import REPORT_SLOT, STATUS_SLOT, Message, Place, StoredMessage
from bot.model.operation import Operation, OperationState
from bot.model.person import Person
from bot.model.room import Room
from bot.model.step import STEP_NAMES
from bot.ports.store import IncidentRow, Transaction
from bot.runbook.headline import at_work, headline, next_commands
from bot.service.offers import offered
from bot.service.parts import Parts
from bot.service.reports import FORMS, report_file
from bot.service.review import review_message
from bot.service.waiting import backups_of, may_answer, site_of

Complete = Callable[[str, tuple[str, ...]], list[dict[str, str]]]


class Views:
    """Implements the chat port's Window."""

    def __init__(self, parts: Parts, complete: Complete) -> None:
        self._parts = parts
        self._complete = complete
        self._listeners: set[asyncio.Queue[str]] = set()
        parts.store.on_change(self._changed)

    def person_of(self, platform: str, account: str) -> str | None:
        """Return the name of the person behind an account, or None for a stranger."""
        person = self._parts.person_of(platform, account)
        return person.name if person else None

    def sites_of(self, person: str) -> tuple[str, ...]:
        """Return the sites that the person sees."""
        known = self._parts.person(person)
        return tuple(s for s in known.sites if s in self._parts.settings.sites) if known else ()

    async def incident_at(self, platform: str, channel: str) -> str | None:
        """Return the id of the incident that a platform's channel belongs to, or None."""
        room = await self._parts.store.read(lambda tx: tx.room_at(platform, channel))
        return room.incident_id if room else None

    async def room_of(self, platform: str, incident_id: str) -> Room | None:
        """Return the incident's channel on a platform, or None as long as there is none."""
        room = await self._parts.store.read(lambda tx: tx.room(platform, incident_id))
        return room if room is not None and room.channel else None

    async def refusal(self, person: str, decision_id: str) -> str | None:
        """Return why this person may not answer a decision, None where they may; reads only."""

        async def body(tx: Transaction) -> str | None:
            known = self._parts.person(person)
            decision = await tx.decision(decision_id)
            if known is None or decision is None:
                return None
            return known.refusal(decision.permission, await site_of(tx, decision.incident_id))

        return await self._parts.store.read(body)

    async def review(self, person: str, decision_id: str) -> Message | None:
        """Return an open decision with all that it would do; None where it is not open, or not theirs to see."""

        async def body(tx: Transaction) -> Message | None:
            decision = await tx.decision(decision_id)
            if decision is None or decision.state is not DecisionState.OPEN:
                return None
            if await self._row(tx, person, decision.incident_id) is None:
                return None
            messages = [m.message for m in await tx.messages(decision.incident_id)]
            shown = next((m for m in messages if m.decision_id == decision_id), None)
            return review_message(decision, shown, await tx.state(decision.incident_id))

        return await self._parts.store.read(body)

    async def offered(
        self, person: str, completion: Completion, platform: str, channel: str, given: Mapping[str, str]
    ) -> list[tuple[str, str]]:
        """Return what an argument may be, each as value and label: sites, backups, open decisions, their answers."""
        known = self._parts.person(person)
        if known is None:
            return []
        sites = self.sites_of(person)
        return await self._parts.store.read(
            lambda tx: offered(tx, known, sites, completion, (platform, channel), given)
        )

    async def waiting(self, person: str) -> list[dict[str, Any]]:
        """Return the open decisions that this person may answer and has not voted on."""

        async def body(tx: Transaction) -> list[dict[str, Any]]:
            known = self._parts.person(person)
            if known is None:
                return []
            found = [(d, await site_of(tx, d.incident_id)) for d in await tx.decisions()]
            return [_decision(d) for d, site in found if may_answer(known, d, site)]

        return await self._parts.store.read(body)

    async def backups(self, person: str) -> list[dict[str, Any]]:
        """Return for each of the person's sites what its backups were when they were last looked at."""

        async def body(tx: Transaction) -> list[dict[str, Any]]:
            return [await backups_of(tx, site) for site in self.sites_of(person)]

        return await self._parts.store.read(body)

    async def incidents(self, person: str) -> list[dict[str, Any]]:
        """Return the person's incidents, newest first."""

        async def body(tx: Transaction) -> list[dict[str, Any]]:
            rows = [r for r in await tx.incidents() if self._may_read(person, r.site)]
            return [_summary(row, await tx.state(row.id), await _running(tx, row.id)) for row in rows]

        return await self._parts.store.read(body)

    async def incident(self, person: str, incident_id: str) -> dict[str, Any] | None:
        """Return one incident with its steps, loss, messages and decisions."""

        async def body(tx: Transaction) -> dict[str, Any] | None:
            row = await self._row(tx, person, incident_id)
            if row is None:
                return None
            state = await tx.state(incident_id)
            running = await _running(tx, incident_id)
            return {
                **_summary(row, state, running),
                **_details(state, running, self._parts.clock.now()),
                "messages": [_message(m) for m in await tx.messages(incident_id) if _in_the_page(m)],
                "decisions": [
                    _decision(d) for d in await tx.decisions(incident_id=incident_id, open_only=False)
                ],
            }

        return await self._parts.store.read(body)

    async def timeline(self, person: str, incident_id: str, after: int = 0) -> list[dict[str, Any]] | None:
        """Return timeline entries after a sequence number."""

        async def body(tx: Transaction) -> list[Entry] | None:
            row = await self._row(tx, person, incident_id)
            return None if row is None else await tx.entries(incident_id, after)

        found = await self._parts.store.read(body)
        return None if found is None else [_entry(e) for e in found]

    async def decisions(self, person: str) -> list[dict[str, Any]]:
        """Return open decisions over all of the person's incidents."""

        async def body(tx: Transaction) -> list[dict[str, Any]]:
            mine = {r.id for r in await tx.incidents() if self._may_read(person, r.site)}
            return [_decision(d) for d in await tx.decisions() if d.incident_id in mine]

        return await self._parts.store.read(body)

    async def decision(self, person: str, decision_id: str) -> dict[str, Any] | None:
        """Return one decision, open or not."""

        async def body(tx: Transaction) -> Decision | None:
            found = await tx.decision(decision_id)
            mine = found is not None and await self._row(tx, person, found.incident_id) is not None
            return found if mine else None

        found = await self._parts.store.read(body)
        return None if found is None else _decision(found)

    async def report(self, person: str, incident_id: str, form: str) -> bytes | None:
        """Return the post-mortem as it stands now; `form` is `md`, `html` or `pdf`."""
        row = await self._parts.store.read(lambda tx: self._row(tx, person, incident_id))
        if row is None or form not in FORMS:
            return None
        return await report_file(self._parts, incident_id, row.site, form)

    async def completions(self, person: str, text: str, channel: str) -> list[dict[str, str]]:
        """Return completions of a half-typed command; what may be typed now in this channel comes first."""
        known = self._parts.person(person)
        found = self._complete(text, known.sites if known else ())
        if text.strip() or not channel:
            return found
        row = await self._parts.store.read(lambda tx: tx.incidents(channel=channel))
        if not row or not self._may_read(person, row[0].site):
            return found
        state = await self._parts.store.read(lambda tx: tx.state(row[0].id))
        return [{"text": line, "summary": summary} for line, summary in next_commands(state)]

    async def changes(self) -> AsyncIterator[str]:
        """Yield the id of an incident each time something of it changed."""
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=1000)
        self._listeners.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)

    def _changed(self, incident_id: str) -> None:
        for queue in self._listeners:
            if (
                not queue.full()
            ):  # a listener that far behind reads the whole incident at its next look anyway
                queue.put_nowait(incident_id)

    def _may_read(self, person: str, site: str) -> bool:
        known: Person | None = self._parts.person(person)
        return known is not None and known.refusal_to_read(site) is None

    async def _row(self, tx: Transaction, person: str, incident_id: str) -> IncidentRow | None:
        row = None if is_logbook(incident_id) else await tx.incident(incident_id)
        return row if row is not None and self._may_read(person, row.site) else None


async def _running(tx: Transaction, incident_id: str) -> list[Operation]:
    return at_work(await tx.operations(incident_id=incident_id, state=OperationState.RUNNING))


def _summary(row: IncidentRow, state: Incident, running: list[Operation]) -> dict[str, Any]:
    told = headline(state, running)
    return {
        "id": row.id,
        "site": row.site,
        "title": row.title,
        "channel": row.channel,
        "opened_at": row.opened_at.isoformat(),
        "opened_by": state.opened_by,
        "closed_at": row.closed_at.isoformat() if row.closed_at else None,
        "headline": told.text,
        "tone": told.tone.value,
    }


def _details(state: Incident, running: list[Operation], now: datetime) -> dict[str, Any]:
    down = state.downtime + (now - state.down_since if state.down_since else state.downtime * 0)
    return {
        "down_since": state.down_since.isoformat() if state.down_since else None,
        "downtime_s": round(down.total_seconds(), 1),
        "steps": [
            {
                "number": int(step),
                "name": STEP_NAMES[step],
                "status": s.status.value,
                "note": s.note,
                "at": s.at.isoformat() if s.at else None,
            }
            for step, s in state.steps.items()
        ],
        "loss": (state.assessment or {}).get("loss"),
        "operation": _operation(running[0]) if running else None,
        "next_commands": [{"text": text, "summary": summary} for text, summary in next_commands(state)],
        "cutover": state.cutover.value,
        "rehearsal": state.rehearsal,
        "outcome": state.outcome,
    }


def _operation(operation: Operation) -> dict[str, Any]:
    return {
        "id": operation.id,
        "kind": operation.kind,
        "person": operation.person,
        "since": operation.created_at.isoformat() if operation.created_at else None,
    }


def _in_the_page(stored: StoredMessage) -> bool:
    """Return whether the page shows a message: it has places of its own for status and report, and it rings nobody."""
    message = stored.message
    elsewhere = message.place is not Place.CHANNEL or message.slot in (STATUS_SLOT, REPORT_SLOT)
    return not elsewhere and (message.decision_id is not None or not message.calls)


def _message(stored: StoredMessage) -> dict[str, Any]:
    content: dict[str, Any] = to_json(stored.message)
    return {
        **content,
        "id": stored.id,
        "revision": stored.revision,
        "created_at": stored.created_at.isoformat(),
        "updated_at": stored.updated_at.isoformat(),
    }


def _decision(decision: Decision) -> dict[str, Any]:
    plain: dict[str, Any] = to_json(decision)
    plain["choices"] = [
        {"key": c.key, "label": c.label, "style": c.style, "typed": c.typed} for c in decision.choices
    ]
    plain["open"] = decision.state is DecisionState.OPEN
    return plain


def _entry(entry: Entry) -> dict[str, Any]:
    plain: dict[str, Any] = to_json(entry)
    return plain
