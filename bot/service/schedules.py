"""What is done by the clock while there is no incident: one deadline for each site and kind, set anew each time it is due."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from bot.model.logbook import logbook_of
from bot.model.operation import Operation, OperationState
from bot.ports.alarms import Alarms
from bot.ports.store import Deadline, Transaction
from bot.service.parts import Parts
from bot.settings import ScheduleSettings, SiteSettings

log = structlog.get_logger(__name__)

SCHEDULED = ("health", "drill")
"""The kinds of operations that have a schedule; the kind of their deadline is the same word."""


def schedule_of(site: SiteSettings, kind: str) -> ScheduleSettings:
    """Return when a kind of work is done by itself on a site. *Raises* KeyError for a kind that has no schedule."""
    return {"health": site.backup_health, "drill": site.drills}[kind]


def deadline_key(kind: str, site: str) -> str:
    """Return the key of the deadline at which that work is due next."""
    return f"{kind}.{site}"


async def plan_all(tx: Transaction, parts: Parts, alarms: Alarms) -> None:
    """Set what is due next for each site, by the settings as they are now. *Changes*: the store only.

    A deadline that stands by the same schedule is left alone, so that a restart neither hastens nor delays it. *Raises*
    SettingsError for a cron line that is none.
    """
    now = await tx.now()
    for name, site in parts.settings.sites.items():
        for kind in SCHEDULED:
            due = next_due(schedule_of(site, kind), alarms, now)
            stands = await tx.deadline(deadline_key(kind, name))
            if due is None:
                await tx.drop_deadline(deadline_key(kind, name))
            elif stands is None or stands.args.get("schedule") != schedule_words(schedule_of(site, kind)):
                await _set(tx, parts, kind, name, due)


def next_due(schedule: ScheduleSettings, alarms: Alarms, now: datetime) -> datetime | None:
    """Return when work of that schedule is due next, None where it has none."""
    if schedule.cron is not None:
        return alarms.next_time(schedule.cron, now)
    return None if schedule.every is None else now + timedelta(seconds=schedule.every)


def schedule_words(schedule: ScheduleSettings) -> str:
    """Return a schedule in words; also what tells that it was changed in the settings."""
    if schedule.cron is not None:
        return f"by cron {schedule.cron} (UTC)"
    return "never by itself" if schedule.every is None else f"every {schedule.every:.0f} s"


async def begin_due(tx: Transaction, parts: Parts, alarms: Alarms, deadline: Deadline) -> None:
    """Begin the work that is due, and set when it is due next. *Changes*: the store only.

    Left out this time: while an incident of the site is open, which has its own looks at the backups and needs the host,
    and while the same work from last time still runs. What was missed while nothing ran is done once, not once for each time.
    """
    name, kind = str(deadline.args["site"]), deadline.kind
    schedule = schedule_of(parts.site(name), kind)
    if (due := next_due(schedule, alarms, await tx.now())) is None:
        return
    await _set(tx, parts, kind, name, due)
    if await tx.incidents(site=name, open_only=True) or await is_running(tx, name, kind):
        log.info("left out this time", site=name, kind=kind)
        return
    logbook = await tx.open_logbook(name)
    await tx.add_operation(
        Operation(
            id=f"cron:{kind}:{name}:{deadline.due_at.isoformat()}",
            kind=kind,
            incident_id=logbook,
            site=name,
            person="backout",
        )
    )


async def is_running(tx: Transaction, site: str, kind: str) -> bool:
    """Return whether such work runs on a site now."""
    running = await tx.operations(incident_id=logbook_of(site), state=OperationState.RUNNING)
    return any(operation.kind == kind for operation in running)


async def _set(tx: Transaction, parts: Parts, kind: str, site: str, due: datetime) -> None:
    schedule = schedule_words(schedule_of(parts.site(site), kind))
    await tx.set_deadline(
        Deadline(
            key=deadline_key(kind, site),
            kind=kind,
            due_at=due,
            incident_id=await tx.open_logbook(site),
            args={"site": site, "schedule": schedule},
        )
    )
