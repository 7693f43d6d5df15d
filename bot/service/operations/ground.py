"""What a plan stands on: the database and its copies, the backup, and the loss between them, read anew for each plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bot.laravel.facts import AppFacts
from bot.model.database import DatabaseFacts, Loss, Proof, TableLoss
from bot.model.errors import FailedError
from bot.model.incident import Incident
from bot.model.message import Tone
from bot.model.plan import Strategy
from bot.model.step import Step
from bot.ports.database import Database
from bot.service.operations.assess import load_baseline
from bot.service.site_work import Folders, SiteWork, step_message


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
    """A recovery carried out on scratch, and its account. `lists` are by key what it cannot bring back (see `to_reenter`).

    `orphans` are the rows without their parent that the copy has, by foreign key.
    """

    strategy: Strategy
    path: str
    fingerprint: str
    proof: Proof
    notes: tuple[str, ...]
    commands: tuple[str, ...]
    rows_lost_by_choice: int = 0
    unmapped: dict[str, int] = field(default_factory=dict)
    lists: tuple[dict[str, Any], ...] = ()
    orphans: dict[str, int] = field(default_factory=dict)

    @property
    def loses(self) -> bool:
        """Return whether something is lost that a person must agree to: then two have to."""
        return bool(self.rows_lost_by_choice or self.unmapped)


async def _first_ground(incident: Incident, path: str | None) -> dict[str, Any]:
    """Return the safety backup and the backup that this plan stands on, the same ones after a restart."""
    backup = incident.verified_backup(path) if path else incident.recommended
    return {"safety": incident.safety, "backup": backup}


async def read_ground(work: SiteWork) -> Ground:
    """Return what a plan stands on now. *Changes*: a scratch copy of the backup, where there is none yet.

    *Raises* FailedError where there is nothing to stand on: no assessment, safety backup or verified backup, or another
    database than the one assessed.
    """
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
        "compare",
        database.compare(baseline, safety["path"], [], folders.lists),
        root=folders.scratch_jobs,
        title=step_message(
            Step.RESTORE, "Comparing the backup with the safety backup, row by row.", Tone.WORKING
        ),
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


def undecided(ground: Ground, *, ask_again: bool) -> list[TableLoss]:
    """Return the tables of which nobody has said yet who deleted their rows; runtime tables are not asked about."""
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
