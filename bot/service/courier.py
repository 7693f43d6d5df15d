"""Delivers the messages of the store to one platform: in order, once each, in their latest form."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from bot.model.decision import Decision
from bot.model.errors import (
    BackoutError,
    ChatClosedError,
    ChatLaterError,
    FailedError,
    HalfShownError,
    RoomLostError,
    UnknownOutcomeError,
)
from bot.model.message import Place, StoredMessage, Tone
from bot.model.room import Room
from bot.ports.chat import Chat, Delivery
from bot.ports.store import Transaction
from bot.service.parts import Parts
from bot.service.platforms import NAMES, is_told_bad, told
from bot.service.rooms import RoomKeeper

log = structlog.get_logger(__name__)

TOLD_AFTER = 3
"""So many failures in a row are told in the incident; one alone is nothing."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long a failure waits, in seconds.

    `look_s`: until it is looked whether a message of unknown outcome arrived; `closed_s`, `no_room_s`: until it is tried
    again what a person must repair first; `quiet_s`: how long a closed incident's channel stays open for last words.
    """

    retry_s: float = 5.0
    look_s: float = 1.0
    closed_s: float = 30.0
    no_room_s: float = 60.0
    quiet_s: float = 30.0

    @classmethod
    def of(cls, chat: Chat) -> Pace:
        """Return the pace of a platform, from how often it wants to be tried again."""
        retry_s = chat.retry_interval_s
        return cls(retry_s=retry_s, look_s=min(1.0, retry_s), closed_s=6 * retry_s, no_room_s=12 * retry_s)


@dataclass
class _Round:
    """One incident on its way: its task, whether something changed since it looked, when each message was last sent."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    sent_at: dict[str, float] = field(default_factory=dict)
    held_until: dict[str, float] = field(default_factory=dict)
    failures: int = 0
    moved: bool = False
    channel: str = ""
    no_room_until: float = 0.0
    task: asyncio.Task[None] | None = None

    def forget_before(self, moment: float) -> None:
        """Forget what was sent so long ago that it holds up no edit."""
        self.sent_at = {message_id: at for message_id, at in self.sent_at.items() if at > moment}
        self.held_until = {message_id: at for message_id, at in self.held_until.items() if at > moment}


class Courier:
    """One platform. Each incident has a task of its own, so that none waits for another one's channel."""

    def __init__(self, parts: Parts, chat: Chat, pace: Pace) -> None:
        self._parts = parts
        self._pace = pace
        self._store = parts.store
        self._chat = chat
        self._platform = chat.platform
        rooms = chat.rooms
        self._keeper = RoomKeeper(parts, chat.platform, rooms, pace.quiet_s) if rooms is not None else None
        self._rounds: dict[str, _Round] = {}
        self._closed = False
        self._first: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin with all that is due; needs a running event loop."""
        self._first = asyncio.create_task(self._catch_up(), name=f"outbox {self._platform}")

    def wake(self, incident_id: str) -> None:
        """Look at an incident: something of it changed."""
        if self._closed:
            return
        found = self._rounds.setdefault(incident_id, _Round())
        found.changed.set()
        if found.task is None or found.task.done():
            name = f"outbox {self._platform} {incident_id}"
            found.task = asyncio.create_task(self._serve(incident_id, found), name=name)

    async def close(self) -> None:
        """Stop delivering; what is not delivered stays in the store."""
        self._closed = True
        tasks = [t for t in (self._first, *(r.task for r in self._rounds.values())) if t is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _catch_up(self) -> None:
        while True:
            try:
                due = await self._store.read(lambda tx: tx.unserved(self._platform))
            except BackoutError as error:
                log.warning("what is due is not known yet", platform=self._platform, error=str(error))
                await asyncio.sleep(self._pace.retry_s)
            else:
                for incident_id in due:
                    self.wake(incident_id)
                return

    async def _serve(self, incident_id: str, found: _Round) -> None:
        """Deliver until nothing is due; a failure of one incident waits here and holds up no other."""
        while True:
            found.changed.clear()
            wait_s = await self._outcome(incident_id, found)
            if wait_s is None and not found.changed.is_set():
                found.forget_before(time.monotonic() - self._chat.edit_interval_s)
                return
            if found.failures:
                await asyncio.sleep(wait_s or self._pace.retry_s)
            elif wait_s is not None:
                await _wait(found.changed, wait_s)

    async def _outcome(self, incident_id: str, found: _Round) -> float | None:
        """Return after how many seconds to look again, None when there is nothing left to do."""
        try:
            wait_s = await self._incident(incident_id, found)
        except UnknownOutcomeError as error:
            log.warning("nobody knows whether it was sent; looking", incident=incident_id, error=str(error))
            soon = self._pace.look_s if found.failures < TOLD_AFTER else self._pace.retry_s
            return await self._failed(incident_id, found, str(error), soon)
        except ChatLaterError as error:
            return await self._failed(incident_id, found, str(error), error.after_s or self._pace.retry_s)
        except ChatClosedError as error:
            found.failures, found.moved = TOLD_AFTER, False
            return await self._failed(incident_id, found, str(error), self._pace.closed_s)
        except RoomLostError as error:
            return await self._room_lost(incident_id, found, str(error))
        except BackoutError as error:
            log.warning("not delivered, trying again", platform=self._platform, error=str(error))
            found.failures += 1
            return self._pace.retry_s
        except Exception:  # an outer door: one bad message must not silence a platform
            log.exception("a fault while delivering", platform=self._platform, incident=incident_id)
            found.failures += 1
            return self._pace.retry_s
        if found.failures:
            found.failures = 0
            await self._back(incident_id)
        return wait_s

    async def _incident(self, incident_id: str, found: _Round) -> float | None:
        due = await self._store.read(lambda tx: tx.undelivered(self._platform, incident_id))
        room, wait_s = await self._room(incident_id, found, due)
        found.channel = room.channel if room is not None else found.channel
        for message, external_id in due:
            if message.message.place is Place.CHANNEL and room is None and self._keeper is not None:
                continue
            hold_s = self._hold_s(found, message.id) if external_id else 0.0
            if hold_s > 0:
                wait_s = min(hold_s, wait_s or hold_s)
                continue
            try:
                await self._send(message, external_id, room)
            except ChatLaterError as error:
                if not external_id or error.after_s is None:
                    raise
                # Only edits are asked to wait: what is new is not held up by them.
                found.held_until[message.id] = time.monotonic() + error.after_s
                wait_s = min(error.after_s, wait_s or error.after_s)
                continue
            found.sent_at[message.id] = time.monotonic()
            found.moved = True
        if self._keeper is None or (wait_s is not None and room is None):
            return wait_s
        kept_s = await self._keeper.keep(incident_id)
        return min(kept_s, wait_s or kept_s) if kept_s is not None else wait_s

    async def _room(
        self, incident_id: str, found: _Round, due: list[tuple[StoredMessage, str | None]]
    ) -> tuple[Room | None, float | None]:
        """Return the incident's channel, and after how long to try again where there is none."""
        if self._keeper is None or not any(m.message.place is Place.CHANNEL for m, _ in due):
            return None, None
        hold_s = found.no_room_until - time.monotonic()
        if hold_s > 0:
            return None, hold_s
        try:
            return await self._keeper.room(incident_id), None
        except RoomLostError:
            raise
        except FailedError as error:
            log.warning("no channel", platform=self._platform, incident=incident_id, error=str(error))
            found.no_room_until = time.monotonic() + self._pace.no_room_s
            return None, self._pace.no_room_s

    def _hold_s(self, found: _Round, message_id: str) -> float:
        """Return how long an edit still has to wait: what changes meanwhile is folded into it."""
        last = found.sent_at.get(message_id)
        paced_until = 0.0 if last is None else last + self._chat.edit_interval_s
        return max(paced_until, found.held_until.get(message_id, 0.0)) - time.monotonic()

    async def _send(self, stored: StoredMessage, external_id: str | None, room: Room | None) -> None:
        delivery = await self._store.read(lambda tx: self._delivery(tx, stored, external_id, room))
        if stored.message.place is Place.DIRECT and delivery.account is None:
            await self._mark(stored, external_id or "")
            return
        if external_id is None and self._keeper is not None:
            await self._store.transact(lambda tx: tx.mark_attempt(self._platform, stored.id))
        try:
            given = await self._chat.deliver(delivery)
        except RoomLostError:
            raise
        except FailedError as error:
            # It would be refused for ever: the others go on, and the next revision is tried again.
            log.warning(
                "a message was refused", platform=self._platform, slot=stored.message.slot, error=str(error)
            )
            given = error.external_id if isinstance(error, HalfShownError) else external_id or ""
            await self._tell_refused(stored, str(error))
        await self._mark(stored, given)

    async def _delivery(
        self, tx: Transaction, stored: StoredMessage, external_id: str | None, room: Room | None
    ) -> Delivery:
        message = stored.message
        root = f"step-{message.step}"
        threads = await tx.delivered(self._platform, stored.incident_id) if room is not None else {}
        decision: Decision | None = None
        if message.decision_id is not None:
            decision = await tx.decision(message.decision_id)
        calls = [self._account(name) for name in message.calls]
        elsewhere = message.place is not Place.CHANNEL
        known = await tx.room(self._platform, stored.incident_id) if elsewhere else None
        return Delivery(
            message=stored,
            channel=room.channel if room is not None else "",
            external_id=external_id or None,
            thread=threads.get(root) if message.step and message.slot != root else None,
            decision=decision,
            account=self._account(message.person) if message.person else None,
            calls=tuple(account for account in calls if account is not None),
            may_be_there=external_id == "",
            link=known.link if known is not None else "",
        )

    def _account(self, name: str) -> str | None:
        person = self._parts.person(name)
        return person.ids.get(self._platform) if person else None

    async def _mark(self, stored: StoredMessage, external_id: str) -> None:
        await self._store.transact(
            lambda tx: tx.mark_delivered(self._platform, stored.id, stored.revision, external_id)
        )

    async def _failed(self, incident_id: str, found: _Round, reason: str, wait_s: float) -> float:
        if found.moved:  # Something arrived since the last failure: this one is the first of its row again.
            found.failures, found.moved = 0, False
        found.failures += 1
        log.warning("messages wait", platform=self._platform, incident=incident_id, error=reason)
        if found.failures >= TOLD_AFTER:
            await self._tell(incident_id, self._away_words(reason), Tone.BAD)
        return wait_s

    def _away_words(self, reason: str) -> str:
        name = NAMES.get(self._platform, self._platform)
        return (
            f"{name} takes no messages: {reason} The recovery goes on in the console; nothing is lost, "
            f"and {name} is brought up to date as soon as it is back."
        )

    async def _back(self, incident_id: str) -> None:
        if await self._store.read(lambda tx: is_told_bad(tx, incident_id, self._platform)):
            name = NAMES.get(self._platform, self._platform)
            text = f"{name} is back since {datetime.now(UTC):%H:%M} UTC and has been brought up to date."
            await self._tell(incident_id, text, Tone.GOOD)

    async def _tell(self, incident_id: str, text: str, tone: Tone | None) -> None:
        try:
            await self._store.transact(lambda tx: told(tx, incident_id, self._platform, text, tone))
        except BackoutError as error:
            log.warning("not told", incident=incident_id, error=str(error))

    async def _tell_refused(self, stored: StoredMessage, reason: str) -> None:
        name = NAMES.get(self._platform, self._platform)
        text = f"{name} refused the message “{stored.message.title}”: {reason} It stands in the console."
        await self._tell(stored.incident_id, text, None)

    async def _room_lost(self, incident_id: str, found: _Round, reason: str) -> float:
        found.failures += 1
        if self._keeper is not None:
            try:
                await self._keeper.lost(incident_id, found.channel, reason)
            except BackoutError as error:
                log.warning("not written down yet", incident=incident_id, error=str(error))
        return self._pace.look_s


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
