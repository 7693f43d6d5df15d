"""Work that was acknowledged and is carried out afterwards: held until it ends, its crash told, a repeated one dropped."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger(__name__)

REMEMBERED = 10_000
UNDER_WAY_LIMIT = 5_000
# When many press in the same moment, all are acknowledged before the work of the later ones begins.
MANY = 4
PAUSE_S = 0.2


class Hands:
    """What an acking listener hands over to. Taking it is all that a listener does beside the ack, and never fails."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._known: OrderedDict[str, None] = OrderedDict()

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
        pause_s = 0.0 if at_once or len(self._tasks) < MANY else PAUSE_S
        task = asyncio.create_task(_run(delivery_id, work, pause_s), name=f"slack {delivery_id}")
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


async def _run(delivery_id: str, work: Callable[[], Awaitable[None]], pause_s: float) -> None:
    try:
        await asyncio.sleep(pause_s)
        await work()
    except (
        Exception
    ):  # an outer door: the ack is out, and what went wrong is told in the log with its traceback
        log.exception("a delivery from Slack failed", delivery=delivery_id)
