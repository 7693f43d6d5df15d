"""The stand-in of Discord goes wrong where a test wants it: rate limits, lost answers, errors, the whole of it down."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import discord as library
import pytest

from tests.contract.discord_bot import bot_on, decision, logged_in
from tests.contract.discord_fixtures import ada, discord, discord_address, general, responders
from tests.fakes.discord.client import ControlError, Discord, Person

__all__ = ["ada", "discord", "discord_address", "general", "responders"]


@pytest.fixture
async def channel(discord: Discord, general: str) -> AsyncIterator[library.TextChannel]:
    async with logged_in(discord) as client:
        found = await client.fetch_channel(int(general))
        assert isinstance(found, library.TextChannel)
        yield found


async def post(discord: Discord, channel: str, text: str) -> tuple[int, dict[str, str], Any]:
    """Post a message without the library, which would wait by itself; returns status, headers and body."""
    headers = {"Authorization": f"Bot {discord.bot_token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{discord.api_url}/channels/{channel}/messages", json={"content": text}) as response,
    ):
        json = response.content_type == "application/json"
        body = await (response.json() if json else response.text())
        return response.status, dict(response.headers), body


async def test_the_library_keeps_to_the_buckets(discord: Discord, channel: library.TextChannel) -> None:
    """Headers tell how much is left: the library waits, and never meets a 429."""
    posted = await channel.send("status")
    await discord.limit_rates("documented")
    began_s = time.monotonic()
    for one in ("👀", "🔧", "✅"):
        await posted.add_reaction(one)
    assert time.monotonic() - began_s > 0.4
    assert [one["answer"] for one in await discord.calls("add_my_message_reaction")] == ["204"] * 3
    assert await discord.violations() == []


async def test_a_full_bucket_answers_429(discord: Discord, general: str) -> None:
    """Sixth in five seconds: 429 with Retry-After, scope and Via; to call before it is over is a violation."""
    await discord.limit_rates("documented")
    answers = [await post(discord, general, str(number)) for number in range(6)]
    _, headers, body = answers[-1]
    assert [one[0] for one in answers] == [200] * 5 + [429]
    assert answers[0][1]["X-RateLimit-Remaining"] == "4"
    assert (headers["X-RateLimit-Scope"], headers["Via"]) == ("user", "1.1 google")
    assert 4 <= int(headers["Retry-After"]) <= 5
    assert (4 < body["retry_after"] <= 5, body["global"]) == (True, False)
    assert await discord.violations() == []
    assert (await post(discord, general, "too early"))[0] == 429
    await discord.advance(5)
    assert (await post(discord, general, "in time"))[0] == 200
    assert [one.rule for one in await discord.violations()] == ["called_before_retry_after"]


async def test_fifty_calls_a_second_are_all(discord: Discord, general: str) -> None:
    """The 51st call of a second meets the global limit, wherever it goes; answers to interactions do not count."""
    await discord.limit_rates("documented")
    url, headers = f"{discord.api_url}/users/@me", {"Authorization": f"Bot {discord.bot_token}"}
    places = [await discord.add_channel(f"channel-{number}") for number in range(51)]
    async with aiohttp.ClientSession(headers=headers) as session:
        for place in places:
            async with session.get(f"{discord.api_url}/channels/{place}") as response:
                last, seen = response.status, response.headers
        async with session.get(url) as response:
            elsewhere = response.status
    assert (last, elsewhere) == (429, 429)
    assert (seen["X-RateLimit-Global"], seen["X-RateLimit-Scope"]) == ("true", "global")


async def test_a_429_that_is_ordered_is_waited_out(discord: Discord, channel: library.TextChannel) -> None:
    """The library sleeps as long as Retry-After says, and the message is posted once."""
    await discord.limit_next(operation="create_message", retry_after_s=0.4)
    began_s = time.monotonic()
    await channel.send("hello")
    assert time.monotonic() - began_s > 0.35
    assert [one["answer"] for one in await discord.calls("create_message")] == ["429", "200"]
    assert len(await discord.messages("general")) == 1
    assert await discord.violations() == []


async def test_name_and_topic_change_twice_in_ten_minutes(
    discord: Discord, channel: library.TextChannel
) -> None:
    """A third change of the topic has to wait for minutes: no header had told of it."""
    await discord.limit_rates("documented")
    await channel.edit(topic="step 1")
    await channel.edit(topic="step 2")
    channel._state.http.max_ratelimit_timeout = 1.0
    with pytest.raises(library.RateLimited) as caught:
        await channel.edit(topic="step 3")
    assert 590 < caught.value.retry_after <= 600


async def test_an_old_message_is_edited_thirty_times_an_hour(
    discord: Discord, channel: library.TextChannel
) -> None:
    """A message older than an hour has a limit of its own, 30046, however slowly it is edited."""
    posted = await channel.send("status")
    await discord.advance(3601)
    await discord.limit_rates("documented")
    for number in range(30):
        await discord.advance(6)
        await posted.edit(content=str(number))
    channel._state.http.max_ratelimit_timeout = 1.0
    with pytest.raises(library.RateLimited):
        await posted.edit(content="31st")
    assert await discord.violations() == []


async def test_too_many_invalid_calls_are_a_ban(discord: Discord, channel: library.TextChannel) -> None:
    """401, 403 and 429 count; then comes a 429 without Via, which the library does not wait for."""
    await discord.limit_invalid(3)
    await discord.set_everyone_permissions(["view_channel"])
    await discord.set_bot_permissions([])
    for _ in range(3):
        with pytest.raises(library.Forbidden):
            await channel.send("x")
    with pytest.raises(library.HTTPException) as caught:
        await channel.send("x")
    assert caught.value.status == 429
    assert [one.rule for one in await discord.violations()] == ["banned"]


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("create_message", lambda channel, _: channel.send("again")),
        ("update_message", lambda _, message: message.edit(content="edited")),
        ("delete_message", lambda _, message: message.delete()),
        ("update_channel", lambda channel, _: channel.edit(topic="edited")),
        ("create_thread_from_message", lambda _, message: message.create_thread(name="thread")),
        ("create_guild_channel", lambda channel, _: channel.guild.create_text_channel("made")),
    ],
    ids=["send", "edit", "delete", "topic", "thread", "channel"],
)
async def test_done_and_not_answered(
    discord: Discord, channel: library.TextChannel, operation: str, call: Any
) -> None:
    """The answer is lost after the work was done: the library raises, and the server has changed."""
    message = await channel.send("status")
    before = await discord.text("general"), len(await discord.channels())
    # A connection that was used before is tried again by aiohttp itself, where the method may be repeated.
    await discord.fault(operation, "drop_after", times=2)
    with pytest.raises(aiohttp.ClientError):
        await call(channel, message)
    assert (await discord.text("general"), len(await discord.channels())) != before
    assert "dropped after" in [one["answer"] for one in await discord.calls(operation)]
    assert "status" in before[0]


async def test_a_repeated_post_is_not_doubled(discord: Discord, channel: library.TextChannel) -> None:
    """A 502 after the work: the library posts again with the same nonce, and gets the same message."""
    await discord.fault("create_message", "status_after", status=502)
    await channel.send("status")
    assert [one["answer"] for one in await discord.calls("create_message")] == ["502 after", "200"]
    assert len(await discord.messages("general")) == 1
    assert await discord.violations() == []


async def test_a_repeated_followup_is_doubled(discord: Discord, ada: Person, general: str) -> None:
    """A followup has no nonce: after a 503 the library posts it again by itself, and there are two."""
    async with bot_on(discord) as bot:
        await ada.command(general, "/incident start", site="album", summary="x")
        await discord.fault("execute_webhook", "status_after", status=503)
        await bot.heard[0].followup.send("plan", ephemeral=True)
    assert [one["visible"] for one in await ada.whispers()][1:] == ["plan", "plan"]


async def test_errors_and_slowness(discord: Discord, channel: library.TextChannel) -> None:
    """An ordered code, a page of a broken server, an answer that takes its time."""
    await discord.fault("create_message", "error", code=50013)
    with pytest.raises(library.Forbidden):
        await channel.send("x")
    await discord.fault("create_message", "status", status=503)
    with pytest.raises(library.DiscordServerError):
        await channel.send("x")
    await discord.fault("create_message", "slow", delay_s=0.3)
    began_s = time.monotonic()
    await channel.send("x")
    assert time.monotonic() - began_s > 0.3
    assert len(await discord.messages("general")) == 1


async def test_the_whole_of_discord_is_down(discord: Discord, ada: Person, general: str) -> None:
    """Calls fail, nobody can do anything, the connection is cut; later the bot is there again."""
    async with bot_on(discord) as bot:
        channel = await bot.channel_named("general")
        message = await channel.send("status", view=decision("approve"))
        await discord.go_down("503")
        with pytest.raises(library.DiscordServerError):
            await message.edit(content="x")
        with pytest.raises(ControlError, match="Discord is down"):
            await ada.press(general, "Approve")
        await discord.come_up()
        await discord.wait_for_gateway(resumed=1, timeout_s=20)
        await ada.press(general, "Approve")
    assert (await discord.messages(general))[0]["visible"] == "Answered."
    assert await discord.violations() == []
