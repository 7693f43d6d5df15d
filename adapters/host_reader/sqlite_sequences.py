"""Number ranges: no id that was ever issued is issued again (HAZARDS R2)."""

from __future__ import annotations

import sqlite3
from typing import Dict, List, Tuple

from adapters.host_reader.sqlite_open import quoted
from adapters.host_reader.sqlite_rows import at
from adapters.host_reader.sqlite_schema import Schema


def raise_sequences(connection: sqlite3.Connection, schemas: Dict[str, Schema]) -> Dict[str, int]:
    """Raise each AUTOINCREMENT counter of `main` above every id of all the attached databases; return those raised.

    A table that only the broken state has gets its counter too, for the day the corrected migration makes it again.
    *Changes*: `main.sqlite_sequence`. Nothing where `main` has no such table.
    """
    highest: Dict[str, Tuple[str, int]] = {}
    for schema, found in schemas.items():
        for name, number in [*_counters(connection, schema), *_largest_ids(connection, schema, found)]:
            known = highest.get(name.lower(), (name, 0))
            highest[name.lower()] = (known[0], max(known[1], number))
    if not _has_counters(connection, "main"):
        return {}
    now = {name.lower(): number for name, number in _counters(connection, "main")}
    raised = {}
    for key, (name, number) in highest.items():
        table = schemas["main"].table(name)
        if number > now.get(key, 0) and (table is None or table.autoincrement):
            written = name if table is None else table.name
            connection.execute("DELETE FROM main.sqlite_sequence WHERE lower(name) = lower(?)", (written,))
            connection.execute(
                "INSERT INTO main.sqlite_sequence (name, seq) VALUES (?, ?)", (written, number)
            )
            raised[written] = number
    return raised


def _has_counters(connection: sqlite3.Connection, schema: str) -> bool:
    listed = f"SELECT count(*) FROM {quoted(schema)}.sqlite_master WHERE name = 'sqlite_sequence'"
    return bool(connection.execute(listed).fetchone()[0])


def _counters(connection: sqlite3.Connection, schema: str) -> List[Tuple[str, int]]:
    if not _has_counters(connection, schema):
        return []
    rows = connection.execute(f"SELECT name, seq FROM {quoted(schema)}.sqlite_sequence").fetchall()
    return [(row[0], row[1]) for row in rows if isinstance(row[1], int)]


def _largest_ids(connection: sqlite3.Connection, schema: str, found: Schema) -> List[Tuple[str, int]]:
    largest = []
    for table in found.without([]):
        if table.autoincrement:
            select = f"SELECT max({quoted(table.key[0])}) FROM {at(schema, table.name)}"
            largest.append((table.name, connection.execute(select).fetchone()[0] or 0))
    return largest
