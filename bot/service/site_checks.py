"""The site's own checks, asked of a database on the host; each answer is a number, never a row."""

from __future__ import annotations

from collections.abc import Sequence

from bot.laravel.facts import AppFacts
from bot.model.database import CheckResult
from bot.model.event import Kind, NewEntry
from bot.model.site_check import SiteCheck
from bot.ports.database import Database
from bot.runbook.checks import BACKUP, LIVE, Asked, asked_on, number_of, questions
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
    results = await work.ask(database.checks(place, wanted, CHECK_LIMIT_S))
    return {result.name: result for result in results}


async def first_numbers(
    work: SiteWork, database: Database, live: str, baseline: str, asked: Sequence[Asked]
) -> dict[str, dict[str, int | None]]:
    """Return by name what each check gives before the recovery: of live as it was found, and of the backup. Reads only."""
    before = await answers_of(work, database, live, asked, LIVE)
    backup = await answers_of(work, database, baseline, asked, BACKUP)
    return {one.name: {"before": number_of(one, before), "backup": number_of(one, backup)} for one in asked}


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
