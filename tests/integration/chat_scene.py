"""What the scenes of all chat platforms have in common: five people, many sites whose hosts do not answer, the bot's records.

Whoever needs a plan or a question to answer puts it into the bot's records before the bot starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from adapters.sql_store.store import SqlStore
from bot.model.decision import Choice
from bot.model.event import Kind, NewEntry
from bot.model.message import Tone
from bot.model.person import Permission
from bot.ports.store import Transaction
from bot.service.desk import Question, open_question
from tests.playbooks.story import PLAN_HASH, PLANNED_STORY, Story
from tests.site.running_bot import RunningBot

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

"""

_PERSON = """
[[people]]
name = "{name}"
ids = {{ {ids} }}
sites = {sites}
may_respond = {responds}
may_approve = {approves}
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


def settings_in(
    folder: Path,
    *,
    web_port: int,
    platforms: str,
    accounts: Mapping[str, Mapping[str, str]],
    silent_port: int,
    archive: bool = False,
    page_again: float = 300,
    ack_lapses: float = 900,
) -> Path:
    """Write the settings of a bot and return their path. `platforms` are their parts, `accounts` people's ids by platform.

    Anna and Boris may everything, Clara may read, Dora may respond, Mallory is nobody.
    """
    sites = [*SITES, HANGING]
    text = _HEAD.format(web_port=web_port) + platforms
    for name in ("anna", "boris", "clara", "dora"):
        ids = {"web": name, **{platform: known[name] for platform, known in accounts.items()}}
        text += _PERSON.format(
            name=name.title(),
            ids=", ".join(f'{platform} = "{account}"' for platform, account in ids.items()),
            sites=sites,
            responds=str(name != "clara").lower(),
            approves=str(name in ("anna", "boris")).lower(),
        )
    for site in sites:
        text += _SITE.format(
            site=site,
            archive=str(archive).lower(),
            page_again=page_again,
            ack_lapses=ack_lapses,
            ssh_port=silent_port if site == HANGING else 1,
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "known_hosts").touch()
    settings = folder / "backout.toml"
    settings.write_text(text, encoding="utf-8")
    return settings


@dataclass(frozen=True)
class Opened:
    """An incident with its channel: name and id."""

    id: str
    site: str
    name: str
    channel: str


@dataclass
class ChatScene:
    """The bot and its records. `platform` is where the people of the scene are."""

    bot: RunningBot
    platform: str
    token: str = ""
    unused: list[str] = field(default_factory=lambda: list(SITES))

    async def start(self) -> None:
        """Start the bot."""
        await asyncio.to_thread(self.bot.start)

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

    async def room(self, incident_id: str, site: str) -> Opened:
        """Return an incident as soon as it has its channel."""
        room = await until(
            lambda: self.records(lambda tx: tx.room(self.platform, incident_id)), lambda r: r and r.name
        )
        assert room is not None
        return Opened(incident_id, site, room.name, room.channel)

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
            return [*running, *await tx.undelivered(self.platform, incident_id)]

        await until(lambda: self.records(busy), lambda found: not found)


async def until(look: Callable[[], Awaitable[T]], good: Callable[[T], Any], limit_s: float = 15) -> T:
    """Return what `look` gives as soon as it is good. *Raises* TimeoutError."""
    async with asyncio.timeout(limit_s):
        while not good(found := await look()):  # noqa: ASYNC110 - another process makes it so
            await asyncio.sleep(LOOK_S)
    return found


async def told(scene: ChatScene, story: Story, *questions: Question) -> tuple[str, str]:
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


PLANNED = Story(*PLANNED_STORY.moments[1:])
"""What happened until a plan is proposed."""


def cutover(site: str, votes: int = 1) -> Question:
    """Return the question before a cut-over."""
    return Question(
        purpose="cutover",
        question=f"Replace the data of {site} with the rehearsed copy?",
        body="Production's data are replaced in one step; it can be undone.",
        choices=(
            Choice(key="approve", label="Approve and cut over", style="danger", typed=site, starts="cutover"),
            Choice(key="reject", label="No", rejects=True),
        ),
        permission=Permission.APPROVE,
        votes_needed=votes,
        plan_hash=PLAN_HASH,
        expires_in=timedelta(hours=1),
        tone=Tone.WARNING,
    )
