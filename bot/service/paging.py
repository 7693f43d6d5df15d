"""Calling the DBA: mentioned in the channel, called again until someone acknowledges, then the next contact."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.model.decision import Choice, Decision
from bot.model.event import Kind, NewEntry
from bot.model.incident import Incident
from bot.model.message import Message, Place, Tone
from bot.model.person import Contact, Permission
from bot.ports.pager import Act
from bot.ports.store import Deadline, Transaction
from bot.runbook.contact_sheet import contact_facts
from bot.runbook.escalation import new_escalations
from bot.runbook.page import whose_turn
from bot.service.desk import Question, open_question, slot_of, state_of
from bot.service.parts import Parts
from bot.service.ringing import PAGER, MadeCall, key_now, known_lines, put_rings, put_signals, ways_of
from bot.settings import SiteSettings

SLOT = "escalation"
LAPSE = "unack"


async def call_by_rule(tx: Transaction, parts: Parts, incident_id: str, site: str) -> None:
    """Call the DBA when a rule of the runbook says so; the call itself is a deadline that is due at once.

    *Changes*: the store only; nothing where no rule fires that did not fire before.
    """
    state = await state_of(tx, incident_id)
    entries = new_escalations(state, size_limit_bytes=parts.site(site).size_limit_bytes)
    if not entries:
        return
    await tx.append(incident_id, entries)
    await tx.set_deadline(
        Deadline(
            key=f"page.{incident_id}",
            kind="page",
            due_at=await tx.now(),
            incident_id=incident_id,
            args={"site": site, "attempt": 0},
        )
    )


async def page(tx: Transaction, parts: Parts, incident_id: str, site: str, attempt: int) -> None:
    """Call the contact whose turn it is, by each way there is, and set the deadline for the next call.

    *Changes*: the store only: what leaves the machine are operations that are put down in the same transaction.
    """
    settings = parts.site(site)
    state = await state_of(tx, incident_id)
    if state.acknowledged_by is not None or not state.open or state.escalation is None:
        return
    contacts = contacts_of(settings)
    reason = str(state.escalation.get("reason", ""))
    if not contacts:
        await tx.put_message(incident_id, _nobody(reason, site))
        return
    contact = whose_turn(contacts, attempt)
    call = await _record_call(tx, parts, state=state, contact=contact, reason=reason, attempt=attempt)
    asked = await _asked(tx, incident_id)
    if attempt == 0 or asked is None:
        asked = await open_question(tx, incident_id, _acknowledge(contact, reason), "backout")
    await tx.put_message(incident_id, _calling(contact, reason, attempt, call))
    await _tell_person(tx, parts, incident_id, contact, call, asked)
    await put_rings(tx, parts, state=state, contact=contact, call=call)
    await tx.set_deadline(
        Deadline(
            key=f"page.{incident_id}",
            kind="page",
            due_at=await tx.now() + timedelta(seconds=contact.page_again or settings.intervals.page_again),
            incident_id=incident_id,
            args={"site": site, "attempt": attempt + 1},
        )
    )


def contacts_of(settings: SiteSettings) -> list[Contact]:
    """Return whom to call for a site, in order; where only pagers are named, whoever is on call there."""
    named = [c.contact() for c in settings.contacts]
    return named or ([Contact(name="Whoever is on call", role="on call")] if settings.pagers else [])


async def _record_call(
    tx: Transaction, parts: Parts, *, state: Incident, contact: Contact, reason: str, attempt: int
) -> MadeCall:
    """Put the call into the timeline, and return what every way of it tells."""
    ways = ways_of(parts, contact, parts.site(state.site))
    entries = await tx.entries(state.id)
    made = MadeCall(
        number=1 + sum(entry.kind is Kind.PAGED for entry in entries),
        key=key_now(entries, state.id),
        reason=reason,
        lines=await known_lines(tx, parts, state, reason),
    )
    beside = f", also by {', '.join(way.words for way in ways)}" if ways else ""
    text = f"Calling {contact.name} ({contact.role}), call {attempt + 1}{beside}: {reason}."
    data: dict[str, Any] = {"contact": contact.name, "role": contact.role, "attempt": attempt + 1}
    if pagers := [way.target for way in ways if way.kind == PAGER]:
        data |= {"pagers": pagers, "key": made.key}
    await tx.append(state.id, [NewEntry(kind=Kind.PAGED, text=text, data=data)])
    return made


async def _asked(tx: Transaction, incident_id: str) -> Decision | None:
    """Return the open question who has it."""
    found = await tx.decisions(incident_id=incident_id)
    return next((d for d in found if d.purpose == "acknowledge"), None)


async def _tell_person(
    tx: Transaction, parts: Parts, incident_id: str, contact: Contact, call: MadeCall, asked: Decision
) -> None:
    """Call one person so that it is noticed: a message of its own each time, in the channel and to the person alone."""
    person = parts.person(contact.person) if contact.person else None
    if person is None:
        return
    row = await tx.incident(incident_id)
    title = f"{contact.name}, you are needed (call {call.number})"
    if call.number == 1:  # The question itself is new in the channel: it rings, and nothing is said twice.
        shown = [
            m.message for m in await tx.messages(incident_id) if m.message.slot == slot_of("acknowledge")
        ]
        rung = replace(shown[0], calls=(person.name,))
    else:
        slot = f"call-{call.number}"
        rung = Message(slot=slot, title=title, tone=Tone.BAD, body=call.reason, calls=(person.name,))
    await tx.put_message(incident_id, rung)
    await tx.put_message(
        incident_id,
        Message(
            slot=f"call-{call.number}-direct",
            title=title,
            tone=Tone.BAD,
            body="\n".join((*call.lines, "The call is repeated until somebody takes it.")),
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


def _calling(contact: Contact, reason: str, attempt: int, call: MadeCall) -> Message:
    return Message(
        slot=SLOT,
        title=f"Calling {contact.name}",
        tone=Tone.BAD,
        body=f"{reason}. Call {attempt + 1}; it is repeated until someone answers `/incident ack`.\n"
        + "\n".join(call.lines[:-1]),
        facts=contact_facts(contact),
    )


def _nobody(reason: str, site: str) -> Message:
    return Message(
        slot=SLOT,
        title="The DBA is needed, and no contact is in the settings",
        tone=Tone.BAD,
        body=f"{reason}. Add contacts to the site {site} in the settings; until then, call whom you know.",
    )


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
    (taken_back,) = await tx.append(incident_id, [NewEntry(kind=Kind.UNACKNOWLEDGED, text=text, data=data)])
    # A paging service does not ring again for what was acknowledged: that alert ends, and the next call is a new one.
    await put_signals(
        tx, act=Act.RESOLVE, state=state, entries=entries, cause=taken_back.sequence, person="backout"
    )
    called = sum(e.kind is Kind.PAGED for e in entries)
    await page(tx, parts, incident_id, str(args["site"]), called)
