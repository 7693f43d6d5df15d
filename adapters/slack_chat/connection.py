"""The two ways in: Socket Mode, which needs no public address, and signed HTTP, which many replicas can share."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Protocol

import aiohttp
import structlog
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack_chat.door import Door
from bot.model.errors import NotStartedError
from bot.model.secret import Secret

log = structlog.get_logger(__name__)

CLOSE_LIMIT_S = 2.0
SILENCES = 6
"""After so many pings without a living connection the whole client is made anew."""


class Connection(Protocol):
    """A way in."""

    async def start(self) -> None:
        """Begin."""

    async def close(self) -> None:
        """End."""


class SocketConnection:
    """Socket Mode. Slack's client reconnects by itself, but can stay with an address that is used up; then it is replaced."""

    def __init__(self, app: AsyncApp, api_url: str, app_token: Secret, ping_interval_s: float) -> None:
        self._app = app
        self._api_url = api_url
        self._app_token = app_token
        self._ping_interval_s = ping_interval_s
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect in the background, for as long as it takes."""
        # Slack's client logs each failed connection with a traceback; that it is away is told by the outbox.
        for name in ("slack_bolt", "slack_sdk", "slack_bolt.AsyncApp"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._app.logger.setLevel(logging.ERROR)
        self._task = asyncio.create_task(self._keep_connected(), name="slack socket")

    async def close(self) -> None:
        """Disconnect."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_connected(self) -> None:
        while True:
            handler = AsyncSocketModeHandler(
                self._app,
                self._app_token.reveal(),
                web_client=AsyncWebClient(base_url=self._api_url, retry_handlers=[]),
                ping_interval=self._ping_interval_s,
            )
            try:
                await self._connected(handler)
            except asyncio.CancelledError:
                await _closed(handler)
                raise
            except Exception:  # an outer door: without a connection nothing comes in, so it is tried again
                log.exception("Slack's socket ended with a fault")
                await asyncio.sleep(self._ping_interval_s)
            await _closed(handler)

    async def _connected(self, handler: AsyncSocketModeHandler) -> None:
        """Return once the connection has been dead for too long."""
        work = handler.connect_async()  # type: ignore[no-untyped-call] # Slack's library has no types there
        connecting: asyncio.Task[None] = asyncio.create_task(work, name="slack socket connecting")
        try:
            alive_at = time.monotonic()
            while time.monotonic() - alive_at < SILENCES * self._ping_interval_s:
                await asyncio.sleep(self._ping_interval_s / 2)
                if await handler.client.is_connected():
                    alive_at = time.monotonic()
            log.warning("Slack's socket is made anew")
        finally:
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)


async def _closed(handler: AsyncSocketModeHandler) -> None:
    try:
        async with asyncio.timeout(CLOSE_LIMIT_S):
            await handler.close_async()  # type: ignore[no-untyped-call] # as above
    except (SlackClientError, aiohttp.ClientError, OSError, TimeoutError) as error:
        log.debug("the socket was not closed in order", error=type(error).__name__)


class HttpConnection:
    """Signed requests, taken by a door."""

    def __init__(self, door: Door, host: str, port: int) -> None:
        self._door = door
        self._host = host
        self._port = port
        self._runner: web.ServerRunner | None = None

    async def start(self) -> None:
        """Listen. *Raises* NotStartedError when the address is not free."""
        server = web.Server(self._door.take, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=CLOSE_LIMIT_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise NotStartedError(
                f"Slack's requests cannot be taken on {self._host}:{self._port} ({error.strerror or error}). "
                "Nothing was started; free the port, or set slack.http_port."
            ) from error

    async def close(self) -> None:
        """Stop listening; what was acknowledged is handed over."""
        if self._runner is not None:
            await self._runner.cleanup()
        await self._door.close()
