"""An incident in Slack: opened by a command, a channel of its own, decisions by button, all told to who may know."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.slack_scene import INCIDENT, SlackScene, slack_scene


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[SlackScene]:
    async with slack_scene(tmp_path) as made:
        yield made


async def test_an_incident_has_its_own_channel(scene: SlackScene) -> None:
    """One command: acked at once, a channel with topic, people and a pinned status, and a link to it for who typed."""
    delivery = await scene.anna.command(scene.general, "/incident start album rows are gone")
    assert delivery.error == ""
    name = await scene.channel()
    assert re.fullmatch(r"inc-\d{8}-album-rows-are-gone", name)
    reply = await scene.anna.wait_for_whisper("is open")
    await scene.at_rest()
    channel = await scene.slack.channel(name)
    members = {scene.anna.id, scene.boris.id, scene.clara.id, scene.dora.id}
    assert members <= set(channel["members"])
    assert scene.mallory.id not in channel["members"]
    assert channel["topic"] == f"album: rows are gone ({INCIDENT})"
    assert channel["id"] in str(reply)
    pinned = [one for one in await scene.slack.messages(name) if one["pinned"]]
    assert len(pinned) == 1
    assert "downtime so far" in str(pinned[0]["blocks"])
