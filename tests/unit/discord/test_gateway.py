"""The connection that is kept: tried less and less while Discord refuses it, and told when nothing comes in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.discord_chat.gateway import Gateway
from adapters.discord_chat.settings import DiscordOptions
from bot.model.secret import Secret
from commands.catalog import forms
from tests.fakes.discord.client import Discord


class Ears:
    """What was told of hearing, in its order."""

    def __init__(self) -> None:
        self.told: list[str | None] = []

    async def hearing(self, platform: str, trouble: str | None) -> None:
        assert platform == "discord"
        self.told.append(trouble)


class Gone:
    """What was told of channels that are gone."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[str] = asyncio.Queue()

    async def on_channel_gone(self, channel: str) -> None:
        self.told.put_nowait(channel)


def options_of(discord: Discord) -> DiscordOptions:
    return DiscordOptions(
        api_url=discord.api_url,
        gateway_url=discord.gateway_url,
        guild_id=discord.guild_id,
        token=Secret(discord.bot_token),
        retry_interval_s=0.1,
    )


@pytest.fixture
async def discord() -> AsyncIterator[Discord]:
    async with Discord.started() as started:
        yield started
        assert await started.violations() == []


async def test_a_refused_token_is_tried_less_and_less(discord: Discord) -> None:
    """Each wait is twice the one before, so that no day's thousand sessions are used up; a good token ends it."""
    await discord.set_token("revoked")
    ears: Any = Ears()
    nobody: Any = object()  # nothing comes in here
    gateway = Gateway(options_of(discord), nobody, forms(), ears)
    gateway.start()
    try:
        logins = await discord.wait_for_call("get_my_user", count=5, timeout_s=20)
        at = [one["at_s"] for one in logins]
        assert at[4] - at[3] > 0.7
        assert all("4004" in trouble for trouble in ears.told)
        await discord.set_token("good")
        await discord.wait_for_gateway(timeout_s=20)
        async with asyncio.timeout(20):
            while None not in ears.told:  # noqa: ASYNC110 - another process makes it so
                await asyncio.sleep(0.05)
        assert {one["name"] for one in await discord.wait_for_commands(count=5)} == {
            "incident",
            "backups",
            "restore",
            "app",
            "Add to the timeline",
        }
    finally:
        await gateway.close()


async def test_a_deleted_channel_is_told_at_once(discord: Discord) -> None:
    """What Discord tells of a channel that is gone is handed on, before anything is sent there."""
    ada = await discord.add_person("ada")
    await discord.add_channel("kept")
    channel = await discord.add_channel("inc-1")
    ears: Any = Ears()
    gone: Any = Gone()
    gateway = Gateway(options_of(discord), gone, forms(), ears)
    gateway.start()
    try:
        await discord.wait_for_gateway(timeout_s=20)
        await ada.delete_channel(channel)
        async with asyncio.timeout(20):
            assert await gone.told.get() == channel
    finally:
        await gateway.close()
