"""Checks every timeline of a store: that no entry was changed, removed or moved since it was written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.sql_store.incident_rows import entry_of
from adapters.sql_store.schema import decisions, entries, incidents, messages, operations
from adapters.sql_store.store import SqlStore
from bot.model.event import GENESIS, Entry, first_fault

# Read as plain text: a column that was tampered with must not stop the reading.
RAW_ENTRY = [sa.type_coerce(column, sa.Text).label(column.name) for column in entries.c]


async def verify_timelines(store: SqlStore) -> list[str]:
    """Return what is wrong with the store's timelines, one sentence for each fault; an empty list when all are whole.

    Reads only. Finds edited, removed (at the end too), inserted and reordered entries by number, entries and records of
    incidents that are gone, and gaps in the numbers of a site's incidents. A store that was rewritten as a whole, with
    every hash computed anew, is not found: for that, keep the last hashes of `timeline_heads` elsewhere.
    """
    async with store.begin() as connection:
        faults = [*await gaps(connection), *await strays(connection)]
        for row in (await connection.execute(sa.select(incidents).order_by(incidents.c.id))).mappings():
            head = (row["entry_count"], row["last_hash"])
            fault = await timeline_fault(connection, row["id"], head)
            faults += [fault] if fault else []
    return faults


async def timeline_heads(store: SqlStore) -> dict[str, tuple[int, str]]:
    """Return each incident's (number of entries, last hash), to be compared with a copy kept elsewhere; reads only."""
    async with store.begin() as connection:
        query = sa.select(incidents.c.id, incidents.c.entry_count, incidents.c.last_hash)
        rows = (await connection.execute(query.order_by(incidents.c.id))).all()
    return {row[0]: (row[1], row[2]) for row in rows}


async def timeline_fault(connection: AsyncConnection, incident_id: str, head: tuple[int, str]) -> str | None:
    """Return what is wrong with one timeline and at which entry, or None."""
    query = sa.select(*RAW_ENTRY).where(entries.c.incident_id == incident_id).order_by(entries.c.sequence)
    read: list[Entry] = []
    for row in (await connection.execute(query)).mappings():
        entry = readable_entry(dict(row))
        if entry is None:
            before = first_fault(incident_id, read, (len(read), read[-1].hash if read else GENESIS))
            return (
                before
                or f"{incident_id} entry {len(read) + 1}: was changed after it was written (not readable)"
            )
        read.append(entry)
    return first_fault(incident_id, read, head)


def readable_entry(row: Mapping[str, Any]) -> Entry | None:
    """Return the entry of a row read as text, or None when it cannot be one."""
    try:
        parsed = {"sequence": int(row["sequence"]), "at": datetime.fromisoformat(row["at"])}
        entry = entry_of({**row, **parsed, "data": json.loads(row["data"])})
    except (ValueError, TypeError):
        return None
    texts = (entry.actor, entry.text, entry.hash, entry.previous_hash)
    return entry if all(isinstance(text, str) for text in texts) and entry.at.tzinfo else None


async def strays(connection: AsyncConnection) -> list[str]:
    """Return a fault for each incident that is not there but of which entries or other records are."""
    faults: list[str] = []
    known = sa.select(incidents.c.id)
    for table in (entries, decisions, messages, operations):
        of_incident = table.c.incident_id
        query = sa.select(of_incident).where(of_incident.not_in(known), of_incident != "").distinct()
        unknown = await connection.scalars(query.order_by(of_incident))
        faults += [f"{name}: {table.name} of an incident whose row is missing" for name in unknown]
    return faults


async def gaps(connection: AsyncConnection) -> list[str]:
    """Return a fault for each site whose incidents are not numbered 1, 2, 3 without a gap."""
    query = sa.select(incidents.c.site, sa.func.count(), sa.func.max(incidents.c.number))
    rows = (await connection.execute(query.group_by(incidents.c.site))).all()
    return [
        f"site {site}: {highest - count} of its {highest} incidents are missing"
        for site, count, highest in rows
        if count != highest
    ]
