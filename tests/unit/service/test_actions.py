"""Action items are listed when an incident ends, closed by people, and reminded of until all are closed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.model.event import Kind
from bot.model.message import Message, Place, Tone
from bot.report.markdown import to_markdown
from bot.report.report import report_of
from bot.service.actions import begin_tracking, remind
from bot.service.timers import Timers
from tests.playbooks.story import Story, moment
from tests.unit.service.office import Office
from tests.unit.service.test_precautions import Clock

SHOP = "inc-shop-1"
ENDED = Story(
    moment(Kind.INCIDENT_OPENED, "rows are gone", "Anna", site="shop", title="rows are gone"),
    moment(Kind.ASSESSED, backs_up_before_migrating=True, deploy_script="/deploy.sh"),
    moment(Kind.INCIDENT_CLOSED, "Closed: recovered.", "Anna", outcome="recovered"),
)


@pytest.fixture
async def closed(office: Office) -> Office:
    """An incident that ended, with its action items listed."""
    await office.tell(ENDED)
    await office.store.transact(lambda tx: tx.close_incident(SHOP))
    await office.store.transact(lambda tx: begin_tracking(tx, office.parts, SHOP, "shop"))
    return office


async def reminders(office: Office) -> list[Message]:
    """Return what was told where reports are read."""
    messages = await office.store.read(lambda tx: tx.messages(SHOP))
    return [m.message for m in messages if m.message.place is Place.REPORTS]


async def week_passes(office: Office) -> None:
    office.clock.passes(timedelta(days=7))
    await Timers(office.parts, Clock()).look()


async def test_the_prevention_list_is_tracked(closed: Office) -> None:
    """Each of the runbook's safeguards has a number; what the incident proved done is closed from the beginning."""
    reply = await closed.types("clara", "/incident actions")
    assert reply.text == "inc-shop-1: 7 of 8 action items are open."
    assert reply.table is not None
    assert reply.table.rows[0][1].startswith("closed 2026-01-31 by backout")
    assert [row[0] for row in reply.table.rows] == [str(n) for n in range(1, 9)]


async def test_they_are_listed_once(closed: Office) -> None:
    """A second end of the same operation lists nothing anew."""
    await closed.store.transact(lambda tx: begin_tracking(tx, closed.parts, SHOP, "shop"))
    assert len(await closed.timeline(Kind.ACTIONS_LISTED)) == 1


async def test_a_person_closes_one_with_a_note(closed: Office) -> None:
    """The timeline keeps who and why; a second time it is closed already, and it can be opened again."""
    assert (await closed.types("anna", "/incident action done 2 a rule in the repository")).ok
    again = await closed.types("boris", "/incident action done 2")
    assert (again.ok, "is closed already" in again.text) == (False, True)
    (entry,) = await closed.timeline(Kind.ACTION_CHANGED)
    assert (entry.actor, entry.data["note"]) == ("Anna", "a rule in the repository")
    assert (
        await closed.types("boris", "/incident action open 2")
    ).text == "inc-shop-1#2 is open again. 7 open."


async def test_the_report_ticks_what_was_closed(closed: Office) -> None:
    """The post-mortem as it stands now says who closed it and when."""
    await closed.types("anna", "/incident action done 3 staging has a copy")
    report = to_markdown(report_of(await closed.timeline(), site="shop", now=closed.clock.now()))
    (line,) = [text for text in report.splitlines() if "production-like data" in text]
    assert line.startswith("- [x]")
    assert "closed by Anna" in line
    assert "staging has a copy" in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/incident action done 99", "has no action item 99"),
        ("/incident action done x", "names no action item"),
        ("/incident action owner 2", "Whose is it?"),
        ("/incident action done inc-north-1#2", "There is no incident 'inc-north-1' for you"),
        ("/incident action gone 2", "change cannot be 'gone'"),
    ],
)
async def test_what_cannot_be_meant(closed: Office, text: str, said: str) -> None:
    """Each mistake is told, and nothing is written."""
    reply = await closed.types("anna", text)
    assert (reply.ok, said in reply.text) == (False, True), reply.text
    assert await closed.timeline(Kind.ACTION_CHANGED) == []


async def test_who_may_only_read_closes_nothing(closed: Office) -> None:
    """Also where the incident is named by its id, from anywhere."""
    for account, channel in (("clara", SHOP), ("clara", ""), ("nora", "")):
        reply = await closed.types(account, f"/incident action done {SHOP}#2", channel=channel)
        assert not reply.ok
    assert await closed.timeline(Kind.ACTION_CHANGED) == []


async def test_open_items_are_told_again_until_all_are_closed(closed: Office) -> None:
    """Each week one message of its own names what is open and calls who has it; the last one closed ends it."""
    await closed.types("anna", "/incident action owner 2 Boris")
    await week_passes(closed)
    await week_passes(closed)
    first, second = await reminders(closed)
    assert (first.slot, second.slot, second.calls) == ("actions-1", "actions-2", ("Boris",))
    assert second.title == "Action items of inc-shop-1: 7 of 8 are open"
    assert second.next_steps == (f"/incident action owner {SHOP}#3 NAME", f"/incident action done {SHOP}#2")
    assert second.table is not None
    assert [row[3] for row in second.table.rows[:2]] == ["Boris", "nobody yet"]
    for number in range(2, 9):
        assert (await closed.types("boris", f"/incident action done {SHOP}#{number}", channel="")).ok
    await week_passes(closed)
    told = await reminders(closed)
    assert [(m.slot, m.tone) for m in told[2:]] == [("actions-closed", Tone.GOOD)]
    assert await closed.store.read(lambda tx: tx.deadline(f"actions.{SHOP}")) is None


async def test_one_that_is_opened_again_is_reminded_of(closed: Office) -> None:
    """After all were closed, opening one sets the next reminder."""
    for number in range(2, 9):
        await closed.types("anna", f"/incident action done {number}")
    await closed.types("anna", "/incident action open 4")
    await week_passes(closed)
    assert [m.slot for m in await reminders(closed)] == ["actions-closed", "actions-1"]


async def test_outside_an_incident_all_open_ones_are_shown(closed: Office) -> None:
    """Those of the person's sites, each with its incident; nobody else's."""
    mine = await closed.types("anna", "/incident actions", channel="")
    other = await closed.types("nora", "/incident actions", channel="")
    assert mine.table is not None
    assert (len(mine.table.rows), mine.table.rows[0][0]) == (7, "inc-shop-1#2")
    assert other.text == "No action item is open."


async def test_nothing_open_reminds_of_nothing(closed: Office) -> None:
    """A reminder that comes late, after the last one was closed, says nothing."""
    for number in range(2, 9):
        await closed.types("anna", f"/incident action done {number}")
    before = await reminders(closed)
    await closed.store.transact(lambda tx: remind(tx, closed.parts, SHOP, {"site": "shop", "round": 1}))
    assert await reminders(closed) == before
