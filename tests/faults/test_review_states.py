"""What a timeline must not let pass: stale proofs, stale answers, and states without a way on."""

from __future__ import annotations

import pytest

from bot.model.event import Kind
from bot.model.step import Step, StepStatus
from bot.runbook import guards
from bot.runbook.purposes import CHANGES_SITE, guard_of
from tests.playbooks.story import (
    ALIGNED_STORY,
    APP_GOOD,
    CHECKED_STORY,
    CUT_OVER,
    DATA_GOOD,
    DEPLOYED,
    FROZEN_STORY,
    INTENT_STORY,
    PLANNED,
    REHEARSED,
    REOPENED_STORY,
    TICKED,
    UNDONE,
    moment,
    step_done,
    step_failed,
)

SKIPPED = moment(Kind.STEP_SKIPPED, "left out", step=int(Step.DEPLOY))
CHECKED_WITHOUT = ALIGNED_STORY.and_then(
    SKIPPED, DATA_GOOD, step_done(Step.VERIFY_DATA), APP_GOOD, step_done(Step.TEST_APP), TICKED
)
DEPLOY_INTENT = moment(Kind.CORRECTED_INTENT, commit="c" * 40)


def test_a_check_from_before_the_corrected_migration_does_not_open_the_site() -> None:
    """Checked without the corrected migration, then deployed: what was checked is not what would be opened."""
    state = CHECKED_WITHOUT.and_then(DEPLOY_INTENT, DEPLOYED, step_done(Step.DEPLOY)).state()
    assert guards.refuse_reopen(state) is not None


def test_a_corrected_migration_that_went_wrong_does_not_open_the_site() -> None:
    """Checked, then a corrected migration ran and was not good: the site stays closed until it is checked again."""
    state = CHECKED_WITHOUT.and_then(DEPLOY_INTENT, step_failed(Step.DEPLOY, "is NOT good")).state()
    assert guards.refuse_reopen(state) is not None


def test_a_corrected_migration_that_went_wrong_cannot_be_left_out_afterwards() -> None:
    """ "Leave it out" is an answer only while it has not run."""
    state = ALIGNED_STORY.and_then(DEPLOY_INTENT, step_failed(Step.DEPLOY, "is NOT good")).state()
    skip = guard_of("propose")
    assert skip is not None
    assert skip(state) is not None


def test_the_manual_list_is_ticked_again_after_an_undo_and_a_second_cut_over() -> None:
    """What a person saw work before the undo says nothing of the second recovery."""
    again = CHECKED_STORY.and_then(
        UNDONE,
        PLANNED,
        REHEARSED,
        CUT_OVER,
        step_done(Step.ALIGN),
        DEPLOYED,
        step_done(Step.DEPLOY),
        DATA_GOOD,
        APP_GOOD,
    )
    assert guards.refuse_reopen(again.state()) is not None


def test_an_open_site_is_not_checked_behind_the_bypass() -> None:
    """The check sets the maintenance flag, so on an open site it is refused."""
    assert guards.refuse_check(REOPENED_STORY.state()) is not None


def test_a_failed_look_for_what_happened_leaves_the_undo() -> None:
    """Production that is neither as before nor as planned can be put back: the message says so, and so does the guard."""
    state = INTENT_STORY.and_then(moment(Kind.CUTOVER_UNKNOWN)).state()
    assert guards.refuse_undo(state) is None


def test_a_plan_told_after_the_cut_over_began_does_not_replace_the_one_carried_out() -> None:
    """The undo and the checks stand on the plan that was carried out, whatever is told later."""
    late = INTENT_STORY.and_then(moment(Kind.PLAN_MADE, plan_hash="b" * 64), CUT_OVER).state()
    assert (late.plan or {})["plan_hash"] == "a" * 64


@pytest.mark.parametrize("kind", sorted({*CHANGES_SITE, "plan", "propose", "skip_deploy", "close"}))
def test_a_late_answer_is_judged_by_the_state_of_its_moment(kind: str) -> None:
    """Whatever an answer may start has a guard that is asked when the answer comes, and again when its turn comes."""
    assert guard_of(kind) is not None


def test_a_cancelled_step_is_not_said_to_run() -> None:
    """A step whose operation was cancelled or ended by a fault does not stand as running for ever."""
    began = moment(Kind.STEP_STARTED, "rehearsing", step=int(Step.RESTORE))
    data = {"operation": "x", "kind": "plan"}
    state = FROZEN_STORY.and_then(
        began, (Kind.OPERATION_CANCELLED, "backout", "plan was cancelled", data)
    ).state()
    assert state.status(Step.RESTORE) is not StepStatus.RUNNING
