"""Brings every platform up to date with the messages in the store; after an outage from where it stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from bot.model.decision import Decision
from bot.model.errors import BackoutError
from bot.model.message import StoredMessage
from bot.ports.chat import Chat
from bot.ports.store import Store, Transaction

log = structlog.get_logger(__name__)

RETRY_S = 5.0


class Outbox:
    """One task for each platform. A message that changed many times meanwhile is sent once, in its latest form."""

    def __init__(self, store: Store, chats: Sequence[Chat]) -> None:
        self._store = store
        self._chats = chats
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = {chat.platform: asyncio.Event() for chat in chats}
        store.on_change(self._wake)

    def start(self) -> None:
        """Begin to deliver; needs a running event loop."""
        self._tasks = [
            asyncio.create_task(self._deliver(chat), name=f"outbox {chat.platform}") for chat in self._chats
        ]
        self._wake("")

    async def close(self) -> None:
        """Stop delivering; what is not delivered stays in the store."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _wake(self, _: str) -> None:
        for event in self._changed.values():
            event.set()

    async def _deliver(self, chat: Chat) -> None:
        event = self._changed[chat.platform]
        while True:
            await event.wait()
            event.clear()
            try:
                while await self._once(chat):
                    pass
            except BackoutError as error:
                log.warning(
                    "messages are not delivered, trying again", platform=chat.platform, error=str(error)
                )
                await asyncio.sleep(RETRY_S)
                event.set()
            except Exception:  # an outer door: one bad message must not silence a platform
                log.exception("a fault while delivering messages", platform=chat.platform)
                await asyncio.sleep(RETRY_S)
                event.set()

    async def _once(self, chat: Chat) -> bool:
        """Deliver what is due; returns whether there was anything."""
        due = await self._store.read(lambda tx: tx.undelivered(chat.platform))
        for message, external_id in due:
            decision = await self._decision(message)
            given = await chat.deliver(message, external_id, decision)
            await self._mark(chat.platform, message, given)
        return bool(due)

    async def _decision(self, message: StoredMessage) -> Decision | None:
        wanted = message.message.decision_id
        return None if wanted is None else await self._store.read(lambda tx: tx.decision(wanted))

    async def _mark(self, platform: str, message: StoredMessage, external_id: str) -> None:
        async def body(tx: Transaction) -> None:
            await tx.mark_delivered(platform, message.id, message.revision, external_id)

        await self._store.transact(body)
