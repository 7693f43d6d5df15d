"""One message on its way to a real Slack API of the stand-in's: where it goes, how it is edited, what a refusal means."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.slack_chat.api import SlackApi, SlackRefusedError
from adapters.slack_chat.places import sent_of
from adapters.slack_chat.sending import Sender
from bot.model.errors import HalfShownError, RoomLostError
from bot.model.message import Message, Place, StoredMessage
from bot.model.secret import Secret
from bot.ports.chat import Delivery
from tests.fakes.slack.client import Slack
from tests.unit.slack.test_rendering import decision


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    async with Slack.started() as started:
        yield started
        assert await started.violations() == []


@pytest.fixture
async def api(slack: Slack) -> AsyncIterator[SlackApi]:
    made = SlackApi(slack.api_url, Secret(slack.bot_token), 2.0)
    yield made
    await made.close()


def delivery(channel: str, message: Message, **more: Any) -> Delivery:
    now = datetime.now(UTC)
    stored = StoredMessage(
        id=f"id-{message.slot}",
        incident_id="inc-shop-1",
        channel="inc-shop-1",
        revision=1,
        created_at=now,
        updated_at=now,
        message=message,
    )
    return Delivery(message=stored, channel=channel, **more)


async def test_a_question_stands_in_its_thread_and_in_the_channel(slack: Slack, api: SlackApi) -> None:
    """What belongs to a step is a reply; a question is shown in the channel too, so that nobody overlooks it."""
    channel = await slack.add_channel("inc")
    sender = Sender(api, None)
    root = await sender.deliver(delivery(channel, Message(slot="step-1", title="1. Assess")))
    await sender.deliver(delivery(channel, Message(slot="note", title="more"), thread=root))
    asked = delivery(channel, Message(slot="q", title="Freeze?"), thread=root, decision=decision())
    await sender.deliver(asked)
    first, note, question = await slack.messages(channel)
    assert [note["thread_ts"], question["thread_ts"]] == [first["ts"], first["ts"]]
    assert [note["broadcast"], question["broadcast"]] == [False, True]


async def test_a_direct_message_is_edited_where_it_is(slack: Slack, api: SlackApi) -> None:
    """It is sent to the person and edited by the conversation's own id; a lost answer is looked up there."""
    ada = await slack.add_person("ada")
    sender = Sender(api, None)
    call = Message(slot="call", title="Ada, you are needed", place=Place.DIRECT, person="Ada")
    sent = await sender.deliver(delivery("", call, account=ada.id))
    found = await sender.deliver(delivery("", call, account=ada.id, may_be_there=True))
    assert found == sent
    await sender.deliver(delivery("", call, account=ada.id, external_id=sent))
    (shown,) = await ada.direct_messages()
    assert shown["edits"] == 2


async def test_where_there_is_no_place_nothing_is_sent(slack: Slack, api: SlackApi) -> None:
    """Without a report channel a report for all goes nowhere, and that is no fault."""
    report = Message(slot="r", title="Report", place=Place.REPORTS)
    assert await Sender(api, None).deliver(delivery("C1", report)) == ""
    assert await slack.calls("chat.postMessage") == []


async def test_an_archived_channel_is_lost(slack: Slack, api: SlackApi) -> None:
    """Slack's refusal means that the channel is no place to speak any more, for a new message and for an edit."""
    ada = await slack.add_person("ada")
    channel = await slack.add_channel("inc", members=[ada])
    sender = Sender(api, None)
    sent = await sender.deliver(delivery(channel, Message(slot="a", title="one")))
    await ada.archive(channel)
    for external_id in (None, sent):
        with pytest.raises(RoomLostError):
            await sender.deliver(delivery(channel, Message(slot="a", title="two"), external_id=external_id))


async def test_a_message_that_was_deleted_is_said_anew(slack: Slack, api: SlackApi) -> None:
    """An edit of what is not there any more becomes a new message."""
    ada = await slack.add_person("ada")
    channel = await slack.add_channel("inc", members=[ada])
    sender = Sender(api, None)
    sent = sent_of(await sender.deliver(delivery(channel, Message(slot="a", title="one"))))
    assert sent is not None
    await ada.delete_message(channel, sent.ts)
    again = await sender.deliver(delivery(channel, Message(slot="a", title="two"), external_id=str(sent)))
    assert again != str(sent)
    assert "two" in await slack.text(channel)


async def test_blocks_that_slack_refuses_are_shown_as_text(slack: Slack, api: SlackApi) -> None:
    """Words without buttons are better than nothing, and say where the rest is."""
    channel = await slack.add_channel("inc")
    await slack.fault("chat.postMessage", "error", error="invalid_blocks")
    await Sender(api, None).deliver(delivery(channel, Message(slot="a", title="one", body="what is so")))
    (shown,) = await slack.messages(channel)
    assert shown["blocks"] == []
    assert "what is so" in shown["text"]
    assert "the console shows all of it" in shown["text"]


async def test_a_file_that_is_refused_leaves_its_message(slack: Slack, api: SlackApi) -> None:
    """The message is there and known; that its file is not is told."""
    channel = await slack.add_channel("inc")
    await slack.fault("files.getUploadURLExternal", "error", error="missing_scope")
    report = Message(slot="a", title="Report", file_name="r.md", file_text="# all")
    with pytest.raises(HalfShownError, match="missing_scope") as caught:
        await Sender(api, None).deliver(delivery(channel, report))
    (shown,) = await slack.messages(channel)
    assert caught.value.external_id == f"{channel}:{shown['ts']}"
    with pytest.raises(SlackRefusedError, match="channel_not_found"):
        await api.change("chat.postMessage", channel="C0", text="x")
    await slack.clear_violations()
