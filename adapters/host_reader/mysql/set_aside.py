"""Take rows of Laravel's own tables (jobs, sessions, locks) out of the live database; each is kept in a file first."""

from __future__ import annotations

from typing import Iterator, Sequence

from adapters.host_reader.answers import Refusal
from adapters.host_reader.kept_rows import (
    Wanted,
    children_of,
    keep_rows,
    refuse_hanging,
    refuse_others,
    wanted_rows,
)
from adapters.host_reader.mysql.client import Session
from adapters.host_reader.mysql.names import at, listed, quoted
from adapters.host_reader.mysql.rows import stream_rows, writer_of
from adapters.host_reader.mysql.schema import texts
from adapters.host_reader.mysql.server import MysqlServer
from adapters.host_reader.server.port import ServerTable
from adapters.host_reader.sqlite_request import Answer, Request

# Under it the rows that are read for update, and the gaps between them, stay as they are until the end.
_REPEATABLE = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"


def set_rows_aside(server: MysqlServer, database: str, request: Request) -> Answer:
    """Keep the rows of each table in `tables` in a file in `folder`, and remove them, all in one transaction.

    *Changes*: those rows, or nothing. *Raises* Refusal: busy, not_found, refused, changed (nothing was removed).
    """
    wanted = wanted_rows(request)
    tables = server.schema(database).tables
    parents = {name: {key.parent for key in table.foreign_keys} for name, table in tables.items()}
    for one in wanted:
        if one.table not in tables:
            raise Refusal("not_found", f"There is no table {one.table} in {database}. Nothing was changed.")
        refuse_hanging(one, children_of(parents, one.table))
    session = server.session(database)
    _refuse_without_transactions(session, [one.table for one in wanted])
    session.run(_REPEATABLE, "setting rows aside")
    session.run("START TRANSACTION", "setting rows aside")
    place = server.physical(database)
    answers = [_taken(session, place, tables[one.table], one) for one in wanted]
    session.run("COMMIT", "setting rows aside")
    return {"tables": answers}


def _refuse_without_transactions(session: Session, tables: Sequence[str]) -> None:
    """Do nothing where what is removed comes back when the work ends half done. *Raises* Refusal (refused) by name."""
    rest = "FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1"
    rows = texts(session, ["TABLE_NAME", "ENGINE"], rest, "looking at the storage engines")
    found = [f"{name} ({engine})" for name, engine in rows if name in tables and engine != "InnoDB"]
    if found:
        raise Refusal(
            "refused",
            f"{', '.join(found)}: a table without transactions cannot be kept and emptied in one step. Nothing was changed; take its"
            " rows out by hand.",
        )


def _taken(session: Session, database: str, table: ServerTable, one: Wanted) -> Answer:
    where = f" WHERE {quoted('key')} LIKE '%{one.key_holds}%'" if one.key_holds else ""
    head = f"INSERT INTO {quoted(table.name)} ({listed(table.column_names)}) VALUES ("
    writers = [writer_of(column) for column in table.columns]

    def rows() -> Iterator[bytes]:
        for row in stream_rows(session, database, table, f"{where} FOR UPDATE"):
            values = ", ".join(write(value) for write, value in zip(writers, row))  # noqa: B905 - Python 3.9
            yield f"{head}{values});\n".encode("utf-8", "surrogateescape")

    kept = keep_rows(one.file, b"START TRANSACTION;\n", rows(), b"COMMIT;\n")
    removed = session.run(f"DELETE FROM {at(database, table.name)}{where}", f"removing rows of {table.name}")
    return refuse_others(one, kept, removed)
