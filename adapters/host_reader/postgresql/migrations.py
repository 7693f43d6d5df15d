"""The rows of Laravel's `migrations` table, in the order in which they ran."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from adapters.host_reader.postgresql.catalogue import Catalogue
from adapters.host_reader.postgresql.names import quoted
from adapters.host_reader.postgresql.session import Session
from adapters.host_reader.sqlite_request import Request


def read_migrations(
    session: Session, catalogue: Catalogue, request: Request
) -> Optional[List[Dict[str, Any]]]:
    """Return `{id, migration, batch}` for each row, None where there is no such table; reads only."""
    name = str(request.get("migrations_table") or "migrations")
    table = catalogue.tables.get(name)
    if table is None or "migration" not in table.column_names:
        return None
    wanted = [
        quoted(column) if column in table.column_names else "NULL" for column in ("id", "migration", "batch")
    ]
    rows = session.rows(
        f"SELECT {', '.join(wanted)} FROM {catalogue.relations[name].source} AS t ORDER BY 1, 2"
    )
    return [{"id": _number(row[0]), "migration": row[1], "batch": _number(row[2])} for row in rows]


def _number(value: Optional[str]) -> Optional[int]:
    return None if value is None else int(value)
