"""Each guard, in each state of a recovery: who may go on, and what the refusal says."""

from __future__ import annotations

import pytest

from bot.model.event import Kind
from bot.model.incident import Cutover, Incident
from bot.model.step import Step
from bot.runbook import guards
from bot.runbook.guards import Guard
from bot.runbook.purposes import CHANGES_SITE, guard_of
from tests.playbooks.story import (
    ASSESSED_STORY,
    CHECKED_STORY,
    CUT_OVER,
    DEPLOYED_STORY,
    FREEZE_BROKEN,
    FROZEN,
    FROZEN_STORY,
    JUST_OPENED,
    OPENED,
    PLANNED_STORY,
    REOPENED_STORY,
    RESTORED_STORY,
    SAFE_STORY,
    SAFETY,
    UNDONE,
    WHOLE_RECOVERY,
    Story,
    moment,
    replaced,
    step_done,
)

# Rows: guards. Columns: the states of a whole recovery in order. `+` allowed, `.` refused.
#             opened   frozen  planned  cut over  deployed  reopened  closed
#               | assessed | safety | begun | aligned | checked | watched |
ALLOWED: dict[Guard, str] = {
    guards.refuse_assess: "++++++++++++.",
    guards.refuse_freeze: "++++++++++++.",
    guards.refuse_backups: "++++++++++++.",
    guards.refuse_safety_backup: "..+++.++++...",
    guards.refuse_plan: "...++........",
    guards.refuse_cut_over: "....+........",
    guards.refuse_undo: ".....+++++++.",
    guards.refuse_rollback: "......++.....",
    guards.refuse_deploy: ".......+.....",
    guards.refuse_check: "........++...",
    guards.refuse_caches: ".........+++.",
    guards.refuse_reopen: "..+++....+...",
    guards.refuse_close: "++.........+.",
    guards.refuse_close_by_hand: "++++++++++++.",
    guards.refuse_ack: ".............",
}
CASES = [
    pytest.param(guard, story, mark == "+", id=f"{guard.__name__} when {name}")
    for guard, marks in ALLOWED.items()
    for (name, story), mark in zip(WHOLE_RECOVERY.items(), marks, strict=True)
]


@pytest.mark.parametrize(("guard", "story", "allowed"), CASES)
def test_a_step_may_begin_in_these_states_only(guard: Guard, story: Story, allowed: bool) -> None:
    """Along a whole recovery each step may begin exactly where the runbook says."""
    reason = guard(story.state())
    assert (reason is None) == allowed, reason


@pytest.mark.parametrize(("guard", "story", "allowed"), CASES)
def test_a_refusal_says_what_to_do_next(guard: Guard, story: Story, allowed: bool) -> None:
    """Every refusal is a sentence that names a command to type, or who has the matter in hand."""
    reason = guard(story.state())
    assert reason is None or ("/" in reason and reason[0].isupper() and len(reason) < 300)


@pytest.mark.parametrize("guard", list(ALLOWED))
def test_a_closed_incident_is_left_alone(guard: Guard) -> None:
    """Nothing may begin in a closed incident."""
    assert guard(WHOLE_RECOVERY["closed"].state()) is not None


@pytest.mark.parametrize(
    "guard",
    [
        guards.refuse_plan,
        guards.refuse_cut_over,
        guards.refuse_rollback,
        guards.refuse_deploy,
        guards.refuse_check,
        guards.refuse_reopen,
        guards.refuse_close,
    ],
)
def test_nothing_goes_on_while_the_last_change_is_unknown(guard: Guard) -> None:
    """While it is not known whether production was changed, nothing that builds on it may begin."""
    state = replaced(CHECKED_STORY.state(), cutover=Cutover.UNKNOWN)
    assert "not known whether" in (guard(state) or "")


@pytest.mark.parametrize("guard", [guards.refuse_safety_backup, guards.refuse_plan, guards.refuse_cut_over])
def test_a_broken_freeze_stops_what_stands_on_it(guard: Guard) -> None:
    """Once something writes again, no copy, plan or cut-over is begun, and the reason is told."""
    state = PLANNED_STORY.and_then(FREEZE_BROKEN).state()
    reason = guard(state) or ""
    assert "a queue worker writes" in reason
    assert "/app freeze" in reason


def test_freezing_again_after_a_broken_freeze_is_allowed() -> None:
    """A freeze may be asked for again, also where it holds: then it is proven anew."""
    assert guards.refuse_freeze(FROZEN_STORY.state()) is None
    assert guards.refuse_freeze(FROZEN_STORY.and_then(FREEZE_BROKEN).state()) is None


def test_a_plan_needs_to_know_the_migration() -> None:
    """Where it is not known which migration did it, no plan is made."""
    story = JUST_OPENED.and_then(moment(Kind.ASSESSED, bad_migration=""), FROZEN, SAFETY)
    assert "/incident assess" in (guards.refuse_plan(story.state()) or "")


def test_a_plan_needs_backups_to_have_been_looked_at() -> None:
    """Where no backup was looked at, the listing comes first."""
    story = JUST_OPENED.and_then(moment(Kind.ASSESSED, bad_migration="m"), FROZEN, SAFETY)
    assert "/backups list" in (guards.refuse_plan(story.state()) or "")


def test_a_plan_on_a_named_backup_needs_that_one_to_be_verified() -> None:
    """A backup that is named is taken when it is VERIFIED; any other, and a mistyped one, is refused before anything runs."""
    state = SAFE_STORY.state()
    assert guards.refuse_plan_on("good.sql")(state) is None
    for name in ("cut.sql", "godo.sql", "/etc/passwd"):
        reason = guards.refuse_plan_on(name)(state) or ""
        assert reason.startswith(f"{name} is not a VERIFIED backup")
        assert "/backups list" in reason
    assert len(guards.refuse_plan_on("x" * 5000)(state) or "") < 300
    assert "/app freeze" in (guards.refuse_plan_on("good.sql")(ASSESSED_STORY.state()) or "")


def test_a_corrected_migration_is_not_taken_for_the_bad_one() -> None:
    """Once the corrected migration ran, a rollback is refused for that reason: it stands in the table under the same name."""
    reason = guards.refuse_rollback(DEPLOYED_STORY.state()) or ""
    assert "corrected migration was run" in reason
    assert "what was rehearsed" not in reason


def test_an_unproven_rehearsal_cannot_be_confirmed() -> None:
    """A plan whose rehearsal accounts not for every row is never cut over."""
    story = PLANNED_STORY.and_then(moment(Kind.REHEARSED, proven=False))
    assert "not proven" in (guards.refuse_cut_over(story.state()) or "")


def test_a_plan_without_a_rehearsal_cannot_be_confirmed() -> None:
    """A new plan forgets the proof of the one before."""
    story = PLANNED_STORY.and_then(moment(Kind.PLAN_MADE, plan_hash="b" * 64))
    assert "not proven" in (guards.refuse_cut_over(story.state()) or "")


def test_a_void_plan_says_why() -> None:
    """A plan that no longer holds is refused with the reason for which it was voided."""
    story = PLANNED_STORY.and_then(moment(Kind.PLAN_VOID, "The database changed."))
    assert "The database changed." in (guards.refuse_cut_over(story.state()) or "")


def test_an_undone_cut_over_can_be_planned_again() -> None:
    """After an undo there is nothing left to undo, and a new plan may be made."""
    state = RESTORED_STORY.and_then(UNDONE).state()
    assert guards.refuse_plan(state) is None
    assert "nothing to undo" in (guards.refuse_undo(state) or "")
    assert "void" in (guards.refuse_cut_over(state) or "")


def test_checks_may_run_when_the_correction_was_left_out() -> None:
    """Steps 8 and 9 are open when step 7 was left out by decision."""
    story = RESTORED_STORY.and_then(
        step_done(Step.ALIGN), moment(Kind.STEP_SKIPPED, "left out", step=int(Step.DEPLOY))
    )
    assert guards.refuse_check(story.state()) is None


def test_giving_up_without_a_restore_may_reopen() -> None:
    """A frozen application whose data were never changed may be opened as it was."""
    assert guards.refuse_reopen(FROZEN_STORY.state()) is None


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"data_check": None}, "/app check"),
        ({"data_check": {"passed": False}}, "/app check"),
        ({"app_test": None}, "/app check"),
        ({"app_test": {"passed": False}}, "/app check"),
        ({"manual": {}}, "the newest order"),
        ({"manual": {"the newest order": False}}, "the newest order"),
    ],
)
def test_reopening_waits_for_every_check(change: dict[str, object], word: str) -> None:
    """One check that failed, was not made or was not ticked keeps the application closed, and is named."""
    reason = guards.refuse_reopen(replaced(CHECKED_STORY.state(), **change))
    assert word in (reason or "")


@pytest.mark.parametrize(
    ("change", "objections"),
    [
        ({}, ()),
        (
            {"app_test": {"passed": False, "reasons": ["/: HTTP 500, expected 200"]}},
            ("the test of the application failed: /: HTTP 500, expected 200",),
        ),
        ({"manual": {}}, ("nobody has confirmed: the newest order",)),
        (
            {"manual": {"the newest order": False}},
            ("a person said no to this: the newest order",),
        ),
    ],
)
def test_a_person_may_reopen_in_spite_of_tests_but_not_of_data(
    change: dict[str, object], objections: tuple[str, ...]
) -> None:
    """What stands against it is named one by one, and opened all the same by a word; bad data and no test are no matter of that."""
    state = replaced(CHECKED_STORY.state(), **change)
    assert guards.reopen_objections(state) == objections
    assert guards.refuse_reopen_anyway(state) is None
    assert (guards.refuse_reopen(state) is None) == (not objections)
    for worse in ({"data_check": {"passed": False}}, {"app_test": None}):
        assert "/app check" in (guards.refuse_reopen_anyway(replaced(state, **worse)) or "")


def test_an_open_application_is_not_reopened() -> None:
    """There is nothing to reopen where this incident did not close anything."""
    assert "nothing to reopen" in (guards.refuse_reopen(ASSESSED_STORY.state()) or "")


def test_only_the_watch_stands_against_closing() -> None:
    """Right after reopening only the watch of the log is left, which a person may end early."""
    assert guards.only_watched(REOPENED_STORY.state())
    assert "--now" in (guards.refuse_close(REOPENED_STORY.state()) or "")
    others = [story for name, story in WHOLE_RECOVERY.items() if name != "reopened"]
    assert not any(guards.only_watched(story.state()) for story in others)


def test_acknowledging_needs_a_call_that_nobody_took() -> None:
    """A call is acknowledged once; the second is told who has it."""
    called = JUST_OPENED.and_then(moment(Kind.ESCALATED, reason="two failures", rules=["restore-failed"]))
    taken = called.and_then(moment(Kind.ACKNOWLEDGED, actor="Dora"))
    assert guards.refuse_ack(called.state()) is None
    assert guards.refuse_ack(taken.state()) == "Dora has it already."
    assert "/incident escalate" in (guards.refuse_ack(JUST_OPENED.state()) or "")


def test_a_second_call_can_be_acknowledged_again() -> None:
    """What is escalated after an acknowledgement is a new call."""
    story = JUST_OPENED.and_then(
        moment(Kind.ESCALATED, reason="one"), moment(Kind.ACKNOWLEDGED, actor="Dora"), moment(Kind.ESCALATED)
    )
    assert guards.refuse_ack(story.state()) is None


def test_a_deployment_follows_the_alignment() -> None:
    """The corrected migration is not deployed before step 6 has told what is so."""
    assert "/app rollback" in (guards.refuse_deploy(RESTORED_STORY.state()) or "")
    assert "deployed already" in (guards.refuse_deploy(DEPLOYED_STORY.state()) or "")


def test_every_question_that_changes_the_site_is_guarded() -> None:
    """The guard of a step stands before the answer too: a button pressed an hour later is asked again."""
    asked = {"freeze", "cutover", "undo", "deploy", "caches", "reopen", "reopen_anyway"}
    assert asked <= CHANGES_SITE
    assert all(guard_of(purpose) is not None for purpose in asked | {"close"})
    assert guard_of("missing:orders") is None


def test_a_state_from_nowhere_allows_nothing_dangerous() -> None:
    """An empty timeline allows no change of production's data."""
    empty = Incident()
    dangerous = (
        guards.refuse_safety_backup,
        guards.refuse_plan,
        guards.refuse_cut_over,
        guards.refuse_undo,
        guards.refuse_deploy,
        guards.refuse_reopen,
    )
    assert all(guard(empty) is not None for guard in dangerous)


def test_a_cut_over_in_an_incident_that_was_not_frozen_is_refused() -> None:
    """Even with a proven plan nothing is cut over while the application runs."""
    story = Story(OPENED, *[m for m in PLANNED_STORY.moments[1:] if m[0] is not Kind.FROZEN])
    assert "/app freeze" in (guards.refuse_cut_over(story.state()) or "")
    assert SAFE_STORY.state().frozen
    assert story.and_then(CUT_OVER).state().cutover is Cutover.DONE
