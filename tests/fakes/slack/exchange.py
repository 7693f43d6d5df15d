"""One HTTP request and its answer over a connection of its own, with the time between the last byte out and the last in.

A whole HTTP client costs more time for each request than an ack may take when 200 are sent at once; what is measured
here is to be the bot's time, not the stand-in's.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back. `took_ms` counts from the request written to the answer whole."""

    status: int
    headers: dict[str, str]
    body: bytes
    took_ms: float

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").split(";")[0].strip()


class Exchange(asyncio.Protocol):
    """A connection that is open and waits for its one request."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._came = bytearray()
        self._sent_s = 0.0

    @classmethod
    async def open(cls, url: str) -> Exchange:
        """Connect to the server of a url.

        Raises:
            OSError: nobody is there.
        """
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        _, exchange = await loop.create_connection(cls, parts.hostname or "127.0.0.1", parts.port or 80)
        return exchange

    async def post(self, request: bytes) -> Answer:
        """Send the request and return the answer.

        Raises:
            ConnectionError: the connection ended without a whole answer.
        """
        assert self._transport is not None
        self._sent_s = time.perf_counter()
        self._transport.write(request)
        try:
            return await self._answer
        finally:
            self._transport.abort()

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        now_s = time.perf_counter()
        self._came += data
        answer = read_answer(bytes(self._came), took_ms=(now_s - self._sent_s) * 1000)
        if answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._answer.done():
            self._answer.set_exception(ConnectionResetError("the bot ended the connection without an answer"))
            # Nobody may be waiting any more.
            self._answer.exception()


def request_bytes(url: str, body: bytes, headers: dict[str, str]) -> bytes:
    """Write out a POST."""
    parts = urlsplit(url)
    all_headers = {"Host": parts.netloc, "Content-Length": str(len(body)), "Accept": "*/*", **headers}
    lines = [
        f"POST {parts.path or '/'} HTTP/1.1",
        *(f"{name}: {value}" for name, value in all_headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def read_answer(came: bytes, *, took_ms: float) -> Answer | None:
    """Return the answer as soon as it is whole, None while bytes are missing."""
    head, found, body = came.partition(b"\r\n\r\n")
    if not found:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(":") for line in lines]
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        if not body.endswith(b"0\r\n\r\n"):
            return None
        body = _unchunked(body)
    elif len(body) < int(headers.get("content-length", 0)):
        return None
    return Answer(status=int(first.split()[1]), headers=headers, body=body, took_ms=took_ms)


def _unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        whole, body = whole + body[:length], body[length + 2 :]
        if not length:
            break
    return whole
