"""What persons do in the stand-in of Discord reaches the real discord.py, whatever it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import discord as library
import pytest

from tests.contract.discord_bot import Bot, bot_on, decision
from tests.contract.discord_fixtures import ada, discord, discord_address, general, responders
from tests.fakes.discord.client import ControlError, Discord, Person

__all__ = ["ada", "discord", "discord_address", "general", "responders"]


async def until(true: Callable[[], object]) -> None:
    """Wait until the bot has taken notice."""
    for _ in range(250):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the bot took no notice")


class Pick(library.ui.View):
    """A menu of words and a menu of people."""

    def __init__(self, bot: Bot) -> None:
        super().__init__(timeout=None)
        self.bot = bot

    @library.ui.select(
        custom_id="step",
        placeholder="Which step?",
        options=[library.SelectOption(label="Freeze", value="1"), library.SelectOption(label="Assess")],
        max_values=2,
    )
    async def step(self, interaction: library.Interaction, menu: Any) -> None:
        self.bot.heard.append(menu.values)
        await interaction.response.defer()

    @library.ui.select(cls=library.ui.UserSelect, custom_id="who")
    async def who(self, interaction: library.Interaction, menu: Any) -> None:
        self.bot.heard.append([one.name for one in menu.values])
        await interaction.response.send_message("Noted.", ephemeral=True)


async def test_options_of_every_kind(discord: Discord, ada: Person, general: str) -> None:
    """Each value arrives as what it names; what cannot be typed is not sent."""
    options: Any = {
        "who": "ada",
        "where": "general",
        "role": "responders",
        "minutes": 5,
        "quiet": True,
        "share": 0.5,
        "step": "assess",
    }
    async with bot_on(discord) as bot:
        await ada.command(general, "/incident page", **options)
        for name, value in (("minutes", 61), ("minutes", "5"), ("step", "other"), ("quiet", 1)):
            with pytest.raises(ControlError):
                await ada.command(general, "/incident page", **{**options, name: value})
    assert bot.heard == [("ada", "general", "responders", 5, True, 0.5, "assess")]
    [said] = await discord.messages("general")
    assert (said["visible"], said["notified"]) == ("Paged @ada.", [])
    assert await discord.violations() == []


async def test_files_come_with_every_kind_of_answer(discord: Discord, ada: Person, general: str) -> None:
    """With the first answer, with a followup, and in the place of others by an edit."""
    async with bot_on(discord):
        await ada.command(general, "/incident files")
        await discord.wait_for_message("general", "last")
    assert [(one["content"], one["files"]) for one in await discord.messages("general")] == [
        ("last", ["d.md"]),
        ("more", ["b.md", "c.md"]),
    ]
    assert [one["content"] for one in await discord.files()] == ["d.md", "b.md", "c.md"]
    assert await discord.violations() == []


async def test_menus(discord: Discord, ada: Person, general: str) -> None:
    """Words by label or value, people by name; as many as may be chosen."""
    async with bot_on(discord) as bot:
        await (await bot.channel_named("general")).send("Next?", view=Pick(bot))
        await ada.choose(general, "Which step?", ["Freeze", "Assess"])
        await ada.choose(general, "who", "ada")
        with pytest.raises(ControlError, match="is none of"):
            await ada.choose(general, "step", "Other")
        with pytest.raises(ControlError, match="3 are chosen"):
            await ada.choose(general, "step", ["1", "Assess", "Assess"])
    assert bot.heard == [["1", "Assess"], ["ada"]]
    assert "<Which step?: Freeze, Assess>" in await discord.text("general")
    assert await discord.violations() == []


async def test_a_button_in_a_direct_message(discord: Discord, ada: Person, general: str) -> None:
    """Pressed in a direct message: a user and no member, and the message there is edited."""
    async with bot_on(discord) as bot:
        user = await bot.fetch_user(int(ada.id))
        await user.send("Are you there?", view=decision("acknowledge"))
        await ada.press_in_direct("Acknowledge")
        await ada.write_direct("on my way")
        await until(lambda: len(bot.heard) == 2)
    assert (bot.heard[0].guild, bot.heard[0].user.name, bot.heard[1].content) == (None, "ada", "on my way")
    assert [one["visible"] for one in await ada.direct_messages()] == ["Answered.", "on my way"]
    assert await discord.violations() == []


async def test_the_bot_sees_what_people_do(discord: Discord, ada: Person, general: str) -> None:
    """Roles, people, channels, threads and messages that change by hand are told over the gateway."""
    async with bot_on(discord) as bot:
        guild = bot.guilds[0]
        message = await (await bot.channel_named("general")).send("status")
        thread = await message.create_thread(name="Step 2")
        await until(lambda: guild.get_thread(thread.id))
        await ada.archive("Step 2")
        await until(lambda: guild.get_thread(thread.id) is None)
        await ada.lose_role("responders")
        await until(lambda: len(guild.get_member(int(ada.id)).roles) == 1)  # type: ignore[union-attr]
        await ada.react(general, str(message.id))
        await ada.delete_message(general, str(message.id))
        await discord.add_channel("later")
        await until(lambda: library.utils.get(guild.text_channels, name="later"))
        await ada.delete_channel("later")
        await until(lambda: not library.utils.get(guild.text_channels, name="later"))
        await ada.leave()
        await until(lambda: guild.get_member(int(ada.id)) is None)
        await discord.remove_bot()
        await until(lambda: not bot.guilds)
        await discord.invite_bot()
        await until(lambda: bot.guilds)
    assert await discord.violations() == []


async def test_rights_decide_who_is_offered_a_command(
    discord: Discord, ada: Person, general: str, responders: str
) -> None:
    """A channel's overwrite takes the right to use commands; what is private is pressed by nobody else."""
    private = await discord.add_channel("private", only=[responders])
    bob = await discord.add_person("bob")
    await discord.overwrite(general, bob.id, deny=["use_application_commands"])
    async with bot_on(discord) as bot:
        await (await bot.channel_named("private")).send("Cut over?", view=decision("approve"))
        with pytest.raises(ControlError, match="may not use commands"):
            await bob.command(general, "/incident slow")
        with pytest.raises(ControlError, match="does not see"):
            await bob.press(private, "Approve")
        await bob.get_role("responders")
        await bob.press(private, "Approve")
    assert [one.user.name for one in bot.heard] == ["bob"]
    assert await discord.violations() == []
