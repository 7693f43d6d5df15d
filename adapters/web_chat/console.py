"""The web console: serves the page, the JSON API and the event stream on one address."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog
from aiohttp import hdrs, web

from adapters.web_chat.api import Api, Handler, plain_words, refused
from adapters.web_chat.events import Hub
from adapters.web_chat.guard import LOOPBACK_NAMES, SECURITY_HEADERS, Guard
from adapters.web_chat.requests import BODY_LIMIT_BYTES
from bot.model.errors import NotStartedError
from bot.ports.chat import Delivery, Inbox, Window

log = structlog.get_logger(__name__)

STATIC: Final = Path(__file__).parent / "static"
CONTENT_TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
CLOSE_LIMIT_S = 2.0  # answers are short; streams end by themselves as soon as the hub closes
RETRY_S = 1.0  # pause before the store is watched again after a fault


class WebConsole:
    """The chat platform `web`. What the page shows is read from the store; `deliver` only tells the page to look.

    `tokens` maps the SHA-256 of a token in hex to a web account. `allowed_hosts` are the names in the Host header that
    are answered; the names of this machine are when none is given. Port 0 takes a free one (see `url`).
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        window: Window,
        tokens: Mapping[str, str],
        host: str = "127.0.0.1",
        port: int = 8080,
        allowed_hosts: tuple[str, ...] = (),
        keep_alive_s: float = 15.0,
    ) -> None:
        self._host = host
        self._port = port
        self._window = window
        self._hub = Hub()
        self._guard = Guard(allowed_hosts=allowed_hosts or LOOPBACK_NAMES, tokens=tokens, window=window)
        self._api = Api(
            inbox=inbox, window=window, hub=self._hub, guard=self._guard, keep_alive_s=keep_alive_s
        )
        self._runner: web.AppRunner | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def platform(self) -> str:
        """Return `web`."""
        return "web"

    @property
    def url(self) -> str:
        """Return the address of the page, for the person who starts the bot."""
        name = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{name}:{self._port}/"

    @property
    def rooms(self) -> None:
        """Return None: the page shows every incident, without a channel for each."""
        return

    @property
    def edit_interval_s(self) -> float:
        """Return 0: the page looks at the store when it is told to, and that costs nothing."""
        return 0.0

    @property
    def retry_interval_s(self) -> float:
        """Return the pause before the store is looked at again."""
        return RETRY_S

    async def deliver(self, delivery: Delivery) -> str:
        """Tell every open page that the message's incident changed; return the message's own id."""
        self._hub.publish(delivery.message.incident_id)
        return delivery.external_id or delivery.message.id

    async def start(self) -> None:
        """Listen, and begin to tell the pages what changes. *Raises* NotStartedError when the address is not free."""
        app = web.Application(client_max_size=BODY_LIMIT_BYTES, middlewares=[plain_words, self._doorkeeper])
        app.on_response_prepare.append(add_security_headers)
        app.add_routes(self._api.routes())
        app.add_routes([web.get(path, page) for path, page in static_pages().items()])
        # No access log: nothing that a caller sends, and no token, ends up in a log file.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_LIMIT_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise NotStartedError(
                f"The web console cannot listen on {self._host}:{self._port} ({error.strerror or error}). "
                "Nothing was started; free the port or set another one."
            ) from error
        self._port = self._runner.addresses[0][1]
        self._watch = asyncio.create_task(self._watch_changes(), name="web-console-changes")

    async def close(self) -> None:
        """Stop listening, and end the open pages' streams."""
        self._hub.close()
        await self._api.close(CLOSE_LIMIT_S)
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()

    async def _watch_changes(self) -> None:
        """Pass on what changes until the console closes; after a fault the pages read everything anew."""
        while True:
            try:
                async for incident_id in self._window.changes():
                    self._hub.publish(incident_id)
            except Exception:  # the outer door of a background task: told in the log, and it goes on
                log.exception("web_console_changes_failed")
            else:
                return
            self._hub.end_all()
            await asyncio.sleep(RETRY_S)

    @web.middleware
    async def _doorkeeper(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = self._guard.refusal_of(request)
        return refused(refusal.status, refusal.text) if refusal else await handler(request)


async def add_security_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers that tell the browser what this page may never do; called for every response."""
    response.headers.update(SECURITY_HEADERS)
    if hdrs.CACHE_CONTROL not in response.headers:
        response.headers[hdrs.CACHE_CONTROL] = "no-store"
    response.headers.popall(hdrs.SERVER, None)


def static_pages() -> dict[str, Handler]:
    """Return a handler for each static file, by path. Only files that are there at start are served, from memory."""
    files = {f"/static/{file.name}": file for file in STATIC.iterdir() if file.suffix in CONTENT_TYPES}
    files["/"] = files.pop("/static/index.html")
    return {path: static_page(file) for path, file in files.items()}


def static_page(file: Path) -> Handler:
    """Return a handler that answers with the content that the file has now."""
    content = file.read_bytes()

    async def page(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=content, content_type=CONTENT_TYPES[file.suffix], charset="utf-8")

    return page
