"""The strategies of step 5, each carried out on a scratch copy and accounted for; production is only read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from bot.laravel.guarded import ArtisanRun, Refused, Target, parse_guarded_artisan, shrunk_tables
from bot.laravel.rollback import RollbackOutcome, rollback_command, rollback_verdict
from bot.model.database import Loaded, Proof
from bot.model.errors import RollbackFailedError
from bot.model.message import Message, Tone
from bot.model.plan import Strategy
from bot.model.step import Step
from bot.service.operations.ground import Ground, Rehearsed
from bot.service.operations.reentering import swapped_away, to_reenter
from bot.service.site_work import FINGERPRINT_LIMIT, SiteWork, step_message

Mappings = Sequence[Mapping[str, Any]]


async def repair(work: SiteWork, ground: Ground) -> Rehearsed:
    """Roll the bad migration back on a copy of the live database, then put back what is missing."""
    scratch = ground.database.scratch_place(ground.folders.scratch, "repair", work.tag)
    copied = await work.scratch(
        "scratch",
        ground.database,
        ground.database.copy(ground.safety["path"], scratch),
        title=_working("Copying the safety backup to scratch."),
    )
    run = await _roll_back(work, ground, copied.database)
    shrunk = {t: v for t, v in shrunk_tables(run).items() if t != ground.facts.migrations_table}
    mappings = _mappings(work)
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
        title=_working("Putting back on the copy what is missing."),
    )
    proof = await _account(work, ground, copied.path, decisions, mappings)
    notes = [
        f"the rollback itself took {before - after:,} rows of {table}; they were put back on the copy"
        for table, (before, after) in shrunk.items()
        if table in run.tables_after
    ]
    unmapped = _unmapped(repaired)
    notes += _mapping_notes(unmapped, int(repaired["mappings_used"]), len(mappings))
    return Rehearsed(
        strategy=Strategy.REPAIR,
        path=copied.path,
        fingerprint=str(repaired["fingerprint"]),
        proof=proof,
        notes=_with_way(copied.way, notes),
        commands=(
            f"copy the live database to scratch; roll back {ground.bad_migration} there",
            f"put back from {ground.backup['path']} what is missing; account for every row",
            "cut over: write the scratch copy into the live database in one step",
        ),
        unmapped=unmapped,
        lists=to_reenter(repaired),
    )


async def _roll_back(work: SiteWork, ground: Ground, scratch: str) -> ArtisanRun:
    file = next((f for f in ground.facts.migration_files if f.name == ground.bad_migration), None)
    if file is None:
        raise RollbackFailedError(
            f"the file of {ground.bad_migration} is not in the deployed code, so it cannot be rolled back. "
            "Production was not changed. Next: /restore plan --salvage"
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
        raise RollbackFailedError(
            f"the rollback on scratch was refused: {run.reason}. Production was not changed. Next: /restore plan --salvage"
        )
    verdict = rollback_verdict(run, ground.bad_migration)
    if verdict.outcome is not RollbackOutcome.ROLLED_BACK:
        raise RollbackFailedError(
            f"the rollback on scratch did not do what it should: {verdict.reason}. Production was not changed. "
            "Next: /restore plan --salvage"
        )
    return run


async def salvage(work: SiteWork, ground: Ground) -> Rehearsed:
    """Load the backup's copy and put the rows back that were written since, in the order of foreign keys.

    Needs no rollback: it is the way where the bad migration is not the last one, or cannot be rolled back.
    """
    scratch = ground.database.scratch_place(ground.folders.scratch, "salvage", work.tag)
    loaded = await _loaded(work, ground, scratch)
    decisions, mappings = dict(ground.incident.table_decisions), _mappings(work)
    salvaged = await work.work(
        "salvage",
        ground.database.salvage(
            scratch=loaded.path,
            baseline=ground.baseline,
            live_copy=ground.safety["path"],
            decisions=decisions,
            mappings=mappings,
            runtime_tables=ground.runtime_tables,
            lists_folder=ground.folders.lists,
        ),
        root=ground.folders.scratch_jobs,
        title=_working("Putting the rows written since into the backup's copy."),
    )
    proof = await _account(work, ground, loaded.path, decisions, mappings)
    unmapped, unfit = _unmapped(salvaged), _listed(salvaged, "not_salvaged")
    collisions = _listed(salvaged, "collisions")
    return Rehearsed(
        strategy=Strategy.SALVAGE,
        path=loaded.path,
        fingerprint=str(salvaged["fingerprint"]),
        proof=proof,
        notes=_with_way(
            loaded.way,
            (
                *_salvage_notes(collisions, unfit),
                *_mapping_notes(unmapped, int(salvaged["mappings_used"]), len(mappings)),
            ),
        ),
        commands=(
            f"load {ground.backup['path']} into scratch",
            "put back the rows written since, in the order of foreign keys; account for every row",
            "cut over: put it in the place of the live data in one step",
        ),
        rows_lost_by_choice=sum(collisions.values()) + sum(unfit.values()),
        unmapped=unmapped,
        lists=to_reenter(salvaged),
    )


def _salvage_notes(collisions: dict[str, int], unfit: dict[str, int]) -> tuple[str, ...]:
    """Return which newer rows could not be put back, in words; all of them are listed by key."""
    return (
        *(
            f"{count:,} newer rows of {name} have a key or unique value of another row; they stay in the safety backup"
            for name, count in collisions.items()
        ),
        *(
            f"{count:,} newer rows of {name} do not fit the old shape; they stay in the safety backup"
            for name, count in unfit.items()
        ),
    )


async def swap(work: SiteWork, ground: Ground) -> Rehearsed:
    """Load the backup's copy, carry the runtime tables over, and list the newer rows that it would lose."""
    scratch = ground.database.scratch_place(ground.folders.scratch, "swap", work.tag)
    loaded = await _loaded(work, ground, scratch)
    prepared = await work.work(
        "prepare",
        ground.database.prepare_swap(
            scratch=loaded.path,
            live_copy=ground.safety["path"],
            runtime_tables=ground.runtime_tables,
            lists_folder=ground.folders.lists,
        ),
        root=ground.folders.scratch_jobs,
        title=_working("Making the loaded copy ready to be swapped in."),
    )
    same = await work.work(
        "verify",
        ground.database.compare(ground.baseline, loaded.path, ground.runtime_tables, None),
        root=ground.folders.scratch_jobs,
        title=_working("Comparing the loaded copy with the backup."),
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
        fingerprint=await work.ask(ground.database.fingerprint(loaded.path), limit=FINGERPRINT_LIMIT),
        proof=proof,
        notes=_with_way(loaded.way, _swap_notes(lost, come_back, aside)),
        commands=(
            f"load {ground.backup['path']} into scratch",
            "cut over: write it into the live database in one step",
        ),
        rows_lost_by_choice=lost,
        lists=swapped_away(prepared),
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


def _with_way(way: str, notes: Sequence[str]) -> tuple[str, ...]:
    """Return the notes with the way before them that was taken for want of a right, where one was."""
    return (way, *notes) if way else tuple(notes)


async def _loaded(work: SiteWork, ground: Ground, scratch: str) -> Loaded:
    """Load the plan's backup into a scratch of its own. *Changes*: that scratch only."""
    expect = {name: rows for name, rows in ground.backup["rows"].items() if rows is not None}
    return await work.scratch(
        "scratch",
        ground.database,
        ground.database.load(ground.backup["path"], scratch, ground.live, expect or None),
        title=_working(f"Loading {ground.backup['path'].rsplit('/', 1)[-1]} into scratch."),
    )


async def _account(
    work: SiteWork, ground: Ground, scratch: str, decisions: Mapping[str, str], mappings: Mappings
) -> Proof:
    """Return the account of every row and value of a rehearsed copy; reads only."""
    return await work.work(
        "prove",
        ground.database.prove(
            scratch=scratch,
            baseline=ground.baseline,
            live_copy=ground.safety["path"],
            decisions=decisions,
            mappings=mappings,
            runtime_tables=ground.runtime_tables,
        ),
        root=ground.folders.scratch_jobs,
        title=_working("Accounting for every row and value."),
    )


def _mappings(work: SiteWork) -> list[dict[str, Any]]:
    """Return how values of the new shape go back, as the settings say it and the reader asks for it."""
    return [
        {
            "from_table": m.from_table,
            "target_table": m.to_table,
            "join": m.join,
            "columns": m.columns,
            "derived": list(m.derived),
        }
        for m in work.settings.mappings
    ]


def _listed(answer: Mapping[str, Any], name: str) -> dict[str, int]:
    """Return by table how many rows the reader listed under a name: `{table: {count, keys, file}}`."""
    return {str(table): int(found["count"]) for table, found in answer[name].items()}


def _unmapped(answer: Mapping[str, Any]) -> dict[str, int]:
    return {str(name): int(count) for name, count in answer["unmapped"].items()}


def _mapping_notes(unmapped: Mapping[str, int], used: int, given: int) -> list[str]:
    """Return which values have no place in the old shape, and whether a mapping of the settings fits nothing."""
    notes = [
        f"{count:,} values of {name} have no place in the old shape; they stay in the safety backup"
        for name, count in unmapped.items()
    ]
    if used < given:
        notes.append("a mapping in the settings names a table that is not there: look at sites.mappings")
    return notes


def _working(text: str) -> Message:
    return step_message(Step.RESTORE, text, Tone.WORKING)
