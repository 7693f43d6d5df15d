"""Who may still write: other sessions on the database, workers of the application, and the scheduler's cron line."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Dict, List, NamedTuple, Optional, Set

from adapters.host_reader.mysql.client import Session, SqlRefusal
from adapters.host_reader.mysql.server import MysqlServer
from adapters.host_reader.processes import all_processes, cron_files, cron_mentions, told_process
from adapters.host_reader.sqlite_request import Answer, Request, optional_text

# A session has no process id that can be known here. No process has an id so great, so that nobody is ended by
# mistake for it. Source: proc(5), pid_max is 2**22 at most.
SESSION_PID_BASE = 1 << 22


class OtherSession(NamedTuple):
    """One session of the server's process list, without the text of its statement."""

    id: int
    user: str
    host: str
    database: str
    command: str
    seconds: int

    @property
    def told(self) -> str:
        """Return how it is named to a person."""
        return f"session {self.id} of {self.user}@{self.host} ({self.command}, {self.seconds} s)"


def other_sessions(session: Session, database: Optional[str], own: Set[int]) -> List[OtherSession]:
    """Return the sessions that the user may see on a database (None: on all) but its own; reads only.

    Without the right PROCESS those are the sessions of the same user. *Source*: SHOW PROCESSLIST.
    """
    found = []
    for row in session.rows("SHOW PROCESSLIST", "reading the process list"):
        each = OtherSession(
            int(row[0] or 0),
            str(row[1]),
            str(row[2] or ""),
            str(row[3] or ""),
            str(row[4] or ""),
            int(row[5] or 0),
        )
        if each.id not in own and (database is None or each.database == database):
            found.append(each)
    return found


def own_id(session: Session) -> int:
    """Return the server's number of a session."""
    return int(session.one("SELECT CONNECTION_ID()", "asking for the session's number") or 0)


def writers_of(server: MysqlServer, database: str, request: Request) -> Answer:
    """Return the sessions on the database and the processes that work for the application; reads only.

    A session's `pid` is its number added to one that no process has; the number itself is in `session`. Statements
    are never told, of a crontab only its place.
    """
    asking = server.session()
    sessions = other_sessions(asking, database, {own_id(asking), own_id(server.asking())})
    app_path = optional_text(request, "app_path")
    ignored = {int(pid) for pid in request.get("ignore_pids") or []} | {os.getpid()}
    processes, unseen = all_processes()
    told = [told_process(each, app_path, False) for each in processes if each.pid not in ignored]
    return {
        "processes": [
            *(each for each in told if each is not None),
            *(_session_told(each) for each in sessions),
        ],
        "unseen": unseen,
        "cron": cron_mentions(cron_files(), app_path) if app_path else [],
    }


def _session_told(each: OtherSession) -> Dict[str, Any]:
    return {
        "pid": SESSION_PID_BASE + each.id,
        "session": each.id,
        # No word in it changes from one second to the next: a person's yes is to what was shown.
        "command": ["database session", str(each.id), "from", each.host.rpartition(":")[0] or each.host],
        "user": each.user,
        "has_open": True,
        "kind": "session",
        "state": each.command,
        "seconds": each.seconds,
        "writer": True,
    }


def end_sessions(server: MysqlServer, database: str, ids: List[int]) -> Answer:
    """End sessions on the database by their number, those that are still there. *Changes*: these sessions only."""
    asking = server.session()
    there = {each.id for each in other_sessions(asking, database, {own_id(asking)})}
    ended = sorted(there & set(ids))
    for each in ended:
        # One that has just ended by itself is as good.
        with contextlib.suppress(SqlRefusal):
            killing = server.session()
            killing.run(f"KILL {each}", f"ending session {each}")
            killing.end()
    return {"ended": ended, "gone": sorted(set(ids) - there)}
