"""A server of databases that are SQLite files: the `Server` port without a server, for the tests of images."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.host_reader.answers import Refusal
from adapters.host_reader.server.port import (
    Fingerprint,
    Row,
    ServerColumn,
    ServerKey,
    ServerSchema,
    ServerTable,
)
from adapters.host_reader.sqlite_fingerprint import fingerprint_of
from adapters.host_reader.sqlite_open import quoted
from adapters.host_reader.sqlite_orphans import violation_counts
from adapters.host_reader.sqlite_schema import Table, read_schema

_KINDS = {"INTEGER": "integer", "TEXT": "text", "BLOB": "binary"}
_CATALOGUE = """
ATTACH ':memory:' AS information_schema;
CREATE TABLE information_schema.TABLES (TABLE_SCHEMA, TABLE_NAME, AUTO_INCREMENT, DATA_LENGTH, INDEX_LENGTH);
"""


class Killed(BaseException):
    """The reader was ended here, as by `kill -9`."""


@dataclass
class FakeServer:
    """A server whose database `x` is the file `<folder>/x.db`.

    `commits` lists what was committed: (what, table, rows). `before_commit` is called before each one with the number
    of those so far; a test raises Killed there. `meanwhile` is called between two rows of a stream. `fills` is False
    for an engine that has no fast way to fill columns.
    """

    folder: Path
    engine: str = "mariadb"
    version: str = "10.11-fake"
    commits: list[tuple[str, str, int]] = field(default_factory=list)
    before_commit: Callable[[int], None] = lambda done: None
    after_commit: Callable[[int], None] = lambda done: None
    meanwhile: Callable[[], None] = lambda: None
    fills: bool = True
    closed: bool = False
    streams: int = 0

    def close(self) -> None:
        self.closed = True

    def path(self, database: str) -> Path:
        """Return the file of a database."""
        return self.folder / f"{database}.db"

    def exists(self, database: str) -> bool:
        return self.path(database).exists()

    def create(self, database: str, like: str) -> None:
        if self.exists(database):
            raise Refusal("changed", "It is there.")
        sqlite3.connect(self.path(database)).close()

    def drop(self, database: str) -> None:
        self._refuse_foreign(database)
        self.path(database).unlink()

    def _refuse_foreign(self, database: str) -> None:
        if not database.startswith("backout_"):
            raise Refusal("bad_request", "No database of Backout's own.")

    @contextlib.contextmanager
    def _open(self, database: str) -> Iterator[sqlite3.Connection]:
        if not self.exists(database):
            raise Refusal("not_found", f"There is no database {database}.")
        with contextlib.closing(sqlite3.connect(self.path(database), isolation_level=None)) as connection:
            yield connection

    def schema(self, database: str) -> ServerSchema:
        with self._open(database) as connection:
            found = read_schema(connection)
            tables = {
                table.name: _server_table(connection, table)
                for table in sorted(found.tables.values(), key=lambda each: each.name)
            }
        return ServerSchema(tables, tuple(found.views), tuple(found.triggers), (), found.hash)

    def fingerprint(self, database: str) -> Fingerprint:
        with self._open(database) as connection:
            connection.execute("PRAGMA query_only=ON")
            answer = fingerprint_of(connection, except_tables=["sqlite_sequence"])
            rows = {name: value["rows"] for name, value in answer["tables"].items()}
        # Like a real server's, it does not tell the counters.
        return Fingerprint(_without_counters(answer), str(answer["schema_hash"]), rows)

    @contextlib.contextmanager
    def reading(self, database: str) -> Iterator[None]:
        yield

    def stream(self, database: str, table: ServerTable) -> Iterator[Row]:
        self.streams += 1
        columns = ", ".join(quoted(name) for name in table.column_names)
        with self._open(database) as connection:
            connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
            for row in connection.execute(f"SELECT {columns} FROM {quoted(table.name)}"):
                yield row
                self.meanwhile()

    def number(self, database: str, select: str) -> int:
        with self._open(database) as connection:
            connection.executescript(_CATALOGUE)
            connection.create_function("DATABASE", 0, lambda: database)
            counters = []
            with contextlib.suppress(sqlite3.OperationalError):
                counters = connection.execute("SELECT name, seq + 1 FROM main.sqlite_sequence").fetchall()
            connection.executemany(
                "INSERT INTO information_schema.TABLES VALUES (?, ?, ?, 1000, 0)",
                [(database, name, number) for name, number in counters],
            )
            plain = select.replace("CONVERT(", "CAST(").replace(" USING utf8)", " AS TEXT)")
            return int((connection.execute(plain).fetchone() or (0,))[0] or 0)

    @contextlib.contextmanager
    def filling(self, database: str) -> Iterator[None]:
        self._refuse_foreign(database)
        yield
        with self._open(database) as connection:
            violated = violation_counts(connection, "main", read_schema(connection))
        if violated:
            raise Refusal("foreign_keys", f"Foreign keys do not hold: {sorted(violated)}.")

    def insert_rows(
        self, database: str, table: ServerTable, columns: Sequence[str], rows: Iterable[Row]
    ) -> int:
        marks = ", ".join("?" for _ in columns)
        names = ", ".join(quoted(name) for name in columns)
        return self._many(
            "insert",
            database,
            table,
            f"INSERT INTO {quoted(table.name)} ({names}) VALUES ({marks}){_replacing(table, columns)}",
            rows,
        )

    def update_rows(
        self, database: str, table: ServerTable, columns: Sequence[str], rows: Iterable[Row]
    ) -> int:
        size = len(table.key)
        turned = ((*row[size:], *row[:size]) for row in rows)
        setting = ", ".join(f"{quoted(name)} = ?" for name in columns)
        statement = f"UPDATE {quoted(table.name)} SET {setting} WHERE {_where(table)}"
        return self._many("update", database, table, statement, turned)

    def delete_rows(self, database: str, table: ServerTable, keys: Iterable[Row]) -> int:
        statement = f"DELETE FROM {quoted(table.name)} WHERE {_where(table)}"
        return self._many("delete", database, table, statement, keys)

    def fill_columns(
        self, database: str, source: str, table: ServerTable, columns: Sequence[str], low: Row, high: Row
    ) -> int | None:
        if not self.fills:
            return None
        name, key = quoted(table.name), quoted(table.key[0])
        with self._open(database) as connection:
            connection.execute("ATTACH ? AS source", (str(self.path(source)),))
            connection.execute("BEGIN")
            done = 0
            for column in columns:
                done += connection.execute(
                    f"UPDATE main.{name} AS s SET {quoted(column)} = (SELECT b.{quoted(column)} FROM source.{name} AS b"
                    f" WHERE b.{key} = s.{key}) WHERE s.{key} BETWEEN ? AND ?"
                    f" AND EXISTS (SELECT 1 FROM source.{name} AS b WHERE b.{key} = s.{key})",
                    (low[0], high[0]),
                ).rowcount
            self._commit(connection, ("fill", table.name, done))
        return done

    def raise_numbers(self, database: str, table: ServerTable, above: int, *, live: bool = False) -> None:
        if not live:
            self._refuse_foreign(database)
        with self._open(database) as connection:
            known = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,))
            if (known.fetchone() or (0,))[0] < above:
                connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table.name,))
                connection.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (table.name, above))

    def _many(self, what: str, database: str, table: ServerTable, statement: str, rows: Iterable[Row]) -> int:
        self._refuse_foreign(database)
        with self._open(database) as connection:
            connection.execute("PRAGMA foreign_keys=OFF")
            connection.execute("BEGIN")
            done = connection.executemany(statement, rows).rowcount
            self._commit(connection, (what, table.name, done))
        return done

    def _commit(self, connection: sqlite3.Connection, what: tuple[str, str, int]) -> None:
        self.before_commit(len(self.commits))
        connection.execute("COMMIT")
        self.commits.append(what)
        self.after_commit(len(self.commits))


def _replacing(table: ServerTable, columns: Sequence[str]) -> str:
    if not table.key:
        return ""
    keys = ", ".join(quoted(name) for name in table.key)
    rest = [name for name in columns if name not in table.key]
    setting = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in rest)
    return f" ON CONFLICT ({keys}) DO " + (f"UPDATE SET {setting}" if rest else "NOTHING")


def _where(table: ServerTable) -> str:
    return " AND ".join(f"{quoted(name)} = ?" for name in table.key)


def _without_counters(answer: dict[str, Any]) -> str:
    parts = sorted((name, value["rows"], value["checksum"]) for name, value in answer["tables"].items())
    return hashlib.sha256(repr((answer["schema_hash"], parts)).encode()).hexdigest()[:32]


def _server_table(connection: sqlite3.Connection, table: Table) -> ServerTable:
    columns = tuple(
        ServerColumn(
            each.name,
            each.type,
            _KINDS[each.affinity],
            each.notnull,
            _literal(connection, each.default),
            # As MariaDB's usual collation has it.
            _KINDS[each.affinity] == "text",
        )
        for each in table.columns
    )
    keys = tuple(
        ServerKey(each.columns, each.parent, each.parent_columns, each.on_delete)
        for each in table.foreign_keys
    )
    numbered = table.key[0] if table.autoincrement else None
    return ServerTable(table.name, columns, table.key, keys, _uniques(connection, table.name), numbered)


def _literal(connection: sqlite3.Connection, default: str | None) -> Any:
    return None if default is None else connection.execute(f"SELECT {default}").fetchone()[0]


def _uniques(connection: sqlite3.Connection, table: str) -> tuple[tuple[str, ...], ...]:
    listed = connection.execute(f"PRAGMA index_list({quoted(table)})").fetchall()
    unique = [row[1] for row in listed if row[2] and row[3] != "pk" and not row[4]]
    return tuple(
        tuple(row[2] for row in connection.execute(f"PRAGMA index_info({quoted(name)})")) for name in unique
    )
