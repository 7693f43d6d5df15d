"""Step 7, the change: the approved commit is checked out and its migration run, as it was rehearsed."""

from __future__ import annotations

from typing import Any

from bot.laravel import git
from bot.laravel.facts import AppFacts, MigrationFile, pending_migrations
from bot.laravel.guarded import ArtisanRun, Target
from bot.model.codec import from_json
from bot.model.database import Loss
from bot.model.errors import FailedError, JobDiedError, NotStartedError
from bot.model.event import Kind, NewEntry
from bot.model.message import Tone
from bot.model.plan import Plan
from bot.model.step import Step
from bot.ports.database import Database
from bot.ports.store import Transaction
from bot.runbook.orphans import known_orphans
from bot.service.engine import OperationContext
from bot.service.freeze_proof import prove_freeze
from bot.service.operations.freeze import broken
from bot.service.operations.migrating import judge_migrations, raise_numbers, run_migrations
from bot.service.parts import Parts
from bot.service.site_work import FINGERPRINT_LIMIT, SiteWork, Telling, done_entry, failed_entry, step_message


async def deploy(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Check out the approved commit and run its migration. *Changes*: the site's code and, by the migration, its data."""
    work = SiteWork(ctx, parts)
    await work.began(Step.DEPLOY, "Proving the freeze once more, then checking out the approved commit.")
    await ctx.take_site()
    commit, deployed = str(ctx.args["commit"]), str(ctx.args["deployed"])
    facts, folders = await work.facts_and_folders()
    database = work.database(facts)
    plan = from_json(Plan, (await work.incident()).plan)
    if "deploy.begun" not in ctx.recorded():
        if reason := await _refusal(work, facts, database, plan, deployed):
            text = f"Not deployed: {reason}. Nothing was changed."
            message = step_message(Step.DEPLOY, text, Tone.BAD, next_steps=("/app freeze", "/app deploy"))
            await work.tell("refused", Telling(entries=[failed_entry(Step.DEPLOY, text)], messages=[message]))
            return {"deployed": False, "why": reason}
        await _record_intent(work, commit, facts.database.database)
    elif not (proof := await prove_freeze(work, facts, database)).proven:
        await work.tell("broken", broken(proof))
        raise FailedError(
            f"{work.site_name} was opened while Backout was not running, in the middle of the deployment: "
            f"{'; '.join(proof.why)}. Nothing more was done. Next: /app freeze, /incident release, /restore undo"
        )
    checkout = git.checkout_command(work.settings.app_path, commit)
    await work.job("checkout", checkout, f"git checkout --detach {commit[:12]}", root=folders.change_jobs)
    head = git.parse_commit(
        await work.look_ok(git.head_command(work.settings.app_path), "git: read the checked-out commit")
    )
    if head != commit:
        raise FailedError(
            f"{work.site_name} has {head[:12]} checked out, not {commit[:12]}; no migration was run. Next: /restore undo"
        )
    now = await work.app_facts()
    approved = _as_approved(work, now, ctx.args["approved"])
    target = Target(
        driver=facts.database.driver,
        database=facts.database.database,
        inode=facts.database.inode,
        is_scratch=False,
    )
    try:
        run = await run_migrations(work, folders, database, work.settings.app_path, target, approved, "live")
    except JobDiedError as error:
        await work.tell("unknown", await _looked_up(work, error))
        raise FailedError(
            f"the migration on {work.site_name} ended without an answer. The site stays frozen. Next: /restore undo"
        ) from error
    try:
        reasons, shrunk, loss = await judge_migrations(
            work,
            facts,
            folders,
            database,
            run,
            approved,
            plan.scratch_path,
            facts.database.database,
            "live",
            before_fingerprint=plan.scratch_fingerprint,
            orphans_before=known_orphans(await work.incident()),
        )
        numbers: dict[str, int] = {}
        if not reasons:
            numbers = await raise_numbers(work, folders, database, facts.database.database, "live")
    except (FailedError, NotStartedError) as error:
        # Such an error says that nothing was changed, which holds for the question alone.
        raise FailedError(
            f"the migration of {commit[:12]} RAN on {work.site_name}, and what it did could not be proven ({error}). "
            "The site stays frozen. Next: /incident escalate; to go back: /incident release, then /restore undo"
        ) from error
    await work.tell("deployed", _deployed(commit, approved, run, reasons, shrunk, loss, numbers))
    return {"deployed": not reasons}


async def _record_intent(work: SiteWork, commit: str, database: str) -> None:
    text = f"About to check out {commit[:12]} and run its migration on {database}."

    async def nothing() -> None:
        return None

    async def record(tx: Transaction, _: None) -> None:
        await tx.append(
            work.incident_id, [NewEntry(kind=Kind.CORRECTED_INTENT, text=text, data={"commit": commit})]
        )

    await work.ctx.step("deploy.begun", nothing, record)


def _as_approved(work: SiteWork, facts: AppFacts, approved: list[list[str]]) -> list[MigrationFile]:
    """Return the pending migration files of the checked-out code. *Raises* FailedError unless they are the approved ones."""
    wanted = {str(name): str(sha256) for name, sha256 in approved}
    pending = pending_migrations(facts)
    files = [f for f in facts.migration_files if f.name in pending]
    if {f.name: f.sha256 for f in files} != wanted:
        if not pending and wanted.keys() <= {row.migration for row in facts.migration_rows or ()}:
            return [f for f in facts.migration_files if f.name in wanted]
        raise FailedError(
            f"the pending migrations of {work.site_name} ({', '.join(pending) or 'none'}) are not the approved ones; none was run. "
            "The approved commit is checked out. Next: /restore undo or /app deploy"
        )
    return files


async def _refusal(
    work: SiteWork, facts: AppFacts, database: Database, plan: Plan, deployed: str
) -> str | None:
    proof = await prove_freeze(work, facts, database)
    if not proof.proven:
        await work.tell("broken", broken(proof))
        return f"the freeze does not hold: {'; '.join(proof.why)}"
    live = await work.ask(database.fingerprint(facts.database.database), limit=FINGERPRINT_LIMIT)
    if live != plan.scratch_fingerprint:
        return "the live database is not what the cut-over left there"
    tree = git.parse_work_tree(
        await work.look_ok(git.work_tree_command(work.settings.app_path), "git: read the deployed commit")
    )
    return git.checkout_refusal(tree, deployed)


async def _looked_up(work: SiteWork, error: Exception) -> Telling:
    facts = await work.app_facts()
    rows = [row.migration for row in facts.migration_rows or ()]
    text = (
        f"The migration's end is unknown ({error}). Looked up: {len(rows)} migrations are recorded, the last is "
        f"{rows[-1] if rows else 'none'}; part of the change may be there. The site stays frozen."
    )
    entry = NewEntry(kind=Kind.STEP_UNKNOWN, text=text, data={"step": int(Step.DEPLOY)})
    return Telling(
        entries=[entry], messages=[step_message(Step.DEPLOY, text, Tone.BAD, next_steps=("/restore undo",))]
    )


def _deployed(
    commit: str,
    approved: list[MigrationFile],
    run: ArtisanRun,
    reasons: list[str],
    shrunk: dict[str, list[int]],
    loss: Loss,
    numbers: dict[str, int],
) -> Telling:
    if reasons:
        text = f"The corrected migration ran on production and is NOT good: {'; '.join(reasons)}. Undo is offered."
        message = step_message(
            Step.DEPLOY, text, Tone.BAD, next_steps=("/restore undo", "/incident escalate")
        )
        return Telling(entries=[failed_entry(Step.DEPLOY, text)], messages=[message])
    text = f"Commit {commit[:12]} is deployed; {', '.join(f.name for f in approved)} ran as rehearsed ({run.duration_s:.1f} s)."
    data = {
        "commit": commit,
        "migrations": [f.name for f in approved],
        "duration_s": run.duration_s,
        "shrunk": shrunk,
        "values_moved": loss.values_moved,
        "numbers": numbers,
    }
    entries = [NewEntry(kind=Kind.CORRECTED_DONE, text=text, data=data), done_entry(Step.DEPLOY, text)]
    told = ", ".join(f"{table} above {number:,}" for table, number in numbers.items())
    facts = (("next ids", told),) if told else ()
    return Telling(
        entries=entries,
        messages=[step_message(Step.DEPLOY, text, Tone.GOOD, facts=facts, next_steps=("/app check",))],
        void=["propose"],
        void_reason="A corrected commit is deployed.",
    )


async def skip_deploy(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Leave the corrected migration out, by a person's decision. *Changes*: nothing."""
    work = SiteWork(ctx, parts)
    text = f"{work.person} leaves the corrected migration out for now; the code must fit the restored data."
    entry = NewEntry(kind=Kind.STEP_SKIPPED, actor=work.person, text=text, data={"step": int(Step.DEPLOY)})
    await work.tell(
        "skipped",
        Telling(
            entries=[entry],
            messages=[step_message(Step.DEPLOY, text, Tone.WARNING, next_steps=("/app check",))],
            void=["propose"],
            void_reason="The corrected migration is left out.",
        ),
    )
    return {"skipped": True}
