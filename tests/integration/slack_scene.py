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
from typing import Any, TypeVar

from adapters.slack_chat.manifest import manifest
from adapters.sql_store.store import SqlStore
from bot.model.event import Kind, NewEntry
from bot.ports.store import Transaction
from bot.service.desk import Question, open_question
from commands.catalog import subcommands
from tests.fakes.slack.client import Slack
from tests.fakes.slack.person import Person
from tests.playbooks.story import Story
from tests.site.running_bot import RunningBot
from tests.site.servers import free_port

T = TypeVar("T")

GENERAL = "general"
PEOPLE = ("anna", "boris", "clara", "dora", "mallory")
LOOK_S = 0.05

HANGING = "hanging"
"""A site whose host takes a connection and never says a word."""

SITES = tuple(f"site{number}" for number in range(1, 81))

_HEAD = """\
[store]
path = "records/backout.db"

[web]
port = {web_port}
tokens_file = "records/tokens.json"

[slack]
api_url = "{api_url}"
mode = "{mode}"
http_port = {http_port}
report_channel = "{reports}"
edit_interval = 0.2
retry_interval = 0.3
call_timeout = 3
ping_interval = 1

[[people]]
name = "Anna"
ids = {{ web = "anna", slack = "{anna}" }}
sites = {sites}
may_respond = true
may_approve = true

[[people]]
name = "Boris"
ids = {{ web = "boris", slack = "{boris}" }}
sites = {sites}
may_respond = true
may_approve = true

[[people]]
name = "Clara"
ids = {{ web = "clara", slack = "{clara}" }}
sites = {sites}

[[people]]
name = "Dora"
ids = {{ web = "dora", slack = "{dora}" }}
sites = {sites}
may_respond = true
"""

_SITE = """
[sites.{site}]
app_path = "/srv/{site}"
url = "http://127.0.0.1:1"
backups = ["/srv/backups"]
archive_on_close = {archive}

[sites.{site}.ssh]
address = "127.0.0.1"
port = {ssh_port}
user = "deploy"
known_hosts = "known_hosts"

[[sites.{site}.contacts]]
name = "Dora"
person = "Dora"
phone = "+49 30 0000"

[[sites.{site}.contacts]]
name = "Boris"
person = "Boris"
phone = "+49 30 0001"

[sites.{site}.intervals]
page_again = {page_again}
ack_lapses = {ack_lapses}
"""


@dataclass(frozen=True)
class Opened:
    """An incident with its channel: name and id."""

    id: str
    site: str
    name: str
    channel: str


@dataclass
class SlackScene:
    """The workspace, the bot, and the people in it; `mallory` has an account and is in no settings."""

    slack: Slack
    bot: RunningBot
    people: dict[str, Person]
    general: str
    reports: str
    http_url: str
    over_http: bool = False
    token: str = ""
    expected: set[str] = field(default_factory=set)
    unused: list[str] = field(default_factory=lambda: list(SITES))

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
        await asyncio.to_thread(self.bot.start)
        if self.over_http:
            await until(self.slack.verify_url, lambda answer: answer["ok"])
        else:
            await self.slack.wait_for_socket()

    async def restart(self) -> None:
        """Kill the bot and start it again."""
        self.bot.kill()
        await self.start()

    async def records(self, look: Callable[[Transaction], Awaitable[T]]) -> T:
        """Return what stands in the bot's own records, read beside the running bot."""
        store = await SqlStore.open(
            f"sqlite:///{self.bot.settings.parent}/records/backout.db", read_only=True
        )
        try:
            return await store.read(look)
        finally:
            await store.close()

    async def write(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """Change the bot's own records while it does not run."""
        store = await SqlStore.open(f"sqlite:///{self.bot.settings.parent}/records/backout.db")
        try:
            return await store.transact(body)
        finally:
            await store.close()

    def site(self) -> str:
        """Return a site that no test has used yet."""
        return self.unused.pop(0)

    async def opened(self, what: str = "rows are gone", site: str = "") -> Opened:
        """Have Anna open an incident; it is returned once its welcome stands in its channel."""
        site = site or self.site()
        await self.anna.command(self.general, f"/incident start {site} {what}")
        return await self.incident(f"inc-{site}-1", site)

    async def incident(self, incident_id: str, site: str) -> Opened:
        """Return an incident as soon as its channel has its welcome."""
        room = await until(
            lambda: self.records(lambda tx: tx.room("slack", incident_id)), lambda r: r and r.name
        )
        assert room is not None
        await self.slack.wait_for_message(room.name, "downtime so far")
        return Opened(incident_id, site, room.name, room.channel)

    async def texts(self, channel: str) -> list[str]:
        """Return the titles of the bot's messages in a channel, in their order."""
        shown = await self.slack.messages(channel)
        return [title_of(one) for one in shown if one["by_bot"] and not one["subtype"]]

    async def timeline(self, incident_id: str) -> list[str]:
        """Return the timeline's texts."""
        return [entry.text for entry in await self.records(lambda tx: tx.entries(incident_id))]

    async def noted(self, incident: Opened, text: str) -> None:
        """Wait until something stands in an incident's timeline."""
        await until(lambda: self.timeline(incident.id), lambda texts: any(text in one for one in texts))

    async def at_rest(self, incident_id: str) -> None:
        """Wait until everything in the store has been delivered, with nothing running."""

        async def busy(tx: Transaction) -> list[Any]:
            running = [o for o in await tx.operations(incident_id=incident_id) if o.state.value == "running"]
            return [*running, *await tx.undelivered("slack", incident_id)]

        await until(lambda: self.records(busy), lambda found: not found)

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


async def until(look: Callable[[], Awaitable[T]], good: Callable[[T], Any], limit_s: float = 15) -> T:
    """Return what `look` gives as soon as it is good. *Raises* TimeoutError."""
    async with asyncio.timeout(limit_s):
        while not good(found := await look()):  # noqa: ASYNC110 - another process makes it so
            await asyncio.sleep(LOOK_S)
    return found


def _settings_in(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "known_hosts").touch()
    settings = folder / "backout.toml"
    settings.write_text(text, encoding="utf-8")
    return settings


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
        ids = {name: person.id for name, person in people.items()}
        head = _HEAD.format(
            api_url=slack.api_url,
            mode="http" if over_http else "socket",
            web_port=web_port,
            http_port=http_port,
            reports=reports,
            sites=[*SITES, HANGING],
            **ids,
        )
        silent = socket.create_server(("127.0.0.1", 0))
        sites = [
            _SITE.format(
                site=site,
                archive=str(archive).lower(),
                page_again=page_again,
                ack_lapses=ack_lapses,
                ssh_port=silent.getsockname()[1] if site == HANGING else 1,
            )
            for site in (*SITES, HANGING)
        ]
        settings = _settings_in(folder, head + "".join(sites))
        bot = RunningBot(settings, web_port)
        bot.environment = {
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_SIGNING_SECRET": slack.signing_secret,
        }
        scene = SlackScene(slack, bot, people, general, reports, f"{url}/slack/events", over_http)
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


async def told(scene: SlackScene, story: Story, *questions: Question) -> tuple[str, str]:
    """Put an incident into the records of a bot that does not run, with its questions open; return its id and site."""
    site = scene.site()
    incident_id = f"inc-{site}-1"
    opened = NewEntry(
        kind=Kind.INCIDENT_OPENED,
        actor="Anna",
        text="rows are gone",
        data={"site": site, "title": "rows are gone"},
    )
    entries = [NewEntry(kind=k, actor=a, text=t, data=d) for k, a, t, d in story.moments]

    async def body(tx: Transaction) -> None:
        await tx.open_incident(incident_id=incident_id, site=site, channel=incident_id, title="rows are gone")
        await tx.append(incident_id, [opened, *entries])
        for question in questions:
            await open_question(tx, incident_id, question, "backout")

    await scene.write(body)
    return incident_id, site


def buttons_of(message: dict[str, Any]) -> list[str]:
    """Return the labels of a message's buttons."""
    rows: Iterable[dict[str, Any]] = (one for one in message["blocks"] if one["type"] == "actions")
    return [element["text"]["text"] for row in rows for element in row["elements"]]
