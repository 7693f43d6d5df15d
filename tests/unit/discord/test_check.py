"""`backout check` tells what Discord lacks, before the night in which it is needed; the README asks for just that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.discord_chat.check import check_discord
from adapters.discord_chat.rights import BITS, PERMISSIONS, REASONS, SCOPES, invitation
from adapters.discord_chat.settings import DiscordOptions
from bot.model.secret import Secret
from tests.fakes.discord.client import Discord
from tests.fakes.discord.permits import BITS as THEIR_BITS
from tests.fakes.discord.permits import OF_BOT

README = Path(__file__).resolve().parents[3] / "README.md"


@pytest.fixture
async def discord() -> AsyncIterator[Discord]:
    async with Discord.started() as started:
        yield started


def options_of(discord: Discord, **more: str) -> DiscordOptions:
    return DiscordOptions(
        api_url=discord.api_url,
        gateway_url=discord.gateway_url,
        guild_id=discord.guild_id,
        token=Secret(discord.bot_token),
        call_timeout_s=2,
        responders_role=more.get("role"),
        report_channel=more.get("reports"),
    )


async def test_a_discord_that_is_set_up_has_nothing_to_say(discord: Discord) -> None:
    """Token, server, permissions, role, report channel and people are as they should be."""
    role = await discord.add_role("responders")
    ada = await discord.add_person("ada")
    reports = await discord.add_channel("reports")
    lines = await check_discord(options_of(discord, role=role, reports=reports), [("Ada", ada.id)])
    assert [line for line, good in lines if not good] == []
    assert "Discord: Ada is ada" in [line for line, _ in lines]
    assert await discord.violations() == []


async def test_what_is_missing_is_named(discord: Discord) -> None:
    """Someone who left, a permission, a role and a channel that are not there, each in words."""
    ada = await discord.add_person("ada")
    await ada.leave()
    reports = await discord.add_channel("reports", only=[ada.id])
    await discord.set_bot_permissions(set(OF_BOT) - {"pin_messages"})
    gone = await discord.add_channel("gone")
    lines = await check_discord(options_of(discord, role=gone, reports=reports), [("Ada", ada.id)])
    missing = "\n".join(line for line, good in lines if not good)
    assert "Ada" in missing
    assert "lacks the permission Pin Messages: pin the status" in missing
    assert "there is no role" in missing
    await discord.remove_bot()
    assert "oauth2/authorize" in str(await check_discord(options_of(discord), []))
    await discord.set_token("revoked")
    assert "401" in str(await check_discord(options_of(discord), []))


async def test_a_discord_that_is_not_reached_is_said(discord: Discord) -> None:
    """One line, and no fault."""
    await discord.go_down()
    ((line, good),) = await check_discord(replace(options_of(discord), call_timeout_s=1), [])
    assert not good
    assert line.startswith("Discord: ")


def test_the_readme_asks_for_what_the_code_needs() -> None:
    """Number, scopes, and each permission with its reason stand in the README, and nothing else."""
    text = README.read_text(encoding="utf-8")
    assert f"permissions={PERMISSIONS}" in text
    for scope, reason in SCOPES.items():
        assert f"| `{scope}` | {reason} |" in text
    rows = [
        line for line in text.splitlines() if line.startswith("| ") and line.split("|")[1].strip() in BITS
    ]
    assert rows == [f"| {name} | {reason} |" for name, reason in REASONS.items()]
    assert f"permissions={PERMISSIONS}" in invitation("1")


def test_the_bits_are_discord_s() -> None:
    """Each permission has the bit of Discord's documentation, as the stand-in has it."""
    named = {"View Channels": "view_channel"}
    for name, bit in BITS.items():
        assert THEIR_BITS[named.get(name, name.lower().replace(" ", "_"))] == bit
    assert set(REASONS) == set(BITS)
