"""A small bot on the real slack_bolt, for the tests of the stand-in: it does one thing of each kind."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.slack.client import Slack

Json = dict[str, Any]

logging.getLogger("slack_bolt").setLevel(logging.CRITICAL)


def web_client(slack: Slack, token: str | None = None) -> AsyncWebClient:
    """Return the library's own client, without its silent second try after a broken connection."""
    return AsyncWebClient(token or slack.bot_token, base_url=slack.api_url, retry_handlers=[])


def modal(**more: Any) -> Json:
    """Return a modal with one field that must be filled."""
    return {
        "type": "modal",
        "callback_id": "confirm",
        "title": {"type": "plain_text", "text": "Cut over"},
        "submit": {"type": "plain_text", "text": "Do it"},
        "blocks": [
            {
                "type": "input",
                "block_id": "site",
                "label": {"type": "plain_text", "text": "Type the site's name"},
                "element": {"type": "plain_text_input", "action_id": "name"},
            }
        ],
        **more,
    }


def button(label: str, action_id: str, **more: Any) -> Json:
    return {
        "type": "button",
        "text": {"type": "plain_text", "text": label},
        "action_id": action_id,
        **more,
    }


def section(text: str, **more: Any) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


class Bot:
    """What it heard is in `heard`; `wait_s` is slept before an ack of `/slow`."""

    def __init__(self, slack: Slack) -> None:
        self.heard: list[Json] = []
        self.wait_s = 0.0
        self.app = AsyncApp(client=web_client(slack), signing_secret=slack.signing_secret)
        self.app.command("/incident")(self._incident)
        self.app.command("/modal")(self._modal)
        self.app.command("/slow")(self._slow)
        self.app.action("approve")(self._approve)
        self.app.action("more")(self._more)
        self.app.action("pick")(self._note)
        self.app.view("confirm")(self._confirm)
        self.app.view_closed("confirm")(self._note)
        self.app.shortcut("declare")(self._note)
        self.app.shortcut("keep")(self._note)
        for name in ("app_mention", "reaction_added", "app_home_opened", "message", "channel_archive"):
            self.app.event(name)(self._note)

    async def _note(self, ack: Any, body: Json) -> None:
        self.heard.append(body)
        await ack()

    async def _incident(self, ack: Any, body: Json) -> None:
        self.heard.append(body)
        await ack("Working on it.")

    async def _slow(self, ack: Any) -> None:
        await asyncio.sleep(self.wait_s)
        await ack()

    async def _modal(self, ack: Any, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=modal(notify_on_close=True))

    async def _approve(self, ack: Any, body: Json, respond: Any) -> None:
        self.heard.append(body)
        await ack()
        await respond(text="Approved.", replace_original=True)

    async def _more(self, ack: Any, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_push(trigger_id=body["trigger_id"], view=modal(callback_id="second"))

    async def _confirm(self, ack: Any, body: Json) -> None:
        self.heard.append(body)
        typed = body["view"]["state"]["values"]["site"]["name"]["value"]
        if typed != "album":
            await ack(response_action="errors", errors={"site": "That is not the site."})
        else:
            await ack()


@asynccontextmanager
async def bot_on_socket(slack: Slack) -> AsyncIterator[Bot]:
    """Run the bot over Socket Mode."""
    bot = Bot(slack)
    handler = AsyncSocketModeHandler(bot.app, slack.app_token, ping_interval=1)
    await handler.connect_async()  # type: ignore[no-untyped-call]  # so in the library
    await slack.wait_for_socket()
    try:
        yield bot
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]  # so in the library


@asynccontextmanager
async def bot_on_http(slack: Slack) -> AsyncIterator[Bot]:
    """Run the bot as a server of its own, to which the stand-in sends signed requests."""
    bot = Bot(slack)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    runner = web.AppRunner(bot.app.web_app(path="/slack/events"))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await slack.deliver_over_http(f"http://127.0.0.1:{port}/slack/events")
    try:
        yield bot
    finally:
        await runner.cleanup()
