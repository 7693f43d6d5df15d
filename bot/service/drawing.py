"""Draws PDFs: one at a time, each in a process of its own that is ended when it takes too long."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

import structlog

from bot.model.errors import FailedError

log = structlog.get_logger(__name__)

PDF_LIMIT = timedelta(minutes=2)
"""A report of some thousand commands takes a few seconds; a machine with other work may be slower."""
WAITING_MOST = 4
"""So many may wait for their PDF; who asks beyond that is told to ask again. Each costs seconds of a core."""


class Drawing:
    """The one place at which PDFs are drawn: seconds of work and whole fonts in memory, which end with their process."""

    def __init__(self, limit: timedelta = PDF_LIMIT) -> None:
        self._limit_s = limit.total_seconds()
        self._turn = asyncio.Semaphore(1)
        self._asked = 0

    async def drawn(self, work: Callable[..., bytes], *args: object, waits: bool = True) -> bytes:
        """Return what `work` returns in a process of its own, once the others are done.

        *Raises* FailedError where it fails or takes too long, and with `waits` False where too many wait already.
        """
        if not waits and self._asked > WAITING_MOST:
            raise FailedError(
                f"{self._asked} PDFs are being drawn or waited for. Ask again in a minute; the Markdown and the HTML are there now."
            )
        self._asked += 1
        try:
            async with self._turn:
                return await self._in_a_process(work, args)
        finally:
            self._asked -= 1

    async def _in_a_process(self, work: Callable[..., bytes], args: tuple[object, ...]) -> bytes:
        spawning = multiprocessing.get_context("spawn")
        receiver, sender = spawning.Pipe(duplex=False)
        process = spawning.Process(
            target=_work, args=(sender, work, args), name="drawing of a PDF", daemon=True
        )
        starting = asyncio.create_task(asyncio.to_thread(process.start), name="start of a drawing")
        receiving: asyncio.Task[tuple[bool, Any]] | None = None
        try:
            # What is being started is started, whoever goes away meanwhile: only then can it be ended.
            await asyncio.shield(starting)
            sender.close()  # so that the end of the process is the end of what it sends
            receiving = asyncio.create_task(asyncio.to_thread(_received, receiver, self._limit_s))
            is_good, result = await asyncio.shield(receiving)
        except (TimeoutError, EOFError, OSError) as error:
            raise _not_drawn(type(error).__name__) from error
        finally:
            # What is not wanted any more must not take the core.
            ending = asyncio.create_task(
                _end(starting, receiving, process, sender, receiver), name="end of a drawing"
            )
            await asyncio.shield(ending)
        if not is_good:
            raise _not_drawn(result)
        return bytes(result)


def _not_drawn(why: str) -> FailedError:
    log.error("a post-mortem could not be drawn as a PDF", why=why)
    return FailedError(
        f"the PDF of the post-mortem could not be made ({why}). The Markdown and the HTML can."
    )


def _work(sender: Connection, work: Callable[..., bytes], args: tuple[object, ...]) -> None:
    answer: tuple[bool, Any]
    try:
        answer = (True, work(*args))
    except Exception as error:  # noqa: BLE001 - the outer door of this process: it is told by its type, and costs one form
        answer = (False, type(error).__name__)
    sender.send(answer)
    sender.close()


def _received(receiver: Connection, limit_s: float) -> tuple[bool, Any]:
    if not receiver.poll(limit_s):
        raise TimeoutError
    found: tuple[bool, Any] = receiver.recv()
    return found


async def _end(
    starting: asyncio.Task[None],
    receiving: asyncio.Task[tuple[bool, Any]] | None,
    process: Any,
    sender: Connection,
    receiver: Connection,
) -> None:
    """End the process, which wakes the thread that still waits for what it sends."""
    await asyncio.wait([starting])
    sender.close()
    if process.pid is not None:
        process.kill()
        await asyncio.to_thread(process.join)
    if receiving is not None:
        # Closed under that thread, the number of the file could become another file's, for which it would wait.
        await asyncio.wait([receiving])
        receiving.exception()
    receiver.close()
