"""Load a mysqldump or mariadb-dump file into a scratch database of its own, fast, whole or not at all.

The order: tables with their primary keys → rows over several connections → the other indexes → foreign keys → triggers,
views, routines and events in the dump's order. What it needs of the server is `LoadServer`, which `MysqlServer` is.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Protocol, Set, Tuple

from adapters.host_reader.answers import Refusal, progress
from adapters.host_reader.mysql.allowed import Judgement, Kind, judged
from adapters.host_reader.mysql.client import Connector, Session
from adapters.host_reader.mysql.ddl import (
    TableParts,
    disabled_event,
    quoted_bytes,
    take_apart,
    without_definer,
)
from adapters.host_reader.mysql.feeders import INDEX_LIMIT_S, STALLED_S, Client, Feeders, Work
from adapters.host_reader.mysql.names import at, quoted
from adapters.host_reader.mysql.orphans import violation_counts
from adapters.host_reader.mysql.splitter import Plain, Rows, Splitter
from adapters.host_reader.opening import ProgramMissingError, content_blocks
from adapters.host_reader.server.port import ServerSchema
from bot.dumps.compression import DamagedError

# What dump programs set while a dump is read. Bulk inserts into empty tables (unique_checks=0 and foreign_key_checks=0
# together, MariaDB 10.6 and later) sort each table in files of their own: 2.5 times the work for rows that come sorted.
_SETTINGS = (
    "SET SESSION sql_mode='NO_AUTO_VALUE_ON_ZERO', unique_checks=1, foreign_key_checks=0, sql_notes=0,"
    " autocommit={autocommit}, lock_wait_timeout=30, innodb_lock_wait_timeout=60, net_read_timeout=3600,"
    " net_write_timeout=3600, wait_timeout=28800, sql_safe_updates=0, @backout_questioned=0{zone}"
    # Rows may be older than a CHECK that they do not meet.
    " /*M!100201 , check_constraint_checks=0 */"
)
# A dump program that says nothing of a character set writes this one.
_CHARSET = "utf8mb4"
# Definitions are kept until all rows are in; a dump with more of them is none.
_LATE_BYTES = 64 << 20
# A session that was killed first rolls back what it had not committed.
_GONE_LIMIT_S = 60.0


class LoadServer(Protocol):
    """What a load asks of the server: making, dropping and looking, and how its client program is called."""

    connector: Connector

    def create(self, database: str, like: str) -> None:
        """Make a new, empty database like another."""

    def drop(self, database: str) -> None:
        """Remove one of Backout's own databases."""

    def exists(self, database: str) -> bool:
        """Return whether there is a database of that name."""

    def schema(self, database: str) -> ServerSchema:
        """Return what a database is made of."""

    def physical(self, place: str) -> str:
        """Return the database of a place as the server names it."""

    def asking(self) -> Session:
        """Return a session for short questions."""


def load_dump(
    server: LoadServer,
    path: str,
    database: str,
    *,
    like: Optional[str] = None,
    connections: int = 2,
    expect: Optional[Dict[str, Any]] = None,
) -> Dict[str, Any]:
    """Load a dump into a scratch database and return what it holds then.

    The answer: `tables` (rows by name), `foreign_key_violations` (R6: they are counted after the load), `migrations`,
    `notes` (what was left out or made otherwise), `seconds` by phase. With `like` the scratch database is made first, else it
    must be there and empty. `expect` is the manifest's `{"tables": {name: rows}}`.
    *Changes*: the scratch database only; it is dropped when anything goes wrong. *Raises* Refusal: damaged, refused,
    no_space, busy, changed, unreadable; no message holds a row.
    """
    if like is not None:
        server.create(database, like)
    elif _tables_of(server, database):
        raise Refusal("changed", f"Scratch {database} is not empty. Nothing was changed.")
    load = _Load(server, path, database, max(1, connections))
    try:
        return load.run(expect or {})
    except (DamagedError, ProgramMissingError, OSError) as error:
        kind = "damaged" if isinstance(error, DamagedError) else "unreadable"
        said = error.strerror if isinstance(error, OSError) else error
        raise load.thrown_away(Refusal(kind, f"{path} cannot be read whole: {said}.")) from None
    except Refusal as refusal:
        raise load.thrown_away(refusal) from None
    except BaseException:
        load.thrown_away(Refusal("unreadable", ""))
        raise
    finally:
        load.end()


def _tables_of(server: LoadServer, database: str) -> int:
    return len(server.schema(database).tables)


class _Load:
    """One load on its way: the tables met so far, the definitions that wait, the clients."""

    def __init__(self, server: LoadServer, path: str, database: str, connections: int) -> None:
        self._server, self._path, self._place = server, Path(path), database
        self._database = server.physical(database)
        self._connections = connections
        self._tables: Dict[str, TableParts] = {}
        self._pinned: Dict[str, int] = {}
        self._bytes: Dict[str, int] = {}
        self._late: List[Tuple[bytes, Judgement]] = []
        self._late_bytes = 0
        self._notes: Dict[str, None] = {}
        self._charset, self._zone = _CHARSET, ""
        self._control: Optional[Client] = None
        self._feeders: Optional[Feeders] = None
        self._seconds: Dict[str, float] = {}

    def run(self, expect: Dict[str, Any]) -> Dict[str, Any]:
        with self._timed("data"):
            self._read()
            self._finish_rows()
        with self._timed("indexes"):
            self._add("indexes")
        with self._timed("foreign_keys"):
            self._add("foreign_keys")
        with self._timed("definitions"):
            self._run_late()
        with self._timed("proof"):
            answer = self._proven(expect)
        return {**answer, "notes": list(self._notes), "seconds": self._seconds}

    @contextlib.contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._seconds[phase] = round(time.monotonic() - began, 3)

    def _read(self) -> None:
        """Read the dump to its end: make its tables, hand out its rows, keep the rest for later."""
        blocks = content_blocks(self._path, "loading the backup into scratch")
        splitter = Splitter(blocks, self._packet_bytes())
        for statement in splitter.statements():
            if isinstance(statement, Rows):
                self._feed(statement)
            else:
                self._take(statement)
        if not splitter.whole:
            raise Refusal("damaged", "The dump is cut short: its end marker is missing.")
        if splitter.sandbox:
            self._note("MariaDB's sandbox line was left out: older clients do not know it")
        if not self._tables:
            raise Refusal("damaged", "The dump holds no table.")
        if not self._zone and not splitter.marked:
            self._note(
                "the dump names no time zone (as --compact leaves it out): its times were taken as UTC"
            )

    def _packet_bytes(self) -> int:
        return int(
            self._server.asking().one("SELECT @@max_allowed_packet", "asking the server's limits") or 0
        )

    def _note(self, text: str) -> None:
        self._notes[text] = None

    def _take(self, statement: Plain) -> None:
        judgement = judged(statement.text)
        if judgement.note:
            self._note(judgement.note)
        if judgement.what == "SET":
            self._remember(judgement)
        if judgement.kind is Kind.TABLE:
            self._make_table(statement.text, judgement.name)
        elif judgement.kind is Kind.NOW:
            self._client().run(Work(statement.text, _told(judgement)), STALLED_S)
        elif judgement.kind is Kind.LATE:
            self._late.append((statement.text, judgement))
            self._late_bytes += len(statement.text)
            if self._late_bytes > _LATE_BYTES:
                raise Refusal("refused", "The dump holds more definitions than a database can have.")

    def _remember(self, judgement: Judgement) -> None:
        """Keep the character set and the time zone that the dump's head names; rows are read by them."""
        started = self._control is not None
        if judgement.name == "NAMES" and judgement.value:
            if started and judgement.value.lower() != self._charset:
                raise Refusal("refused", "The dump changes its character set in the middle of its rows.")
            self._charset = judgement.value.lower()
        elif judgement.name == "TIME_ZONE" and judgement.value and not started:
            self._zone = judgement.value

    def _make_table(self, text: bytes, name: str) -> None:
        if name in self._tables:
            raise Refusal("damaged", f"The dump makes the table {name!r} twice, as two dumps in one file do.")
        parts = take_apart(text, name)
        self._tables[name] = parts
        self._client().run(Work(parts.create, f"making the table {name!r}"), STALLED_S)

    def _feed(self, rows: Rows) -> None:
        parts = self._tables.get(rows.table)
        if parts is None:
            raise Refusal("refused", f"The dump puts rows into {rows.table!r}, a table that it has not made.")
        if self._feeders is None:
            self._feeders = Feeders(self._connections, lambda: self._new_client(autocommit=0))
        what = f"rows of {rows.table!r}"
        first = rows.table not in self._bytes
        if first and not parts.is_innodb:
            disable = b"ALTER TABLE " + quoted_bytes(rows.table) + b" DISABLE KEYS"
            self._pinned[rows.table] = self._feeders.put(Work(disable, what))
        place = self._feeders.put(Work(rows.head + rows.body[:-1], what, True), self._pinned.get(rows.table))
        if not parts.sharable:
            self._pinned[rows.table] = place
        self._bytes[rows.table] = self._bytes.get(rows.table, 0) + len(rows.body)

    def _client(self) -> Client:
        if self._control is None:
            self._control = self._new_client(autocommit=1)
        return self._control

    def _new_client(self, autocommit: int) -> Client:
        zone = self._zone or "+00:00"
        if not all(sign.isalnum() or sign in "+-:/_" for sign in zone):
            raise Refusal("refused", "The dump names a time zone that is none.")
        settings = _SETTINGS.format(autocommit=autocommit, zone=f", time_zone='{zone}'")
        return Client(self._server.connector, self._database, settings, self._charset)

    def _finish_rows(self) -> None:
        if self._feeders is None:
            return
        self._feeders.finish()
        if self._feeders.questioned:
            self._note(
                f"the server gave {self._feeders.questioned} warnings about values while it took the rows"
            )
        for name, parts in self._tables.items():
            if not parts.is_innodb and name in self._bytes:
                enable = b"ALTER TABLE " + quoted_bytes(name) + b" ENABLE KEYS"
                self._client().run(Work(enable, f"the indexes of {name!r}"), INDEX_LIMIT_S)

    def _add(self, items: str) -> None:
        """Add the indexes or the foreign keys of all tables, the biggest table first."""
        ordered = sorted(self._tables.values(), key=lambda parts: -self._bytes.get(parts.name, 0))
        said = items.replace("_", " ")
        works = [
            Work(parts.adding(getattr(parts, items)), f"the {said} of {parts.name!r}")
            for parts in ordered
            if getattr(parts, items)
        ]
        if self._feeders is None:
            for work in works:
                self._client().run(work, INDEX_LIMIT_S)
        elif works:
            self._feeders.run_all(works, lambda done: progress(f"making {said}", done, len(works), "tables"))

    def _run_late(self) -> None:
        """Run what waits, in the dump's order: settings, triggers, stand-ins of views, routines, events, views."""
        client = self._client()
        current = client.ask("SELECT CURRENT_USER()", "asking who we are")
        # The rest of the dump's settings belong to definitions only.
        for text, judgement in self._late:
            sql, what = text, _told(judgement)
            if judgement.what in ("TRIGGER", "VIEW", "PROCEDURE", "FUNCTION", "EVENT"):
                sql, definer = without_definer(text, current)
                if definer is not None:
                    self._note(
                        f"{what}: its definer {definer} is another user, so it now belongs to {current}"
                    )
            if judgement.what == "EVENT":
                sql, was_to_run = disabled_event(sql)
                if was_to_run:
                    self._note(
                        f"{what} was made DISABLED, so that it does not run in scratch; in the backup it is ENABLEd"
                    )
            client.send(Work(sql, what))
        client.ask("SELECT 1", "the last definitions")

    def _proven(self, expect: Dict[str, Any]) -> Dict[str, Any]:
        progress("counting the rows", 0, len(self._tables), "tables")
        asking, database = self._server.asking(), self._database
        counts = {
            name: int(asking.one(f"SELECT COUNT(*) FROM {at(database, name)}", f"counting {name!r}") or 0)
            for name in sorted(self._tables)
        }
        _refuse_other_counts(expect.get("tables"), counts)
        progress("looking for orphans", 0, 1, "databases")
        return {
            "tables": counts,
            "foreign_key_violations": violation_counts(asking, database, self._server.schema(self._place)),
            "migrations": self._migrations(),
        }

    def _migrations(self) -> Optional[List[Dict[str, Any]]]:
        """Return the rows of Laravel's table in order, None where there is no such table."""
        if "migrations" not in self._tables:
            return None
        rows = self._server.asking().rows(
            f"SELECT {quoted('id')}, {quoted('migration')}, {quoted('batch')} FROM {at(self._database, 'migrations')}"
            " ORDER BY 1, 2",
            "reading the migrations",
        )
        return [{"id": int(row[0] or 0), "migration": row[1], "batch": int(row[2] or 0)} for row in rows]

    def thrown_away(self, refusal: Refusal) -> Refusal:
        """End all clients, drop scratch, and return the refusal with what became of it. *Changes*: drops scratch."""
        clients = [
            *(self._feeders.clients if self._feeders else []),
            *([self._control] if self._control else []),
        ]
        sessions = [client.connection_id for client in clients]
        self.end()
        try:
            self._end_on_server(sessions)
            self._server.drop(self._place)
            kept = f"Scratch {self._database} was thrown away and nothing else was changed."
        except Refusal:
            kept = f"Scratch {self._database} could not be removed and holds a part of the rows; nothing else was changed."
        return Refusal(refusal.kind, f"{refusal.message} {kept}")

    def _end_on_server(self, sessions: List[int]) -> None:
        """End what the server still runs for our clients, and see it gone: killing a client does not stop it (D8)."""
        ends = time.monotonic() + _GONE_LIMIT_S
        ended: Set[int] = set()
        while time.monotonic() < ends:
            sql = "SELECT ID FROM information_schema.PROCESSLIST"
            running = self._server.asking().rows(sql, "looking at sessions")
            left = {int(row[0] or 0) for row in running} & set(sessions)
            for number in left - ended:
                with contextlib.suppress(Refusal):
                    self._server.asking().run(f"KILL {number}", "ending a session of the load")
            if not left:
                return
            ended |= left
            time.sleep(0.02)

    def end(self) -> None:
        """End all clients; done twice it does nothing."""
        if self._feeders is not None:
            self._feeders.end()
        if self._control is not None:
            self._control.end()


def _told(judgement: Judgement) -> str:
    return f"{judgement.what.lower()} {judgement.name!r}" if judgement.name else judgement.what


def _refuse_other_counts(expected: Optional[Dict[str, Any]], rows: Dict[str, int]) -> None:
    wrong = [
        f"{name} has {rows.get(name, 'no')} rows, the manifest says {count}"
        for name, count in (expected or {}).items()
        if count is not None and rows.get(name) != count
    ]
    if wrong:
        raise Refusal("damaged", f"The load is not what the backup holds: {'; '.join(wrong[:10])}.")
