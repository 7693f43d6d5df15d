"""The site's own checks, asked of a database on the host; each answer is a number, never a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from bot.laravel.facts import AppFacts
from bot.model.database import CheckResult
from bot.model.event import Kind, NewEntry
from bot.model.incident import Incident
from bot.model.site_check import JudgedCheck, SiteCheck
from bot.ports.database import Database
from bot.runbook.checks import BACKUP, LIVE, OTHER, Asked, asked_on, judged, number_of, questions
from bot.service.site_work import SiteWork
from bot.settings import by_engine

CHECK_LIMIT_S = 60.0
"""How long one check may take."""


def checks_of(work: SiteWork, database: Database, facts: AppFacts) -> tuple[Asked, ...]:
    """Return the site's checks as this engine is asked."""
    checks = [one.check() for one in work.settings.checks]
    return asked_on(checks, database.engine, facts.migrations_table)


async def answers_of(
    work: SiteWork, database: Database, place: str, asked: Sequence[Asked], side: str
) -> dict[str, CheckResult]:
    """Return by name what the checks give on one side, asked of the database at `place`. Reads only."""
    wanted = questions(asked, side)
    if not wanted:
        return {}
    # The reader asks one after the other: no number of slow checks may look like a lost answer.
    limit = timedelta(seconds=CHECK_LIMIT_S * (len(wanted) + 1))
    results = await work.ask(database.checks(place, wanted, CHECK_LIMIT_S), limit)
    return {result.name: result for result in results}


async def first_numbers(
    work: SiteWork, database: Database, live: str, baseline: str, asked: Sequence[Asked]
) -> dict[str, dict[str, int | None]]:
    """Return by name what each check gives before the recovery: of live as it was found, and of the backup. Reads only."""
    before = await answers_of(work, database, live, asked, LIVE)
    backup = await answers_of(work, database, baseline, asked, BACKUP)
    return {one.name: {"before": number_of(one, before), "backup": number_of(one, backup)} for one in asked}


async def numbers_at(
    work: SiteWork, database: Database, place: str, asked: Sequence[Asked]
) -> dict[str, int | None]:
    """Return by name what each check gives of the database at `place`. Reads only."""
    answers = await answers_of(work, database, place, asked, LIVE)
    return {one.name: number_of(one, answers) for one in asked}


async def judged_after(
    work: SiteWork,
    database: Database,
    place: str,
    asked: Sequence[Asked],
    before: Mapping[str, int | None],
) -> tuple[JudgedCheck, ...]:
    """Return how each check holds at `place` after a migration was rehearsed there; `before` are its numbers from then.

    Reads only. What the backup gives is as it was told when the recovery was planned.
    """
    told = await earlier_numbers(work, database, await work.incident(), asked)
    earlier = {one.name: {**told.get(one.name, {}), "before": before.get(one.name)} for one in asked}
    live = await answers_of(work, database, place, asked, LIVE)
    return judged(asked, live, await answers_of(work, database, place, asked, OTHER), earlier)


async def earlier_numbers(
    work: SiteWork, database: Database, incident: Incident, asked: Sequence[Asked]
) -> dict[str, dict[str, int | None]]:
    """Return what was told of each check before the recovery. Reads only.

    A check that was mended in the settings since the plan has no number of the backup yet: its copy is asked now, where it
    is the plan's and still there, so that a mistake in the settings keeps nobody from reopening.
    """
    told = {name: dict(numbers) for name, numbers in ((incident.rehearsal or {}).get("checks") or {}).items()}
    late = [one for one in asked if one.needs_backup and told.get(one.name, {}).get("backup") is None]
    known: dict[str, Any] = incident.assessment or {}
    is_the_plans = known.get("backup_sha256") == (incident.plan or {}).get("backup_sha256")
    place = known.get("baseline") if is_the_plans else None
    if late and place and await work.is_there(database, str(place)):
        answers = await answers_of(work, database, str(place), late, BACKUP)
        for one in late:
            told[one.name] = {**told.get(one.name, {}), "backup": number_of(one, answers)}
    return told


async def users_affected(work: SiteWork, database: Database, facts: AppFacts, live: str) -> NewEntry | None:
    """Return how many users lost something, as the site's own question tells of the broken database. Reads only."""
    sql = by_engine(work.settings.users_affected)
    if not sql:
        return None
    asked = asked_on([SiteCheck(name="users affected", sql=sql)], database.engine, facts.migrations_table)
    answer = (await answers_of(work, database, live, asked, LIVE)).get("users affected")
    if answer is None:
        return None
    told = (
        f"{answer.value:,}"
        if answer.value is not None
        else f"not told by the site's question: {answer.error}"
    )
    return NewEntry(kind=Kind.NOTE, text=f"Users affected: {told}", data={"topic": "users affected"})
