"""Step 5, planning: rehearse the recovery on a scratch copy, account for every row, and propose it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from bot.laravel.git import parse_work_tree, work_tree_command
from bot.laravel.rollback import rollback_refusal
from bot.model.errors import FailedError
from bot.model.plan import Plan, Strategy
from bot.model.step import Step
from bot.ports.store import Transaction
from bot.runbook import guards
from bot.service.desk import state_of
from bot.service.engine import OperationContext
from bot.service.operations.ground import Ground, Rehearsed, read_ground, undecided
from bot.service.operations.migrating import ORPHANS_LIMIT_S
from bot.service.operations.plan_words import ask_tables, estimate, no_repair, planned
from bot.service.operations.strategies import repair, salvage, swap
from bot.service.parts import Parts
from bot.service.site_checks import checks_of, first_numbers
from bot.service.site_work import FINGERPRINT_LIMIT, SiteWork, Telling


async def plan(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Rehearse the recovery and propose it. *Changes*: scratch files only; production is read."""
    work = SiteWork(ctx, parts)
    if await _over_limit(work):
        return {"waiting_for": ["estimate"]}
    await work.began(Step.RESTORE, "Rehearsing the recovery on a copy. Production is only read.")
    ground = await read_ground(work)
    strategy = Strategy(ctx.args.get("strategy") or Strategy.REPAIR)
    open_tables = undecided(ground, ask_again=bool(ctx.args.get("ask")))
    if open_tables and strategy is not Strategy.SWAP:
        await work.tell("undecided", ask_tables(open_tables, _again(work)))
        return {"waiting_for": [t.table for t in open_tables]}
    if strategy is Strategy.REPAIR:
        reason = rollback_refusal(
            ground.facts.migration_rows, ground.bad_migration, prohibited=ground.facts.rollback_prohibited
        )
        if reason is not None:
            await work.tell("refused", no_repair(reason, ground.incident, ctx.args))
            return {"proven": False}
    # Asked first: where only one copy has room, the rehearsal takes the place of the loaded backup.
    asked = checks_of(work, ground.database, ground.facts)
    numbers = await first_numbers(work, ground.database, ground.live.path, ground.baseline, asked)
    rehearsed = await _REHEARSE[strategy](work, ground)
    rehearsed = replace(rehearsed, orphans=await _orphans(work, ground, rehearsed.path))
    await _prove_untouched(work, ground)
    proposed = await _proposal(work, ground, rehearsed)
    if proposed.code_commit is None:
        rehearsed = replace(rehearsed, notes=(*rehearsed.notes, _NO_GIT))
    await _tell_plan(work, ground, planned(work, ground, rehearsed, proposed, numbers))
    return {"proven": rehearsed.proof.proven, "plan_hash": proposed.hash}


_REHEARSE: Mapping[Strategy, Callable[[SiteWork, Ground], Awaitable[Rehearsed]]] = {
    Strategy.REPAIR: repair,
    Strategy.SALVAGE: salvage,
    Strategy.SWAP: swap,
}


async def _orphans(work: SiteWork, ground: Ground, place: str) -> dict[str, int]:
    """Return the rows without their parent that the copy has, as live or the backup had them; steps 7 and 8 ask for more.

    Empty where they cannot be counted in time: a plan does not rest on it.
    """
    try:
        found = await work.ask(ground.database.orphans(place, ORPHANS_LIMIT_S))
    except FailedError:
        return {}
    return {key: count for key, count in found.items() if count}


_NO_GIT = "git tells no commit of the deployed code: an undo puts back the data alone, and Backout deploys no corrected commit"


def _again(work: SiteWork) -> dict[str, Any]:
    """Return the arguments with which this same plan is asked for again once a question is answered."""
    return {
        name: value for name, value in work.ctx.args.items() if name in ("strategy", "path", "estimate_seen")
    }


async def _over_limit(work: SiteWork) -> bool:
    """Ask first, with an estimate, where the database is over the site's limit; return whether that was done now."""
    incident = await work.incident()
    size = int((incident.assessment or {}).get("size_bytes") or 0)
    if size <= work.settings.size_limit_bytes or work.ctx.args.get("estimate_seen"):
        return False
    await work.tell("estimate", estimate(work, size, (incident.safety or {}).get("duration_s"), _again(work)))
    return True


async def _tell_plan(work: SiteWork, ground: Ground, telling: Telling) -> None:
    """Record the plan, if what it stands on is the present state in that very moment."""

    async def nothing() -> None:
        return None

    async def record(tx: Transaction, _: None) -> None:
        state = await state_of(tx, work.incident_id)
        if reason := guards.refuse_plan(state):
            raise FailedError(f"the rehearsal ended too late: {reason}")
        if (state.safety or {}).get("sha256") != ground.safety["sha256"]:
            raise FailedError("a newer safety backup was taken while this was rehearsed. Next: /restore plan")
        await work.record(tx, telling)

    await work.ctx.step("tell.planned", nothing, record)


async def _prove_untouched(work: SiteWork, ground: Ground) -> None:
    """*Raises* FailedError when production's content is not what it was at the safety backup (a rehearsal leaked, or
    someone writes)."""
    now = await work.ask(ground.database.fingerprint(ground.facts.database.database), limit=FINGERPRINT_LIMIT)
    if now != ground.safety["fingerprint"]:
        raise FailedError(
            f"the live database of {work.site_name} changed since the safety backup, so the rehearsal does not hold. "
            "Production was not changed by Backout. Next: /app freeze, then /backups create, then /restore plan"
        )


async def _deployed_commit(work: SiteWork) -> str | None:
    """Return the commit that an undo would put back; None where git knows nothing of the code: data are restored all the same."""
    done = await work.look(work_tree_command(work.settings.app_path), "git: read the deployed commit")
    try:
        return parse_work_tree(done.stdout).commit if done.exit_status == 0 else None
    except FailedError:
        return None


async def _proposal(work: SiteWork, ground: Ground, rehearsed: Rehearsed) -> Plan:
    host = await work.identity()
    approvals = max(work.settings.approvals, 2 if rehearsed.loses else 1)
    return Plan(
        site=work.site_name,
        host=host.address,
        host_key=host.host_key,
        app_path=work.settings.app_path,
        database=ground.live.path,
        database_identity=ground.live.identity,
        engine=ground.live.engine,
        engine_version=ground.live.version,
        backup_path=ground.backup["path"],
        backup_sha256=ground.backup["sha256"],
        safety_path=ground.safety["path"],
        safety_sha256=ground.safety["sha256"],
        strategy=rehearsed.strategy,
        bad_migration=ground.bad_migration,
        table_decisions=dict(ground.incident.table_decisions),
        live_fingerprint=ground.safety["fingerprint"],
        scratch_path=rehearsed.path,
        scratch_fingerprint=rehearsed.fingerprint,
        code_commit=await _deployed_commit(work),
        commands=rehearsed.commands,
        approvals_needed=approvals,
    )
