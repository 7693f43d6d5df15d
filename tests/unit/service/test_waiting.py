"""Jobs, sessions and locks are told with their ages before reopening, and a person decides what becomes of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from adapters.chat_common.words import needs_modal
from adapters.host_reader.mysql.check import why_not_a_question
from adapters.host_reader.sqlite_check import sqlite_check
from adapters.slack_chat.modals import TITLE_LIMIT
from adapters.sqlite_database.database import SqliteDatabase
from bot.laravel.runtime_rows import runtime_questions
from bot.model.errors import ReaderRefusalError
from bot.model.event import Kind
from bot.model.incident import Incident
from bot.ports.database import Work as Asked
from bot.runbook.guards import reopen_objections
from bot.runbook.waiting_work import LEFT_ITEM, left_over, waiting_table
from bot.service.operations.waiting import ask_what_is_left, waiting_rows, waiting_shown
from bot.service.site_work import SiteWork
from tests.playbooks.story import DATA_GOOD, DEPLOYED_STORY, moment
from tests.unit.laravel.test_answer_and_facts import recorded_facts

NOW = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
TABLES = [
    {"role": role, "table": role, "in_use": True, "in_default_database": True, "exists": True}
    for role in ("jobs", "job_batches", "failed_jobs", "sessions", "cache", "cache_locks")
]
FACTS = recorded_facts(runtime_tables=TABLES, timezone="Europe/Berlin")
ROWS = {"jobs": 2, "job_batches": 0, "failed_jobs": 1, "sessions": 1, "cache": 2, "cache_locks": 1}


class Work:
    """A host whose reader is asked in this process; with a `refusal` it says no."""

    def __init__(self, refusal: str = "") -> None:
        self._refusal = refusal

    async def ask(self, work: Asked[Any], limit: timedelta) -> Any:
        if self._refusal:
            raise ReaderRefusalError(self._refusal, kind="busy")
        return work.read(sqlite_check(work.request))


@pytest.fixture
def live(tmp_path: Path) -> str:
    """A database with rows of known ages, in the shape that Laravel's own migrations give."""
    path, second = tmp_path / "live.sqlite", int(NOW.timestamp())
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("create table jobs (id integer, reserved_at integer, created_at integer)")
        database.execute("create table job_batches (id text, created_at integer)")
        database.execute("create table failed_jobs (id integer, failed_at text)")
        database.execute("create table sessions (id text, last_activity integer)")
        database.execute("create table cache (key text, expiration integer)")
        database.execute("create table cache_locks (key text, expiration integer)")
        jobs = [(1, None, second - 3 * 86400), (2, second - 60, second - 120)]
        database.executemany("insert into jobs values (?, ?, ?)", jobs)
        database.execute("insert into failed_jobs values (1, '2026-01-02 02:00:00')")  # 01:00 UTC in winter
        database.execute(
            "insert into cache values ('app_cache_framework/schedule-6f1e', ?)", (second + 3600,)
        )
        database.execute("insert into sessions values ('s', ?)", (second - 600,))
        database.execute("insert into cache values ('c', ?)", (second - 5,))
        database.execute("insert into cache_locks values ('l', ?)", (second + 1800,))
    return str(path)


async def told(live: str, refusal: str = "") -> list[dict[str, Any]]:
    work = cast("SiteWork", Work(refusal))
    return await waiting_rows(work, SqliteDatabase(), FACTS, live, ROWS)


async def test_each_kind_is_told_with_its_age(live: str) -> None:
    """Counts and ages come from the live database; a date is in the application's own zone, a lock tells when it ends."""
    table = waiting_table(await told(live), NOW)
    ages = {row[0]: (row[2], row[3]) for row in table.rows}
    assert ages == {
        "jobs that wait": (
            "2",
            "oldest 3 days, newest 2 min 0 s; 1 were being worked on, and may run a second time",
        ),
        "batches of jobs": ("0", "–"),
        "failed jobs": ("1", "2 h 0 min old"),
        "sessions": ("1", "10 min 0 s old"),
        "cached values": ("2", "the last runs out in 1 h 0 min"),
        "locks, the scheduler's too": ("1", "the last runs out in 30 min 0 s"),
    }


async def test_an_age_that_cannot_be_told_keeps_nobody_from_going_on(live: str) -> None:
    """Where the database does not answer in time, the counts are told without ages."""
    (jobs, *_) = await told(live, refusal="busy")
    assert (jobs["rows"], jobs["oldest"]) == (2, None)
    (message,) = waiting_shown([jobs], NOW, FACTS)
    assert message.table is not None
    assert message.table.rows[0][3] == "not known"


@pytest.mark.parametrize("engine", ["mysql", "mariadb", "pgsql", "sqlite"])
def test_the_questions_are_such_that_every_engine_answers(engine: str) -> None:
    """Each is one reading question, with its table quoted."""
    asked = runtime_questions(FACTS.runtime_tables, engine)
    assert len(asked) == 13
    assert all(why_not_a_question(str(one["sql"])) is None for one in asked)
    mark = "`" if engine in ("mysql", "mariadb") else '"'
    assert all(f"FROM {mark}" in str(one["sql"]) for one in asked)


async def test_waiting_jobs_are_asked_about_and_stand_against_opening(live: str) -> None:
    """With jobs in the queue a person is asked before reopening; a no, or no answer, is an objection that is named."""
    waiting = await told(live)
    asked = ask_what_is_left(Incident(data_check={"waiting": waiting}), NOW)
    assert asked is not None
    assert "- **2 waiting jobs** (oldest 3 days" in asked.body
    assert (
        asked.question
        == "When it opens: may 2 waiting jobs run, and 1 failed job, 1 session and 2 locks stay?"
    )
    assert [choice.key for choice in asked.choices] == [
        "ok",
        "bad",
        "aside_jobs",
        "aside_failed_jobs",
        "aside_sessions",
        "aside_locks",
    ]
    tested = moment(Kind.APP_TESTED, passed=True, manual_items=[LEFT_ITEM])
    story = DEPLOYED_STORY.and_then(DATA_GOOD, tested)
    assert reopen_objections(story.state()) == (f"nobody has confirmed: {LEFT_ITEM}",)
    said = {key: moment(Kind.DECISION_ANSWERED, purpose=asked.purpose, answer=key) for key in ("ok", "bad")}
    assert reopen_objections(story.and_then(said["bad"]).state()) == (
        f"a person said no to this: {LEFT_ITEM}",
    )
    assert reopen_objections(story.and_then(said["ok"]).state()) == ()


async def test_what_takes_rows_out_is_asked_once_more(live: str) -> None:
    """Each such button is a grave one, and its label is a whole title of Slack's form."""
    asked = ask_what_is_left(Incident(data_check={"waiting": await told(live)}), NOW)
    assert asked is not None
    grave = [choice for choice in asked.choices if choice.starts]
    assert [needs_modal(choice) for choice in asked.choices] == [False, False, True, True, True, True]
    assert max(len(choice.label) for choice in grave) <= TITLE_LIMIT


async def test_without_waiting_jobs_the_rest_is_asked_about(live: str) -> None:
    """Failed jobs, sessions and locks share one question, whose first answer leaves all as it is."""
    waiting = [one for one in await told(live) if one["role"] != "jobs"]
    asked = ask_what_is_left(Incident(data_check={"waiting": waiting}), NOW)
    assert asked is not None
    assert asked.purpose == f"manual:{LEFT_ITEM}"
    assert asked.question == "When it opens: may 1 failed job, 1 session and 2 locks stay as they are?"
    assert (asked.choices[0].key, asked.choices[0].label, asked.choices[0].starts) == (
        "ok",
        "All may stay",
        None,
    )
    assert [(choice.starts, choice.args["what"]) for choice in asked.choices[2:]] == [
        ("set_aside", "failed_jobs"),
        ("set_aside", "sessions"),
        ("set_aside", "locks"),
    ]
    assert (
        "(1 in cache_locks: the last runs out in 30 min 0 s; 1 in cache: the last runs out in 1 h"
        in asked.body
    )


async def test_what_holds_nothing_is_not_asked_about(live: str) -> None:
    """Locks that have run out, and sessions of a table that the application does not use, need no decision."""
    (sessions, locks) = [one for one in await told(live) if one["role"] in ("sessions", "cache_locks")]
    assert left_over([{**sessions, "in_use": False}, locks], NOW + timedelta(hours=2)) == ()


def test_an_empty_queue_asks_nothing() -> None:
    """Where the count is zero there is no question, also in an incident from before ages were told."""
    empty = {"role": "jobs", "table": "jobs", "rows": 0}
    assert ask_what_is_left(Incident(data_check={"waiting": [empty]}), NOW) is None
    assert ask_what_is_left(Incident(data_check={}), NOW) is None


def test_what_lies_elsewhere_is_told_as_not_looked_at() -> None:
    """A queue in Redis runs on as soon as the site opens, though no row of it is in the database."""
    facts = recorded_facts(queue_driver="redis", session_driver="file", cache_driver="array")
    (message,) = waiting_shown([], NOW, facts)
    assert message.body == (
        "Not in this database, so neither listed nor asked about: the queue (`redis`), sessions (`file`)."
    )
    assert message.table is None
    nothing = recorded_facts(queue_driver="sync", session_driver="cookie", cache_driver="database")
    assert waiting_shown([], NOW, nothing) == []
