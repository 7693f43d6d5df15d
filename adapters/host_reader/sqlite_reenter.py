"""Lists by key of what no recovery can bring back, to re-enter from: keys only, never what stands in the rows."""

from __future__ import annotations

from typing import Any, Dict

from adapters.host_reader.sqlite_fills import lost_columns
from adapters.host_reader.sqlite_open import quoted
from adapters.host_reader.sqlite_rows import at, columns_of, matching_key, same_key
from adapters.host_reader.sqlite_workbench import Bench


def unknown_since(bench: Bench) -> Dict[str, Any]:
    """Return by "table.column" the rows written since the backup that are without a value in a column the migration took.

    Whether they ever had one nobody can tell: the backup does not know the row, and the broken state not the column.
    *Changes*: the lists of their keys.
    """
    found = {}
    for base in bench.schemas["base"].without(sorted(bench.aside)):
        scratch = bench.table("main", base.name)
        if scratch is None:
            continue
        key = matching_key(bench.connection, "base", base, "main", scratch)
        for name in lost_columns(bench, base, scratch) if key else ():
            known = f"SELECT 1 FROM {at('base', base.name)} AS b WHERE {same_key('b', 's', key)}"
            rows = bench.connection.execute(
                f"SELECT {columns_of('s', key)} FROM {at('main', scratch.name)} AS s"
                f" WHERE s.{quoted(name)} IS NULL AND NOT EXISTS ({known}) ORDER BY {columns_of('s', key)}"
            )
            listed = bench.lists.write(f"{base.name}.{name}", "unknown", rows)
            if listed["count"]:
                found[f"{base.name}.{name}"] = listed
    return found
