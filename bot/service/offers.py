"""What an argument of a command may be, for a platform that completes it while somebody types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.model.command import Completion
from bot.model.event import Kind
from bot.model.person import Person
from bot.ports.store import Transaction
from bot.service.waiting import may_answer, site_of

Offer = tuple[str, str]
"""The value, and how it is shown."""


async def offered(
    tx: Transaction,
    person: Person,
    sites: Sequence[str],
    completion: Completion,
    place: tuple[str, str],
    given: Mapping[str, str],
) -> list[Offer]:
    """Return what somebody may choose from; `place` is platform and channel, `given` what is filled in already. Reads only."""
    if completion is Completion.SITE:
        return [(site, site) for site in sites]
    if completion is Completion.BACKUP:
        site = await _site_at(tx, place)
        meant = [site] if site in sites else sites
        return [offer for name in meant for offer in await _backups(tx, name)]
    if completion is Completion.DECISION:
        return await _questions(tx, person)
    decision = await tx.decision(given.get("decision", ""))
    if decision is None or not may_answer(person, decision, await site_of(tx, decision.incident_id)):
        return []
    return [(choice.key, choice.label) for choice in decision.choices]


async def _site_at(tx: Transaction, place: tuple[str, str]) -> str:
    room = await tx.room_at(*place)
    return await site_of(tx, room.incident_id) if room else ""


async def _backups(tx: Transaction, site: str) -> list[Offer]:
    """Return a site's backups as an incident last listed them, the recommended one first."""
    for row in await tx.incidents(site=site):
        for entry in reversed(await tx.entries(row.id)):
            if entry.kind is Kind.BACKUPS_LISTED:
                listed = sorted(entry.data.get("backups") or [], key=lambda one: not one.get("recommended"))
                return [(one["path"], f"{one.get('word', '?')}: {one['path']}") for one in listed]
    return []


async def _questions(tx: Transaction, person: Person) -> list[Offer]:
    found = [(one, await site_of(tx, one.incident_id)) for one in await tx.decisions()]
    return [(one.id, f"{site}: {one.question}") for one, site in found if may_answer(person, one, site)]
