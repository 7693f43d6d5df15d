"""The incident's channel on one platform: opened once, kept as it should be, replaced when somebody took it away."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import structlog

from bot.model.errors import FailedError, RoomLostError
from bot.model.message import REPORT_SLOT, STATUS_SLOT, Message, Place, Tone
from bot.model.operation import OperationState
from bot.model.room import Room, RoomPlan, RoomState
from bot.ports.chat import Rooms
from bot.ports.store import IncidentRow, Transaction
from bot.service.parts import Parts
from bot.service.platforms import told

log = structlog.get_logger(__name__)


class RoomKeeper:
    """Keeps the channels of one platform. What it knows is in the store; the platform is looked at before it is changed.

    `quiet_s` is how long after an incident's end its channel stays open for what is still said.
    """

    def __init__(self, parts: Parts, platform: str, rooms: Rooms, quiet_s: float) -> None:
        self._parts = parts
        self._quiet_s = quiet_s
        self._platform = platform
        self._rooms = rooms

    async def room(self, incident_id: str) -> Room | None:
        """Return the channel, opened where there is none yet; None once the incident is over and its channel closed.

        *Raises* FailedError when none can be opened; the person who opened the incident is told so.
        """
        plan, room, row = await self._parts.store.read(lambda tx: self._plan(tx, incident_id))
        if room is not None and room.state is not RoomState.OPENING:
            return room if room.state is RoomState.OPEN else None
        if row.closed_at is not None and room is None:
            return None
        begun = room or Room(platform=self._platform, incident_id=incident_id)
        await self._put(begun)  # The intent: from now on there may be a channel that nobody has written down.
        try:
            opened = await self._rooms.open(plan, begun)
        except FailedError as error:
            await self._tell_not_opened(incident_id, str(error))
            raise
        opened = replace(opened, state=RoomState.OPEN)
        await self._put(opened)
        return await self._furnished(plan, opened)

    async def keep(self, incident_id: str) -> float | None:
        """Bring an open channel to what it should be, and close it after the incident's end where the site asks for it.

        Returns after how many seconds to look again, None when nothing more is to be done.
        """
        plan, room, row = await self._parts.store.read(lambda tx: self._plan(tx, incident_id))
        if room is None or room.state is not RoomState.OPEN:
            return None
        room = await self._furnished(plan, room)
        if row.closed_at is None or not self._parts.site(row.site).archive_on_close:
            return None
        wait_s = await self._parts.store.read(lambda tx: self._still_spoken_s(tx, row))
        if wait_s is None:
            await self._close(room)
        return wait_s

    async def _still_spoken_s(self, tx: Transaction, row: IncidentRow) -> float | None:
        """Return how long to wait until the last words of a closed incident are in its channel, None when they are."""
        quiet_at = (row.closed_at or row.opened_at) + timedelta(seconds=self._quiet_s)
        left_s = (quiet_at - await tx.now()).total_seconds()
        busy = await tx.operations(incident_id=row.id, state=OperationState.RUNNING)
        due = await tx.undelivered(self._platform, row.id, 1)
        return max(left_s, 1.0) if left_s > 0 or busy or due else None

    async def lost(self, incident_id: str, channel: str, reason: str) -> None:
        """Write down that the channel is gone. Its messages are due again, in a new one, unless the incident is over."""
        await self._parts.store.transact(
            lambda tx: lose_room(tx, self._platform, incident_id, channel, reason)
        )

    async def _furnished(self, plan: RoomPlan, room: Room) -> Room:
        if is_as_planned(plan, room):
            return room
        try:
            now = await self._rooms.furnish(plan, room)
        except RoomLostError as error:
            await self.lost(room.incident_id, room.channel, str(error))
            raise
        new = [trouble for trouble in now.troubles if trouble not in room.troubles]

        async def body(tx: Transaction) -> None:
            await tx.put_room(now)
            for trouble in new:
                await told(tx, room.incident_id, self._platform, f"{trouble} The incident goes on.", None)

        await self._parts.store.transact(body)
        return now

    async def _close(self, room: Room) -> None:
        try:
            await self._rooms.close_room(room)
        except FailedError as error:
            log.warning("a channel is not archived", channel=room.name, error=str(error))
        await self._put(replace(room, state=RoomState.CLOSED))

    async def _plan(self, tx: Transaction, incident_id: str) -> tuple[RoomPlan, Room | None, IncidentRow]:
        row = await tx.incident(incident_id)
        if row is None:
            raise LookupError(f"there is no incident {incident_id}")
        room = await tx.room(self._platform, incident_id)
        known = frozenset(r.channel for r in await tx.rooms(self._platform) if r.incident_id != incident_id)
        sent = await tx.delivered(self._platform, incident_id)
        people = [
            (p.ids[self._platform], p.name)
            for p in self._parts.settings.persons()
            if self._platform in p.ids and row.site in p.sites
        ]
        plan = RoomPlan(
            incident_id=incident_id,
            site=row.site,
            title=row.title,
            opened_at=row.opened_at,
            topic=f"{row.site}: {row.title} ({incident_id})",
            people=tuple(people),
            known=known | frozenset(room.earlier if room else ()),
            pin=sent.get(STATUS_SLOT, ""),
            bookmark=sent.get(REPORT_SLOT, ""),
        )
        return plan, room, row

    async def _put(self, room: Room) -> None:
        await self._parts.store.transact(lambda tx: tx.put_room(room))

    async def _tell_not_opened(self, incident_id: str, reason: str) -> None:
        """Tell in the incident, and the one who opened it, that there is no channel on this platform."""

        async def body(tx: Transaction) -> None:
            state = await tx.state(incident_id)
            text = f"No channel could be opened on {self._platform}: {reason} The incident goes on in the console."
            await told(tx, incident_id, self._platform, text, Tone.WARNING)
            person = self._parts.person(state.opened_by)
            if person is not None and self._platform in person.ids:
                direct = Message(
                    slot=f"no-channel-{self._platform}",
                    title=f"Incident {incident_id} has no channel here",
                    tone=Tone.BAD,
                    body=text,
                    place=Place.DIRECT,
                    person=person.name,
                )
                await tx.put_message(incident_id, direct)

        await self._parts.store.transact(body)


async def lose_room(tx: Transaction, platform: str, incident_id: str, channel: str, reason: str) -> None:
    """Write down that an incident's channel is gone; one that was replaced already is left alone. *Changes*: the store only."""
    room = await tx.room(platform, incident_id)
    row = await tx.incident(incident_id)
    if room is None or row is None or room.channel != channel or room.state is not RoomState.OPEN:
        return
    if row.closed_at is not None:
        await tx.put_room(replace(room, state=RoomState.CLOSED))
        return
    await tx.put_room(Room(platform=platform, incident_id=incident_id, earlier=(*room.earlier, channel)))
    await tx.forget_delivered(platform, incident_id, Place.CHANNEL)
    text = f"The channel #{room.name} cannot be used any more: {reason} A new one is opened, with all that was said."
    await told(tx, incident_id, platform, text, Tone.WARNING)


def is_as_planned(plan: RoomPlan, room: Room) -> bool:
    """Return whether nothing has to be changed in a channel; what was tried in vain is not tried again."""
    return (
        plan.topic == room.topic
        and {account for account, _ in plan.people} <= set(room.invited)
        and plan.pin in ("", room.pinned)
        and plan.bookmark in ("", room.bookmarked)
    )
