"""Who may still write: sessions of the database, workers of the application, and the scheduler's cron line."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List, Sequence

from adapters.host_reader.postgresql.names import literal
from adapters.host_reader.postgresql.server import PostgresqlServer
from adapters.host_reader.postgresql.session import Session
from adapters.host_reader.processes import all_processes, cron_files, cron_mentions, masked, told_process
from adapters.host_reader.sqlite_request import Answer, Request, optional_text

# A session's number is a process of the server's host, not of this one; as here no process has an id so great, nobody
# is ended by mistake for it. Source: proc(5), pid_max is 2**22 at most.
SESSION_PID_BASE = 1 << 22

# Never the text of a statement. Of another role's sessions the server hides all but role, pid and database. What has no role
# is an autovacuum worker: it changes no row, and the server itself ends it when the database is renamed.
# Source: PostgreSQL, backend_status.c (pgstat_bestart), procarray.c (CountOtherDBBackends).
_SESSIONS = """
SELECT pid, usename, application_name, state, client_addr FROM pg_stat_activity
WHERE datname = {database} AND pid <> pg_backend_pid() AND application_name <> 'backout' AND usename IS NOT NULL
    AND (backend_type IS NULL OR backend_type IN ('client backend', 'walsender')) ORDER BY pid
"""


# Ending a session takes the server some milliseconds, unless it is in the middle of something.
_END_LIMIT_S = 5.0
_PAUSE_S = 0.02


def other_sessions(session: Session, database: str) -> List[Dict[str, Any]]:
    """Return the sessions that are in a database and are not Backout's own: pid, user, program, state; reads only."""
    rows = session.rows(_SESSIONS.format(database=literal(database)))
    return [
        {"pid": int(row[0] or 0), "user": row[1] or "", "program": row[2] or "", "state": row[3] or ""}
        for row in rows
    ]


def writers(server: PostgresqlServer, database: str, request: Request) -> Answer:
    """Return the database's sessions and the host's processes that work for the application; and where cron runs it.

    Each session of another program counts as a writer, since it could write at any moment. Its number is in `session`;
    its `pid` is that added to one that no process has. Reads only; no text of a statement and no line of a crontab is told.
    """
    app_path = optional_text(request, "app_path")
    ignored = {int(pid) for pid in request.get("ignore_pids") or []} | {os.getpid()}
    with server.session(server.home) as session:
        sessions = [_told(each) for each in other_sessions(session, database) if each["pid"] not in ignored]
    processes, unseen = all_processes()
    told = [told_process(each, app_path, False) for each in processes if each.pid not in ignored]
    return {
        "processes": [*sessions, *(each for each in told if each is not None)],
        "unseen": unseen,
        "cron": cron_mentions(cron_files(), app_path) if app_path else [],
    }


def end_sessions(server: PostgresqlServer, database: str, numbers: Sequence[int]) -> Answer:
    """End sessions of a database by their numbers, and wait until they are gone; one of another database is left alone.

    *Changes*: only those sessions. Returns `ended`; `gone`, which were not there; and `left`, which are still there, as
    they are another role's.
    """
    ends = time.monotonic() + _END_LIMIT_S
    with server.session(server.home) as session:
        there = {each["pid"] for each in other_sessions(session, database)} & set(numbers)
        refused = {number for number in there if session.tried(f"SELECT pg_terminate_backend({int(number)})")}
        left = there
        while left and time.monotonic() < ends:
            left = {each["pid"] for each in other_sessions(session, database)} & there
            if left <= refused:
                break
            time.sleep(_PAUSE_S)
    return {
        "ended": sorted(there - left),
        "gone": sorted(set(numbers) - there),
        "left": sorted(left),
    }


def _told(session: Dict[str, Any]) -> Dict[str, Any]:
    # No word of the command changes from one second to the next: a person's yes is to what was shown.
    shown = ["database session", str(session["pid"]), "of", masked(session["program"] or "no name")]
    return {
        "pid": SESSION_PID_BASE + session["pid"],
        "session": session["pid"],
        "command": shown,
        "user": session["user"],
        "has_open": True,
        "kind": "session",
        "state": session["state"],
        "writer": True,
    }
