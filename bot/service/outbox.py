"""Brings every platform up to date with the messages in the store; after an outage from where it stopped."""

from __future__ import annotations

from collections.abc import Sequence

from bot.ports.chat import Chat
from bot.service.courier import Courier, Pace
from bot.service.parts import Parts


class Outbox:
    """One courier for each platform. A message that changed many times meanwhile is sent once, in its latest form."""

    def __init__(self, parts: Parts, chats: Sequence[Chat], pace: Pace | None = None) -> None:
        self._couriers = [Courier(parts, chat, pace or Pace.of(chat)) for chat in chats]
        self._store = parts.store

    def start(self) -> None:
        """Begin to deliver; needs a running event loop."""
        self._store.on_change(self._wake)
        for courier in self._couriers:
            courier.start()

    async def close(self) -> None:
        """Stop delivering; what is not delivered stays in the store."""
        for courier in self._couriers:
            await courier.close()

    def _wake(self, incident_id: str) -> None:
        for courier in self._couriers:
            courier.wake(incident_id)
