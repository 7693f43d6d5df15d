"""Signed HTTP: the way in for several replicas. What is not signed, or too old, is nobody's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.slack_scene import SlackScene, slack_scene, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SlackScene]:
    async with slack_scene(tmp_path_factory.mktemp("slack"), over_http=True) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def scene(shared: SlackScene) -> AsyncIterator[SlackScene]:
    yield shared
    await shared.no_violations()


async def test_the_address_answers_slack_s_challenge(scene: SlackScene) -> None:
    """Slack takes the address in the app's settings."""
    assert (await scene.slack.verify_url())["ok"]


async def test_an_incident_over_http(scene: SlackScene) -> None:
    """Commands, buttons, modals and events come in as signed requests and do what they do over the socket."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.anna.command(incident.name, "/app freeze")
    await scene.slack.wait_for_message(incident.name, "[Not now]")
    await scene.boris.press(incident.name, "Not now")
    await scene.slack.wait_for_message(incident.name, "✅ *Not now* — Boris")
    await scene.anna.command(scene.general, "/incident start")
    await scene.anna.wait_for_modal(containing="What happened?")
    site = scene.site()
    await scene.anna.submit({"site": site, "what": "over http", "severity": "low"})
    await scene.incident(f"inc-{site}-1", site)


@pytest.mark.parametrize(("signature", "age_s"), [("bad", 0.0), ("none", 0.0), ("good", 600.0)])
async def test_what_is_not_signed_does_nothing(scene: SlackScene, signature: str, age_s: float) -> None:
    """A wrong signature, none, or one of ten minutes ago: refused, and nothing came in."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    await scene.slack.sign_next(signature, age_s=age_s)  # type: ignore[arg-type]
    delivery = await scene.anna.command(incident.name, "/incident note forged")
    assert delivery.status == 401
    await scene.anna.command(incident.name, "/incident note signed")
    await scene.noted(incident, "signed")
    assert "forged" not in await scene.timeline(incident.id)


async def test_an_event_that_is_sent_again_has_one_effect(scene: SlackScene) -> None:
    """Slack sends an event up to three times more, with X-Slack-Retry-Num; one answer is given."""
    incident = await scene.opened()
    await scene.at_rest(incident.id)
    earlier = len(await scene.anna.whispers())
    delivery = await scene.anna.mention(incident.name, "incident note mentioned")
    await until(scene.anna.whispers, lambda seen: len(seen) == earlier + 1)
    before = earlier + 1
    for number in (1, 2, 3):
        await scene.slack.deliver_again(delivery, retry_num=number)
    await scene.anna.mention(incident.name, "incident contacts")
    await scene.anna.wait_for_whisper("Contacts of")
    await asyncio.sleep(0.5)  # what came in before has had its time to be answered too
    assert len(await scene.anna.whispers()) == before + 1
    await scene.restart()
    await scene.slack.deliver_again(delivery, retry_num=3)
    await scene.anna.wait_for_whisper("received already")
    assert (await scene.timeline(incident.id)).count("mentioned") == 1
