"""Reopening: what stands against it is named, and opened all the same only by a word of its own."""

from __future__ import annotations

from typing import Any

import pytest

from bot.model.event import Kind
from tests.playbooks.story import APP_GOOD, CHECKED_STORY, DATA_GOOD, DEPLOYED_STORY, TICKED, Moment, moment
from tests.unit.service.night import Night
from tests.unit.service.office import Office

FAULT = "the test of the application failed: /: HTTP 500, expected 200"
UNTICKED = "nobody has confirmed: the newest order"
APP_BAD = moment(
    Kind.APP_TESTED, passed=False, reasons=["/: HTTP 500, expected 200"], manual_items=["the newest order"]
)


@pytest.mark.parametrize(
    ("moments", "starts", "typed", "accepted"),
    [
        ((APP_GOOD, TICKED), "reopen", None, None),
        ((APP_GOOD,), "reopen_anyway", None, [UNTICKED]),
        ((APP_BAD, TICKED), "reopen_anyway", "shop", [FAULT]),
        ((APP_BAD,), "reopen_anyway", "shop", [FAULT, UNTICKED]),
    ],
)
async def test_the_yes_says_what_it_takes_along(
    office: Office, moments: tuple[Moment, ...], starts: str, typed: str | None, accepted: list[str] | None
) -> None:
    """A failed test asks for the site's name; a list that nobody ticked is told and costs only the press of the question."""
    await office.tell(DEPLOYED_STORY.and_then(DATA_GOOD, *moments))
    reply = await office.types("anna", "/app reopen")
    decision = await office.decision(reply.decision_id or "")
    choice = decision.choices[0]
    assert (choice.key, choice.starts, choice.typed) == ("reopen", starts, typed)
    assert choice.args.get("accepted") == accepted
    assert all(objection in decision.body for objection in accepted or [])
    if typed:
        assert not (await office.clicks("anna", decision.id, "reopen")).ok
    assert (await office.clicks("anna", decision.id, "reopen", typed)).ok
    (operation,) = await office.operations()
    assert (operation.kind, operation.args.get("accepted"), operation.changes_site) == (
        starts,
        accepted,
        True,
    )


async def test_an_old_yes_does_not_open_what_failed_since(office: Office) -> None:
    """The plain question is refused where a test failed after it was asked; it has to be asked anew."""
    await office.tell(CHECKED_STORY)
    asked = await office.types("anna", "/app reopen")
    await office.goes_on(APP_BAD)
    reply = await office.clicks("anna", asked.decision_id or "", "reopen")
    assert (reply.ok, FAULT[1:] in reply.text) == (False, True), reply.text
    assert await office.operations() == []


async def test_a_yes_holds_for_what_it_named_alone(night: Night) -> None:
    """What is found after the yes keeps the site closed, though the operation was on its way already."""
    await night.office.tell(DEPLOYED_STORY.and_then(DATA_GOOD, APP_BAD))
    done = await night.run("reopen_anyway", cutover="done", accepted=[UNTICKED])
    failed: Any = (done.result or {}).get("failed", "")
    assert FAULT in failed
    assert UNTICKED not in failed
    assert await night.office.timeline(Kind.REOPENED) == []
