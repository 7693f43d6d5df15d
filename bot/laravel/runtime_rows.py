"""How old the rows are that Laravel itself works with: jobs, failed jobs, batches, sessions, and locks; counts and times only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.laravel.facts import RuntimeTable

# Source: laravel/framework, the stubs of queue:table, queue:batches-table, queue:failed-table, session:table, cache:table.
_MADE: Final = {
    "jobs": "created_at",
    "job_batches": "created_at",
    "failed_jobs": "failed_at",
    "sessions": "last_activity",
}
_ENDS: Final = {"cache": "expiration", "cache_locks": "expiration"}
# A date and time in the application's own zone; all others are seconds since 1970.
_DATES: Final = frozenset({"failed_at"})
SCHEDULE_KEY: Final = "framework/schedule-"
"""In the key of a lock by which a scheduled command does not run twice. Older versions keep it among the cached values.

Source: laravel/framework, Illuminate\\Console\\Scheduling\\Event::mutexName and CacheEventMutex::create.
"""
_SECONDS_OF: Final = {
    "sqlite": "CAST(strftime('%s', {}) AS INTEGER)",
    "mysql": "TIMESTAMPDIFF(SECOND, '1970-01-01 00:00:00', {})",
    "postgresql": "CAST(EXTRACT(EPOCH FROM {}) AS BIGINT)",
}


@dataclass(frozen=True, kw_only=True)
class RuntimeRows:
    """The rows of one such table; `in_use` as of its RuntimeTable. `oldest` and `newest` are when they were made, or used last; None: not known.

    `reserved` jobs were being worked on. `ends` is when the last lock or cached value runs out. `schedule` cached values are
    locks of the scheduler's; the last of those runs out at `schedule_ends`.
    """

    role: str
    table: str
    rows: int
    in_use: bool = True
    oldest: datetime | None = None
    newest: datetime | None = None
    reserved: int = 0
    ends: datetime | None = None
    schedule: int = 0
    schedule_ends: datetime | None = None


def runtime_questions(tables: Sequence[RuntimeTable], engine: str) -> list[dict[str, object]]:
    """Return what to ask of the database, in the form of the site's own checks: each is answered by one whole number."""
    dialect = {"mariadb": "mysql", "pgsql": "postgresql"}.get(engine, engine)
    mark = "`" if dialect == "mysql" else '"'
    asked = [
        (f"{one.table}.{name}", sql)
        for one in tables
        for name, sql in _questions(one.role, _quoted(one.table, mark), dialect, _quoted("key", mark))
    ]
    return [{"name": name, "sql": sql, "expect": 0} for name, sql in asked]


def _questions(role: str, table: str, dialect: str, key: str) -> list[tuple[str, str]]:
    asked = []
    if made := _MADE.get(role):
        seconds = _SECONDS_OF[dialect] if made in _DATES else "{}"
        asked += [
            (name, f"SELECT {seconds.format(f'{which}({made})')} FROM {table}")  # noqa: S608 - a quoted name, read only
            for name, which in (("oldest", "MIN"), ("newest", "MAX"))
        ]
    if ends := _ENDS.get(role):
        asked.append(("ends", f"SELECT MAX({ends}) FROM {table}"))  # noqa: S608 - as above
    if role == "cache":
        locks = f"FROM {table} WHERE {key} LIKE '%{SCHEDULE_KEY}%'"
        asked.append(("schedule", f"SELECT COUNT(*) {locks}"))
        asked.append(("schedule_ends", f"SELECT MAX(expiration) {locks}"))
    if role == "jobs":
        asked.append(("reserved", f"SELECT COUNT(*) FROM {table} WHERE reserved_at IS NOT NULL"))  # noqa: S608 - as above
    return asked


def _quoted(name: str, mark: str) -> str:
    return ".".join(f"{mark}{part.replace(mark, mark * 2)}{mark}" for part in name.split("."))


def runtime_rows(
    tables: Sequence[RuntimeTable],
    counts: Mapping[str, int],
    numbers: Mapping[str, int | None],
    timezone: str,
) -> tuple[RuntimeRows, ...]:
    """Return the tables that there are with the age of their rows; `numbers` are the answers to `runtime_questions`."""

    def at(one: RuntimeTable, name: str) -> datetime | None:
        return _time(numbers.get(f"{one.table}.{name}"), timezone if _MADE.get(one.role) in _DATES else "UTC")

    def at_end(one: RuntimeTable, name: str) -> datetime | None:
        return _time(numbers.get(f"{one.table}.{name}"), "UTC")

    return tuple(
        RuntimeRows(
            role=one.role,
            table=one.table,
            rows=counts[one.table],
            in_use=one.in_use,
            oldest=at(one, "oldest"),
            newest=at(one, "newest"),
            reserved=numbers.get(f"{one.table}.reserved") or 0,
            ends=at_end(one, "ends"),
            schedule=numbers.get(f"{one.table}.schedule") or 0,
            schedule_ends=at_end(one, "schedule_ends"),
        )
        for one in tables
        if one.table in counts
    )


def _time(seconds: int | None, timezone: str) -> datetime | None:
    """Return the moment of seconds since 1970 as that zone's clocks show it; None where it is none."""
    if not seconds:
        return None
    try:
        shown = datetime.fromtimestamp(seconds, UTC)
        return shown.replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC)
    except (OverflowError, OSError, ValueError, ZoneInfoNotFoundError):
        return None
