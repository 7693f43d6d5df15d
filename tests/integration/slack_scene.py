"""A bot as its own process on a Slack of its own: five people, two sites whose host does not answer, no real work.

Whoever needs a plan or a question to answer puts it into the bot's records before the bot starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.slack_chat.manifest import manifest
from commands.catalog import subcommands
from tests.fakes.slack.client import Slack
from tests.fakes.slack.person import Person
from tests.integration.chat_scene import (
    GENERAL,
    HANGING,
    PEOPLE,
    ChatScene,
    Opened,
    settings_in,
    told,
    until,
)
from tests.site.running_bot import RunningBot
from tests.site.servers import free_port

__all__ = ["HANGING", "Opened", "SlackScene", "buttons_of", "slack_scene", "told", "until"]

_SLACK = """\
[slack]
api_url = "{api_url}"
mode = "{mode}"
http_port = {http_port}
report_channel = "{reports}"
edit_interval = 0.2
retry_interval = 0.3
call_timeout = 3
ping_interval = 1
"""


@dataclass(kw_only=True)
class SlackScene(ChatScene):
    """The workspace, the bot, and the people in it; `mallory` has an account and is in no settings."""

    slack: Slack
    people: dict[str, Person]
    general: str
    reports: str
    http_url: str
    over_http: bool = False
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
        """Start the bot, and wait until Slack reaches it."""
        await super().start()
        if self.over_http:
            await until(self.slack.verify_url, lambda answer: answer["ok"])
        else:
            await self.slack.wait_for_socket()

    async def opened(self, what: str = "rows are gone", site: str = "") -> Opened:
        """Have Anna open an incident; it is returned once its welcome stands in its channel."""
        site = site or self.site()
        await self.anna.command(self.general, f"/incident start {site} {what}")
        return await self.incident(f"inc-{site}-1", site)

    async def incident(self, incident_id: str, site: str) -> Opened:
        """Return an incident as soon as its channel has its welcome."""
        opened = await self.room(incident_id, site)
        await self.slack.wait_for_message(opened.name, "downtime so far")
        return opened

    async def texts(self, channel: str) -> list[str]:
        """Return the titles of the bot's messages in a channel, in their order."""
        shown = await self.slack.messages(channel)
        return [title_of(one) for one in shown if one["by_bot"] and not one["subtype"]]

    async def mallory_says(self, incident: Opened, text: str) -> str:
        """Have somebody whom no settings know say something in an incident's channel; return the message's ts."""
        await self.mallory.join(incident.name)
        return await self.mallory.say(incident.name, text)

    async def no_violations(self) -> None:
        """Assert that every call and every ack kept Slack's rules, but for what the test provoked."""
        assert await self.slack.violations(ignore=self.expected) == []


def title_of(message: dict[str, Any]) -> str:
    """Return the heading of a message, without the sign before it."""
    header = next(
        (one["text"]["text"] for one in message["blocks"] if one["type"] == "header"), message["text"]
    )
    return str(header).split(" ", 1)[-1]


def slack_part(slack: Slack, reports: str, *, over_http: bool = False, http_port: int = 0) -> str:
    """Return the bot's settings for this Slack."""
    return _SLACK.format(
        api_url=slack.api_url, mode="http" if over_http else "socket", http_port=http_port, reports=reports
    )


def slack_secrets(slack: Slack) -> dict[str, str]:
    """Return the bot's secrets for this Slack."""
    return {
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_SIGNING_SECRET": slack.signing_secret,
    }


@contextlib.asynccontextmanager
async def slack_scene(
    folder: Path,
    *,
    over_http: bool = False,
    before: Callable[[SlackScene], Awaitable[object]] | None = None,
    archive: bool = False,
    page_again: float = 300,
    ack_lapses: float = 900,
) -> AsyncIterator[SlackScene]:
    """Give a workspace with the app installed from its manifest, and the bot running there.

    `before` may change the bot's records before it starts. At the end no rule of Slack may have been broken.
    """
    async with Slack.started() as slack:
        web_port, http_port = free_port(), free_port()
        url = f"http://127.0.0.1:{http_port}"
        await slack.install(manifest(subcommands(), url if over_http else None))
        people = {name: await slack.add_person(name) for name in PEOPLE}
        general = await slack.add_channel(GENERAL, members=list(people.values()))
        reports = await slack.add_channel("reports")
        silent = socket.create_server(("127.0.0.1", 0))
        settings = settings_in(
            folder,
            web_port=web_port,
            platforms=slack_part(slack, reports, over_http=over_http, http_port=http_port),
            accounts={"slack": {name: person.id for name, person in people.items()}},
            silent_port=silent.getsockname()[1],
            archive=archive,
            page_again=page_again,
            ack_lapses=ack_lapses,
        )
        bot = RunningBot(settings, web_port)
        bot.environment = slack_secrets(slack)
        scene = SlackScene(
            bot=bot,
            platform="slack",
            slack=slack,
            people=people,
            general=general,
            reports=reports,
            http_url=f"{url}/slack/events",
            over_http=over_http,
        )
        if over_http:
            await slack.deliver_over_http(scene.http_url)
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


def buttons_of(message: dict[str, Any]) -> list[str]:
    """Return the labels of a message's buttons."""
    rows: Iterable[dict[str, Any]] = (one for one in message["blocks"] if one["type"] == "actions")
    return [element["text"]["text"] for row in rows for element in row["elements"]]
