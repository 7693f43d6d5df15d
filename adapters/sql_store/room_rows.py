"""The channels that incidents have on chat platforms."""

from __future__ import annotations

import sqlalchemy as sa

from adapters.sql_store.rows import Rows
from adapters.sql_store.schema import rooms
from bot.model.codec import from_json, to_json
from bot.model.room import Room


class RoomRows(Rows):
    """The part of a transaction that keeps which channel belongs to which incident."""

    async def put_room(self, room: Room) -> None:
        """Insert the channel of the incident on its platform, or replace the stored one."""
        statement = self._insert(rooms).values(
            platform=room.platform, incident_id=room.incident_id, channel=room.channel, content=to_json(room)
        )
        changed = {name: statement.excluded[name] for name in ("channel", "content")}
        await self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[rooms.c.platform, rooms.c.incident_id], set_=changed
            )
        )
        self._touch(room.incident_id)

    async def room(self, platform: str, incident_id: str) -> Room | None:
        """Return the incident's channel on the platform, or None."""
        query = sa.select(rooms.c.content).where(
            rooms.c.platform == platform, rooms.c.incident_id == incident_id
        )
        content = await self._connection.scalar(query)
        return None if content is None else from_json(Room, content)

    async def room_at(self, platform: str, channel: str) -> Room | None:
        """Return what stands behind a platform's channel id, or None where it belongs to no incident."""
        query = sa.select(rooms.c.content).where(rooms.c.platform == platform, rooms.c.channel == channel)
        content = await self._connection.scalar(query) if channel else None
        return None if content is None else from_json(Room, content)

    async def rooms(self, platform: str) -> list[Room]:
        """Return the channels of all incidents on the platform."""
        query = sa.select(rooms.c.content).where(rooms.c.platform == platform).order_by(rooms.c.incident_id)
        return [from_json(Room, content) for content in await self._connection.scalars(query)]
