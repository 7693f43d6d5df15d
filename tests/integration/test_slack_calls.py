"""Calls and the end of an incident in Slack: rung until somebody has it, the report as a file, the channel archived."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.slack_scene import Opened, SlackScene, slack_scene, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SlackScene]:
    folder = tmp_path_factory.mktemp("slack")
    async with slack_scene(folder, archive=True, page_again=1.5, ack_lapses=2) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def scene(shared: SlackScene) -> AsyncIterator[SlackScene]:
    yield shared
    await shared.no_violations()


async def called(scene: SlackScene) -> Opened:
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.anna.command(incident.name, "/incident escalate keys are in the way")
    return incident


async def test_the_dba_is_called_until_somebody_has_it(scene: SlackScene) -> None:
    """Mentioned in the channel and called directly, again, then the next contact; Acknowledge ends it everywhere."""
    incident = await called(scene)
    mention = await scene.slack.wait_for_message(incident.name, "Dora, you are needed: keys are in the way")
    assert mention["notified"] == [f"@{scene.dora.id}"]
    direct = await scene.dora.wait_for_direct("Dora, you are needed (call 1)")
    assert "keys are in the way" in str(direct["blocks"])
    assert f"<#{incident.channel}>" in str(direct["blocks"])
    await scene.dora.wait_for_direct("Dora, you are needed (call 2)")
    await scene.boris.wait_for_direct("Boris, you are needed (call 3)")
    await scene.boris.press_in_direct("I have it")
    await scene.slack.wait_for_message(incident.name, "Boris has it")
    await scene.at_rest(incident.id)
    for person in (scene.boris, scene.dora):
        mine = [one for one in await person.direct_messages() if incident.id in str(one["blocks"])]
        assert [
            one for one in mine if "I have it" in str(one["blocks"]) and "actions" in str(one["blocks"])
        ] == []
    await scene.boris.command(incident.name, "/incident note on my way")
    await scene.noted(incident, "on my way")


def called_before(texts: list[str]) -> int:
    """Return how many calls there were before the first was said to have lapsed."""
    lapsed = next(place for place, text in enumerate(texts) if "nothing followed" in text)
    return len([text for text in texts[:lapsed] if text.startswith("Calling")])


async def test_a_call_that_was_taken_is_made_again_when_nothing_follows(scene: SlackScene) -> None:
    """Whoever said so and then fell asleep again does not leave the incident alone."""
    incident = await called(scene)
    await scene.slack.wait_for_message(incident.name, "[I have it]")
    await scene.dora.command(incident.name, "/incident ack")
    await scene.slack.wait_for_message(incident.name, "Dora has it")
    calls = await until(
        lambda: scene.timeline(incident.id), lambda texts: any("nothing followed" in t for t in texts)
    )
    await scene.slack.wait_for_message(incident.name, f"you are needed (call {called_before(calls) + 1})")
    await scene.dora.command(incident.name, "/incident ack")
    await scene.dora.command(incident.name, "/incident note here I am")
    await scene.noted(incident, "here I am")


async def test_the_report_is_a_file_in_both_channels(scene: SlackScene) -> None:
    """A draft at any time; at the end the final one, here and in the report channel, bookmarked, then the archive."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.anna.command(incident.name, "/incident report")
    await scene.slack.wait_for_message(incident.name, "a draft")
    await scene.anna.command(incident.name, "/incident close false alarm")
    await scene.slack.wait_for_message(scene.reports, f"Post-mortem of {incident.id}")
    await scene.at_rest(incident.id)
    files = [one for one in await scene.slack.files() if incident.id in one["title"]]
    channels = [
        set(one["channels"]) for one in files if "Draft: the incident is not closed" not in one["content"]
    ]
    assert {incident.channel} in channels
    assert {scene.reports} in channels
    assert len(files) == 3
    channel = await scene.slack.channel(incident.name)
    (bookmark,) = channel["bookmarks"]
    assert bookmark["title"] == "Report"
    report = await scene.slack.wait_for_message(incident.name, f"Post-mortem of {incident.id}")
    assert bookmark["link"].endswith(report["ts"].replace(".", ""))
    assert not channel["is_archived"]
