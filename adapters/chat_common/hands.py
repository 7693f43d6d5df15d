"""Work that was acknowledged and is carried out afterwards: held until it ends, its crash told, a repeated one dropped."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

import structlog

log = structlog.get_logger(__name__)

REMEMBERED = 10_000
UNDER_WAY_LIMIT = 5_000
# When many press in the same moment, all are acknowledged before any of their work begins: it begins once nothing more
# has come in for a moment, too short to be noticed, and after half a second in any case.
QUIET_S = 0.05
LONGEST_PAUSE_S = 0.5

CAME_AT: ContextVar[float | None] = ContextVar("CAME_AT", default=None)
"""When that came in which is handed over now, where a door has let it wait for a quiet moment already."""


class Hands:
    """What an acking listener hands over to. Taking it is all that a listener does beside the ack, and never fails."""

    def __init__(self, platform: str) -> None:
        self._platform = platform
        self._tasks: set[asyncio.Task[None]] = set()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._heard_at = 0.0

    def heard(self) -> None:
        """Note that something has come in: a quiet moment begins after it."""
        self._heard_at = time.monotonic()

    def take(self, delivery_id: str, work: Callable[[], Awaitable[None]], *, at_once: bool = False) -> bool:
        """Begin to carry it out; False where this delivery was taken before, or too much is under way.

        `at_once` is for what is worth three seconds only: it waits for nothing.
        """
        if delivery_id in self._known:
            log.info("a repeated delivery is dropped", delivery=delivery_id)
            return False
        if len(self._tasks) >= UNDER_WAY_LIMIT:
            log.error("too much is under way; dropped", delivery=delivery_id)
            return False
        self._known[delivery_id] = None
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        came_at = CAME_AT.get()
        if came_at is None:
            self.heard()
            came_at = time.monotonic()
        task = asyncio.create_task(
            self._run(delivery_id, work, None if at_once else came_at),
            name=f"{self._platform} {delivery_id}",
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def close(self, limit_s: float) -> None:
        """Let what is under way come to its end for a while; what does not is cancelled."""
        tasks = set(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=limit_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def quiet(self, since: float) -> None:
        """Wait until nothing more comes in, but no longer than a pause after `since`, of a clock that only goes forward."""
        while True:
            wait_s = min(self._heard_at + QUIET_S, since + LONGEST_PAUSE_S) - time.monotonic()
            if wait_s <= 0:
                return
            await asyncio.sleep(wait_s)

    async def _run(
        self, delivery_id: str, work: Callable[[], Awaitable[None]], came_at: float | None
    ) -> None:
        try:
            if came_at is not None:
                await self.quiet(came_at)
            await work()
        except (
            Exception
        ):  # an outer door: the ack is out, and what went wrong is told in the log with its traceback
            log.exception("a delivery failed", platform=self._platform, delivery=delivery_id)
