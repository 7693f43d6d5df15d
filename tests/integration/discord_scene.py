"""A bot as its own process on a Discord of its own: five people, many sites whose host does not answer, no real work."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.discord_chat.places import mark_of
from tests.fakes.discord.client import Discord
from tests.fakes.discord.person import Person
from tests.integration.chat_scene import GENERAL, PEOPLE, ChatScene, Opened, settings_in, until
from tests.site.running_bot import RunningBot
from tests.site.servers import free_port

CATEGORY = "Incidents"
ARCHIVE = "Archived incidents"
ALL_COMMANDS = 5  # four words and the message menu

_DISCORD = """\
[discord]
api_url = "{api_url}"
gateway_url = "{gateway_url}"
guild_id = "{guild_id}"
responders_role = "{role}"
report_channel = "{reports}"
edit_interval = 0.2
retry_interval = 0.3
call_timeout = 3
"""


@dataclass(kw_only=True)
class DiscordScene(ChatScene):
    """The server, the bot, and the people in it; `mallory` is a member, and in no settings."""

    discord: Discord
    people: dict[str, Person]
    general: str
    reports: str
    role: str
    expected: set[str] = field(default_factory=set)

    @property
    def anna(self) -> Person:
        return self.people["anna"]

    @property
    def boris(self) -> Person:
        return self.people["boris"]

    @property
    def clara(self) -> Person:
        return self.people["clara"]

    @property
    def dora(self) -> Person:
        return self.people["dora"]

    @property
    def mallory(self) -> Person:
        return self.people["mallory"]

    async def start(self) -> None:
        """Start the bot, and wait until Discord reaches it."""
        before = (await self.discord.connections())["identified"]
        await super().start()
        await self.discord.wait_for_gateway(identified=before + 1)
        await self.discord.wait_for_commands(count=ALL_COMMANDS)

    async def restart(self) -> None:
        """Kill the bot and start it again."""
        self.bot.kill()
        await self.discord.wait_for_no_gateway()
        await self.start()

    async def opened(self, what: str = "rows are gone", site: str = "") -> Opened:
        """Have Anna open an incident; it is returned once its status stands in its channel."""
        site = site or self.site()
        await self.anna.command(self.general, "/incident start", site=site, what_happened=what)
        return await self.incident(f"inc-{site}-1", site)

    async def incident(self, incident_id: str, site: str) -> Opened:
        """Return an incident as soon as its channel has its status."""
        opened = await self.room(incident_id, site)
        await self.discord.wait_for_message(opened.channel, "downtime so far")
        return opened

    async def note(self, who: Person, incident: Opened, text: str) -> None:
        """Have somebody write into the timeline."""
        await who.command(incident.channel, "/incident note", text=text)

    async def places(self, incident: Opened) -> list[str]:
        """Return the ids of an incident's channel and its threads."""
        return [incident.channel, *(one["id"] for one in await self.discord.threads(incident.channel))]

    async def own_messages(self, incident: Opened) -> list[dict[str, Any]]:
        """Return the bot's own messages in an incident's channel and its threads."""
        found: list[dict[str, Any]] = []
        for place in await self.places(incident):
            shown = await self.discord.messages(place)
            found += [one for one in shown if one["author"]["id"] == self.discord.bot_id and one["embeds"]]
        return found

    async def assert_each_once(self, incident: Opened) -> None:
        """Assert that the channel holds every message of the store that belongs there, once."""
        await self.at_rest(incident.id)
        stored = await self.records(lambda tx: tx.messages(incident.id))
        here = {mark_of(one.id) for one in stored if one.message.place.value == "channel"}
        found = Counter(mark_in(one) for one in await self.own_messages(incident))
        assert set(found) == here
        assert set(found.values()) == {1}

    async def no_violations(self) -> None:
        """Assert that every call and every answer kept Discord's rules, but for what the test provoked."""
        found = await self.discord.violations(ignore=self.expected)
        await self.discord.clear_violations()  # so that one test's fault is not every later test's
        assert found == []


def mark_in(message: dict[str, Any]) -> str:
    """Return the mark in a message's last line."""
    embeds = message["embeds"] or [{}]
    return str((embeds[0].get("footer") or {}).get("text", ""))


def title_of(message: dict[str, Any]) -> str:
    """Return the heading of a message, without the sign before it."""
    embeds = message["embeds"] or [{}]
    return str(embeds[0].get("title", "")).split(" ", 1)[-1]


def buttons_of(message: dict[str, Any]) -> list[str]:
    """Return the labels of a message's buttons."""
    return [element["label"] for row in message["components"] for element in row["components"]]


def discord_part(discord: Discord, role: str, reports: str) -> str:
    """Return the bot's settings for this Discord."""
    return _DISCORD.format(
        api_url=discord.api_url,
        gateway_url=discord.gateway_url,
        guild_id=discord.guild_id,
        role=role,
        reports=reports,
    )


@dataclass(kw_only=True)
class Server:
    """A Discord server with its people, as it is before a bot comes."""

    discord: Discord
    role: str
    people: dict[str, Person]
    general: str
    reports: str

    def part(self) -> str:
        """Return the bot's settings for it."""
        return discord_part(self.discord, self.role, self.reports)

    def ids(self) -> dict[str, str]:
        """Return the accounts of the people."""
        return {name: person.id for name, person in self.people.items()}


async def server_on(discord: Discord) -> Server:
    """Make the server: everybody but Mallory and Clara has the responders' role."""
    role = await discord.add_role("responders")
    people = {
        name: await discord.add_person(name, roles=[role] if name in ("anna", "boris", "dora") else [])
        for name in PEOPLE
    }
    general = await discord.add_channel(GENERAL)
    reports = await discord.add_channel("reports")
    return Server(discord=discord, role=role, people=people, general=general, reports=reports)


@contextlib.asynccontextmanager
async def discord_scene(
    folder: Path,
    *,
    before: Callable[[DiscordScene], Awaitable[object]] | None = None,
    archive: bool = False,
    page_again: float = 300,
    ack_lapses: float = 900,
) -> AsyncIterator[DiscordScene]:
    """Give a server with the bot running there. At the end no rule of Discord may have been broken.

    `before` may change the bot's records before it starts.
    """
    async with Discord.started() as discord:
        await discord.check_answers()
        server = await server_on(discord)
        web_port = free_port()
        silent = socket.create_server(("127.0.0.1", 0))
        settings = settings_in(
            folder,
            web_port=web_port,
            platforms=server.part(),
            accounts={"discord": server.ids()},
            silent_port=silent.getsockname()[1],
            archive=archive,
            page_again=page_again,
            ack_lapses=ack_lapses,
        )
        bot = RunningBot(settings, web_port)
        bot.environment = {"DISCORD_TOKEN": discord.bot_token}
        scene = DiscordScene(
            bot=bot,
            platform="discord",
            discord=discord,
            people=server.people,
            general=server.general,
            reports=server.reports,
            role=server.role,
        )
        try:
            scene.token = await asyncio.to_thread(bot.token, "Anna")
            if before is not None:
                await before(scene)
            await scene.start()
            yield scene
            await scene.no_violations()
        finally:
            bot.stop()
            silent.close()


__all__ = ["ARCHIVE", "CATEGORY", "DiscordScene", "Opened", "Server", "discord_scene", "server_on", "until"]
