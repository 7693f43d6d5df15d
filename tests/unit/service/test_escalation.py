"""Calling: again until somebody has it, then the next contact; and again when nothing follows."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.model.decision import DecisionState
from bot.model.event import Kind, NewEntry
from bot.model.message import Message, Place
from bot.service.paging import lapse, page
from tests.unit.service.office import Office

SHOP = "inc-shop-1"
OPENED = NewEntry(kind=Kind.INCIDENT_OPENED, actor="Anna", text="t", data={"site": "shop", "title": "t"})
NEEDED = NewEntry(kind=Kind.ESCALATED, text="needed", data={"reason": "keys in the way", "rules": []})


@pytest.fixture
async def called(office: Office) -> Office:
    """An incident in which help is needed; nobody was called yet."""
    await office.tell_entries([OPENED, NEEDED])
    return office


async def messages(office: Office) -> dict[str, Message]:
    found = await office.store.read(lambda tx: tx.messages(SHOP))
    return {one.message.slot: one.message for one in found}


async def call(office: Office, attempt: int) -> None:
    await office.store.transact(lambda tx: page(tx, office.parts, SHOP, "shop", attempt))


async def test_each_call_is_a_message_of_its_own_in_channel_and_to_the_person(called: Office) -> None:
    """An edit would ring nobody: the second call is a new message, and each has the button to take it."""
    for attempt in (0, 1):
        await call(called, attempt)
    shown = await messages(called)
    (decision,) = await called.open_decisions()
    assert shown["decision-acknowledge"].calls == shown["call-2"].calls == ("Anna",)
    direct = shown["call-2-direct"]
    assert (direct.place, direct.person, direct.decision_id) == (Place.DIRECT, "Anna", decision.id)
    assert "keys in the way" in direct.body


async def test_after_two_calls_it_is_the_next_contact_s_turn(called: Office) -> None:
    """Two calls each, then the next one, who stays the last."""
    for attempt in range(5):
        await call(called, attempt)
    paged = [entry.data["contact"] for entry in await called.timeline(Kind.PAGED)]
    assert paged == ["Dora", "Dora", "Egon", "Egon", "Egon"]


async def test_who_has_no_account_is_named_only(called: Office) -> None:
    """A contact who is none of the people stands in the message with the phone number, and is not rung."""
    await call(called, 2)
    shown = await messages(called)
    assert shown["escalation"].title == "Calling Egon"
    assert [slot for slot in shown if slot.startswith("call-")] == []


async def test_a_call_that_was_taken_lapses_when_nothing_follows(called: Office) -> None:
    """The calls begin again, with a new button, at the contact whose turn it is."""
    await call(called, 0)
    await acknowledged(called, "Anna")
    await called.store.transact(lambda tx: lapse(tx, called.parts, SHOP, ack_args("Anna", 4)))
    assert (await called.state()).acknowledged_by is None
    assert [entry.data["attempt"] for entry in await called.timeline(Kind.PAGED)] == [1, 2]
    (again,) = await called.open_decisions()
    assert again.state is DecisionState.OPEN
    assert (await messages(called))["call-2-direct"].decision_id == again.id


@pytest.mark.parametrize("does", ["note", "other"])
async def test_a_call_lapses_only_for_the_one_who_took_it(called: Office, does: str) -> None:
    """Whoever did something since still has it; what others did counts for nothing."""
    await call(called, 0)
    await acknowledged(called, "Anna")
    who = "Anna" if does == "note" else "Boris"
    await called.goes_on((Kind.NOTE, who, "looking", {}))
    called.clock.passes(timedelta(minutes=20))
    await called.store.transact(lambda tx: lapse(tx, called.parts, SHOP, ack_args("Anna", 4)))
    assert ((await called.state()).acknowledged_by == "Anna") is (does == "note")


async def acknowledged(office: Office, name: str) -> None:
    """Record that somebody took the call, as the operation does it."""
    (decision,) = await office.open_decisions()
    await office.goes_on((Kind.ACKNOWLEDGED, name, f"{name} has it.", {"person": name}))
    await office.void(decision)


def ack_args(name: str, sequence: int) -> dict[str, object]:
    return {"site": "shop", "person": name, "sequence": sequence + 1}
