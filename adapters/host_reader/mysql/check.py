"""The site's own checks: read-only questions whose answer is one whole number."""

from __future__ import annotations

import re
import time
from typing import Any, Dict, List, Optional

from adapters.host_reader.expectations import read_expectation
from adapters.host_reader.mysql.client import SqlRefusal
from adapters.host_reader.mysql.orphans import TimeLimitedAsker
from adapters.host_reader.sqlite_request import Answer, Request, number, objects, text

_TOKEN = re.compile(
    r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`[^`]*`|/\*|--|#|;|[A-Za-z_][\w$]*|.", re.DOTALL
)
_FIRST = ("select", "with", "(")
# What reads a file, writes one, waits or takes locks, or leaves something in the session.
_FORBIDDEN = {
    "into",
    "load_file",
    "sleep",
    "benchmark",
    "get_lock",
    "release_lock",
    "nextval",
    "setval",
}
_LOCKS = {("for", "update"), ("for", "share"), ("lock", "in")}
_WORDS = {
    1054: "there is no such column",
    1064: "the server cannot read it",
    1146: "there is no such table",
    1305: "there is no such function",
    1142: "the application's user may not do this",
    1792: "a check may only read",
}


def checks_of(asker: TimeLimitedAsker, request: Request) -> Answer:
    """Return for each check its value and whether it is as expected; reads only, inside a read-only transaction.

    A check is one SELECT that gives one whole number. One that fails to run has `error` set and has not passed;
    `time_limit_s` (default 60) holds for each.
    """
    limit = number(request, "time_limit_s", 60)
    return {"checks": [_checked(asker, check, limit) for check in objects(request, "checks")]}


def _checked(asker: TimeLimitedAsker, check: Dict[str, Any], limit_s: float) -> Dict[str, Any]:
    compare, wanted = read_expectation(check.get("expect"))
    answer = {"name": text(check, "name"), "expected": check.get("expect"), "value": None, "passed": False}
    began = time.monotonic()
    sql = text(check, "sql")
    answer["error"] = why_not_a_question(sql)
    if answer["error"] is None:
        try:
            rows = asker.rows(sql.strip().rstrip(";"), limit_s, "running a check")
        except SqlRefusal as refusal:
            answer["error"] = _told(refusal)
        else:
            value = _one_number(rows)
            answer["value"] = value
            answer["passed"] = value is not None and compare(value, wanted)
            answer["error"] = None if value is not None else "the check must give exactly one whole number"
    answer["duration_s"] = round(time.monotonic() - began, 3)
    return answer


def _one_number(rows: List[List[Optional[str]]]) -> Optional[int]:
    if len(rows) != 1 or len(rows[0]) != 1:
        return None
    told = rows[0][0]
    return (
        int(told) if told is not None and re.fullmatch(r"-?\d+(?:\.0+)?", told) and "." not in told else None
    )


def why_not_a_question(sql: str) -> Optional[str]:
    """Return why a check's text is no single question that only reads, None where it is one."""
    words = [
        found.group(0).lower()
        for found in _TOKEN.finditer(sql.strip().rstrip(";"))
        if not found.group(0).isspace()
    ]
    if not words or words[0] not in _FIRST:
        return "a check may only read"
    if ";" in words or any(sign in words for sign in ("/*", "--", "#")):
        return "a check must be one SELECT without comments"
    locks = _LOCKS & set(zip(words, words[1:]))  # noqa: B905, RUF007 - Python 3.9
    return "a check may only read" if locks or _FORBIDDEN & set(words) or "\\" in words else None


def _told(refusal: SqlRefusal) -> str:
    if refusal.kind == "time_limit":
        return "it took longer than allowed"
    return _WORDS.get(refusal.code, f"the server could not run it (error {refusal.code})")
