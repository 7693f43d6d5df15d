"""One incident in Slack and in Discord at once: the same rows, so a click in one is seen in the other, and counts once."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.slack_chat.manifest import manifest
from bot.model.decision import Choice, Decision, DecisionState
from bot.model.person import Permission
from bot.ports.store import Transaction
from bot.service.desk import Question
from commands.catalog import subcommands
from tests.fakes.discord.client import Discord
from tests.fakes.discord.person import Person as DiscordPerson
from tests.fakes.slack.client import Slack
from tests.fakes.slack.person import Person as SlackPerson
from tests.integration.chat_scene import (
    GENERAL,
    PEOPLE,
    PLANNED,
    ChatScene,
    cutover,
    settings_in,
    told,
    until,
)
from tests.integration.discord_scene import ALL_COMMANDS, server_on
from tests.integration.slack_scene import slack_part, slack_secrets
from tests.playbooks.story import PLAN_HASH
from tests.site.running_bot import RunningBot
from tests.site.servers import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUNDS = 20
MANY_ROUNDS = 500
EACH_INCIDENT = 20
PREPARED: dict[str, tuple[str, str]] = {}


@dataclass(kw_only=True)
class BothScene(ChatScene):
    """The bot in a workspace of Slack and in a server of Discord, with the same people in both."""

    slack: Slack
    discord: Discord
    in_slack: dict[str, SlackPerson]
    in_discord: dict[str, DiscordPerson]
    general_slack: str
    general_discord: str

    async def start(self) -> None:
        """Start the bot, and wait until both reach it."""
        await super().start()
        await self.slack.wait_for_socket()
        await self.discord.wait_for_gateway(timeout_s=20)
        await self.discord.wait_for_commands(count=ALL_COMMANDS)

    async def channels(self, incident_id: str) -> tuple[str, str]:
        """Return the incident's channels, in Slack and in Discord, as soon as there are both."""
        rooms = [
            await until(
                lambda platform=platform: self.records(lambda tx: tx.room(platform, incident_id)),
                lambda room: room and room.channel,
                20,
            )
            for platform in ("slack", "discord")
        ]
        slack, discord = (room.channel for room in rooms if room is not None)
        return slack, discord

    async def in_both(self, incident_id: str, slack_text: str, discord_text: str) -> None:
        """Wait until something stands in both channels."""
        slack, discord = await self.channels(incident_id)
        await self.slack.wait_for_message(slack, slack_text, timeout_s=20)
        await self.discord.wait_for_message(discord, discord_text, timeout_s=20)

    async def no_violations(self) -> None:
        """Assert that no rule of either was broken."""
        assert await self.slack.violations() == []
        assert await self.discord.violations() == []


@contextlib.asynccontextmanager
async def both_scene(folder: Path, rounds: int) -> AsyncIterator[BothScene]:
    """Give both platforms with one bot; `rounds` questions stand open in as many messages."""
    async with Slack.started() as slack, Discord.started() as discord:
        await slack.install(manifest(subcommands()))
        in_slack = {name: await slack.add_person(name) for name in PEOPLE}
        general_slack = await slack.add_channel(GENERAL, members=list(in_slack.values()))
        reports = await slack.add_channel("reports")
        server = await server_on(discord)
        web_port = free_port()
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
            settings = settings_in(
                folder,
                web_port=web_port,
                platforms=slack_part(slack, reports) + server.part(),
                accounts={
                    "slack": {name: one.id for name, one in in_slack.items()},
                    "discord": server.ids(),
                },
                silent_port=silent.getsockname()[1],
            )
            bot = RunningBot(settings, web_port)
            bot.environment = {**slack_secrets(slack), "DISCORD_TOKEN": discord.bot_token}
            scene = BothScene(
                bot=bot,
                platform="discord",
                slack=slack,
                discord=discord,
                in_slack=in_slack,
                in_discord=server.people,
                general_slack=general_slack,
                general_discord=server.general,
            )
            try:
                scene.token = await asyncio.to_thread(bot.token, "Anna")
                await prepare(scene, rounds)
                await scene.start()
                yield scene
                await scene.no_violations()
            finally:
                bot.stop()


def asked(number: int) -> Question:
    """Return one of many questions, each with its own purpose."""
    return Question(
        purpose=f"round-{number}",
        question=f"Question {number}?",
        body="",
        choices=(
            Choice(key="yes", label=f"Yes {number}"),
            Choice(key="no", label=f"No {number}", rejects=True),
        ),
        permission=Permission.RESPOND,
    )


async def prepare(scene: BothScene, rounds: int) -> None:
    """Put down incidents before a cut-over, and those with the questions of all rounds."""
    for name, votes in (("one", 1), ("two", 2)):
        PREPARED[name] = await told(scene, PLANNED, cutover(scene.unused[0], votes))
    for first in range(0, rounds, EACH_INCIDENT):
        numbers = range(first, min(first + EACH_INCIDENT, rounds))
        PREPARED[f"rounds {first}"] = await told(scene, PLANNED, *(asked(number) for number in numbers))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BothScene]:
    async with both_scene(tmp_path_factory.mktemp("both"), ROUNDS) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def scene(shared: BothScene) -> AsyncIterator[BothScene]:
    yield shared
    await shared.no_violations()


async def decisions(scene: BothScene, incident_id: str) -> list[Decision]:
    return await scene.records(lambda tx: tx.decisions(incident_id=incident_id, open_only=False))


async def test_an_incident_opened_in_one_stands_in_both(scene: BothScene) -> None:
    """It has a channel in each, with the same status; what is typed in one is in the one timeline."""
    site = scene.site()
    await scene.in_slack["anna"].command(scene.general_slack, f"/incident start {site} rows are gone")
    incident_id = f"inc-{site}-1"
    await scene.in_both(incident_id, "downtime so far", "downtime so far")
    slack, discord = await scene.channels(incident_id)
    await scene.in_discord["boris"].command(discord, "/incident note", text="typed in Discord")
    await scene.in_slack["anna"].command(slack, "/incident note typed in Slack")
    texts = await until(lambda: scene.timeline(incident_id), lambda found: "typed in Slack" in found)
    await until(lambda: scene.timeline(incident_id), lambda found: "typed in Discord" in found)
    assert texts.count("typed in Slack") == 1


@pytest.mark.parametrize("where", ["slack", "discord"])
async def test_a_decision_answered_in_one_is_shown_as_answered_in_the_other(
    scene: BothScene, where: str
) -> None:
    """The buttons are gone in both; a click on an old copy in the other changes nothing and is told so."""
    site = scene.site()
    await scene.in_discord["anna"].command(
        scene.general_discord, "/incident start", site=site, what_happened="rows are gone"
    )
    incident_id = f"inc-{site}-1"
    slack, discord = await scene.channels(incident_id)
    await scene.in_discord["anna"].command(discord, "/app freeze")
    old = await scene.slack.wait_for_message(slack, "[Not now]")
    seen = await scene.discord.wait_for_message(discord, "[Not now]")
    if where == "slack":
        await scene.in_slack["boris"].press(slack, "Not now")
    else:
        await scene.in_discord["boris"].press(discord, "Not now")
    await scene.in_both(incident_id, "✅ *Not now* — Boris", "✅ **Not now** — Boris")
    if where == "slack":
        await scene.in_discord["anna"].press(discord, "Freeze", message=seen)
        await scene.in_discord["anna"].wait_for_whisper("answered already: wait by Boris")
    else:
        await scene.in_slack["anna"].press(slack, "Freeze", message=old)
        await scene.in_slack["anna"].wait_for_whisper("answered already: wait by Boris")


async def test_two_accounts_of_one_person_are_one_approval(scene: BothScene) -> None:
    """Anna approves in Slack and again in Discord: one vote; Boris in Discord is the second person."""
    incident_id, site = PREPARED["two"]
    slack, discord = await scene.channels(incident_id)
    await scene.slack.wait_for_message(slack, "[Approve and cut over]")
    await scene.in_slack["anna"].press(slack, "Approve and cut over")
    await scene.in_slack["anna"].wait_for_modal(containing=PLAN_HASH)
    await scene.in_slack["anna"].submit({"typed": site})
    await scene.in_both(incident_id, "So far: Anna", "So far: Anna")
    await approve_in_discord(scene, "anna", discord, site)
    await scene.in_discord["anna"].wait_for_whisper("1 more person(s)")
    (decision,) = await decisions(scene, incident_id)
    assert (decision.state, set(decision.votes)) == (DecisionState.OPEN, {"Anna"})
    await approve_in_discord(scene, "boris", discord, site)
    await scene.in_both(
        incident_id,
        "✅ *Approve and cut over* — Anna and Boris",
        "✅ **Approve and cut over** — Anna and Boris",
    )
    approved = [text for text in await scene.timeline(incident_id) if "approved the plan" in text]
    assert len(approved) == 2


async def approve_in_discord(scene: BothScene, name: str, channel: str, site: str) -> None:
    await scene.discord.wait_for_message(channel, "[Approve and cut over]")
    await scene.in_discord[name].press(channel, "Approve and cut over")
    await scene.in_discord[name].wait_for_modal(containing=PLAN_HASH)
    await scene.in_discord[name].submit({"typed": site})


async def test_one_platform_away_leaves_the_other_alone(scene: BothScene) -> None:
    """With Slack down Discord goes on, and tells it; afterwards Slack has everything."""
    incident_id, _ = PREPARED["one"]
    _, discord = await scene.channels(incident_id)
    await scene.slack.go_down()
    await scene.in_discord["anna"].command(discord, "/incident note", text="Slack is away")
    await until(lambda: scene.timeline(incident_id), lambda found: "Slack is away" in found)
    await scene.in_discord["anna"].command(discord, "/incident escalate", reason="nobody reads Slack")
    await scene.in_discord["dora"].wait_for_direct("you are needed (call 1)")
    await scene.discord.wait_for_message(discord, "Slack takes no messages")
    await scene.slack.come_up()
    slack, _ = await scene.channels(incident_id)
    await scene.slack.wait_for_message(slack, "has been brought up to date", timeout_s=40)
    await scene.slack.wait_for_socket(timeout_s=20)


async def clicked_at_once(scene: BothScene, incident_id: str, numbers: range) -> None:
    """In each round one person clicks in Slack and another in Discord at the same moment; one of them is taken."""
    slack, discord = await scene.channels(incident_id)
    for number in numbers:
        await scene.slack.wait_for_message(slack, f"[Yes {number}]", timeout_s=60)
        await scene.discord.wait_for_message(discord, f"[No {number}]", timeout_s=60)
        await asyncio.gather(
            scene.in_slack["anna"].press(slack, f"Yes {number}"),
            scene.in_discord["boris"].press(discord, f"No {number}"),
        )

        async def answered(tx: Transaction, number: int = number) -> Decision | None:
            found = await tx.decisions(incident_id=incident_id, open_only=False)
            return next((one for one in found if one.purpose == f"round-{number}" and one.answer), None)

        decision = await until(lambda: scene.records(answered), lambda found: found is not None)
        assert decision is not None
        assert len(decision.votes) == 1
    entries = await scene.records(lambda tx: tx.entries(incident_id))
    for number in numbers:
        mine = [one for one in entries if str(one.data.get("decision_id", "")).endswith(f".round-{number}.1")]
        kinds = [one.kind.value for one in mine]
        assert kinds.count("decision.voted") == 1
        assert kinds.count("decision.answered") == 1


async def test_a_click_in_each_at_the_same_moment_is_one_effect(scene: BothScene) -> None:
    """Twenty rounds; whoever comes second is refused, and both platforms show the one answer."""
    incident_id, _ = PREPARED["rounds 0"]
    await clicked_at_once(scene, incident_id, range(ROUNDS))


@pytest.mark.long
@pytest.mark.timeout(1500)
async def test_a_click_in_each_five_hundred_times(tmp_path: Path) -> None:
    """Five hundred rounds, over twenty-five incidents."""
    async with both_scene(tmp_path / "many", MANY_ROUNDS) as scene:
        for first in range(0, MANY_ROUNDS, EACH_INCIDENT):
            incident_id, _ = PREPARED[f"rounds {first}"]
            await clicked_at_once(scene, incident_id, range(first, first + EACH_INCIDENT))
