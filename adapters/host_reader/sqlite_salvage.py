"""Salvage: a loaded backup gets what was written since it was taken, as far as it fits the old shape."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, Dict, List

from adapters.host_reader.answers import progress
from adapters.host_reader.sqlite_fills import insert_surplus, mapped_row
from adapters.host_reader.sqlite_lists import KeyLists
from adapters.host_reader.sqlite_mappings import apply_mappings, read_mappings, unmapped_values
from adapters.host_reader.sqlite_newer import delete_surplus, take_newer_values
from adapters.host_reader.sqlite_open import quoted
from adapters.host_reader.sqlite_orphans import orphaned
from adapters.host_reader.sqlite_reenter import unknown_since
from adapters.host_reader.sqlite_repair import judged_foreign_keys, not_in_scratch
from adapters.host_reader.sqlite_request import Answer, Request, mapping, names, optional_text, text
from adapters.host_reader.sqlite_restore import restore_rows
from adapters.host_reader.sqlite_rows import (
    all_of,
    any_of,
    at,
    columns_of,
    matching_key,
    other_thing,
    same_key,
)
from adapters.host_reader.sqlite_schema import Table
from adapters.host_reader.sqlite_sequences import raise_sequences
from adapters.host_reader.sqlite_workbench import (
    Bench,
    change_once,
    open_schemas,
    refuse_same_file,
    take_over_table,
)


@dataclass(frozen=True)
class _Kept:
    """One table in the backup's copy and in live, and the key that matches their rows (none: as multisets)."""

    scratch: Table
    live: Table
    key: List[str]


def sqlite_salvage(request: Request) -> Answer:
    """Put what was written since into a loaded backup; return what was put in, and what does not fit.

    `scratch` is the loaded backup, `baseline` the same again, `live_copy` the broken state. In one transaction: newer
    values of columns that both have, rows since, values of the new shape by `mappings`; rows that live has no more go
    or stay as `decisions` say ({table: "restore" | "leave"}; {"table.column": "restore" | "leave"} for a column that
    the migration rewrote: the backup's values, or live's). Where a key or unique value is used by a newer row, the newer
    row stands and the backup's is listed under `key_reused` or `key_taken`.
    Beyond `sqlite_repair`'s answer: `collisions` (rows since, and rows with newer values, that clash in the old shape:
    they were not put in) and `not_salvaged` (rows since that lack a value the old shape needs, or whose parent is such
    a row), each by table with keys. `put_back_rows` and `put_back_values` count what came from live.
    *Changes*: `scratch` and its note `scratch.salvage.json`. *Raises* Refusal: decision_needed, ambiguous, refused,
    changed; then nothing was changed.
    """
    scratch, baseline, live = text(request, "scratch"), text(request, "baseline"), text(request, "live_copy")
    refuse_same_file(scratch, baseline, live)
    others = {"base": baseline, "live": live}
    return change_once(scratch, "salvage", request, others, lambda connection: _salvage(connection, request))


def _salvage(connection: sqlite3.Connection, request: Request) -> Answer:
    runtime = names(request, "runtime_tables")
    migrations = str(request.get("migrations_table") or "migrations")
    bench = Bench(
        connection,
        open_schemas(connection, ["main", "base", "live"]),
        KeyLists(optional_text(request, "lists_folder"), "salvage"),
        {name.lower() for name in [*runtime, migrations]},
    )
    decisions, rules = mapping(request, "decisions"), read_mappings(request, bench.schemas["live"])
    answer: Dict[str, Any] = {"put_back_rows": {}, "put_back_values": {}, "converted": [], "filled": {}}
    answer.update(asked={}, collisions={}, not_salvaged={})
    for name in runtime:
        take_over_table(bench, "live", name)
    kept = _kept_tables(bench)
    for each in kept:
        _take_out_gone(bench, each)
    progress("salvaging", 1, 4, "parts")
    for each in kept:
        take_newer_values(bench, each.live, each.scratch, each.key, decisions, answer)
    progress("salvaging", 2, 4, "parts")
    mapped = apply_mappings(bench, rules)
    _put_in_new_rows(bench, kept, mapped["tables"], answer)
    answer["mapped"], answer["asked"] = _overrule_by_mappings(bench, mapped), mapped["asked"]
    progress("salvaging", 3, 4, "parts")
    answer.update(restore_rows(bench, decisions))
    answer["mappings_used"] = len(rules)
    answer["unmapped_lists"] = unmapped_values(bench, rules)
    answer["unmapped"] = {name: listed["count"] for name, listed in answer["unmapped_lists"].items()}
    answer["unknown"] = unknown_since(bench)
    answer["sequences_raised"] = raise_sequences(connection, bench.schemas)
    answer["not_in_scratch"] = not_in_scratch(bench)
    answer["foreign_key_violations"] = judged_foreign_keys(bench)
    progress("salvaging", 4, 4, "parts")
    return answer


def _kept_tables(bench: Bench) -> List[_Kept]:
    """Return the tables of scratch and live; one that live has no more is emptied, and comes back by decision."""
    kept = []
    for scratch in bench.schemas["main"].without(sorted(bench.aside)):
        live = bench.table("live", scratch.name)
        if live is None:
            bench.change(f"DELETE FROM {at('main', scratch.name)}")
            continue
        kept.append(_Kept(scratch, live, matching_key(bench.connection, "main", scratch, "live", live)))
    return kept


def _take_out_gone(bench: Bench, each: _Kept) -> None:
    """Take out the rows that live does not have, or whose key is another thing there; decisions bring them back."""
    if not each.key:
        delete_surplus(bench, each.live, each.scratch)
        return
    other = other_thing("s", "l", each.scratch, each.live)
    bench.change(
        f"DELETE FROM {at('main', each.scratch.name)} AS s WHERE NOT EXISTS (SELECT 1 FROM"
        f" {at('live', each.live.name)} AS l WHERE {same_key('l', 's', each.key)} AND NOT {other})"
    )


def _put_in_new_rows(bench: Bench, kept: List[_Kept], mapped: Dict[str, str], answer: Dict[str, Any]) -> None:
    """Put in the rows since, then take out again those whose parents could not be put in."""
    for place, each in enumerate(kept):
        if each.key:
            _put_in(bench, each, f"since_{place}", mapped, answer)
            continue
        source = f"FROM {at('live', each.live.name)}"
        count = insert_surplus(bench, source, each.scratch, each.live.common(each.scratch), each.scratch)
        if count:
            answer["put_back_rows"][each.scratch.name] = count
    while sum(_take_out_orphans(bench, each, f"since_{place}") for place, each in enumerate(kept)):
        pass  # A row whose parent was itself taken out goes in the next round; each round takes out at least one.
    for place, each in enumerate(kept):
        if each.key:
            _say(bench, each, f"since_{place}", answer)


def _put_in(bench: Bench, each: _Kept, name: str, mapped: Dict[str, str], answer: Dict[str, Any]) -> None:
    table, source = at("main", each.scratch.name), at("live", each.live.name)
    there = f"SELECT 1 FROM {table} AS s WHERE {same_key('s', 'l', each.key)}"
    given = _given_by_mappings(each, mapped)
    unknown = [column for column, value in given.items() if not value]
    complete = all_of([f"{value} IS NOT NULL" for value in given.values() if value] + ["0"] * bool(unknown))
    bench.connection.execute(
        f"CREATE TEMP TABLE {name} AS SELECT {columns_of('l', each.key)}, {complete} AS complete, 0 AS orphan"
        f" FROM {source} AS l WHERE NOT EXISTS ({there})"
    )
    keys = ", ".join(quoted(column) for column in each.key)
    bench.connection.execute(f"CREATE INDEX temp.{name}_key ON {name} ({keys})")
    common = each.live.common(each.scratch)
    columns = [*common, *(column for column, value in given.items() if value)]
    values = [f"l.{quoted(column)}" for column in common] + [value for value in given.values() if value]
    # What clashes with a row that is there, or lacks what the old shape needs, is passed over and listed.
    answer["put_back_rows"][each.scratch.name] = bench.change(
        f"INSERT OR IGNORE INTO {table} ({', '.join(quoted(column) for column in columns)})"
        f" SELECT {', '.join(values)} FROM {source} AS l"
        f" JOIN temp.{name} AS n ON {same_key('n', 'l', each.key)} WHERE n.complete"
    )


def _given_by_mappings(each: _Kept, mapped: Dict[str, str]) -> Dict[str, str]:
    """Return for each column that the old shape needs and live has not the SQL of its mapped value, "" without one."""
    found = {}
    for column in each.scratch.columns:
        if each.live.column(column.name) or not column.notnull or column.default is not None:
            continue
        table = mapped.get(f"{each.scratch.name}.{column.name}")
        found[column.name] = (
            f"(SELECT m.v FROM {table} AS m WHERE {mapped_row('l', each.key)})" if table else ""
        )
    return found


def _take_out_orphans(bench: Bench, each: _Kept, name: str) -> int:
    """Take out rows since whose parent is in live and not in scratch; return how many."""
    if not each.key:
        return 0
    main, live = bench.schemas["main"], bench.schemas["live"]
    conditions = []
    for key in each.scratch.foreign_keys:
        parent = live.table(key.parent)
        if all(each.live.column(column) for column in key.columns):
            known = parent is not None and all(parent.column(column) for column in key.parent_columns)
            there = f" AND NOT ({orphaned('live', live, key)})" if known else ""
            conditions.append(f"({orphaned('main', main, key)}{there})")
    if not conditions:
        return 0
    keys = ", ".join(quoted(column) for column in each.key)
    since = f"({columns_of('c', each.key)}) IN (SELECT {keys} FROM temp.{name})"
    where = f"{since} AND {any_of(conditions)}"
    table = f"{at('main', each.scratch.name)} AS c"
    bench.change(
        f"UPDATE temp.{name} SET orphan = 1 WHERE ({keys}) IN"
        f" (SELECT {columns_of('c', each.key)} FROM {table} WHERE {where})"
    )
    return bench.change(f"DELETE FROM {table} WHERE {where}")


def _say(bench: Bench, each: _Kept, name: str, answer: Dict[str, Any]) -> None:
    keys = columns_of("n", each.key)
    out = (
        f"SELECT {keys} FROM temp.{name} AS n WHERE NOT EXISTS"
        f" (SELECT 1 FROM {at('main', each.scratch.name)} AS s WHERE {same_key('s', 'n', each.key)})"
    )
    found = 0
    for field, kind, where in (
        ("not_salvaged", "not-salvaged", "(NOT n.complete OR n.orphan)"),
        ("collisions", "collision", "n.complete AND NOT n.orphan"),
    ):
        listed = bench.lists.write(each.scratch.name, kind, bench.connection.execute(f"{out} AND {where}"))
        found += listed["count"]
        if listed["count"]:
            answer[field][each.scratch.name] = listed
    count = bench.count(f"SELECT count(*) FROM temp.{name}") - found
    answer["put_back_rows"][each.scratch.name] = count
    if not count:
        del answer["put_back_rows"][each.scratch.name]


def _overrule_by_mappings(bench: Bench, mapped: Dict[str, Any]) -> Dict[str, int]:
    """Write the mapped values over the backup's: they are newer. Return how many rows got a mapped value."""
    counts = {}
    for full, table in mapped["tables"].items():
        name, _, column = full.rpartition(".")
        scratch = bench.table("main", name)
        live = bench.table("live", name)
        if scratch is None or live is None:
            continue
        key = matching_key(bench.connection, "live", live, "main", scratch)
        value = f"(SELECT m.v FROM {table} AS m WHERE {mapped_row('s', key)})"
        differs = f"m.v IS NOT s.{quoted(column)} COLLATE BINARY"
        more = bench.change(
            f"UPDATE OR IGNORE {at('main', name)} AS s SET {quoted(column)} = {value}"
            f" WHERE EXISTS (SELECT 1 FROM {table} AS m WHERE {mapped_row('s', key)} AND {differs})"
        )
        counts[full] = mapped["mapped"][full] + more
    return counts
