"""Make a loaded backup ready to be swapped in: current runtime rows, counters above every id, and what would be lost."""

from __future__ import annotations

import sqlite3
from typing import Any, Dict

from adapters.host_reader.sqlite_compare import sqlite_compare
from adapters.host_reader.sqlite_lists import KeyLists
from adapters.host_reader.sqlite_request import Answer, Request, names, optional_text, text
from adapters.host_reader.sqlite_schema import read_schema
from adapters.host_reader.sqlite_sequences import raise_sequences
from adapters.host_reader.sqlite_workbench import (
    Bench,
    change_once,
    refuse_same_file,
    take_over_table,
)


def sqlite_swap_prepare(request: Request) -> Answer:
    """Carry the runtime tables' current rows into a loaded backup and raise its counters; return what a swap would lose.

    Jobs that ran are not run again and ended sessions stay ended (HAZARDS R7); no id is issued twice (R2).
    `rows_would_be_lost` has per table the rows since the backup: `new`, `changed` and `deleted` (they would come back),
    with keys; `tables_aside` are the tables only the broken state has.
    *Changes*: `scratch` and its note. *Raises* Refusal: changed, refused; then nothing was changed.
    """
    scratch, live = text(request, "scratch"), text(request, "live_copy")
    refuse_same_file(scratch, live)
    return change_once(
        scratch, "swap", request, {"live": live}, lambda connection: _prepare(connection, request)
    )


def _prepare(connection: sqlite3.Connection, request: Request) -> Answer:
    runtime = names(request, "runtime_tables")
    schemas = {name: read_schema(connection, name) for name in ("main", "live")}
    bench = Bench(connection, schemas, KeyLists(None, "swap"), {name.lower() for name in runtime})
    compared = sqlite_compare(
        {
            "before": text(request, "scratch"),
            "after": text(request, "live_copy"),
            "ignore_tables": [*runtime, str(request.get("migrations_table") or "migrations")],
            "lists_folder": optional_text(request, "lists_folder"),
        }
    )
    carried = {
        name: take_over_table(bench, "live", name)
        for name in runtime
        if bench.table("main", name) is not None and bench.table("live", name) is not None
    }
    created = {
        name: entry["rows_after"]
        for name, entry in compared["tables"].items()
        if entry["status"] == "created"
    }
    return {
        "runtime_rows": carried,
        "sequences_raised": raise_sequences(connection, schemas),
        "rows_would_be_lost": _newer_rows(compared["tables"]),
        "tables_aside": created,
    }


def _newer_rows(tables: Dict[str, Any]) -> Dict[str, Any]:
    found = {}
    for name, entry in tables.items():
        counts = {
            "new": entry["new"] + entry["reused_keys"],
            "changed": entry["changed"],
            "deleted": entry["missing"] + entry["reused_keys"],
        }
        if entry["status"] != "created" and any(counts.values()):
            found[name] = {**counts, "lists": entry["lists"]}
    return found
