"""Running approved migrations on a copy or on production, and judging by the data what they did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from bot.laravel.facts import AppFacts, MigrationFile
from bot.laravel.guarded import ArtisanRun, Refused, Target, parse_guarded_artisan, shrunk_tables
from bot.laravel.migrate import MigrationOutcome, migrate_command, migration_verdict
from bot.model.codec import from_json
from bot.model.database import Loss
from bot.model.errors import FailedError
from bot.model.plan import Plan
from bot.ports.database import Database
from bot.runbook.orphans import more_orphans
from bot.runbook.wording import loss_sentence
from bot.service.operations.assess import beside_the_data
from bot.service.site_work import Folders, SiteWork

NUMBERS_LIMIT_S = 60
ORPHANS_LIMIT_S = 240
"""How long all foreign keys may take together: less than a question may, so that the answer tells which was too slow."""


async def run_migrations(
    work: SiteWork,
    folders: Folders,
    database: Database,
    app_path: str,
    target: Target,
    approved: list[MigrationFile],
    where: str,
) -> ArtisanRun:
    """Run the approved migrations against one database. *Changes*: what they change there.

    A table that they make again counts on above what the state put aside had given (R2). *Raises* FailedError where they
    were not run.
    """
    plan = (await work.incident()).plan
    command = migrate_command(
        app_path=app_path,
        target=target,
        approved=approved,
        numbers=database.numbers_file(from_json(Plan, plan).safety_path) if plan else None,
        timeout=timedelta(hours=2),
    )
    names = " ".join(f"--path={f.path}" for f in approved)
    root = folders.scratch_jobs if target.is_scratch else folders.change_jobs
    output = await work.job(
        f"migrate-{where}",
        command,
        f"php artisan migrate --force {names} (on {target.database})",
        root=root,
        allow=(0, 1, 3),
    )
    run = parse_guarded_artisan(output)
    if isinstance(run, Refused):
        raise FailedError(words_for_not_run(run.reason, site=work.site_name, is_scratch=target.is_scratch))
    return run


def words_for_not_run(reason: str, *, site: str, is_scratch: bool) -> str:
    """Return what is said where a migration was refused before it began; on production its code is checked out by then."""
    if is_scratch:
        return f"the migration was not run on the copy: {reason}. Nothing was changed on {site}. Next: /app deploy"
    return (
        f"the migration was not run: {reason}. No row was changed on {site}, but its code IS CHANGED: the approved commit is"
        " checked out. The site stays frozen. Next: /incident release, then /app deploy; to go back instead: /restore undo"
    )


async def judge_migrations(
    work: SiteWork,
    facts: AppFacts,
    folders: Folders,
    database: Database,
    run: ArtisanRun,
    approved: list[MigrationFile],
    before: str,
    after: str,
    where: str,
    before_fingerprint: str | None = None,
    orphans_before: Mapping[str, int] | None = None,
) -> tuple[list[str], dict[str, list[int]], Loss]:
    """Return why a migration's result must not stand (empty: it may), the tables that shrank, and the loss table.

    `orphans_before`: the rows without their parent that were there before; None: asked of `before`.
    """
    verdict = migration_verdict(run, [f.name for f in approved])
    reasons = [] if verdict.outcome is MigrationOutcome.MIGRATED else [verdict.reason]
    shrunk = {t: [b, a] for t, (b, a) in shrunk_tables(run).items()}
    reasons += [f"{t} shrank from {b:,} to {a:,} rows" for t, (b, a) in shrunk.items()]
    loss = await work.work(
        f"compare-{where}",
        database.compare(
            before, after, beside_the_data(facts), folders.lists, before_fingerprint=before_fingerprint
        ),
        root=folders.scratch_jobs,
    )
    reasons += [
        f"{t.reused_keys:,} keys of {t.table} belong to other rows now" for t in loss.tables if t.reused_keys
    ]
    told = set(shrunk) >= {t.table for t in loss.tables if t.missing} and not loss.values_lost
    if loss.verdict != "none" and not (shrunk and told):
        reasons.append(loss_sentence(loss).replace("**", "").rstrip("."))
    if orphans_before is None:
        orphans_before = await work.ask(database.orphans(before, ORPHANS_LIMIT_S))
    reasons += more_orphans(await work.ask(database.orphans(after, ORPHANS_LIMIT_S)), orphans_before)
    reasons += await _stale_numbers(work, database, after)
    return reasons, shrunk, loss


async def raise_numbers(
    work: SiteWork, folders: Folders, database: Database, place: str, where: str
) -> dict[str, int]:
    """Have no table that a migration made again give an id that the state put aside had given (HAZARDS R2).

    *Changes*: counters of that database, upwards only. Returns the number above which each stands.
    """
    plan = (await work.incident()).plan
    change = database.raise_numbers(place, from_json(Plan, plan).safety_path) if plan else None
    if change is None:
        return {}
    root = folders.scratch_jobs if where == "scratch" else folders.change_jobs
    return await work.work(f"numbers-{where}", change, root=root)


async def _stale_numbers(work: SiteWork, database: Database, place: str) -> list[str]:
    """Return the tables in which the next row would be refused, as its number was given already; reads only."""
    if database.counts_on:
        return []
    facts = await work.ask(database.facts(place))
    names = await work.ask(database.stale_numbers(facts, NUMBERS_LIMIT_S))
    return [
        f"the next number of {name} was given already: its sequence stands below the highest id, so the next row is refused"
        for name in names
    ]
