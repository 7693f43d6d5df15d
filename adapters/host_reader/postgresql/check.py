"""The site's own checks: read-only questions whose answer is one whole number."""

from __future__ import annotations

import time
from typing import Any, Dict

from adapters.host_reader.expectations import read_expectation
from adapters.host_reader.postgresql.names import literal
from adapters.host_reader.postgresql.server import PostgresqlServer
from adapters.host_reader.postgresql.session import ServerRefusal
from adapters.host_reader.sqlite_request import Answer, Request, number, objects, text

# A cursor takes one statement that gives rows and nothing else: no second one, no COPY, no end of the transaction, in
# which nothing may be written. What it gave is told through a setting of the session.
_ASK = """DO $backout$
DECLARE asked refcursor; one record; more record; told text; columns bigint;
BEGIN
    OPEN asked FOR EXECUTE {sql};
    FETCH asked INTO one;
    IF NOT FOUND THEN RETURN; END IF;
    FETCH asked INTO more;
    IF FOUND THEN RETURN; END IF;
    SELECT count(*), min(v.value #>> '{{}}') INTO columns, told FROM json_each(row_to_json(one)) v;
    IF columns = 1 AND told ~ '^-?[0-9]+$' THEN
        PERFORM set_config('backout.value', told, true);
    END IF;
END $backout$"""
_SAID = {
    "57014": "it took longer than allowed",
    "25006": "a check may only read",
    "42P11": "a check may only read",
    "42501": "the user lacks a right for it",
    "42P01": "no such table",
    "42703": "no such column",
    "42883": "no such function or operator",
    "42601": "it is no SQL of PostgreSQL",
}


def check(server: PostgresqlServer, database: str, request: Request) -> Answer:
    """Return for each check its value and whether it is as expected; reads only, and nothing but reading is allowed.

    `expect` is a number, or a text like "0", "> 0", ">= 100". A check that fails to run has `error` set and has not
    passed. `time_limit_s` (default 60) holds for each. A value that is no whole number is not told.
    """
    limit_s = number(request, "time_limit_s", 60)
    return {"checks": [_checked(server, database, each, limit_s) for each in objects(request, "checks")]}


def _checked(server: PostgresqlServer, database: str, one: Dict[str, Any], limit_s: float) -> Dict[str, Any]:
    compare, wanted = read_expectation(one.get("expect"))
    name, sql = text(one, "name"), text(one, "sql")
    answer = {"name": name, "expected": one.get("expect"), "value": None, "passed": False, "error": None}
    began = time.monotonic()
    try:
        value = _asked(server, database, sql, limit_s)
    except ServerRefusal as refusal:
        answer["error"] = _SAID.get(refusal.state, f"PostgreSQL could not run it (SQLSTATE {refusal.state})")
    else:
        if value is None:
            answer["error"] = "the check must give exactly one whole number"
        else:
            answer.update(value=value, passed=compare(value, wanted))
    answer["duration_s"] = round(time.monotonic() - began, 3)
    return answer


def _asked(server: PostgresqlServer, database: str, sql: str, limit_s: float) -> int | None:
    with server.session(database, path=True) as session:
        session.run("BEGIN READ ONLY")
        session.run(f"SET LOCAL statement_timeout = {max(1, int(limit_s * 1000))}")
        session.run("SET LOCAL backout.value = ''")
        session.run_generated(_ASK.format(sql=literal(sql.strip().rstrip(";"))))
        value = session.value("SELECT current_setting('backout.value')")
    return int(value) if value else None
