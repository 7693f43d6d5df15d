"""Reading `artisan migrate:status`, in the layout of every version.

The command walks the files, so a row without a file is unseen in it: it stands beside the rows of the table, never in
their place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bot.model.errors import FailedError


@dataclass(frozen=True, kw_only=True)
class StatusLine:
    """One migration file as the command lists it; `batch` is None where it did not run."""

    migration: str
    has_run: bool
    batch: int | None


_TABLE_HEAD: Final = re.compile(r"\| Ran\? +\| Migration +\| Batch +\|")
_TABLE_ROW: Final = re.compile(r"\| (Yes|No) +\| (\S+) +\| (\d*) +\|")
_TABLE_RULE: Final = re.compile(r"\+-+\+-+\+-+\+")
_LIST_HEAD: Final = re.compile(r"Migration name \.+ Batch / Status")
_LIST_ROW: Final = re.compile(r"(\S+)(?: \.+)? (?:\[(\d+)\] Ran|Pending)")


def parse_migrate_status(stdout: str, *, exit_status: int = 0) -> tuple[StatusLine, ...]:
    """Return the migrations in the order of the output; empty where there is no file.

    *Raises* FailedError where the migrations table is missing, the database did not answer, or the output is damaged.
    *Source*: Laravel 8.83.26 (a table) and 12.67 (a list).
    """
    lines = [line.strip() for line in stdout.replace("\r", "").split("\n") if line.strip()]
    text = " ".join(lines)
    if "Migration table not found" in text:
        raise FailedError(
            "the migrations table is missing: migrate:status shows nothing; nothing was changed"
        )
    if "SQLSTATE[" in text:
        raise FailedError("the database did not answer migrate:status; nothing was changed")
    if "No migrations found" in text:
        return ()
    if exit_status != 0 or not lines:
        raise FailedError(f"migrate:status ended with status {exit_status} and no list; nothing was changed")
    if _TABLE_RULE.fullmatch(lines[0]):
        return _table(lines)
    if _LIST_HEAD.fullmatch(lines[0]):
        return tuple(_list_line(line) for line in lines[1:])
    raise _damaged(lines[0])


def _table(lines: list[str]) -> tuple[StatusLine, ...]:
    """Return the rows of a table, which is whole only with its last rule."""
    rules = [number for number, line in enumerate(lines) if _TABLE_RULE.fullmatch(line)]
    if rules != [0, 2, len(lines) - 1] or not _TABLE_HEAD.fullmatch(lines[1]):
        raise _damaged(lines[-1])
    return tuple(_table_line(line) for line in lines[3:-1])


def _table_line(line: str) -> StatusLine:
    found = _TABLE_ROW.fullmatch(line)
    if found is None or (found.group(1) == "Yes") != bool(found.group(3)):
        raise _damaged(line)
    has_run, migration, batch = found.groups()
    return StatusLine(migration=migration, has_run=has_run == "Yes", batch=int(batch) if batch else None)


def _list_line(line: str) -> StatusLine:
    found = _LIST_ROW.fullmatch(line)
    if found is None:
        raise _damaged(line)
    migration, batch = found.groups()
    return StatusLine(migration=migration, has_run=batch is not None, batch=int(batch) if batch else None)


def _damaged(line: str) -> FailedError:
    return FailedError(
        f"the output of migrate:status is cut short or damaged at {line[:60]!r}; it was not used"
    )
