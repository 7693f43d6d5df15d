"""Rows whose foreign key points nowhere, counted per foreign key by anti-join."""

from __future__ import annotations

import time
from typing import Any, Dict, List

from adapters.host_reader.answers import progress
from adapters.host_reader.postgresql.catalogue import Catalogue
from adapters.host_reader.postgresql.names import quoted
from adapters.host_reader.postgresql.server import PostgresqlServer
from adapters.host_reader.postgresql.session import ServerRefusal, Session
from adapters.host_reader.server.port import ServerKey, ServerTable
from adapters.host_reader.sqlite_request import Answer, Request, number

_CANCELLED = "57014"


def violations_select(catalogue: Catalogue, table: ServerTable, key: ServerKey) -> str:
    """Return the SELECT that counts the rows whose key is set and has no parent."""
    child, parent = catalogue.relations[table.name].source, catalogue.relations[key.parent].source
    is_set = " AND ".join(f"c.{quoted(column)} IS NOT NULL" for column in key.columns)
    pairs = zip(key.columns, key.parent_columns)  # noqa: B905 - strict= needs Python 3.10
    same = " AND ".join(f"p.{quoted(theirs)} = c.{quoted(own)}" for own, theirs in pairs)
    there = f"SELECT 1 FROM {parent} AS p WHERE {same}"
    return f"SELECT count(*) FROM {child} AS c WHERE {is_set} AND NOT EXISTS ({there})"


def violation_counts(session: Session, catalogue: Catalogue) -> Dict[str, int]:
    """Return `{"child(columns) -> parent": rows without a parent}` for each foreign key that is violated; reads only."""
    found = {}
    for table in catalogue.tables.values():
        for key in table.foreign_keys:
            count = session.number(violations_select(catalogue, table, key))
            if count:
                found[f"{table.name}({', '.join(key.columns)}) -> {key.parent}"] = count
    return found


def orphans(server: PostgresqlServer, database: str, request: Request) -> Answer:
    """Return for each foreign key how many child rows have no parent; reads only, on a copy rather than on live.

    `time_limit_s` (default 60) holds for all together; a count that was not reached is None and `complete` is False.
    """
    ends = time.monotonic() + number(request, "time_limit_s", 60)
    with server.session(database) as session:
        catalogue = server.shape(session, database)
    keys = [(table, key) for table in catalogue.tables.values() for key in table.foreign_keys]
    counts: List[Dict[str, Any]] = []
    for done, (table, key) in enumerate(keys):
        progress("foreign keys", done, len(keys), "keys")
        counts.append(
            {
                "table": table.name,
                "columns": list(key.columns),
                "parent": key.parent,
                "parent_columns": list(key.parent_columns),
                "violations": _counted(server, database, violations_select(catalogue, table, key), ends),
            }
        )
    return {"foreign_keys": counts, "complete": all(each["violations"] is not None for each in counts)}


def _counted(server: PostgresqlServer, database: str, select: str, ends: float) -> int | None:
    left_ms = int((ends - time.monotonic()) * 1000)
    if left_ms <= 0:
        return None
    # The application's own path: an extension's type is compared by the operators that stand there.
    with server.session(database, path=True) as session:
        session.run(f"SET statement_timeout = {left_ms}")
        try:
            return session.number(select)
        except ServerRefusal as refusal:
            if refusal.state != _CANCELLED:
                raise
            return None
