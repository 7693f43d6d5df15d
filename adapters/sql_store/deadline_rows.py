"""Deadlines: things to look at later, each won by exactly one caller."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from adapters.sql_store.rows import Rows
from adapters.sql_store.schema import deadlines
from bot.ports.store import Deadline


class DeadlineRows(Rows):
    """The part of a transaction that keeps what is due."""

    async def set_deadline(self, deadline: Deadline) -> None:
        """Set or move the deadline of this key."""
        await self._put(deadlines, "key", **vars(deadline))

    async def deadline(self, key: str) -> Deadline | None:
        """Return the deadline of this key, None where there is none."""
        found = await self._connection.execute(sa.select(deadlines).where(deadlines.c.key == key))
        row = found.mappings().first()
        return None if row is None else Deadline(**dict(row))

    async def drop_deadline(self, key: str) -> None:
        """Remove a deadline; nothing happens when there is none."""
        await self._connection.execute(sa.delete(deadlines).where(deadlines.c.key == key))

    async def win_due(self, limit: int = 20) -> list[Deadline]:
        """Remove and return deadlines that are due, earliest first; each is returned to exactly one caller."""
        query = (
            sa.select(deadlines)
            .where(deadlines.c.due_at <= await self.now())
            .order_by(deadlines.c.due_at, deadlines.c.key)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        won = [Deadline(**dict(row)) for row in (await self._connection.execute(query)).mappings()]
        keys = [deadline.key for deadline in won]
        await self._connection.execute(sa.delete(deadlines).where(deadlines.c.key.in_(keys)))
        return won

    async def next_due(self) -> datetime | None:
        """Return the time of the earliest deadline, or None."""
        earliest: datetime | None = await self._connection.scalar(sa.select(sa.func.min(deadlines.c.due_at)))
        return earliest
