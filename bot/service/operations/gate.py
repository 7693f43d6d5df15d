"""The gate before a deployment's `migrate`: a fresh backup, a review, and a rehearsal of what is pending. Changes scratch only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bot.laravel.analysis import unexplained_line
from bot.laravel.facts import AppFacts, MigrationFile, pending_migrations
from bot.laravel.migrate import migrate_refusal
from bot.model.database import DatabaseFacts
from bot.model.errors import FailedError
from bot.ports.host import Command
from bot.runbook.gate import (
    GateResult,
    Objection,
    Rehearsed,
    backup_objection,
    gate_result,
    nothing_pending,
    review_objections,
)
from bot.service.backup_search import LiveShape
from bot.service.engine import OperationContext
from bot.service.migration_findings import findings_of
from bot.service.newest_backup import made_at, newest_backup
from bot.service.operations.gate_rehearsal import rehearse
from bot.service.parts import Parts
from bot.service.site_work import SiteWork

SOURCE_LIMIT_BYTES = 1_000_000


async def gate(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Return whether the site's pending migrations may run now, as JSON data. *Changes*: scratch, which is removed again."""
    work = SiteWork(ctx, parts)
    accept = tuple(str(one) for one in ctx.args.get("accept") or ())
    return (await _weighed(work, accept)).as_json()


async def _weighed(work: SiteWork, accept: tuple[str, ...]) -> GateResult:
    facts = await work.app_facts()
    if facts.database.problem is not None:
        raise FailedError(f"the application of {work.site_name} cannot reach its database")
    pending = pending_migrations(facts)
    if facts.migration_rows and not pending:
        return nothing_pending(work.site_name)
    database = work.database(facts)
    live = await work.ask(database.facts(facts.database.database))
    files = [f for f in facts.migration_files if f.name in pending]
    against: list[Objection] = []
    if reason := migrate_refusal(facts.migration_rows, pending, [f.name for f in files]):
        against.append(Objection(about="migrations", text=reason))
    backup, objection = await _backup(work, facts, live)
    against += [objection] if objection else []
    findings = await _review(work, facts, live, files)
    stops = [o for o in (*against, *review_objections(findings)) if o.about not in accept]
    rehearsed: Rehearsed | None = None
    if not stops:  # what is refused already needs no copy of the database
        rehearsed = await rehearse(work, facts, database, live, files)
    return gate_result(
        site=work.site_name,
        pending=pending,
        backup=backup,
        findings=findings,
        against=against,
        rehearsed=rehearsed,
        accept=accept,
    )


async def _backup(
    work: SiteWork, facts: AppFacts, live: DatabaseFacts
) -> tuple[dict[str, Any] | None, Objection | None]:
    """Return the newest VERIFIED backup within the site's age limit, and what stands against migrating with it."""
    limit_s, now = work.settings.gate.backup_age, work.parts.clock.now()
    earliest = now - timedelta(seconds=limit_s)
    newest = await newest_backup(work, facts, LiveShape.of(live), not_before=earliest)
    if newest.good is None:
        return None, backup_objection(None, limit_s, newest.bad)
    line = newest.good
    age_s = max(0.0, (now - made_at(line)).total_seconds())
    told = {
        "path": line["path"],
        "file": line["path"].rsplit("/", 1)[-1],
        "verdict": line["word"],
        "age_s": round(age_s, 1),
        "limit_s": limit_s,
        "size_bytes": line["size_bytes"],
        "sha256": line["sha256"],
    }
    objection = backup_objection(age_s, limit_s, newest.bad)
    if objection is None and line["older_by"]:
        text = f"the newest VERIFIED backup, {told['file']}, lacks {line['older_by']} migration(s) that have run since"
        objection = Objection(about="backup", text=text)
    return told, objection


async def _review(
    work: SiteWork, facts: AppFacts, live: DatabaseFacts, files: list[MigrationFile]
) -> list[dict[str, Any]]:
    """Return the review's findings on each pending file, and where a data migration has no analysis comment; reads only."""
    findings: list[dict[str, Any]] = []
    for file in files:
        cat = Command(argv=["cat", "--", file.path], max_output_bytes=SOURCE_LIMIT_BYTES)
        source = await work.look_ok(cat, f"read {file.path}")
        name = file.path.rsplit("/", 1)[-1]
        findings += findings_of(source, name, facts, live)
        if (line := unexplained_line(source)) is not None:
            findings.append(_unexplained(name, line))
    return findings


def _unexplained(file: str, line: int) -> dict[str, Any]:
    text = (
        "it moves data, and no analysis comment before this line says which data there are, where they go, "
        "and how they come back"
    )
    return {"file": file, "code": "no_analysis", "severity": "warn", "line": line, "message": text}
