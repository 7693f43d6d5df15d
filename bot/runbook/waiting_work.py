"""What runs or holds by itself once the application is open: jobs, sessions, locks; decided about before it opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.model.message import Table
from bot.runbook.wording import duration_words

LEFT_ITEM = "jobs, failed jobs, sessions and locks may be as they are when the application opens"
"""The one item of the manual list about all of it; in the words of the report. It is the same whatever of it is left."""

_WHAT = {
    "jobs": "jobs that wait",
    "job_batches": "batches of jobs",
    "failed_jobs": "failed jobs",
    "sessions": "sessions",
    "cache": "cached values",
    "cache_locks": "locks, the scheduler's too",
}

Told = Mapping[str, Any]
"""Rows of one table as the timeline keeps them, with the fields of `RuntimeRows`; an older version wrote not all of them."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """One kind of rows that a person decides about.

    `counted` is how many there are, `meaning` what follows if they stay, `label` the button that has them taken out.
    """

    kind: str
    counted: str
    meaning: str
    label: str


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
        return _end_words(str(one["ends"]), now)
    if not (one.get("oldest") and one.get("newest")):
        return "not known"
    oldest, newest = (_since(one[name], now) for name in ("oldest", "newest"))
    busy = (
        f"; {one['reserved']:,} were being worked on, and may run a second time"
        if one.get("reserved")
        else ""
    )
    age = f"{oldest} old" if oldest == newest else f"oldest {oldest}, newest {newest}"
    return f"{age}{busy}"


def _end_words(at: str, now: datetime) -> str:
    left = _left_s(at, now)
    return f"the last runs out in {duration_words(left)}" if left > 0 else "all have run out"


def _left_s(at: str, now: datetime) -> float:
    return (datetime.fromisoformat(at) - now).total_seconds()


def _since(at: str, now: datetime) -> str:
    return duration_words(max(0.0, -_left_s(at, now)))


_KEPT_NOWHERE = frozenset({"array", "background", "cookie", "deferred", "null", "sync"})


def elsewhere_words(*, queue: str, sessions: str, cache: str) -> str:
    """Return what lies outside of the database by these drivers, so that nobody takes it for looked at; empty: nothing."""
    drivers = (("the queue", queue), ("sessions", sessions), ("the cache with its locks", cache))
    found = [
        f"{what} (`{driver}`)"
        for what, driver in drivers
        if driver and driver != "database" and driver not in _KEPT_NOWHERE
    ]
    return f"Not in this database, so neither listed nor asked about: {', '.join(found)}." if found else ""


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """How one kind is told: what one and several are called, and as `Left` has it. `role` is that of its tables."""

    role: str
    one: str
    many: str
    meaning: str
    label: str

    def counted(self, rows: int) -> str:
        return f"{rows:,} {self.one if rows == 1 else self.many}"


_KINDS = (
    _Kind(
        role="jobs",
        one="waiting job",
        many="waiting jobs",
        meaning="work that begins as soon as it opens: mails, charges, changes of rows that may be others by now. Single jobs are "
        "taken out by your queue's own tools",
        label="Take waiting jobs out",
    ),
    _Kind(
        role="failed_jobs",
        one="failed job",
        many="failed jobs",
        meaning="nothing happens unless somebody retries (`queue:retry`); then what people may have done by hand is done again",
        label="Set failed jobs aside",
    ),
    _Kind(
        role="sessions",
        one="session",
        many="sessions",
        meaning="people stay logged in, and nobody becomes somebody else, as no user's number is given twice. A cart or a draft "
        "may name rows that are gone",
        label="Log everybody out",
    ),
)


def left_over(told: Sequence[Told], now: datetime) -> tuple[Left, ...]:
    """Return each kind of which there is something to decide about before the application opens; empty: none."""
    found = (*(_left(told, kind, now) for kind in _KINDS), _locks(told, now))
    return tuple(one for one in found if one is not None)


def _left(told: Sequence[Told], kind: _Kind, now: datetime) -> Left | None:
    found = [one for one in told if one["role"] == kind.role and one["rows"] and one.get("in_use", True)]
    if not found:
        return None
    ages = "; ".join(
        age_words(one, now)
        if len(found) == 1
        else f"{one['rows']:,} in {one['table']}: {age_words(one, now)}"
        for one in found
    )
    rows = sum(int(one["rows"]) for one in found)
    return Left(
        kind=kind.role, counted=kind.counted(rows), meaning=f"({ages}): {kind.meaning}.", label=kind.label
    )


def _locks(told: Sequence[Told], now: datetime) -> Left | None:
    """Return the locks that still hold; one that has run out keeps nothing from running."""
    held = [
        (f"{one[count]:,} in {one['table']}: {_end_words(str(one[ends]), now)}", int(one[count]))
        for role, count, ends in (("cache_locks", "rows", "ends"), ("cache", "schedule", "schedule_ends"))
        for one in told
        if one["role"] == role and one.get(count) and one.get(ends) and _left_s(str(one[ends]), now) > 0
    ]
    rows = sum(number for _, number in held)
    if not rows:
        return None
    return Left(
        kind="locks",
        counted="1 lock" if rows == 1 else f"{rows:,} locks",
        meaning=f"({'; '.join(words for words, _ in held)}): while one holds, its command or job does not run "
        "(`withoutOverlapping`, `ShouldBeUnique`). Its holder has most likely ended; if not, its work runs twice. A unique job that "
        "waits needs its own.",
        label="Release the locks",
    )


def question_words(left: Sequence[Left]) -> str:
    """Return the question about all of it, short enough for a heading on every platform."""
    others = [one.counted for one in left if one.kind != "jobs"]
    rest = _listed(others)
    jobs = next((one.counted for one in left if one.kind == "jobs"), None)
    if jobs is None:
        as_is = "as it is" if len(others) == 1 and others[0].startswith("1 ") else "as they are"
        return f"When it opens: may {rest} stay {as_is}?"
    return f"When it opens: may {jobs} run{f', and {rest} stay' if rest else ''}?"


def left_words(left: Sequence[Left]) -> str:
    """Return what is to be known before that is answered: each kind on a line of its own."""
    first = (
        "Nothing of this comes from the backup: it is as it was when the site was frozen. The first button leaves all as it is; what "
        "you have taken out is kept in a file on the host, and can be put back."
    )
    return "\n".join([first, *(f"- **{one.counted}** {one.meaning}" for one in left)])


def stay_label(left: Sequence[Left]) -> str:
    """Return the label of the button by which everything stays as it is."""
    if all(one.kind != "jobs" for one in left):
        return "All may stay"
    return "Jobs may run, the rest stays" if len(left) > 1 else "They may run"


def put_back_words(engine: str, live: str) -> str:
    """Return how the rows in a kept file are put back by hand, on the host."""
    client = {"sqlite": f"sqlite3 {live} < FILE", "pgsql": f"psql -X -d {live} -f FILE"}
    return client.get(engine, f"{engine} {live} < FILE")


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))
