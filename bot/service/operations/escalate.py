"""Calling the DBA: mentioned in the channel, called again until someone acknowledges, then the next contact."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.model.decision import Choice, Decision
from bot.model.event import Kind, NewEntry
from bot.model.message import Message, Place, Tone
from bot.model.person import Contact, Permission
from bot.ports.store import Deadline, Transaction
from bot.service.desk import Question, open_question, slot_of, state_of, void_all
from bot.service.engine import OperationContext
from bot.service.parts import Parts

SLOT = "escalation"
LAPSE = "unack"
TRIES_EACH = 2
"""How often one contact is called before the next one is called too."""


async def escalate(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Call the first contact. *Changes*: the channel, and a deadline that calls again."""
    reason = str(ctx.args.get("reason") or "asked for")

    async def nothing() -> None:
        return None

    async def record(tx: Transaction, _: None) -> None:
        told = ((await state_of(tx, ctx.operation.incident_id)).escalation or {}).get("rules", [])
        entry = NewEntry(
            kind=Kind.ESCALATED,
            actor=ctx.operation.person,
            text=f"The DBA is needed: {reason}.",
            data={"reason": reason, "rule": "asked", "rules": [*told, "asked"]},
        )
        await tx.append(ctx.operation.incident_id, [entry])
        await page(tx, parts, ctx.operation.incident_id, ctx.operation.site, 0)

    await ctx.step("escalated", nothing, record)
    return {"reason": reason}


async def page(tx: Transaction, parts: Parts, incident_id: str, site: str, attempt: int) -> None:
    """Call the contact whose turn it is, and set the deadline for the next call. *Changes*: the store only."""
    settings = parts.site(site)
    state = await state_of(tx, incident_id)
    if state.acknowledged_by is not None or not state.open or state.escalation is None:
        return
    contacts = [c.contact() for c in settings.contacts]
    reason = str(state.escalation.get("reason", ""))
    if not contacts:
        await tx.put_message(incident_id, _nobody(reason, site))
        return
    contact = contacts[min(attempt // TRIES_EACH, len(contacts) - 1)]
    text = f"Calling {contact.name} ({contact.role}), call {attempt + 1}: {reason}."
    data = {"contact": contact.name, "role": contact.role, "attempt": attempt + 1}
    await tx.append(incident_id, [NewEntry(kind=Kind.PAGED, text=text, data=data)])
    asked = await _asked(tx, incident_id)
    if attempt == 0 or asked is None:
        asked = await open_question(tx, incident_id, _acknowledge(contact, reason), "backout")
    await tx.put_message(incident_id, _calling(contact, reason, attempt))
    await _ring(tx, parts, incident_id, contact, reason, asked)
    await tx.set_deadline(
        Deadline(
            key=f"page.{incident_id}",
            kind="page",
            due_at=await tx.now() + timedelta(seconds=settings.intervals.page_again),
            incident_id=incident_id,
            args={"site": site, "attempt": attempt + 1},
        )
    )


async def _asked(tx: Transaction, incident_id: str) -> Decision | None:
    """Return the open question who has it."""
    found = await tx.decisions(incident_id=incident_id)
    return next((d for d in found if d.purpose == "acknowledge"), None)


async def _ring(
    tx: Transaction, parts: Parts, incident_id: str, contact: Contact, reason: str, asked: Decision
) -> None:
    """Call one person so that it is noticed: a message of its own each time, in the channel and to the person alone."""
    person = parts.person(contact.person) if contact.person else None
    if person is None:
        return
    calls = [e for e in await tx.entries(incident_id) if e.kind is Kind.PAGED]
    row = await tx.incident(incident_id)
    title = f"{contact.name}, you are needed (call {len(calls)})"
    if len(calls) == 1:  # The question itself is new in the channel: it rings, and nothing is said twice.
        shown = [
            m.message for m in await tx.messages(incident_id) if m.message.slot == slot_of("acknowledge")
        ]
        rung = replace(shown[0], calls=(person.name,))
    else:
        slot = f"call-{len(calls)}"
        rung = Message(slot=slot, title=title, tone=Tone.BAD, body=reason, calls=(person.name,))
    await tx.put_message(incident_id, rung)
    await tx.put_message(
        incident_id,
        Message(
            slot=f"call-{len(calls)}-direct",
            title=title,
            tone=Tone.BAD,
            body=f"{reason}. The call is repeated until somebody takes it.",
            facts=(("incident", incident_id), ("what", row.title if row else ""), ("role", contact.role)),
            decision_id=asked.id,
            calls=(person.name,),
            place=Place.DIRECT,
            person=person.name,
        ),
    )


def _acknowledge(contact: Contact, reason: str) -> Question:
    return Question(
        purpose="acknowledge",
        question=f"{contact.name}, you are needed: {reason}",
        body="The call is repeated until someone takes it.",
        choices=(Choice(key="ack", label="I have it", style="primary", starts="acknowledge"),),
        permission=Permission.READ,
        tone=Tone.BAD,
    )


def _calling(contact: Contact, reason: str, attempt: int) -> Message:
    return Message(
        slot=SLOT,
        title=f"Calling {contact.name}",
        tone=Tone.BAD,
        body=f"{reason}. Call {attempt + 1}; it is repeated until someone answers `/incident ack`.",
        facts=contact_facts(contact),
    )


def contact_facts(contact: Contact) -> tuple[tuple[str, str], ...]:
    """Return how to reach a contact as labelled facts."""
    known = (
        ("role", contact.role),
        ("phone", contact.phone),
        ("email", contact.email),
        ("handle", contact.handle),
        ("note", contact.note),
    )
    return tuple((label, value) for label, value in known if value)


def _nobody(reason: str, site: str) -> Message:
    return Message(
        slot=SLOT,
        title="The DBA is needed, and no contact is in the settings",
        tone=Tone.BAD,
        body=f"{reason}. Add contacts to the site {site} in the settings; until then, call whom you know.",
    )


async def acknowledge(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Stop the calls: a person has the matter in hand, for as long as something follows. *Changes*: the store only."""
    name, incident_id, site = ctx.operation.person, ctx.operation.incident_id, ctx.operation.site

    async def nothing() -> None:
        return None

    async def record(tx: Transaction, _: None) -> None:
        entry = NewEntry(kind=Kind.ACKNOWLEDGED, actor=name, text=f"{name} has it.", data={"person": name})
        (written,) = await tx.append(incident_id, [entry])
        await tx.drop_deadline(f"page.{incident_id}")
        await void_all(tx, incident_id, ["acknowledge"], f"{name} has it.")
        await tx.put_message(incident_id, Message(slot=SLOT, title=f"{name} has it", tone=Tone.GOOD))
        await _quieten(tx, incident_id, name)
        lapses_s = parts.site(site).intervals.ack_lapses
        await tx.set_deadline(
            Deadline(
                key=f"{LAPSE}.{incident_id}",
                kind=LAPSE,
                due_at=await tx.now() + timedelta(seconds=lapses_s),
                incident_id=incident_id,
                args={"site": site, "person": name, "sequence": written.sequence},
            )
        )

    await ctx.step("acknowledged", nothing, record)
    return {"person": name}


async def _quieten(tx: Transaction, incident_id: str, name: str) -> None:
    """Say in every call that somebody has it, so that nobody who reads it later jumps up. *Changes*: the store only."""
    for stored in await tx.messages(incident_id):
        call = stored.message
        if call.calls and call.tone is Tone.BAD and call.slot != slot_of("acknowledge"):
            said = replace(call, tone=Tone.NEUTRAL, body=f"{name} has it. ({call.body})")
            await tx.put_message(incident_id, said)


async def lapse(tx: Transaction, parts: Parts, incident_id: str, args: dict[str, Any]) -> None:
    """Take an acknowledgement back when its person did nothing since, and call again. *Changes*: the store only."""
    state = await state_of(tx, incident_id)
    name = str(args["person"])
    if not state.open or state.acknowledged_by != name or state.escalation is None:
        return
    entries = await tx.entries(incident_id)
    if any(e.actor == name and e.sequence > int(args["sequence"]) for e in entries):
        return
    text = f"{name} had it, and nothing followed. The calls begin again."
    data = {"person": name}
    await tx.append(incident_id, [NewEntry(kind=Kind.UNACKNOWLEDGED, text=text, data=data)])
    called = sum(e.kind is Kind.PAGED for e in entries)
    await page(tx, parts, incident_id, str(args["site"]), called)
