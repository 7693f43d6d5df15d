"""Take rows of Laravel's own tables (jobs, sessions, locks) out of the live database; each is kept in a file first."""

from __future__ import annotations

from typing import Iterator

from adapters.host_reader.answers import Refusal
from adapters.host_reader.kept_rows import (
    Wanted,
    children_of,
    keep_rows,
    refuse_hanging,
    refuse_others,
    wanted_rows,
)
from adapters.host_reader.postgresql.names import listed, quoted
from adapters.host_reader.postgresql.server import PostgresqlServer
from adapters.host_reader.postgresql.session import Session
from adapters.host_reader.server.port import ServerTable
from adapters.host_reader.sqlite_request import Answer, Request


def set_aside(server: PostgresqlServer, database: str, request: Request) -> Answer:
    """Keep the rows of each table in `tables` in a file in `folder`, and remove them, all in one transaction.

    *Changes*: those rows, or nothing. *Raises* Refusal: busy, not_found, refused, changed (nothing was removed).
    """
    wanted = wanted_rows(request)
    with server.session(database) as session:
        found = server.shape(session, database)
        parents = {name: {key.parent for key in table.foreign_keys} for name, table in found.tables.items()}
        session.run("BEGIN")
        answers = []
        for one in wanted:
            if one.table not in found.tables:
                raise Refusal(
                    "not_found", f"There is no table {one.table} in {database}. Nothing was changed."
                )
            refuse_hanging(one, children_of(parents, one.table))
            answers.append(_taken(session, found.relations[one.table].sql, found.tables[one.table], one))
        session.run("COMMIT")
    return {"tables": answers}


def _taken(session: Session, place: str, table: ServerTable, one: Wanted) -> Answer:
    where = f" WHERE {quoted('key')} LIKE '%{one.key_holds}%'" if one.key_holds else ""
    columns = listed(table.column_names)
    # Nobody writes between the first row that is read and the end; readers go on.
    session.run(f"LOCK TABLE {place} IN SHARE ROW EXCLUSIVE MODE")

    def rows() -> Iterator[bytes]:
        for line in session.lines(f"SELECT {columns} FROM {place}{where}"):
            yield line + b"\n"

    before = f"COPY {place} ({columns}) FROM stdin;\n".encode("utf-8", "surrogateescape")
    kept = keep_rows(one.file, before, rows(), b"\\.\n")
    removed = session.number(
        f"WITH gone AS (DELETE FROM {place}{where} RETURNING 1) SELECT count(*) FROM gone"
    )
    return refuse_others(one, kept, removed)
