"""One message on its way to a real API of the stand-in's: where it goes, how it is edited, what a refusal means."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.discord_chat.api import DiscordApi, DiscordRefusedError
from adapters.discord_chat.places import sent_of
from adapters.discord_chat.sending import Sender
from bot.model.errors import HalfShownError, RoomLostError, UnknownOutcomeError
from bot.model.message import Message, Place, StoredMessage
from bot.model.secret import Secret
from bot.ports.chat import Delivery
from tests.fakes.discord.client import Discord
from tests.unit.slack.test_rendering import decision


@pytest.fixture
async def discord() -> AsyncIterator[Discord]:
    async with Discord.started() as started:
        yield started
        assert await started.violations() == []


@pytest.fixture
async def api(discord: Discord) -> AsyncIterator[DiscordApi]:
    made = DiscordApi(discord.api_url, Secret(discord.bot_token), 2.0)
    yield made
    await made.close()


def delivery(channel: str, message: Message, revision: int = 1, **more: Any) -> Delivery:
    now = datetime.now(UTC)
    stored = StoredMessage(
        id=f"id-{message.slot}",
        incident_id="inc-shop-1",
        channel="inc-shop-1",
        revision=revision,
        created_at=now,
        updated_at=now,
        message=message,
    )
    return Delivery(message=stored, channel=channel, **more)


async def test_a_step_s_messages_stand_in_its_thread_and_a_question_in_the_channel(
    discord: Discord, api: DiscordApi
) -> None:
    """One thread for a step, also after the bot has forgotten that it opened it; nobody overlooks a question."""
    channel = await discord.add_channel("inc")
    root = await Sender(api, None).deliver(
        delivery(channel, Message(slot="step-1", title="1. Assess", step=1))
    )
    for slot in ("a", "b"):
        note = Message(slot=slot, title=f"note {slot}", step=1)
        await Sender(api, None).deliver(delivery(channel, note, thread=root))
    asked = delivery(channel, Message(slot="q", title="Freeze?", step=1), thread=root, decision=decision())
    await Sender(api, None).deliver(asked)
    (thread,) = await discord.threads(channel)
    assert thread["name"] == "1. Assess"
    assert len(await discord.messages(thread["id"])) == 2
    assert "Freeze?" in (await discord.messages(channel))[-1]["visible"]


async def test_a_thread_that_sleeps_is_woken_for_an_edit(discord: Discord, api: DiscordApi) -> None:
    """Nothing can be edited in an archived thread, so it is brought back first."""
    ada = await discord.add_person("ada")
    channel = await discord.add_channel("inc")
    sender = Sender(api, None)
    root = await sender.deliver(delivery(channel, Message(slot="step-1", title="1. Assess", step=1)))
    sent = await sender.deliver(delivery(channel, Message(slot="a", title="one", step=1), thread=root))
    (thread,) = await discord.threads(channel)
    await ada.archive(thread["id"])
    edit = delivery(channel, Message(slot="a", title="two", step=1), 2, thread=root, external_id=sent)
    assert await sender.deliver(edit) == sent
    assert "two" in await discord.text(thread["id"])


async def test_a_thread_that_a_person_deleted_costs_nothing(discord: Discord, api: DiscordApi) -> None:
    """What stood there and changes is said in the channel; the channel itself is not lost."""
    ada = await discord.add_person("ada")
    channel = await discord.add_channel("inc")
    sender = Sender(api, None)
    root = await sender.deliver(delivery(channel, Message(slot="step-1", title="1. Assess", step=1)))
    sent = await sender.deliver(delivery(channel, Message(slot="a", title="one", step=1), thread=root))
    (thread,) = await discord.threads(channel)
    await ada.delete_channel(thread["id"])
    again = delivery(channel, Message(slot="a", title="two", step=1), 2, thread=root, external_id=sent)
    await sender.deliver(again)
    assert "two" in (await discord.messages(channel))[-1]["visible"]


async def test_a_direct_message_is_edited_where_it_is(discord: Discord, api: DiscordApi) -> None:
    """It is sent to the person and edited by the conversation's own id; a lost answer is looked up there."""
    ada = await discord.add_person("ada")
    sender = Sender(api, None)
    call = Message(slot="call", title="Ada, you are needed", place=Place.DIRECT, person="Ada")
    sent = await sender.deliver(delivery("", call, account=ada.id))
    found = await sender.deliver(delivery("", call, account=ada.id, may_be_there=True))
    assert found == sent
    await sender.deliver(delivery("", call, account=ada.id, external_id=sent))
    (shown,) = await ada.direct_messages()
    assert shown["edits"] == 2


async def test_where_there_is_no_place_nothing_is_sent(discord: Discord, api: DiscordApi) -> None:
    """Without a report channel a report for all goes nowhere, and that is no fault."""
    report = Message(slot="r", title="Report", place=Place.REPORTS)
    assert await Sender(api, None).deliver(delivery("1", report)) == ""
    assert await discord.calls("create_message") == []


async def test_a_deleted_channel_is_lost(discord: Discord, api: DiscordApi) -> None:
    """Discord's refusal means that the channel is no place to speak any more, for a new message and for an edit."""
    ada = await discord.add_person("ada")
    channel = await discord.add_channel("inc")
    sender = Sender(api, None)
    sent = await sender.deliver(delivery(channel, Message(slot="a", title="one")))
    await ada.delete_channel(channel)
    for external_id in (None, sent):
        with pytest.raises(RoomLostError):
            await sender.deliver(delivery(channel, Message(slot="a", title="two"), external_id=external_id))


async def test_a_message_that_was_deleted_is_said_anew(discord: Discord, api: DiscordApi) -> None:
    """An edit of what is not there any more becomes a new message, though Discord still knows the old one's nonce."""
    ada = await discord.add_person("ada")
    channel = await discord.add_channel("inc")
    sender = Sender(api, None)
    sent = sent_of(await sender.deliver(delivery(channel, Message(slot="a", title="one"))))
    assert sent is not None
    await ada.delete_message(channel, sent.message)
    edit = delivery(channel, Message(slot="a", title="two"), 2, external_id=str(sent))
    assert await sender.deliver(edit) != str(sent)
    assert "two" in await discord.text(channel)


async def test_what_is_said_anew_is_said_once(discord: Discord, api: DiscordApi) -> None:
    """The new message's answer is lost and its nonce forgotten: the next try finds it by its mark."""
    ada = await discord.add_person("ada")
    channel = await discord.add_channel("inc")
    sender = Sender(api, None)
    sent = sent_of(await sender.deliver(delivery(channel, Message(slot="a", title="one"))))
    assert sent is not None
    await ada.delete_message(channel, sent.message)
    edit = delivery(channel, Message(slot="a", title="two"), 2, external_id=str(sent))
    await discord.fault("create_message", "drop_after")
    with pytest.raises(UnknownOutcomeError):
        await sender.deliver(edit)
    await discord.advance(400)
    await sender.deliver(edit)
    assert len(await discord.messages(channel)) == 1


async def test_a_body_that_discord_refuses_is_shown_as_words(discord: Discord, api: DiscordApi) -> None:
    """Words without buttons are better than nothing, and say where the rest is."""
    channel = await discord.add_channel("inc")
    await discord.fault("create_message", "error", code=50035)
    await Sender(api, None).deliver(delivery(channel, Message(slot="a", title="one", body="what is so")))
    (shown,) = await discord.messages(channel)
    assert "the console shows all of it" in shown["visible"]


async def test_a_file_stands_with_its_message_and_is_replaced(discord: Discord, api: DiscordApi) -> None:
    """One file at a time; where it did not change it is not sent again."""
    channel = await discord.add_channel("inc")
    sender = Sender(api, None)
    report = Message(slot="a", title="Report", file_name="r.md", file_text="# draft")
    sent = await sender.deliver(delivery(channel, report))
    same = await sender.deliver(delivery(channel, report, 2, external_id=sent))
    assert same == sent
    final = Message(slot="a", title="Report", file_name="r.md", file_text="# all")
    now = await sender.deliver(delivery(channel, final, 3, external_id=sent))
    assert now != sent
    assert [one["content"] for one in await discord.files()] == ["# all"]
    uploads = [one for one in await discord.calls("update_message") if one["files"]]
    assert len(uploads) == 1


async def test_a_file_that_is_refused_leaves_its_message(discord: Discord, api: DiscordApi) -> None:
    """The message is there and known; that its file is not is told."""
    channel = await discord.add_channel("inc")
    await discord.fault("create_message", "error", code=40005)
    report = Message(slot="a", title="Report", file_name="r.md", file_text="# all")
    with pytest.raises(HalfShownError, match="40005") as caught:
        await Sender(api, None).deliver(delivery(channel, report))
    (shown,) = await discord.messages(channel)
    assert caught.value.external_id == f"{channel}:{shown['id']}"


async def test_a_long_channel_is_looked_through_to_its_end(discord: Discord, api: DiscordApi) -> None:
    """A message that an earlier try has left is found behind more than a page of others, and edited."""
    channel = await discord.add_channel("inc")
    sender = Sender(api, None)
    sent = None
    ada = await discord.add_person("ada")
    for number in range(110):
        await ada.say(channel, f"talk {number}")
    sent = await sender.deliver(delivery(channel, Message(slot="a", title="one")))
    found = await sender.deliver(delivery(channel, Message(slot="a", title="two"), 2, may_be_there=True))
    assert found == sent


async def test_a_missing_permission_is_a_refusal_with_its_remedy(discord: Discord, api: DiscordApi) -> None:
    """It is told in words, and is no lost channel."""
    channel = await discord.add_channel("inc")
    await discord.fault("create_message", "error", code=50013)
    with pytest.raises(DiscordRefusedError, match="invite it again"):
        await Sender(api, None).deliver(delivery(channel, Message(slot="a", title="one")))
