"""Jobs, sessions, caches and locks of the live database: how many, how old, and the question before jobs run again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from bot.laravel.facts import AppFacts
from bot.laravel.runtime_rows import runtime_questions, runtime_rows
from bot.model.codec import to_json
from bot.model.decision import Choice
from bot.model.errors import ReaderRefusalError
from bot.model.incident import Incident
from bot.model.message import Message, Tone
from bot.model.step import Step
from bot.ports.database import Database
from bot.runbook.waiting_work import JOBS_ITEM, waiting_jobs, waiting_table
from bot.service.desk import Question
from bot.service.site_work import SiteWork

AGE_LIMIT_S = 10.0
"""A table whose age takes longer to find out than this is told without it."""


async def waiting_rows(
    work: SiteWork, database: Database, facts: AppFacts, live: str, rows: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Return the runtime tables of the live database with counts and ages, as the timeline keeps them. Reads only.

    An age that cannot be told keeps nobody from going on.
    """
    tables = [one for one in facts.runtime_tables if one.in_default_database and one.table in rows]
    asked = runtime_questions([one for one in tables if rows[one.table]], database.engine)
    numbers: dict[str, int | None] = {}
    if asked:
        limit = timedelta(seconds=AGE_LIMIT_S * (len(asked) + 1))
        try:
            answers = await work.ask(database.checks(live, asked, AGE_LIMIT_S), limit)
            numbers = {one.name: one.value for one in answers}
        except ReaderRefusalError:
            numbers = {}
    found = runtime_rows(tables, rows, numbers, facts.timezone)
    return [to_json(one) for one in found]


def waiting_shown(told: list[dict[str, Any]], now: datetime) -> list[Message]:
    """Return the message with each kind of such rows, none where the database holds none."""
    if not told:
        return []
    body = "The current rows are kept, as they were when the site was frozen; nothing of these comes from the backup."
    if waiting_jobs(told, now):
        body += " Before the site opens it is asked whether the waiting jobs may run."
    return [
        Message(
            slot="waiting",
            title="Jobs, sessions, caches and locks",
            tone=Tone.NEUTRAL,
            step=int(Step.VERIFY_DATA),
            body=body,
            table=waiting_table(told, now),
        )
    ]


def ask_for_jobs(incident: Incident, now: datetime) -> Question | None:
    """Return the question whether the waiting jobs may run, None where none waits. What nobody answers stands against opening."""
    told = (incident.data_check or {}).get("waiting") or ()
    jobs = waiting_jobs(told, now)
    if jobs is None:
        return None
    return Question(
        purpose=f"manual:{JOBS_ITEM}",
        question="Jobs wait in the queue. May they run when the application opens?",
        body=jobs,
        choices=(
            Choice(key="ok", label="They may run", style="primary"),
            Choice(key="bad", label="Not yet", style="danger", rejects=True),
        ),
        step=Step.TEST_APP,
        tone=Tone.NEUTRAL,
    )
