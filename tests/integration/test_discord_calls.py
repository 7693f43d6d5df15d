"""Calls and the end of an incident in Discord: rung until somebody has it, the report as a file."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.chat_scene import Opened, until
from tests.integration.discord_scene import DiscordScene, discord_scene

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DiscordScene]:
    folder = tmp_path_factory.mktemp("discord")
    async with discord_scene(folder, page_again=1.5, ack_lapses=2) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def scene(shared: DiscordScene) -> AsyncIterator[DiscordScene]:
    yield shared
    await shared.no_violations()


async def called(scene: DiscordScene) -> Opened:
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.anna.command(incident.channel, "/incident escalate", reason="keys are in the way")
    return incident


async def test_the_dba_is_called_until_somebody_has_it(scene: DiscordScene) -> None:
    """Mentioned in the channel and called directly, again, then the next contact; Acknowledge ends it everywhere."""
    incident = await called(scene)
    mention = await scene.discord.wait_for_message(
        incident.channel, "Dora, you are needed: keys are in the way"
    )
    assert mention["notified"] == [scene.dora.id]
    direct = await scene.dora.wait_for_direct("Dora, you are needed (call 1)")
    assert "keys are in the way" in direct["visible"]
    assert f"#{incident.name}" in direct["visible"]
    await scene.dora.wait_for_direct("Dora, you are needed (call 2)")
    await scene.boris.wait_for_direct("Boris, you are needed (call 3)")
    await scene.boris.press_in_direct("I have it")
    await scene.discord.wait_for_message(incident.channel, "Boris has it")
    await scene.at_rest(incident.id)
    for person in (scene.boris, scene.dora):
        mine = [one for one in await person.direct_messages() if incident.id in one["visible"]]
        assert mine
        assert [one for one in mine if one["components"]] == []
    await scene.note(scene.boris, incident, "on my way")
    await scene.noted(incident, "on my way")


async def test_a_call_that_was_taken_is_made_again_when_nothing_follows(scene: DiscordScene) -> None:
    """Whoever said so and then fell asleep again does not leave the incident alone."""
    incident = await called(scene)
    await scene.discord.wait_for_message(incident.channel, "[I have it]")
    await scene.dora.command(incident.channel, "/incident ack")
    await scene.discord.wait_for_message(incident.channel, "Dora has it")
    calls = await until(
        lambda: scene.timeline(incident.id), lambda texts: any("nothing followed" in t for t in texts)
    )
    lapsed = next(place for place, text in enumerate(calls) if "nothing followed" in text)
    before = len([text for text in calls[:lapsed] if text.startswith("Calling")])
    await scene.discord.wait_for_message(incident.channel, f"you are needed (call {before + 1})")
    await scene.dora.command(incident.channel, "/incident ack")
    await scene.note(scene.dora, incident, "here I am")
    await scene.noted(incident, "here I am")


async def test_the_report_is_a_file_in_both_channels(scene: DiscordScene) -> None:
    """A draft at any time; at the end the final one, here and in the report channel, pinned beside the status."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.anna.command(incident.channel, "/incident report")
    draft = await scene.discord.wait_for_message(incident.channel, "a draft")
    await scene.anna.command(incident.channel, "/incident close", outcome="false alarm")
    await scene.discord.wait_for_message(scene.reports, f"Post-mortem of {incident.id}")
    await scene.at_rest(incident.id)
    files = [one for one in await scene.discord.files() if incident.id in one["name"]]
    final = [one["channel_id"] for one in files if "Draft: the incident is not closed" not in one["content"]]
    assert sorted(final) == sorted([incident.channel, scene.reports])
    report = await scene.discord.wait_for_message(incident.channel, f"Post-mortem of {incident.id}")
    assert (report["id"], report["files"]) == (draft["id"], [f"{incident.id}.md"])
    pinned = {one["id"] for one in await scene.discord.pins(incident.channel)}
    assert report["id"] in pinned
    assert len(pinned) == 2
