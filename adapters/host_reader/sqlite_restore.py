"""Bring rows back that the backup has and the broken state has not, as decided for each table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_fills import insert_surplus
from adapters.host_reader.sqlite_open import quoted
from adapters.host_reader.sqlite_orphans import orphaned
from adapters.host_reader.sqlite_pairs import multiset
from adapters.host_reader.sqlite_rows import all_of, at, columns_of, matching_key, other_thing, same_key
from adapters.host_reader.sqlite_schema import Table
from adapters.host_reader.sqlite_workbench import Bench

RESTORE, LEAVE = "restore", "leave"
# Laravel's names for what a pivot row holds.
_TYING = ("_id", "_type", "_at")


@dataclass(frozen=True)
class _Missing:
    """Rows of one table that are in the backup and not in the broken state; `wanted` names the table of their keys."""

    base: Table
    scratch: Table
    key: List[str]
    count: int
    wanted: str


def restore_rows(bench: Bench, decisions: Dict[str, Any]) -> Dict[str, Any]:
    """Insert missing rows where the decision is "restore" and their parents are there; return what became of all.

    *Changes*: scratch. *Raises* Refusal (decision_needed) before any change when a table has missing rows and no decision.
    """
    missing = _find_missing(bench, decisions)
    _refuse_undecided(missing, decisions)
    done: Dict[str, Any] = {"restored_rows": {}, "left_deleted": {}, "parent_gone": {}, "key_taken": {}}
    chosen = [each for each in missing if decisions.get(each.base.name) == RESTORE]
    for each in missing:
        if each not in chosen:
            done["left_deleted"][each.base.name] = each.count
    keyed = [each for each in chosen if each.key]
    for each in keyed:
        _insert(bench, each, done)
    while sum(_remove_orphans(bench, each) for each in keyed):
        pass  # Rows whose parent was itself an orphan go in the next round; each round removes at least one.
    for each in keyed:
        _say(bench, each, done)
    for each in chosen:
        if not each.key:
            done["restored_rows"][each.base.name] = _insert_keyless(bench, each, done)
    done["key_reused"] = _reused(bench)
    return done


def _find_missing(bench: Bench, decisions: Dict[str, Any]) -> List[_Missing]:
    found = []
    for place, base in enumerate(bench.schemas["base"].without(sorted(bench.aside))):
        scratch, live = bench.table("main", base.name), bench.table("live", base.name)
        if scratch is None:
            continue
        key = matching_key(bench.connection, "base", base, "main", scratch)
        if key and live is not None and any(live.column(name) is None for name in key):
            key = []
        if key:
            absent = _absent(live, key)
            count = bench.count(f"SELECT count(*) FROM {at('base', base.name)} AS b WHERE {absent}")
        else:
            count = _count_keyless(bench, base, scratch, decisions.get(base.name))
        if count:
            found.append(_Missing(base, scratch, key, count, f"wanted_{place}"))
    return found


def _absent(live: Table | None, key: List[str]) -> str:
    if live is None:
        return "1"
    return f"NOT EXISTS (SELECT 1 FROM {at('live', live.name)} AS l WHERE {same_key('l', 'b', key)})"


def _count_keyless(bench: Bench, base: Table, scratch: Table, decision: object) -> int:
    """Return how many rows without a key are missing from scratch, which holds all that live has by now."""
    select = multiset(at("base", base.name), at("main", scratch.name), base.common(scratch))
    missing, new = bench.connection.execute(
        f"SELECT total(max(b - a, 0)), total(max(a - b, 0)) FROM ({select})"
    ).fetchone()
    if missing and new and decision == RESTORE and not _is_pivot(base):
        raise Refusal(
            "ambiguous",
            f"Table {quoted(base.name)} has no key, {int(missing)} rows of the backup are missing and {int(new)} are"
            " new: changed rows cannot be told from deleted ones. Nothing was changed; choose a swap.",
        )
    return int(missing)


def _is_pivot(table: Table) -> bool:
    """Return whether a row only ties others together: it is made and deleted, and never changed."""
    tied = {name.lower() for key in table.foreign_keys for name in key.columns}
    return all(name in tied or name.endswith(_TYING) for name in map(str.lower, table.column_names))


def _refuse_undecided(missing: List[_Missing], decisions: Dict[str, Any]) -> None:
    undecided = [each for each in missing if decisions.get(each.base.name) not in (RESTORE, LEAVE)]
    if undecided:
        told = ", ".join(f"{quoted(each.base.name)} ({each.count} rows)" for each in undecided)
        raise Refusal(
            "decision_needed",
            f"Rows of the backup are not in the live database: {told}. Say for each table whether the migration"
            " deleted them (restore) or people did (leave). Nothing was changed.",
        )


def _insert(bench: Bench, each: _Missing, done: Dict[str, Any]) -> None:
    live = bench.table("live", each.base.name)
    mine = f"SELECT 1 FROM {at('main', each.scratch.name)} AS s WHERE {same_key('s', 'b', each.key)}"
    bench.connection.execute(
        f"CREATE TEMP TABLE {each.wanted} AS SELECT {columns_of('b', each.key)} FROM {at('base', each.base.name)} AS b"
        f" WHERE {_absent(live, each.key)} AND NOT EXISTS ({mine})"
    )
    keys = ", ".join(quoted(name) for name in each.key)
    bench.connection.execute(f"CREATE INDEX temp.{each.wanted}_key ON {each.wanted} ({keys})")
    common = each.base.common(each.scratch)
    # A row whose unique value (an e-mail address) another row has by now is passed over here and listed below.
    bench.change(
        f"INSERT OR IGNORE INTO {at('main', each.scratch.name)} ({', '.join(quoted(name) for name in common)})"
        f" SELECT {columns_of('b', common)} FROM {at('base', each.base.name)} AS b"
        f" JOIN temp.{each.wanted} AS w ON {same_key('b', 'w', each.key)}"
    )
    taken = bench.lists.write(each.base.name, "key-taken", bench.connection.execute(_not_there(each)))
    if taken["count"]:
        done["key_taken"][each.base.name] = taken
        bench.change(f"DELETE FROM temp.{each.wanted} AS w WHERE NOT EXISTS ({_there(each)})")


def _there(each: _Missing) -> str:
    return f"SELECT 1 FROM {at('main', each.scratch.name)} AS s WHERE {same_key('s', 'w', each.key)}"


def _not_there(each: _Missing) -> str:
    return (
        f"SELECT {columns_of('w', each.key)} FROM temp.{each.wanted} AS w WHERE NOT EXISTS ({_there(each)})"
    )


def _orphan_conditions(bench: Bench, each: _Missing) -> List[str]:
    """Return the conditions by which a row `c` has no parent in scratch, by the foreign keys of scratch and backup."""
    keys = {*each.scratch.foreign_keys, *each.base.foreign_keys}
    usable = [key for key in keys if all(each.scratch.column(name) for name in key.columns)]
    return sorted(orphaned("main", bench.schemas["main"], key) for key in usable)


def _remove_orphans(bench: Bench, each: _Missing) -> int:
    keys = ", ".join(quoted(name) for name in each.key)
    restored = f"({columns_of('c', each.key)}) IN (SELECT {keys} FROM temp.{each.wanted})"
    return sum(
        bench.change(f"DELETE FROM {at('main', each.scratch.name)} AS c WHERE {restored} AND {condition}")
        for condition in _orphan_conditions(bench, each)
    )


def _say(bench: Bench, each: _Missing, done: Dict[str, Any]) -> None:
    gone = bench.lists.write(each.base.name, "parent-gone", bench.connection.execute(_not_there(each)))
    wanted = bench.count(f"SELECT count(*) FROM temp.{each.wanted}")
    done["restored_rows"][each.base.name] = wanted - gone["count"]
    if gone["count"]:
        done["parent_gone"][each.base.name] = gone


def _insert_keyless(bench: Bench, each: _Missing, done: Dict[str, Any]) -> int:
    conditions = _orphan_conditions(bench, each)
    kept = all_of([f"NOT ({condition})" for condition in conditions])
    source = f"FROM {at('base', each.base.name)} AS c WHERE {kept}"
    inserted = insert_surplus(bench, source, each.scratch, each.base.common(each.scratch), each.scratch)
    if inserted < each.count:
        done["parent_gone"][each.base.name] = {"count": each.count - inserted, "keys": [], "file": None}
    return inserted


def _reused(bench: Bench) -> Dict[str, Any]:
    """List the backup's rows whose key another thing has by now; these are never written over."""
    found = {}
    for base in bench.schemas["base"].without(sorted(bench.aside)):
        live = bench.table("live", base.name)
        key = matching_key(bench.connection, "base", base, "live", live) if live else []
        if live is None or not key:
            continue
        rows = bench.connection.execute(
            f"SELECT {columns_of('b', key)} FROM {at('base', base.name)} AS b"
            f" JOIN {at('live', live.name)} AS l ON {same_key('b', 'l', key)}"
            f" WHERE {other_thing('b', 'l', base, live)}"
        )
        listed = bench.lists.write(base.name, "key-reused", rows)
        if listed["count"]:
            found[base.name] = listed
    return found
