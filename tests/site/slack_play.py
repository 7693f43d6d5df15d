"""People who act in Slack: the scenario of `play.py`, typed, pressed and submitted there, on the stand-in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from adapters.slack_chat.manifest import manifest
from commands.catalog import subcommands
from tests.fakes.slack.client import Slack
from tests.fakes.slack.person import Person
from tests.site.bot_settings import APPROVER, READER, RESPONDER
from tests.site.chat_stage import LIMIT_S, LOOK_S, Loop

T = TypeVar("T")


class Stage:
    """The stand-in of Slack with its people."""

    name = "slack"

    def __init__(self) -> None:
        self._loop = Loop("slack stage")
        self._started: Any = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine gives."""
        return self._loop.run(work)

    def open(self) -> None:
        """Start the stand-in, with Backout installed from its manifest."""
        self._started = Slack.started()
        self.slack: Slack = self.run(self._started.__aenter__())
        self.run(self.slack.install(manifest(subcommands())))
        names = (RESPONDER, APPROVER, READER)
        self.people = {name: self.run(self.slack.add_person(name.lower())) for name in names}
        self.general = self.run(self.slack.add_channel("general", members=list(self.people.values())))
        self.reports = self.run(self.slack.add_channel("reports"))

    def close(self) -> None:
        """End the stand-in."""
        if self._started is not None:
            self.run(self._started.__aexit__(None, None, None))
        self._loop.end()

    def settings(self) -> str:
        """Return the bot's settings for this Slack."""
        return (
            f'[slack]\napi_url = "{self.slack.api_url}"\nreport_channel = "{self.reports}"\n'
            "edit_interval = 1.0\nretry_interval = 1\nping_interval = 2\n"
        )

    def accounts(self) -> dict[str, str]:
        """Return the people's accounts."""
        return {name: person.id for name, person in self.people.items()}

    def environment(self) -> dict[str, str]:
        """Return the bot's secrets for this Slack."""
        return {"SLACK_BOT_TOKEN": self.slack.bot_token, "SLACK_APP_TOKEN": self.slack.app_token}

    def wait_for_bot(self) -> None:
        """Wait until the bot is connected."""
        self.run(self.slack.wait_for_socket())

    def shown(self, incident: str) -> str:
        """Return what the incident's channel shows."""
        channel = self.run(self.hands(RESPONDER).channel(incident))
        return self.run(self.slack.text(channel))

    def burst(self, text: str, incident: str, count: int) -> list[float | None]:
        """Return the milliseconds to the ack of so many commands, typed at the same moment by two persons."""
        people = [self.people[RESPONDER], self.people[APPROVER]]
        channel = self.run(self.hands(RESPONDER).channel(incident))
        commands = [(people[number % 2], channel, text) for number in range(count)]
        return [one.ack_ms for one in self.run(self.slack.burst(commands))]

    def answers(self) -> int:
        """Return how many answers the people have been whispered so far."""
        return sum(len(self.run(person.whispers())) for person in self.people.values())

    def violations(self) -> list[Any]:
        """Return which rules of Slack were broken."""
        return self.run(self.slack.violations())

    def hands(self, name: str) -> SlackHands:
        """Return somebody's hands."""
        return SlackHands(self, self.people[name])


@contextmanager
def slack_stage() -> Iterator[Stage]:
    """Give a stage."""
    stage = Stage()
    try:
        stage.open()
        yield stage
    finally:
        stage.close()


@dataclass
class SlackHands:
    """One person in Slack. A command's reply is what this person is whispered; an answer's is what becomes of its button."""

    stage: Stage
    person: Person

    def command(self, text: str, incident: str) -> dict[str, Any]:
        """Type a command in the incident's channel, in #general where there is none yet."""
        return self.stage.run(self._command(text, incident))

    def answer(self, decision: dict[str, Any], choice: str, typed: str | None) -> dict[str, Any]:
        """Press the button of a decision, and submit its modal where one opens."""
        return self.stage.run(self._answer(decision, choice, typed))

    async def _command(self, text: str, incident: str) -> dict[str, Any]:
        channel = await self.channel(incident) if incident else self.stage.general
        before = len(await self.person.whispers())
        delivery = await self.person.command(channel, text)
        if delivery.error:
            return {"ok": False, "text": delivery.error}
        whisper = await self._new_whisper(before)
        return {"ok": not whisper["text"].startswith("🚫"), "text": whisper["text"]}

    async def _new_whisper(self, before: int) -> dict[str, Any]:
        async with asyncio.timeout(LIMIT_S):
            while True:
                found = (await self.person.whispers())[before:]
                found = [one for one in found if not one["text"].startswith("Received.")]
                if found:
                    return dict(found[-1])
                await asyncio.sleep(LOOK_S)

    async def channel(self, incident: str) -> str:
        """Return the id of an incident's channel, found by its topic as a person finds it."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                for one in await self.stage.slack.channels():
                    if one["topic"].endswith(f"({incident})") and not one["archived"]:
                        return str(one["id"])
                await asyncio.sleep(LOOK_S)

    async def _answer(self, decision: dict[str, Any], choice: str, typed: str | None) -> dict[str, Any]:
        channel = await self.channel(decision["incident_id"])
        label = next(one["label"] for one in decision["choices"] if one["key"] == choice)
        ts, button = await self._button(channel, decision["id"], choice)
        before = len(await self.person.whispers())
        await self.person.press(channel, button["action_id"], ts=ts)
        if json.loads(button["value"])[3]:
            return await self._submit(typed)
        async with asyncio.timeout(LIMIT_S):
            while True:
                if refused := (await self.person.whispers())[before:]:
                    return {"ok": False, "text": refused[-1]["text"]}
                if await self._is_answered(channel, ts, label):
                    return {"ok": True, "text": label}
                await asyncio.sleep(LOOK_S)

    async def _submit(self, typed: str | None) -> dict[str, Any]:
        """Read the modal that opened, submit it, and return what it says then."""
        async with asyncio.timeout(LIMIT_S):
            while not (view := await self.person.wait_for_modal())["submit"]:
                if "🚫" in await self.person.modal_text():
                    return {"ok": False, "text": await self.person.modal_text()}
                await asyncio.sleep(LOOK_S)
            await self.person.submit({"typed": typed} if typed is not None else {})
            while (title := view["title"]["text"]) not in ("Done", "Not done"):
                await asyncio.sleep(LOOK_S)
                view = await self.person.wait_for_modal()
        text = await self.person.modal_text()
        await self.person.cancel()
        return {"ok": title == "Done", "text": text}

    async def _button(self, channel: str, decision: str, choice: str) -> tuple[str, dict[str, Any]]:
        """Return a decision's button and the message that has it, as soon as it stands in the channel."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                for message in reversed(await self.stage.slack.messages(channel)):
                    for element in elements_of(message):
                        if json.loads(element.get("value") or "null")[:2] == [decision, choice]:
                            return str(message["ts"]), element
                await asyncio.sleep(LOOK_S)

    async def _is_answered(self, channel: str, ts: str, label: str) -> bool:
        message = next(one for one in await self.stage.slack.messages(channel) if one["ts"] == ts)
        return not list(elements_of(message)) and f"✅ *{label}*" in str(message["blocks"])


def elements_of(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the buttons of a message."""
    for block in message["blocks"]:
        if block["type"] == "actions":
            yield from block["elements"]
