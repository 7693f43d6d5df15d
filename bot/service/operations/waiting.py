"""Jobs, sessions, caches and locks of the live database: how many, how old, and what becomes of them before it opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.laravel.facts import AppFacts
from bot.laravel.runtime_rows import SCHEDULE_KEY, runtime_questions, runtime_rows
from bot.model.codec import to_json
from bot.model.database import SetAside
from bot.model.decision import Choice
from bot.model.errors import FailedError, ReaderRefusalError
from bot.model.event import Kind, NewEntry
from bot.model.incident import Incident
from bot.model.message import Message, Tone
from bot.model.step import Step
from bot.ports.database import Database
from bot.runbook.waiting_work import (
    LEFT_ITEM,
    Left,
    elsewhere_words,
    left_over,
    left_words,
    put_back_words,
    question_words,
    stay_label,
    waiting_table,
)
from bot.service.desk import Question
from bot.service.engine import OperationContext
from bot.service.parts import Parts
from bot.service.site_work import SiteWork, Telling

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


def waiting_shown(told: list[dict[str, Any]], now: datetime, facts: AppFacts) -> list[Message]:
    """Return the message with each kind of such rows, and what of it lies elsewhere; none where there is neither."""
    elsewhere = elsewhere_words(
        queue=facts.queue_driver, sessions=facts.session_driver, cache=facts.cache_driver
    )
    parts = []
    if told:
        parts.append(
            "The current rows are kept, as they were when the site was frozen; nothing of these comes from the backup."
        )
    if left_over(told, now):
        parts.append("Before the site opens it is asked what becomes of them.")
    if elsewhere:
        parts.append(elsewhere)
    if not parts:
        return []
    return [
        Message(
            slot="waiting",
            title="Jobs, sessions, caches and locks",
            tone=Tone.NEUTRAL,
            step=int(Step.VERIFY_DATA),
            body=" ".join(parts),
            table=waiting_table(told, now) if told else None,
        )
    ]


def ask_what_is_left(incident: Incident, now: datetime) -> Question | None:
    """Return the one question about jobs, sessions and locks, None where there is nothing to decide.

    What nobody answers stands against opening.
    """
    left = left_over((incident.data_check or {}).get("waiting") or (), now)
    if not left:
        return None
    return _question(left, LEFT_ITEM)


def ask_again(incident: Incident, item: str, now: datetime) -> list[Question]:
    """Return the question once more, for where what was pressed could not be done; none where nothing is left."""
    left = left_over((incident.data_check or {}).get("waiting") or (), now)
    return [_question(left, item)] if left else []


def _question(left: Sequence[Left], item: str) -> Question:
    others = (
        Choice(
            key=f"aside_{one.kind}",
            label=one.label,
            style="danger",
            starts="set_aside",
            args={"what": one.kind, "item": item},
        )
        for one in left
    )
    return Question(
        purpose=f"manual:{item}",
        question=question_words(left),
        body=left_words(left),
        choices=(
            Choice(key="ok", label=stay_label(left), style="primary"),
            Choice(key="bad", label="Not yet", rejects=True),
            *others,
        ),
        step=Step.TEST_APP,
        tone=Tone.NEUTRAL,
    )


async def set_aside(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Take one kind of these rows out of production, kept in files first. *Changes*: those rows of Laravel's own tables."""
    work = SiteWork(ctx, parts)
    await ctx.take_site()
    facts, folders = await work.facts_and_folders()
    if facts.maintenance.is_down is not True:
        raise FailedError(
            f"{work.site_name} is not in maintenance mode, so its rows are left alone. Nothing was changed. First: /app freeze"
        )
    what, item = str(ctx.args["what"]), str(ctx.args["item"])
    database, live = work.database(facts), facts.database.database
    tables = _tables(what, ((await work.incident()).data_check or {}).get("waiting") or ())
    if not tables:
        raise FailedError(
            f"there is nothing of that kind in {work.site_name} any more. Nothing was changed. See: /app check"
        )
    kept = await work.work(
        "set-aside", database.set_aside(live, tables, folders.kept, work.tag), root=folders.change_jobs
    )
    rows = (await work.ask(database.facts(live))).rows
    told = await waiting_rows(work, database, facts, live, rows)
    left = left_over(told, parts.clock.now())
    how = put_back_words(database.engine, live)
    await work.tell("set-aside", _set_aside(kept, what, item, told, left, work.person, how))
    return {"rows": sum(one.rows for one in kept)}


def _tables(kind: str, told: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return the tables whose rows are meant by a kind, as the database is asked to set them aside."""
    roles = {"locks": "cache_locks"}
    found = [
        {"table": str(one["table"])}
        for one in told
        if one["role"] == roles.get(kind, kind) and one["rows"] and one.get("in_use", True)
    ]
    if kind == "locks":
        found += [
            {"table": str(one["table"]), "key_holds": SCHEDULE_KEY}
            for one in told
            if one["role"] == "cache" and one.get("schedule")
        ]
    return found


def _set_aside(
    kept: tuple[SetAside, ...],
    what: str,
    item: str,
    told: list[dict[str, Any]],
    left: Sequence[Left],
    person: str,
    how: str,
) -> Telling:
    files = "; ".join(f"{one.rows:,} of {one.table} in {one.file}" for one in kept)
    text = f"Taken out of production, and kept on the host: {files}."
    counted = " and ".join(f"{one.rows:,} of {one.table}" for one in kept)
    data = {
        "what": what,
        "item": item,
        "settled": not left,
        "kept": [to_json(one) for one in kept],
        "waiting": told,
    }
    message = Message(
        slot=f"aside-{what}",
        title="Rows set aside",
        tone=Tone.GOOD,
        step=int(Step.TEST_APP),
        body=f"Taken out of production: {counted}. They are kept on the host, and may hold what your users wrote: remove each file "
        "once nobody needs it.",
        facts=(
            *((one.table, f"`{one.file}`") for one in kept),
            ("to put them back, on the host", f"`{how}`"),
        ),
        next_steps=() if left else ("/app reopen",),
    )
    return Telling(
        entries=[NewEntry(kind=Kind.ROWS_SET_ASIDE, actor=person, text=text, data=data)],
        messages=[message],
        questions=[_question(left, item)] if left else [],
    )
