"""Decisions: who may answer, how many must, what an answer starts, and what makes a question void."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.model.decision import Choice, DecisionState
from bot.model.event import Kind
from bot.model.operation import OperationState
from bot.model.person import Permission
from bot.service.desk import Question
from tests.playbooks.story import (
    FREEZE_BROKEN,
    INTENT_STORY,
    JUST_OPENED,
    PLAN_HASH,
    PLANNED_STORY,
    RESTORED_STORY,
    SAFE_STORY,
    moment,
)
from tests.unit.service.office import YES_NO, Office

ONE = Question(purpose="look", question="Go on?", body="", choices=YES_NO)
TWO = replace(ONE, votes_needed=2, permission=Permission.APPROVE)
CUT = Question(
    purpose="cutover",
    question="Cut over?",
    body="",
    choices=(
        Choice(key="approve", label="Approve", typed="shop", starts="cutover", args={"plan_hash": PLAN_HASH}),
        Choice(key="reject", label="No", rejects=True),
    ),
    permission=Permission.APPROVE,
    plan_hash=PLAN_HASH,
    expires_in=timedelta(minutes=30),
)


async def test_a_yes_starts_its_operation(office: Office) -> None:
    """The answer, its entry and the operation that it starts are there together."""
    await office.tell(JUST_OPENED)
    asked = await office.asked(ONE)
    reply = await office.clicks("anna", asked.id, "yes")
    (operation,) = await office.operations()
    assert reply.ok
    assert reply.operation_id == operation.id
    assert (operation.kind, operation.person, operation.site) == ("backups", "Anna", "shop")
    assert operation.args == {"n": 1, "decision_id": asked.id, "cutover": "none"}
    assert [e.actor for e in await office.timeline(Kind.DECISION_ANSWERED)] == ["Anna"]


async def test_a_no_starts_nothing(office: Office) -> None:
    """A no closes the question and starts nothing."""
    await office.tell(JUST_OPENED)
    asked = await office.asked(ONE)
    assert (await office.clicks("anna", asked.id, "no")).ok
    assert await office.operations() == []
    assert (await office.decision(asked.id)).answer == "no"


async def test_many_clicks_have_one_effect(office: Office) -> None:
    """Twenty clicks by two persons at once start one operation; the others are told who answered."""
    await office.tell(JUST_OPENED)
    asked = await office.asked(ONE)
    replies = await asyncio.gather(
        *(office.clicks(who, asked.id, "yes") for who in ["anna", "boris"] for _ in range(10))
    )
    assert sum(r.ok for r in replies) == 1
    assert all("answered already" in r.text for r in replies if not r.ok)
    assert len(await office.operations()) == 1
    assert len(await office.timeline(Kind.DECISION_ANSWERED)) == 1


@pytest.mark.parametrize(
    ("account", "said"),
    [
        ("stranger", "not listed"),
        ("nora", "There is no decision"),
        ("olaf", "There is no decision"),
        ("clara", "may not approve"),
        ("emil", "may not approve"),
    ],
)
async def test_only_permitted_people_are_heard(office: Office, account: str, said: str) -> None:
    """A stranger, a person of another site and one without the permission leave the question as it was."""
    await office.tell(JUST_OPENED)
    asked = await office.asked(TWO)
    reply = await office.clicks(account, asked.id, "yes")
    assert not reply.ok
    assert said in reply.text
    assert await office.decision(asked.id) == asked


async def test_two_approvals_need_two_persons(office: Office) -> None:
    """One person's second yes is still one; the other person's yes decides, and both are named."""
    await office.tell(JUST_OPENED)
    asked = await office.asked(TWO)
    assert "1 more person(s)" in (await office.clicks("anna", asked.id, "yes")).text
    assert "1 more person(s)" in (await office.clicks("anna", asked.id, "yes")).text
    assert await office.operations() == []
    assert (await office.clicks("boris", asked.id, "yes")).text == "Decided: Yes."
    assert (await office.decision(asked.id)).answered_by == "Anna and Boris"
    assert len(await office.operations()) == 1


async def test_one_person_on_two_platforms_is_one_vote(office: Office) -> None:
    """A yes from the same person by another platform is not a second approval."""
    await office.tell(JUST_OPENED)
    asked = await office.asked(TWO)
    await office.clicks("anna", asked.id, "yes")
    await office.inbox.answer(
        platform="slack", account="U1", decision_id=asked.id, choice="yes", typed=None, delivery_id="s"
    )
    assert (await office.decision(asked.id)).votes == {"Anna": "yes"}
    assert await office.operations() == []


@pytest.mark.parametrize("second", ["anna", "boris"])
async def test_a_no_beats_a_yes(office: Office, second: str) -> None:
    """A no closes the question although a yes was given before, by another or by the same person."""
    await office.tell(JUST_OPENED)
    asked = await office.asked(TWO)
    await office.clicks("anna", asked.id, "yes")
    assert (await office.clicks(second, asked.id, "no")).ok
    assert "answered already" in (await office.clicks("boris", asked.id, "yes")).text
    assert await office.operations() == []


@pytest.mark.parametrize("typed", [None, "", "Shop", "shop2", "shop\nshop"])
async def test_the_word_must_be_typed(office: Office, typed: str | None) -> None:
    """Without the site's name, exactly, nothing is approved and the question stays open."""
    await office.tell(PLANNED_STORY)
    asked = await office.asked(CUT)
    reply = await office.clicks("anna", asked.id, "approve", typed)
    assert not reply.ok
    assert "type shop along" in reply.text
    assert (await office.decision(asked.id)).state is DecisionState.OPEN


async def test_the_typed_word_approves_the_plan(office: Office) -> None:
    """With the word, the plan is approved by that person and the cut-over is started once, as a change of the site."""
    await office.tell(PLANNED_STORY)
    asked = await office.asked(CUT)
    assert (await office.clicks("anna", asked.id, "approve", " shop ")).ok
    (operation,) = await office.operations()
    assert (operation.kind, operation.changes_site) == ("cutover", True)
    assert (await office.state()).approvals == ("Anna",)


async def test_an_answer_that_is_none_is_refused(office: Office) -> None:
    """An unknown answer is told which there are."""
    await office.tell(JUST_OPENED)
    asked = await office.asked(ONE)
    reply = await office.clicks("anna", asked.id, "perhaps")
    assert "one of: yes, no" in reply.text
    assert (await office.decision(asked.id)).votes == {}


async def test_an_unknown_decision_is_refused(office: Office) -> None:
    """A decision that is not there says where the open ones are."""
    assert "/incident status" in (await office.clicks("anna", "inc-shop-1.no.1", "yes")).text


async def test_an_expired_question_is_void(office: Office) -> None:
    """After its time a question takes no answer, even when no alarm has rung yet."""
    await office.tell(PLANNED_STORY)
    asked = await office.asked(CUT)
    office.clock.passes(timedelta(minutes=30))
    reply = await office.clicks("anna", asked.id, "approve", "shop")
    assert "expired" in reply.text
    assert (await office.decision(asked.id)).state is DecisionState.VOID
    assert await office.operations() == []


async def test_just_before_its_end_a_question_is_open(office: Office) -> None:
    """One second before its time a question takes an answer."""
    await office.tell(PLANNED_STORY)
    asked = await office.asked(CUT)
    office.clock.passes(timedelta(minutes=29, seconds=59))
    assert (await office.clicks("anna", asked.id, "approve", "shop")).ok


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (moment(Kind.PLAN_MADE, plan_hash="b" * 64), "plan has changed"),
        (moment(Kind.PLAN_VOID, "The database changed."), "The database changed."),
        (FREEZE_BROKEN, "a queue worker writes"),
        (moment(Kind.CUTOVER_INTENT), "not known whether"),
        (moment(Kind.CUTOVER_DONE), "cut over already"),
    ],
)
async def test_what_changed_since_stops_the_approval(office: Office, change: object, said: str) -> None:
    """An approval asked for before something changed starts nothing: the guard is asked again at the answer."""
    await office.tell(PLANNED_STORY)
    asked = await office.asked(CUT)
    await office.goes_on(change)
    reply = await office.clicks("anna", asked.id, "approve", "shop")
    assert not reply.ok
    assert said in reply.text
    assert (await office.state()).approvals == ()
    assert await office.operations() == []


async def test_another_proven_plan_makes_the_approval_void(office: Office) -> None:
    """An approval is for one plan hash: a newer proven plan is not approved by the old button."""
    await office.tell(PLANNED_STORY)
    asked = await office.asked(CUT)
    other = "b" * 64
    await office.goes_on(
        moment(Kind.PLAN_MADE, plan_hash=other), moment(Kind.REHEARSED, plan_hash=other, proven=True)
    )
    assert "plan has changed" in (await office.clicks("anna", asked.id, "approve", "shop")).text
    assert await office.operations() == []


async def test_a_newer_question_takes_the_place_of_an_older_one(office: Office) -> None:
    """There is one open question for each purpose, and the old button never answers the new one."""
    await office.tell(JUST_OPENED)
    first, second = await office.asked(ONE), await office.asked(ONE)
    assert first.id != second.id
    assert "void" in (await office.clicks("anna", first.id, "yes")).text
    assert [d.id for d in await office.open_decisions()] == [second.id]


async def test_the_last_of_several_table_questions_starts_the_rehearsal(office: Office) -> None:
    """Questions about rows of several tables wait for one another, in any order."""
    await office.tell(SAFE_STORY)
    choices = (Choice(key="restore", label="r", starts="plan"), Choice(key="leave", label="l", starts="plan"))
    asked = [
        await office.asked(Question(purpose=f"missing:{t}", question="?", body="", choices=choices))
        for t in ("a table", "b")
    ]
    await office.clicks("anna", asked[1].id, "leave")
    assert await office.operations() == []
    await office.clicks("boris", asked[0].id, "restore")
    assert [o.kind for o in await office.operations()] == ["plan"]
    assert (await office.state()).table_decisions == {"b": "leave", "a table": "restore"}


async def test_no_button_closes_an_incident_whose_site_is_down(office: Office) -> None:
    """An old `close` button, asked before the application went down, does not close the incident over a closed site."""
    await office.tell(JUST_OPENED)
    close = Choice(key="close", label="No loss: close", starts="close", args={"outcome": "no loss"})
    asked = await office.asked(Question(purpose="assessed", question="?", body="", choices=(close,)))
    await office.goes_on(
        moment(Kind.FROZEN, proven=False, down_at=office.clock.now().isoformat(), why="a worker writes")
    )
    reply = await office.clicks("anna", asked.id, "close")
    assert not reply.ok
    assert await office.operations() == []


async def test_a_no_is_heard_whatever_changed(office: Office) -> None:
    """A no can be given to a question whose yes is not possible any more."""
    await office.tell(PLANNED_STORY)
    asked = await office.asked(CUT)
    await office.goes_on(FREEZE_BROKEN)
    assert (await office.clicks("boris", asked.id, "reject")).ok
    assert (await office.decision(asked.id)).answer == "reject"


async def test_an_undo_frees_the_site_from_the_change_that_failed(office: Office) -> None:
    """An approved undo takes the site over from a failed cut-over of its own incident, and the timeline says so."""
    await office.tell(INTENT_STORY.and_then(moment(Kind.CUTOVER_UNKNOWN)))
    failed = await office.running("cutover", changes_site=True)
    await office.store.transact(lambda tx: tx.take_site("shop", failed.id))
    await office.store.transact(
        lambda tx: tx.finish_operation(failed.id, OperationState.FAILED, error="unknown")
    )
    undo = Choice(key="undo", label="Undo", typed="shop", starts="undo")
    asked = await office.asked(Question(purpose="undo", question="?", body="", choices=(undo,)))
    assert (await office.clicks("anna", asked.id, "undo", "shop")).ok
    assert await office.store.transact(lambda tx: tx.site_holder("shop")) is None
    assert [e.actor for e in await office.timeline(Kind.SITE_RELEASED)] == ["Anna"]


async def test_an_undo_does_not_free_the_site_from_work_that_runs(office: Office) -> None:
    """While a change runs, an approved undo waits for it: the site stays with the one that holds it."""
    await office.tell(RESTORED_STORY)
    running = await office.running("deploy", changes_site=True)
    await office.store.transact(lambda tx: tx.take_site("shop", running.id))
    undo = Choice(key="undo", label="Undo", typed="shop", starts="undo")
    asked = await office.asked(Question(purpose="undo", question="?", body="", choices=(undo,)))
    await office.clicks("anna", asked.id, "undo", "shop")
    assert await office.store.transact(lambda tx: tx.site_holder("shop")) == running.id


async def test_no_button_works_in_a_closed_incident(office: Office) -> None:
    """A question that was left open starts nothing after the incident was closed."""
    await office.tell(JUST_OPENED)
    asked = await office.asked(ONE)
    await office.goes_on(moment(Kind.INCIDENT_CLOSED, outcome="given up"))
    assert not (await office.clicks("anna", asked.id, "yes")).ok
    assert await office.operations() == []
