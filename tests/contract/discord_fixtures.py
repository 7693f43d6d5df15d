"""Fixtures for the tests of the stand-in of Discord: one process for each file, a new server for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.fakes.common.process import running
from tests.fakes.discord.client import Discord, Person


@pytest.fixture(scope="module")
def discord_address() -> Iterator[str]:
    with running("discord") as address:
        yield address


@pytest.fixture
async def discord(discord_address: str) -> AsyncIterator[Discord]:
    async with Discord.at(discord_address) as discord:
        await discord.reset()
        await discord.check_answers()
        yield discord


@pytest.fixture
async def schema(discord: Discord) -> None:
    """Ask for Discord's public description, which is read from beside the repository and is no part of it."""
    if not await discord.has_schema():
        pytest.skip(
            "../shared/specs/discord-openapi.json is not there: bodies are held to our own rules only"
        )


@pytest.fixture
async def responders(discord: Discord) -> str:
    return await discord.add_role("responders")


@pytest.fixture
async def ada(discord: Discord, responders: str) -> Person:
    return await discord.add_person("ada", roles=[responders])


@pytest.fixture
async def general(discord: Discord, ada: Person) -> str:
    return await discord.add_channel("general")
