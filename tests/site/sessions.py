"""One way to write to a live database, whatever its engine: in-process for SQLite, the engine's own client for servers."""

from __future__ import annotations

import itertools
import sqlite3
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.servers.login import Login

ROWS_AT_ONCE = 500
MARK = "---answered---"


class Session(ABC):
    """One connection. Values stand for the `?` of a statement; a row that is read comes back as a tuple."""

    @abstractmethod
    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows; from a server each value is text. *Changes* what the statement says."""

    @abstractmethod
    def insert(self, table: str, row: dict[str, Any]) -> int:
        """Add one row to a table that numbers its rows, and return its id."""

    @abstractmethod
    def insert_many(self, table: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows, with their ids where the columns hold them."""

    @abstractmethod
    def raise_number(self, table: str, highest: int) -> None:
        """Let the table's next id be above this one and above every id there is."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    def number(self, sql: str, *values: Any) -> int:
        """Return the one number of a query."""
        return int(self.query(sql, *values)[0][0])

    def add(self, table: str, row: dict[str, Any]) -> None:
        """Add one row to a table that does not number its rows."""
        self.insert_many(table, tuple(row), [tuple(row.values())])

    def begin(self) -> None:
        """Start a transaction, so that many writes cost one sync."""
        self.query("begin")

    def commit(self) -> None:
        """End the transaction of `begin`."""
        self.query("commit")


class SqliteSession(Session):
    """A connection to a file; with `read_only` it cannot change it."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        address = f"{path.as_uri()}?mode={'ro' if read_only else 'rw'}"
        self._connection = sqlite3.connect(address, uri=True, isolation_level=None)
        self._connection.execute("pragma foreign_keys = on")

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()

    def insert(self, table: str, row: dict[str, Any]) -> int:
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        sql = f"insert into {table} ({names}) values ({marks})"
        return self._connection.execute(sql, tuple(row.values())).lastrowid or 0

    def insert_many(self, table: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        self._connection.executemany(f"insert into {table} ({names}) values ({marks})", rows)

    def raise_number(self, table: str, highest: int) -> None:
        self.query("update sqlite_sequence set seq = max(seq, ?) where name = ?", highest, table)

    def begin(self) -> None:
        self.query("begin immediate")

    def close(self) -> None:
        self._connection.close()


class ClientSession(Session):
    """A client program that is kept running: statements go in, each answer comes back before the next one.

    `own_schema` is the SQL expression for the schema in which an unqualified table is found.
    """

    def __init__(self, login: Login) -> None:
        self._pg = login.driver == "pgsql"
        self.own_schema = "current_schema()" if self._pg else "database()"
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the session
        self._client = subprocess.Popen(
            [*login.client(), *([] if self._pg else ["--unbuffered"])],
            env=login.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
        )

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        parts = sql.split("?")
        if len(parts) != len(values) + 1:
            raise ValueError(f"{len(values)} values for {len(parts) - 1} marks: {sql}")
        literals = [self.literal(value) for value in values]
        return self._answer("".join(map("".join, zip(parts, [*literals, ""], strict=True))))

    def insert(self, table: str, row: dict[str, Any]) -> int:
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        sql = f"insert into {table} ({names}) values ({marks})"
        if self._pg:
            return int(self.query(f"{sql} returning id", *row.values())[0][0])
        self.query(sql, *row.values())
        return self.number("select last_insert_id()")

    def insert_many(self, table: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
        names = ", ".join(columns)
        for some in batched(rows):
            values = ", ".join(f"({', '.join(map(self.literal, row))})" for row in some)
            self._answer(f"insert into {table} ({names}) values {values}")
        if self._pg and "id" in columns:
            self.raise_number(table, 1)

    def raise_number(self, table: str, highest: int) -> None:
        if self._pg:
            largest = f"(select greatest(max(id), ?) from {table})"
            self.query(f"select setval(pg_get_serial_sequence('{table}', 'id'), {largest})", highest)
        else:  # MariaDB never sets it below what there is.
            self.query(f"alter table {table} auto_increment = ?", highest + 1)

    def close(self) -> None:
        self._client.communicate()
        self._said.close()

    def literal(self, value: Any) -> str:
        """Return a value as it stands in a statement, exact to the letter, also through the client's line reader."""
        if value is None:
            return "null"
        if isinstance(value, int):
            return str(value)
        text = str(value).replace("'", "''")
        if self._pg:
            return f"'{text}'"
        text = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
        return f"'{text}'"

    def _answer(self, statement: str) -> list[tuple[Any, ...]]:
        if self._client.stdin is None or self._client.stdout is None:
            raise RuntimeError("the client has no pipes")
        self._client.stdin.write(f"{statement};\nselect '{MARK}';\n".encode())
        self._client.stdin.flush()
        rows: list[tuple[Any, ...]] = []
        for line in self._client.stdout:
            if line.rstrip(b"\n") == MARK.encode():
                return rows
            rows.append(tuple(line.decode().rstrip("\n").split("\t")))
        self._said.seek(0)
        raise RuntimeError(f"the client ended: {self._said.read().decode(errors='replace')[-800:]}")


def batched(rows: Iterable[tuple[Any, ...]]) -> Iterable[tuple[tuple[Any, ...], ...]]:
    """Return rows in groups of `ROWS_AT_ONCE`."""
    rest = iter(rows)
    while some := tuple(itertools.islice(rest, ROWS_AT_ONCE)):
        yield some
