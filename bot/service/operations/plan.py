"""Step 5, planning: rehearse the recovery on a scratch copy, account for every row, and propose it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bot.laravel.facts import AppFacts
from bot.laravel.git import parse_work_tree, work_tree_command
from bot.laravel.guarded import ArtisanRun, Refused, Target, parse_guarded_artisan, shrunk_tables
from bot.laravel.rollback import RollbackOutcome, rollback_command, rollback_refusal, rollback_verdict
from bot.model.codec import to_json
from bot.model.database import DatabaseFacts, Loss, Proof, TableLoss
from bot.model.decision import Choice
from bot.model.errors import FailedError
from bot.model.event import Kind, NewEntry
from bot.model.incident import Incident
from bot.model.message import Table, Tone
from bot.model.person import Permission
from bot.model.plan import Plan, Strategy
from bot.model.step import Step
from bot.ports.database import Database
from bot.ports.store import Transaction
from bot.runbook import guards
from bot.runbook.wording import proof_facts
from bot.service.desk import Question, state_of
from bot.service.engine import OperationContext
from bot.service.operations.assess import load_baseline
from bot.service.parts import Parts
from bot.service.site_work import Folders, SiteWork, Telling, failed_entry, step_message


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a plan stands on: where everything is, and what was read of it."""

    facts: AppFacts
    database: Database
    live: DatabaseFacts
    folders: Folders
    incident: Incident
    backup: dict[str, Any]
    baseline: str
    safety: dict[str, Any]
    bad_migration: str
    loss: Loss

    @property
    def runtime_tables(self) -> list[str]:
        """Return the tables of jobs, sessions and caches, which keep their current rows (R7)."""
        return [t.table for t in self.facts.runtime_tables if t.in_default_database and t.exists]


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """A recovery carried out on scratch, and its account."""

    strategy: Strategy
    path: str
    fingerprint: str
    proof: Proof
    notes: tuple[str, ...]
    commands: tuple[str, ...]
    rows_lost_by_choice: int = 0
    unmapped: dict[str, int] = field(default_factory=dict)


async def plan(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Rehearse the recovery and propose it. *Changes*: scratch files only; production is read."""
    work = SiteWork(ctx, parts)
    await work.began(Step.RESTORE, "Rehearsing the recovery on a copy. Production is only read.")
    ground = await _ground(work)
    undecided = _undecided(ground, ask_again=bool(ctx.args.get("ask")))
    strategy = Strategy(ctx.args.get("strategy") or Strategy.REPAIR)
    if undecided and strategy is Strategy.REPAIR:
        await work.tell("undecided", _ask_tables(undecided))
        return {"waiting_for": [t.table for t in undecided]}
    if strategy is Strategy.REPAIR:
        reason = rollback_refusal(
            ground.facts.migration_rows, ground.bad_migration, prohibited=ground.facts.rollback_prohibited
        )
        if reason is not None:
            await work.tell("refused", _no_repair(reason))
            return {"proven": False}
        rehearsed = await _repair(work, ground)
    else:
        rehearsed = await _swap(work, ground)
    await _prove_untouched(work, ground)
    proposed = await _proposal(work, ground, rehearsed)
    await _tell_plan(work, ground, _planned(work, ground, rehearsed, proposed))
    return {"proven": rehearsed.proof.proven, "plan_hash": proposed.hash}


async def _first_ground(incident: Incident, path: str | None) -> dict[str, Any]:
    """Return the safety backup and the backup that this plan stands on, the same ones after a restart."""
    backup = incident.verified_backup(path) if path else incident.recommended
    return {"safety": incident.safety, "backup": backup}


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


async def _ground(work: SiteWork) -> Ground:
    incident = await work.incident()
    assessment, safety = incident.assessment, incident.safety
    if assessment is None or safety is None:
        raise FailedError(
            "a plan needs the assessment and a safety backup. Nothing was changed. First: /backups create"
        )
    path = work.ctx.args.get("path")
    first = await work.once("ground", dict, lambda: _first_ground(incident, path))
    safety, backup = first["safety"], first["backup"]
    if backup is None:
        named = f"{path} is not a VERIFIED backup" if path else "no backup is VERIFIED"
        raise FailedError(f"{named}, so no plan can stand on it. Nothing was changed. See: /backups list")
    if not path and backup.get("older_by"):
        raise FailedError(
            f"the only verified backup, {backup['path']}, lacks {backup['older_by']} migration(s) from before the bad one: what was "
            "written in between is in neither. Nothing was changed. Look why the others were refused: /backups list. "
            f"To plan with it all the same, name it: /restore plan {backup['path'].rsplit('/', 1)[-1]}"
        )
    facts = await work.app_facts()
    database = work.database(facts)
    live = await work.ask(database.facts(facts.database.database))
    assessed = (assessment["database"], assessment["database_identity"])
    if (live.path, live.identity) != assessed:
        raise FailedError(
            f"the application's database is {live.path} now, and {assessment['database']} was assessed and copied. "
            "Nothing was changed. Look at .env, then: /incident assess, /app freeze, /backups create"
        )
    folders = await work.folders()
    baseline = await load_baseline(work, folders, database, live, backup)
    loss = await work.work(
        "compare", database.compare(baseline, safety["path"], [], folders.lists), root=folders.scratch_jobs
    )
    return Ground(
        facts=facts,
        database=database,
        live=live,
        folders=folders,
        incident=incident,
        backup=backup,
        baseline=baseline,
        safety=safety,
        bad_migration=str(assessment["bad_migration"]),
        loss=loss,
    )


# -- rows of the backup that are gone: did the migration delete them, or people?


def _undecided(ground: Ground, *, ask_again: bool) -> list[TableLoss]:
    runtime = set(ground.runtime_tables)
    return [
        t
        for t in ground.loss.tables
        if t.missing
        and t.status == "both"
        and (ask_again or t.table not in ground.incident.table_decisions)
        and t.table not in runtime
        and t.table != ground.facts.migrations_table
    ]


def _ask_tables(tables: list[TableLoss]) -> Telling:
    names = ", ".join(t.table for t in tables)
    message = step_message(
        Step.RESTORE,
        f"Rows of the backup are gone from {names}. Who deleted them: the migration, or people? Answer below; then the rehearsal goes on.",
        Tone.WARNING,
    )
    return Telling(messages=[message], questions=[_table_question(t) for t in tables])


def _table_question(table: TableLoss) -> Question:
    by_migration = table.missing_suspect == "migration"
    restore = Choice(
        key="restore",
        label="The migration did: bring them back",
        style="primary" if by_migration else "default",
        starts="plan",
    )
    leave = Choice(
        key="leave",
        label="People did: leave them deleted",
        style="default" if by_migration else "primary",
        starts="plan",
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


# -- the two strategies, on scratch


async def _repair(work: SiteWork, ground: Ground) -> Rehearsed:
    """Roll the bad migration back on a copy of the live database, then put back what is missing."""
    scratch = f"{ground.folders.scratch}/repair-{work.tag}.sqlite"
    copied = await work.work(
        "scratch", ground.database.copy(ground.safety["path"], scratch), root=ground.folders.scratch_jobs
    )
    run = await _roll_back(work, ground, copied.path)
    shrunk = {t: v for t, v in shrunk_tables(run).items() if t != ground.facts.migrations_table}
    mappings = [
        {
            "from_table": m.from_table,
            "target_table": m.to_table,
            "join": m.join,
            "columns": m.columns,
            "derived": list(m.derived),
        }
        for m in work.settings.mappings
    ]
    decisions = dict(ground.incident.table_decisions)
    repaired = await work.work(
        "repair",
        ground.database.repair(
            scratch=copied.path,
            baseline=ground.baseline,
            live_copy=ground.safety["path"],
            decisions=decisions,
            mappings=mappings,
            runtime_tables=ground.runtime_tables,
            lists_folder=ground.folders.lists,
        ),
        root=ground.folders.scratch_jobs,
        title=step_message(Step.RESTORE, "Putting back on the copy what is missing.", Tone.WORKING),
    )
    proof = await work.work(
        "prove",
        ground.database.prove(
            scratch=copied.path,
            baseline=ground.baseline,
            live_copy=ground.safety["path"],
            decisions=decisions,
            mappings=mappings,
            runtime_tables=ground.runtime_tables,
        ),
        root=ground.folders.scratch_jobs,
        title=step_message(Step.RESTORE, "Accounting for every row and value.", Tone.WORKING),
    )
    notes = [
        f"the rollback itself took {before - after:,} rows of {table}; they were put back on the copy"
        for table, (before, after) in shrunk.items()
        if table in run.tables_after
    ]
    unmapped = {str(name): int(count) for name, count in repaired["unmapped"].items()}
    notes += [
        f"{count:,} values of {name} have no place in the old shape; they stay in the safety backup"
        for name, count in unmapped.items()
    ]
    if int(repaired["mappings_used"]) < len(mappings):
        notes.append("a mapping in the settings names a table that is not there: look at sites.mappings")
    return Rehearsed(
        strategy=Strategy.REPAIR,
        path=copied.path,
        fingerprint=str(repaired["fingerprint"]),
        proof=proof,
        notes=tuple(notes),
        commands=(
            f"copy the live database to scratch; roll back {ground.bad_migration} there",
            f"put back from {ground.backup['path']} what is missing; account for every row",
            "cut over: write the scratch copy into the live database in one step",
        ),
        unmapped=unmapped,
    )


async def _roll_back(work: SiteWork, ground: Ground, scratch: str) -> ArtisanRun:
    file = next((f for f in ground.facts.migration_files if f.name == ground.bad_migration), None)
    if file is None:
        raise FailedError(
            f"the file of {ground.bad_migration} is not in the deployed code, so it cannot be rolled back. "
            "Production was not changed. Next: /restore plan --swap"
        )
    command = rollback_command(
        app_path=work.settings.app_path,
        target=Target(driver=ground.facts.database.driver, database=scratch, is_scratch=True),
        bad_name=ground.bad_migration,
        migration_path=file.path,
        timeout=timedelta(hours=1),
    )
    describe = f"php artisan migrate:rollback --step=1 --force --path={file.path} (on scratch {scratch})"
    output = await work.job("rollback", command, describe, root=ground.folders.scratch_jobs, allow=(0, 1, 3))
    run = parse_guarded_artisan(output)
    if isinstance(run, Refused):
        raise FailedError(
            f"the rollback on scratch was refused: {run.reason}. Production was not changed. Next: /restore plan --swap"
        )
    verdict = rollback_verdict(run, ground.bad_migration)
    if verdict.outcome is not RollbackOutcome.ROLLED_BACK:
        raise FailedError(
            f"the rollback on scratch did not do what it should: {verdict.reason}. Production was not changed. "
            "Next: /restore plan --swap"
        )
    return run


async def _swap(work: SiteWork, ground: Ground) -> Rehearsed:
    """Load the backup's copy, carry the runtime tables over, and list the newer rows that it would lose."""
    scratch = f"{ground.folders.scratch}/swap-{work.tag}.sqlite"
    expect = {name: rows for name, rows in ground.backup["rows"].items() if rows is not None}
    loaded = await work.work(
        "scratch",
        ground.database.load(ground.backup["path"], scratch, ground.live, expect or None),
        root=ground.folders.scratch_jobs,
    )
    prepared = await work.work(
        "prepare",
        ground.database.prepare_swap(
            scratch=loaded.path,
            live_copy=ground.safety["path"],
            runtime_tables=ground.runtime_tables,
            lists_folder=ground.folders.lists,
        ),
        root=ground.folders.scratch_jobs,
    )
    same = await work.work(
        "verify",
        ground.database.compare(ground.baseline, loaded.path, ground.runtime_tables, None),
        root=ground.folders.scratch_jobs,
    )
    newer, aside = prepared["rows_would_be_lost"], prepared["tables_aside"]
    lost = sum(int(counts["new"]) + int(counts["changed"]) for counts in newer.values()) + sum(aside.values())
    come_back = {name: int(counts["deleted"]) for name, counts in newer.items() if int(counts["deleted"])}
    reasons = (
        ()
        if same.verdict == "none" and not same.rows_changed
        else ("the loaded copy differs from the backup",)
    )
    proof = Proof(
        proven=not reasons,
        rows_kept=sum(t.matched for t in same.tables),
        rows_lost=lost,
        reasons=reasons,
    )
    return Rehearsed(
        strategy=Strategy.SWAP,
        path=loaded.path,
        fingerprint=await work.ask(ground.database.fingerprint(loaded.path)),
        proof=proof,
        notes=_swap_notes(lost, come_back, aside),
        commands=(
            f"load {ground.backup['path']} into scratch",
            "cut over: write it into the live database in one step",
        ),
        rows_lost_by_choice=lost,
    )


def _swap_notes(lost: int, come_back: dict[str, int], aside: dict[str, int]) -> tuple[str, ...]:
    """Return what a swap takes away and what it brings back, in words."""
    gone = f"{lost:,} newer rows go away; they stay in the safety backup, listed by key"
    return (
        *((gone,) if lost else ()),
        *(
            f"{count:,} rows of {name} that were deleted since the backup come back"
            for name, count in come_back.items()
        ),
        *(f"the table {name} goes away with its {count:,} rows" for name, count in aside.items()),
    )


async def _prove_untouched(work: SiteWork, ground: Ground) -> None:
    """*Raises* FailedError when production's content is not what it was at the safety backup (a rehearsal leaked, or
    someone writes)."""
    now = await work.ask(ground.database.fingerprint(ground.facts.database.database))
    if now != ground.safety["fingerprint"]:
        raise FailedError(
            f"the live database of {work.site_name} changed since the safety backup, so the rehearsal does not hold. "
            "Production was not changed by Backout. Next: /app freeze, then /backups create, then /restore plan"
        )


async def _proposal(work: SiteWork, ground: Ground, rehearsed: Rehearsed) -> Plan:
    host = await work.identity()
    tree = parse_work_tree(
        await work.look_ok(work_tree_command(work.settings.app_path), "git: read the deployed commit")
    )
    loses = rehearsed.rows_lost_by_choice or rehearsed.unmapped
    approvals = max(work.settings.approvals, 2 if loses else 1)
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
        code_commit=tree.commit,
        commands=rehearsed.commands,
        approvals_needed=approvals,
    )


def _planned(work: SiteWork, ground: Ground, rehearsed: Rehearsed, proposed: Plan) -> Telling:
    proof = rehearsed.proof
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
            next_steps=("/restore plan --swap", "/incident escalate"),
        )
        return Telling(entries=[*entries, failed_entry(Step.RESTORE, text)], messages=[message])
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
        ),
        table=_sizes(ground),
        next_steps=(f"/restore confirm {work.site_name}",),
    )
    return Telling(
        entries=entries,
        messages=[message],
        questions=[_approve(work, rehearsed, proposed)],
        void=["cutover"],
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


def _no_repair(reason: str) -> Telling:
    text = f"Repair is not possible: {reason}. Production was not changed."
    message = step_message(
        Step.RESTORE, text, Tone.WARNING, next_steps=("/restore plan --swap", "/incident escalate")
    )
    return Telling(entries=[failed_entry(Step.RESTORE, text)], messages=[message])
