"""Rows whose foreign key points nowhere, counted per foreign key."""

from __future__ import annotations

import sqlite3
import time
from typing import Any, Dict, List

from adapters.host_reader.answers import Refusal, progress
from adapters.host_reader.sqlite_open import quoted, reading, time_limit
from adapters.host_reader.sqlite_request import Answer, Request, number, text
from adapters.host_reader.sqlite_schema import ForeignKey, Schema, Table, read_schema


def sqlite_orphans(request: Request) -> Answer:
    """Return for each foreign key how many child rows have no parent; reads only, on a copy rather than on live.

    `time_limit_s` (default 60) holds for all together; a count that was not reached is None and `complete` is False.
    """
    ends = time.monotonic() + number(request, "time_limit_s", 60)
    counts: List[Dict[str, Any]] = []
    with reading(text(request, "path")) as connection:
        schema = read_schema(connection)
        keys = [(table, key) for table in schema.without([]) for key in table.foreign_keys]
        for done, (table, key) in enumerate(keys):
            progress("foreign keys", done, len(keys), "keys")
            counts.append(_said(connection, schema, table, key, ends))
    return {"foreign_keys": counts, "complete": all(each["violations"] is not None for each in counts)}


def _said(
    connection: sqlite3.Connection, schema: Schema, table: Table, key: ForeignKey, ends: float
) -> Dict[str, Any]:
    answer: Dict[str, Any] = {
        "table": table.name,
        "columns": list(key.columns),
        "parent": key.parent,
        "parent_columns": list(key.parent_columns),
        "violations": None,
    }
    try:
        with time_limit(connection, max(0.0, ends - time.monotonic())):
            answer["violations"] = violations(connection, "main", schema, table, key)
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
    return answer


def violation_counts(connection: sqlite3.Connection, name: str, schema: Schema) -> Dict[str, int]:
    """Return `{"child(columns) -> parent": rows without a parent}` for each foreign key that is violated; reads only."""
    found = {}
    for table in schema.without([]):
        for key in table.foreign_keys:
            count = violations(connection, name, schema, table, key)
            if count:
                found[key_name(table, key)] = count
    return found


def key_name(table: Table, key: ForeignKey) -> str:
    """Return how a foreign key is written in messages."""
    return f"{table.name}({', '.join(key.columns)}) -> {key.parent}"


def violations(
    connection: sqlite3.Connection, name: str, schema: Schema, table: Table, key: ForeignKey
) -> int:
    """Return how many rows have the key set and no parent; a parent table that is missing has no rows. Reads only.

    The parents' values are gathered once, so that no index is needed (HAZARDS V5).
    """
    row = connection.execute(
        f"SELECT count(*) FROM {quoted(name)}.{quoted(table.name)} AS c WHERE {orphaned(name, schema, key)}"
    ).fetchone()
    return int(row[0])


def orphaned(name: str, schema: Schema, key: ForeignKey) -> str:
    """Return the SQL condition by which row `c` has this foreign key set and no parent."""
    is_set = " AND ".join(f"c.{quoted(column)} IS NOT NULL" for column in key.columns)
    parent = schema.table(key.parent)
    if parent is None:
        return is_set
    if not key.parent_columns or any(parent.column(column) is None for column in key.parent_columns):
        raise Refusal("refused", f"The foreign key to {quoted(key.parent)} names columns that are not there.")
    own = ", ".join(f"c.{quoted(column)}" for column in key.columns)
    others = ", ".join(f"p.{quoted(column)}" for column in key.parent_columns)
    there = " AND ".join(f"p.{quoted(column)} IS NOT NULL" for column in key.parent_columns)
    source = f"{quoted(name)}.{quoted(parent.name)} AS p"
    return f"{is_set} AND ({own}) NOT IN (SELECT {others} FROM {source} WHERE {there})"
