"""The way in: discord.py's connection to the gateway, kept alive, and made anew where the library would wait too long.

*Source*: docs.discord.com, "Gateway" (resuming, close codes, one IDENTIFY in five seconds); discord.py 2.7, client.py.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Sequence
from typing import Any, Self

import aiohttp
import discord
import structlog
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from adapters.discord_chat.answers import TEMPLATE, Button, button_of
from adapters.discord_chat.conversation import PLATFORM
from adapters.discord_chat.incoming import Incoming, Interaction
from adapters.discord_chat.settings import DiscordOptions
from adapters.discord_chat.tree import Tree, fill_tree
from bot.model.command import CommandForm
from bot.ports.chat import Inbox

log = structlog.get_logger(__name__)

IDENTIFY_EVERY_S = 5.0
# A thousand sessions may be begun in a day; whoever begins more has the token taken away. One in five minutes is 288.
LONGEST_WAIT_S = 300.0
CLOSE_LIMIT_S = 2.0
SILENCES, SILENT_AT_LEAST_S = 3, 10.0
"""After so many retry intervals, and so many seconds, without a living connection it is made anew, and told."""
SYNC_AGAIN = 12
"""After so many retry intervals it is tried again to bring the commands into the server."""
WAIT_LIMIT_S = 30.0
CLOSE_CODES = {
    4004: "it does not take Backout's token any more (4004). Give Backout its present token (DISCORD_TOKEN), and restart it.",
    4013: "it knows an intent no more that Backout asks for (4013). Use the version of Backout that is made for it.",
    4014: "it wants a privileged intent switched on (4014): discord.com/developers, the app, Bot, Privileged Gateway Intents. "
    "Backout itself needs none.",
}


class AnswerButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=TEMPLATE):
    """A button of a decision. All it knows is its id, so that it lives through a restart."""

    def __init__(self, button: Button, item: discord.ui.Button[Any]) -> None:
        super().__init__(item)
        self.button = button

    @classmethod
    async def from_custom_id(
        cls, interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Read the button that was pressed."""
        del interaction  # who pressed, and whether they may, is asked where it counts
        if not isinstance(item, discord.ui.Button):
            raise TypeError(f"{match[0]} is the id of something else than a button")
        return cls(button_of(match), item)

    async def callback(self, interaction: Interaction) -> None:
        """Hand it over."""
        client: Any = interaction.client
        await client.incoming.on_press(interaction, self.button)


class GatewayClient(discord.Client):
    """One connection with its sessions. It asks for no privileged intent: nothing is read but what is done with Backout."""

    def __init__(
        self, incoming: Incoming, forms: Sequence[CommandForm], guild_id: str, identified_at: float
    ) -> None:
        super().__init__(
            intents=discord.Intents(guilds=True),
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            guild_ready_timeout=0.5,
            allowed_mentions=discord.AllowedMentions.none(),
            max_ratelimit_timeout=WAIT_LIMIT_S,
        )
        self.incoming = incoming
        self.hears = False
        self.identified_at = identified_at
        self._guild = discord.Object(int(guild_id))
        self.tree = Tree(self, incoming)
        fill_tree(self.tree, forms, incoming, guild_id)
        self.add_dynamic_items(AnswerButton)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait only where the last IDENTIFY is not five seconds old; the library would wait so long each time."""
        del shard_id, initial
        await asyncio.sleep(max(0.0, self.identified_at + IDENTIFY_EVERY_S - time.monotonic()))
        self.identified_at = time.monotonic()

    async def sync(self) -> None:
        """Bring the server's commands to what they are here. *Raises* discord.HTTPException."""
        await self.tree.sync(guild=self._guild)

    async def on_ready(self) -> None:
        """A new session begins."""
        self.hears = True

    async def on_resumed(self) -> None:
        """The old session goes on, with all that happened meanwhile."""
        self.hears = True

    async def on_disconnect(self) -> None:
        """The connection is gone; the library tries to resume."""
        self.hears = False

    async def on_interaction(self, interaction: Interaction) -> None:
        """Take what neither the tree nor a button has taken."""
        await self.incoming.on_other(interaction)

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Somebody deleted a channel."""
        await self.incoming.on_channel_gone(str(channel.id))

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """Tell the log what one event did wrong; the next one is served all the same."""
        del args, kwargs
        log.exception("an event from Discord could not be served", discord_event=event_method)


class Gateway:
    """Keeps a client connected for as long as Backout runs, and tells when nothing comes in."""

    def __init__(
        self, options: DiscordOptions, incoming: Incoming, forms: Sequence[CommandForm], inbox: Inbox
    ) -> None:
        self._options = options
        self._incoming = incoming
        self._forms = forms
        self._inbox = inbox
        self._task: asyncio.Task[None] | None = None
        self._identified_at = -IDENTIFY_EVERY_S
        self._failures = 0  # since the last living connection
        self._is_told = False
        self._is_synced = False
        self._sync_again_at = 0.0

    def start(self) -> None:
        """Connect in the background, for as long as it takes."""
        # The addresses of the library are its own for the whole process: a process speaks to one Discord.
        Route.BASE = self._options.api_url
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(self._options.gateway_url)
        # It logs each failed connection with a traceback; that it is away is told in words.
        logging.getLogger("discord").setLevel(logging.CRITICAL)
        self._task = asyncio.create_task(self._keep_connected(), name="discord gateway")

    async def close(self) -> None:
        """Disconnect."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_connected(self) -> None:
        while True:
            client = GatewayClient(self._incoming, self._forms, self._options.guild_id, self._identified_at)
            try:
                trouble = await self._connected(client)
            except asyncio.CancelledError:
                await _closed(client)
                raise
            except Exception:  # an outer door: without a connection nothing comes in, so it is tried again
                log.exception("Discord's gateway ended with a fault")
                trouble = "the connection ended with a fault, which is in the log."
            self._identified_at = client.identified_at
            await _closed(client)
            log.warning("Discord's gateway is connected anew", reason=trouble)
            # Each time: what was told of it may have been overtaken by what the outbox told.
            self._is_told = True
            await self._inbox.hearing(PLATFORM, trouble)
            await asyncio.sleep(min(self._options.retry_interval_s * 2**self._failures, LONGEST_WAIT_S))
            self._failures = min(self._failures + 1, 16)

    async def _connected(self, client: GatewayClient) -> str:
        """Return, once the connection has been dead for too long or cannot be had, why it is."""
        step_s = self._options.retry_interval_s / 4
        patience_s = max(SILENCES * self._options.retry_interval_s, SILENT_AT_LEAST_S)
        running = asyncio.create_task(client.start(self._options.token.reveal()), name="discord client")
        try:
            alive_at = time.monotonic()
            while time.monotonic() - alive_at < patience_s:
                await asyncio.wait({running}, timeout=step_s)
                if running.done():
                    return _why(running.exception())
                if client.hears:
                    alive_at = time.monotonic()
                    await self._served(client)
            return "its gateway is not reached."
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def _served(self, client: GatewayClient) -> None:
        """Do what is due on a living connection: the commands are brought up to date once, an outage is over."""
        self._failures = 0
        if not self._is_synced and time.monotonic() >= self._sync_again_at:
            try:
                await client.sync()
            except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
                log.warning("the commands are not in the server yet", error=str(error))
                self._sync_again_at = time.monotonic() + SYNC_AGAIN * self._options.retry_interval_s
            else:
                self._is_synced = True
        if self._is_told:
            self._is_told = False
            await self._inbox.hearing(PLATFORM, None)


def _why(error: BaseException | None) -> str:
    """Return in an operator's words why a connection ended."""
    if isinstance(error, discord.LoginFailure):
        return CLOSE_CODES[4004]
    if isinstance(error, discord.PrivilegedIntentsRequired):
        return CLOSE_CODES[4014]
    if isinstance(error, discord.ConnectionClosed):
        return CLOSE_CODES.get(error.code, f"it closed the connection ({error.code}).")
    return f"it is not reached ({type(error).__name__})." if error else "the connection ended."


async def _closed(client: discord.Client) -> None:
    try:
        async with asyncio.timeout(CLOSE_LIMIT_S):
            await client.close()
    except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
        log.debug("the connection was not closed in order", error=type(error).__name__)
