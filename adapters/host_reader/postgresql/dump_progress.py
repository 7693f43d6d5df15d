"""How far pg_dump is, in rows: what the server tells of the table that is being read, and the tables before it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Callable, Dict, Iterator, Optional, Set, Tuple

from adapters.host_reader.answers import progress
from adapters.host_reader.postgresql.catalogue import dump_name
from adapters.host_reader.postgresql.server import PostgresqlServer
from adapters.host_reader.postgresql.session import ServerRefusal, Session

# Source: the manual of 14, 27.4.3, COPY Progress Reporting; a user sees the sessions of its own.
_TOLD_SINCE = 14
_COPY = """
SELECT n.nspname, c.relname, p.tuples_processed
FROM pg_stat_progress_copy p JOIN pg_class c ON c.oid = p.relid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.datname = current_database() AND p.command = 'COPY TO' AND p.tuples_processed IS NOT NULL
"""

Reading = Tuple[str, int]
"""A table that is being read, by its name in a dump, and how many of its rows were."""


def table_being_read(session: Session) -> Optional[Reading]:
    """Return which table of the session's database is being dumped now, None between two; reads only."""
    rows = session.rows(_COPY)
    return (dump_name(str(rows[0][0]), str(rows[0][1])), int(rows[0][2] or 0)) if rows else None


class RowsRead:
    """Counts the rows that were read of a whole database, look by look.

    A table that was read between two looks counts at the end only: so the time left is told too long, never too short.
    """

    def __init__(self, rows: Dict[str, int]) -> None:
        self.total = sum(rows.values())
        self._rows = rows
        self._over: Set[str] = set()
        self._last = ""

    def after(self, reading: Optional[Reading]) -> int:
        """Return how many rows were read by now, if that is what is being read."""
        table, count = reading or ("", 0)
        if self._last and self._last != table:
            self._over.add(self._last)
        self._last = table
        # No table is read twice; another session's COPY of one that is over counts nothing.
        now = 0 if table in self._over else min(count, self._rows.get(table, 0))
        return now + sum(self._rows.get(each, 0) for each in self._over)


class _Looks:
    """Looks at one dump on its way, in a session that is begun with the first look: pg_dump has its own by then."""

    def __init__(self, server: PostgresqlServer, source: str, path: str, read: RowsRead) -> None:
        self._server, self._source, self._path, self._read = server, source, path, read
        self._session: Optional[Session] = None
        self.tells_rows = server.major >= _TOLD_SINCE

    def look(self) -> None:
        """Tell how far it is, in bytes where rows cannot be asked for: the dump goes before its progress."""
        try:
            if self.tells_rows:
                self._session = self._session or self._server.session(self._source)
                done = self._read.after(table_being_read(self._session))
                progress("dumping", done, self._read.total, "rows")
        except ServerRefusal:
            self.tells_rows = False
        if not self.tells_rows:
            with contextlib.suppress(OSError):
                progress("dumping", Path(self._path).stat().st_size, 0, "bytes")

    def end(self) -> None:
        """End its session."""
        if self._session is not None:
            self._session.close()


@contextlib.contextmanager
def looking(
    server: PostgresqlServer, source: str, path: str, rows: Dict[str, int]
) -> Iterator[Callable[[], None]]:
    """Give what tells how far the dump of a database into a file is; `rows` are its tables' by their names in a dump.

    Told are rows of all rows; before PostgreSQL 14, and where no more sessions may be had, the bytes written so far: how
    many they will be is not known, for they are compressed.
    """
    read = RowsRead(rows)
    looks = _Looks(server, source, path, read)
    try:
        yield looks.look
    finally:
        looks.end()
    if looks.tells_rows:
        progress("dumping", read.total, read.total, "rows")
