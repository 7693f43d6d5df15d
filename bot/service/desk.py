"""How a command becomes work: the guard is asked, the command recorded, and an operation or a question put down."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from bot.model.codec import digest
from bot.model.decision import Choice, Decision, DecisionState
from bot.model.event import Kind, NewEntry
from bot.model.incident import Incident
from bot.model.message import Message, Reply, Tone
from bot.model.operation import Operation, OperationState
from bot.model.person import Permission
from bot.model.step import Step
from bot.ports.store import Deadline, Transaction
from bot.runbook.headline import work_words
from bot.runbook.purposes import ANY_TIME
from bot.service.parts import Call, Parts, refused

Guard = Callable[[Incident], str | None]


async def state_of(tx: Transaction, incident_id: str) -> Incident:
    """Return an incident's state, folded from its timeline; reads only."""
    return await tx.state(incident_id)


async def read_state(parts: Parts, incident_id: str) -> Incident:
    """Return an incident's state in a transaction of its own; reads only."""

    async def body(tx: Transaction) -> Incident:
        return await state_of(tx, incident_id)

    return await parts.store.read(body)


def typed(call: Call) -> NewEntry:
    """Return the timeline entry of a command as a person typed it."""
    return NewEntry(
        kind=Kind.COMMAND,
        actor=call.person.name,
        text=call.text,
        data={"platform": call.platform, "channel": call.channel},
    )


async def refuse(tx: Transaction, call: Call, reason: str, step: Step | None = None) -> Reply:
    """Record that a command was refused, and return the reply. *Changes*: the timeline only."""
    data: dict[str, Any] = {"command": call.text}
    if step is not None:
        data["asked_step"] = int(step)
    entry = NewEntry(kind=Kind.REFUSED, actor=call.person.name, text=reason, data=data)
    await tx.append(call.incident_id, [typed(call), entry])
    return refused(reason)


async def begin(
    parts: Parts,
    call: Call,
    *,
    kind: str,
    guard: Guard,
    started: str,
    step: Step,
    args: dict[str, Any] | None = None,
    changes_site: bool = False,
) -> Reply:
    """Start an operation if the guard allows it; its id is the delivery's, so that a re-sent command runs once."""

    async def body(tx: Transaction) -> Reply:
        if reason := guard(await state_of(tx, call.incident_id)):
            return await refuse(tx, call, reason, step)
        if reason := await busy(tx, call.incident_id, kind):
            return await refuse(tx, call, reason, step)
        operation = Operation(
            id=call.delivery_id,
            kind=kind,
            incident_id=call.incident_id,
            site=call.site or "",
            person=call.person.name,
            args=args or {},
            changes_site=changes_site,
        )
        if await tx.add_operation(operation):
            await tx.append(call.incident_id, [typed(call)])
        return Reply(text=started, incident_id=call.incident_id, operation_id=operation.id)

    reply = await parts.store.transact(body)
    parts.wake()
    return reply


async def busy(tx: Transaction, incident_id: str, kind: str) -> str | None:
    """Return why this kind has to wait: the same is running, or production is being changed beneath it."""
    for operation in await tx.operations(incident_id=incident_id, state=OperationState.RUNNING):
        if operation.kind == kind:
            return f"This is being done already, asked for by {operation.person}."
        if kind == "safety" and operation.kind == "plan":
            return f"A plan is being rehearsed for {operation.person}; it stands on the present safety backup. Wait for it."
        if operation.changes_site and kind not in ANY_TIME:
            return (
                f"Backout is at work on the site ({work_words(operation.kind)}, for {operation.person}). "
                "Nothing was changed. Wait for it, or /incident cancel"
            )
    return None


@dataclass(frozen=True, kw_only=True)
class Question:
    """A decision to be opened. `slot` and `title` are those of the message that carries its buttons."""

    purpose: str
    question: str
    body: str
    choices: tuple[Choice, ...]
    permission: Permission = Permission.RESPOND
    step: Step | None = None
    votes_needed: int = 1
    plan_hash: str | None = None
    expires_in: timedelta | None = None
    facts: tuple[tuple[str, str], ...] = field(default=())
    tone: Tone = Tone.WARNING


def slot_of(purpose: str) -> str:
    """Return the message slot of a decision."""
    return f"decision-{purpose}"


def _plain_name(purpose: str) -> str:
    """Return a purpose as part of an id: letters, digits, `._-`; with a part of its hash where anything was replaced."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", purpose)[:60]
    return plain if plain == purpose else f"{plain}-{digest(purpose)[:6]}"


async def open_question(tx: Transaction, incident_id: str, question: Question, asker: str) -> Decision:
    """Open a decision and its message; one that is open for the same purpose is voided by it.

    *Changes*: the store only. The id counts up within the incident, so that an old button never answers a new question.
    """
    purpose_before = [
        d
        for d in await tx.decisions(incident_id=incident_id, open_only=False)
        if d.purpose == question.purpose
    ]
    for old in purpose_before:
        if old.state is DecisionState.OPEN:
            await void(tx, old, "A newer question took its place.")
    now = await tx.now()
    decision = Decision(
        id=f"{incident_id}.{_plain_name(question.purpose)}.{len(purpose_before) + 1}",
        incident_id=incident_id,
        purpose=question.purpose,
        question=question.question,
        body=question.body,
        choices=question.choices,
        permission=question.permission,
        opened_at=now,
        votes_needed=question.votes_needed,
        expires_at=now + question.expires_in if question.expires_in else None,
        plan_hash=question.plan_hash,
    )
    await tx.put_decision(decision)
    if decision.expires_at is not None:
        await tx.set_deadline(
            Deadline(
                key=f"expire.{decision.id}",
                kind="expire",
                due_at=decision.expires_at,
                incident_id=incident_id,
                args={"decision_id": decision.id},
            )
        )
    await tx.append(
        incident_id,
        [
            NewEntry(
                kind=Kind.DECISION_OPENED,
                actor=asker,
                text=question.question,
                data={
                    "decision_id": decision.id,
                    "purpose": decision.purpose,
                    "choices": [c.key for c in decision.choices],
                },
            )
        ],
    )
    await tx.put_message(
        incident_id,
        Message(
            slot=slot_of(question.purpose),
            title=question.question,
            tone=question.tone,
            step=int(question.step) if question.step else None,
            body=question.body,
            facts=question.facts,
            decision_id=decision.id,
        ),
    )
    return decision


async def show_decision(tx: Transaction, decision: Decision, body: str, tone: Tone) -> None:
    """Put what became of a question into its message. *Changes*: the store only."""
    before = next(
        (m.message for m in await tx.messages(decision.incident_id) if m.message.decision_id == decision.id),
        None,
    )
    if before is not None:
        await tx.put_message(decision.incident_id, replace(before, body=body, tone=tone, facts=()))


async def void(tx: Transaction, decision: Decision, reason: str) -> None:
    """Void an open decision: its buttons do nothing any more. *Changes*: the store only."""
    await tx.put_decision(replace(decision, state=DecisionState.VOID, void_reason=reason))
    await tx.drop_deadline(f"expire.{decision.id}")
    await tx.append(
        decision.incident_id,
        [
            NewEntry(
                kind=Kind.DECISION_VOID,
                text=f"{decision.question} — {reason}",
                data={"decision_id": decision.id},
            )
        ],
    )


async def void_all(tx: Transaction, incident_id: str, purposes: Sequence[str], reason: str) -> None:
    """Void every open decision of these purposes (a trailing `*` matches any ending)."""
    for decision in await tx.decisions(incident_id=incident_id):
        if any(
            decision.purpose == p or (p.endswith("*") and decision.purpose.startswith(p[:-1]))
            for p in purposes
        ):
            await void(tx, decision, reason)


async def ask(
    parts: Parts, call: Call, *, guard: Guard, question: Callable[[Incident], Question], step: Step
) -> Reply:
    """Ask once before production is changed, in words that fit the incident as it is.

    The question open already for this purpose is shown again, not doubled.
    """

    async def body(tx: Transaction) -> Reply:
        state = await state_of(tx, call.incident_id)
        if reason := guard(state):
            return await refuse(tx, call, reason, step)
        await tx.append(call.incident_id, [typed(call)])
        decision = await open_question(tx, call.incident_id, question(state), call.person.name)
        keys = "|".join(c.key for c in decision.choices)
        shell = f" (From a shell: backout answer {decision.id} {keys})" if call.platform == "web" else ""
        return Reply(
            text=f"{decision.question} The question is in the channel; nothing was changed yet.{shell}",
            incident_id=call.incident_id,
            decision_id=decision.id,
        )

    return await parts.store.transact(body)
