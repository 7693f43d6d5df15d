"""The door of signed HTTP: what needs no words back is acknowledged by its signature alone, before Bolt sees it.

Two hundred who press in the same moment each wait for all the others' way through Bolt where it is gone before the ack. So
what is acknowledged waits here until nothing more comes in, as the work behind it would wait otherwise, and then goes
through Bolt without another pause: between ack and work lies no more time than before. What wants words in the answer's
body (a form that was handed in, the address's own proof) goes through Bolt at once.

*Source*: docs.slack.dev, "Verifying requests from Slack" (v0, five minutes), "Handling user interaction" (what an ack may say).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.signature import SignatureVerifier

from adapters.chat_common.hands import CAME_AT, Hands

log = structlog.get_logger(__name__)

Body = dict[str, Any]

PATH = "/slack/events"
WORDLESS = frozenset({"block_actions", "shortcut", "message_action", "event_callback"})
"""What Slack sends and takes no words for; a command's words go to its `response_url`."""
WAITING_LIMIT = 5_000


@dataclass(frozen=True, kw_only=True)
class Request:
    """A signed request, read. `came_at` is of a clock that only goes forward."""

    body: Body
    headers: Mapping[str, str]
    came_at: float

    @property
    def kind(self) -> str:
        """Return what kind of interaction or event it is; empty for a command."""
        return str(self.body.get("type", ""))


class Door:
    """Takes requests. `commands` are the slash commands that Bolt has a listener for."""

    def __init__(self, app: AsyncApp, signing_secret: str, hands: Hands, commands: tuple[str, ...]) -> None:
        self._app = app
        self._verifier = SignatureVerifier(signing_secret)
        self._hands = hands
        self._commands = frozenset(commands)
        self._waiting: deque[Request] = deque()
        self._handing_over: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def take(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request: 401 where it is not Slack's, an empty 200 or Bolt's own words where it is."""
        if request.path != PATH:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        if request.method != "POST":
            return web.Response(status=HTTPStatus.METHOD_NOT_ALLOWED)
        raw = await request.read()
        if not self._is_signed(raw, request.headers):
            # Slack proves the certificate by a request of its own, which carries nothing.
            return web.Response(
                status=HTTPStatus.OK if raw.startswith(b"ssl_check=1") else HTTPStatus.UNAUTHORIZED
            )
        body = body_of(raw, request.content_type)
        if body is None:
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        self._hands.heard()
        taken = Request(body=body, headers=request.headers, came_at=time.monotonic())
        wordless = taken.kind in WORDLESS or body.get("command") in self._commands
        if not wordless or len(self._waiting) >= WAITING_LIMIT:
            return await to_aiohttp_response(await self._through_bolt(taken))
        self._waiting.append(taken)
        if self._handing_over is None or self._handing_over.done():
            self._handing_over = asyncio.create_task(self._hand_over(), name="slack door")
        return web.Response()

    async def close(self) -> None:
        """Hand over at once what was acknowledged and still waits."""
        if self._handing_over is not None:
            self._handing_over.cancel()
            await asyncio.gather(self._handing_over, return_exceptions=True)
        while self._waiting:
            self._begin(self._waiting.popleft())
        await asyncio.gather(*self._under_way)

    def _is_signed(self, raw: bytes, headers: Mapping[str, str]) -> bool:
        stamp, signature = headers.get("X-Slack-Request-Timestamp"), headers.get("X-Slack-Signature")
        try:
            return self._verifier.is_valid(raw, stamp, signature)
        except (
            ValueError,
            TypeError,
        ):  # a time that is no number, a body that is no text, a signature not in ASCII
            return False

    async def _hand_over(self) -> None:
        """Hand over what waits, oldest first, one in each turn of the loop: an ack that is due meanwhile is not kept waiting."""
        while self._waiting:
            await self._hands.quiet(self._waiting[0].came_at)
            self._begin(self._waiting.popleft())
            await asyncio.sleep(0)

    def _begin(self, request: Request) -> None:
        task = asyncio.create_task(self._handed_over(request), name="slack delivery")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _handed_over(self, request: Request) -> None:
        CAME_AT.set(request.came_at)
        try:
            answer = await self._through_bolt(request)
        except (
            Exception
        ):  # an outer door: the ack is out, and what went wrong is told in the log with its traceback
            log.exception("an acknowledged delivery from Slack could not be read")
            return
        if answer.status != HTTPStatus.OK:
            log.error("an acknowledged delivery from Slack was not understood", status=answer.status)

    async def _through_bolt(self, request: Request) -> BoltResponse:
        headers: dict[str, str | Sequence[str]] = dict(request.headers)
        # A body that is read already is taken in the mode of the socket only; the modes differ in nothing else that
        # counts here. Bolt's own reading of a form loses a command that has the word "payload" in its text.
        read = AsyncBoltRequest(body=request.body, headers=headers, mode="socket_mode")
        return await self._app.async_dispatch(read)


def body_of(raw: bytes, content_type: str) -> Body | None:
    """Return what a request says, None where it cannot be read: JSON, a form, or JSON in a form's field `payload`."""
    try:
        if content_type == "application/json":
            body = json.loads(raw)
        else:
            body = dict(parse_qsl(raw.decode(), keep_blank_values=True))
            body = json.loads(body["payload"]) if "payload" in body else body
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
