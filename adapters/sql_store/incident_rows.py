"""Incidents and their append-only timelines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from adapters.sql_store.rows import Rows
from adapters.sql_store.schema import entries as timeline
from adapters.sql_store.schema import incidents
from bot.model.codec import canonical
from bot.model.event import GENESIS, Entry, Kind, NewEntry, chain
from bot.model.incident import Incident
from bot.model.logbook import logbook_of
from bot.ports.store import IncidentRow

# The number of the row that carries a site's logbook; incidents count from 1.
LOGBOOK = 0


def incident_of(row: Mapping[str, Any]) -> IncidentRow:
    """Return the incident that a row of `incidents` holds."""
    return IncidentRow(
        id=row["id"],
        site=row["site"],
        channel=row["channel"],
        title=row["title"],
        opened_at=row["opened_at"],
        closed_at=row["closed_at"],
        head=(row["entry_count"], row["last_hash"]),
    )


def entry_of(row: Mapping[str, Any]) -> Entry:
    """Return the entry that a row of `entries` holds. *Raises* ValueError for a kind that does not exist."""
    return Entry(**{**row, "kind": Kind(row["kind"])})


def as_stored(new: NewEntry) -> NewEntry:
    """Return the entry with its data as they will be read back (lists for tuples, text keys): this is what is hashed."""
    return NewEntry(kind=new.kind, text=new.text, actor=new.actor, data=json.loads(canonical(new.data)))


class IncidentRows(Rows):
    """The part of a transaction that opens, finds and closes incidents and writes their timelines."""

    async def open_incident(
        self, *, incident_id: str, site: str, channel: str, title: str
    ) -> IncidentRow | None:
        """Create the incident; None when the site has an open one already."""
        opened = await self._insert_once(
            incidents,
            id=incident_id,
            site=site,
            number=await self.next_incident_number(site),
            open_site=site,
            channel=channel,
            title=title,
            opened_at=await self.now(),
            entry_count=0,
            last_hash=GENESIS,
        )
        if not opened:
            return None
        self._touch(incident_id)
        return await self.incident(incident_id)

    async def next_incident_number(self, site: str) -> int:
        """Return 1 + the number of incidents the site has ever had."""
        highest = sa.select(sa.func.coalesce(sa.func.max(incidents.c.number), 0) + 1)
        return int(await self._connection.scalar(highest.where(incidents.c.site == site)) or 1)

    async def incident(self, incident_id: str) -> IncidentRow | None:
        """Return the incident row, locked until the end of the transaction; None when unknown."""
        query = sa.select(incidents).where(incidents.c.id == incident_id).with_for_update()
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else incident_of(dict(row))

    async def incidents(
        self, *, site: str | None = None, channel: str | None = None, open_only: bool = False
    ) -> list[IncidentRow]:
        """Return incidents, newest first."""
        query = (
            sa.select(incidents)
            .where(incidents.c.number != LOGBOOK)
            .order_by(incidents.c.opened_at.desc(), incidents.c.number.desc(), incidents.c.id)
        )
        if site is not None:
            query = query.where(incidents.c.site == site)
        if channel is not None:
            query = query.where(incidents.c.channel == channel)
        if open_only:
            query = query.where(incidents.c.closed_at.is_(None))
        return [incident_of(dict(row)) for row in (await self._connection.execute(query)).mappings()]

    async def close_incident(self, incident_id: str) -> None:
        """Mark the incident as closed now; one that is closed keeps its time."""
        closing = sa.update(incidents).where(incidents.c.id == incident_id, incidents.c.closed_at.is_(None))
        await self._connection.execute(closing.values(closed_at=await self.now(), open_site=None))
        self._touch(incident_id)

    async def open_logbook(self, site: str) -> str:
        """Return the id of the site's logbook, made where there is none: a row that is closed from its beginning."""
        logbook_id, now = logbook_of(site), await self.now()
        await self._insert_once(
            incidents,
            id=logbook_id,
            site=site,
            number=LOGBOOK,
            open_site=None,
            channel=logbook_id,
            title=f"logbook of {site}",
            opened_at=now,
            closed_at=now,
            entry_count=0,
            last_hash=GENESIS,
        )
        return logbook_id

    async def append(self, incident_id: str, entries: Sequence[NewEntry]) -> list[Entry]:
        """Append entries to the timeline and return them as written. *Raises* LookupError for an unknown incident."""
        incident = await self.incident(incident_id)
        if incident is None:
            raise LookupError(f"there is no incident {incident_id} to write to")
        written = chain(incident_id, incident.head, await self.now(), [as_stored(item) for item in entries])
        if not written:
            return []
        await self._connection.execute(sa.insert(timeline), [vars(entry) for entry in written])
        head = {"entry_count": written[-1].sequence, "last_hash": written[-1].hash}
        await self._connection.execute(
            sa.update(incidents).where(incidents.c.id == incident_id).values(**head)
        )
        self._touch(incident_id)
        return written

    async def entries(self, incident_id: str, after: int = 0) -> list[Entry]:
        """Return the timeline's entries with sequence > `after`, in order."""
        query = (
            sa.select(timeline)
            .where(timeline.c.incident_id == incident_id, timeline.c.sequence > after)
            .order_by(timeline.c.sequence)
        )
        return [entry_of(dict(row)) for row in (await self._connection.execute(query)).mappings()]

    async def last_entries(self, incident_id: str, kinds: Sequence[Kind], limit: int) -> list[Entry]:
        """Return the last entries of these kinds, at most `limit`, in the order in which they were written."""
        query = (
            sa.select(timeline)
            .where(timeline.c.incident_id == incident_id, timeline.c.kind.in_([kind.value for kind in kinds]))
            .order_by(timeline.c.sequence.desc())
            .limit(limit)
        )
        found = [entry_of(dict(row)) for row in (await self._connection.execute(query)).mappings()]
        return found[::-1]

    async def state(self, incident_id: str) -> Incident:
        """Return the incident's state; only entries that were not folded before are read."""
        known = self._folds.known(incident_id)
        if known is not None:
            (count, last_hash), before = known
            row = await self.incident(incident_id)
            if row is not None and row.head == (count, last_hash):
                return before
            new = await self.entries(incident_id, count)
            if new and new[0].sequence == count + 1 and new[0].previous_hash == last_hash:
                return self._folds.keep(incident_id, new, before)
        return self._folds.keep(incident_id, await self.entries(incident_id), None)
