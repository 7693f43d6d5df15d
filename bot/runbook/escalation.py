"""When the DBA must be called (the runbook's last part), decided upon what is known."""

from __future__ import annotations

from dataclasses import dataclass

from bot.model.event import Kind, NewEntry
from bot.model.incident import Incident

DAMAGED, FOREIGN_KEYS, UNDO = "damaged", "foreign_keys", "undo"
"""Causes of a failure, as the timeline names them, that are the DBA's business at the first time."""

ROLLBACK = "rollback"
"""Cause of a failure that has its own way on: a recovery without a rollback."""


@dataclass(frozen=True, kw_only=True)
class EscalationRule:
    """A rule that fired. `rule` is its short name (each calls at most once an incident), `reason` the sentence told."""

    rule: str
    reason: str


def escalations(incident: Incident, *, size_limit_bytes: int) -> list[EscalationRule]:
    """Return every rule that applies now, in the order of the runbook; that an undo failed is a rule of our own."""
    found = (
        ("restore-failed", _restore_failed(incident)),
        ("foreign-keys", _foreign_keys(incident)),
        ("corruption", _corruption(incident)),
        ("large-database", _large_database(incident, size_limit_bytes)),
        ("backup-unsure", _backup_unsure(incident)),
        ("several-migrations", _several_migrations(incident)),
        ("undo-failed", "the undo of the cut-over failed" if UNDO in incident.causes else None),
    )
    return [EscalationRule(rule=rule, reason=reason) for rule, reason in found if reason is not None]


def _restore_failed(incident: Incident) -> str | None:
    failures = incident.restore_failures
    return f"the restore failed {failures} times" if failures > 1 else None


def _foreign_keys(incident: Incident) -> str | None:
    rehearsal = incident.rehearsal or {}
    # Rows without a parent that the backup has too are no obstacle: such a rehearsal is proven.
    in_the_way = rehearsal.get("foreign_key_violations") and not rehearsal.get("proven")
    said = in_the_way or FOREIGN_KEYS in incident.causes
    return "foreign keys stand in the way of the restore" if said else None


def _corruption(incident: Incident) -> str | None:
    if "unknown content" in incident.causes:
        return "what production's database holds is neither what it was nor what was planned"
    return "a database or a backup may be damaged" if DAMAGED in incident.causes else None


def _large_database(incident: Incident, limit_bytes: int) -> str | None:
    """A large database that needs no restoring is nobody's emergency."""
    assessment = incident.assessment or {}
    if (assessment.get("loss") or {}).get("verdict") == "none":
        return None
    is_large = int(assessment.get("size_bytes") or 0) > limit_bytes
    return "the database is larger than the site's limit" if is_large else None


def _backup_unsure(incident: Incident) -> str | None:
    unsure = incident.backups_listed and not any(b["word"] == "VERIFIED" for b in incident.backups)
    return "no backup could be verified" if unsure else None


def _several_migrations(incident: Incident) -> str | None:
    several = int((incident.assessment or {}).get("migrations_since_backup") or 0) > 1
    return "more than one migration ran since the backup" if several else None


def new_escalations(incident: Incident, *, size_limit_bytes: int) -> list[NewEntry]:
    """Return an entry for the rules that apply now and were not told before in this incident; empty when there is none."""
    told = list((incident.escalation or {}).get("rules", ()))
    fired = [
        rule for rule in escalations(incident, size_limit_bytes=size_limit_bytes) if rule.rule not in told
    ]
    # A timeline that was never opened as an incident is a site's logbook: what is found there wakes nobody by this way.
    if not fired or not incident.open or incident.opened_at is None:
        return []
    reasons = "; ".join(rule.reason for rule in fired)
    data = {"reason": reasons, "rule": fired[0].rule, "rules": [*told, *(rule.rule for rule in fired)]}
    return [NewEntry(kind=Kind.ESCALATED, text=f"The DBA is needed: {reasons}.", data=data)]
