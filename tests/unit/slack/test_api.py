"""What a failed call of Slack means: not sent, refused, closed, or unknown; told apart on a real connection."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.slack_chat.api import SlackApi, SlackRefusedError
from bot.model.errors import ChatClosedError, ChatLaterError, UnknownOutcomeError
from bot.model.secret import Secret
from tests.fakes.slack.client import Slack
from tests.site.servers import free_port


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    async with Slack.started() as started:
        yield started


@pytest.fixture
async def api(slack: Slack) -> AsyncIterator[SlackApi]:
    made = SlackApi(slack.api_url, Secret(slack.bot_token), 2.0)
    yield made
    await made.close()


async def test_each_failure_has_its_own_meaning(slack: Slack, api: SlackApi) -> None:
    """A cut answer and a 503 may have been done; a 429 was not, nor was what Slack refused or a revoked token stopped."""
    channel = await slack.add_channel("general")
    said = {"channel": channel, "text": "hello"}
    for kind in ("drop_after", "drop_before", "status", "status_after"):
        await slack.fault("chat.postMessage", kind)  # type: ignore[arg-type]
        with pytest.raises(UnknownOutcomeError):
            await api.change("chat.postMessage", **said)
        await slack.fault("conversations.history", kind)  # type: ignore[arg-type]
        with pytest.raises(ChatLaterError):
            await api.read("conversations.history", channel=channel)
    await slack.fault("chat.postMessage", "error", error="internal_error")
    with pytest.raises(UnknownOutcomeError):
        await api.change("chat.postMessage", **said)
    await slack.fault("chat.postMessage", "error", error="restricted_action")
    with pytest.raises(SlackRefusedError, match="restricted_action"):
        await api.change("chat.postMessage", **said)
    await slack.set_token("token_revoked")
    with pytest.raises(ChatClosedError, match="token_revoked"):
        await api.change("chat.postMessage", **said)


async def test_a_429_stops_the_method_until_its_time(slack: Slack, api: SlackApi) -> None:
    """No call is made before Retry-After is over; another method goes on."""
    channel = await slack.add_channel("general")
    await slack.limit_next(1, method="chat.postMessage", retry_after_s=1)
    for _ in range(3):
        with pytest.raises(ChatLaterError) as caught:
            await api.change("chat.postMessage", channel=channel, text="hello")
        assert caught.value.after_s is not None
        assert 0 < caught.value.after_s <= 1
    assert len(await slack.calls("chat.postMessage")) == 1
    await api.read("conversations.info", channel=channel)
    assert await slack.violations() == []


async def test_nobody_there_is_not_sent() -> None:
    """Where no connection was made nothing was sent."""
    api = SlackApi(f"http://127.0.0.1:{free_port()}/api/", Secret("x"), 2.0)
    with pytest.raises(ChatLaterError, match="not reached"):
        await api.change("chat.postMessage", channel="C1", text="hello")
    await api.close()
