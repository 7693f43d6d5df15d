"""Discord as one of Backout's chat platforms."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.chat_common.hands import Hands
from adapters.discord_chat.api import DiscordApi
from adapters.discord_chat.conversation import PLATFORM, Conversation
from adapters.discord_chat.gateway import Gateway
from adapters.discord_chat.incoming import Incoming
from adapters.discord_chat.rooms import DiscordRooms
from adapters.discord_chat.sending import Sender
from adapters.discord_chat.settings import DiscordOptions
from bot.model.command import CommandForm
from bot.ports.chat import Delivery, Inbox, Window

CLOSE_LIMIT_S = 2.0


class DiscordChat:
    """The platform `discord`: renders neutral messages, hands over what comes in, and decides nothing."""

    def __init__(
        self, *, options: DiscordOptions, inbox: Inbox, window: Window, forms: Sequence[CommandForm]
    ) -> None:
        self._options = options
        self._api = DiscordApi(options.api_url, options.token, options.call_timeout_s)
        self._rooms = DiscordRooms(
            self._api, options.guild_id, options.category, options.archive_category, options.responders_role
        )
        self._sender = Sender(self._api, options.report_channel)
        self._hands = Hands(PLATFORM)
        incoming = Incoming(
            api=self._api,
            conversation=Conversation(self._api, inbox, window),
            inbox=inbox,
            window=window,
            hands=self._hands,
        )
        self._gateway = Gateway(options, incoming, forms, inbox)

    @property
    def platform(self) -> str:
        """Return `discord`."""
        return PLATFORM

    @property
    def rooms(self) -> DiscordRooms:
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
        """Begin to connect. A Discord that is down is no error: it is tried again and again."""
        self._gateway.start()

    async def close(self) -> None:
        """Stop taking commands, let what is under way end, and disconnect."""
        await self._gateway.close()
        await self._hands.close(CLOSE_LIMIT_S)
        await self._api.close()
