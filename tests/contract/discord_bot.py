"""A small bot on the real discord.py, for the tests of the stand-in: it does one thing of each kind."""

from __future__ import annotations

import asyncio
import io
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, Self

import discord as library
import yarl
from discord import app_commands

from tests.fakes.discord.client import Discord

Interaction = library.Interaction[Any]
logging.getLogger("discord").setLevel(logging.CRITICAL)


def point_at(discord: Discord) -> None:
    """Let the library speak to the stand-in: both addresses are settings of a product, not patches."""
    library.http.Route.BASE = discord.api_url
    library.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(discord.gateway_url)


def text_file(name: str) -> library.File:
    return library.File(io.BytesIO(name.encode()), filename=name)


def route(method: str, path: str, **names: Any) -> library.http.Route:
    return library.http.Route(method, path, **names)


@asynccontextmanager
async def logged_in(discord: Discord) -> AsyncIterator[library.Client]:
    """Give the library's client without a gateway: for calls by hand."""
    point_at(discord)
    intents = library.Intents.default()
    intents.members = True
    async with library.Client(intents=intents) as client:
        await client.login(discord.bot_token)
        yield client


class Decide(
    library.ui.DynamicItem[library.ui.Button[Any]], template=r"decision:(?P<number>\d+):(?P<answer>\w+)"
):
    """A button whose whole state is its custom_id."""

    def __init__(self, number: int, answer: str) -> None:
        self.answer = answer
        super().__init__(library.ui.Button(label=answer.title(), custom_id=f"decision:{number}:{answer}"))

    @classmethod
    async def from_custom_id(cls, interaction: Interaction, item: Any, match: re.Match[str], /) -> Self:
        return cls(int(match["number"]), match["answer"])

    async def callback(self, interaction: Interaction) -> None:
        bot: Any = interaction.client
        bot.heard.append(interaction)
        if self.answer == "confirm":
            await interaction.response.send_modal(Confirm())
        else:
            await interaction.response.edit_message(content="Answered.", view=None)


class Confirm(library.ui.Modal, title="Cut over"):
    """One field that must be filled."""

    site: Any = library.ui.Label(
        text="Type the site's name", component=library.ui.TextInput(custom_id="site", max_length=50)
    )

    async def on_submit(self, interaction: Interaction) -> None:
        await interaction.response.send_message(f"You typed {self.site.component.value}.", ephemeral=True)


class Bot(library.Client):
    """What it heard is in `heard`; `wait_s` is slept before the answer to /slow."""

    def __init__(self, discord: Discord, **options: Any) -> None:
        intents = library.Intents.default()
        intents.members = intents.message_content = True
        super().__init__(
            intents=intents,
            guild_ready_timeout=0.05,
            allowed_mentions=library.AllowedMentions.none(),
            **options,
        )
        self.discord = discord
        self.heard: list[Any] = []
        self.wait_s = 0.0
        self.tree = app_commands.CommandTree(self)
        self._commands()

    def _commands(self) -> None:
        group = app_commands.Group(name="incident", description="Incidents", guild_only=True)

        @group.command(name="start", description="Start an incident")
        @app_commands.describe(site="The site", summary="What was seen")
        async def start(interaction: Interaction, site: str, summary: app_commands.Range[str, 1, 80]) -> None:
            self.heard.append(interaction)
            await interaction.response.send_message(f"Working on {site}: {summary}", ephemeral=True)

        @start.autocomplete("site")
        async def sites(interaction: Interaction, current: str) -> list[app_commands.Choice[str]]:
            names = [f"album-{number}" for number in range(40)]
            found = [app_commands.Choice(name=one, value=one) for one in names if current in one]
            return found[:25]

        @group.command(name="page", description="Options of every kind")
        async def page(
            interaction: Interaction,
            who: library.Member,
            where: library.TextChannel,
            role: library.Role,
            minutes: app_commands.Range[int, 1, 60],
            quiet: bool,
            share: float,
            step: Literal["freeze", "assess"],
        ) -> None:
            self.heard.append((who.name, where.name, role.name, minutes, quiet, share, step))
            await interaction.response.send_message(f"Paged {who.mention}.")

        @group.command(name="files", description="Files in every kind of answer")
        async def files(interaction: Interaction) -> None:
            await interaction.response.send_message("first", file=text_file("a.md"))
            await interaction.followup.send("more", files=[text_file("b.md"), text_file("c.md")])
            await interaction.edit_original_response(content="last", attachments=[text_file("d.md")])

        @group.command(name="slow", description="Answer late")
        async def slow(interaction: Interaction) -> None:
            await asyncio.sleep(self.wait_s)
            await interaction.response.send_message("At last.")

        @group.command(name="think", description="Defer, and answer later")
        async def think(interaction: Interaction, hidden: bool) -> None:
            await interaction.response.defer(ephemeral=hidden, thinking=True)
            await interaction.followup.send("The plan.")
            await interaction.followup.send("And more.", ephemeral=True)
            await interaction.edit_original_response(content="The better plan.")

        @app_commands.context_menu(name="Add to timeline")
        async def keep(interaction: Interaction, message: library.Message) -> None:
            self.heard.append(message.content)
            await interaction.response.send_message("Kept.", ephemeral=True)

        guild = library.Object(int(self.discord.guild_id))
        self.tree.add_command(group, guild=guild)
        self.tree.add_command(keep, guild=guild)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Identify at once: the library's own hook waits five seconds before a second time."""

    async def setup_hook(self) -> None:
        self.add_dynamic_items(Decide)
        await self.tree.sync(guild=library.Object(int(self.discord.guild_id)))

    async def on_message(self, message: library.Message) -> None:
        if message.author.id != int(self.discord.bot_id):
            self.heard.append(message)

    async def channel_named(self, name: str) -> library.TextChannel:
        guild = self.get_guild(int(self.discord.guild_id))
        assert guild is not None
        found = library.utils.get(guild.text_channels, name=name)
        assert found is not None
        return found


@asynccontextmanager
async def bot_on(discord: Discord) -> AsyncIterator[Bot]:
    """Run the bot until the block is left."""
    point_at(discord)
    async with Bot(discord) as bot:
        await bot.login(discord.bot_token)
        running = asyncio.create_task(bot.connect(), name="bot")
        await asyncio.wait_for(bot.wait_until_ready(), 10)
        yield bot
    await asyncio.gather(running, return_exceptions=True)


def decision(*answers: str) -> library.ui.View:
    """Return buttons of decision 7."""
    view = library.ui.View(timeout=None)
    for one in answers:
        view.add_item(Decide(7, one))
    return view
