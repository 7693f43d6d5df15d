"""What a test lets go wrong: a call that is done and not answered, answered slowly, refused; a whole platform down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.fakes.common.book import Book, ControlError, Json

KINDS = ("drop_after", "drop_before", "slow", "slow_after", "status", "status_after", "error")
DOWN_KINDS = ("503", "drop", "hang")
HANG_S = 600.0
# What stands before a service that is down answers in its own language, not in JSON.
ERROR_PAGE = "<html><head><title>Server Error</title></head><body><h1>Server Error</h1></body></html>"


@dataclass(kw_only=True)
class Fault:
    """One thing that goes wrong with a call, so many times, after some that go well. `refusal` is for the kind `error`."""

    call: str
    kind: str
    times: int
    skip: int
    status: int
    delay_s: float
    refusal: Any

    def applies_to(self, call: str) -> bool:
        return self.times > 0 and self.call in ("*", call)


class Faults:
    """The faults that are waiting for their calls."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.reset()

    def reset(self) -> None:
        """Let everything go well again."""
        self.waiting: list[Fault] = []

    def add(self, given: Json) -> None:
        if given["kind"] not in KINDS:
            raise ControlError(f"kind is one of {', '.join(KINDS)}")
        self.waiting.append(Fault(**given))

    def take(self, call: str) -> Fault | None:
        """Return the fault for this call and use it up."""
        for fault in self.waiting:
            if not fault.applies_to(call):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            return fault
        return None

    async def answer(
        self, request: web.Request, call: str, work: Callable[[Any, bool], web.Response]
    ) -> tuple[web.Response, str]:
        """Do the work of a call as the faults want it; returns the answer and what the book says of it.

        `work` takes what to refuse with in place of doing anything (None: nothing), and whether its answer will be lost.
        """
        if self._book.down:
            return await self._down(request)
        fault = self.take(call)
        if fault is None:
            return work(None, False), ""
        if fault.kind == "drop_before":
            return cut(request), "dropped before"
        if fault.kind == "status":
            return page(fault.status), str(fault.status)
        if fault.kind == "error":
            return work(fault.refusal, False), ""
        if fault.kind == "slow":
            await asyncio.sleep(fault.delay_s)
        answer = work(None, fault.kind in ("drop_after", "status_after"))
        if fault.kind == "slow_after":
            await asyncio.sleep(fault.delay_s)
        if fault.kind == "drop_after":
            return cut(request), "dropped after"
        if fault.kind == "status_after":
            return page(fault.status), f"{fault.status} after"
        return answer, ""

    async def _down(self, request: web.Request) -> tuple[web.Response, str]:
        if self._book.down == "drop":
            return cut(request), "dropped, down"
        if self._book.down == "hang":
            await asyncio.sleep(HANG_S)
        return page(503), "503, down"


def cut(request: web.Request) -> web.Response:
    """Cut the connection without an answer; the response returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def page(status: int) -> web.Response:
    return web.Response(status=status, text=ERROR_PAGE, content_type="text/html")
