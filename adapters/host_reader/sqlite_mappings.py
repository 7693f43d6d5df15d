"""Bring values that were written in the new shape back into the old one, by the rules of the site's settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Set

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_fills import mapped_row
from adapters.host_reader.sqlite_given import given_value, unset
from adapters.host_reader.sqlite_open import quoted
from adapters.host_reader.sqlite_request import Request, mapping, names, objects, text
from adapters.host_reader.sqlite_rows import all_of, at, columns_of, matching_key, same_key
from adapters.host_reader.sqlite_schema import Schema, Table
from adapters.host_reader.sqlite_workbench import Bench

_OFTEN_NEW = {"created_at", "updated_at"}


@dataclass(frozen=True)
class Mapping:
    """One rule: rows of `source` (new shape) belong to rows of `target` where `join` agrees; `columns` are from → to.

    `join` is {column of target: column of source}; `derived` are the source's columns that will be computed again.
    """

    source: str
    target: str
    join: Dict[str, str]
    columns: Dict[str, str]
    derived: List[str]


def read_mappings(request: Request, live: Schema) -> List[Mapping]:
    """Return the request's rules whose source the broken state has; the others have nothing to say in this incident.

    *Raises* Refusal (bad_request) where a rule is not complete.
    """
    rules = [
        Mapping(
            text(rule, "from_table"),
            text(rule, "target_table"),
            mapping(rule, "join"),
            mapping(rule, "columns"),
            names(rule, "derived"),
        )
        for rule in objects(request, "mappings")
    ]
    return [rule for rule in rules if live.table(rule.source) is not None]


def apply_mappings(bench: Bench, rules: List[Mapping]) -> Dict[str, Any]:
    """Write mapped values where scratch has none; return counts, and the temporary table per "table.column".

    The rows belong together as they did in live. More than one different value for one row is listed under `asked`
    and not written. *Changes*: scratch.
    """
    done: Dict[str, Any] = {"mapped": {}, "asked": {}, "tables": {}}
    for rule in rules:
        for place, (from_column, to_column) in enumerate(sorted(rule.columns.items())):
            _apply(bench, rule, from_column, to_column, f"mapped_{len(done['tables'])}_{place}", done)
    return done


def _apply(bench: Bench, rule: Mapping, source: str, target: str, name: str, done: Dict[str, Any]) -> None:
    found, live, scratch = _tables(bench, rule)
    key = matching_key(bench.connection, "live", live, "main", scratch)
    column = scratch.column(target)
    if not key or column is None or found.column(source) is None:
        raise _wrong(rule)
    keys = ", ".join(f"t.{quoted(part)} AS k{place}" for place, part in enumerate(key))
    bench.connection.execute(
        f"CREATE TEMP TABLE {name} AS SELECT {keys}, min(f.{quoted(source)}) AS v,"
        f" count(DISTINCT +f.{quoted(source)} COLLATE BINARY) AS n"
        f" FROM {at('live', live.name)} AS t JOIN {at('live', found.name)} AS f ON {_joined(rule)}"
        f" WHERE f.{quoted(source)} IS NOT NULL GROUP BY {columns_of('t', key)}"
    )
    bench.connection.execute(
        f"CREATE INDEX temp.{name}_key ON {name} ({', '.join(f'k{place}' for place in range(len(key)))})"
    )
    base = bench.table("base", scratch.name)
    lost = live.column(target) is None
    free = unset("s", column, lost, given_value(bench, base, scratch, column) if lost else None)
    full = f"{scratch.name}.{target}"
    done["tables"][full] = f"temp.{name}"
    done["mapped"][full] = bench.change(
        f"UPDATE {at('main', scratch.name)} AS s SET {quoted(target)} ="
        f" (SELECT m.v FROM temp.{name} AS m WHERE {mapped_row('s', key)})"
        f" WHERE {free} AND EXISTS (SELECT 1 FROM temp.{name} AS m WHERE {mapped_row('s', key)})"
    )
    several = ", ".join(f"k{place}" for place in range(len(key)))
    unclear = bench.connection.execute(f"SELECT {several} FROM temp.{name} WHERE n > 1")
    listed = bench.lists.write(scratch.name, f"unclear-{target}", unclear)
    if listed["count"]:
        done["asked"][full] = listed


def _tables(bench: Bench, rule: Mapping) -> tuple[Table, Table, Table]:
    source, live, scratch = (
        bench.table("live", rule.source),
        bench.table("live", rule.target),
        bench.table("main", rule.target),
    )
    if source is None or live is None or scratch is None:
        raise _wrong(rule)
    if not rule.join or any(
        live.column(mine) is None or source.column(theirs) is None for mine, theirs in rule.join.items()
    ):
        raise _wrong(rule)
    return source, live, scratch


def _wrong(rule: Mapping) -> Refusal:
    return Refusal(
        "bad_request",
        f"The mapping from {quoted(rule.source)} to {quoted(rule.target)} names a table or column that is not there,"
        " or the target has no key. Nothing was changed; mend the site's settings.",
    )


def _joined(rule: Mapping) -> str:
    return all_of([f"t.{quoted(mine)} = f.{quoted(theirs)}" for mine, theirs in sorted(rule.join.items())])


def unmapped_values(bench: Bench, rules: List[Mapping]) -> Dict[str, Any]:
    """Return per "table.column" of the new shape the rows whose value has no place in scratch: count, and keys listed.

    Keys, foreign keys and the columns of a mapping's join say nothing of their own; neither do a mapped table's
    `created_at` and `updated_at`. *Changes*: the lists of their keys; of a table without a key only the count is told.
    """
    unmapped = {}
    for live in bench.schemas["live"].without(sorted(bench.aside)):
        scratch = bench.table("main", live.name)
        new = live.column_names if scratch is None else live.without(scratch)
        for name in new:
            if name.lower() in _silent_columns(live, rules):
                continue
            rows = _without_place(bench, live, name, rules)
            count = bench.count(f"SELECT count(*) {rows}")
            if count:
                unmapped[f"{live.name}.{name}"] = {**_listed(bench, live, name, rows), "count": count}
    return unmapped


def _listed(bench: Bench, live: Table, name: str, rows: str) -> Dict[str, Any]:
    if not live.key:
        return {"keys": [], "file": None}
    keys = columns_of("f", list(live.key))
    return bench.lists.write(
        f"{live.name}.{name}", "unmapped", bench.connection.execute(f"SELECT {keys} {rows} ORDER BY {keys}")
    )


def _silent_columns(live: Table, rules: List[Mapping]) -> Set[str]:
    silent = {name.lower() for name in live.key}
    silent |= {name.lower() for key in live.foreign_keys for name in key.columns}
    for rule in rules:
        if rule.source.lower() == live.name.lower():
            silent |= {name.lower() for name in [*rule.join.values(), *rule.derived]} | _OFTEN_NEW
        if rule.target.lower() == live.name.lower():
            silent |= {name.lower() for name in rule.join}
    return silent - {
        name.lower() for rule in rules if rule.source.lower() == live.name.lower() for name in rule.columns
    }


def _without_place(bench: Bench, live: Table, name: str, rules: List[Mapping]) -> str:
    """Return FROM and WHERE of the rows `f` of live whose value in this column has no place in scratch."""
    for rule in rules:
        targets = {source.lower(): target for source, target in rule.columns.items()}
        if rule.source.lower() == live.name.lower() and name.lower() in targets:
            return _not_landed(bench, rule, name, targets[name.lower()])
    return f"FROM {at('live', live.name)} AS f WHERE f.{quoted(name)} IS NOT NULL"


def _not_landed(bench: Bench, rule: Mapping, source: str, target: str) -> str:
    found, live, scratch = _tables(bench, rule)
    key = matching_key(bench.connection, "live", live, "main", scratch)
    mine = sorted(rule.join)
    own = columns_of("f", [rule.join[name] for name in mine])
    no_link = " OR ".join(f"f.{quoted(rule.join[name])} IS NULL" for name in mine)
    linked = " AND ".join(f"t.{quoted(name)} IS NOT NULL" for name in mine)
    return (
        f"FROM {at('live', found.name)} AS f WHERE f.{quoted(source)} IS NOT NULL AND ({no_link}"
        f" OR ({own}, f.{quoted(source)} COLLATE BINARY) NOT IN (SELECT {columns_of('t', mine)}, s.{quoted(target)}"
        f" FROM {at('live', live.name)} AS t JOIN {at('main', scratch.name)} AS s ON {same_key('t', 's', key)}"
        f" WHERE s.{quoted(target)} IS NOT NULL AND {linked}))"
    )
