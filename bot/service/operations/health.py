"""The check of a site's backups, asked for or by the clock: what is there, what it is worth, whether anyone must be alarmed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.model.errors import BackoutError, LeaseLostError, StoreUnavailableError
from bot.model.event import Kind
from bot.ports.store import Transaction
from bot.runbook.health import HealthLimits, HealthVerdict, backup_facts, health_reasons, health_words
from bot.service.backup_search import LiveShape
from bot.service.engine import OperationContext
from bot.service.newest_backup import made_at, newest_backup
from bot.service.parts import Parts
from bot.service.site_work import SiteWork
from bot.service.standing_alarms import Finding, last_findings, record_finding

EARLIER = 100
"""How many earlier checks are looked at for the trend: with one check an hour, four days."""

BAD_SHOWN = 5


async def check_backups(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Look at the newest backups and record how they are. *Changes*: Backout's own records; reads only on the host."""
    work = SiteWork(ctx, parts)

    async def look() -> dict[str, Any]:
        try:
            return await _looked(work)
        except (LeaseLostError, StoreUnavailableError):
            raise
        except BackoutError as error:  # also an unknown outcome: it only reads, and the next check asks again
            return {
                "verdict": HealthVerdict.UNKNOWN.value,
                "reasons": [str(error).rstrip(".")],
                "backup": None,
            }

    async def record(tx: Transaction, found: dict[str, Any]) -> None:
        await record_check(tx, parts, work.site_name, found, work.person)

    return await ctx.step("looked", look, record)


async def _looked(work: SiteWork) -> dict[str, Any]:
    facts = await work.app_facts()
    live = await work.ask(work.database(facts).facts(facts.database.database))
    newest = await newest_backup(work, facts, LiveShape.of(live))
    now = work.parts.clock.now()
    backup = backup_facts(newest.good, made_at(newest.good), now) if newest.good else None
    bad = [{"path": b["path"], "word": b["word"], "reasons": b["reasons"]} for b in newest.bad]
    earlier = await work.parts.store.read(lambda tx: earlier_backups(tx, work.site_name))
    reasons = health_reasons(backup, bad, newest.files, earlier, limits_of(work.parts, work.site_name))
    return {
        "verdict": (HealthVerdict.BAD if reasons else HealthVerdict.GOOD).value,
        "reasons": reasons,
        "backup": backup,
        "bad": bad,
        "files": newest.files,
        "skipped": list(newest.skipped),
    }


def limits_of(parts: Parts, site: str) -> HealthLimits:
    """Return what the settings ask of a site's backups."""
    known = parts.site(site).backup_health
    return HealthLimits(max_age_s=known.max_age, shrunk_below=known.shrunk_below)


async def last_checks(tx: Transaction, site: str, limit: int = EARLIER) -> list[dict[str, Any]]:
    """Return the results of the last checks of a site's backups, oldest first, each with its time `at`; reads only."""
    return await last_findings(tx, site, Kind.BACKUPS_CHECKED, limit)


async def earlier_backups(tx: Transaction, site: str) -> list[dict[str, Any]]:
    """Return the newest VERIFIED backup of each earlier check, oldest first; reads only."""
    return [check["backup"] for check in await last_checks(tx, site) if check.get("backup")]


async def record_check(
    tx: Transaction, parts: Parts, site: str, found: Mapping[str, Any], actor: str = "backout"
) -> None:
    """Write a check's result into the site's logbook, and alarm or reassure people. *Changes*: the store only."""
    bad = found.get("bad") or ()
    finding = Finding(
        kind=Kind.BACKUPS_CHECKED,
        slot="backups",
        subject=f"Backups of {site}",
        text=health_words(site, found),
        data=found,
        good_since=(found["backup"] or {}).get("made_at"),
        facts=tuple((b["path"], f"{b['word']}: {'; '.join(b['reasons'])}") for b in bad[:BAD_SHOWN]),
    )
    await record_finding(tx, parts, site, finding, actor)
