"""What a person finds at home: what waits for an answer of theirs, and how the backups of their sites were last."""

from __future__ import annotations

from typing import Any

from bot.model.decision import Decision
from bot.model.event import Kind
from bot.model.person import Person
from bot.ports.store import IncidentRow, Transaction


def may_answer(person: Person, decision: Decision, site: str) -> bool:
    """Return whether a decision waits for this person: permitted, and not voted yet."""
    return person.refusal(decision.permission, site) is None and person.name not in decision.votes


async def backups_of(tx: Transaction, site: str) -> dict[str, Any]:
    """Return what a site's backups were when an incident last looked at them; `at` None where none ever did. Reads only."""
    for row in await tx.incidents(site=site):
        for entry in reversed(await tx.entries(row.id)):
            if entry.kind is Kind.BACKUPS_LISTED:
                return {"site": site, "at": entry.at.isoformat(), **_counted(entry.data.get("backups") or [])}
    return {"site": site, "at": None, "good": 0, "all": 0, "newest": None}


def _counted(backups: list[dict[str, Any]]) -> dict[str, Any]:
    good = [b for b in backups if str(b.get("word", "")).startswith("VERIFIED")]
    best = next((b for b in good if b.get("recommended")), good[0] if good else None)
    return {"good": len(good), "all": len(backups), "newest": best["path"] if best else None}


async def site_of(tx: Transaction, incident_id: str) -> str:
    """Return an incident's site, empty for an unknown one; reads only."""
    row: IncidentRow | None = await tx.incident(incident_id)
    return row.site if row else ""
