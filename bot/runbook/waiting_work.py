"""What runs or holds by itself once the application is open: waiting jobs, sessions, locks; told before that is decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.model.message import Table
from bot.runbook.wording import duration_words

JOBS_ITEM = "the jobs that wait in the queue may run when the application opens"
"""The item of the manual list that is asked about where jobs wait; in the words of the report."""

_WHAT = {
    "jobs": "jobs that wait",
    "job_batches": "batches of jobs",
    "failed_jobs": "failed jobs",
    "sessions": "sessions",
    "cache": "cached values",
    "cache_locks": "locks, the scheduler's too",
}

Told = Mapping[str, Any]
"""Rows of one table as the timeline keeps them: `role`, `table`, `rows`, `oldest`, `newest`, `reserved`, `ends`."""


def waiting_table(told: Sequence[Told], now: datetime) -> Table:
    """Return each kind of such rows with how many there are and how old they are."""
    rows = tuple(
        (_WHAT.get(one["role"], str(one["role"])), str(one["table"]), f"{one['rows']:,}", age_words(one, now))
        for one in told
    )
    return Table(columns=("what", "table", "rows", "age"), rows=rows, numeric=(2,))


def age_words(one: Told, now: datetime) -> str:
    """Return how old the rows of one table are; a lock tells only when it runs out."""
    if not one["rows"]:
        return "–"
    if one.get("ends"):
        left = (datetime.fromisoformat(one["ends"]) - now).total_seconds()
        return f"the last runs out in {duration_words(left)}" if left > 0 else "all have run out"
    if not (one.get("oldest") and one.get("newest")):
        return "not known"
    oldest, newest = (_since(one[name], now) for name in ("oldest", "newest"))
    busy = (
        f"; {one['reserved']:,} were being worked on, and may run a second time"
        if one.get("reserved")
        else ""
    )
    return f"oldest {oldest}, newest {newest}{busy}"


def _since(at: str, now: datetime) -> str:
    return duration_words(max(0.0, (now - datetime.fromisoformat(at)).total_seconds()))


def waiting_jobs(told: Sequence[Told], now: datetime) -> str | None:
    """Return what is to be known before jobs run again, None where none waits."""
    waiting = [one for one in told if one["role"] == "jobs" and one["rows"]]
    if not waiting:
        return None
    counted = "; ".join(f"{one['rows']:,} in {one['table']} ({age_words(one, now)})" for one in waiting)
    return (
        f"{counted}. They are the queue as it was when the site was frozen; none comes from the backup. Workers run them as soon as "
        "the application is open: mails, charges, and work on rows that may be others by now. To look first, or to take some "
        "out, use your queue's own tools while it is closed."
    )
