"""An incident that others have taken over can be ended, by a person who answers for what production is like."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.model.event import Kind
from tests.playbooks.story import DATA_GOOD, INTENT_STORY, RESTORED_STORY, Story, moment
from tests.unit.service.night import SHOP, Night
from tests.unit.service.office import Office

UNKNOWN = INTENT_STORY.and_then(moment(Kind.CUTOVER_UNKNOWN, "neither as before nor as planned"))
BAD_DATA = RESTORED_STORY.and_then(moment(Kind.DATA_CHECKED, passed=False, reasons=["a check"]))


@pytest.mark.parametrize("story", [UNKNOWN, BAD_DATA])
async def test_it_is_named_where_nothing_else_ends_the_incident(story: Story, office: Office) -> None:
    """Neither reopening nor closing is possible for Backout; the refusal names the way, and typing it only asks."""
    await office.tell(story)
    assert not (await office.types("anna", "/app reopen")).ok
    refused = await office.types("anna", "/incident close")
    assert (refused.ok, "/incident close --unproven" in refused.text) == (False, True)
    asked = await office.types("anna", "/incident close --unproven the DBA restored it")
    decision = await office.decision(asked.decision_id or "")
    assert "Nothing on the host is changed" in decision.body
    assert await office.operations() == []
    assert not (await office.clicks("emil", decision.id, "close", "shop")).ok  # may not approve
    assert not (await office.clicks("anna", decision.id, "close")).ok


async def test_it_ends_the_incident_and_says_what_is_not_known(night: Night) -> None:
    """The timeline tells who ended it and that nothing was proven; the site is free for a new incident."""
    await night.office.tell(BAD_DATA)
    asked = await night.office.types("anna", "/incident close --unproven the DBA restored it")
    reply = await night.office.clicks("anna", asked.decision_id or "", "close", "shop")
    night.engine.wake()
    await night.engine.wait(reply.operation_id or "", timedelta(seconds=250))
    (closed,) = await night.office.timeline(Kind.INCIDENT_CLOSED)
    assert closed.actor == "Anna"
    assert "the DBA restored it. Backout has not opened the site" in closed.text
    assert (await night.office.timeline(Kind.REPORT_WRITTEN)) != []
    again = await night.office.types("anna", "/incident start shop again", channel="lobby")
    assert again.ok, again.text
    assert again.incident_id != SHOP


async def test_what_ends_by_itself_needs_no_such_word(office: Office) -> None:
    """Where nothing stands against closing, it is closed as ever."""
    await office.tell(Story(RESTORED_STORY.moments[0], DATA_GOOD))
    reply = await office.types("anna", "/incident close --unproven")
    assert (reply.ok, reply.decision_id) == (True, None)
    assert [one.kind for one in await office.operations()] == ["close"]
