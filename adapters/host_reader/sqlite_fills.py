"""Put back into scratch what the rollback took from live rows, and what the bad migration took from columns."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Set

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_given import given_value, is_in_new_shape, unset
from adapters.host_reader.sqlite_open import quoted
from adapters.host_reader.sqlite_rows import (
    all_of,
    at,
    columns_of,
    differs,
    matching_key,
    other_thing,
    same_key,
)
from adapters.host_reader.sqlite_schema import Column, Table
from adapters.host_reader.sqlite_workbench import Bench

# From this share on a difference is the migration's doing for the column as a whole, not an edit of single rows.
_WHOLE_COLUMN = 0.5


def put_back_rows(bench: Bench, live: Table, scratch: Table) -> int:
    """Insert the live rows that the rollback removed (HAZARDS R12); return how many. *Changes*: scratch."""
    key = matching_key(bench.connection, "live", live, "main", scratch)
    common = live.common(scratch)
    if not key:
        return insert_surplus(bench, f"FROM {at('live', live.name)}", scratch, common, scratch)
    needed = [column for column in scratch.columns if not live.column(column.name) and _must_be_given(column)]
    base = bench.table("base", live.name)
    given = [_from_base(each, _base_row(base, live, key), scratch) for each in needed if base]
    names = [*common, *(each.name for each in needed if base)]
    values = ", ".join([columns_of("l", common), *given])
    return bench.change(
        f"INSERT INTO {at('main', scratch.name)} ({', '.join(quoted(name) for name in names)})"
        f" SELECT {values} FROM {at('live', live.name)} AS l"
        f" WHERE NOT EXISTS (SELECT 1 FROM {at('main', scratch.name)} AS s WHERE {same_key('s', 'l', key)})"
    )


def _must_be_given(column: Column) -> bool:
    return column.notnull and (column.default is None or column.is_stamped)


def _from_base(column: Column, row: str, scratch: Table) -> str:
    """Return the backup's value as SQL; a time that it has not is as in the rows that the rollback left."""
    value = f"(SELECT b.{quoted(column.name)} {row})"
    if not column.is_stamped:
        return value
    newest = f"(SELECT max({quoted(column.name)}) FROM {at('main', scratch.name)})"
    return f"coalesce({value}, {newest}, CURRENT_TIMESTAMP)"


def _base_row(base: Optional[Table], live: Table, key: List[str]) -> str:
    if base is None:
        return "WHERE 0"
    return (
        f"FROM {at('base', base.name)} AS b"
        f" WHERE {same_key('b', 'l', key)} AND NOT {other_thing('b', 'l', base, live)}"
    )


def insert_surplus(bench: Bench, source: str, against: Table, columns: List[str], scratch: Table) -> int:
    """Insert into a table without a key what a source has more often than `main` has; return how many rows.

    `source` is the FROM part of a SELECT. *Changes*: scratch.
    """
    named = ", ".join(f"+{quoted(name)} COLLATE BINARY AS c{place}" for place, name in enumerate(columns))
    grouped = ", ".join(f"c{place}" for place in range(len(columns)))
    surplus = (
        f"SELECT {grouped}, total(side = 0) - total(side = 1) AS more FROM (SELECT 0 AS side, {named} {source}"
        f" UNION ALL SELECT 1, {named} FROM {at('main', against.name)}) GROUP BY {grouped}"
        " HAVING total(side = 0) > total(side = 1)"
    )
    most = bench.count(f"SELECT max(more) FROM ({surplus})")
    if not most:
        return 0
    return bench.change(
        f"INSERT INTO {at('main', scratch.name)} ({', '.join(quoted(name) for name in columns)})"
        f" WITH RECURSIVE times(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM times WHERE n < {most})"
        f" SELECT {grouped} FROM ({surplus}) JOIN times ON times.n <= more"
    )


def put_back_values(bench: Bench, live: Table, scratch: Table) -> Dict[str, Any]:
    """Write live's values back where the rollback changed or cleared them; return counts per "table.column".

    A value is never replaced by NULL: what the rollback filled in by itself stays. A column that the migration converted
    as a whole, and the rollback converted back, is left as it is and named under `converted`. *Changes*: scratch.
    """
    key = matching_key(bench.connection, "live", live, "main", scratch)
    done: Dict[str, Any] = {"values": {}, "converted": []}
    for name in live.common(scratch) if key else []:
        if name in key:
            continue
        lost = f"l.{quoted(name)} IS NOT NULL AND {differs('l', 's', name, live, scratch)}"
        match = f"FROM {at('live', live.name)} AS l WHERE {same_key('l', 's', key)}"
        where = f"EXISTS (SELECT 1 {match} AND {lost})"
        if not bench.count(f"SELECT count(*) FROM {at('main', scratch.name)} AS s WHERE {where}"):
            continue
        if _converted_back(bench, live, scratch, key, name):
            done["converted"].append(f"{scratch.name}.{name}")
            continue
        done["values"][f"{scratch.name}.{name}"] = bench.change(
            f"UPDATE {at('main', scratch.name)} AS s"
            f" SET {quoted(name)} = (SELECT l.{quoted(name)} {match}) WHERE {where}"
        )
    return done


def _converted_back(bench: Bench, live: Table, scratch: Table, key: List[str], name: str) -> bool:
    base = bench.table("base", live.name)
    if base is None or base.column(name) is None or any(base.column(each) is None for each in key):
        return False
    converted, back, rows = bench.connection.execute(
        f"SELECT total({differs('b', 'l', name, base, live)}),"
        f" total({differs('b', 'l', name, base, live)} AND NOT {differs('b', 's', name, base, scratch)}), count(*)"
        f" FROM {at('base', base.name)} AS b JOIN {at('live', live.name)} AS l ON {same_key('b', 'l', key)}"
        f" JOIN {at('main', scratch.name)} AS s ON {same_key('b', 's', key)}"
        f" WHERE b.{quoted(name)} IS NOT NULL AND NOT {other_thing('b', 'l', base, live)}"
    ).fetchone()
    return bool(back) and converted >= _WHOLE_COLUMN * rows and back >= _WHOLE_COLUMN * converted


def lost_columns(bench: Bench, base: Table, scratch: Table) -> List[str]:
    """Return the columns that the backup and scratch have and the broken state has not."""
    live = bench.table("live", base.name)
    return [] if live is None else [name for name in base.common(scratch) if not live.column(name)]


def untouched_columns(bench: Bench) -> Set[str]:
    """Return the lost columns, as "table.column", that hold nothing but what they were given: no value was moved back.

    To be asked before anything is put into them; reads only.
    """
    found = set()
    for base in bench.schemas["base"].without(sorted(bench.aside)):
        scratch = bench.table("main", base.name)
        if scratch is None:
            continue
        lost = {name.lower() for name in lost_columns(bench, base, scratch)}
        for column in scratch.columns:
            given = given_value(bench, base, scratch, column) if column.name.lower() in lost else None
            if given is None:
                continue
            value = quoted(column.name)
            others = f"{value} IS NOT NULL AND {value} IS NOT {given}"
            if not bench.count(f"SELECT EXISTS (SELECT 1 FROM {at('main', scratch.name)} WHERE {others})"):
                found.add(f"{scratch.name}.{column.name}".lower())
    return found


def fill_columns(
    bench: Bench,
    base: Table,
    scratch: Table,
    columns: List[str],
    mapped: Dict[str, str],
    untouched: Set[str],
) -> Dict[str, Any]:
    """Fill values from the backup where scratch has none, in rows that are the same thing; return counts.

    A lost column whose default stands where the backup has NULL is NULL again, unless the rollback may have moved it back:
    the column is none of the `untouched` ones, and the new shape holds that value.
    `mapped` names for a "table.column" the temporary table of rows whose newer value came by a mapping.
    Rows of one key that are another thing now are not filled but listed under `asked`. *Changes*: scratch.
    """
    done: Dict[str, Any] = {"filled": {}, "asked": {}}
    lost = lost_columns(bench, base, scratch)
    wanted = [
        name
        for name in columns
        if _has_values(bench, base, name) or (name in lost and _hides_null(scratch.column(name)))
    ]
    if not wanted:
        return done
    key = matching_key(bench.connection, "base", base, "main", scratch)
    source, match = _source(bench, base, scratch, key, columns)
    same = "1" if not key else f"NOT {other_thing('b', 's', base, scratch)}"
    for name in wanted:
        column = scratch.column(name)
        if column is None:
            continue
        full = f"{scratch.name}.{name}"
        given = given_value(bench, base, scratch, column) if name in lost else None
        free = unset("s", column, name in lost, given)
        if full in mapped:
            free += f" AND NOT EXISTS (SELECT 1 FROM {mapped[full]} AS m WHERE {mapped_row('s', key)})"
        worth = f"b.{quoted(name)} IS NOT NULL AND {differs('b', 's', name, base, scratch)}"
        row = f"FROM {source} AS b WHERE {match}"
        done["filled"][full] = bench.change(
            f"UPDATE {at('main', scratch.name)} AS s SET {quoted(name)} = (SELECT b.{quoted(name)} {row})"
            f" WHERE {free} AND EXISTS (SELECT 1 {row} AND {same} AND {worth})"
        )
        moved_back = full.lower() not in untouched and given is not None and is_in_new_shape(bench, given)
        if given is not None and not column.notnull and not moved_back:
            empty = f"{free} AND s.{quoted(name)} IS NOT NULL"
            bench.change(
                f"UPDATE {at('main', scratch.name)} AS s SET {quoted(name)} = NULL"
                f" WHERE {empty} AND EXISTS (SELECT 1 {row} AND {same} AND b.{quoted(name)} IS NULL)"
            )
        if key:
            asked = f"EXISTS (SELECT 1 {row} AND NOT ({same}) AND {worth})"
            select = (
                f"SELECT {columns_of('s', key)} FROM {at('main', scratch.name)} AS s WHERE {free} AND {asked}"
            )
            found = bench.lists.write(scratch.name, f"asked-{name}", bench.connection.execute(select))
            if found["count"]:
                done["asked"][full] = found
    return done


def mapped_row(alias: str, key: List[str]) -> str:
    """Return the condition that a row `m` of a mapping's temporary table is for this row and clear."""
    return all_of([f"m.k{place} = {alias}.{quoted(name)}" for place, name in enumerate(key)] + ["m.n = 1"])


def _hides_null(column: Optional[Column]) -> bool:
    """Return whether a row that had no value may have been given one when the column was added again."""
    return column is not None and not column.notnull and (column.default is not None or column.is_stamped)


def _has_values(bench: Bench, base: Table, name: str) -> bool:
    return bool(bench.count(f"SELECT count({quoted(name)}) FROM {at('base', base.name)}"))


def _source(bench: Bench, base: Table, scratch: Table, key: List[str], lost: List[str]) -> tuple[str, str]:
    """Return where the backup's rows are read, and how a row `b` is matched with `s`.

    Without a key all other common columns together must tell the rows apart.
    """
    if key:
        return at("base", base.name), same_key("b", "s", key)
    rest = [name for name in base.common(scratch) if name not in lost]
    for schema, table in (("base", base), ("main", scratch)):
        _refuse_duplicates(bench, schema, table, rest)
    copy = "temp.keyless_rows"
    bench.connection.execute(f"DROP TABLE IF EXISTS {copy}")
    bench.connection.execute(f"CREATE TEMP TABLE keyless_rows AS SELECT * FROM {at('base', base.name)}")
    names = ", ".join(quoted(name) for name in rest)
    bench.connection.execute(f"CREATE INDEX temp.keyless_index ON keyless_rows ({names})")
    return copy, all_of([f"b.{quoted(name)} IS s.{quoted(name)}" for name in rest])


def _refuse_duplicates(bench: Bench, schema: str, table: Table, names: List[str]) -> None:
    listed = ", ".join(quoted(name) for name in names)
    twice = not names or bench.count(
        f"SELECT EXISTS (SELECT 1 FROM {at(schema, table.name)} GROUP BY {listed} HAVING count(*) > 1)"
    )
    if twice:
        raise Refusal(
            "ambiguous",
            f"Table {quoted(table.name)} has no key and equal rows, so its lost values cannot be told apart."
            " Nothing was changed; choose a swap.",
        )
