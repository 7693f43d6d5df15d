"""Finding and judging backups on the host: what is there, what each holds, and which one to take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bot.dumps.rank import rank
from bot.laravel.facts import AppFacts
from bot.laravel.rollback import last_migration
from bot.model.database import DatabaseFacts
from bot.model.errors import BackoutError, FailedError, UnknownOutcomeError
from bot.model.incident import Cutover, Incident
from bot.model.message import Message, Progress, Tone
from bot.model.step import Step
from bot.ports.database import Work
from bot.service.site_work import SiteWork, step_message

INSPECT_LIMIT = timedelta(minutes=20)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search gave: one dict for each file (path, word, reasons, size_bytes, mtime, completed, sha256, rows,
    migrations, recommended, …), best first. `complete` False: the search was cut at its limits. `skipped` are
    folders and files that were not looked at, with the reason; `added` the folders beside those of the settings."""

    backups: tuple[dict[str, Any], ...]
    complete: bool
    advice: str
    skipped: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


def bad_migration_of(facts: AppFacts) -> str:
    """Return the name of the last migration that ran. *Raises* FailedError where the table is missing or empty."""
    last = last_migration(facts.migration_rows or ())
    if last is None:
        raise FailedError(
            f"the table {facts.migrations_table} is missing or empty, so it cannot be told which migration did the damage. "
            "Nothing was changed. Call the DBA: /incident escalate"
        )
    return last.migration


def blamed_migration(incident: Incident, facts: AppFacts) -> str:
    """Return the migration that did the damage: the last that ran; once production was cut over, the one that was found before.

    After a restore the last one is a good one, and a corrected one may have run. *Raises* FailedError as `bad_migration_of`.
    """
    if is_blame_settled(incident):
        return str((incident.assessment or {})["bad_migration"])
    return bad_migration_of(facts)


def is_blame_settled(incident: Incident) -> bool:
    """Return whether the host tells no more which migration did the damage, and the timeline does."""
    changed = incident.cutover in (Cutover.DONE, Cutover.UNKNOWN)
    return changed and bool((incident.assessment or {}).get("bad_migration"))


@dataclass(frozen=True, kw_only=True)
class LiveShape:
    """What is known of the live database when a backup is judged; None or empty: not known, so not compared.

    `version` is the server's own, `objects` how many triggers, views, routines and events it has.
    """

    tables: tuple[str, ...] | None = None
    version: str | None = None
    objects: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, live: DatabaseFacts) -> LiveShape:
        """Return the shape that was just read."""
        return cls(tables=tuple(sorted(live.rows)), version=live.version, objects=live.objects)


async def search(work: SiteWork, facts: AppFacts, bad_migration: str, live: LiveShape) -> Found:
    """Find the backups of a site and judge each one on the host; reads only.

    Folders that people added for this incident are searched too.
    """
    incident = await work.incident()
    added = tuple(dict.fromkeys((*incident.backup_folders, *(work.ctx.args.get("also") or ()))))
    found = await find_files(work, facts, added)
    files = found["files"]
    answers: list[dict[str, Any]] = []
    unreadable: list[dict[str, Any]] = []
    for number, file in enumerate(files, start=1):
        await work.show(_looking(number, len(files)))
        try:
            answers.append({**await _judge(work, facts, bad_migration, file["path"], live), "file": file})
        except UnknownOutcomeError:
            raise
        except FailedError as error:
            unreadable.append(_unreadable(file["path"], file, str(error)))
    ranked = rank(answers)
    lines = [{**_line(a, a["file"]), "recommended": a is ranked.recommended} for a in ranked.ordered]
    skipped = tuple(f"{s['path']}: {s['reason']}" for s in found.get("skipped", ()))
    return Found(
        backups=(*lines, *unreadable),
        complete=bool(found["complete"]),
        advice=ranked.why,
        skipped=skipped,
        added=added,
    )


async def find_files(work: SiteWork, facts: AppFacts, added: Sequence[str] = ()) -> dict[str, Any]:
    """Return the files below the site's backup folders that may be backups, newest first: files, skipped, complete; reads only.

    `added` are folders beside those of the settings.
    """
    roots = (*work.settings.backups, *added)
    return await work.ask(
        Work(
            verb="find",
            request=find_request(work, facts, roots),
            describe=f"find backups in {', '.join(roots)}",
            read=dict,
        )
    )


def find_request(work: SiteWork, facts: AppFacts, roots: Sequence[str]) -> dict[str, Any]:
    """Return what the reader is told to find backups below `roots`: the live database is none."""
    settings = work.settings
    return {
        "roots": list(roots),
        "app_path": settings.app_path,
        "web_root": settings.web_root or f"{settings.app_path}/public",
        "live": facts.database.database,
    }


async def inspect(
    work: SiteWork, facts: AppFacts, bad_migration: str | None, path: str, live: LiveShape
) -> dict[str, Any]:
    """Judge one backup on the host, as a search does, and return its line; one that cannot be judged says so.

    `bad_migration` None: it may be from any time.
    """
    try:
        return {**_line(await _judge(work, facts, bad_migration, path, live), {}), "recommended": False}
    except UnknownOutcomeError:
        raise
    except FailedError as error:
        return _unreadable(path, {}, str(error))


async def _judge(
    work: SiteWork, facts: AppFacts, bad_migration: str | None, path: str, live: LiveShape
) -> dict[str, Any]:
    question: Work[dict[str, Any]] = Work(
        verb="inspect",
        request={
            "path": path,
            "before": bad_migration,
            "expect": {
                "engine": facts.database.driver,
                "tables": None if live.tables is None else list(live.tables),
                "database": facts.database.database,
                "migrations": [row.migration for row in facts.migration_rows or ()],
                "version": live.version,
                "objects": dict(live.objects),
            },
        },
        describe=f"inspect {path} (structure and counts, no rows)",
        read=dict,
    )
    return await work.ask(question, limit=INSPECT_LIMIT)


def _unreadable(path: str, file: dict[str, Any], reason: str) -> dict[str, Any]:
    return {
        "path": path,
        "word": "COULD NOT VERIFY",
        "reasons": [reason],
        "size_bytes": file.get("size_bytes", 0),
        "mtime": file.get("mtime"),
        "completed": None,
        "sha256": None,
        "rows": {},
        "migrations": [],
        "under_web_root": bool(file.get("under_web_root")),
        "recommended": False,
        "older_by": 0,
    }


def _line(answer: Mapping[str, Any], file: Mapping[str, Any]) -> dict[str, Any]:
    manifest, verdict = answer["manifest"], answer["verdict"]
    reasons = list(verdict["reasons"])
    if file.get("under_web_root"):
        reasons.append("it lies under the web root: anyone may be able to download it")
    return {
        "path": manifest["path"],
        "word": verdict["word"],
        "reasons": reasons,
        "notes": list(verdict.get("notes") or ()),
        "size_bytes": manifest["size_bytes"],
        "mtime": manifest["mtime"],
        "completed": manifest["completed"],
        "sha256": manifest["sha256"],
        "format": manifest["format"],
        "compression": manifest["compression"],
        "rows": {name: table["rows"] for name, table in manifest["tables"].items()},
        "migrations": [_migration(m) for m in manifest["migrations"] or ()],
        "under_web_root": bool(file.get("under_web_root")),
        "older_by": int(verdict.get("older_by") or 0),
    }


def _migration(row: Any) -> str:
    if isinstance(row, dict):
        return str(row.get("migration") or row.get("name"))
    return str(row[0]) if isinstance(row, (list, tuple)) else str(row)


async def deploy_script_facts(work: SiteWork) -> dict[str, Any] | None:
    """Return what the site's deploy script says of backups (paths and line numbers only), None where none is named."""
    script = work.settings.deploy_script
    if script is None:
        return None
    question: Work[dict[str, Any]] = Work(
        verb="scripts",
        request={"paths": [script], "app_path": work.settings.app_path},
        describe=f"read {script} for its backup command (on the host; no line leaves it)",
        read=dict,
    )
    try:
        answer = await work.ask(question)
    except UnknownOutcomeError:
        raise
    except BackoutError:
        return None
    scripts = answer.get("scripts") or []
    return scripts[0] if scripts else None


def _looking(number: int, total: int) -> Message:
    progress = Progress(what="looking at backups", done=number - 1, total=total, unit="files")
    return step_message(
        Step.CHOOSE_BACKUP, "Looking at each backup on the host.", Tone.WORKING, progress=progress
    )
