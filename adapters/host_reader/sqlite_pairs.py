"""Compare the rows of one table in two attached databases, `before` and `after`."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, Dict, List, Tuple

from adapters.host_reader.sqlite_lists import KeyLists
from adapters.host_reader.sqlite_open import quoted
from adapters.host_reader.sqlite_rows import any_of, at, columns_of, differs, other_thing, same_key
from adapters.host_reader.sqlite_schema import Table


@dataclass(frozen=True)
class Pair:
    """A table before and after, and the key that matches their rows (none: rows are compared as a multiset)."""

    before: Table
    after: Table
    key: List[str]

    @property
    def joined(self) -> str:
        """Return the join of all rows that have one key."""
        tables = f"{at('before', self.before.name)} AS b JOIN {at('after', self.after.name)} AS a"
        return f"{tables} ON {same_key('b', 'a', self.key)}"

    @property
    def other_thing(self) -> str:
        """Return the condition that a joined row's key is used by another thing now."""
        return other_thing("b", "a", self.before, self.after)

    @property
    def differences(self) -> Dict[str, str]:
        """Return for each common column the condition that a joined row differs in it."""
        common = self.before.common(self.after)
        return {name: differs("b", "a", name, self.before, self.after) for name in common}


def count_columns(connection: sqlite3.Connection, schema: str, table: Table) -> Tuple[int, Dict[str, int]]:
    """Return a table's row count, and per column how many values are set; reads only."""
    counted = ["count(*)", *(f"count({quoted(name)})" for name in table.column_names)]
    row = connection.execute(f"SELECT {', '.join(counted)} FROM {at(schema, table.name)}").fetchone()
    return row[0], {name: row[place] for place, name in enumerate(table.column_names, start=1)}


def compare_rows(connection: sqlite3.Connection, pair: Pair, lists: KeyLists) -> Dict[str, Any]:
    """Return the loss table's entry of a table that is in both: counts of rows, of values per column, and keys."""
    rows_before, set_before = count_columns(connection, "before", pair.before)
    rows_after, set_after = count_columns(connection, "after", pair.after)
    entry: Dict[str, Any] = {"key": pair.key, "rows_before": rows_before, "rows_after": rows_after}
    if pair.key:
        entry.update(_by_key(connection, pair, lists))
    else:
        entry.update(_as_multiset(connection, pair))
    entry["missing"] = rows_before - entry["matched"] - entry["reused_keys"]
    entry["new"] = rows_after - entry["matched"] - entry["reused_keys"]
    details = _column_details(connection, pair) if pair.key else {}
    entry["columns"] = {}
    for name in _all_columns(pair):
        column = {"moved_to": None, "moved_by": None, "values_lost": 0, "values_moved": 0}
        column.update(_status(pair, name))
        column["nulls_before"] = rows_before - set_before[name] if name in set_before else 0
        column["nulls_after"] = _nulls_after(name, rows_after, set_after)
        values = 0 if name not in set_before or pair.key else set_before[name]
        column.update(details.get(name, {"changed": 0, "nulled": 0, "values_before": values}))
        entry["columns"][name] = column
    return entry


def _all_columns(pair: Pair) -> List[str]:
    return pair.before.column_names + pair.after.without(pair.before)


def _status(pair: Pair, name: str) -> Dict[str, Any]:
    if pair.before.column(name) is None:
        return {"status": "created"}
    return {"status": "both" if pair.after.column(name) else "dropped"}


def _nulls_after(name: str, rows: int, set_values: Dict[str, int]) -> int:
    found = [count for column, count in set_values.items() if column.lower() == name.lower()]
    return rows - found[0] if found else 0


def _by_key(connection: sqlite3.Connection, pair: Pair, lists: KeyLists) -> Dict[str, Any]:
    changed = f"NOT {pair.other_thing} AND {any_of(list(pair.differences.values()))}"
    keys = columns_of("b", pair.key)
    selects = {
        "missing": _only_in("before", pair.before, "after", pair.after, pair.key),
        "new": _only_in("after", pair.after, "before", pair.before, pair.key),
        "changed": f"SELECT {keys} FROM {pair.joined} WHERE {changed} ORDER BY {keys}",
        "reused_keys": f"SELECT {keys} FROM {pair.joined} WHERE {pair.other_thing} ORDER BY {keys}",
    }
    found = {
        kind: lists.write(pair.before.name, kind, connection.execute(select))
        for kind, select in selects.items()
    }
    joined = connection.execute(f"SELECT count(*) FROM {pair.joined}").fetchone()[0]
    reused = found["reused_keys"]["count"]
    return {
        "matched": joined - reused,
        "reused_keys": reused,
        "changed": found["changed"]["count"],
        "ambiguous": False,
        "lists": found,
    }


def _only_in(one: str, first: Table, other: str, second: Table, key: List[str]) -> str:
    return (
        f"SELECT {columns_of('x', key)} FROM {at(one, first.name)} AS x"
        f" WHERE NOT EXISTS (SELECT 1 FROM {at(other, second.name)} AS y WHERE {same_key('y', 'x', key)})"
        f" ORDER BY {columns_of('x', key)}"
    )


def _as_multiset(connection: sqlite3.Connection, pair: Pair) -> Dict[str, Any]:
    """Count rows that are equal in all common columns; with duplicates it is ambiguous which row is which."""
    before, after = at("before", pair.before.name), at("after", pair.after.name)
    matched, duplicates = connection.execute(
        "SELECT total(min(b, a)), total(b > 1 OR a > 1)"
        f" FROM ({multiset(before, after, pair.before.common(pair.after))})"
    ).fetchone()
    return {
        "matched": int(matched),
        "reused_keys": 0,
        "changed": 0,
        "ambiguous": bool(duplicates),
        "lists": {},
    }


def multiset(before: str, after: str, common: List[str]) -> str:
    """Return a SELECT that groups equal rows of two tables over common columns, with how many each has (b and a).

    The tables are given by their full, quoted names.
    """
    # A constant first term keeps the statement whole where the tables have no column in common.
    named = "".join(f", +{quoted(name)} COLLATE BINARY AS c{place}" for place, name in enumerate(common))
    grouped = ", ".join(["one", *(f"c{place}" for place in range(len(common)))])
    return (
        f"SELECT total(side = 0) AS b, total(side = 1) AS a FROM ("
        f"SELECT 1 AS one, 0 AS side{named} FROM {before}"
        f" UNION ALL SELECT 1, 1{named} FROM {after}) GROUP BY {grouped}"
    )


def _column_details(connection: sqlite3.Connection, pair: Pair) -> Dict[str, Dict[str, int]]:
    """Return per column of the matched rows: values changed, values that became NULL, values that were set before."""
    differences = pair.differences
    wanted = []
    for name in pair.before.column_names:
        value = f"b.{quoted(name)}"
        nulled = f"{value} IS NOT NULL AND a.{quoted(name)} IS NULL" if name in differences else "0"
        wanted += [f"total({differences.get(name, '0')})", f"total({nulled})", f"count({value})"]
    row = connection.execute(
        f"SELECT {', '.join(wanted)} FROM {pair.joined} WHERE NOT {pair.other_thing}"
    ).fetchone()
    return {
        name: {
            "changed": int(row[3 * place]),
            "nulled": int(row[3 * place + 1]),
            "values_before": int(row[3 * place + 2]),
        }
        for place, name in enumerate(pair.before.column_names)
    }
