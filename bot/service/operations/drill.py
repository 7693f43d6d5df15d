"""A drill: the newest VERIFIED backup is restored into scratch, proven, timed and removed. Production is only read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from bot.laravel.facts import AppFacts
from bot.model.database import DatabaseFacts
from bot.model.errors import (
    BackoutError,
    FailedError,
    LeaseLostError,
    NotStartedError,
    StoreUnavailableError,
    UnknownOutcomeError,
)
from bot.model.event import Kind
from bot.model.message import Message, Place, Tone
from bot.ports.database import Database
from bot.ports.store import Transaction
from bot.runbook.checks import LIVE, OTHER, failed_in_a_copy
from bot.runbook.drills import drill_facts, drill_reasons, drill_words, is_slow, room_refusal
from bot.runbook.health import HealthVerdict, backup_facts
from bot.service.backup_search import LiveShape
from bot.service.engine import OperationContext
from bot.service.newest_backup import made_at, newest_backup
from bot.service.parts import Parts
from bot.service.site_checks import answers_of, checks_of
from bot.service.site_work import SiteWork
from bot.service.standing_alarms import Finding, last_findings, record_finding

EARLIER = 20
"""How many earlier drills say what is usual."""


async def drill(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Restore the newest VERIFIED backup into scratch and record how that went. *Changes*: scratch, which is removed again."""
    work = SiteWork(ctx, parts)
    if await parts.store.read(lambda tx: tx.incidents(site=work.site_name, open_only=True)):
        return {"refused": "an incident of the site is open"}
    # Recorded before the copy is removed: after a restart it is not looked at, and missed, a second time.
    found = await ctx.step("restored", lambda: _outcome(work))
    await tidy(ctx, parts)

    async def result() -> dict[str, Any]:
        return found

    async def record(tx: Transaction, drilled: dict[str, Any]) -> None:
        await record_drill(tx, parts, work.site_name, work.tag, drilled, work.person)

    return await ctx.step("drilled", result, record)


async def _outcome(work: SiteWork) -> dict[str, Any]:
    """Return what came of the restore, also where it failed or could not be made."""
    try:
        return await _restored(work)
    except (UnknownOutcomeError, LeaseLostError, StoreUnavailableError):
        raise  # not an end: the same scratch and the same job are looked at again
    except NotStartedError as error:
        return _ended(HealthVerdict.UNKNOWN, str(error))
    except BackoutError as error:
        return _ended(HealthVerdict.BAD, str(error))


def _ended(verdict: HealthVerdict, reason: str) -> dict[str, Any]:
    return {"verdict": verdict.value, "reasons": [reason.rstrip(".")], "backup": None}


async def _restored(work: SiteWork) -> dict[str, Any]:
    """Return what came of the restore: verdict, reasons, backup, and the seconds of each part."""
    is_resumed = "folders" in work.ctx.recorded()
    began = time.monotonic()
    facts = await work.app_facts()
    database = work.database(facts)
    live = await work.ask(database.facts(facts.database.database))
    if reason := room_refusal(live.size_bytes, live.free_bytes):
        return _ended(HealthVerdict.UNKNOWN, reason)
    line = await work.once("newest", dict, lambda: _newest(work, facts, live))
    search_s = time.monotonic() - began
    folders = await work.folders()
    target = database.scratch_place(folders.scratch, "drill", work.tag)
    expected = {name: rows for name, rows in line["rows"].items() if rows is not None}
    loaded = await work.scratch("load", database, database.load(line["path"], target, live, expected))
    loaded_at = time.monotonic()
    known = {row.migration for row in facts.migration_rows or ()} | {f.name for f in facts.migration_files}
    reasons = drill_reasons(
        expected=expected,
        loaded=loaded.rows,
        foreign_key_violations=loaded.foreign_key_violations,
        unknown_migrations=[name for name in loaded.migrations if name not in known],
        failed_checks=await _failed_checks(work, database, facts, target),
    )
    ended = time.monotonic()
    times = {
        "search_s": search_s,
        "load_s": (work.ctx.recorded().get("load") or {}).get("duration_s"),
        "proof_s": ended - loaded_at,
        "total_s": None if is_resumed else ended - began,
    }
    return {
        "verdict": (HealthVerdict.BAD if reasons else HealthVerdict.GOOD).value,
        "reasons": reasons,
        "backup": backup_facts(line, made_at(line), work.parts.clock.now()),
        **{name: None if value is None else round(value, 3) for name, value in times.items()},
    }


async def _newest(work: SiteWork, facts: AppFacts, live: DatabaseFacts) -> dict[str, Any]:
    """Return the newest VERIFIED backup's line. *Raises* FailedError where there is none."""
    newest = await newest_backup(work, facts, LiveShape.of(live))
    if newest.good is None:
        why = f"; the newest is {newest.bad[0]['word']}: {newest.bad[0]['reasons'][0]}" if newest.bad else ""
        raise FailedError(f"there is no VERIFIED backup to restore ({newest.files} files{why})")
    return newest.good


async def _failed_checks(work: SiteWork, database: Database, facts: AppFacts, place: str) -> list[str]:
    """Return the site's own checks that do not hold in the restored copy; reads only."""
    asked = checks_of(work, database, facts)
    sides = [await answers_of(work, database, place, asked, side) for side in (LIVE, OTHER)]
    return [
        f"{one.name} ({one.error or one.value}, expected {one.expected})"
        for one in failed_in_a_copy(asked, *sides)
    ]


async def tidy(ctx: OperationContext, parts: Parts) -> None:
    """Remove the scratch of a drill, also of one that was stopped. *Changes*: only that; what cannot be removed harms nobody."""
    if "folders" not in ctx.recorded():
        return
    work = SiteWork(ctx, parts)
    try:
        folders, database = await work.folders(), work.database(await work.app_facts())
        place = database.scratch_place(folders.scratch, "drill", work.tag)
        await work.work("drop", database.drop(place), root=folders.scratch_jobs)
    except (UnknownOutcomeError, LeaseLostError, StoreUnavailableError):
        raise
    except BackoutError:
        return


async def last_drills(tx: Transaction, site: str, limit: int = EARLIER) -> list[dict[str, Any]]:
    """Return the results of the last drills of a site, oldest first, each with its time `at`; reads only."""
    return await last_findings(tx, site, Kind.DRILLED, limit)


async def record_drill(
    tx: Transaction, parts: Parts, site: str, tag: str, drilled: Mapping[str, Any], actor: str = "backout"
) -> None:
    """Write a drill into the site's logbook and tell it where reports are read. *Changes*: the store only."""
    earlier = await last_drills(tx, site)
    text = drill_words(site, drilled, earlier)
    facts = drill_facts(drilled)
    finding = Finding(
        kind=Kind.DRILLED, slot="drills", subject=f"Drills of {site}", text=text, data=drilled, facts=facts
    )
    await record_finding(tx, parts, site, finding, actor)
    if drilled["verdict"] == HealthVerdict.GOOD:
        slow = is_slow(drilled, earlier)
        told = Message(
            slot=f"drill-{tag}",
            title=f"Drill of {site}: restored and proven{', but slowly' if slow else ''}",
            tone=Tone.WARNING if slow else Tone.GOOD,
            body=text,
            facts=facts,
            place=Place.REPORTS,
        )
        await tx.put_message(await tx.open_logbook(site), told)
