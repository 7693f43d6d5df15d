"""What a failed call of Discord means: not sent, refused, closed, or unknown; told apart on a real connection."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.discord_chat.api import DiscordApi, DiscordRefusedError
from adapters.discord_chat.rates import Rates
from bot.model.errors import ChatClosedError, ChatLaterError, UnknownOutcomeError
from bot.model.secret import Secret
from tests.fakes.discord.client import Discord
from tests.site.servers import free_port

MESSAGES = "/channels/{channel}/messages"


@pytest.fixture
async def discord() -> AsyncIterator[Discord]:
    async with Discord.started() as started:
        yield started


@pytest.fixture
async def api(discord: Discord) -> AsyncIterator[DiscordApi]:
    made = DiscordApi(discord.api_url, Secret(discord.bot_token), 2.0)
    yield made
    await made.close()


async def test_each_failure_has_its_own_meaning(discord: Discord, api: DiscordApi) -> None:
    """A cut answer and a 5xx may have been done, and are not repeated; what Discord refused or a revoked token stopped was not."""
    channel = await discord.add_channel("general")
    for kind in ("drop_after", "drop_before", "status", "status_after"):
        for status in (500, 502, 503):
            before = len(await discord.calls("create_message"))
            await discord.fault("create_message", kind, status=status)  # type: ignore[arg-type]
            with pytest.raises(UnknownOutcomeError):
                await api.change("POST", MESSAGES, {"content": "hello"}, channel=channel)
            assert len(await discord.calls("create_message")) == before + 1
    # A cut connection that was open before is tried once more by the HTTP library, for questions only.
    for kind in ("status", "status_after"):
        await discord.fault("list_messages", kind)  # type: ignore[arg-type]
        with pytest.raises(ChatLaterError):
            await api.read(MESSAGES, channel=channel)
    await discord.fault("create_message", "error", code=50013)
    with pytest.raises(DiscordRefusedError, match="lacks a permission") as caught:
        await api.change("POST", MESSAGES, {"content": "hello"}, channel=channel)
    assert caught.value.code == 50013
    await discord.set_token("revoked")
    with pytest.raises(ChatClosedError, match="401"):
        await api.change("POST", MESSAGES, {"content": "hello"}, channel=channel)


async def test_a_429_is_waited_for_where_it_is_short(discord: Discord, api: DiscordApi) -> None:
    """It was not done; nothing is called before its time, in this channel, and another channel goes on."""
    channel, other = await discord.add_channel("one"), await discord.add_channel("two")
    await discord.limit_next(1, operation="create_message", retry_after_s=1.0)
    with pytest.raises(ChatLaterError) as caught:
        await api.change("POST", MESSAGES, {"content": "hello"}, channel=channel)
    assert caught.value.after_s is not None
    assert 0 < caught.value.after_s <= 1
    with pytest.raises(ChatLaterError):
        await api.change("POST", MESSAGES, {"content": "hello"}, patience_s=0.1, channel=channel)
    await api.change("POST", MESSAGES, {"content": "hello"}, channel=other)
    await api.change("POST", MESSAGES, {"content": "hello"}, channel=channel)
    assert await discord.violations() == []


async def test_the_headers_of_a_bucket_are_obeyed(discord: Discord, api: DiscordApi) -> None:
    """With Discord's limits on, more calls than a bucket holds meet no 429 at all."""
    channel = await discord.add_channel("general")
    await discord.limit_rates("documented")
    for number in range(7):
        await api.change("POST", MESSAGES, {"content": str(number)}, channel=channel)
    assert [one["answer"] for one in await discord.calls("create_message")] == ["200"] * 7


async def test_nobody_there_is_not_sent() -> None:
    """Where no connection was made nothing was sent."""
    api = DiscordApi(f"http://127.0.0.1:{free_port()}", Secret("x"), 2.0)
    with pytest.raises(ChatLaterError, match="not reached"):
        await api.change("POST", MESSAGES, {"content": "hello"}, channel="1")
    await api.close()


def test_answers_that_overtake_one_another_do_not_fill_a_bucket() -> None:
    """Of two answers from one window the smaller number counts; a new window begins with its own."""
    rates = Rates()
    late, early = (
        {"X-RateLimit-Bucket": "b", "X-RateLimit-Remaining": left, "X-RateLimit-Reset-After": "5"}
        for left in ("3", "0")
    )
    rates.note("POST /x", "1", early, 100.0)
    rates.note("POST /x", "1", late, 100.1)
    assert rates.wait_s("POST /x", "1", 100.2) == pytest.approx(4.9, abs=0.2)
    assert rates.wait_s("POST /x", "2", 100.2) == 0
    rates.block("GET /y", "", everywhere=True, wait_s=2, now=100.0)
    assert rates.wait_s("POST /z", "9", 100.0) == 2
    assert rates.wait_s("POST /answer", "token", 100.0, by_token=True) == 0
    assert rates.wait_s("POST /x", "1", 106.0) == 0
