"""A chat platform in memory: channels, messages by id, and whatever goes wrong next."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bot.model.errors import UnknownOutcomeError
from bot.model.message import Place
from bot.model.room import Room, RoomPlan
from bot.ports.chat import Delivery


@dataclass
class Shown:
    """One message as somebody reads it there."""

    outbox_id: str
    channel: str
    title: str
    thread: str | None
    edits: int = 0


@dataclass
class FakeChat:
    """The platform `slack`. `faults` are raised one after another, before anything is done; `lose` names what is done and its answer lost."""

    platform: str = "slack"
    edit_interval_s: float = 0.0
    retry_interval_s: float = 0.02
    shown: dict[str, Shown] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)
    faults: list[Exception] = field(default_factory=list)
    refuse: dict[str, Exception] = field(default_factory=dict)
    lose: list[str] = field(default_factory=list)
    looked: int = 0
    furnished: list[RoomPlan] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    open_fault: Exception | None = None
    troubles: tuple[str, ...] = ()

    @property
    def rooms(self) -> FakeChat:
        return self

    async def open(self, plan: RoomPlan, room: Room) -> Room:
        if self.open_fault is not None:
            raise self.open_fault
        name = f"inc-{plan.site}"
        mine = [one for one, called in self.channels.items() if called == name and one not in plan.known]
        channel = mine[0] if mine else f"C{len(self.channels) + 1}"
        self.channels[channel] = name
        self._lose("open")
        return replace(room, channel=channel, name=name)

    async def furnish(self, plan: RoomPlan, room: Room) -> Room:
        self.furnished.append(plan)
        return replace(
            room,
            topic=plan.topic,
            invited=tuple(account for account, _ in plan.people),
            pinned=plan.pin,
            bookmarked=plan.bookmark,
            troubles=self.troubles,
        )

    async def close_room(self, room: Room) -> None:
        self.closed.append(room.channel)

    async def deliver(self, delivery: Delivery) -> str:
        if self.faults:
            raise self.faults.pop(0)
        message = delivery.message.message
        if message.slot in self.refuse:
            raise self.refuse[message.slot]
        external_id = delivery.external_id
        if delivery.may_be_there:
            self.looked += 1
            found = [one for one, it in self.shown.items() if it.outbox_id == delivery.message.id]
            external_id = found[0] if found else None
        if external_id is None:
            external_id = f"ts{len(self.shown) + 1}"
            place = {Place.DIRECT: f"D-{delivery.account}", Place.REPORTS: "reports"}
            channel = place.get(message.place, delivery.channel)
            self.shown[external_id] = Shown(delivery.message.id, channel, message.title, delivery.thread)
            self._lose("deliver")
            return external_id
        self.shown[external_id].title = message.title
        self.shown[external_id].edits += 1
        return external_id

    async def start(self) -> None:
        """Nothing to connect."""

    async def close(self) -> None:
        """Nothing to disconnect."""

    def _lose(self, what: str) -> None:
        if self.lose and self.lose[0] == what:
            self.lose.pop(0)
            raise UnknownOutcomeError(f"{what}: the connection was cut")

    def titles(self, channel: str = "") -> list[str]:
        """Return what is read in a channel, in its order; all of it where none is named."""
        return [one.title for one in self.shown.values() if channel in ("", one.channel)]
