"""One MySQL or MariaDB server as the row reader sees it, through the host's own client."""

from __future__ import annotations

import contextlib
from typing import Dict, Iterable, Iterator, Optional, Sequence

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql import scratch
from adapters.host_reader.mysql.client import Connector, Session, find_programs, programs_for
from adapters.host_reader.mysql.fingerprint import fingerprint_of
from adapters.host_reader.mysql.lending import Lending, as_put_aside
from adapters.host_reader.mysql.lent import LentDatabases, parts_of
from adapters.host_reader.mysql.names import at, listed, quoted, text_literal
from adapters.host_reader.mysql.orphans import violation_counts
from adapters.host_reader.mysql.rights import read_rights
from adapters.host_reader.mysql.rows import stream_rows
from adapters.host_reader.mysql.schema import Structure, read_structure, texts
from adapters.host_reader.server.access import PrivateFolder, read_credentials, workspace_folder
from adapters.host_reader.server.notes import refuse_foreign
from adapters.host_reader.server.port import Fingerprint, Row, ServerSchema, ServerTable
from adapters.host_reader.sqlite_request import Request

_SNAPSHOT = (
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)


class MysqlServer:
    """A reachable server, as the application's own user. It holds its sessions and the credentials' files until `close`."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.credentials = read_credentials(request)
        self.lent = LentDatabases(request)
        self.lending = Lending(self, self.lent, request)
        folder = PrivateFolder(request)
        try:
            found = find_programs()
            self.connector = Connector(self.credentials, folder, found[0])
            self._asking = self.connector.session()
            self.version = str(self._asking.one("SELECT VERSION()", "asking for the server's version"))
            self.is_mariadb = "mariadb" in self.version.lower()
            self.engine = "mariadb" if self.is_mariadb else "mysql"
            self.connector.programs = programs_for(found, self.is_mariadb)
            for setting in self._fresh:
                self._asking.run(f"SET SESSION {setting}", "connecting")
        except BaseException:
            folder.remove()
            raise
        self._reading: Dict[str, Session] = {}
        self._filling: Dict[str, Session] = {}
        self._structures: Dict[str, Structure] = {}

    def close(self) -> None:
        """End its sessions and remove the files that held the credentials."""
        self.connector.close()

    @property
    def _fresh(self) -> Sequence[str]:
        """Return the settings under which MySQL 8 and later do not tell counters and times from a cache that is a day old."""
        has_cache = not self.is_mariadb and not self.version.startswith("5.")
        return ("information_schema_stats_expiry = 0",) if has_cache else ()

    def session(self, database: Optional[str] = None, settings: Sequence[str] = ()) -> Session:
        """Open another session; the server ends it at `close`."""
        return self.connector.session(database and self.physical(database), (*self._fresh, *settings))

    @property
    def unchecked(self) -> Sequence[str]:
        """Return the settings under which rows are taken as they were, also where they do not meet a later CHECK."""
        return ("foreign_key_checks = 0", *(("check_constraint_checks = 0",) if self.is_mariadb else ()))

    def physical(self, place: str) -> str:
        """Return the database of a place as the server names it. *Raises* Refusal (not_found) for one that had to go."""
        return self.lent.physical(place)

    def asking(self) -> Session:
        """Return the session for short questions; a new one where an error ended the last."""
        if not self._asking.alive:
            self._asking = self.session()
        return self._asking

    def exists(self, database: str) -> bool:
        """Return whether there is a database of that name; reads only."""
        if parts_of(database)[1] is not None:
            return self.lent.holds(database)
        return self._charset(database) is not None

    def _charset(self, database: str) -> Optional[Sequence[Optional[str]]]:
        rest = f"FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {text_literal(database)}"
        columns = ["SCHEMA_NAME", "DEFAULT_CHARACTER_SET_NAME", "DEFAULT_COLLATION_NAME"]
        rows = texts(self.asking(), columns, rest, f"looking for {database}")
        return next((row[1:] for row in rows if row[0] == database), None)

    def create(self, database: str, like: str) -> None:
        """Make a new, empty database with the character set and collation of another.

        *Raises* Refusal: refused (no right to), changed (one of that name is there), not_found (no `like`).
        """
        refuse_foreign(database)
        if self.exists(database):
            raise Refusal("changed", f"There is a database {database} already. It was left as it is.")
        charset = self._charset(like)
        if charset is None:
            raise Refusal("not_found", f"There is no database {like}. Nothing was changed.")
        self._structures.pop(database, None)
        if parts_of(database)[1] is not None:
            self.lending.take(database, charset)
            return
        missing = read_rights(self.asking(), like)["missing_own"]
        if missing:
            raise Refusal(
                "refused",
                f"The application's user may not make databases named backout_…: it lacks {', '.join(missing)} on"
                " `backout\\_%`.*. Nothing was changed; have it granted, or take another strategy.",
            )
        self.asking().run(
            f"CREATE DATABASE {quoted(database)} CHARACTER SET {charset[0]} COLLATE {charset[1]}",
            f"making the database {database}",
        )

    def drop(self, database: str) -> None:
        """Remove one of Backout's own databases. *Raises* Refusal (bad_request) for a name not of Backout's own."""
        refuse_foreign(database)
        self._structures.pop(database, None)
        if parts_of(database)[1] is not None:
            self.lending.give_back(database)
            return
        self.asking().run(f"DROP DATABASE IF EXISTS {quoted(database)}", f"removing the database {database}")

    def drop_empty(self, database: str) -> None:
        """Remove one of Backout's own databases where it has no table left; else leave it as it is."""
        refuse_foreign(database)
        if self.exists(database) and not self.structure(database).movable:
            self.drop(database)

    def structure(self, database: str, session: Optional[Session] = None) -> Structure:
        """Return what a database is made of, with all that the port's schema leaves out; reads only."""
        physical = self.physical(database)
        if not self.exists(database):
            raise Refusal("not_found", f"There is no database {database}. Nothing was changed.")
        is_tenant, parked = self.lent.is_tenant(database), self.lent.parked(database)
        put_aside = parked is not None and not is_tenant
        found = read_structure(session or self.asking(), physical, put_aside=put_aside)
        if is_tenant:
            self.lent.saw(database, found.movable)
        elif parked is not None:
            found = as_put_aside(found, parked)
        self._structures[database] = found
        return found

    def schema(self, database: str) -> ServerSchema:
        """Return what a database is made of; reads only."""
        return self.structure(database).schema

    def fingerprint(self, database: str) -> Fingerprint:
        """Return the hash of the whole content, as of one moment; reads only."""
        with self.snapshot(database) as session:
            return fingerprint_of(session, self.physical(database), self.structure(database, session))

    @contextlib.contextmanager
    def reading(self, database: str) -> Iterator[None]:
        """Give all `stream`, `number` and `fingerprint` calls inside one consistent snapshot of the database."""
        with self.snapshot(database):
            yield

    @contextlib.contextmanager
    def snapshot(self, database: str) -> Iterator[Session]:
        """Give the session that reads a database in one consistent snapshot, the same one inside the block."""
        if database in self._reading:
            yield self._reading[database]
            return
        session = self.session(database)
        for statement in _SNAPSHOT:
            session.run(statement, f"reading {database}")
        self._reading[database] = session
        try:
            yield session
        finally:
            self._reading.pop(database).end()

    def stream(self, database: str, table: ServerTable) -> Iterator[Row]:
        """Give all rows of a table, columns in the table's order, in any row order; constant memory; reads only."""
        with self.snapshot(database) as session:
            yield from stream_rows(session, self.physical(database), table)

    def number(self, database: str, select: str) -> int:
        """Return the one number a SELECT gives, 0 for NULL; reads only."""
        with self.snapshot(database) as session:
            return int(session.one(select, f"asking {database}") or 0)

    @contextlib.contextmanager
    def filling(self, database: str) -> Iterator[None]:
        """Keep triggers and foreign keys from acting on a scratch database; at the end they are as before, and hold.

        *Changes*: scratch only. *Raises* Refusal (foreign_keys) at the end where a foreign key does not hold, with its name.
        """
        refuse_foreign(database)
        still = scratch.StillTriggers(workspace_folder(self._request, "tmp"), database)
        session = self.session(database, self.unchecked)
        still.take_away(session, self.structure(database).definitions)
        self._filling[database] = session
        try:
            yield
        finally:
            self._filling.pop(database).end()
            still.put_back(self.session(database))
        self._refuse_orphans(database)

    def _refuse_orphans(self, database: str) -> None:
        violated = violation_counts(self.asking(), self.physical(database), self.schema(database))
        if violated:
            told = "; ".join(f"{name}: {count} rows" for name, count in list(violated.items())[:5])
            raise Refusal(
                "foreign_keys", f"Foreign keys of {database} do not hold: {told}. Only scratch was changed."
            )

    def _writing(self, database: str) -> Session:
        refuse_foreign(database)
        session = self._filling.get(database)
        if session is None:
            return self.asking()
        if not session.alive:
            session = self._filling[database] = self.session(database, self.unchecked)
        return session

    def _known(self, database: str) -> Structure:
        return self._structures.get(database) or self.structure(database)

    def insert_rows(
        self, database: str, table: ServerTable, columns: Sequence[str], rows: Iterable[Row]
    ) -> int:
        """Put rows into scratch in one transaction; one whose primary key is there is replaced. Returns how many."""
        session, known = self._writing(database), self._known(database)
        return scratch.insert_rows(session, self.physical(database), table, columns, rows, known)

    def update_rows(
        self, database: str, table: ServerTable, columns: Sequence[str], rows: Iterable[Row]
    ) -> int:
        """Set columns by primary key in one transaction; returns how many of the keys were there."""
        session, known = self._writing(database), self._known(database)
        return scratch.update_rows(session, self.physical(database), table, columns, rows, known)

    def delete_rows(self, database: str, table: ServerTable, keys: Iterable[Row]) -> int:
        """Remove rows of scratch by primary key in one transaction. Returns how many were there."""
        session, known = self._writing(database), self._known(database)
        return scratch.delete_rows(session, self.physical(database), table, keys, known)

    def fill_columns(
        self, database: str, source: str, table: ServerTable, columns: Sequence[str], low: Row, high: Row
    ) -> Optional[int]:
        """Copy columns by primary key from the same table of another database, keys from `low` to `high`.

        Returns how many rows changed, None where the key is not of whole numbers.
        """
        session, known = self._writing(database), self._known(database)
        target, other = self.physical(database), self.physical(source)
        return scratch.fill_columns(session, target, other, table, columns, low, high, known)

    def raise_numbers(self, database: str, table: ServerTable, above: int, *, live: bool = False) -> None:
        """Make the next AUTO_INCREMENT value greater than `above`; one that is greater stays.

        *Changes*: scratch only; with `live` also the application's own database, its counter alone.
        """
        if not (live and database == self.credentials.database):
            refuse_foreign(database)
        if table.numbered is None or self.structure(database).counters.get(table.name, 0) > above:
            return
        session = self.asking()
        session.run(f"USE {quoted(self.physical(database))}", f"opening {database}")
        session.run(
            f"ALTER TABLE {quoted(table.name)} AUTO_INCREMENT = {int(above) + 1}",
            f"raising the counter of {database}.{table.name}",
        )

    def copy_rows(self, session: Session, source: str, target: str, table: ServerTable) -> int:
        """Copy all rows of a table into the same empty table of a scratch database, inside the server."""
        refuse_foreign(target)
        names = listed(table.column_names)
        return session.run(
            f"INSERT INTO {at(self.physical(target), table.name)} ({names})"
            f" SELECT {names} FROM {at(self.physical(source), table.name)}",
            f"copying {source}.{table.name}",
        )


def open_server(request: Request) -> MysqlServer:
    """Return the server that a request's `access` leads to. The caller closes it. *Raises* Refusal (unreadable)."""
    return MysqlServer(request)
