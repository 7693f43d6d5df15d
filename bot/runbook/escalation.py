"""When the DBA must be called (the runbook's last part), decided upon what is known."""

from __future__ import annotations

from dataclasses import dataclass

from bot.model.event import Kind, NewEntry
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


def new_escalations(incident: Incident, *, size_limit_bytes: int) -> list[NewEntry]:
    """Return an entry for the rules that apply now and were not told before in this incident; empty when there is none."""
    told = list((incident.escalation or {}).get("rules", ()))
    fired = [
        rule for rule in escalations(incident, size_limit_bytes=size_limit_bytes) if rule.rule not in told
    ]
    if not fired or not incident.open:
        return []
    reasons = "; ".join(rule.reason for rule in fired)
    data = {"reason": reasons, "rule": fired[0].rule, "rules": [*told, *(rule.rule for rule in fired)]}
    return [NewEntry(kind=Kind.ESCALATED, text=f"The DBA is needed: {reasons}.", data=data)]
