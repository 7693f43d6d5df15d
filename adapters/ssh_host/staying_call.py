"""A call that starts a job and stays on the host until the job's end: two answers in one round trip."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from adapters.ssh_host.job_answers import JobAnswer, Told, read_told
from adapters.ssh_host.link import Listener
from adapters.ssh_host.shell_line import after_sign

Stay = Callable[[Listener], Awaitable[Told]]


class StayingCall:
    """The call of `job.sh … run` with SECONDS. Whoever started the job is answered at once, whoever waits at the end."""

    def __init__(self, key: str, stay: Stay) -> None:
        self._key = key
        self._started: asyncio.Future[JobAnswer] = asyncio.get_running_loop().create_future()
        self._call: asyncio.Task[Told] = asyncio.create_task(self._stay(stay), name=f"start of job {key}")
        self._call.add_done_callback(_look_at)

    async def first_told(self) -> JobAnswer:
        """Return the host's answer to the start, as soon as it is there. *Raises* what the call raises before that."""
        try:
            either: set[asyncio.Future[Any]] = {self._started, self._call}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self.give_up()
            raise
        if self._started.done():
            return self._started.result()
        return self._call.result().first or JobAnswer()

    async def last_told(self) -> Told:
        """Return what the host had told when the call ended: the job's end, or that it still runs after a while.

        *Raises* what the call raises; a caller that is cancelled gives up the call.
        """
        try:
            return await asyncio.shield(self._call)
        except asyncio.CancelledError:
            await self.give_up()
            raise

    def when_over(self, then: Callable[[], None]) -> None:
        """Call back when the call has ended, however it did."""
        self._call.add_done_callback(lambda _: then())

    async def give_up(self) -> None:
        """End the call where it still waits; the job runs on."""
        self._call.cancel()
        await asyncio.wait({self._call})

    async def _stay(self, stay: Stay) -> Told:
        return await stay(self._hear)

    def _hear(self, stdout: bytes) -> None:
        printed = after_sign(stdout)
        if printed is None or self._started.done():
            return
        answer = read_told(self._key, printed).first
        if answer is not None and answer.status is not None and not answer.status.attached:
            self._started.set_result(answer)


def _look_at(call: asyncio.Task[Told]) -> None:
    # Where nobody waits any more a lost call is no news: the next look asks the host.
    if not call.cancelled():
        call.exception()
