"""The check of a site's backups, asked for or by the clock: what is there, what it is worth, whether anyone must be alarmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.model.errors import BackoutError, LeaseLostError, StoreUnavailableError
from bot.model.event import Kind, NewEntry
from bot.model.logbook import logbook_of
from bot.model.message import Message, Place, Tone
from bot.ports.store import Transaction
from bot.runbook.health import (
    Alarm,
    HealthLimits,
    HealthVerdict,
    alarm_data,
    alarm_of,
    backup_facts,
    health_reasons,
    health_words,
    next_alarm,
)
from bot.service.backup_search import LiveShape
from bot.service.engine import OperationContext
from bot.service.newest_backup import made_at, newest_backup
from bot.service.parts import Parts
from bot.service.site_work import SiteWork

EARLIER = 100
"""How many earlier checks are looked at for the trend: with one check an hour, four days."""

_TITLES = {HealthVerdict.BAD: "not good", HealthVerdict.UNKNOWN: "not looked at"}


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
    return HealthLimits(max_age_s=known.max_age, shrunk_below=known.shrunk_below, remind_s=known.remind)


async def last_checks(tx: Transaction, site: str, limit: int = EARLIER) -> list[dict[str, Any]]:
    """Return the results of the last checks of a site's backups, oldest first, each with its time `at`; reads only."""
    found = await tx.last_entries(logbook_of(site), [Kind.BACKUPS_CHECKED], limit)
    return [{**entry.data, "at": entry.at.isoformat()} for entry in found]


async def earlier_backups(tx: Transaction, site: str) -> list[dict[str, Any]]:
    """Return the newest VERIFIED backup of each earlier check, oldest first; reads only."""
    return [check["backup"] for check in await last_checks(tx, site) if check.get("backup")]


async def record_check(
    tx: Transaction, parts: Parts, site: str, found: Mapping[str, Any], actor: str = "backout"
) -> None:
    """Write a check's result into the site's logbook, and alarm or reassure people. *Changes*: the store only."""
    logbook = await tx.open_logbook(site)
    before = alarm_of(next(iter((await last_checks(tx, site, 1))[-1:]), None))
    verdict = HealthVerdict(found["verdict"])
    now = next_alarm(before, verdict, await tx.now(), limits_of(parts, site).remind_s)
    text = health_words(site, found)
    data = {**found, "alarm": alarm_data(now)}
    await tx.append(logbook, [NewEntry(kind=Kind.BACKUPS_CHECKED, actor=actor, text=text, data=data)])
    if now.on and (now.rings > before.rings or not before.on):
        await _ring(tx, parts, logbook, site, found, now)
    elif before.on and not now.on:
        await _reassure(tx, logbook, site, found, before)


async def _ring(
    tx: Transaction, parts: Parts, logbook: str, site: str, found: Mapping[str, Any], alarm: Alarm
) -> None:
    """Tell an alarm as a message of its own each time, so that it is noticed. *Changes*: the store only."""
    again = f" Since {_minute(alarm.since)}; told {alarm.rings} times." if alarm.rings > 1 else ""
    contact = called_contact(parts, site) if parts.site(site).backup_health.call else None
    message = Message(
        slot=f"backups-{alarm.number}-{alarm.rings}",
        title=f"Backups of {site}: {_TITLES[HealthVerdict(found['verdict'])]}",
        tone=Tone.BAD,
        body=health_words(site, found) + again,
        facts=tuple((b["path"], f"{b['word']}: {'; '.join(b['reasons'])}") for b in found.get("bad", ())[:5]),
        next_steps=(f"/backups health {site}",),
        calls=(contact,) if contact else (),
        place=Place.REPORTS,
    )
    await tx.put_message(logbook, message)
    if contact is not None:
        direct = replace(message, slot=f"{message.slot}-direct", place=Place.DIRECT, person=contact)
        await tx.put_message(logbook, direct)


async def _reassure(tx: Transaction, logbook: str, site: str, found: Mapping[str, Any], over: Alarm) -> None:
    """Tell that an alarm is over, and say so in it, so that nobody who reads it later jumps up. *Changes*: the store only."""
    since = _minute(found["backup"]["made_at"])
    for stored in await tx.messages(logbook):
        told = stored.message
        if told.slot.startswith(f"backups-{over.number}-") and told.tone is Tone.BAD:
            body = f"Over: good again since {since}. ({told.body})"
            await tx.put_message(logbook, replace(told, tone=Tone.NEUTRAL, body=body))
    good = Message(
        slot=f"backups-{over.number}-good",
        title=f"Backups of {site}: good again",
        tone=Tone.GOOD,
        body=f"Good again since {since}; the alarm began at {_minute(over.since)}. {health_words(site, found)}",
        place=Place.REPORTS,
    )
    await tx.put_message(logbook, good)


def called_contact(parts: Parts, site: str) -> str | None:
    """Return the name of the person who is the first contact of a site that has an account, None where there is none."""
    names = (contact.person for contact in parts.site(site).contacts)
    return next((name for name in names if name and parts.person(name)), None)


def _minute(iso: str) -> str:
    return f"{iso[:10]} {iso[11:16]} UTC"
