"""Votes on decisions: answered once, by permitted persons, with one effect however often the click arrives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.model.decision import Choice, Decision, DecisionState
from bot.model.event import Kind, NewEntry
from bot.model.message import Reply, Tone
from bot.model.operation import Operation, OperationState
from bot.model.person import Person
from bot.ports.store import IncidentRow, Transaction
from bot.runbook.purposes import CHANGES_SITE, guard_of
from bot.service.desk import busy, show_decision, state_of, void
from bot.service.parts import Parts, refused


async def answer(parts: Parts, person: Person, decision_id: str, key: str, typed_word: str | None) -> Reply:
    """Take a person's vote; when it decides, record the answer and start what it starts, in one transaction."""

    async def body(tx: Transaction) -> Reply:
        decision = await tx.decision(decision_id)
        row = await tx.incident(decision.incident_id) if decision else None
        if decision is None or row is None or person.refusal_to_read(row.site):
            return refused(
                f"There is no decision {decision_id}. Open ones: /incident status, or GET /api/decisions"
            )
        if reason := person.refusal(decision.permission, row.site):
            return refused(f"{reason}. Nothing was changed; the decision stays open.")
        if reason := await _not_open(tx, decision):
            return refused(reason)
        choice = decision.choice(key)
        if choice is None:
            keys = ", ".join(c.key for c in decision.choices)
            return refused(
                f"{key!r} is no answer to “{decision.question}”. It is one of: {keys}. Nothing was changed."
            )
        if choice.typed is not None and (typed_word or "").strip() != choice.typed:
            return refused(
                f"To choose “{choice.label}”, type {choice.typed} along with it. Nothing was changed."
            )
        guard = guard_of(choice.starts)
        if guard is not None and (reason := guard(await state_of(tx, decision.incident_id))):
            return refused(f"{reason} Nothing was changed; the question stays open.")
        if choice.starts in ("close", "close_by_hand") and (
            reason := await busy(tx, decision.incident_id, "close")
        ):
            return refused(f"{reason} Nothing was changed; the question stays open.")
        return await _vote(tx, decision, choice, person, row)

    reply = await parts.store.transact(body)
    parts.wake()
    return reply


async def _not_open(tx: Transaction, decision: Decision) -> str | None:
    if decision.state is DecisionState.ANSWERED:
        return (
            f"This was answered already: {decision.answer} by {decision.answered_by}. Nothing more was done."
        )
    if decision.state is DecisionState.VOID:
        return f"This question is void: {decision.void_reason} Nothing was changed."
    if decision.expires_at is not None and await tx.now() >= decision.expires_at:
        await void(tx, decision, "Nobody decided in time.")
        return "This question has expired; nothing was changed. Ask again with the command that opened it."
    state = await state_of(tx, decision.incident_id)
    if decision.plan_hash is not None and (state.plan or {}).get("plan_hash") != decision.plan_hash:
        await void(tx, decision, "The plan it was about has changed.")
        return "The plan has changed since this question was asked; nothing was changed. See: /restore status"
    return None


async def _vote(
    tx: Transaction, decision: Decision, choice: Choice, person: Person, row: IncidentRow
) -> Reply:
    votes = {**decision.votes, person.name: choice.key}
    same = [name for name, key in votes.items() if key == choice.key]
    entry = NewEntry(
        kind=Kind.DECISION_VOTED,
        actor=person.name,
        text=f"{person.name}: {choice.label} ({len(same)} of {decision.votes_needed})",
        data={"decision_id": decision.id, "choice": choice.key},
    )
    await tx.append(decision.incident_id, [entry])
    if not choice.rejects and len(same) < decision.votes_needed:
        await tx.put_decision(replace(decision, votes=votes))
        missing = decision.votes_needed - len(same)
        return Reply(
            text=f"Your vote is kept. {missing} more person(s) must choose “{choice.label}”. Nothing was changed yet.",
            incident_id=decision.incident_id,
            decision_id=decision.id,
        )
    answered = replace(
        decision,
        votes=votes,
        state=DecisionState.ANSWERED,
        answer=choice.key,
        answered_by=" and ".join(same),
        answered_at=await tx.now(),
    )
    await tx.put_decision(answered)
    await tx.drop_deadline(f"expire.{decision.id}")
    await tx.append(decision.incident_id, _entries(answered, choice, same))
    await show_decision(tx, answered, f"**{choice.label}** — {answered.answered_by}", Tone.NEUTRAL)
    operation_id = await _start(tx, answered, choice, person, row)
    return Reply(
        text=f"Decided: {choice.label}.",
        incident_id=decision.incident_id,
        operation_id=operation_id,
        decision_id=decision.id,
    )


def _entries(decision: Decision, choice: Choice, voters: list[str]) -> list[NewEntry]:
    data: dict[str, Any] = {
        "decision_id": decision.id,
        "purpose": decision.purpose,
        "question": decision.question,
        "answer": choice.key,
        "label": choice.label,
        "person": decision.answered_by,
    }
    text = f"{decision.question} — {choice.label}"
    entries = [NewEntry(kind=Kind.DECISION_ANSWERED, actor=voters[-1], text=text, data=data)]
    if decision.plan_hash is not None and choice.starts is not None:
        entries += [
            NewEntry(
                kind=Kind.APPROVED,
                actor=name,
                text=f"{name} approved the plan {decision.plan_hash[:12]}",
                data={"plan_hash": decision.plan_hash, "person": name},
            )
            for name in voters
        ]
    return entries


async def _start(
    tx: Transaction, decision: Decision, choice: Choice, person: Person, row: IncidentRow
) -> str | None:
    if choice.starts is None or await _waits_for_others(tx, decision):
        return None
    if choice.starts == "undo":
        await _release_for_undo(tx, decision.incident_id, row.site, person)
    operation = Operation(
        id=f"{decision.id}.{choice.key}",
        kind=choice.starts,
        incident_id=decision.incident_id,
        site=row.site,
        person=person.name,
        # What the answer was given upon: an operation that waits for another's end can tell whether it still holds.
        args={
            "cutover": (await state_of(tx, decision.incident_id)).cutover.value,
            **choice.args,
            "decision_id": decision.id,
        },
        changes_site=choice.starts in CHANGES_SITE,
    )
    await tx.add_operation(operation)
    return operation.id


async def _waits_for_others(tx: Transaction, decision: Decision) -> bool:
    """Return whether this is one of several questions about rows that are gone; the last answer starts the rehearsal."""
    if not decision.purpose.startswith("missing:"):
        return False
    return any(d.purpose.startswith("missing:") for d in await tx.decisions(incident_id=decision.incident_id))


async def _release_for_undo(tx: Transaction, incident_id: str, site: str, person: Person) -> None:
    """Free the site from a failed change of the same incident: an approved undo is the way out of just that."""
    holder_id = await tx.site_holder(site)
    holder = await tx.operation(holder_id) if holder_id else None
    if holder is None or holder.state is not OperationState.FAILED or holder.incident_id != incident_id:
        return
    await tx.free_site(site, holder.id)
    text = f"{site} is released from {holder.kind}, which failed, for the undo that {person.name} approved."
    await tx.append(
        incident_id,
        [NewEntry(kind=Kind.SITE_RELEASED, actor=person.name, text=text, data={"operation": holder.id})],
    )
