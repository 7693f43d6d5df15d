"""Alarms that stand in a site's logbook while there is no incident: told where reports are read, and told to be over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.model.event import Kind, NewEntry
from bot.model.logbook import logbook_of
from bot.model.message import Message, Place, Tone
from bot.ports.store import Transaction
from bot.runbook.health import Alarm, HealthVerdict, alarm_data, alarm_of, next_alarm
from bot.service.parts import Parts


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found of a site by work without an incident. `kind` is its entry's, `slot` the first part of its messages' slots.

    `data` has `verdict` (see HealthVerdict). `subject` is what is alarming: "Backups of shop"; `text` the sentence that
    tells it; `good_since` since when it is good, where it is.
    """

    kind: Kind
    slot: str
    subject: str
    text: str
    data: Mapping[str, Any]
    good_since: str | None = None
    facts: tuple[tuple[str, str], ...] = ()


async def last_findings(tx: Transaction, site: str, kind: Kind, limit: int) -> list[dict[str, Any]]:
    """Return the data of the last findings of a kind, oldest first, each with its time `at`; reads only."""
    found = await tx.last_entries(logbook_of(site), [kind], limit)
    return [{**entry.data, "at": entry.at.isoformat()} for entry in found]


async def record_finding(
    tx: Transaction, parts: Parts, site: str, finding: Finding, actor: str = "backout"
) -> None:
    """Write a finding into the site's logbook, and alarm or reassure people. *Changes*: the store only."""
    logbook = await tx.open_logbook(site)
    before = alarm_of(next(iter(await last_findings(tx, site, finding.kind, 1)), None))
    remind_s = parts.site(site).backup_health.remind
    now = next_alarm(before, HealthVerdict(finding.data["verdict"]), await tx.now(), remind_s)
    data = {**finding.data, "alarm": alarm_data(now)}
    await tx.append(logbook, [NewEntry(kind=finding.kind, actor=actor, text=finding.text, data=data)])
    if now.on and (now.rings > before.rings or not before.on):
        await _ring(tx, parts, logbook, site, finding, now)
    elif before.on and not now.on:
        await _reassure(tx, logbook, finding, before)


_TITLES = {HealthVerdict.BAD: "not good", HealthVerdict.UNKNOWN: "not known"}


async def _ring(
    tx: Transaction, parts: Parts, logbook: str, site: str, finding: Finding, alarm: Alarm
) -> None:
    """Tell an alarm as a message of its own each time, so that it is noticed. *Changes*: the store only."""
    again = f" Since {minute(alarm.since)}; told {alarm.rings} times." if alarm.rings > 1 else ""
    contact = called_contact(parts, site) if parts.site(site).backup_health.call else None
    message = Message(
        slot=f"{finding.slot}-{alarm.number}-{alarm.rings}",
        title=f"{finding.subject}: {_TITLES[HealthVerdict(finding.data['verdict'])]}",
        tone=Tone.BAD,
        body=finding.text + again,
        facts=finding.facts,
        next_steps=(f"/backups health {site}",),
        calls=(contact,) if contact else (),
        place=Place.REPORTS,
    )
    await tx.put_message(logbook, message)
    if contact is not None:
        direct = replace(message, slot=f"{message.slot}-direct", place=Place.DIRECT, person=contact)
        await tx.put_message(logbook, direct)


async def _reassure(tx: Transaction, logbook: str, finding: Finding, over: Alarm) -> None:
    """Tell that an alarm is over, and say so in it, so that nobody who reads it later jumps up. *Changes*: the store only."""
    since = minute(finding.good_since or (await tx.now()).isoformat())
    for stored in await tx.messages(logbook):
        told = stored.message
        if told.slot.startswith(f"{finding.slot}-{over.number}-") and told.tone is Tone.BAD:
            body = f"Over: good again since {since}. ({told.body})"
            title = f"{finding.subject}: over"
            over_now = replace(told, title=title, tone=Tone.NEUTRAL, body=body, next_steps=())
            await tx.put_message(logbook, over_now)
    good = Message(
        slot=f"{finding.slot}-{over.number}-good",
        title=f"{finding.subject}: good again",
        tone=Tone.GOOD,
        body=f"Good again since {since}; the alarm began at {minute(over.since)}. {finding.text}",
        place=Place.REPORTS,
    )
    await tx.put_message(logbook, good)


def called_contact(parts: Parts, site: str) -> str | None:
    """Return the name of the person who is the first contact of a site that has an account, None where there is none."""
    names = (contact.person for contact in parts.site(site).contacts)
    return next((name for name in names if name and parts.person(name)), None)


def minute(iso: str) -> str:
    """Return an ISO time as `2026-01-31 03:00 UTC`."""
    return f"{iso[:10]} {iso[11:16]} UTC"
