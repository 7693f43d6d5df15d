"""People who act in Discord: the scenario of `play.py`, typed, pressed and submitted there, on the stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from adapters.discord_chat.answers import Button
from commands.arguments import Parsed, parse
from commands.catalog import CATALOGUE
from tests.fakes.discord.client import Discord
from tests.fakes.discord.person import Delivery, Person
from tests.site.bot_settings import APPROVER, READER, RESPONDER
from tests.site.chat_stage import LIMIT_S, LOOK_S, Loop

T = TypeVar("T")
ALL_COMMANDS = 5


def options_of(text: str) -> tuple[str, dict[str, object]]:
    """Return a typed line as a person fills it into Discord's fields: the command, and its options."""
    parsed = parse(text, CATALOGUE)
    if not isinstance(parsed, Parsed):
        raise TypeError(f"{text}: {parsed.text}")
    flags = {argument.name for argument in parsed.command.arguments if argument.flag}
    options: dict[str, object] = {
        name.replace(" ", "_"): True if name in flags else value for name, value in parsed.values.items()
    }
    if parsed.site is not None and not parsed.command.names_site:
        options["site"] = parsed.site
    return parsed.command.name, options


class DiscordStage:
    """The stand-in of Discord with its people."""

    name = "discord"

    def __init__(self) -> None:
        self._loop = Loop("discord stage")
        self._started: Any = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine gives."""
        return self._loop.run(work)

    def open(self) -> None:
        """Start the stand-in, with Backout invited."""
        self._started = Discord.started()
        self.discord: Discord = self.run(self._started.__aenter__())
        self.role = self.run(self.discord.add_role("responders"))
        names = (RESPONDER, APPROVER, READER)
        self.people = {
            name: self.run(self.discord.add_person(name.lower(), roles=[self.role])) for name in names
        }
        self.general = self.run(self.discord.add_channel("general"))
        self.reports = self.run(self.discord.add_channel("reports"))

    def close(self) -> None:
        """End the stand-in."""
        if self._started is not None:
            self.run(self._started.__aexit__(None, None, None))
        self._loop.end()

    def settings(self) -> str:
        """Return the bot's settings for this Discord."""
        return (
            f'[discord]\napi_url = "{self.discord.api_url}"\ngateway_url = "{self.discord.gateway_url}"\n'
            f'guild_id = "{self.discord.guild_id}"\nresponders_role = "{self.role}"\n'
            f'report_channel = "{self.reports}"\nedit_interval = 1.0\nretry_interval = 1\n'
        )

    def accounts(self) -> dict[str, str]:
        """Return the people's accounts."""
        return {name: person.id for name, person in self.people.items()}

    def environment(self) -> dict[str, str]:
        """Return the bot's secrets for this Discord."""
        return {"DISCORD_TOKEN": self.discord.bot_token}

    def hands(self, name: str) -> DiscordHands:
        """Return somebody's hands."""
        return DiscordHands(self, self.people[name])

    def wait_for_bot(self) -> None:
        """Wait until the bot is connected and its commands are there."""
        self.run(self.discord.wait_for_gateway(timeout_s=20))
        self.run(self.discord.wait_for_commands(count=ALL_COMMANDS))

    def shown(self, incident: str) -> str:
        """Return what the incident's channel shows."""
        channel = self.run(self.hands(RESPONDER).channel(incident))
        return self.run(self.discord.text(channel))

    def burst(self, text: str, incident: str, count: int) -> list[float | None]:
        """Return the milliseconds to the first answer of so many commands, typed at the same moment by two persons."""
        people = [self.people[RESPONDER], self.people[APPROVER]]
        channel = self.run(self.hands(RESPONDER).channel(incident))
        name, options = options_of(text)
        commands = [(people[number % 2], channel, name, dict(options)) for number in range(count)]
        return [one.ack_ms for one in self.run(self.discord.burst(commands))]

    def answers(self) -> int:
        """Return how many answers the people have been whispered so far, those in which something is said."""
        seen = [one for person in self.people.values() for one in self.run(person.whispers())]
        return len([one for one in seen if "is thinking" not in one["visible"]])

    def violations(self) -> list[Any]:
        """Return which rules of Discord were broken."""
        return self.run(self.discord.violations())


@contextmanager
def discord_stage() -> Iterator[DiscordStage]:
    """Give a stage."""
    stage = DiscordStage()
    try:
        stage.open()
        yield stage
    finally:
        stage.close()


@dataclass
class DiscordHands:
    """One person in Discord. What a deed was answered is what this person reads where "is thinking" stood."""

    stage: DiscordStage
    person: Person

    def command(self, text: str, incident: str) -> dict[str, Any]:
        """Type a command in the incident's channel, in #general where there is none yet."""
        return self.stage.run(self._command(text, incident))

    def answer(self, decision: dict[str, Any], choice: str, typed: str | None) -> dict[str, Any]:
        """Press the button of a decision, and submit its form where one opens."""
        return self.stage.run(self._answer(decision, choice, typed))

    async def _command(self, text: str, incident: str) -> dict[str, Any]:
        channel = await self.channel(incident) if incident else self.stage.general
        name, options = options_of(text)
        return await self._reply(await self.person.command(channel, name, **options))

    async def _reply(self, delivery: Delivery) -> dict[str, Any]:
        if delivery.error:
            return {"ok": False, "text": delivery.error}
        async with asyncio.timeout(LIMIT_S):
            while True:
                seen = [one for one in await self.person.whispers() if one["id"] == delivery.response_id]
                if seen and "is thinking" not in seen[0]["visible"]:
                    text = seen[0]["visible"].removeprefix("| ")
                    return {"ok": not text.startswith("🚫"), "text": text}
                await asyncio.sleep(LOOK_S)

    async def channel(self, incident: str) -> str:
        """Return the id of an incident's channel, found by its topic as a person finds it."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                for one in await self.stage.discord.channels():
                    if (one["topic"] or "").endswith(f"({incident})"):
                        return str(one["id"])
                await asyncio.sleep(LOOK_S)

    async def _answer(self, decision: dict[str, Any], choice: str, typed: str | None) -> dict[str, Any]:
        channel = await self.channel(decision["incident_id"])
        message_id, custom_id = await self._button(channel, decision["id"], choice)
        pressed = await self.person.press(channel, custom_id, message_id=message_id)
        if pressed.error or (pressed.answer or {}).get("type") != 9:
            return await self._reply(pressed)
        await self.person.wait_for_modal()
        return await self._reply(await self.person.submit({"typed": typed} if typed is not None else {}))

    async def _button(self, channel: str, decision: str, choice: str) -> tuple[str, str]:
        """Return the message and the id of a decision's button, as soon as it stands in the channel."""
        wanted = {
            Button(decision=decision, choice=choice, modal=modal).custom_id() for modal in (True, False)
        }
        async with asyncio.timeout(LIMIT_S):
            while True:
                for message in reversed(await self.stage.discord.messages(channel)):
                    for row in message["components"]:
                        for button in row["components"]:
                            if button["custom_id"] in wanted:
                                return str(message["id"]), str(button["custom_id"])
                await asyncio.sleep(LOOK_S)
