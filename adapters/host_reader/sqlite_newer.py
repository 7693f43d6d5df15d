"""Bring a loaded backup nearer to live: newer values of columns that both have, and rows without a key."""

from __future__ import annotations

from typing import Any, Dict, List

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_open import quoted
from adapters.host_reader.sqlite_restore import LEAVE, RESTORE
from adapters.host_reader.sqlite_rows import all_of, at, columns_of, differs, same_key
from adapters.host_reader.sqlite_schema import Table
from adapters.host_reader.sqlite_workbench import Bench

# A column with this share of its values changed was rewritten by the migration, not by people.
_WHOLE_COLUMN = 0.5
# Fewer changed values than these are taken for people's, however small the table is.
_FEW_VALUES = 5


def take_newer_values(
    bench: Bench,
    live: Table,
    scratch: Table,
    key: List[str],
    decisions: Dict[str, Any],
    answer: Dict[str, Any],
) -> None:
    """Give rows that both have live's value where it is another; a column rewritten as a whole keeps the backup's.

    A decision for "table.column" overrules: "restore" keeps the backup's values, "leave" takes live's. Counts go to
    `answer`: `put_back_values`, `converted`, and `collisions` where a unique value is used by another row.
    *Changes*: scratch.
    """
    decided = {str(name).lower(): decision for name, decision in decisions.items()}
    for name in live.common(scratch) if key else []:
        full = f"{scratch.name}.{name}"
        decision = decided.get(full.lower())
        if name in key or decision == RESTORE:
            continue
        other = differs("l", "s", name, live, scratch)
        joined = f"FROM {at('main', scratch.name)} AS s JOIN {at('live', live.name)} AS l ON {same_key('l', 's', key)}"
        changed, rows = bench.connection.execute(f"SELECT total({other}), count(*) {joined}").fetchone()
        if not changed:
            continue
        if changed >= max(_FEW_VALUES, _WHOLE_COLUMN * rows) and decision != LEAVE:
            answer["converted"].append(full)
            continue
        match = f"FROM {at('live', live.name)} AS l WHERE {same_key('l', 's', key)}"
        # A value that the old shape cannot take (unique, or not NULL) is passed over and listed.
        answer["put_back_values"][full] = bench.change(
            f"UPDATE OR IGNORE {at('main', scratch.name)} AS s SET {quoted(name)} = (SELECT l.{quoted(name)} {match})"
            f" WHERE EXISTS (SELECT 1 {match} AND {other})"
        )
        left = bench.connection.execute(f"SELECT {columns_of('s', key)} {joined} WHERE {other}")
        listed = bench.lists.write(scratch.name, f"collision-{name}", left)
        if listed["count"]:
            answer["collisions"][full] = listed


def delete_surplus(bench: Bench, live: Table, scratch: Table) -> int:
    """Take out of a table without a key what it has more often than live; return how many rows. *Changes*: scratch.

    *Raises* Refusal (ambiguous) where rows that are equal in live differ in a lost column.
    """
    common = scratch.common(live)
    row = _row_name(scratch)
    names = ", ".join(f"{quoted(name)} COLLATE BINARY" for name in common) or "1"
    counted = ", ".join(f"+{quoted(name)} COLLATE BINARY AS c{place}" for place, name in enumerate(common))
    grouped = ", ".join(f"c{place}" for place in range(len(common))) or "1"
    bench.connection.execute("DROP TABLE IF EXISTS temp.live_groups")
    bench.connection.execute(
        f"CREATE TEMP TABLE live_groups AS SELECT count(*) AS times{', ' if counted else ''}{counted}"
        f" FROM {at('live', live.name)} GROUP BY {grouped}"
    )
    if common:
        bench.connection.execute(f"CREATE INDEX temp.live_groups_row ON live_groups ({grouped})")
    same = all_of([f"g.c{place} IS x.c{place}" for place in range(len(common))])
    numbered = (
        f"SELECT {row} AS place, row_number() OVER (PARTITION BY {names}) AS nth{', ' if counted else ''}{counted}"
        f" FROM {at('main', scratch.name)}"
    )
    surplus = f"SELECT place FROM ({numbered}) AS x WHERE nth > coalesce((SELECT times FROM temp.live_groups AS g WHERE {same}), 0)"
    if len(common) < len(scratch.columns):
        _refuse_unlike(bench, scratch, common, surplus, row)
    return bench.change(f"DELETE FROM {at('main', scratch.name)} WHERE {row} IN ({surplus})")


def _row_name(table: Table) -> str:
    """Return a name of SQLite's own for a row's number which is not the name of a column."""
    return next(name for name in ("rowid", "oid", "_rowid_") if table.column(name) is None)


def _refuse_unlike(bench: Bench, scratch: Table, common: List[str], surplus: str, row: str) -> None:
    listed = ", ".join(quoted(name) for name in common) or "1"
    twice = bench.count(
        f"SELECT EXISTS (SELECT 1 FROM {at('main', scratch.name)} GROUP BY {listed} HAVING count(*) > 1"
        f" AND total({row} IN ({surplus})) > 0)"
    )
    if twice:
        raise Refusal(
            "ambiguous",
            f"Table {quoted(scratch.name)} has no key and rows that differ in a lost column only, so it cannot be told"
            " which of them is gone. Nothing was changed; choose a swap.",
        )
