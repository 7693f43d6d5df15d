"""Whether a dump was written to its end, told by its last bytes only (HAZARDS B3, B8)."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

from bot.dumps.manifest import ABSENT, FAILED, IMPOSSIBLE, PRESENT
from bot.dumps.tokens import MYSQL, SQLITE

# Longer than any end marker with the blank lines and the \unrestrict key behind it.
TAIL_BYTES = 4096

_MYSQL_END = re.compile(
    rb"(?:\A|\n)-- Dump completed(?: on (?P<time>\d{4}-\d\d-\d\d +\d{1,2}:\d\d:\d\d)|(?=\r?\n))\s*\Z"
)
_PG_END = re.compile(
    rb"(?:\A|\n)-- PostgreSQL database dump complete\r?\n--\s*(?:\\unrestrict (?P<key>\w+)\s*)?\Z"
)
_SQLITE_END = re.compile(rb"(?:COMMIT|END)(?:\s+TRANSACTION)?\s*;", re.IGNORECASE)
_SQLITE_FAILED = re.compile(rb"ROLLBACK\b", re.IGNORECASE)


class Ending(NamedTuple):
    """What the end of a dump says: present, absent, failed or impossible; and the time in it, as written."""

    marker: str
    time: Optional[str]


def ending(
    dialect: str,
    *,
    tail: bytes,
    outside: bool,
    last_statement: bytes,
    has_header: bool,
    restrict_key: bytes = b"",
) -> Ending:
    r"""Return what the end of a dump says.

    `tail` is its last bytes; `outside` is True where they stand outside every statement, string and data block;
    `has_header` whether the dump began with its tool's comments: without them (`--compact`, `--skip-comments`) no end
    marker is possible; `restrict_key` is the key of its `\restrict` line, which the end repeats. *Source*: mysqldump and mariadb-dump 10.11, pg_dump 15.18, sqlite3 3.40.
    """
    if dialect == SQLITE:
        return _sqlite_ending(outside, last_statement)
    match = (_MYSQL_END if dialect == MYSQL else _PG_END).search(tail) if outside else None
    said = match.groupdict() if match else {}
    if match and said.get("key") in (None, restrict_key):
        time = said.get("time")
        return Ending(PRESENT, re.sub(" +", " ", time.decode()) if time else None)
    return Ending(ABSENT if has_header else IMPOSSIBLE, None)


def _sqlite_ending(outside: bool, last_statement: bytes) -> Ending:
    """A SQLite dump is one transaction: whole when its last statement is the COMMIT."""
    if _SQLITE_FAILED.match(last_statement):
        return Ending(FAILED, None)
    if outside and _SQLITE_END.fullmatch(last_statement.strip()):
        return Ending(PRESENT, None)
    return Ending(ABSENT, None)
