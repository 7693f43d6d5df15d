"""Pending migrations on a copy of the live database: up, down, up again, with the application's own code beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.laravel.facts import AppFacts, MigrationFile
from bot.laravel.guarded import ArtisanRun, Refused, Target, parse_guarded_artisan, shrunk_tables
from bot.laravel.migrate import MigrationOutcome, migration_verdict
from bot.laravel.rollback import RollbackOutcome, rollback_command, rollback_verdict
from bot.model.database import CopyMade, DatabaseFacts, Loss
from bot.model.errors import BackoutError, FailedError, ReaderRefusalError, UnknownOutcomeError
from bot.ports.database import Database
from bot.ports.host import Command
from bot.runbook.gate import Objection, Rehearsed
from bot.runbook.wording import loss_sentence
from bot.service.engine import OperationContext
from bot.service.operations.assess import beside_the_data
from bot.service.operations.migrating import judge_migrations, run_migrations
from bot.service.parts import Parts
from bot.service.site_work import FINGERPRINT_LIMIT, Folders, SiteWork

COPY_TRIES = 3
"""A file that visitors write to may change while it is copied; the copy then says so, and is made again."""

_MAKE_TREE = """
set -e
app=$1 tree=$2
umask 077
rm -rf -- "$tree"
mkdir -p -- "$tree/database"
for entry in "$app"/* "$app"/.env; do
    case ${entry##*/} in storage | node_modules | public | public_html | tests | database) continue ;; esac
    [ ! -e "$entry" ] || cp -a -H --reflink=auto -- "$entry" "$tree/${entry##*/}"
done
for entry in "$app"/database/*; do
    case $entry in *.php) ;; *) [ -d "$entry" ] || continue ;; esac
    [ ! -e "$entry" ] || cp -a -H --reflink=auto -- "$entry" "$tree/database/${entry##*/}"
done
mkdir -p -- "$tree/storage/framework/cache/data" "$tree/storage/framework/sessions" "$tree/storage/framework/views" \\
    "$tree/storage/logs" "$tree/storage/app" "$tree/bootstrap/cache" "$tree/public"
rm -f -- "$tree/bootstrap/cache/config.php" "$tree/bootstrap/cache/events.php" "$tree"/bootstrap/cache/routes*.php
"""
"""Copies the application's code as it lies there, whether git holds it or not: no uploads, no logs, no database file, no
cached settings. A migration that writes a file writes it into the copy."""


async def rehearse(
    work: SiteWork, facts: AppFacts, database: Database, live: DatabaseFacts, files: Sequence[MigrationFile]
) -> Rehearsed:
    """Return how the pending migrations went on a copy. *Changes*: scratch and a copy of the code, both removed again."""
    folders = await work.folders()
    tree, places = _places(work, folders, database)
    try:
        fill = Command(
            argv=["sh", "-c", _MAKE_TREE, "sh", work.settings.app_path, tree], timeout=timedelta(hours=1)
        )
        await work.job("tree", fill, f"copy the application's code to {tree}", root=folders.scratch_jobs)
        found = await _Rehearsal(work, facts, database, folders, tree, places).run(live, files)
    except UnknownOutcomeError:
        raise  # not an end: the same copy is used when this is looked at again
    except BackoutError:
        await _remove(work, database, folders, tree, places)
        raise
    await _remove(work, database, folders, tree, places)
    return found


async def tidy(ctx: OperationContext, parts: Parts) -> None:
    """Remove what a gate that was stopped had made. *Changes*: only that."""
    if "folders" not in ctx.recorded():
        return
    work = SiteWork(ctx, parts)
    folders, database = await work.folders(), work.database(await work.app_facts())
    await _remove(work, database, folders, *_places(work, folders, database))


def _places(work: SiteWork, folders: Folders, database: Database) -> tuple[str, list[str]]:
    """Return where the copy of the code is, and the two scratch databases."""
    purposes = ("gate", "gatebase")
    places = [database.scratch_place(folders.scratch, purpose, work.tag) for purpose in purposes]
    return f"{folders.scratch}/gate-{work.tag}", places


async def _remove(
    work: SiteWork, database: Database, folders: Folders, tree: str, places: Sequence[str]
) -> None:
    """Remove what the rehearsal made. *Changes*: only that; what cannot be removed fails nothing, as it harms nobody."""
    try:
        for number, place in enumerate(places):
            await work.work(f"drop-{number}", database.drop(place), root=folders.scratch_jobs)
        remove = Command(argv=["rm", "-rf", "--", tree])
        await work.job("tree-off", remove, f"remove {tree}", root=folders.scratch_jobs)
    except UnknownOutcomeError:
        raise
    except BackoutError:
        return


class _Rehearsal:
    """One rehearsal, in its tree and with its scratch places: the copy that is migrated, and what it is compared with."""

    def __init__(
        self,
        work: SiteWork,
        facts: AppFacts,
        database: Database,
        folders: Folders,
        tree: str,
        places: Sequence[str],
    ) -> None:
        self._work = work
        self._facts = facts
        self._database = database
        self._folders = folders
        self._tree = tree
        self._scratch, self._base = places

    async def run(self, live: DatabaseFacts, files: Sequence[MigrationFile]) -> Rehearsed:
        """Migrate up, down and up again; the first that is not good ends it."""
        copied, before = await self._copied()
        target = Target(driver=self._facts.database.driver, database=copied.database, is_scratch=True)
        in_tree = [self._in_tree(file) for file in files]
        up, reasons, loss = await self._up(target, in_tree, before, copied.path)
        done = Rehearsed(up_s=up.duration_s, loss=_loss_data(loss), against=_objections("loss", reasons))
        if not done.against:
            done = await self._down(done, target, in_tree, before, copied.path)
        if not done.against:
            done = await self._again(done, target, in_tree)
        return await self._with_live(done, live, copied.fingerprint)

    async def _copied(self) -> tuple[CopyMade, str]:
        """Return the copy that is migrated, and the place it is compared with afterwards.

        While the site is open its visitors write, so live is no measure any more: a second copy is taken, of the first.
        """
        live = self._facts.database.database
        is_down = self._facts.maintenance.is_down is True
        first = await self._copy_live(live, self._scratch if is_down else self._base)
        if is_down:
            return first, live
        second = await self._work.scratch(
            "copy-again", self._database, self._database.copy(first.path, self._scratch)
        )
        return second, first.path

    async def _copy_live(self, live: str, target: str) -> CopyMade:
        for number in range(1, COPY_TRIES):
            try:
                return await self._work.scratch(
                    f"copy-{number}", self._database, self._database.copy(live, target)
                )
            except ReaderRefusalError as error:
                if error.kind not in ("changed", "busy"):
                    raise
        return await self._work.scratch("copy", self._database, self._database.copy(live, target))

    def _in_tree(self, file: MigrationFile) -> MigrationFile:
        """Return a migration file where the tree has it; one from outside the application stays where it is."""
        for base in (self._facts.base_path, self._work.settings.app_path):
            if file.path.startswith(f"{base}/"):
                return replace(file, path=f"{self._tree}{file.path.removeprefix(base)}")
        return file

    async def _up(
        self, target: Target, files: list[MigrationFile], before: str, after: str
    ) -> tuple[ArtisanRun, list[str], Loss]:
        run = await run_migrations(
            self._work, self._folders, self._database, self._tree, target, files, "scratch"
        )
        reasons, _, loss = await judge_migrations(
            self._work, self._facts, self._folders, self._database, run, files, before, after, "scratch"
        )
        return run, reasons, loss

    async def _down(
        self, so_far: Rehearsed, target: Target, files: list[MigrationFile], before: str, after: str
    ) -> Rehearsed:
        """Roll the migrations back one by one, the last first, and compare with the state before."""
        spent, reasons = 0.0, list[str]()
        for number, file in enumerate(reversed(files)):
            run = await self._rolled_back(number, file, target)
            spent += run.duration_s
            verdict = rollback_verdict(run, file.name)
            if verdict.outcome is not RollbackOutcome.ROLLED_BACK:
                reasons.append(f"the way back fails: {verdict.reason}")
                break
        if not reasons:
            reasons = await self._not_brought_back(before, after)
        return replace(so_far, down_s=round(spent, 3), against=_objections("down", reasons))

    async def _rolled_back(self, number: int, file: MigrationFile, target: Target) -> ArtisanRun:
        command = rollback_command(
            app_path=self._tree,
            target=target,
            bad_name=file.name,
            migration_path=file.path,
            timeout=timedelta(hours=2),
        )
        describe = f"php artisan migrate:rollback --step=1 --force --path={file.path} (on {target.database})"
        output = await self._work.job(
            f"rollback-{number}", command, describe, root=self._folders.scratch_jobs, allow=(0, 1, 3)
        )
        run = parse_guarded_artisan(output)
        if isinstance(run, Refused):
            raise FailedError(f"the rollback was not run on the copy: {run.reason}")
        return run

    async def _not_brought_back(self, before: str, after: str) -> list[str]:
        """Return what is not as it was before the migrations, after they went up and down; reads only."""
        aside = beside_the_data(self._facts)
        compare = self._database.compare(before, after, aside, None)
        loss = await self._work.work("compare-down", compare, root=self._folders.scratch_jobs)
        reasons = []
        if loss.verdict != "none":
            reasons.append(
                f"after down, not all is back: {loss_sentence(loss).replace('**', '').rstrip('.')}"
            )
        left = [t.table for t in loss.tables if t.status == "created"]
        left += [
            f"{t.table}.{c.column}"
            for t in loss.tables
            if t.status == "both"
            for c in t.columns
            if c.status == "created"
        ]
        if loss.rows_new:
            reasons.append(f"down leaves {loss.rows_new:,} rows that up made")
        if left:
            reasons.append(f"down leaves behind what up made: {', '.join(left)}")
        return reasons

    async def _again(self, so_far: Rehearsed, target: Target, files: list[MigrationFile]) -> Rehearsed:
        run = await run_migrations(
            self._work, self._folders, self._database, self._tree, target, files, "again"
        )
        verdict = migration_verdict(run, [f.name for f in files])
        reasons = (
            [] if verdict.outcome is MigrationOutcome.MIGRATED else [f"up again fails: {verdict.reason}"]
        )
        reasons += [
            f"up again, {t} shrinks from {b:,} to {a:,} rows" for t, (b, a) in shrunk_tables(run).items()
        ]
        return replace(so_far, again_s=run.duration_s, against=_objections("down", reasons))

    async def _with_live(self, so_far: Rehearsed, live: DatabaseFacts, copied: str) -> Rehearsed:
        """Prove that live was not touched: its content is that of the copy's beginning, or else at least its structure."""
        place = self._facts.database.database
        if await self._work.ask(self._database.fingerprint(place), limit=FINGERPRINT_LIMIT) == copied:
            return so_far
        now = await self._work.ask(self._database.facts(place))
        same = (now.path, now.identity, now.migrations) == (live.path, live.identity, live.migrations)
        if same and now.rows.keys() == live.rows.keys() and self._facts.maintenance.is_down is not True:
            text = "the live database was written to meanwhile, as the site is open; its tables and migrations are as before"
            return replace(so_far, warnings=(*so_far.warnings, text))
        text = (
            "ALARM: the live database is not as it was before the rehearsal. Each migration ran only where the application "
            "proved to be connected to the copy; look who else wrote"
        )
        return replace(so_far, against=(*so_far.against, Objection(about="live", text=text)))


def _loss_data(loss: Loss) -> dict[str, Any]:
    """Return the loss table as counts; not one key of a row, as this is for logs of deployments."""
    return {
        "verdict": loss.verdict,
        "rows_lost": loss.rows_lost,
        "values_lost": loss.values_lost,
        "values_moved": loss.values_moved,
        "tables": [
            {
                "table": t.table,
                "status": t.status,
                "rows_before": t.rows_before,
                "rows_after": t.rows_after,
                "rows_gone": t.missing,
                "rows_new": t.new,
                "rows_changed": t.changed,
                "values_lost": sum(c.values_lost for c in t.columns),
                "values_moved": sum(c.values_moved for c in t.columns),
            }
            for t in loss.tables
        ],
    }


def _objections(about: str, reasons: Sequence[str]) -> tuple[Objection, ...]:
    return tuple(Objection(about=about, text=reason) for reason in reasons)
