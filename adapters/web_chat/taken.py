"""Commands and answers that were acknowledged before they were carried out, and what became of them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from bot.model.message import Reply

# The last replies are kept for those who come back for them; all else is in the incident itself.
KEPT = 2_000
# More than all persons of a company press at once; what is beyond is turned away instead of filling the memory.
UNDER_WAY_LIMIT = 5_000
# When many press in the same moment, all are told "received" before the work of the later ones begins.
MANY = 8
PAUSE_S = 0.1


class Taken:
    """What was acknowledged, by delivery id. Lives in this process only: what it was to change is in the store or not."""

    def __init__(self) -> None:
        self._tasks: OrderedDict[str, asyncio.Task[Reply]] = OrderedDict()
        self._under_way = 0

    def take(self, delivery_id: str, work: Callable[[], Awaitable[Reply]]) -> bool:
        """Begin to carry it out, unless the same delivery is under way or was done; return False where there is too much.

        One that was refused or met a fault may be sent again.
        """
        if self._is_served(delivery_id):
            return True
        if self._under_way >= UNDER_WAY_LIMIT:
            return False
        pause_s = PAUSE_S if self._under_way >= MANY else 0.0
        task = asyncio.create_task(_reply(work, pause_s), name=f"web delivery {delivery_id}")
        task.add_done_callback(self._ended)
        self._under_way += 1
        self._tasks[delivery_id] = task
        self._tasks.move_to_end(delivery_id)
        self._forget_oldest()
        return True

    def is_known(self, delivery_id: str) -> bool:
        """Return whether this delivery was acknowledged here and is still remembered."""
        return delivery_id in self._tasks

    async def reply(self, delivery_id: str, wait_s: float) -> Reply | None:
        """Return the reply, or None when there is none within some seconds. *Raises* what carrying it out raised."""
        task = self._tasks[delivery_id]
        await asyncio.wait({task}, timeout=wait_s)
        return task.result() if task.done() else None

    async def close(self, limit_s: float) -> None:
        """Let what is under way come to its end for a while; what does not is cancelled."""
        tasks = [task for task in self._tasks.values() if not task.done()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=limit_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _is_served(self, delivery_id: str) -> bool:
        task = self._tasks.get(delivery_id)
        if task is None:
            return False
        return not task.done() or (task.exception() is None and task.result().ok)

    def _ended(self, _: asyncio.Task[Reply]) -> None:
        self._under_way -= 1

    def _forget_oldest(self) -> None:
        if len(self._tasks) - self._under_way < 2 * KEPT:
            return
        ended = [delivery_id for delivery_id, task in self._tasks.items() if task.done()]
        for delivery_id in ended[:-KEPT]:
            self._tasks.pop(delivery_id).exception()  # looked at, so that the loop does not report it


async def _reply(work: Callable[[], Awaitable[Reply]], pause_s: float) -> Reply:
    if pause_s:
        await asyncio.sleep(pause_s)
    return await work()
