"""Undo: the database and the code as they were before the cut-over, from the safety backup."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bot.laravel.facts import AppFacts
from bot.laravel.git import checkout_command, checkout_refusal, parse_work_tree, work_tree_command
from bot.model.codec import from_json
from bot.model.database import Loss
from bot.model.decision import Choice
from bot.model.errors import FailedError
from bot.model.event import Kind, NewEntry
from bot.model.incident import Cutover, Incident
from bot.model.message import Tone
from bot.model.person import Permission
from bot.model.plan import Plan
from bot.model.reentry import REENTER
from bot.model.step import Step
from bot.ports.database import Database
from bot.ports.store import Transaction
from bot.service.approvers import too_few_words
from bot.service.desk import Question
from bot.service.engine import OperationContext
from bot.service.freeze_proof import prove_freeze
from bot.service.operations.cutover import (
    FILE_ENGINE,
    Changed,
    content_now,
    end_sessions_if_decided,
    journal_mode,
    not_done,
    run_change,
    surely_not_sent,
    unknown,
)
from bot.service.operations.error_remedies import APP_ERRORS
from bot.service.operations.freeze import broken
from bot.service.operations.missing import MISSING
from bot.service.operations.ways_on import WAY_ON
from bot.service.parts import Parts
from bot.service.site_work import FINGERPRINT_LIMIT, SiteWork, Telling, failed_entry, step_message

_READ_COMMIT = "git: read the deployed commit"


async def propose_undo(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Show what an undo would take away, and ask. *Changes*: nothing."""
    work = SiteWork(ctx, parts)
    incident = await work.incident()
    plan = from_json(Plan, incident.plan)
    facts = await work.app_facts()
    database = work.database(facts)
    folders = await work.folders()
    live = await content_now(work, database, plan.database)
    since = await work.work(
        "compare",
        database.compare(
            plan.scratch_path, plan.database, [], folders.lists, before_fingerprint=plan.scratch_fingerprint
        ),
        root=folders.scratch_jobs,
    )
    await work.tell("asked", Telling(questions=[_question(work, incident, plan, live, since)]))
    return {"rows_new": since.rows_new, "rows_changed": since.rows_changed}


def _written_since(since: Loss) -> tuple[tuple[str, str], ...]:
    """Return what was written since the cut-over, table by table: by people, or by the corrected migration."""
    return tuple(
        (t.table, f"{t.new:,} new, {t.changed:,} changed, {t.missing:,} deleted")
        for t in since.tables
        if t.new or t.changed or t.missing
    )


def _question(work: SiteWork, incident: Incident, plan: Plan, live: str, since: Loss) -> Question:
    opened = incident.opened_since_cutover
    written = _written_since(since)
    told = (
        "What was written since the cut-over goes away with it:"
        if written
        else "Nothing was written since the cut-over."
    )
    second = " The site was open in between: a second person must approve." if opened else ""
    second += too_few_words(work.parts, work.site_name, _votes_needed(incident))
    first = (
        ""
        if incident.frozen
        else " The site is not frozen, and the undo does not begin before it is. First: /app freeze."
    )
    return Question(
        purpose="undo",
        question=f"Undo the cut-over of {work.site_name}?",
        body=f"The database goes back to the safety backup {plan.safety_path}, the code {_code_words(plan)}. "
        f"A copy of the present state is kept.{second}{first} Type the site's name to approve. {told}",
        choices=(
            Choice(
                key="undo",
                label="Undo",
                style="danger",
                typed=work.site_name,
                starts="undo",
                args={"live_fingerprint": live, "before": incident.cutover.value},
            ),
            Choice(key="keep", label="Keep as it is", rejects=True),
        ),
        permission=Permission.APPROVE,
        step=Step.RESTORE,
        votes_needed=_votes_needed(incident),
        expires_in=timedelta(seconds=work.settings.intervals.approval_expiry),
        facts=written,
    )


async def undo(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Put back the database and the code of before the cut-over. *Changes*: production's data and checked-out commit."""
    work = SiteWork(ctx, parts)
    plan = await work.once("plan", Plan, lambda: _plan(work))
    await ctx.take_site()
    facts = await work.app_facts()
    database = work.database(facts)
    expected = str(ctx.args["live_fingerprint"])
    if await surely_not_sent(work):
        await end_sessions_if_decided(work, database, plan.database)
        if reason := await _refusal(work, plan, facts, database, expected):
            return await _not_begun(work, reason)
        folders = await work.folders()
        aside = database.safety_place(folders.safety, work.site_name, work.tag, "before-undo")
        await work.work("aside", database.copy(plan.database, aside), root=folders.change_jobs)
    await _record_intent(work, plan)
    journal = await work.once("journal", str, lambda: journal_mode(work, database, plan))
    change = database.cut_over(
        source=plan.safety_path,
        live=plan.database,
        source_fingerprint=plan.live_fingerprint,
        live_fingerprint=expected,
        journal_mode=journal,
        end_sessions=bool(ctx.args.get("end_sessions")),
    )
    return await _conclude(work, plan, database, await run_change(work, change))


async def look_up(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Find out what became of an undo that was cancelled after its intent, and tell it."""
    work = SiteWork(ctx, parts)
    plan = await work.once("plan", Plan, lambda: _plan(work))
    return await _conclude(work, plan, work.database(await work.app_facts()), Changed(why="it was cancelled"))


async def _conclude(work: SiteWork, plan: Plan, database: Database, changed: Changed) -> dict[str, Any]:
    """Tell by the content of production's database what the undo did; then put the code back."""
    why = changed.why
    now = await content_now(work, database, plan.database)
    expected = str(work.ctx.args["live_fingerprint"])
    if now == plan.live_fingerprint:
        await work.tell("undone", _undone(plan))
        await _code_back(work, plan)
        return {"undone": True}
    if now == expected:
        text = f"The undo did not take place: {why}. Looked up: production is as before it."
        ask_sessions = changed.is_blocked and database.engine != FILE_ENGINE
        questions = [_sessions_question(work, await work.incident(), why)] if ask_sessions else []
        await work.tell("not_done", not_done(text, _before(work), questions))
        return {"undone": False, "why": why}
    await work.tell("unknown", unknown(why, now, expected, plan.live_fingerprint))
    raise FailedError(
        f"the undo of {work.site_name} ended in an unknown state ({why}). The site stays frozen. "
        "Call the DBA: /incident escalate; then /incident release and /restore undo again"
    )


def _sessions_question(work: SiteWork, incident: Incident, why: str) -> Question:
    """Return the question whether the sessions that stand in the way are to be ended, and the undo carried out."""
    again: dict[str, Any] = {
        name: value for name, value in work.ctx.args.items() if name in ("live_fingerprint", "before")
    }
    return Question(
        purpose="undo",
        question=f"End the sessions that stand in the way, and undo the cut-over of {work.site_name}?",
        body=f"{why}. Only sessions of the application's own user can be ended; what they had not committed is rolled back. "
        "Type the site's name to approve.",
        choices=(
            Choice(
                key="end",
                label="End them and undo",
                style="danger",
                typed=work.site_name,
                starts="undo",
                args={**again, "end_sessions": True},
            ),
            Choice(key="keep", label="Not now", rejects=True),
        ),
        permission=Permission.APPROVE,
        step=Step.RESTORE,
        votes_needed=_votes_needed(incident),
        expires_in=timedelta(seconds=work.settings.intervals.approval_expiry),
        tone=Tone.BAD,
    )


def _code_words(plan: Plan) -> str:
    return f"to {plan.code_commit[:12]}" if plan.code_commit else "stays as it is"


def _votes_needed(incident: Incident) -> int:
    """Return how many persons must say yes: two, where visitors could write since the cut-over."""
    return 2 if incident.opened_since_cutover else 1


def _before(work: SiteWork) -> Cutover:
    return Cutover(str(work.ctx.args.get("before") or Cutover.DONE.value))


async def _record_intent(work: SiteWork, plan: Plan) -> None:
    text = f"About to write {plan.safety_path} back into {plan.database} on {plan.host}."

    async def nothing() -> None:
        return None

    async def record(tx: Transaction, _: None) -> None:
        entry = NewEntry(kind=Kind.UNDO_INTENT, text=text)
        message = step_message(Step.RESTORE, "Undoing the cut-over.", Tone.WORKING)
        await work.record(tx, Telling(entries=[entry], messages=[message]))

    await work.ctx.step("undo.begun", nothing, record)


async def _not_begun(work: SiteWork, reason: str) -> dict[str, Any]:
    text = f"The undo was not begun: {reason}. Nothing was changed. Next: /app freeze, then /restore undo"
    entries = [
        NewEntry(kind=Kind.CUTOVER_NOT_DONE, text=text, data={"before": _before(work).value}),
        failed_entry(Step.RESTORE, text),
    ]
    await work.tell(
        "refused", Telling(entries=entries, messages=[step_message(Step.RESTORE, text, Tone.BAD)])
    )
    return {"undone": False, "why": reason}


async def _plan(work: SiteWork) -> Plan:
    return from_json(Plan, (await work.incident()).plan)


async def _refusal(
    work: SiteWork, plan: Plan, facts: AppFacts, database: Database, expected: str
) -> str | None:
    """Return why the undo must not begin, or None. Everything it stands on is read from the host again."""
    if facts.database.database != plan.database:
        return f"the application's database is {facts.database.database}, not {plan.database}"
    proof = await prove_freeze(work, facts, database)
    if not proof.proven:
        if (await work.incident()).frozen:
            await work.tell("broken", broken(proof))
        return f"the application is not frozen: {'; '.join(proof.why)}"
    safety = await work.ask(database.fingerprint(plan.safety_path), limit=FINGERPRINT_LIMIT)
    if safety != plan.live_fingerprint:
        return f"the safety backup {plan.safety_path} is not what it was"
    if await work.ask(database.fingerprint(plan.database), limit=FINGERPRINT_LIMIT) != expected:
        return "the database changed since you were asked"
    return await _code_refusal(work, plan)


async def _code_refusal(work: SiteWork, plan: Plan) -> str | None:
    """Return why the code of before cannot be checked out, or None: it can, it is there, or the plan knows of none."""
    if plan.code_commit is None:
        return None
    tree = parse_work_tree(await work.look_ok(work_tree_command(work.settings.app_path), _READ_COMMIT))
    return checkout_refusal(tree, tree.commit) if tree.commit != plan.code_commit else None


async def _code_back(work: SiteWork, plan: Plan) -> None:
    if plan.code_commit is None:
        return
    path = work.settings.app_path
    tree = parse_work_tree(await work.look_ok(work_tree_command(path), _READ_COMMIT))
    if tree.commit != plan.code_commit:
        folders = await work.folders()
        command = checkout_command(path, plan.code_commit)
        await work.job(
            "code", command, f"git checkout --detach {plan.code_commit[:12]}", root=folders.change_jobs
        )


def _undone(plan: Plan) -> Telling:
    text = "Undone: production's content is that of the safety backup again, by fingerprint. The application stays down."
    data = {"safety_path": plan.safety_path, "code_commit": plan.code_commit}
    message = step_message(Step.RESTORE, text, Tone.WARNING, next_steps=("/restore plan", "/app reopen"))
    return Telling(
        entries=[NewEntry(kind=Kind.UNDO_DONE, text=text, data=data)],
        messages=[message],
        void=[
            "undo",
            "deploy",
            "propose",
            "reopen",
            "close",
            "watch",
            "caches",
            "manual:*",
            "missing:*",
            f"{REENTER}*",
            APP_ERRORS,
            MISSING,
            WAY_ON,
        ],
        void_reason="The cut-over was undone.",
    )
