"""What is told of a corrected commit: what it is, how its rehearsal on a copy went, and the question whether to deploy it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bot.laravel import git
from bot.laravel.facts import MigrationFile
from bot.model.codec import to_json
from bot.model.database import Loss
from bot.model.decision import Choice
from bot.model.event import Kind, NewEntry
from bot.model.message import Message, Tone
from bot.model.person import Permission
from bot.model.site_check import JudgedCheck
from bot.model.step import Step
from bot.runbook.wording import check_table, duration_words, findings_table
from bot.service.desk import Question
from bot.service.operations.ways_on import ask_without_correction
from bot.service.site_work import SiteWork, Telling, failed_entry, step_message


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A commit that may be deployed, and what it changes against the deployed one; `incoming` are the commits it brings."""

    deployed: str
    commit: git.CommitNote
    changes: tuple[git.FileChange, ...]
    incoming: tuple[git.CommitNote, ...] = ()

    @property
    def migrations(self) -> tuple[str, ...]:
        """Return the paths of the migration files it adds or changes."""
        return tuple(c.path for c in git.migration_changes(self.changes) if c.status != "D")


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A commit's migrations on a copy: what stands against it (empty: nothing), tables that shrank, what ran, and what
    the loss table and the site's own checks say afterwards. `duration_s` is the time of the migrations alone; None: they
    did not run."""

    reasons: tuple[str, ...]
    shrunk: dict[str, list[int]] = field(default_factory=dict)
    approved: tuple[MigrationFile, ...] = ()
    loss: Loss | None = None
    checks: tuple[JudgedCheck, ...] = ()
    duration_s: float | None = None


def rehearsed(work: SiteWork, offer: Offer, findings: list[dict[str, Any]], tried: Tried) -> Telling:
    """Return what is told of a commit after its rehearsal: what stands against it, or the question whether to deploy it."""
    commit = offer.commit.commit
    data = {
        "commit": commit,
        "passed": not tried.reasons,
        "reasons": list(tried.reasons),
        "shrunk": tried.shrunk,
        "checks": [to_json(one) for one in tried.checks],
        "approved": [[f.name, f.sha256] for f in tried.approved],
        "deployed": offer.deployed,
        "duration_s": tried.duration_s,
    }
    table, checks = findings_table(findings), _checks_shown(tried.checks)
    if tried.reasons:
        text = f"Stopped by the rehearsal: commit {commit[:12]} would do harm. {'; '.join(tried.reasons)}. Production was not changed."
        message = step_message(
            Step.DEPLOY, text, Tone.BAD, table=table, next_steps=("/app deploy <another commit>",)
        )
        entries = [
            NewEntry(kind=Kind.CORRECTED_REHEARSED, text=text, data=data),
            failed_entry(Step.DEPLOY, text),
        ]
        return Telling(
            entries=entries,
            messages=[message, *checks],
            questions=[ask_without_correction(text, work.ctx.args)],
            void=["deploy"],
            void_reason="Another commit was rehearsed.",
        )
    loss = tried.loss
    moved = (
        f"{loss.values_moved:,} values move to their new place"
        if loss and loss.values_moved
        else "nothing is lost"
    )
    asked = f", all {len(tried.checks)} of the site's own checks are good" if tried.checks else ""
    text = f"Rehearsed: commit {commit[:12]} runs whole on the copy, no table shrinks, {moved}{asked}.{_estimate(tried)}"
    message = step_message(Step.DEPLOY, text, Tone.WARNING, table=table)
    return Telling(
        entries=[NewEntry(kind=Kind.CORRECTED_REHEARSED, text=text, data=data)],
        messages=[message, *checks],
        questions=[_approve(work, offer, list(tried.approved), f"{text}{_stops(findings)}")],
        void=["propose"],
        void_reason="A corrected commit was rehearsed, and may be deployed.",
    )


def _estimate(tried: Tried) -> str:
    """Return how long the migrations will take on production: the copy has all of its rows, and lies on the same host."""
    if tried.duration_s is None:
        return ""
    took = duration_words(tried.duration_s) if tried.duration_s >= 1 else "less than a second"
    return f" The migration took {took} there, with all rows of production: expect about {took} on production too."


def _stops(findings: Sequence[Mapping[str, Any]]) -> str:
    """Return what the review says must be mended, for the one who approves; a rehearsal that went well does not undo it."""
    stops = [
        f"{one['file']}:{one['line']}: {one['message']}" for one in findings if one["severity"] == "stop"
    ]
    return f" BUT the review says that this must be mended first: {'; '.join(stops)}." if stops else ""


def _checks_shown(checks: tuple[JudgedCheck, ...]) -> list[Message]:
    """Return the message with the site's own checks before and after the migration on the copy; none where it has none."""
    if not checks:
        return []
    bad = sum(not one.passed for one in checks)
    return [
        Message(
            slot="checks-rehearsed",
            title="The site's own checks on the copy, before and after the corrected migration",
            tone=Tone.BAD if bad else Tone.GOOD,
            step=int(Step.DEPLOY),
            body=f"{bad} of {len(checks)} are not good after it."
            if bad
            else f"All {len(checks)} are good after it.",
            table=check_table(checks, before="before it", after="after it"),
        )
    ]


def _approve(work: SiteWork, offer: Offer, approved: list[MigrationFile], text: str) -> Question:
    names = ", ".join(f.name for f in approved)
    return Question(
        purpose="deploy",
        question=f"Deploy {offer.commit.commit[:12]} and run its migration on {work.site_name}?",
        body=f"{text} It checks out that commit and runs {names}, nothing else. It can be undone together with the cut-over.",
        choices=(
            Choice(
                key="approve",
                label="Deploy and migrate",
                style="danger",
                starts="deploy",
                args={
                    "commit": offer.commit.commit,
                    "deployed": offer.deployed,
                    "approved": [[f.name, f.sha256] for f in approved],
                },
            ),
            Choice(key="reject", label="No", rejects=True),
        ),
        permission=Permission.APPROVE,
        step=Step.DEPLOY,
        expires_in=timedelta(seconds=work.settings.intervals.approval_expiry),
    )
