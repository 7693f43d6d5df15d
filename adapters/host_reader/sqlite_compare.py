"""The loss table: what one database had and another has not, in counts and keys."""

from __future__ import annotations

import sqlite3
from typing import Any, Dict, List

from adapters.host_reader.answers import progress
from adapters.host_reader.sqlite_lists import KeyLists
from adapters.host_reader.sqlite_moved import Dropped, find_moved, is_many
from adapters.host_reader.sqlite_open import quoted, reading_together
from adapters.host_reader.sqlite_pairs import Pair, compare_rows, count_columns
from adapters.host_reader.sqlite_request import Answer, Request, names, number, optional_text, text
from adapters.host_reader.sqlite_rows import matching_key
from adapters.host_reader.sqlite_schema import Schema, Table, read_schema

# A migration loses a table or column as a whole, people lose single rows: from this share on it is suspected.
_SUSPECT_SHARE = 0.5
# Fewer values than these are no suspicion, however few there are in all.
_SUSPECT_VALUES = 5
# People edit a few rows in some hours. From this share of a column on a migration may have done it, and a person looks.
_REWRITTEN_SHARE = 0.05


def sqlite_compare(request: Request) -> Answer:
    """Return the loss table between two database files: `before` (a loaded backup) and `after`; reads only.

    Rows of a table are matched by key; a row whose key is used by another thing now counts in `reused_keys` and not in
    `matched`, so `rows_before = matched + reused_keys + missing` and `rows_after = matched + reused_keys + new`.
    `values_before`, `changed` and `values_lost` count matched rows only. `nulled`: values that are NULL or an empty
    text now. Of a dropped column `values_before = values_moved + changed + nulled + values_lost`, where `changed` and
    `nulled` moved to a place that was proven by key and are others there since.

    `loss`: "none"; "missing_rows"; "rewritten", where a person must look: values cleared in place, many values changed,
    or values found again only as a set; "loss".
    """
    lists = KeyLists(
        optional_text(request, "lists_folder"), "compare", int(number(request, "sample_keys", 20))
    )
    with reading_together(before=text(request, "before"), after=text(request, "after")) as connection:
        before, after = read_schema(connection, "before"), read_schema(connection, "after")
        ignored = names(request, "ignore_tables")
        virtual = {name.lower() for name in before.virtual + after.virtual}
        ignored += [name for name in {**before.tables, **after.tables} if _is_shadow(name, virtual)]
        comparison = _Comparison(connection, before, after, lists)
        tables = comparison.of_tables(ignored)
    totals = _totals(tables)
    return {"tables": tables, "totals": totals, "loss": _loss(totals), "virtual_tables": sorted(virtual)}


def _is_shadow(name: str, virtual: set[str]) -> bool:
    """Return whether a table belongs to a virtual one, whose rows are an index and no data."""
    return any(name.lower().startswith(owner + "_") for owner in virtual)


class _Comparison:
    """One comparison of two attached databases."""

    def __init__(
        self, connection: sqlite3.Connection, before: Schema, after: Schema, lists: KeyLists
    ) -> None:
        self._connection = connection
        self._before = before
        self._after = after
        self._lists = lists

    def of_tables(self, ignored: List[str]) -> Dict[str, Any]:
        """Return the loss table's entry of each table, by name."""
        listed = self._before.without(ignored)
        tables: Dict[str, Any] = {}
        for done, table in enumerate(listed):
            progress("comparing", done, len(listed), "tables")
            tables[table.name] = self._of_table(table)
        for table in self._after.without(ignored):
            if self._before.table(table.name) is None:
                tables[table.name] = self._of_created(table)
        progress("comparing", len(listed), len(listed), "tables")
        return dict(sorted(tables.items()))

    def _of_table(self, table: Table) -> Dict[str, Any]:
        after = self._after.table(table.name)
        entry = self._of_dropped(table) if after is None else self._of_pair(table, after)
        lost = entry["missing"] + entry["reused_keys"]
        if lost:
            many = after is None or lost >= _SUSPECT_SHARE * entry["rows_before"]
            entry["missing_suspect"] = "migration" if many and not entry.get("moved_to") else "people"
        else:
            entry["missing_suspect"] = None
        return entry

    def _of_pair(self, table: Table, after: Table) -> Dict[str, Any]:
        key = matching_key(self._connection, "before", table, "after", after)
        pair = Pair(table, after, key)
        entry = compare_rows(self._connection, pair, self._lists)
        entry["status"] = "both"
        self._look_for_overwritten(pair, entry["columns"])
        for name, column in entry["columns"].items():
            if column["status"] == "dropped" and column["values_before"]:
                self._look_for_moved(Dropped(table, after, key, name, column["values_before"]), column)
            elif column["status"] == "both" and _suspect_nulls(column):
                column["values_lost"] = column["nulled"]
        return entry

    def _look_for_overwritten(self, pair: Pair, columns: Dict[str, Any]) -> None:
        """Count per changed column the set values that are others now, and as `nulled` those that are an empty text."""
        for column in columns.values():
            column["overwritten"] = 0
        differences = pair.differences
        changed = [name for name in differences if columns[name]["changed"]]
        if not changed:
            return
        wanted = []
        for name in changed:
            value, now = f"b.{quoted(name)}", f"a.{quoted(name)}"
            wanted.append(f"total({value} IS NOT NULL AND {differences[name]})")
            wanted.append(f"total({value} <> '' AND coalesce({now} = '', 0))")
        row = self._connection.execute(
            f"SELECT {', '.join(wanted)} FROM {pair.joined} WHERE NOT {pair.other_thing}"
        ).fetchone()
        for place, name in enumerate(changed):
            columns[name]["overwritten"] = int(row[2 * place])
            columns[name]["nulled"] += int(row[2 * place + 1])

    def _look_for_moved(self, dropped: Dropped, column: Dict[str, Any]) -> None:
        moved = find_moved(self._connection, self._before, self._after, dropped)
        if moved is not None:
            column.update(values_moved=moved.values, moved_to=moved.to, moved_by=moved.by)
            column.update(changed=moved.changed, nulled=moved.cleared)
        column["values_lost"] = column["values_before"] - (moved.accounted if moved else 0)

    def _of_dropped(self, table: Table) -> Dict[str, Any]:
        """Compare a dropped table with the created one that holds most of its rows, if there is one."""
        heirs = [
            self._of_heir(table, heir) for heir in self._after.without([]) if self._may_inherit(table, heir)
        ]
        best = max(heirs, key=_rows_kept, default=None)
        if best is not None and _rows_kept(best) >= _SUSPECT_SHARE * max(1, best["rows_before"]):
            return best
        rows, columns = count_columns(self._connection, "before", table)
        entry = _empty_entry("dropped", list(table.key), rows_before=rows, missing=rows)
        for name, values in columns.items():
            column = _column_entry("dropped", nulls_before=rows - values, values_before=values)
            if values:
                self._look_for_moved(Dropped(table, None, [], name, values), column)
            entry["columns"][name] = column
        if _all_told_moved(table, entry["columns"]):
            entry["moved_to"] = sorted(
                {each["moved_to"] for each in entry["columns"].values() if each["moved_to"]}
            )
            entry["missing"] = 0
        return entry

    def _may_inherit(self, table: Table, heir: Table) -> bool:
        return self._before.table(heir.name) is None and 2 * len(table.common(heir)) >= len(table.columns) > 0

    def _of_heir(self, table: Table, heir: Table) -> Dict[str, Any]:
        entry = self._of_pair(table, heir)
        entry.update(status="dropped", moved_to=[heir.name])
        return entry

    def _of_created(self, table: Table) -> Dict[str, Any]:
        rows, columns = count_columns(self._connection, "after", table)
        entry = _empty_entry("created", list(table.key), rows_after=rows, new=rows)
        entry["missing_suspect"] = None
        entry["columns"] = {
            name: _column_entry("created", nulls_after=rows - values) for name, values in columns.items()
        }
        return entry


def _suspect_nulls(column: Dict[str, Any]) -> bool:
    nulled = int(column["nulled"])
    return nulled >= _SUSPECT_VALUES and nulled >= _SUSPECT_SHARE * column["values_before"]


def _rows_kept(entry: Dict[str, Any]) -> int:
    """Return how many rows are as they were: a key in common alone (1, 2, 3 …) makes two tables no relatives."""
    return int(entry["matched"]) - int(entry["changed"])


def _is_rewritten(column: Dict[str, Any], name: str) -> bool:
    """Return whether so many values of a column are others now that a migration may have rewritten them.

    Set values that changed are measured by the set ones, NULLs that were filled by the NULLs.
    """
    if column["status"] == "dropped":
        return is_many(int(column["changed"]), int(column["values_before"]))
    if column["status"] != "both" or name.lower() == "updated_at":
        return False
    overwritten = int(column["overwritten"])
    shares = (
        (overwritten, column["values_before"]),
        (column["changed"] - overwritten, column["nulls_before"]),
    )
    return any(count >= _SUSPECT_VALUES and count >= _REWRITTEN_SHARE * of for count, of in shares)


def _all_told_moved(table: Table, columns: Dict[str, Any]) -> bool:
    """Return whether each column that says something (no key, no time) was found again in full."""
    telling = [
        column
        for name, column in columns.items()
        if name not in table.key and not name.lower().endswith("_at") and column["values_before"]
    ]
    return bool(telling) and all(column["values_lost"] == 0 for column in telling)


def _empty_entry(status: str, key: List[str], **counts: int) -> Dict[str, Any]:
    entry: Dict[str, Any] = {"status": status, "key": key, "ambiguous": False, "columns": {}, "lists": {}}
    for name in ("rows_before", "rows_after", "matched", "missing", "new", "changed", "reused_keys"):
        entry[name] = counts.get(name, 0)
    return entry


def _column_entry(status: str, **counts: int) -> Dict[str, Any]:
    entry: Dict[str, Any] = {"status": status, "moved_to": None, "moved_by": None}
    for name in (
        "nulls_before",
        "nulls_after",
        "changed",
        "nulled",
        "overwritten",
        "values_before",
        "values_lost",
        "values_moved",
    ):
        entry[name] = counts.get(name, 0)
    return entry


def _totals(tables: Dict[str, Any]) -> Dict[str, Any]:
    named = [
        (f"{name}.{column}", column, counts)
        for name, entry in tables.items()
        for column, counts in entry["columns"].items()
    ]
    suspected = [entry for entry in tables.values() if entry["missing_suspect"] == "migration"]
    return {
        "rows_lost": sum(entry["missing"] + entry["reused_keys"] for entry in suspected),
        "rows_missing": sum(entry["missing"] for entry in tables.values()),
        "rows_reused": sum(entry["reused_keys"] for entry in tables.values()),
        "rows_new": sum(entry["new"] for entry in tables.values() if entry["status"] != "created"),
        "rows_changed": sum(entry["changed"] for entry in tables.values()),
        "values_lost": sum(counts["values_lost"] for _, _, counts in named),
        "values_moved": sum(counts["values_moved"] for _, _, counts in named),
        "values_nulled": sum(counts["nulled"] for _, _, counts in named),
        "columns_rewritten": [full for full, column, counts in named if _is_rewritten(counts, column)],
        "columns_moved_unproven": [full for full, _, counts in named if counts["moved_by"] == "multiset"],
        "tables_shrunk": [
            name
            for name, entry in tables.items()
            if entry["rows_after"] < entry["rows_before"] and not entry.get("moved_to")
        ],
    }


def _loss(totals: Dict[str, Any]) -> str:
    """Return the verdict, the worst that holds: "none" is left only where nothing asks for a person's look."""
    if totals["values_lost"] or totals["rows_lost"]:
        return "loss"
    if totals["values_nulled"] or totals["columns_rewritten"] or totals["columns_moved_unproven"]:
        return "rewritten"
    return "missing_rows" if totals["rows_missing"] or totals["rows_reused"] else "none"
