"""Repair: what the bad migration and its rollback took from a scratch copy of live is put back, and nothing is overwritten."""

from __future__ import annotations

import sqlite3
from typing import Any, Dict, List, Set

from adapters.host_reader.answers import Refusal, progress
from adapters.host_reader.sqlite_fills import (
    fill_columns,
    lost_columns,
    put_back_rows,
    put_back_values,
    untouched_columns,
)
from adapters.host_reader.sqlite_lists import KeyLists
from adapters.host_reader.sqlite_mappings import apply_mappings, read_mappings, unmapped_values
from adapters.host_reader.sqlite_orphans import violation_counts
from adapters.host_reader.sqlite_reenter import unknown_since
from adapters.host_reader.sqlite_request import Answer, Request, mapping, names, optional_text, text
from adapters.host_reader.sqlite_restore import RESTORE, restore_rows
from adapters.host_reader.sqlite_sequences import raise_sequences
from adapters.host_reader.sqlite_workbench import (
    Bench,
    change_once,
    open_schemas,
    refuse_same_file,
    take_over_table,
)


def sqlite_repair(request: Request) -> Answer:
    """Repair a scratch copy of live on which the bad migration was rolled back; return what was put back, and what not.

    In one transaction and in this order: rows and values that the rollback took come back from `live_copy`; values of
    the new shape by `mappings`; lost columns from `baseline`; missing rows from `baseline` as `decisions` say
    ({table: "restore" | "leave"}; {"table.column": "restore"} fills a column that was only cleared). A decision names
    the table as the backup does. Runtime tables are made equal to live's.
    *Changes*: `scratch` and its note `scratch.repair.json`. *Raises* Refusal: decision_needed, ambiguous, refused,
    changed; then nothing was changed.
    """
    scratch, baseline, live = text(request, "scratch"), text(request, "baseline"), text(request, "live_copy")
    refuse_same_file(scratch, baseline, live)
    others = {"base": baseline, "live": live}
    return change_once(scratch, "repair", request, others, lambda connection: _repair(connection, request))


def _repair(connection: sqlite3.Connection, request: Request) -> Answer:
    runtime = names(request, "runtime_tables")
    migrations = str(request.get("migrations_table") or "migrations")
    bench = Bench(
        connection,
        open_schemas(connection, ["main", "base", "live"]),
        KeyLists(optional_text(request, "lists_folder"), "repair"),
        {name.lower() for name in [*runtime, migrations]},
    )
    decisions, rules = mapping(request, "decisions"), read_mappings(request, bench.schemas["live"])
    for name in runtime:
        take_over_table(bench, "live", name)
    untouched = untouched_columns(bench)
    answer = _from_live(bench)
    progress("repairing", 1, 4, "parts")
    mapped = apply_mappings(bench, rules)
    progress("repairing", 2, 4, "parts")
    answer.update(_lost_columns(bench, decisions, mapped["tables"], untouched))
    answer["mapped"] = mapped["mapped"]
    answer["asked"].update(mapped["asked"])
    progress("repairing", 3, 4, "parts")
    answer.update(restore_rows(bench, decisions))
    answer["mappings_used"] = len(rules)
    answer["unmapped_lists"] = unmapped_values(bench, rules)
    answer["unmapped"] = {name: listed["count"] for name, listed in answer["unmapped_lists"].items()}
    answer["unknown"] = unknown_since(bench)
    answer["sequences_raised"] = raise_sequences(connection, bench.schemas)
    answer["not_in_scratch"] = not_in_scratch(bench)
    answer["foreign_key_violations"] = judged_foreign_keys(bench)
    progress("repairing", 4, 4, "parts")
    return answer


def _from_live(bench: Bench) -> Dict[str, Any]:
    answer: Dict[str, Any] = {"put_back_rows": {}, "put_back_values": {}, "converted": []}
    for live in bench.schemas["live"].without(sorted(bench.aside)):
        scratch = bench.table("main", live.name)
        if scratch is None:
            continue
        rows = put_back_rows(bench, live, scratch)
        values = put_back_values(bench, live, scratch)
        if rows:
            answer["put_back_rows"][scratch.name] = rows
        answer["put_back_values"].update(values["values"])
        answer["converted"] += values["converted"]
    return answer


def _lost_columns(
    bench: Bench, decisions: Dict[str, Any], mapped: Dict[str, str], untouched: Set[str]
) -> Dict[str, Any]:
    answer: Dict[str, Any] = {"filled": {}, "asked": {}}
    for base in bench.schemas["base"].without(sorted(bench.aside)):
        scratch = bench.table("main", base.name)
        if scratch is None:
            continue
        lost = lost_columns(bench, base, scratch)
        cleared = [
            name
            for name in base.common(scratch)
            if name not in lost and decisions.get(f"{base.name}.{name}") == RESTORE
        ]
        done = fill_columns(bench, base, scratch, lost + cleared, mapped, untouched)
        answer["filled"].update(done["filled"])
        answer["asked"].update(done["asked"])
    return answer


def not_in_scratch(bench: Bench) -> Dict[str, List[str]]:
    """Return what the backup has and scratch cannot take, since the rollback did not make it again: columns per table."""
    found = {}
    for base in bench.schemas["base"].without(sorted(bench.aside)):
        scratch = bench.table("main", base.name)
        names_there = base.column_names if scratch is None else base.without(scratch)
        if names_there:
            found[base.name] = names_there
    return found


def judged_foreign_keys(bench: Bench) -> Dict[str, int]:
    """Return the violations per foreign key. *Raises* Refusal where there are more than backup and live already had."""
    counts = {name: violation_counts(bench.connection, name, found) for name, found in bench.schemas.items()}
    worse = [
        f"{key} ({count})"
        for key, count in counts["main"].items()
        if count > max(counts["base"].get(key, 0), counts["live"].get(key, 0))
    ]
    if worse:
        raise Refusal(
            "foreign_keys",
            f"After the repair rows would point nowhere: {', '.join(worse)}. Nothing was changed; call the DBA.",
        )
    return counts["main"]
