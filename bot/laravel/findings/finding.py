"""A finding of the review, and what the review knows of the site."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.laravel.reading.acts import UNKNOWN, Act, Event
from bot.laravel.versions import LaravelVersion


class Severity(enum.Enum):
    """How much a finding weighs."""

    STOP = "stop"
    WARN = "warn"
    OK = "ok"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing seen in the source; `code` is stable, `line` counts from 1."""

    code: str
    severity: Severity
    line: int
    message: str


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What the site is, as far as it decides what a statement does there.

    `rows` counts the live tables, None where nothing is known; `children` names for each table those whose rows are
    deleted with its own.
    """

    driver: str
    engine: str
    engine_version: tuple[int, ...]
    laravel: LaravelVersion
    rows: Mapping[str, int] | None = None
    children: Mapping[str, Sequence[str]] | None = None

    @property
    def is_mysql(self) -> bool:
        """Return True for MySQL and MariaDB."""
        return self.engine in ("mysql", "mariadb")

    def rows_of(self, table: str) -> int | None:
        """Return how many rows a live table has; None where that is not known, 0 for one that is not there yet."""
        if self.rows is None or table in ("", UNKNOWN):
            return None
        return self.rows.get(table, 0)

    def is_below(self, table: str, rows: int) -> bool:
        """Return True where a table is known to have fewer rows than that."""
        known = self.rows_of(table)
        return known is not None and known < rows

    def size_words(self, table: str) -> str:
        """Return how big a table is, for a message."""
        known = self.rows_of(table)
        return "its size is not known" if known is None else f"{known:,} rows"


def version_numbers(text: str) -> tuple[int, ...]:
    """Return the numbers at the beginning of an engine's version, such as (10, 11, 19); empty where there are none."""
    found = re.match(r"\D*(\d+)(?:\.(\d+))?(?:\.(\d+))?", text)
    return tuple(int(part) for part in found.groups() if part is not None) if found else ()


def same(one: str, other: str) -> bool:
    """Return True where two names may be the same: equal, or one of them known only at run time."""
    return one == other or UNKNOWN in (one, other)


def what(event: Event) -> str:
    """Return what an act is about, such as `albums.title`."""
    table = event.table if event.table not in ("", UNKNOWN) else "a table named at run time"
    return f"{table}.{event.name}" if event.name and event.act not in (Act.WRITE, Act.DELETE) else table


def stop(code: str, line: int, message: str) -> Finding:
    """Return a finding that must be mended before the migration runs."""
    return Finding(code=code, severity=Severity.STOP, line=line, message=message)


def warn(code: str, line: int, message: str) -> Finding:
    """Return a finding that a person must look at."""
    return Finding(code=code, severity=Severity.WARN, line=line, message=message)


def good(code: str, line: int, message: str) -> Finding:
    """Return a finding that says what is well done."""
    return Finding(code=code, severity=Severity.OK, line=line, message=message)
