"""Changes of a table without a key: its rows can be counted and taken out by values, not named one by one."""

from __future__ import annotations

import itertools
import sqlite3
from dataclasses import dataclass, replace
from typing import Iterator, List, Tuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.server.port import Row, ServerTable
from adapters.host_reader.sqlite_open import quoted
from adapters.host_reader.sqlite_rows import all_of, at, columns_of

_number = itertools.count(1)


@dataclass(frozen=True)
class KeylessChanges:
    """Rows to take out and to put in. All rows that have the values of a row of `delete` in `by.key` are taken out."""

    by: ServerTable
    delete: List[Row]
    insert: Iterator[Row]


def keyless_counts(connection: sqlite3.Connection, table: ServerTable) -> Tuple[int, int]:
    """Return how many rows `now` has too many, and how many too few; reads only."""
    few, many = connection.execute(
        f"SELECT total(max(-missing, 0)), total(max(missing, 0)) FROM ({_counted(table)})"
    ).fetchone()
    return int(few), int(many)


def keyless_changes(connection: sqlite3.Connection, table: ServerTable) -> KeylessChanges:
    """Return what makes `now` like `wanted`; reads only.

    Rows that are only added are added. Where rows must go, all rows that share some values with them go, and those of
    them that are wanted come back. *Raises* Refusal (ambiguous) where no column tells anything: each has NULLs.
    """
    groups = f"temp.backout_groups_{next(_number)}"
    connection.execute(f"CREATE TEMP TABLE {groups[5:]} AS {_counted(table)}")
    if not connection.execute(f"SELECT EXISTS (SELECT 1 FROM {groups} WHERE missing < 0)").fetchone()[0]:
        return KeylessChanges(table, [], _copies(connection, f"SELECT * FROM {groups}"))
    places = _telling(connection, table)
    names = [table.column_names[place] for place in places]
    values = ", ".join(f"c{place} AS g{place}" for place in places)
    gone = f"{groups}_gone"
    connection.execute(
        f"CREATE TEMP TABLE {gone[5:]} AS SELECT DISTINCT {values} FROM {groups} WHERE missing < 0"
    )
    delete = connection.execute(f"SELECT * FROM {gone}").fetchall()
    insert = itertools.chain(
        connection.execute(_coming_back(table, gone, places)),
        _copies(connection, f"SELECT k.* FROM {groups} AS k WHERE NOT {_among(gone, places, 'k.c{}')}"),
    )
    return KeylessChanges(replace(table, key=tuple(names)), delete, insert)


def _counted(table: ServerTable) -> str:
    """Return a SELECT of the groups of equal rows, `c0`, `c1` …, and how many of each are `missing` from `now`."""
    named = ", ".join(
        f"+{quoted(name)} COLLATE BINARY AS c{place}" for place, name in enumerate(table.column_names)
    )
    grouped = ", ".join(f"c{place}" for place in range(len(table.columns)))
    missing = "CAST(total(side) AS INTEGER)"
    return (
        f"SELECT {grouped}, {missing} AS missing FROM (SELECT -1 AS side, {named} FROM {at('now', table.name)}"
        f" UNION ALL SELECT 1, {named} FROM {at('wanted', table.name)}) GROUP BY {grouped} HAVING {missing} <> 0"
    )


def _copies(connection: sqlite3.Connection, select: str) -> Iterator[Row]:
    for *row, missing in connection.execute(select):
        yield from itertools.repeat(tuple(row), missing)


def _telling(connection: sqlite3.Connection, table: ServerTable) -> List[int]:
    """Return the places of the columns by whose values rows can be taken out: without a NULL, integers if there are.

    An integer is equal to itself on every server; a text may be equal to others by the server's collation.
    """
    counted = ", ".join(["count(*)", *(f"count({quoted(name)})" for name in table.column_names)])
    sides = [
        connection.execute(f"SELECT {counted} FROM {at(side, table.name)}").fetchone()
        for side in ("now", "wanted")
    ]
    whole = [
        place for place in range(len(table.columns)) if all(side[1 + place] == side[0] for side in sides)
    ]
    if not whole:
        raise Refusal(
            "ambiguous",
            f"Table {table.name!r} has no key and NULLs in each column, so single rows cannot be taken out on the"
            " server. Nothing was changed; choose a swap.",
        )
    return [place for place in whole if table.columns[place].kind == "integer"] or whole


def _among(gone: str, places: List[int], mine: str) -> str:
    same = all_of([f"g.g{place} = {mine.format(place)}" for place in places])
    return f"EXISTS (SELECT 1 FROM {gone} AS g WHERE {same})"


def _coming_back(table: ServerTable, gone: str, places: List[int]) -> str:
    same = all_of([f"g.g{place} = t.{quoted(table.column_names[place])}" for place in places])
    return (
        f"SELECT {columns_of('t', table.column_names)} FROM {at('wanted', table.name)} AS t"
        f" WHERE EXISTS (SELECT 1 FROM {gone} AS g WHERE {same})"
    )
