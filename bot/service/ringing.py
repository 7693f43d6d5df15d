"""Rings that are put down: each way to reach somebody is an operation of its own, in the transaction of the call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.model.codec import digest
from bot.model.event import Entry, Kind
from bot.model.incident import Incident
from bot.model.operation import Operation
from bot.model.person import Contact
from bot.ports.pager import Act
from bot.ports.store import Transaction
from bot.runbook.page import alert_key, page_lines, page_subject
from bot.service.parts import Parts
from bot.settings import SiteSettings

MAIL, PAGER = "mail", "pager"
"""The ways by which somebody is rung who may not be looking at any chat."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to reach somebody: an address, or the name of a pager in the settings."""

    kind: str
    target: str

    @property
    def words(self) -> str:
        """Return it as a person would say it; an address is not told."""
        return "e-mail" if self.kind == MAIL else f"pager {self.target}"


@dataclass(frozen=True, kw_only=True)
class MadeCall:
    """One call: the how manieth of the incident, the key of its alert with paging services, and what is told."""

    number: int
    key: str
    reason: str
    lines: list[str]


def ways_of(parts: Parts, contact: Contact, settings: SiteSettings) -> tuple[Way, ...]:
    """Return how a call of a contact rings, beside chat: by e-mail, and by the pagers of the contact and of the site."""
    mail = (Way(kind=MAIL, target=contact.email),) if contact.email and parts.settings.smtp else ()
    pagers = dict.fromkeys((*contact.pagers, *settings.pagers))
    return (*mail, *(Way(kind=PAGER, target=name) for name in pagers))


def key_now(entries: Sequence[Entry], incident_id: str) -> str:
    """Return the key of the alert that a call made now is about."""
    return alert_key(incident_id, sum(entry.kind is Kind.ACKNOWLEDGED for entry in entries))


async def known_lines(tx: Transaction, parts: Parts, state: Incident, reason: str) -> list[str]:
    """Return what is known at this moment, in five lines; reads only."""
    where = await _where(tx, parts, state.id)
    return page_lines(state, url=parts.site(state.site).url, reason=reason, where=where, now=await tx.now())


async def put_rings(
    tx: Transaction, parts: Parts, *, state: Incident, contact: Contact, call: MadeCall
) -> None:
    """Put down one ring for each way to reach the contact. *Changes*: the store only."""
    said: dict[str, Any] = {
        "act": Act.TRIGGER.value,
        "contact": contact.name,
        "call": call.number,
        "key": call.key,
        "subject": page_subject(state.site, call.reason, call.number),
        "lines": call.lines,
    }
    for way in ways_of(parts, contact, parts.site(state.site)):
        name = f"{state.id}.ring.{call.number}.{way.kind}.{digest(way.target)[:12]}"
        await tx.add_operation(_ring(name, state, {**said, "way": way.kind, "target": way.target}))


async def put_signals(
    tx: Transaction, *, act: Act, state: Incident, entries: Sequence[Entry], cause: int, person: str
) -> None:
    """Put down that the paging services are told who has it, or that it is over: about every alert that is open there.

    `cause` is the number of the entry that this follows from. *Changes*: the store only.
    """
    words = {Act.ACKNOWLEDGE: f"{person} has it.", Act.RESOLVE: f"Over, as far as Backout knows ({person})."}
    for pager, key in open_alerts(entries):
        said = {
            "act": act.value,
            "way": PAGER,
            "target": pager,
            "contact": "",
            "call": 0,
            "key": key,
            "subject": words[act],
            "lines": [words[act]],
            "by": person,
        }
        name = f"{state.id}.ring.{act.value}.{cause}.{digest([pager, key])[:12]}"
        await tx.add_operation(_ring(name, state, said))


def open_alerts(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Return pager and key of every alert that was triggered and not told to be over, oldest first."""
    found: dict[tuple[str, str], None] = {}
    for entry in entries:
        if entry.kind is Kind.PAGED:
            found |= dict.fromkeys(
                (str(pager), str(entry.data["key"])) for pager in entry.data.get("pagers", ())
            )
        elif entry.kind is Kind.UNACKNOWLEDGED:
            found = {}  # What was acknowledged there would not ring again: it was ended in that moment.
    return list(found)


def _ring(name: str, state: Incident, said: dict[str, Any]) -> Operation:
    return Operation(id=name, kind="ring", incident_id=state.id, site=state.site, person="backout", args=said)


async def _where(tx: Transaction, parts: Parts, incident_id: str) -> list[str]:
    """Return the places in which a call can be answered, as a person finds them."""
    found = []
    for platform in ("slack", "discord"):
        room = await tx.room(platform, incident_id)
        if room is not None and room.name:
            found.append(f"{platform.capitalize()} #{room.name}")
    public = parts.settings.web.public_url
    return [*found, f"the console{f' {public}' if public else ''} (channel {incident_id})"]
