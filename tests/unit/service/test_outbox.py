"""The way out: in order, once each, whatever happens on the platform."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from bot.model.decision import DecisionState
from bot.model.errors import (
    ChatClosedError,
    ChatLaterError,
    FailedError,
    RoomLostError,
    UnknownOutcomeError,
)
from bot.model.event import Kind
from bot.model.message import Message, Place, Tone
from bot.model.room import Room, RoomState
from bot.service import courier
from bot.service.desk import Question, void
from bot.service.outbox import Outbox
from tests.fakes.chat import FakeChat
from tests.playbooks.story import Story, moment
from tests.unit.service.office import YES_NO, Office

SHOP = "inc-shop-1"
OPENED = Story(moment(Kind.INCIDENT_OPENED, "rows are gone", "Anna", site="shop", title="rows are gone"))


@pytest.fixture
def chat() -> FakeChat:
    return FakeChat()


@pytest.fixture
async def outbox(office: Office, chat: FakeChat) -> AsyncIterator[Outbox]:
    """An outbox that is started by the test."""
    made = Outbox(
        office.parts,
        [chat],
        pace=courier.Pace(retry_s=0.02, look_s=0.01, closed_s=0.02, no_room_s=0.02, quiet_s=30),
    )
    yield made
    await made.close()


async def until(what: Callable[[], Any]) -> None:
    """Wait until something is so; `what` may be a coroutine function."""
    async with asyncio.timeout(5):
        while not (await found if inspect.isawaitable(found := what()) else found):  # noqa: ASYNC110 - nothing rings
            await asyncio.sleep(0.005)


async def put(office: Office, *messages: Message, incident_id: str = SHOP) -> None:
    for message in messages:
        await office.store.transact(lambda tx, m=message: tx.put_message(incident_id, m))


async def notes(office: Office) -> list[str]:
    return [entry.text for entry in await office.timeline(Kind.NOTE)]


async def told_story(office: Office) -> None:
    await office.tell(OPENED)


async def test_messages_come_in_order_once_each_in_their_latest_form(
    office: Office, chat: FakeChat, outbox: Outbox
) -> None:
    """What was put before the start is there after it, edits folded, in one channel."""
    await told_story(office)
    await put(office, Message(slot="a", title="one"), Message(slot="b", title="two"))
    await put(office, Message(slot="a", title="one, edited"))
    outbox.start()
    await until(lambda: len(chat.shown) == 2)
    await put(office, Message(slot="c", title="three"), Message(slot="b", title="two, edited"))
    await until(lambda: chat.titles() == ["one, edited", "two, edited", "three"])
    assert {one.channel for one in chat.shown.values()} == {"C1"}
    assert chat.shown["ts1"].edits == 0


async def test_a_logbook_tells_where_reports_are_read_and_opens_no_channel(
    office: Office, chat: FakeChat, outbox: Outbox
) -> None:
    """What a site's logbook tells needs no incident: it goes to its place once, also when its answer is lost."""
    logbook = await office.store.transact(lambda tx: tx.open_logbook("shop"))
    chat.lose = ["deliver"]
    outbox.start()
    alarm = Message(slot="alarm", title="old", place=Place.REPORTS)
    await put(office, alarm, Message(slot="step", title="for a channel"), incident_id=logbook)
    await until(lambda: chat.titles("reports") == ["old"])
    await put(office, Message(slot="alarm", title="over", place=Place.REPORTS), incident_id=logbook)
    await until(lambda: chat.titles() == ["over"])
    assert (chat.channels, chat.looked) == ({}, 1)


async def test_a_message_of_unknown_outcome_is_looked_for_before_it_is_sent_again(
    office: Office, chat: FakeChat, outbox: Outbox
) -> None:
    """Channel and messages whose answers were lost are there once."""
    await told_story(office)
    chat.lose = ["open", "deliver", "deliver", "deliver"]
    await put(office, *(Message(slot=f"m{n}", title=f"{n}") for n in range(5)))
    outbox.start()
    await until(lambda: len(chat.shown) == 5)
    await put(office, Message(slot="last", title="last"))
    await until(lambda: "last" in chat.titles())
    assert chat.titles() == ["0", "1", "2", "3", "4", "last"]
    assert list(chat.channels) == ["C1"]
    assert chat.looked == 3


async def test_a_message_that_was_lost_on_the_way_is_sent(
    office: Office, chat: FakeChat, outbox: Outbox
) -> None:
    """Where the look finds nothing, it is sent."""
    await told_story(office)
    chat.faults = [UnknownOutcomeError("cut before it arrived")]
    await put(office, Message(slot="a", title="one"))
    outbox.start()
    await until(lambda: chat.titles() == ["one"])
    assert chat.looked == 1


async def test_a_refused_message_holds_up_nobody_and_is_told(
    office: Office, chat: FakeChat, outbox: Outbox
) -> None:
    """What the platform will never take is left out there, told in the timeline, and tried again when it changes."""
    await told_story(office)
    chat.refuse = {"bad": FailedError("invalid_blocks")}
    await put(office, Message(slot="bad", title="bad"), Message(slot="good", title="good"))
    outbox.start()
    await until(lambda: chat.titles() == ["good"])
    assert "invalid_blocks" in (await notes(office))[0]
    chat.refuse = {}
    await put(office, Message(slot="bad", title="better"))
    await until(lambda: chat.titles() == ["good", "better"])


async def test_a_platform_that_is_away_is_told_and_caught_up(
    office: Office, chat: FakeChat, outbox: Outbox
) -> None:
    """The incident says that the platform is away; when it is back it has everything, and that is said too."""
    await told_story(office)
    chat.faults = [ChatLaterError("connection refused") for _ in range(6)]
    await put(office, Message(slot="a", title="one"), Message(slot="b", title="two"))
    outbox.start()
    await until(lambda: len(chat.shown) >= 3)

    async def told_twice() -> bool:
        return len(await notes(office)) == 2

    await until(told_twice)
    away, back = await notes(office)
    assert "Slack takes no messages: connection refused" in away
    assert "Slack is back" in back
    assert chat.titles()[:2] == ["one", "two"]


async def test_a_revoked_token_is_told_at_once(office: Office, chat: FakeChat, outbox: Outbox) -> None:
    """What a person must repair is in the incident with the platform's own word for it."""
    await told_story(office)
    chat.faults = [ChatClosedError("token_revoked")]
    await put(office, Message(slot="a", title="one"))
    outbox.start()
    await until(lambda: "one" in chat.titles())
    assert "token_revoked" in (await notes(office))[0]


async def test_a_channel_that_is_gone_is_opened_anew_with_all_that_was_said(
    office: Office, chat: FakeChat, outbox: Outbox
) -> None:
    """A person deleted the channel: the next one has every message, and the loss is told."""
    await told_story(office)
    outbox.start()
    await put(office, Message(slot="a", title="one"))
    await until(lambda: chat.titles("C1") == ["one"])
    chat.faults = [RoomLostError("is_archived.")]
    await put(office, Message(slot="b", title="two"))
    await until(lambda: {"one", "two"} <= set(chat.titles("C2")))
    room = await office.store.read(lambda tx: tx.room("slack", SHOP))
    assert room is not None
    assert (room.channel, room.earlier, room.state) == ("C2", ("C1",), RoomState.OPEN)
    assert "cannot be used any more: is_archived." in (await notes(office))[0]


async def test_no_channel_is_told_to_the_one_who_opened_the_incident(
    office: Office, chat: FakeChat, outbox: Outbox
) -> None:
    """A missing right is said in the incident and in a direct message; once it is there, the channel opens."""
    await told_story(office)
    chat.open_fault = FailedError("missing_scope: channels:manage.")
    await put(office, Message(slot="a", title="one"))
    outbox.start()
    await until(lambda: "D-U1" in {one.channel for one in chat.shown.values()})
    assert "missing_scope" in (await notes(office))[0]
    assert chat.titles("C1") == []
    chat.open_fault = None
    await until(lambda: "one" in chat.titles("C1"))


async def test_one_incident_s_trouble_holds_up_no_other(
    office: Office, chat: FakeChat, outbox: Outbox
) -> None:
    """While one incident's message waits, another's is delivered."""
    await told_story(office)
    await office.tell(OPENED, incident_id="inc-north-1", site="north")
    chat.refuse = {"stuck": ChatLaterError("ratelimited", after_s=60)}
    await put(office, Message(slot="stuck", title="stuck"))
    outbox.start()
    await asyncio.sleep(0.05)
    await put(office, Message(slot="a", title="north"), incident_id="inc-north-1")
    await until(lambda: "north" in chat.titles())
    assert "stuck" not in chat.titles()


async def test_a_decision_that_changes_is_shown_anew(office: Office, chat: FakeChat, outbox: Outbox) -> None:
    """A void question is delivered again although its message is the same."""
    await told_story(office)
    outbox.start()
    asked = await office.asked(Question(purpose="p", question="Now?", body="", choices=YES_NO))
    await until(lambda: "Now?" in chat.titles())
    await office.store.transact(lambda tx: void(tx, asked, "Too late."))
    await until(lambda: any(one.title == "Now?" and one.edits == 1 for one in chat.shown.values()))
    assert (await office.decision(asked.id)).state is DecisionState.VOID


async def test_a_step_has_a_thread(office: Office, chat: FakeChat, outbox: Outbox) -> None:
    """What belongs to a step stands under the step's own message; what came before it stands alone."""
    await told_story(office)
    outbox.start()
    await put(
        office,
        Message(slot="early", title="early", step=2),
        Message(slot="step-2", title="2. Freeze", step=2),
        Message(slot="late", title="late", step=2),
    )
    await until(lambda: len(chat.shown) == 3)
    assert [one.thread for one in chat.shown.values()] == [None, None, "ts2"]


async def test_edits_of_one_message_are_folded(office: Office, chat: FakeChat, outbox: Outbox) -> None:
    """A message that changes all the time is edited once in each interval, and ends in its latest form."""
    await told_story(office)
    chat.edit_interval_s = 0.2
    outbox.start()
    for number in range(30):
        await put(office, Message(slot="step-1", title=f"{number}", step=1))
        await asyncio.sleep(0.01)
    await until(lambda: chat.titles() == ["29"])
    assert chat.shown["ts1"].edits <= 5


async def test_a_direct_message_goes_to_the_person_s_account(
    office: Office, chat: FakeChat, outbox: Outbox
) -> None:
    """Who has an account there gets it; for who has none nothing is sent, and nothing waits."""
    await told_story(office)
    await put(
        office,
        Message(slot="call-1", title="Anna", place=Place.DIRECT, person="Anna"),
        Message(slot="call-2", title="Boris", place=Place.DIRECT, person="Boris"),
        Message(slot="a", title="one", tone=Tone.GOOD),
    )
    outbox.start()
    await until(lambda: "one" in chat.titles())
    assert chat.titles("D-U1") == ["Anna"]
    assert await office.store.read(lambda tx: tx.unserved("slack")) == []


async def test_a_closed_incident_s_channel_is_archived_where_the_site_says_so(
    office: Office, chat: FakeChat, outbox: Outbox
) -> None:
    """The last message first, then the archive; afterwards nothing is sent there."""
    await told_story(office)
    await office.tell(OPENED, incident_id="inc-north-1", site="north")
    outbox.start()
    for incident_id in (SHOP, "inc-north-1"):
        await put(office, Message(slot="a", title=incident_id), incident_id=incident_id)
        await until(lambda i=incident_id: i in chat.titles())
        await office.store.transact(lambda tx, i=incident_id: tx.close_incident(i))
        await put(office, Message(slot="b", title=f"{incident_id} closed"), incident_id=incident_id)
    await until(lambda: "inc-north-1 closed" in chat.titles())
    assert chat.closed == []
    office.clock.passes(timedelta(seconds=31))

    async def closed_room() -> Room | None:
        room = await office.store.read(lambda tx: tx.room("slack", "inc-north-1"))
        return room if room is not None and room.state is RoomState.CLOSED else None

    await until(closed_room)
    room = await closed_room()
    assert room is not None
    assert (room.state, chat.closed) == (RoomState.CLOSED, [room.channel])
    assert chat.titles(room.channel) == ["inc-north-1", "inc-north-1 closed"]


async def test_what_cannot_be_done_in_a_channel_is_told_once(
    office: Office, chat: FakeChat, outbox: Outbox
) -> None:
    """A deactivated account is told in the timeline, and nothing stops for it."""
    await told_story(office)
    chat.troubles = ("Anna's account is deactivated.",)
    outbox.start()
    await put(office, Message(slot="status", title="s"), Message(slot="a", title="one"))
    await until(lambda: "one" in chat.titles() and chat.furnished[-1].pin == "ts1")
    office.clock.passes(timedelta(seconds=1))
    assert await notes(office) == ["Anna's account is deactivated. The incident goes on."]
