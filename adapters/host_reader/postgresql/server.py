"""The PostgreSQL engine of the row reader: one server, reached by psql as the application's own user."""

from __future__ import annotations

import contextlib
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql import copy_text
from adapters.host_reader.postgresql.catalogue import Catalogue, read_catalogue, read_path_schema
from adapters.host_reader.postgresql.definitions import read_definitions
from adapters.host_reader.postgresql.filling import Filling, delete_rows, insert_rows, key_range, update_from
from adapters.host_reader.postgresql.fingerprint import Content, read_content
from adapters.host_reader.postgresql.login import Login
from adapters.host_reader.postgresql.making import create_database, drop_database, may_create
from adapters.host_reader.postgresql.names import listed, literal, quoted
from adapters.host_reader.postgresql.place import Side
from adapters.host_reader.postgresql.programs import find_psql
from adapters.host_reader.postgresql.sequences import raise_sequence
from adapters.host_reader.postgresql.session import NO_PATH, ServerRefusal, Session
from adapters.host_reader.postgresql.side import drop_side, has_schema, make_side, open_side
from adapters.host_reader.server.access import read_credentials
from adapters.host_reader.server.notes import OWN_PREFIX, refuse_foreign
from adapters.host_reader.server.port import Fingerprint, Row, ServerSchema, ServerTable
from adapters.host_reader.sqlite_request import Request

# Written for these; an older one lacks what is needed, a newer one is taken for like the newest known.
_OLDEST_MAJOR = 13
_VERSION = "SELECT current_setting('server_version_num'), current_setting('server_version')"
# A counter of live is waited for no longer than this.
_LIVE_LOCK_MS = 5000
# Databases that nearly each server has and that nobody's application is in.
COMMON_DATABASES = ("postgres", "template1")


class PostgresqlServer:
    """One PostgreSQL server; see `adapters.host_reader.server.port.Server` for what each method promises."""

    engine = "pgsql"

    def __init__(self, request: Request) -> None:
        self.request = request
        self._psql = find_psql()
        self.login = Login(read_credentials(request), request)
        self._snapshots: Dict[str, Snapshot] = {}
        self._idle: Dict[str, List[Session]] = {}
        self._writing: Dict[str, List[Session]] = {}
        self._targets: Dict[str, Catalogue] = {}
        self._path_schemas: Dict[str, Optional[str]] = {}
        self._sides: Dict[str, Side] = {}
        self.home = ""
        try:
            self.home, told = self._first_contact()
        except Refusal:
            self.login.close()
            raise
        self.major = int(told[0] or 0) // 10000
        self.version = str(told[1]).split(" ")[0]
        if self.major < _OLDEST_MAJOR:
            self.login.close()
            raise Refusal(
                "refused",
                f"The server is PostgreSQL {self.version}; 13 is the oldest known. Nothing was changed.",
            )

    def __enter__(self) -> PostgresqlServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _first_contact(self) -> Tuple[str, List[Optional[str]]]:
        """Return a database that lets the user in, the live one where it can be, and the server's version."""
        refusals: List[ServerRefusal] = []
        # A cut-over that was killed may have left the live database closed to all.
        for name in (self.login.database, *COMMON_DATABASES):
            try:
                with self.session(name) as session:
                    return name, session.rows(_VERSION)[0]
            except ServerRefusal as refusal:
                refusals.append(refusal)
                if refusals[0].kind not in ("busy", "not_found") and not refusals[0].is_unread:
                    break
        raise refusals[0]

    @property
    def psql(self) -> str:
        """Return the path of the psql in use."""
        return self._psql

    def session(self, database: str, *, path: bool = False) -> Session:
        """Open a session with a database; with `path` names are found as the application finds them."""
        return Session(self._psql, self.login, database, path=path, side=self.side(database))

    def side(self, database: str) -> Optional[Side]:
        """Return the side schema that a name of Backout's own stands for, None where it is a database or not there."""
        if not database.startswith(OWN_PREFIX) or self.home != self.login.database:
            return None
        if database not in self._sides:
            with Session(self._psql, self.login, self.home) as session:
                if not has_schema(session, database):
                    return None
                self._sides[database] = open_side(session, database, self.live_schema())
        return self._sides[database]

    def forget(self, database: str) -> None:
        """Take note that a place is no more, or is another one now."""
        self.leave(database)
        self._sides.pop(database, None)

    def live_schema(self) -> str:
        """Return the schema of the live database in which the application's tables are. *Raises* Refusal (refused)."""
        found = self.path_schema(self.login.database)
        if found is None or found.startswith(OWN_PREFIX):
            raise Refusal(
                "refused",
                "No schema on the application's search path is there, so it has no tables of its own. Nothing was"
                " changed; look at search_path in its configuration.",
            )
        return found

    def connected(self, database: str) -> str:
        """Return how the clients name the database in which a place is: of a side schema the live one."""
        return self.login.target(self.login.database if self.side(database) else database)

    def close(self) -> None:
        """End its sessions and remove the files that held the credentials."""
        for database in {*self._snapshots, *self._idle, *self._writing}:
            self.leave(database)
        self.login.close()

    def leave(self, database: str) -> None:
        """End the sessions it keeps open with a database, and forget what it knows of it."""
        snapshot = self._snapshots.pop(database, None)
        if snapshot is not None:
            snapshot.close()
        for session in [*self._idle.pop(database, []), *self._writing.pop(database, [])]:
            session.close()
        self._targets.pop(database, None)
        self._path_schemas.pop(database, None)

    def exists(self, database: str) -> bool:
        """Return whether there is a database of that name; reads only."""
        with self.session(self.home) as session:
            there = session.number(f"SELECT count(*) FROM pg_database WHERE datname = {literal(database)}")
        return bool(there) or self.side(database) is not None

    def create(self, database: str, like: str) -> None:
        """Make a new, empty database with the encoding, locale and settings of another; a side schema without CREATEDB."""
        refuse_foreign(database)
        with self.session(self.home) as session:
            if self.home == self.login.database and not may_create(session):
                make_side(session, database, self.live_schema())
            else:
                create_database(session, database, like)

    def rename(self, database: str, name: str) -> None:
        """Give one of Backout's own databases or side schemas another name. *Changes*: that name."""
        refuse_foreign(database)
        refuse_foreign(name)
        self.leave(database)
        kind = "SCHEMA" if self.side(database) else "DATABASE"
        with self.session(self.home) as session:
            session.run_generated(f"ALTER {kind} {quoted(database)} RENAME TO {quoted(name)}")
        self._sides.pop(database, None)

    def drop(self, database: str) -> None:
        """Remove one of Backout's own databases."""
        refuse_foreign(database)
        self.leave(database)
        side = self.side(database)
        with self.session(self.home) as session:
            if side is None:
                drop_database(session, database)
            else:
                drop_side(session, database)
                self._sides.pop(database, None)

    def path_schema(self, database: str) -> Optional[str]:
        """Return the schema whose tables are named without it; reads only."""
        if database not in self._path_schemas:
            with self.session(database, path=True) as session:
                self._path_schemas[database] = read_path_schema(session)
        return self._path_schemas[database]

    def schema(self, database: str) -> ServerSchema:
        """Return what a database is made of; reads only."""
        with self._reader(database) as session:
            path_schema = self.path_schema(database)
            found = read_definitions(session, path_schema)
            tables = read_catalogue(session, path_schema).tables
        return ServerSchema(tables, found.views, found.triggers, found.routines, found.hash)

    def shape(self, session: Session, database: str) -> Catalogue:
        """Return the tables of a database as a session of it sees them; reads only."""
        return read_catalogue(session, self.path_schema(database))

    def fingerprint(self, database: str) -> Fingerprint:
        """Return the hash of the whole content; reads only."""
        return self.content(database).fingerprint

    def content(self, database: str, left_out: Iterable[str] = ()) -> Content:
        """Return fingerprint, counts and shape of a database as of one moment; reads only."""
        with self.reading(database), self._reader(database) as session:
            return read_content(session, self.path_schema(database), left_out)

    @contextlib.contextmanager
    def reading(self, database: str) -> Iterator[None]:
        """Give all reading inside one consistent snapshot of the database; inside another one it is the outer's."""
        if database in self._snapshots:
            yield
            return
        self._snapshots[database] = Snapshot(self, database)
        try:
            yield
        finally:
            snapshot = self._snapshots.pop(database, None)
            if snapshot is not None:
                snapshot.close()

    def snapshot_name(self, database: str) -> str:
        """Return the name by which another client reads in the snapshot that `reading` gave."""
        return self._snapshots[database].name

    def stream(self, database: str, table: ServerTable) -> Iterator[Row]:
        """Give all rows of a table, columns in the table's order, in any row order; constant memory; reads only."""
        with self._reader(database) as session:
            source = self._catalogue(session, database).relations[table.name].source
            columns = listed(table.column_names, "t.") or ""
            lines = session.lines(f"SELECT {columns} FROM {source} AS t")
            yield from copy_text.rows(lines, [column.kind for column in table.columns])

    def number(self, database: str, select: str) -> int:
        """Return the one number a SELECT gives, 0 for NULL; reads only."""
        with self._reader(database) as session:
            # The caller names tables as the application does.
            session.run(session.own_path)
            found = session.number(select)
            session.run(NO_PATH)
        return found

    @contextlib.contextmanager
    def filling(self, database: str) -> Iterator[None]:
        """Keep triggers and foreign keys from acting on a scratch database; at the end they are as before, and hold."""
        refuse_foreign(database)
        with self.session(database) as session:
            filling = Filling(session, self.request)
            filling.begin()
            yield
            filling.end()

    def insert_rows(
        self, database: str, table: ServerTable, columns: Sequence[str], rows: Iterable[Row]
    ) -> int:
        """Put rows into scratch in one transaction; one whose primary key is there is replaced. Returns how many."""
        with self._writer(database) as session:
            return insert_rows(session, self._sql(session, database, table), table, columns, rows)

    def update_rows(
        self, database: str, table: ServerTable, columns: Sequence[str], rows: Iterable[Row]
    ) -> int:
        """Set columns by primary key in one transaction; each row is the key's values and then the new ones."""
        with self._writer(database) as session:
            lines = (copy_text.line_of(row) for row in rows)
            return update_from(session, self._sql(session, database, table), table, columns, lines)

    def delete_rows(self, database: str, table: ServerTable, keys: Iterable[Row]) -> int:
        """Remove rows of scratch by primary key in one transaction. Returns how many were there."""
        with self._writer(database) as session:
            return delete_rows(session, self._sql(session, database, table), table, keys)

    def fill_columns(
        self, database: str, source: str, table: ServerTable, columns: Sequence[str], low: Row, high: Row
    ) -> Optional[int]:
        """Copy columns by primary key from the same table of another database, key between low and high.

        The rows stream from one psql into another as the lines of COPY they are, and change in one statement.
        """
        wanted = listed([*table.key, *columns], "t.")
        where = key_range(table, low, high)
        with self._reader(source) as reader, self._writer(database) as writer:
            place = self._catalogue(reader, source).relations[table.name].source
            lines = (
                line + b"\n" for line in reader.lines(f"SELECT {wanted} FROM {place} AS t WHERE {where}")
            )
            return update_from(writer, self._sql(writer, database, table), table, columns, lines)

    def raise_numbers(self, database: str, table: ServerTable, above: int, *, live: bool = False) -> None:
        """Make the next value that the server gives in `table.numbered` greater than `above`; never lower than it is.

        *Changes*: scratch only; with `live` also the application's own database, that sequence alone.
        """
        if table.numbered is None:
            return
        if live and database == self.login.database:
            with self.session(database) as session:
                session.run(f"SET lock_timeout = {_LIVE_LOCK_MS}")
                place = self._catalogue(session, database).relations[table.name].sql
                raise_sequence(session, place, table.numbered, above)
            return
        with self._writer(database) as session:
            raise_sequence(session, self._sql(session, database, table), table.numbered, above)

    @contextlib.contextmanager
    def _reader(self, database: str) -> Iterator[Session]:
        """Give a session that reads: of the snapshot where there is one, else a fresh one."""
        snapshot = self._snapshots.get(database)
        idle = self._idle.setdefault(database, []) if snapshot is None else snapshot.idle
        session = idle.pop() if idle else self.session(database) if snapshot is None else snapshot.open()
        try:
            yield session
        except BaseException:
            session.kill()
            raise
        idle.append(session)

    @contextlib.contextmanager
    def _writer(self, database: str) -> Iterator[Session]:
        """Give a session inside one transaction on scratch, committed at the end and undone after a failure."""
        refuse_foreign(database)
        idle = self._writing.setdefault(database, [])
        session = idle.pop() if idle else self.session(database, path=True)
        try:
            session.run("BEGIN")
            yield session
            session.run("COMMIT")
        except BaseException:
            session.kill()
            raise
        idle.append(session)

    def _catalogue(self, session: Session, database: str) -> Catalogue:
        snapshot = self._snapshots.get(database)
        if snapshot is None:
            return self.shape(session, database)
        if snapshot.catalogue is None:
            snapshot.catalogue = self.shape(session, database)
        return snapshot.catalogue

    def _sql(self, session: Session, database: str, table: ServerTable) -> str:
        """Return a table of scratch as SQL names it. *Raises* Refusal where it is not there."""
        if database not in self._targets:
            self._targets[database] = self.shape(session, database)
        found = self._targets[database].relations.get(table.name)
        if found is None:
            raise Refusal("changed", f"There is no table {table.name!r} in {database}. Nothing was changed.")
        return found.sql


class Snapshot:
    """One consistent view of a database, shared by the sessions that are taken from it."""

    def __init__(self, server: PostgresqlServer, database: str) -> None:
        self._server = server
        self._database = database
        self.catalogue: Optional[Catalogue] = None
        self._keeper = server.session(database)
        self._keeper.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self.name = str(self._keeper.value("SELECT pg_export_snapshot()"))
        self.idle: List[Session] = []

    def open(self) -> Session:
        """Return one more session in this view."""
        session = self._server.session(self._database)
        try:
            session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            session.run(f"SET TRANSACTION SNAPSHOT {literal(self.name)}")
        except BaseException:
            session.kill()
            raise
        return session

    def close(self) -> None:
        """End all its sessions."""
        for session in [*self.idle, self._keeper]:
            session.close()
        self.idle.clear()


def open_server(request: Request) -> PostgresqlServer:
    """Return the server of a request, reached as its application does. *Raises* Refusal; see `read_credentials`."""
    return PostgresqlServer(request)
