"""Slack as one of Backout's chat platforms."""

from __future__ import annotations

import asyncio

import structlog

from adapters.chat_common.hands import Hands
from adapters.slack_chat.api import SlackApi
from adapters.slack_chat.connection import Connection, HttpConnection, SocketConnection
from adapters.slack_chat.conversation import PLATFORM, Conversation
from adapters.slack_chat.door import Door
from adapters.slack_chat.incoming import Incoming
from adapters.slack_chat.rooms import SlackRooms
from adapters.slack_chat.sending import Sender
from adapters.slack_chat.settings import SlackOptions
from bot.model.errors import BackoutError, SettingsError
from bot.ports.chat import Delivery, Inbox, Window

log = structlog.get_logger(__name__)

CLOSE_LIMIT_S = 2.0


class SlackChat:
    """The platform `slack`: renders neutral messages, hands over what comes in, and decides nothing."""

    def __init__(
        self, *, options: SlackOptions, inbox: Inbox, window: Window, commands: tuple[str, ...]
    ) -> None:
        self._options = options
        self._api = SlackApi(options.api_url, options.bot_token, options.call_timeout_s)
        self._rooms = SlackRooms(self._api)
        self._sender = Sender(self._api, options.report_channel)
        self._commands = commands
        self._hands = Hands(PLATFORM)
        self._bot_user: str | None = None
        self._incoming = Incoming(
            conversation=Conversation(self._api, inbox, window),
            inbox=inbox,
            hands=self._hands,
            commands=commands,
            bot_user=lambda: self._bot_user,
        )
        self._connection: Connection | None = None
        self._greeting: asyncio.Task[None] | None = None

    @property
    def platform(self) -> str:
        """Return `slack`."""
        return PLATFORM

    @property
    def rooms(self) -> SlackRooms:
        """Return the channels."""
        return self._rooms

    @property
    def edit_interval_s(self) -> float:
        """Return how many seconds there must be between two edits of one message."""
        return self._options.edit_interval_s

    @property
    def retry_interval_s(self) -> float:
        """Return how many seconds a failed message waits until it is tried again."""
        return self._options.retry_interval_s

    async def deliver(self, delivery: Delivery) -> str:
        """Show the message, or edit it; return where it is."""
        return await self._sender.deliver(delivery)

    async def start(self) -> None:
        """Begin to connect. *Raises* NotStartedError when the address for signed HTTP is not free; SettingsError."""
        self._connection = self._way_in()
        await self._connection.start()
        self._greeting = asyncio.create_task(self._learn_own_user(), name="slack auth.test")

    async def close(self) -> None:
        """Stop taking commands, let what is under way end, and disconnect."""
        if self._greeting is not None:
            self._greeting.cancel()
            await asyncio.gather(self._greeting, return_exceptions=True)
        if self._connection is not None:
            await self._connection.close()
        await self._hands.close(CLOSE_LIMIT_S)
        await self._api.close()

    def _way_in(self) -> Connection:
        options = self._options
        app = self._incoming.app(options.api_url)
        if options.over_http:
            if options.signing_secret is None:
                raise SettingsError(
                    "slack.mode is http, and SLACK_SIGNING_SECRET is not set. Nothing was started."
                )
            door = Door(app, options.signing_secret.reveal(), self._hands, self._commands)
            return HttpConnection(door, options.http_host, options.http_port)
        if options.app_token is None:
            raise SettingsError("slack.mode is socket, and SLACK_APP_TOKEN is not set. Nothing was started.")
        return SocketConnection(app, options.api_url, options.app_token, options.ping_interval_s)

    async def _learn_own_user(self) -> None:
        """Learn who the bot is, so that what it does itself is not taken for a person's deed."""
        while self._bot_user is None:
            try:
                self._bot_user = await self._api.own_user()
            except BackoutError as error:
                log.warning("Slack is not reached yet", error=str(error))
                await asyncio.sleep(self._options.retry_interval_s)
