"""What every room of a transaction stands on: the connection, the clock, and `INSERT … ON CONFLICT`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.sql_store.folds import Folds
from bot.ports.clock import Clock

# The time of the statement, not of the transaction's start: a transaction may have waited for a lock in between.
CLOCK = "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


class Rows:
    """A transaction's connection and clock, and the incidents that it touched."""

    def __init__(self, connection: AsyncConnection, clock: Clock | None, folds: Folds) -> None:
        self._connection = connection
        self._clock = clock
        self._folds = folds
        self._dialect = connection.dialect.name
        self.touched: list[str] = []

    async def now(self) -> datetime:
        """Return the time of the database's own clock, or of the clock the store was opened with."""
        if self._clock is not None:
            return self._clock.now().astimezone(UTC)
        if self._dialect == "sqlite":
            # SQLite has no clock but this process's: it is asked without a way to the database's thread and back.
            return datetime.now(UTC)
        text = await self._connection.scalar(sa.select(sa.literal_column(CLOCK)))
        return datetime.fromisoformat(str(text))

    def _insert(self, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
        return postgresql.insert(table) if self._dialect == "postgresql" else sqlite.insert(table)

    async def _insert_once(self, table: sa.Table, /, **values: Any) -> bool:
        """Insert a row unless one of its key is there; return whether it was inserted."""
        statement = self._insert(table).values(**values).on_conflict_do_nothing()
        return bool((await self._connection.execute(statement)).rowcount)

    async def _put(self, table: sa.Table, key: str, /, **values: Any) -> None:
        """Insert a row, or set all of its values where one of its key is there."""
        statement = self._insert(table).values(**values)
        changed = {name: statement.excluded[name] for name in values if name != key}
        await self._connection.execute(
            statement.on_conflict_do_update(index_elements=[table.c[key]], set_=changed)
        )

    def _touch(self, incident_id: str) -> None:
        # A scheduled operation has no incident, and nobody looks at one.
        if incident_id and incident_id not in self.touched:
            self.touched.append(incident_id)
