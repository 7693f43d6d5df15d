"""Undo: the database and the code as they were before the cut-over, from the safety backup."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bot.laravel.facts import AppFacts
from bot.laravel.git import checkout_command, parse_work_tree, work_tree_command
from bot.model.codec import from_json
from bot.model.decision import Choice
from bot.model.errors import FailedError
from bot.model.event import Kind, NewEntry
from bot.model.incident import Cutover, Incident
from bot.model.message import Tone
from bot.model.person import Permission
from bot.model.plan import Plan
from bot.model.step import Step
from bot.ports.database import Database
from bot.service.desk import Question
from bot.service.engine import OperationContext
from bot.service.freeze_proof import prove_freeze
from bot.service.operations.cutover import FINGERPRINT_LIMIT, not_done, run_change, unknown
from bot.service.operations.freeze import broken
from bot.service.parts import Parts
from bot.service.site_work import SiteWork, Telling, step_message


async def propose_undo(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Show what an undo would take away, and ask. *Changes*: nothing."""
    work = SiteWork(ctx, parts)
    incident = await work.incident()
    plan = from_json(Plan, incident.plan)
    facts = await work.app_facts()
    database = work.database(facts)
    folders = await work.folders()
    live = await work.ask(database.fingerprint(plan.database), limit=FINGERPRINT_LIMIT)
    since = await work.work(
        "compare",
        database.compare(plan.scratch_path, plan.database, [], folders.lists),
        root=folders.scratch_jobs,
    )
    await work.tell(
        "asked",
        Telling(questions=[_question(work, incident, plan, live, since.rows_new, since.rows_changed)]),
    )
    return {"rows_new": since.rows_new, "rows_changed": since.rows_changed}


def _question(work: SiteWork, incident: Incident, plan: Plan, live: str, new: int, changed: int) -> Question:
    opened = incident.reopened_at is not None
    since = f"Since the cut-over {new:,} rows were added and {changed:,} changed (by the corrected migration or by people)."
    second = " The site was open again: a second person must approve." if opened else ""
    return Question(
        purpose="undo",
        question=f"Undo the cut-over of {work.site_name}?",
        body=f"The database goes back to the safety backup {plan.safety_path}, the code to {(plan.code_commit or '?')[:12]}. "
        f"{since} A copy of the present state is kept.{second} Type the site's name to approve.",
        choices=(
            Choice(
                key="undo",
                label="Undo",
                style="danger",
                typed=work.site_name,
                starts="undo",
                args={"live_fingerprint": live},
            ),
            Choice(key="keep", label="Keep as it is", rejects=True),
        ),
        permission=Permission.APPROVE,
        step=Step.RESTORE,
        votes_needed=2 if opened else 1,
        expires_in=timedelta(seconds=work.settings.intervals.approval_expiry),
    )


async def undo(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Put back the database and the code of before the cut-over. *Changes*: production's data and checked-out commit."""
    work = SiteWork(ctx, parts)
    plan = await work.once("plan", Plan, lambda: _plan(work))
    await ctx.take_site()
    facts = await work.app_facts()
    database = work.database(facts)
    expected = str(ctx.args["live_fingerprint"])
    if "undo.intent" not in ctx.recorded():
        reason = await _refusal(work, plan, facts, database, expected)
        if reason is not None:
            text = f"The undo was not begun: {reason}. Nothing was changed. Next: /app freeze, then /restore undo"
            await work.tell(
                "refused",
                Telling(
                    entries=[NewEntry(kind=Kind.REFUSED, text=text)],
                    messages=[step_message(Step.RESTORE, text, Tone.BAD)],
                ),
            )
            return {"undone": False, "why": reason}
        folders = await work.folders()
        aside = f"{folders.safety}/{work.site_name}-before-undo-{work.tag}.sqlite"
        await work.work("aside", database.copy(plan.database, aside), root=folders.change_jobs)
    intent = NewEntry(
        kind=Kind.UNDO_INTENT,
        text=f"About to write {plan.safety_path} back into {plan.database} on {plan.host}.",
    )
    await work.tell(
        "intent",
        Telling(
            entries=[intent], messages=[step_message(Step.RESTORE, "Undoing the cut-over.", Tone.WORKING)]
        ),
    )
    await ctx.step("undo.intent", _nothing)
    journal = await work.once("journal", str, lambda: _journal(work, database, plan))
    change = database.cut_over(
        source=plan.safety_path,
        live=plan.database,
        source_fingerprint=plan.live_fingerprint,
        live_fingerprint=expected,
        journal_mode=journal,
    )
    _, why = await run_change(work, change)
    now = await work.ask(database.fingerprint(plan.database, settle=True), limit=FINGERPRINT_LIMIT)
    if now == plan.live_fingerprint:
        await _code_back(work, plan)
        await work.tell("undone", _undone(plan))
        return {"undone": True}
    if now == expected:
        await work.tell(
            "not_done",
            not_done(
                f"The undo did not take place: {why}. Looked up: production is as before it.", Cutover.DONE
            ),
        )
        return {"undone": False, "why": why}
    await work.tell("unknown", unknown(why, now, expected, plan.live_fingerprint))
    raise FailedError(
        f"the undo of {work.site_name} ended in an unknown state ({why}). The site stays frozen. Call the DBA: /incident escalate"
    )


async def _nothing() -> None:
    return None


async def _plan(work: SiteWork) -> Plan:
    return from_json(Plan, (await work.incident()).plan)


async def _journal(work: SiteWork, database: Database, plan: Plan) -> str:
    return (await work.ask(database.facts(plan.database))).journal_mode


async def _refusal(
    work: SiteWork, plan: Plan, facts: AppFacts, database: Database, expected: str
) -> str | None:
    if facts.database.database != plan.database:
        return f"the application's database is {facts.database.database}, not {plan.database}"
    proof = await prove_freeze(work, facts, database)
    if not proof.proven:
        if (await work.incident()).frozen:
            await work.tell("broken", broken(proof))
        return f"the application is not frozen: {'; '.join(proof.why)}"
    if (
        await work.ask(database.fingerprint(plan.safety_path), limit=FINGERPRINT_LIMIT)
        != plan.live_fingerprint
    ):
        return f"the safety backup {plan.safety_path} is not what it was"
    if await work.ask(database.fingerprint(plan.database), limit=FINGERPRINT_LIMIT) != expected:
        return "the database changed since you were asked"
    return None


async def _code_back(work: SiteWork, plan: Plan) -> None:
    if plan.code_commit is None:
        return
    path = work.settings.app_path
    tree = parse_work_tree(await work.look_ok(work_tree_command(path), "git: read the deployed commit"))
    if tree.commit != plan.code_commit:
        folders = await work.folders()
        command = checkout_command(path, plan.code_commit)
        await work.job(
            "code", command, f"git checkout --detach {plan.code_commit[:12]}", root=folders.change_jobs
        )


def _undone(plan: Plan) -> Telling:
    text = "Undone: production's content is that of the safety backup again, by fingerprint. The application stays down."
    entry = NewEntry(
        kind=Kind.UNDO_DONE,
        text=text,
        data={"safety_path": plan.safety_path, "code_commit": plan.code_commit},
    )
    message = step_message(Step.RESTORE, text, Tone.WARNING, next_steps=("/restore plan", "/app reopen"))
    return Telling(
        entries=[entry],
        messages=[message],
        void=["undo", "deploy", "propose", "reopen", "manual:*"],
        void_reason="The cut-over was undone.",
    )
