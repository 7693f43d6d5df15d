"""Fans the changes of the store out to every open page, without ever waiting for a slow one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Subscription:
    """One open page's view of what changed. Several changes of one incident become one, so it cannot grow without limit."""

    def __init__(self) -> None:
        self._pending: dict[str, None] = {}
        self._ended = False
        self._wake = asyncio.Event()

    def add(self, incident_id: str) -> None:
        """Note that an incident changed."""
        self._pending[incident_id] = None
        self._wake.set()

    def end(self) -> None:
        """Tell the reader that nothing more will come."""
        self._ended = True
        self._wake.set()

    async def take(self, timeout_s: float) -> list[str] | None:
        """Return the ids that changed since the last call, [] when `timeout_s` passed without one, None after the end."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            return []
        if self._ended:
            return None
        self._wake.clear()
        changed, self._pending = list(self._pending), {}
        return changed


class Hub:
    """All open pages."""

    def __init__(self) -> None:
        self._open: set[Subscription] = set()
        self._closed = False

    def publish(self, incident_id: str) -> None:
        """Tell every open page that an incident changed."""
        for subscription in self._open:
            subscription.add(incident_id)

    @contextmanager
    def subscription(self) -> Iterator[Subscription]:
        """Give a subscription that lasts as long as the `with` block; it is at its end at once on a closed hub."""
        subscription = Subscription()
        self._open.add(subscription)
        if self._closed:
            subscription.end()
        try:
            yield subscription
        finally:
            self._open.discard(subscription)

    def end_all(self) -> None:
        """End every open stream; the pages connect again and read everything anew."""
        for subscription in self._open:
            subscription.end()

    def close(self) -> None:
        """End every stream, those that are opened from now on too."""
        self._closed = True
        self.end_all()
