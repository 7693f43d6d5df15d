"""When the DBA must be called (the runbook's last part), decided upon what is known."""

from __future__ import annotations

from dataclasses import dataclass

from bot.model.incident import Incident


@dataclass(frozen=True, kw_only=True)
class EscalationRule:
    """A rule that fired. `rule` is its short name (each calls at most once an incident), `reason` the sentence told."""

    rule: str
    reason: str


def escalations(incident: Incident, *, size_limit_bytes: int) -> list[EscalationRule]:
    """Return every rule that applies now, in the order of the runbook."""
    found = []
    if incident.restore_failures >= 2:
        found.append(
            EscalationRule(
                rule="restore-failed", reason=f"the restore failed {incident.restore_failures} times"
            )
        )
    rehearsal = incident.rehearsal or {}
    if rehearsal.get("foreign_key_violations"):
        found.append(
            EscalationRule(rule="foreign-keys", reason="foreign keys stand in the way of the restore")
        )
    assessment = incident.assessment or {}
    if assessment.get("corruption"):
        found.append(EscalationRule(rule="corruption", reason="the database file may be damaged"))
    if int(assessment.get("size_bytes") or 0) > size_limit_bytes:
        found.append(
            EscalationRule(rule="large-database", reason="the database is larger than the site's limit")
        )
    if incident.backups_listed and not any(b["word"] == "VERIFIED" for b in incident.backups):
        found.append(EscalationRule(rule="backup-unsure", reason="no backup could be verified"))
    if int(assessment.get("migrations_since_backup") or 0) > 1:
        found.append(
            EscalationRule(rule="several-migrations", reason="more than one migration ran since the backup")
        )
    return found
