"""The site's own checks: read-only questions whose answer is one whole number."""

from __future__ import annotations

import sqlite3
import time
from typing import Any, Dict, Optional

from adapters.host_reader.expectations import read_expectation
from adapters.host_reader.sqlite_open import reading, time_limit
from adapters.host_reader.sqlite_request import Answer, Request, number, objects, text

# SQLITE_RECURSIVE has no name in Python's module. Source: sqlite.org/c3ref/c_alter_table.html
_RECURSIVE = 33
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, _RECURSIVE}
_FORBIDDEN_FUNCTIONS = {"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"}


def sqlite_check(request: Request) -> Answer:
    """Return for each check its value and whether it is as expected; reads only, and nothing but reading is allowed.

    `expect` is a number, or a text like "0", "> 0", ">= 100". A check that fails to run has `error` set and has not
    passed. `time_limit_s` (default 60) holds for each. A value that is no whole number is not told.
    """
    limit = number(request, "time_limit_s", 60)
    with reading(text(request, "path")) as connection:
        connection.set_authorizer(_judge)
        return {"checks": [_checked(connection, check, limit) for check in objects(request, "checks")]}


def _judge(
    action: int, _first: Optional[str], second: Optional[str], _database: Optional[str], _by: object
) -> int:
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _checked(connection: sqlite3.Connection, check: Dict[str, Any], limit: float) -> Dict[str, Any]:
    compare, wanted = read_expectation(check.get("expect"))
    answer = {"name": text(check, "name"), "expected": check.get("expect"), "value": None, "passed": False}
    began = time.monotonic()
    answer["error"] = None
    try:
        with time_limit(connection, limit):
            rows = connection.execute(text(check, "sql")).fetchmany(2)
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        answer["error"] = _told(error)
        rows = None
    if rows is not None:
        if len(rows) == 1 and len(rows[0]) == 1 and isinstance(rows[0][0], int):
            answer["value"] = rows[0][0]
            answer["passed"] = compare(rows[0][0], wanted)
        else:
            answer["error"] = "the check must give exactly one whole number"
    answer["duration_s"] = round(time.monotonic() - began, 3)
    return answer


def _told(error: Exception) -> str:
    said = str(error)
    if "interrupted" in said:
        return "it took longer than allowed"
    if "not authorized" in said or "prohibited" in said:
        return "a check may only read"
    if said.startswith(("no such table", "no such column", "no such function")):
        return said[:200]
    return f"SQLite could not run it ({type(error).__name__})"
