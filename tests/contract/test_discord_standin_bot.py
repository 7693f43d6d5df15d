"""The stand-in of Discord delivers to the real discord.py, and finds what a bot does wrong with interactions."""

from __future__ import annotations

import asyncio

import discord as library
import pytest

from tests.contract.discord_bot import Bot, bot_on, decision
from tests.contract.discord_fixtures import ada, discord, discord_address, general, responders
from tests.fakes.discord.client import ControlError, Discord, Person

__all__ = ["ada", "discord", "discord_address", "general", "responders"]


async def post_decision(bot: Bot, *answers: str) -> library.Message:
    channel = await bot.channel_named("general")
    return await channel.send("Cut over?", view=decision(*answers))


async def test_a_command_is_answered_and_its_answer_whispered(
    discord: Discord, ada: Person, general: str
) -> None:
    """The bot hears who typed what and where; the ephemeral answer is seen by one person only."""
    async with bot_on(discord) as bot:
        delivery = await ada.command(general, "/incident start", site="album", summary="rows are gone")
    [heard] = bot.heard
    assert (heard.user.id, heard.channel.name, heard.guild.name) == (int(ada.id), "general", "Backout tests")
    assert delivery.ack_ms is not None
    assert 0 < delivery.ack_ms < 3000
    assert [one["visible"] for one in await ada.whispers(general)] == ["Working on album: rows are gone"]
    assert await discord.messages(general) == []
    assert await discord.violations() == []


async def test_a_press_edits_its_message(discord: Discord, ada: Person, general: str) -> None:
    """A press reaches the item that is made of its custom_id, and the answer takes the buttons away."""
    async with bot_on(discord) as bot:
        message = await post_decision(bot, "approve")
        delivery = await ada.press(general, "Approve")
    assert delivery.answer is not None
    assert (delivery.answer["type"], delivery.response_id) == (7, str(message.id))
    [held] = await discord.messages(general)
    assert (held["visible"], held["edits"], held["components"]) == ("Answered.", 1, [])
    assert await discord.violations() == []


async def test_buttons_outlive_the_bot(discord: Discord, ada: Person, general: str) -> None:
    """A button posted by one process is answered by the next: its state is its custom_id alone."""
    async with bot_on(discord) as bot:
        await post_decision(bot, "approve")
    async with bot_on(discord):
        delivery = await ada.press(general, "Approve")
    assert delivery.error == ""
    assert (await discord.messages(general))[0]["visible"] == "Answered."
    assert await discord.violations() == []


async def test_a_press_on_what_is_no_longer_there(discord: Discord, ada: Person, general: str) -> None:
    """An old copy of a message can still be pressed, as on a screen that has not caught up."""
    async with bot_on(discord) as bot:
        await post_decision(bot, "approve")
        [old] = await discord.messages(general)
        await ada.press(general, "Approve")
        with pytest.raises(ControlError, match="sees no Approve"):
            await ada.press(general, "Approve")
        await ada.press(general, "Approve", message=old)
        await ada.delete_message(general, old["id"])
        pressed = asyncio.create_task(ada.press(general, "Approve", message=old))
        await discord.wait_for_call("create_interaction_response", count=3)
        await discord.advance(4)
        assert (await pressed).error == "did_not_respond"
    assert [one["answer"] for one in await discord.calls("create_interaction_response")] == [
        "200",
        "200",
        "404 10008",
    ]
    assert await discord.violations() == []


async def test_a_modal_is_opened_filled_and_submitted(discord: Discord, ada: Person, general: str) -> None:
    """An empty field cannot be submitted; an answer closes the modal; a cancelled one tells the bot nothing."""
    async with bot_on(discord) as bot:
        await post_decision(bot, "confirm")
        await ada.press(general, "Confirm")
        modal = await ada.wait_for_modal(containing="Type the site's name")
        assert modal["content"]["title"] == "Cut over"
        with pytest.raises(ControlError, match="must be filled in"):
            await ada.submit({})
        await ada.submit({"site": "album"})
        assert await ada.modal() is None
        await ada.wait_for_whisper("You typed album.")
        await ada.press(general, "Confirm")
        await ada.cancel()
    assert await ada.modal() is None
    assert [one.kind for one in await discord.deliveries()] == ["component", "modal", "component"]
    assert await discord.violations() == []


async def test_a_modal_does_not_outlive_the_bot(discord: Discord, ada: Person, general: str) -> None:
    """The library knows a modal only in the process that opened it: without an answer it stays open, with an error."""
    async with bot_on(discord) as bot:
        await post_decision(bot, "confirm")
        await ada.press(general, "Confirm")
    async with bot_on(discord):
        submitted = asyncio.create_task(ada.submit({"Type the site's name": "album"}))
        await discord.wait_for_delivery(answered=False, count=2)
        await discord.advance(3.1)
        delivery = await submitted
    modal = await ada.modal()
    assert modal is not None
    assert (delivery.error, modal["error"]) == ("did_not_respond", "Something went wrong. Try again.")
    assert [one.rule for one in await discord.violations()] == ["answer_late"]


async def test_a_deferral_is_filled_by_the_first_followup(
    discord: Discord, ada: Person, general: str
) -> None:
    """The first followup takes the place of "is thinking", hidden or not as the deferral said; later ones are new."""
    async with bot_on(discord):
        open_one = await ada.command(general, "/incident think", hidden=False)
        await discord.wait_for_message(general, "The better plan.")
        await ada.command(general, "/incident think", hidden=True)
        await ada.wait_for_whisper("The better plan.")
    assert open_one.answer == {"type": 5}
    assert [one["visible"] for one in await discord.messages(general)] == ["The better plan."]
    assert [one["visible"] for one in await ada.whispers()] == ["And more.", "The better plan.", "And more."]
    assert await discord.violations() == []


async def test_an_option_completes_itself(discord: Discord, ada: Person, general: str) -> None:
    """At most 25 choices come for what was typed so far."""
    async with bot_on(discord):
        everything = await ada.autocomplete(general, "/incident start", "site")
        some = await ada.autocomplete(general, "/incident start", "site", site="album-3")
    assert len(everything.choices) == 25
    assert [one["value"] for one in some.choices][:2] == ["album-3", "album-30"]
    assert await discord.violations() == []


async def test_a_message_is_kept_by_its_menu(discord: Discord, ada: Person, general: str) -> None:
    """The message comes with its words even where the bot may not read others' messages."""
    await discord.allow_intents(["members", "message_content"])
    async with bot_on(discord) as bot:
        message_id = await ada.say(general, "it began at 03:12")
        await discord.allow_intents([])
        await ada.message_menu("Add to timeline", general, message_id)
    assert bot.heard[-1] == "it began at 03:12"
    assert await discord.violations() == []


async def test_what_a_window_would_not_let_a_person_do(
    discord: Discord, ada: Person, general: str, responders: str
) -> None:
    """Unknown commands, options left out, too long or unknown, channels not seen: nothing is sent."""
    await discord.add_channel("private", only=[responders])
    bob = await discord.add_person("bob")
    async with bot_on(discord) as bot:
        for deed in (
            ada.command(general, "/unknown"),
            ada.command(general, "/incident stop"),
            ada.command(general, "/incident start", site="album"),
            ada.command(general, "/incident start", site="album", summary="x" * 81),
            ada.command(general, "/incident start", site="album", summary="x", host="y"),
            ada.message_menu("Unknown", general, "1"),
            bob.command("private", "/incident start", site="album", summary="x"),
            ada.press(general, "Approve"),
        ):
            with pytest.raises(ControlError):
                await deed
    assert bot.heard == []
    assert await discord.deliveries() == []


async def test_without_a_first_answer_the_person_reads_so(
    discord: Discord, ada: Person, general: str
) -> None:
    """After three seconds the interaction is over: a violation, and a late answer is refused with 10062."""
    async with bot_on(discord) as bot:
        bot.wait_s = 1.0
        typed = asyncio.create_task(ada.command(general, "/incident slow"))
        await discord.wait_for_delivery(answered=False)
        await discord.advance(3.1)
        delivery = await typed
        await discord.wait_for_call("create_interaction_response")
    assert (delivery.ack_ms, delivery.error) == (None, "did_not_respond")
    assert [one.rule for one in await discord.violations()] == ["answer_late"]
    [call] = await discord.calls("create_interaction_response")
    assert call["answer"] == "404 10062"


async def test_nobody_there(discord: Discord, ada: Person, general: str) -> None:
    """Without a connection nobody answers; that is no fault of the bot's."""
    async with bot_on(discord):
        pass
    await discord.wait_for_no_gateway()
    typed = asyncio.create_task(ada.command(general, "/incident slow"))
    await discord.wait_for_delivery(answered=False)
    await discord.advance(4)
    delivery = await typed
    assert (delivery.error, delivery.bot_was_there) == ("did_not_respond", False)
    assert await discord.violations() == []


async def test_an_interaction_is_answered_once(discord: Discord, ada: Person, general: str) -> None:
    """A second first answer is 40060 and a violation, unless the test had dropped the answer to the first."""
    async with bot_on(discord) as bot:
        await ada.command(general, "/incident start", site="album", summary="x")
        again = library.InteractionResponse(bot.heard[0])
        with pytest.raises(library.HTTPException) as caught:
            await again.send_message("twice")
        assert caught.value.code == 40060
        await discord.fault("create_interaction_response", "drop_after")
        await ada.command(general, "/incident start", site="album", summary="y")
        with pytest.raises(library.HTTPException, match="40060"):
            await library.InteractionResponse(bot.heard[1]).send_message("did it arrive?")
    assert [one.rule for one in await discord.violations()] == ["acked_twice"]


async def test_a_token_lives_fifteen_minutes(discord: Discord, ada: Person, general: str) -> None:
    """A followup by an older token is 50027 and a violation; the message itself can be edited for ever, if it was seen."""
    async with bot_on(discord) as bot:
        bot.wait_s = 0.0
        delivery = await ada.command(general, "/incident slow")
        await ada.command(general, "/incident start", site="album", summary="x")
        await discord.advance(15 * 60 + 1)
        with pytest.raises(library.HTTPException) as caught:
            await bot.heard[0].followup.send("late")
        channel = await bot.channel_named("general")
        await channel.get_partial_message(int(delivery.response_id)).edit(content="Not late.")
    assert (caught.value.status, caught.value.code) == (401, 50027)
    assert [one.rule for one in await discord.violations()] == ["expired_token"]


async def test_an_ephemeral_answer_is_not_a_message_of_the_channel(
    discord: Discord, ada: Person, general: str
) -> None:
    """It can be edited by its interaction's token only; by the channel's address it is unknown, and a violation."""
    async with bot_on(discord) as bot:
        delivery = await ada.command(general, "/incident start", site="album", summary="x")
        await bot.heard[0].edit_original_response(content="Nearer.")
        channel = await bot.channel_named("general")
        with pytest.raises(library.NotFound) as caught:
            await channel.get_partial_message(int(delivery.response_id)).edit(content="no")
    assert caught.value.code == 10008
    assert (await ada.whispers())[0]["visible"] == "Nearer."
    assert [one.rule for one in await discord.violations()] == ["ephemeral_by_channel"]


async def test_an_ephemeral_answer_is_told_as_a_direct_message(
    discord: Discord, ada: Person, general: str
) -> None:
    """Known of Discord: the event of an own ephemeral message has no server, and needs the intent for direct ones."""
    async with bot_on(discord) as bot:
        told = asyncio.ensure_future(bot.wait_for("message", timeout=5))
        await asyncio.sleep(0)
        await ada.command(general, "/incident start", site="album", summary="x")
        message = await told
    assert (message.guild, message.flags.ephemeral, message.author.name) == (None, True, "backout")


async def test_many_presses_at_once_are_each_measured(discord: Discord, ada: Person, general: str) -> None:
    """A burst is sent in one go, and every first answer has its time."""
    async with bot_on(discord) as bot:
        await post_decision(bot, "approve")
        pressed = await discord.burst_presses([(ada, general, "Approve")] * 30)
        typed = await discord.burst(
            [(ada, general, "/incident start", {"site": "album", "summary": str(n)}) for n in range(10)]
        )
    assert len({one.id for one in pressed + typed}) == 40
    assert all(one.ack_ms is not None for one in pressed + typed)
    assert await discord.violations() == []


async def test_the_same_interaction_can_come_again_and_be_forged(
    discord: Discord, ada: Person, general: str
) -> None:
    """A repeated event is the same to the letter; a forged one is another person's."""
    async with bot_on(discord) as bot:
        await post_decision(bot, "approve")
        bob = await discord.add_person("bob")
        pressed = await ada.press(general, "Approve")
        await discord.deliver_again(pressed)
        stranger = {**pressed.payload["member"]["user"], "id": bob.id}
        member = {**pressed.payload["member"], "user": stranger}
        await discord.deliver({**pressed.payload, "member": member})
    assert {one.user.id for one in bot.heard} == {int(ada.id), int(bob.id)}
    assert len({one.id for one in bot.heard}) == 2
    assert await discord.violations() == []


async def test_words_come_with_their_intent_only(discord: Discord, ada: Person, general: str) -> None:
    """Without the intent for content a message comes empty, unless it mentions the bot or is a direct one."""
    async with bot_on(discord) as bot:
        await discord.allow_intents(["members"])
        channel = await bot.channel_named("general")
        await ada.say(general, "it began at 03:12")
        await ada.say(general, f"<@{discord.bot_id}> status")
        await ada.write_direct("help")
        await discord.wait_for_gateway()
        read = [one.content async for one in channel.history(oldest_first=True)]
    assert read == ["", f"<@{discord.bot_id}> status"]
    assert [one.content for one in bot.heard][-1] == "help"
