"""Rows whose foreign key points nowhere, counted per foreign key, on a copy rather than on live (HAZARDS R6, V5)."""

from __future__ import annotations

import time
from typing import Any, Dict, List, Optional

from adapters.host_reader.answers import progress
from adapters.host_reader.mysql.client import Session, SqlRefusal
from adapters.host_reader.mysql.names import at, quoted
from adapters.host_reader.server.port import ServerKey, ServerSchema, ServerTable


def orphans_select(database: str, schema: ServerSchema, table: ServerTable, key: ServerKey) -> str:
    """Return the SELECT that counts the rows which have the key set and no parent; a missing parent has no rows."""
    is_set = " AND ".join(f"c.{quoted(column)} IS NOT NULL" for column in key.columns)
    start = f"SELECT COUNT(*) FROM {at(database, table.name)} AS c"
    if key.parent not in schema.tables:
        return f"{start} WHERE {is_set}"
    pairs = zip(key.columns, key.parent_columns)  # noqa: B905 - Python 3.9 has no strict
    same = " AND ".join(f"p.{quoted(theirs)} = c.{quoted(ours)}" for ours, theirs in pairs)
    parent = at(database, key.parent)
    return f"{start} LEFT JOIN {parent} AS p ON {same} WHERE {is_set} AND p.{quoted(key.parent_columns[0])} IS NULL"


def violation_counts(session: Session, database: str, schema: ServerSchema) -> Dict[str, int]:
    """Return `{"child(columns) -> parent": rows without a parent}` for each violated foreign key; reads only."""
    found = {}
    for table, key in _keys(schema):
        select = orphans_select(database, schema, table, key)
        count = int(session.one(select, f"looking for orphans of {table.name!r}") or 0)
        if count:
            found[f"{table.name}({', '.join(key.columns)}) -> {key.parent}"] = count
    return found


def _keys(schema: ServerSchema) -> List[Any]:
    return [(table, key) for _, table in sorted(schema.tables.items()) for key in table.foreign_keys]


class TimeLimitedAsker:
    """Asks single numbers, each ended by the server itself when its time is over; reads only.

    `ask` gives the session, a new one after an error ended the last. *Source*: MariaDB `max_statement_time` (s),
    MySQL `max_execution_time` (ms, SELECT only).
    """

    def __init__(self, session_with: Any, is_mariadb: bool) -> None:
        self._session_with = session_with
        self._is_mariadb = is_mariadb
        self._session: Optional[Session] = None

    def rows(self, sql: str, limit_s: float, doing: str) -> List[List[Optional[str]]]:
        """Return the rows of one SELECT. *Raises* SqlRefusal, of kind time_limit when the time was over."""
        if self._session is None or not self._session.alive:
            self._session = self._session_with()
        session: Session = self._session
        setting = f"max_statement_time = {max(limit_s, 0.001):.3f}"
        if not self._is_mariadb:
            setting = f"max_execution_time = {max(int(limit_s * 1000), 1)}"
        session.run(f"SET SESSION {setting}", doing)
        return session.rows(sql, doing)


def orphan_answer(
    asker: TimeLimitedAsker, database: str, schema: ServerSchema, time_limit_s: float
) -> Dict[str, Any]:
    """Return for each foreign key how many rows have no parent; one not reached in time is None, `complete` False."""
    ends = time.monotonic() + time_limit_s
    counts: List[Dict[str, Any]] = []
    keys = _keys(schema)
    for done, (table, key) in enumerate(keys):
        progress("foreign keys", done, len(keys), "keys")
        select = orphans_select(database, schema, table, key)
        violations = _counted(asker, select, ends - time.monotonic(), table.name)
        counts.append(
            {
                "table": table.name,
                "columns": list(key.columns),
                "parent": key.parent,
                "parent_columns": list(key.parent_columns),
                "violations": violations,
            }
        )
    return {"foreign_keys": counts, "complete": all(each["violations"] is not None for each in counts)}


def _counted(asker: TimeLimitedAsker, select: str, left_s: float, table: str) -> Optional[int]:
    if left_s <= 0:
        return None
    try:
        return int(asker.rows(select, left_s, f"looking for orphans of {table!r}")[0][0] or 0)
    except SqlRefusal as refusal:
        if refusal.kind != "time_limit":
            raise
        return None
