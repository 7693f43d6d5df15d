"""One connection of the gateway: packets go out in their order, compressed as one stream where the bot asked for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib
from collections.abc import Callable

from aiohttp import web

from tests.fakes.common.book import Json


class Link:
    """What is put is written by a task of its own, so that whoever puts never waits."""

    def __init__(
        self, socket: web.WebSocketResponse, transport: asyncio.BaseTransport | None, *, compressed: bool
    ) -> None:
        self._socket = socket
        self._transport = transport
        self._deflate = zlib.compressobj() if compressed else None
        self._waiting: asyncio.Queue[tuple[Json, Callable[[], None] | None]] = asyncio.Queue()
        self.session_id = ""
        self.closed_by_bot: int | None = None
        self._writer = asyncio.get_running_loop().create_task(self._write(), name="gateway writer")

    def put(self, packet: Json, on_sent: Callable[[], None] | None = None) -> None:
        """Send a packet; `on_sent` is called at the moment it is written."""
        self._waiting.put_nowait((packet, on_sent))

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                packet, on_sent = await self._waiting.get()
                text = json.dumps({"t": None, "s": None, **packet})
                if on_sent is not None:
                    on_sent()
                await self._send(text)
                self._waiting.task_done()

    async def _send(self, text: str) -> None:
        if self._deflate is None:
            await self._socket.send_str(text)
        else:
            whole = self._deflate.compress(text.encode()) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
            await self._socket.send_bytes(whole)

    async def close(self, code: int) -> None:
        """Close with one of Discord's codes, after all that was put."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._waiting.join(), 1.0)
        await self._socket.close(code=code)

    def cut(self) -> None:
        """End the connection without a word."""
        self._writer.cancel()
        if isinstance(self._transport, asyncio.Transport):
            self._transport.abort()

    async def end(self) -> None:
        """Stop the writer."""
        self._writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._writer
