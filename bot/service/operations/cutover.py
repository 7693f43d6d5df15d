"""Step 5, the change: production's data become those of the rehearsed copy, in one step or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.laravel.facts import AppFacts
from bot.model.codec import from_json
from bot.model.database import CutoverMade, DatabaseFacts
from bot.model.decision import Choice
from bot.model.errors import FailedError, NotStartedError, ReaderRefusalError, UnknownOutcomeError
from bot.model.event import Kind, NewEntry
from bot.model.incident import Cutover
from bot.model.message import Tone
from bot.model.operation import Operation
from bot.model.person import Permission
from bot.model.plan import Plan
from bot.model.step import Step
from bot.ports.database import Database, Work
from bot.ports.host import HostIdentity, JobState
from bot.ports.store import Transaction
from bot.runbook.escalation import UNDO
from bot.service.desk import Question, state_of
from bot.service.engine import OperationContext
from bot.service.freeze_proof import prove_freeze
from bot.service.jobs import key_of
from bot.service.operations.freeze import broken
from bot.service.operations.missing import MISSING
from bot.service.operations.ways_on import WAY_ON
from bot.service.parts import Parts
from bot.service.site_work import (
    FINGERPRINT_LIMIT,
    SiteWork,
    Telling,
    done_entry,
    failed_entry,
    step_message,
)
from bot.service.together import together

FILE_ENGINE = "sqlite"
"""The engine whose databases are files: it has a journal mode, and no sessions to end."""


@dataclass(frozen=True, kw_only=True)
class Changed:
    """What the one job that changes production answered: `made`, or why it gave no answer.

    `is_blocked`: it waited in vain for a session that holds a table; `why` names it, and nothing was changed (R11).
    """

    made: CutoverMade | None = None
    why: str = ""
    is_blocked: bool = False


async def cut_over(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Carry out the approved plan. *Changes*: production's data, once; what cannot be told is looked up, never repeated."""
    work = SiteWork(ctx, parts)
    plan = await work.once("plan", Plan, lambda: _approved_plan(work), soon=True)
    await work.began(Step.RESTORE, "Proving once more that everything is as the plan says.")
    await ctx.take_site()
    facts, _ = await work.facts_and_folders()
    database = work.database(facts)
    read: DatabaseFacts | None = None
    if await surely_not_sent(work):
        await end_sessions_if_decided(work, database, plan.database)
        host, now = await together(work.identity(), work.ask(database.facts(facts.database.database)))
        read = now
        reason = _mismatch(plan, host, now) or await _refusal(work, plan, facts, database)
        if reason is not None:
            return await _not_begun(work, plan, reason)
    await _record_intent(work, plan)
    change = database.cut_over(
        source=plan.scratch_path,
        live=plan.database,
        source_fingerprint=plan.scratch_fingerprint,
        live_fingerprint=plan.live_fingerprint,
        journal_mode=await work.once(
            "journal", str, lambda: journal_mode(work, database, plan, read), soon=True
        ),
        end_sessions=bool(ctx.args.get("end_sessions")),
    )
    return await _conclude(work, plan, database, await run_change(work, change))


async def look_up(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Find out what became of a cut-over that was cancelled after its intent, and tell it. Reads only."""
    work = SiteWork(ctx, parts)
    plan = await work.once("plan", Plan, lambda: _approved_plan(work))
    database = work.database(await work.app_facts())
    return await _conclude(work, plan, database, Changed(why="it was cancelled"))


async def _conclude(work: SiteWork, plan: Plan, database: Database, changed: Changed) -> dict[str, Any]:
    """Tell by the content of production's database what the cut-over did."""
    why = changed.why
    now = await content_now(work, database, plan.database)
    if now == plan.scratch_fingerprint:
        await work.tell("done", _done(plan, changed.made, now))
        return {"cut_over": True}
    if now == plan.live_fingerprint:
        text = f"Production was NOT changed: {why}. Looked up: its content is as before."
        ask_sessions = changed.is_blocked and database.engine != FILE_ENGINE
        questions = [_sessions_question(work, plan, why)] if ask_sessions else []
        await work.tell("not_done", not_done(text, Cutover.NONE, questions))
        return {"cut_over": False, "why": why}
    await work.tell("unknown", unknown(why, now, plan.live_fingerprint, plan.scratch_fingerprint))
    raise FailedError(
        f"production's database of {work.site_name} is neither as before nor as rehearsed ({why}). The site stays frozen. "
        "The safety backup is whole. Next: call the DBA: /incident escalate; then /incident release and /restore undo"
    )


async def content_now(work: SiteWork, database: Database, path: str) -> str:
    """Return the fingerprint of production's database after a change. *Raises* UnknownOutcomeError while it cannot be read."""
    try:
        return await work.ask(database.fingerprint(path, settle=True), limit=FINGERPRINT_LIMIT)
    except (NotStartedError, FailedError) as error:
        raise UnknownOutcomeError(f"what production holds cannot be read yet: {error}") from error


async def surely_not_sent(work: SiteWork) -> bool:
    """Return whether the job that changes production was never started by this operation, as the host tells."""
    folders = await work.folders()
    status = await work.host.job_status(folders.change_jobs, key_of(work.ctx, "write"))
    return status.state is JobState.NONE


async def end_sessions_if_decided(work: SiteWork, database: Database, live: str) -> None:
    """End the sessions on the live database where a person chose that; the proof of the freeze comes after it.

    *Changes*: those sessions; what they had not committed is rolled back.
    """
    if not work.ctx.args.get("end_sessions"):
        return
    found = await work.ask(database.writers(live, work.settings.app_path))
    sessions = [w.session for w in found if w.session is not None]
    if sessions:
        folders = await work.folders()
        await work.work("sessions", database.end_sessions(live, sessions), root=folders.change_jobs)


async def _record_intent(work: SiteWork, plan: Plan) -> None:
    """Record that production is about to be changed, if the approved plan is the present one in that very moment."""

    async def nothing() -> None:
        return None

    async def record(tx: Transaction, _: None) -> None:
        state = await state_of(tx, work.incident_id)
        if (
            (state.plan or {}).get("plan_hash") != plan.hash
            or state.plan_void is not None
            or not state.frozen
        ):
            raise FailedError(
                "the plan or the freeze changed meanwhile. Production was not changed. Next: /restore plan"
            )
        await work.record(tx, _intent(plan))

    await work.ctx.step("cutover.begun", nothing, record)


async def run_change(work: SiteWork, change: Work[CutoverMade]) -> Changed:
    """Run the one job that changes production's data, and return its answer, or why there is none."""
    folders = await work.folders()
    try:
        return Changed(made=await work.work("write", change, root=folders.change_jobs))
    except UnknownOutcomeError:
        raise
    except (
        FailedError,
        NotStartedError,
    ) as error:  # whatever it says: the content of the database is looked at next
        blocked = isinstance(error, ReaderRefusalError) and error.kind == "busy"
        said = error.reason if isinstance(error, ReaderRefusalError) else str(error)
        return Changed(why=said.rstrip("."), is_blocked=blocked)


async def journal_mode(
    work: SiteWork, database: Database, plan: Plan, read: DatabaseFacts | None = None
) -> str:
    """Return the journal mode that production's file is to keep, '' where the engine has none; reads only.

    `read`: what this operation has read of the same file, None where it did not read it.
    """
    if database.engine != FILE_ENGINE:
        return ""
    if read is None or read.path != plan.database:
        read = await work.ask(database.facts(plan.database))
    return read.journal_mode


async def _approved_plan(work: SiteWork) -> Plan:
    incident = await work.incident()
    plan = from_json(Plan, incident.plan)
    if plan.hash != work.ctx.args.get("plan_hash") or incident.plan_void is not None:
        raise FailedError(
            "the approved plan is not the present one. Production was not changed. Next: /restore plan"
        )
    if len(set(incident.approvals)) < plan.approvals_needed:
        raise FailedError(
            "the plan does not have the approvals it needs. Production was not changed. Next: /restore plan"
        )
    return plan


def _mismatch(plan: Plan, host: HostIdentity, live: DatabaseFacts) -> str | None:
    """Return what is not the host or the database that the plan was made for, or None."""
    for name, now, then in (
        ("the host", host.address, plan.host),
        ("the host key", host.host_key, plan.host_key),
        ("the application's database", live.path, plan.database),
        ("the database's identity", live.identity, plan.database_identity),
        ("the engine", f"{live.engine} {live.version}", f"{plan.engine} {plan.engine_version}"),
    ):
        if now != then:
            return f"{name} is {now}, and the plan was made for {then}"
    return None


async def _refusal(work: SiteWork, plan: Plan, facts: AppFacts, database: Database) -> str | None:
    """Return why the cut-over must not begin, or None. Everything the plan stands on is read from the host again."""
    proof = await prove_freeze(work, facts, database)
    if not proof.proven:
        await work.tell("broken", broken(proof))
        return f"the freeze does not hold: {'; '.join(proof.why)}"
    for name, path, expected in (
        ("the safety backup", plan.safety_path, plan.live_fingerprint),
        ("the rehearsed copy", plan.scratch_path, plan.scratch_fingerprint),
    ):
        if await work.ask(database.fingerprint(path), limit=FINGERPRINT_LIMIT) != expected:
            return f"{name} ({path}) is not what the plan was made with"
    if await work.ask(database.fingerprint(plan.database), limit=FINGERPRINT_LIMIT) != plan.live_fingerprint:
        return "CHANGED: the live database changed since the safety backup"
    return None


async def _not_begun(work: SiteWork, plan: Plan, reason: str) -> dict[str, Any]:
    text = f"The cut-over was not begun: {reason}. Nothing was changed."
    entries = [
        NewEntry(kind=Kind.CUTOVER_NOT_DONE, text=text, data={"before": Cutover.NONE.value}),
        NewEntry(kind=Kind.PLAN_VOID, text=f"{reason}.", data={"plan_hash": plan.hash}),
        failed_entry(Step.RESTORE, text),
    ]
    again = reason.startswith("CHANGED")
    hint = " A new safety backup is being taken; then make a new plan." if again else ""
    is_frozen = (await work.incident()).frozen
    steps = ("/app freeze", "/restore plan") if not is_frozen else ("/restore plan", "/app status")
    message = step_message(Step.RESTORE, text + hint, Tone.BAD, next_steps=steps)

    async def nothing() -> None:
        return None

    async def record(tx: Transaction, _: None) -> None:
        await work.record(tx, Telling(entries=entries, messages=[message]))
        if again:
            await tx.add_operation(_new_safety(work))

    await work.ctx.step("not_begun", nothing, record)
    return {"cut_over": False, "why": reason}


def _new_safety(work: SiteWork) -> Operation:
    return Operation(
        id=f"{work.operation.id}.safety",
        kind="safety",
        incident_id=work.incident_id,
        site=work.site_name,
        person=work.person,
    )


def _intent(plan: Plan) -> Telling:
    text = f"About to write {plan.scratch_path} into {plan.database} on {plan.host}."
    return Telling(
        entries=[NewEntry(kind=Kind.CUTOVER_INTENT, text=text, data={"plan_hash": plan.hash})],
        messages=[step_message(Step.RESTORE, "Cutting over.", Tone.WORKING)],
    )


def _done(plan: Plan, made: CutoverMade | None, now: str) -> Telling:
    took = f" in {made.duration_s:.2f} s, its checks included" if made else ""
    notes = made.notes if made else ()
    text = f"Restored{took}: production now holds exactly the rehearsed copy. To go back: /restore undo"
    data = {
        "plan_hash": plan.hash,
        "strategy": plan.strategy,
        "duration_s": made.duration_s if made else None,
        "fingerprint": now,
        "scratch_path": plan.scratch_path,
        "safety_path": plan.safety_path,
        "code_commit": plan.code_commit,
        "notes": list(notes),
    }
    aligned = (
        f"{plan.bad_migration} is no longer recorded as run. Nothing had to be rolled back on production."
    )
    return Telling(
        entries=[
            NewEntry(kind=Kind.CUTOVER_DONE, text=text, data=data),
            done_entry(Step.RESTORE, text),
            NewEntry(kind=Kind.ALIGNED, text=aligned, data={"how": plan.strategy, "reason": aligned}),
            done_entry(Step.ALIGN, aligned),
        ],
        messages=[
            step_message(
                Step.RESTORE,
                text,
                Tone.GOOD,
                facts=(
                    ("strategy", plan.strategy),
                    ("backup", plan.backup_path),
                    ("to go back", "/restore undo"),
                    *(("note", note) for note in notes),
                ),
                next_steps=("/app deploy", "/restore undo"),
            ),
            step_message(Step.ALIGN, aligned, Tone.GOOD),
        ],
        void=["cutover", "sessions", "estimate", "missing:*", MISSING, WAY_ON],
        void_reason="The cut-over has taken place.",
    )


def _sessions_question(work: SiteWork, plan: Plan, why: str) -> Question:
    """Return the question whether the sessions that stand in the way are to be ended, and the same plan carried out."""
    return Question(
        purpose="sessions",
        question=f"End the sessions that stand in the way, and cut over {work.site_name}?",
        body=f"{why}. Only sessions of the application's own user can be ended; what they had not committed is rolled back. "
        "Everything the plan stands on is proven again first. Type the site's name to approve.",
        choices=(
            Choice(
                key="end",
                label="End them and cut over",
                style="danger",
                typed=work.site_name,
                starts="cutover",
                args={"plan_hash": plan.hash, "end_sessions": True},
            ),
            Choice(
                key="again",
                label="They are gone: try again",
                typed=work.site_name,
                starts="cutover",
                args={"plan_hash": plan.hash},
            ),
            Choice(key="wait", label="Not now", rejects=True),
        ),
        permission=Permission.APPROVE,
        step=Step.RESTORE,
        votes_needed=plan.approvals_needed,
        plan_hash=plan.hash,
        expires_in=timedelta(seconds=work.settings.intervals.approval_expiry),
        tone=Tone.BAD,
    )


def not_done(text: str, before: Cutover, questions: Sequence[Question] = ()) -> Telling:
    """Return what is told when a change was looked up and had not taken place."""
    entry = NewEntry(kind=Kind.CUTOVER_NOT_DONE, text=text, data={"before": before.value})
    # The approval was used up by this change: the same plan cannot be confirmed a second time.
    again = "/restore plan" if before is Cutover.NONE else "/restore undo"
    undo = {} if before is Cutover.NONE else {"cause": UNDO}
    return Telling(
        entries=[entry, failed_entry(Step.RESTORE, text, **undo)],
        messages=[step_message(Step.RESTORE, text, Tone.BAD, next_steps=(again,))],
        questions=questions,
    )


def unknown(why: str, now: str, before: str, after: str) -> Telling:
    """Return what is told when production is neither as before nor as planned."""
    text = (
        f"Production's content is {now[:12]}, neither as before ({before[:12]}) nor as planned ({after[:12]}): {why}. "
        "The site stays frozen. Call the DBA."
    )
    entry = NewEntry(kind=Kind.CUTOVER_UNKNOWN, text=text, data={"fingerprint": now})
    return Telling(
        entries=[entry],
        messages=[step_message(Step.RESTORE, text, Tone.BAD, next_steps=("/incident escalate",))],
    )
