"""Whether a deployment may migrate now: what was found is weighed here, and told in one line."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.runbook.wording import capitalised, duration_words


class GateOutcome(enum.StrEnum):
    """What the gate says; its exit statuses are 0, 1 and 2."""

    PASS = "pass"  # noqa: S105 - the word, no secret
    REFUSED = "refused"
    UNKNOWN = "unknown"

    @property
    def exit_status(self) -> int:
        """Return the status with which the command ends."""
        return list(GateOutcome).index(self)


ACCEPTABLE = ("review", "loss", "down")
"""What a person may take upon themselves: a finding of the review, what a migration loses, a way back that is none."""

HEADS = {GateOutcome.PASS: "PASS", GateOutcome.REFUSED: "REFUSED", GateOutcome.UNKNOWN: "COULD NOT TELL"}


@dataclass(frozen=True, kw_only=True)
class Objection:
    """Something against migrating. `about` is one of ACCEPTABLE, or `backup`, `migrations`, `live`: these are never accepted."""

    about: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """How the pending migrations went on a copy: up, down, up again. Seconds are those of the migrations alone.

    `loss` is the loss table as data; `against` what was found, None of it where everything is well. `warnings` are for
    a person to read.
    """

    up_s: float | None = None
    down_s: float | None = None
    again_s: float | None = None
    loss: Mapping[str, Any] | None = None
    against: tuple[Objection, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """What the gate found. `why` is the one line; `accepted` is what would have been refused and a person took upon themselves."""

    site: str
    outcome: GateOutcome
    why: str
    pending: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    backup: Mapping[str, Any] | None = None
    findings: tuple[Mapping[str, Any], ...] = ()
    rehearsal: Mapping[str, Any] | None = field(default=None)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "site": self.site,
            "outcome": self.outcome.value,
            "exit_status": self.outcome.exit_status,
            "why": self.why,
            "pending": list(self.pending),
            "refusals": list(self.refusals),
            "accepted": list(self.accepted),
            "warnings": list(self.warnings),
            "backup": self.backup,
            "findings": [dict(f) for f in self.findings],
            "rehearsal": self.rehearsal,
        }


def gate_result(
    *,
    site: str,
    pending: Sequence[str],
    backup: Mapping[str, Any] | None,
    findings: Sequence[Mapping[str, Any]],
    against: Sequence[Objection],
    rehearsed: Rehearsed | None,
    accept: Sequence[str] = (),
) -> GateResult:
    """Return the gate's word on pending migrations. `backup` has file, age_s; `against` is what stood against before a rehearsal."""
    objections = [*against, *review_objections(findings), *(rehearsed.against if rehearsed else ())]
    accepted = [o for o in objections if o.about in accept and o.about in ACCEPTABLE]
    refused = [o for o in objections if o not in accepted]
    warnings = [*review_warnings(findings), *(rehearsed.warnings if rehearsed else ())]
    outcome = GateOutcome.REFUSED if refused else GateOutcome.PASS
    said = _refused_words(refused) if refused else _passed_words(pending, backup, rehearsed)
    notes = [f"accepted by hand: {'; '.join(o.text for o in accepted)}"] if accepted else []
    notes += (
        [f"{len(warnings)} warning{'s' if len(warnings) > 1 else ''}"] if warnings and not refused else []
    )
    return GateResult(
        site=site,
        outcome=outcome,
        why=_line(site, outcome, ". ".join([said, *map(capitalised, notes)])),
        pending=tuple(pending),
        refusals=tuple(o.text for o in refused),
        accepted=tuple(o.text for o in accepted),
        warnings=tuple(warnings),
        backup=backup,
        findings=tuple(findings),
        rehearsal=rehearsal_data(rehearsed),
    )


def nothing_pending(site: str) -> GateResult:
    """Return the word on a deployment without migrations: nothing to guard."""
    return GateResult(
        site=site,
        outcome=GateOutcome.PASS,
        why=_line(site, GateOutcome.PASS, "no migration is pending"),
    )


def not_told(site: str, reason: str) -> GateResult:
    """Return that it could not be found out, and why."""
    text = " ".join(reason.split()).rstrip(".")
    return GateResult(
        site=site, outcome=GateOutcome.UNKNOWN, why=_line(site, GateOutcome.UNKNOWN, text), refusals=(text,)
    )


def refused_before(site: str, reason: str) -> GateResult:
    """Return a refusal for which nothing had to be asked of the host."""
    return GateResult(
        site=site,
        outcome=GateOutcome.REFUSED,
        why=_line(site, GateOutcome.REFUSED, reason),
        refusals=(reason,),
    )


def review_objections(findings: Sequence[Mapping[str, Any]]) -> list[Objection]:
    """Return what the review stops at."""
    return [Objection(about="review", text=_finding(f)) for f in findings if f["severity"] == "stop"]


def review_warnings(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what the review wants a person to read."""
    return [_finding(f) for f in findings if f["severity"] == "warn"]


def backup_objection(
    age_s: float | None, limit_s: float, bad: Sequence[Mapping[str, Any]]
) -> Objection | None:
    """Return why the newest VERIFIED backup is not enough, None where it is. `age_s` None: there is none within the limit.

    `bad` are the newer files that are no use, newest first.
    """
    if age_s is not None and age_s <= limit_s:
        return None
    newest = (
        f"; the newest, {bad[0]['path']}, is {bad[0]['word']}: {'; '.join(bad[0]['reasons'])}" if bad else ""
    )
    return Objection(
        about="backup",
        text=f"there is no VERIFIED backup from the last {duration_words(limit_s)}{newest}",
    )


def rehearsal_data(rehearsed: Rehearsed | None) -> dict[str, Any] | None:
    """Return a rehearsal as JSON data, None where there was none."""
    if rehearsed is None:
        return None
    return {
        "passed": not rehearsed.against,
        "against": [{"about": o.about, "text": o.text} for o in rehearsed.against],
        "up_s": rehearsed.up_s,
        "down_s": rehearsed.down_s,
        "again_s": rehearsed.again_s,
        "loss": rehearsed.loss,
        "warnings": list(rehearsed.warnings),
    }


def _finding(finding: Mapping[str, Any]) -> str:
    return f"{finding['file']}:{finding['line']}: {finding['message']}"


def _refused_words(refused: Sequence[Objection]) -> str:
    more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    return f"{refused[0].text}{more}. Nothing was changed"


def _passed_words(
    pending: Sequence[str], backup: Mapping[str, Any] | None, rehearsed: Rehearsed | None
) -> str:
    what = pending[0] if len(pending) == 1 else f"{len(pending)} migrations"
    parts = []
    if rehearsed is not None:
        spent = sum(s for s in (rehearsed.up_s, rehearsed.down_s, rehearsed.again_s) if s is not None)
        parts.append(f"{what}: up, down and up again on a copy, {duration_words(spent)}")
    if backup is not None:
        parts.append(f"backup {backup['file']} VERIFIED, {duration_words(float(backup['age_s']))} old")
    return "; ".join(parts)


def _line(site: str, outcome: GateOutcome, text: str) -> str:
    return f"{HEADS[outcome]} {site}: {' '.join(text.split())}"
