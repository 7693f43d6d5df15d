"""The DevTools protocol over a browser's pipes: calls with an answer, and events as they come."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from adapters.chromium_browser.process import END_OF_MESSAGE, Pipes
from bot.model.errors import BrowserError

DIED = "the browser died in the middle of the walk. Nothing of it is left; to try again: /app check"

Heard = Callable[[str, dict[str, Any]], None]


class CallRefusedError(Exception):
    """The browser refused a call: its answer is an error."""


class DevTools:
    """One connection to a browser. `heard` gets each event by name; it must not wait."""

    def __init__(self, pipes: Pipes, heard: Heard) -> None:
        self._pipes = pipes
        self._heard = heard
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._session: str | None = None
        self._ended = False

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the browser's answer. *Raises* CallRefusedError, or BrowserError when the browser is gone."""
        if self._ended:
            raise BrowserError(DIED)
        number = next(self._numbers)
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self._send(number, method, parameters)
            answer: dict[str, Any] = await future
        finally:
            self._waiting.pop(number, None)
        return answer

    def _send(self, number: int, method: str, parameters: dict[str, Any]) -> None:
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._pipes.writer.write(json.dumps(message).encode() + END_OF_MESSAGE)

    async def open_page(self) -> str:
        """Open an empty page, for which each later call is meant, and return the id of its main frame."""
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = str(attached["sessionId"])
        return str(target["targetId"])

    async def listen(self) -> None:
        """Take in what the browser sends, until it sends no more; whoever waits for an answer then learns of the end."""
        try:
            while True:
                taken = json.loads((await self._pipes.reader.readuntil(END_OF_MESSAGE))[:-1])
                self._take(taken)
                if taken.get("method") == "Page.javascriptDialogOpening":
                    # Everything in the page waits until its dialog is closed, so nobody could wait for this answer. A page
                    # that asks whether it may be left is left, as by a person; all else is answered with a no.
                    leaves = taken.get("params", {}).get("type") == "beforeunload"
                    self._send(next(self._numbers), "Page.handleJavaScriptDialog", {"accept": leaves})
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            pass  # the end of what it says, told below
        finally:
            self._gone()

    def _take(self, message: dict[str, Any]) -> None:
        future = self._waiting.get(message.get("id", 0))
        if future is not None and not future.done():
            if "error" in message:
                future.set_exception(CallRefusedError(str(message["error"].get("message", ""))))
            else:
                future.set_result(message.get("result", {}))
        elif "method" in message:
            if message["method"] == "Inspector.targetCrashed":
                self._gone()
            self._heard(message["method"], message.get("params", {}))

    def _gone(self) -> None:
        """Whoever waits for an answer gets none. A page that crashed is as good as gone, though its browser still runs."""
        self._ended = True
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(BrowserError(DIED))


@asynccontextmanager
async def connected(pipes: Pipes, heard: Heard) -> AsyncIterator[DevTools]:
    """Yield the tools of the browser at those pipes."""
    tools = DevTools(pipes, heard)
    listening = asyncio.create_task(tools.listen(), name="devtools")
    try:
        yield tools
    finally:
        listening.cancel()
        await asyncio.wait([listening])
