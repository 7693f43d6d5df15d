"""What belongs to a live database, is in no scratch, and would be lost by a cut-over: told, since nobody can carry it."""

from __future__ import annotations

from typing import List

from adapters.host_reader.postgresql.session import Session

# Only a superuser may make these, so no scratch of the application's user has them. Names only.
_KINDS = {
    "event trigger": "SELECT evtname FROM pg_event_trigger t WHERE NOT EXISTS (SELECT 1 FROM pg_depend x"
    " WHERE x.classid = 'pg_event_trigger'::regclass AND x.objid = t.oid AND x.deptype = 'e') ORDER BY 1",
    "publication": "SELECT pubname FROM pg_publication ORDER BY 1",
    "subscription": "SELECT subname FROM pg_stat_subscription WHERE subname IS NOT NULL AND subid IN"
    " (SELECT oid FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()))"
    " ORDER BY 1",
}


def left_behind(session: Session) -> List[str]:
    """Return in words what the session's database has that a cut-over would leave behind, by name; reads only."""
    told = []
    for kind, select in _KINDS.items():
        names = sorted({str(row[0]) for row in session.rows(select)})
        if names:
            told.append(
                f"a cut-over leaves behind: {kind} {', '.join(names)} (an administrator must make it again after)"
            )
    return told
