"""What planning tells and asks: rows that are gone, an estimate, the plan with its account, and the approval."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from bot.model.codec import to_json
from bot.model.database import Proof, TableLoss
from bot.model.decision import Choice
from bot.model.event import Kind, NewEntry
from bot.model.incident import Incident
from bot.model.message import Table, Tone
from bot.model.person import Permission
from bot.model.plan import Plan
from bot.model.step import Step
from bot.runbook.escalation import FOREIGN_KEYS, ROLLBACK
from bot.runbook.missing import window_words
from bot.runbook.wording import bytes_words, duration_words, proof_facts
from bot.service.approvers import too_few_words
from bot.service.desk import Question
from bot.service.operations.ground import Ground, Rehearsed
from bot.service.operations.reentering import list_words
from bot.service.operations.ways_on import WAY_ON, ask_way_on
from bot.service.site_work import SiteWork, Telling, failed_entry, step_message

PASSES = 8
"""How often a rehearsal goes through the whole database: copy, image, repair and proof, and the fingerprints between."""


def ask_tables(tables: list[TableLoss], again: dict[str, Any]) -> Telling:
    """Return the questions who deleted the rows that are gone, one for each table."""
    names = ", ".join(t.table for t in tables)
    message = step_message(
        Step.RESTORE,
        f"Rows of the backup are gone from {names}. Who deleted them: the migration, or people? Answer below; then the rehearsal goes on.",
        Tone.WARNING,
    )
    return Telling(messages=[message], questions=[_table_question(t, again) for t in tables])


def _table_question(table: TableLoss, args: dict[str, Any]) -> Question:
    by_migration = table.missing_suspect == "migration"
    restore = Choice(
        key="restore",
        label="The migration did: bring them back",
        style="primary" if by_migration else "default",
        starts="plan",
        args=args,
    )
    leave = Choice(
        key="leave",
        label="People did: leave them deleted",
        style="default" if by_migration else "primary",
        starts="plan",
        args=args,
    )
    share = 100 * table.missing / max(1, table.rows_before)
    share_words = f"{share:.0f}" if share >= 10 else f"{share:.2g}"
    advice = (
        "So many at once points to the migration."
        if by_migration
        else "So few points to people who deleted them on purpose."
    )
    keys = ", ".join(str(key) for key in table.missing_keys[:10])
    return Question(
        purpose=f"missing:{table.table}",
        question=f"{table.missing:,} rows of {table.table} are gone. Who deleted them?",
        body=f"{table.missing:,} of {table.rows_before:,} rows of the backup ({share_words} %) are not in the live database. {advice}",
        choices=(restore, leave),
        step=Step.RESTORE,
        facts=(("first keys", keys),) if keys else (),
    )


def planned(
    work: SiteWork,
    ground: Ground,
    rehearsed: Rehearsed,
    proposed: Plan,
    checks: Mapping[str, Mapping[str, int | None]],
) -> Telling:
    """Return what a rehearsal tells: the plan, its account, and the question whether to carry it out.

    `checks` are what the site's own checks give of live as it was found and of the backup, for step 8.
    """
    proof = rehearsed.proof
    window = window_words(ground.incident, ground.backup)
    totals = {k: v for k, v in to_json(proof).items() if k not in ("proven", "reasons", "details")}
    totals["values_lost"] += sum(rehearsed.unmapped.values())
    plan_data = {**to_json(proposed), "plan_hash": proposed.hash, "decisions": dict(proposed.table_decisions)}
    rehearsal = {
        "plan_hash": proposed.hash,
        "proven": proof.proven,
        "totals": totals,
        "reasons": list(proof.reasons),
        "notes": list(rehearsed.notes),
        "details": proof.details,
        "checks": checks,
        "lists": list(rehearsed.lists),
        "window": window,
        "orphans": dict(rehearsed.orphans),
        "foreign_key_violations": proof.details.get("foreign_key_violations") or None,
    }
    entries = [
        NewEntry(
            kind=Kind.PLAN_MADE, text=f"Plan {proposed.hash[:12]}: {rehearsed.strategy}", data=plan_data
        ),
        NewEntry(kind=Kind.REHEARSED, text=_outcome(proof), data=rehearsal),
    ]
    if not proof.proven:
        text = f"The rehearsal is NOT proven: {'; '.join(proof.reasons)}. Production was not changed."
        message = step_message(
            Step.RESTORE,
            text,
            Tone.BAD,
            facts=proof_facts(proof),
            next_steps=("/restore plan --salvage", "/restore plan --swap", "/incident escalate"),
        )
        cause = FOREIGN_KEYS if rehearsal["foreign_key_violations"] else "unproven"
        return Telling(
            entries=[*entries, failed_entry(Step.RESTORE, text)],
            messages=[message],
            questions=[ask_way_on(cause, text, ground.incident, work.ctx.args)],
        )
    message = step_message(
        Step.RESTORE,
        f"{_outcome(proof)}\nWhat was rehearsed on the copy is what goes live.",
        Tone.WARNING,
        facts=(
            ("strategy", str(rehearsed.strategy)),
            ("backup", ground.backup["path"]),
            ("plan", proposed.hash[:12]),
            *proof_facts(proof),
            *(("note", note) for note in rehearsed.notes),
            *((("in no backup", window),) if window else ()),
            *(("to re-enter by hand", list_words(one)) for one in rehearsed.lists),
        ),
        table=_sizes(ground),
        next_steps=(f"/restore confirm {work.site_name}",),
    )
    return Telling(
        entries=entries,
        messages=[message],
        questions=[_approve(work, rehearsed, proposed)],
        void=["cutover", WAY_ON],
        void_reason="A newer plan took its place.",
    )


def _outcome(proof: Proof) -> str:
    lost = proof.rows_lost + proof.values_lost
    first = f"{lost:,} rows or values are lost" if lost else "nothing is lost"
    unaccounted = f" {proof.unaccounted:,} are not accounted for." if proof.unaccounted else ""
    return (
        f"Rehearsed on a copy: {first}. {proof.rows_restored:,} rows and {proof.values_restored:,} values come back, "
        f"{proof.values_mapped:,} values written since keep their place, {proof.rows_kept:,} rows stay as they are.{unaccounted}"
    )


def _sizes(ground: Ground) -> Table:
    words = {"restore": "brought back", "leave": "left deleted"}
    aside = {ground.facts.migrations_table, *ground.runtime_tables}
    rows = tuple(
        (
            t.table,
            f"{t.rows_before:,}",
            f"{t.rows_after:,}",
            words.get(ground.incident.table_decisions.get(t.table, ""), ""),
        )
        for t in ground.loss.tables
        if t.status == "both" and (t.missing or t.new) and t.table not in aside
    )
    return Table(columns=("table", "rows in backup", "rows now", "deleted rows"), rows=rows, numeric=(1, 2))


def _approve(work: SiteWork, rehearsed: Rehearsed, proposed: Plan) -> Question:
    lost = rehearsed.rows_lost_by_choice
    second = " A second person must approve too." if proposed.approvals_needed > 1 else ""
    second += too_few_words(work.parts, work.site_name, proposed.approvals_needed)
    loses = (
        f" **{lost:,} newer rows go away** (they stay in the safety backup)."
        if lost
        else " Nothing written since is lost."
    )
    return Question(
        purpose="cutover",
        question=f"Replace the data of {work.site_name} with the rehearsed copy?",
        body=f"Production's data are replaced in one step; it can be undone.{loses}{second} Type the site's name to approve.",
        choices=(
            Choice(
                key="approve",
                label="Approve and cut over",
                style="danger",
                typed=work.site_name,
                starts="cutover",
                args={"plan_hash": proposed.hash},
            ),
            Choice(key="reject", label="No", rejects=True),
        ),
        permission=Permission.APPROVE,
        step=Step.RESTORE,
        votes_needed=proposed.approvals_needed,
        plan_hash=proposed.hash,
        expires_in=timedelta(seconds=work.settings.intervals.approval_expiry),
        facts=(
            ("plan", proposed.hash[:12]),
            ("from", proposed.scratch_path),
            ("into", f"{proposed.database} on {proposed.host}"),
        ),
    )


def no_repair(reason: str, incident: Incident, args: Mapping[str, Any]) -> Telling:
    """Return what is told where the bad migration cannot be rolled back, not even on a copy."""
    text = f"Repair is not possible: {reason}. Production was not changed."
    message = step_message(
        Step.RESTORE,
        text,
        Tone.WARNING,
        next_steps=("/restore plan --salvage", "/restore plan --swap", "/incident escalate"),
    )
    return Telling(
        entries=[failed_entry(Step.RESTORE, text, cause="not possible")],
        messages=[message],
        questions=[ask_way_on(ROLLBACK, text, incident, args)],
    )


def estimate(work: SiteWork, size_bytes: int, copied_in_s: float | None, again: dict[str, Any]) -> Telling:
    """Return what is told of a database over the site's limit before its recovery is rehearsed: about how long it takes.

    `copied_in_s` is how long the safety backup took, None where that is not known; the whole database is read or written
    about as often as PASSES says.
    """
    size = f"The database has {bytes_words(size_bytes)}, over the site's limit of {bytes_words(work.settings.size_limit_bytes)}."
    took = "How long a rehearsal takes is not known."
    if copied_in_s:
        rate = size_bytes / copied_in_s
        took = (
            f"The safety backup ran at {bytes_words(int(rate))}/s; a rehearsal reads or writes it all about {PASSES} times: "
            f"about {duration_words(PASSES * copied_in_s)}. Visitors see the maintenance page meanwhile."
        )
    text = f"{size} {took} The DBA was called."
    choices = (
        Choice(
            key="go_on",
            label="Rehearse it now",
            style="primary",
            starts="plan",
            args={**again, "estimate_seen": True},
        ),
        Choice(key="wait", label="Wait for the DBA", rejects=True),
    )
    question = Question(
        purpose="estimate",
        question="Rehearse the recovery of this large database now?",
        body=text,
        choices=choices,
        step=Step.RESTORE,
        tone=Tone.WARNING,
    )
    note = NewEntry(kind=Kind.NOTE, text=text, data={"size_bytes": size_bytes})
    return Telling(
        entries=[note], messages=[step_message(Step.RESTORE, text, Tone.WARNING)], questions=[question]
    )
