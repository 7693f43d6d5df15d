"""A stage on which people act in a chat: a stand-in, driven from a thread of its own, as the scenario does one thing after another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from tests.site.play import Hands

T = TypeVar("T")
LIMIT_S = 60.0
LOOK_S = 0.05


class ChatStage(Protocol):
    """What the demo needs of a platform. `name` is the platform's, as in the settings; `people` are by their names."""

    name: str

    def settings(self) -> str:
        """Return the bot's settings for this platform."""

    def accounts(self) -> dict[str, str]:
        """Return the people's accounts, by their names."""

    def environment(self) -> dict[str, str]:
        """Return the bot's secrets for this platform."""

    def hands(self, name: str) -> Hands:
        """Return somebody's hands."""

    def wait_for_bot(self) -> None:
        """Wait until the bot is connected."""

    def shown(self, incident: str) -> str:
        """Return what the incident's channel shows, as text."""

    def burst(self, text: str, incident: str, count: int) -> list[float | None]:
        """Return the milliseconds to the first answer of so many commands, typed at the same moment by two persons."""

    def answers(self) -> int:
        """Return how many answers people have read so far."""

    def violations(self) -> list[Any]:
        """Return which rules of the platform were broken."""


class Loop:
    """An event loop in a thread."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine gives."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(LIMIT_S)

    def end(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
