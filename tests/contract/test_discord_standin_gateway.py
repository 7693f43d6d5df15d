"""The stand-in of Discord's gateway: sessions outlive connections, and a bot that talks too much is cut off."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import discord as library
import pytest

from tests.contract.discord_bot import bot_on, point_at
from tests.contract.discord_fixtures import ada, discord, discord_address, general, responders
from tests.fakes.discord.client import Discord, Person

__all__ = ["ada", "discord", "discord_address", "general", "responders"]

Socket = aiohttp.ClientWebSocketResponse


@asynccontextmanager
async def spoken_by_hand(discord: Discord) -> AsyncIterator[Socket]:
    """Give a connection that nobody speaks on yet."""
    url = f"{discord.gateway_url}?v=10&encoding=json"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        yield socket


async def heard(bot: Any, count: int) -> list[str]:
    """Return the words the bot heard, as soon as there are so many."""
    for _ in range(300):
        if len(bot.heard) >= count:
            break
        await asyncio.sleep(0.02)
    return [one.content for one in bot.heard]


async def identify(socket: Socket, discord: Discord, **more: Any) -> None:
    data = {"token": discord.bot_token, "intents": 513, "properties": {}, **more}
    await socket.send_json({"op": 2, "d": data})


async def closed(socket: Socket) -> int | None:
    """Return the code with which the other side closed."""
    while (await socket.receive(timeout=5)).type == aiohttp.WSMsgType.TEXT:
        pass
    return socket.close_code


async def test_a_session_survives_a_cut(discord: Discord, ada: Person, general: str) -> None:
    """What was said while the connection was lost comes after the RESUME, once."""
    async with bot_on(discord) as bot:
        await ada.say(general, "one")
        await heard(bot, 1)
        assert await discord.drop_gateway() == 1
        await ada.say(general, "two")
        await discord.wait_for_gateway(resumed=1)
        await ada.say(general, "three")
        words = await heard(bot, 3)
    assert words == ["one", "two", "three"]
    assert (await discord.connections())["identified"] == 1
    assert await discord.violations() == []


async def test_op_7_asks_to_reconnect(discord: Discord, ada: Person, general: str) -> None:
    """The library resumes at the address that READY gave."""
    async with bot_on(discord) as bot:
        assert await discord.ask_to_reconnect() == 1
        await discord.wait_for_gateway(resumed=1)
        await ada.say(general, "one")
        assert await heard(bot, 1) == ["one"]
    assert await discord.violations() == []


@pytest.mark.parametrize(("resumable", "identified", "resumed"), [(True, 1, 1), (False, 2, 0)])
async def test_op_9_ends_a_session(
    discord: Discord, ada: Person, general: str, resumable: bool, identified: int, resumed: int
) -> None:
    """Resumable: it is taken up again. Not: a new one is begun, and what was missed is lost."""
    async with bot_on(discord) as bot:
        assert await discord.invalidate_session(resumable=resumable) == 1
        await discord.wait_for_gateway(identified=identified, resumed=resumed)
        await ada.say(general, "after")
        assert await heard(bot, 1) == ["after"]
    assert await discord.violations() == []


async def test_a_session_that_was_lost_too_long_is_over(discord: Discord, ada: Person, general: str) -> None:
    """RESUME is answered with op 9, and the library identifies anew."""
    async with bot_on(discord) as bot:
        await discord.go_down("drop")
        await discord.advance(301)
        await discord.come_up()
        await discord.wait_for_gateway(identified=2, timeout_s=20)
        await ada.say(general, "after")
        assert await heard(bot, 1) == ["after"]


async def test_an_interaction_may_come_too_late_after_a_resume(
    discord: Discord, ada: Person, general: str
) -> None:
    """Typed while the connection was lost for long: the person read that nobody answered, the bot is told 10062."""
    async with bot_on(discord) as bot:
        await discord.open_gateway(is_open=False)
        typed = asyncio.create_task(ada.command(general, "/incident start", site="album", summary="x"))
        await discord.wait_for_delivery(answered=False, count=1)
        await discord.advance(4)
        late = await typed
        await discord.open_gateway(is_open=True)
        await discord.wait_for_gateway(resumed=1, timeout_s=20)
        [call] = await discord.wait_for_call("create_interaction_response")
    assert (late.error, late.bot_was_there, len(bot.heard)) == ("did_not_respond", False, 1)
    assert call["answer"] == "404 10062"
    assert await discord.violations() == []


async def test_an_interaction_is_in_time_over_a_new_connection(
    discord: Discord, ada: Person, general: str
) -> None:
    """Typed while the connection was lost for a moment: it comes with the RESUME and is answered."""
    async with bot_on(discord):
        await discord.drop_gateway()
        delivery = await ada.command(general, "/incident start", site="album", summary="x")
    assert delivery.error == ""
    assert (await discord.connections())["resumed"] == 1
    assert await discord.violations() == []


async def test_intents_that_were_not_allowed_end_the_bot(discord: Discord) -> None:
    """Privileged intents are switched on in Discord's portal; without that the gateway closes with 4014."""
    await discord.allow_intents(["members"])
    point_at(discord)
    async with library.Client(intents=library.Intents(guilds=True, message_content=True)) as client:
        with pytest.raises(library.PrivilegedIntentsRequired):
            await client.start(discord.bot_token)


async def test_a_revoked_token_ends_the_bot(discord: Discord) -> None:
    """The gateway closes with 4004, which the library does not try again."""
    point_at(discord)
    async with library.Client(intents=library.Intents.default()) as client:
        started = asyncio.create_task(client.start(discord.bot_token))
        await discord.wait_for_gateway()
        await discord.set_token("revoked")
        with pytest.raises(library.ConnectionClosed) as caught:
            await asyncio.wait_for(started, 10)
    assert caught.value.code == 4004


async def test_heartbeats_are_answered(discord: Discord) -> None:
    """A bot that is not answered finds out by itself; one that sends none is closed with 4009."""
    await discord.set_heartbeat(200)
    async with bot_on(discord) as bot:
        await asyncio.sleep(0.5)
        assert bot.latency < 5
    async with spoken_by_hand(discord) as socket:
        await identify(socket, discord)
        assert await closed(socket) == 4009


@pytest.mark.parametrize(
    ("sent", "code", "rule"),
    [
        (["no json"], 4002, "gateway_message"),
        ([{"op": 2, "d": {"token": "other"}}], 4004, None),
        ([{"op": 3, "d": {}}], 4003, "gateway_message"),
        ([{"op": 1, "d": "x" * 5000}], 4002, "gateway_size"),
        ([{"op": 1, "d": None}] * 121, 4008, "gateway_rate"),
    ],
    ids=["no_json", "token", "before_identify", "size", "rate"],
)
async def test_a_bot_that_does_wrong_is_cut_off(
    discord: Discord, sent: list[Any], code: int, rule: str | None
) -> None:
    """Spoken by hand: each fault has its code, and is a violation where it is the bot's."""
    async with spoken_by_hand(discord) as socket:
        hello = await socket.receive_json()
        for one in sent:
            await socket.send_str(one if isinstance(one, str) else json.dumps(one))
        assert await closed(socket) == code
    assert hello["d"]["heartbeat_interval"] == 41250
    assert [one.rule for one in await discord.violations()] == ([rule] if rule else [])


async def test_the_stream_is_one_for_the_whole_connection(discord: Discord) -> None:
    """zlib-stream: every packet ends with a flush, and only the whole stream can be read."""
    url = f"{discord.gateway_url}?v=10&encoding=json&compress=zlib-stream"
    inflate = zlib.decompressobj()
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        first = await socket.receive_bytes()
        await identify(socket, discord)
        second = await socket.receive_bytes()
    assert first.endswith(b"\x00\x00\xff\xff")
    assert json.loads(inflate.decompress(first))["op"] == 10
    ready = json.loads(inflate.decompress(second))
    assert (ready["t"], ready["d"]["resume_gateway_url"]) == ("READY", discord.gateway_url)


async def test_only_what_was_asked_for_is_told(discord: Discord, ada: Person, general: str) -> None:
    """Without the intent for messages of the server none comes; a private channel's are never told to a stranger."""
    async with spoken_by_hand(discord) as socket:
        await identify(socket, discord, intents=1)
        await discord.wait_for_gateway()
        await ada.say(general, "hello")
        await discord.add_channel("later")
        names = [(await socket.receive_json())["t"] for _ in range(4)]
    assert names == [None, "READY", "GUILD_CREATE", "CHANNEL_CREATE"]
