"""Where lost values can be copied from the backup's database on the server itself, range of keys by range of keys."""

from __future__ import annotations

import itertools
import sqlite3
from typing import Dict, List, Optional, Tuple

from adapters.host_reader.server.port import ServerTable
from adapters.host_reader.sqlite_open import quoted
from adapters.host_reader.sqlite_rows import all_of, any_of, at

# One statement on the server.
_RANGE_ROWS = 50_000
# A range with fewer rows to fill is done as fast by updates.
_WORTH_ROWS = 500
# From this share on of a column's changed values that the backup has, the column is filled from it.
_NEARLY_ALL = 0.9
_number = itertools.count(1)


class Fill:
    """The ranges of keys in which every row that the backup has too gets just the backup's values.

    `reached` is the condition by which a row `w`, joined with the backup's `b` by `joined`, is in such a range.
    """

    def __init__(self, table: ServerTable, columns: List[str], ranges: List[Tuple[int, int]]) -> None:
        self.columns = columns
        self.ranges = ranges
        self.forgotten = False
        key = quoted(table.key[0])
        self._ranges_table = f"backout_fills_{next(_number)}"
        self.joined = f" LEFT JOIN {at('base', table.name)} AS b ON b.{key} = w.{key}"
        found = f"SELECT f.high FROM temp.{self._ranges_table} AS f WHERE f.low <= w.{key} ORDER BY f.low DESC LIMIT 1"
        self.reached = f"(b.{key} IS NOT NULL AND coalesce(w.{key} <= ({found}), 0))"

    def store(self, connection: sqlite3.Connection) -> None:
        """Write the ranges into a temporary table for `reached`."""
        connection.execute(f"CREATE TEMP TABLE {self._ranges_table} (low INTEGER PRIMARY KEY, high INTEGER)")
        connection.executemany(f"INSERT INTO temp.{self._ranges_table} VALUES (?, ?)", self.ranges)

    def forget(self, connection: sqlite3.Connection) -> None:
        """Take all ranges back: nothing was filled."""
        connection.execute(f"DELETE FROM temp.{self._ranges_table}")
        self.forgotten = True


def plan_fills(
    connection: sqlite3.Connection, table: ServerTable, candidates: Dict[str, int]
) -> Optional[Fill]:
    """Return what can be filled from `base`, or None; `candidates` counts the changed values per column. Reads only.

    Only where one integer is the key: SQLite and the server agree on the order of integers.
    """
    kinds = {column.name: column.kind for column in table.columns}
    if not candidates or len(table.key) != 1 or kinds[table.key[0]] != "integer":
        return None
    columns = _worth(connection, table, candidates)
    if not columns:
        return None
    ranges = _ranges(connection, table, columns)
    if not ranges:
        return None
    fill = Fill(table, columns, ranges)
    fill.store(connection)
    return fill


def _from(table: ServerTable) -> str:
    key = quoted(table.key[0])
    return (
        f"FROM {at('wanted', table.name)} AS w JOIN {at('now', table.name)} AS n ON n.{key} = w.{key}"
        f" LEFT JOIN {at('base', table.name)} AS b ON b.{key} = w.{key}"
    )


def _changed(name: str) -> str:
    return f"w.{quoted(name)} IS NOT n.{quoted(name)} COLLATE BINARY"


def _as_base(name: str) -> str:
    return f"w.{quoted(name)} IS b.{quoted(name)} COLLATE BINARY"


def _worth(connection: sqlite3.Connection, table: ServerTable, candidates: Dict[str, int]) -> List[str]:
    names = [name for name, changed in candidates.items() if changed >= _WORTH_ROWS]
    if not names:
        return []
    there = f"b.{quoted(table.key[0])} IS NOT NULL"
    counted = ", ".join(f"total({there} AND {_changed(name)} AND {_as_base(name)})" for name in names)
    row = connection.execute(f"SELECT {counted} {_from(table)}").fetchone()
    return [name for place, name in enumerate(names) if row[place] >= _NEARLY_ALL * candidates[name]]


def _ranges(connection: sqlite3.Connection, table: ServerTable, columns: List[str]) -> List[Tuple[int, int]]:
    """Return ranges of keys that end before each row which has other values than the backup's."""
    key = f"w.{quoted(table.key[0])}"
    there = f"b.{quoted(table.key[0])} IS NOT NULL"
    fits = all_of([_as_base(name) for name in columns])
    changed = any_of([_changed(name) for name in columns])
    rows = connection.execute(
        f"SELECT {key}, {fits} {_from(table)} WHERE {there} AND ({changed} OR NOT {fits}) ORDER BY {key}"
    )
    ranges: List[Tuple[int, int]] = []
    low = high = size = 0
    for place, fitting in rows:
        if fitting:
            low, high, size = (place, place, 1) if not size else (low, place, size + 1)
        if size and (not fitting or size == _RANGE_ROWS):
            ranges += [(low, high)] if size >= _WORTH_ROWS else []
            size = 0
    return ranges + ([(low, high)] if size >= _WORTH_ROWS else [])
