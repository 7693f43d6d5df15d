"""How two rows are known as the same and told apart, as SQL conditions between two aliases."""

from __future__ import annotations

import sqlite3
from typing import List

from adapters.host_reader.sqlite_open import quoted
from adapters.host_reader.sqlite_schema import Table, identity_columns


def at(schema: str, table: str) -> str:
    """Return a table's full name in an attached database."""
    return f"{quoted(schema)}.{quoted(table)}"


def all_of(conditions: List[str]) -> str:
    """Return the conditions joined by AND; none at all is true."""
    return "(" + (" AND ".join(conditions) or "1") + ")"


def any_of(conditions: List[str]) -> str:
    """Return the conditions joined by OR; none at all is false."""
    return "(" + (" OR ".join(conditions) or "0") + ")"


def columns_of(alias: str, names: List[str]) -> str:
    """Return a list of one alias's columns for a SELECT."""
    return ", ".join(f"{alias}.{quoted(name)}" for name in names)


def same_key(left: str, right: str, key: List[str]) -> str:
    """Return the condition that two rows have one key."""
    return all_of([f"{left}.{quoted(name)} = {right}.{quoted(name)}" for name in key])


def differs(left: str, right: str, name: str, one: Table, other: Table) -> str:
    """Return the condition that two rows differ in a column, by type as well as by value.

    Where the column was given another type a value that only followed it (1 and '1') is the same.
    """
    mine, theirs = f"{left}.{quoted(name)}", f"{right}.{quoted(name)}"
    values = f"{mine} IS NOT {theirs} COLLATE BINARY"
    first, second = one.column(name), other.column(name)
    if first is None or second is None or first.affinity != second.affinity:
        return f"({values})"
    return f"({values} OR typeof({mine}) <> typeof({theirs}))"


def other_thing(left: str, right: str, one: Table, other: Table) -> str:
    """Return the condition that two rows of one key are not the same thing: their times of birth disagree.

    `created_at` decides wherever one of the two has it. Else any other time both have set, and set differently.
    """
    times = identity_columns(one, other)
    others = [
        f"({left}.{quoted(name)} IS NOT NULL AND {right}.{quoted(name)} IS NOT NULL"
        f" AND {differs(left, right, name, one, other)})"
        for name in times
        if name.lower() != "created_at"
    ]
    born = next((name for name in times if name.lower() == "created_at"), None)
    if born is None:
        return any_of(others)
    is_set = f"({left}.{quoted(born)} IS NOT NULL OR {right}.{quoted(born)} IS NOT NULL)"
    return f"(CASE WHEN {is_set} THEN {differs(left, right, born, one, other)} ELSE {any_of(others)} END)"


def matching_key(
    connection: sqlite3.Connection, one: str, first: Table, other: str, second: Table
) -> List[str]:
    """Return the columns by which rows of two tables are matched, or none where nothing is a key in both.

    The first table's primary key counts if the second has the columns, and each value is there once and set.
    """
    key = list(first.key)
    if not key or any(second.column(name) is None for name in key):
        return []
    same = {name.lower() for name in key} == {name.lower() for name in second.key}
    if same and _never_null(first) and _never_null(second):
        return key
    fits = _unique(connection, at(one, first.name), key) and _unique(connection, at(other, second.name), key)
    return key if fits else []


def _never_null(table: Table) -> bool:
    """Return whether the key needs no look: an INTEGER PRIMARY KEY, or columns that are NOT NULL."""
    columns = [table.column(name) for name in table.key]
    if len(columns) == 1 and columns[0] is not None and columns[0].type.upper() == "INTEGER":
        return True
    return all(column is not None and column.notnull for column in columns)


def _unique(connection: sqlite3.Connection, table: str, key: List[str]) -> bool:
    names = ", ".join(quoted(name) for name in key)
    no_value = any_of([f"{quoted(name)} IS NULL" for name in key])
    nulls = connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {no_value})").fetchone()[0]
    twice = connection.execute(
        f"SELECT EXISTS (SELECT 1 FROM {table} GROUP BY {names} HAVING count(*) > 1)"
    ).fetchone()[0]
    return not nulls and not twice
