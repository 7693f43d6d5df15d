"""What one backup holds, as plain data that can be sent as JSON: names, counts, sizes, times; never a row."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Dict, List, Optional

# The four things an end can say (HAZARDS B3).
PRESENT = "present"
ABSENT = "absent"
FAILED = "failed"
IMPOSSIBLE = "impossible"

BLOCK = "block"
NOTE = "note"


@dataclass(frozen=True)
class Hazard:
    """One finding in a backup. `severity` is "block" (it is refused for this) or "note" (said, and dealt with)."""

    code: str
    severity: str
    message: str


@dataclass(frozen=True)
class TableEntry:
    """One table of a backup. `columns` or `rows` None: not to be had from this format without loading it."""

    columns: Optional[List[str]] = None
    rows: Optional[int] = None
    size_bytes: int = 0


@dataclass(frozen=True)
class Manifest:
    """What one backup holds.

    `completed` and `started` are ISO times as the dump says them, None where it has none. `migrations` are in the
    order in which they ran, `{"name", "batch"}` each; None where there is no migrations table. `damage` says in words
    why the file could not be read to its end; None where it was. `integrity` is "ok" or "failed" for a SQLite file's
    quick_check, None for dumps.
    """

    format: Optional[str] = None
    tool_version: Optional[str] = None
    server_version: Optional[str] = None
    database: Optional[str] = None
    started: Optional[str] = None
    completed: Optional[str] = None
    end_marker: str = ABSENT
    tables: Dict[str, TableEntry] = field(default_factory=dict)
    migrations: Optional[List[Dict[str, Any]]] = None
    schema_objects: Dict[str, int] = field(default_factory=dict)
    damage: Optional[str] = None
    integrity: Optional[str] = None

    def as_json(self) -> Dict[str, Any]:
        """Return the manifest as a JSON object; a table's size goes by the short name `bytes`."""
        document = asdict(self)
        document["tables"] = {
            name: {"columns": entry.columns, "rows": entry.rows, "bytes": entry.size_bytes}
            for name, entry in self.tables.items()
        }
        return document


@dataclass(frozen=True)
class Reading:
    """A manifest and the hazards found on the way to it."""

    manifest: Manifest
    hazards: List[Hazard]
