"""Reopening: what stands against it is named, and opened all the same only by a word of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from bot.model.event import Kind
from bot.model.secret import Secret
from bot.ports.host import Command, JobState, JobStatus
from bot.ports.probe import PageAsked, PageSeen
from tests.playbooks.story import APP_GOOD, CHECKED_STORY, DATA_GOOD, DEPLOYED_STORY, TICKED, Moment, moment
from tests.unit.laravel.test_answer_and_facts import RECORDED, printed
from tests.unit.service.night import Night, night_at
from tests.unit.service.office import Office
from tests.unit.service.told_host import ToldHost

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


class OpeningHost(ToldHost):
    """A host on which `up` works; `meanwhile` happens while it is at it."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self.app["log_files"] = []
        self._meanwhile = meanwhile

    async def start_job(self, root: str, key: str, command: Command) -> JobStatus:
        await self._meanwhile()
        state = RECORDED["maintenance"]
        change = {"before": {**state, "is_down": True}, "after": state, "exit_code": 0}
        self._ended[key] = JobStatus(
            key=key,
            state=JobState.DONE,
            exit_status=0,
            duration_s=0.1,
            stdout=printed({"maintenance": {**change, "secret_is_ours": False, "problem": None}}),
        )
        return self._ended[key]


class Visitors:
    """Visitors who get their page."""

    async def visit(self, pages: Sequence[PageAsked], secret: Secret | None = None) -> list[PageSeen]:
        return [PageSeen(status=200, duration_s=0.1) for _ in pages]


@pytest.fixture
async def opening(office: Office) -> AsyncIterator[Night]:
    """A site that was found good, on which Boris says no to the list while it is being opened."""

    async def meanwhile() -> None:
        await office.goes_on(
            moment(Kind.DECISION_ANSWERED, "", "Boris", purpose="manual:the newest order", answer="bad")
        )

    office.parts = replace(office.parts, probe=Visitors())  # type: ignore[arg-type]  # nothing asks it for a status
    await office.tell(CHECKED_STORY)
    async with night_at(office, OpeningHost(meanwhile)) as night:
        yield night


async def test_a_no_that_comes_while_it_opens_is_told_and_closes_nothing(opening: Night) -> None:
    """It is open, and told so with the late no; nothing says that it stays closed, and the report knows what it opened over."""
    done = await opening.run("reopen", cutover="done")
    late = "a person said no to this: the newest order"
    assert (done.result, done.error) == ({"http_status": 200}, None)
    (opened,) = await opening.office.timeline(Kind.REOPENED)
    assert opened.text.startswith("Open again: visitors get HTTP 200.")
    assert f"Said while it was being opened: {late}." in opened.text
    assert opened.data["in_spite_of"] == [late]
    assert (await opening.office.state()).down_since is None
    messages = await opening.office.store.read(lambda tx: tx.messages("inc-shop-1"))
    (shown,) = [one.message for one in messages if one.message.slot == "step-10"]
    assert late in shown.body
    assert "stays closed" not in str([one.message for one in messages])
