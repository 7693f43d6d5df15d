"""The state of an incident is what its timeline tells, entry by entry, in order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.event import Kind
from bot.model.incident import Cutover, Incident, fold
from bot.model.step import Step, StepState, StepStatus
from bot.service.operations.kinds import KINDS
from tests.playbooks.story import (
    ALIGNED_STORY,
    APPROVED,
    BEGAN,
    CHECKED_STORY,
    CLOSED_STORY,
    CUT_OVER,
    FREEZE_BROKEN,
    FROZEN,
    FROZEN_STORY,
    INTENT,
    INTENT_STORY,
    JUST_OPENED,
    LISTED,
    OPENED,
    PLAN_HASH,
    PLANNED,
    PLANNED_STORY,
    REOPENED,
    REOPENED_STORY,
    RESTORED_STORY,
    SITE,
    UNDONE,
    WATCHED_STORY,
    Story,
    backup,
    moment,
    step_done,
    step_failed,
)

# What each kind sets, told after a whole recovery up to the plan: (data, field, value).
SETS = [
    (Kind.ASSESSED, {"x": 1}, "assessment", {"x": 1}),
    (Kind.FROZEN, {"proven": True}, "frozen", True),
    (Kind.FROZEN, {"proven": False}, "frozen", False),
    (Kind.FREEZE_BROKEN, {}, "frozen", False),
    (Kind.BACKUPS_LISTED, {"backups": []}, "backups_listed", True),
    (Kind.BACKUP_INSPECTED, {"path": "/b/x", "word": "REFUSED"}, "recommended", LISTED[3]["backups"][0]),
    (Kind.SAFETY_MADE, {"path": "/s"}, "safety", {"path": "/s"}),
    (Kind.PLAN_MADE, {"plan_hash": "b"}, "plan", {"plan_hash": "b"}),
    (Kind.PLAN_MADE, {"plan_hash": "b"}, "rehearsal", None),
    (Kind.PLAN_VOID, {}, "plan_void", "plan.void"),
    (Kind.REHEARSED, {"proven": False}, "plan_valid", False),
    (Kind.APPROVED, {"plan_hash": PLAN_HASH}, "approvals", ("backout",)),
    (Kind.APPROVED, {"plan_hash": "another"}, "approvals", ()),
    (Kind.CUTOVER_INTENT, {}, "cutover", Cutover.UNKNOWN),
    (Kind.CUTOVER_UNKNOWN, {}, "cutover", Cutover.UNKNOWN),
    (Kind.CUTOVER_DONE, {}, "cutover", Cutover.DONE),
    (Kind.CUTOVER_NOT_DONE, {"before": "done"}, "cutover", Cutover.DONE),
    (Kind.CUTOVER_NOT_DONE, {}, "cutover", Cutover.NONE),
    (Kind.UNDO_INTENT, {}, "cutover", Cutover.UNKNOWN),
    (Kind.UNDO_DONE, {}, "cutover", Cutover.UNDONE),
    (Kind.UNDO_DONE, {}, "plan_valid", False),
    (Kind.CORRECTED_PROPOSED, {"c": 1}, "proposal", {"c": 1}),
    (Kind.CORRECTED_REHEARSED, {"c": 2}, "corrected_rehearsal", {"c": 2}),
    (Kind.CORRECTED_INTENT, {}, "corrected_tried", True),
    (Kind.CORRECTED_DONE, {"c": 3}, "corrected", {"c": 3}),
    (Kind.DATA_CHECKED, {"passed": True}, "data_check", {"passed": True}),
    (Kind.APP_TESTED, {"passed": True}, "app_test", {"passed": True}),
    (Kind.ROWS_SET_ASIDE, {"item": "look", "settled": True}, "manual", {"look": True}),
    (Kind.ROWS_SET_ASIDE, {"item": "look", "settled": False}, "manual", {}),
    (Kind.ROWS_SET_ASIDE, {"waiting": [1]}, "data_check", {"waiting": [1]}),
    (Kind.REOPENED, {}, "frozen", False),
    (Kind.REOPENED, {}, "down_since", None),
    (Kind.WATCH, {"errors": 1}, "watch", {"errors": 1}),
    (Kind.WATCH_ENDED, {"errors": 1}, "watch_ended", {"errors": 1}),
    (
        Kind.DECISION_ANSWERED,
        {"purpose": "missing:orders", "answer": "leave"},
        "table_decisions",
        {"orders": "leave"},
    ),
    (Kind.DECISION_ANSWERED, {"purpose": "missing:orders", "answer": "later"}, "table_decisions", {}),
    (Kind.DECISION_ANSWERED, {"purpose": "manual:look", "answer": "ok"}, "manual", {"look": True}),
    (Kind.DECISION_ANSWERED, {"purpose": "manual:look", "answer": "bad"}, "manual", {"look": False}),
    (Kind.DECISION_ANSWERED, {"purpose": "manual:look", "answer": "aside_jobs"}, "manual", {}),
    (Kind.DECISION_ANSWERED, {"purpose": "freeze", "answer": "freeze"}, "manual", {}),
    (Kind.ESCALATED, {"reason": "r"}, "escalation", {"reason": "r"}),
    (Kind.ACKNOWLEDGED, {}, "acknowledged_by", "backout"),
    (Kind.UNACKNOWLEDGED, {}, "acknowledged_by", None),
    (Kind.INCIDENT_CLOSED, {"outcome": "recovered"}, "outcome", "recovered"),
]

TELL_NOTHING = {
    Kind.NOTE,
    Kind.COMMAND,
    Kind.REFUSED,
    Kind.HOST_COMMAND,
    Kind.ALIGNED,
    Kind.DECISION_OPENED,
    Kind.DECISION_VOTED,
    Kind.DECISION_VOID,
    Kind.PAGED,
    Kind.RUNG,
    Kind.BACKUPS_CHECKED,
    Kind.ACTIONS_LISTED,
    Kind.ACTION_CHANGED,
    Kind.DRILLED,
    Kind.SITE_RELEASED,
    Kind.RECOVERED_AFTER_CRASH,
    Kind.REPORT_WRITTEN,
    Kind.CORRECTION,
}
OF_STEPS = {
    Kind.STEP_STARTED: StepStatus.RUNNING,
    Kind.STEP_DONE: StepStatus.DONE,
    Kind.STEP_FAILED: StepStatus.FAILED,
    Kind.STEP_UNKNOWN: StepStatus.UNKNOWN,
    Kind.STEP_SKIPPED: StepStatus.SKIPPED,
}
ENDS = (Kind.OPERATION_FAILED, Kind.OPERATION_CANCELLED)


@pytest.mark.parametrize(("kind", "data", "name", "value"), SETS)
def test_each_kind_sets_what_it_tells(kind: Kind, data: dict[str, Any], name: str, value: object) -> None:
    """One entry of each kind changes the state as its name says."""
    state = PLANNED_STORY.and_then(moment(kind, **data)).state()
    assert getattr(state, name) == value


@pytest.mark.parametrize(("kind", "status"), list(OF_STEPS.items()))
def test_each_step_entry_sets_its_step(kind: Kind, status: StepStatus) -> None:
    """An entry of a step sets that step's status, note and time, and no other step's."""
    state = JUST_OPENED.and_then(moment(kind, "the note", step=4)).state()
    assert state.steps[Step.SAFETY_BACKUP] == StepState(
        status=status, note="the note", at=BEGAN + timedelta(minutes=1)
    )
    assert all(s == StepState() for step, s in state.steps.items() if step is not Step.SAFETY_BACKUP)


@pytest.mark.parametrize("kind", list(OF_STEPS))
def test_an_entry_of_no_step_changes_no_step(kind: Kind) -> None:
    """What belongs to no step leaves every step as it was."""
    assert JUST_OPENED.and_then(moment(kind)).state().steps == Incident().steps


@pytest.mark.parametrize("kind", ENDS)
@pytest.mark.parametrize(
    ("work", "step"), [("plan", Step.RESTORE), ("check", Step.VERIFY_DATA), ("safety", Step.SAFETY_BACKUP)]
)
def test_work_that_ended_badly_leaves_no_step_running(kind: Kind, work: str, step: Step) -> None:
    """A step whose operation failed or was cancelled is not shown as running; one that had told its end keeps it."""
    began = JUST_OPENED.and_then(moment(Kind.STEP_STARTED, step=int(step)))
    ended = began.and_then((kind, "backout", "no space", {"kind": work, "operation": "o-1"}))
    assert ended.state().steps[step].status is StepStatus.FAILED
    assert ended.state().steps[step].note == "no space"
    told = began.and_then(step_done(step, "whole"), (kind, "backout", "late", {"kind": work}))
    assert told.state().status(step) is StepStatus.DONE


@pytest.mark.parametrize("name", sorted(KINDS))
def test_the_fold_knows_the_step_of_every_operation(name: str) -> None:
    """The fold and the list of operations agree on which step an operation works."""
    step = KINDS[name].step
    if name == "skip_deploy":
        return  # it runs on Backout's own records alone and cannot be cancelled half-way
    for one in Step:
        began = JUST_OPENED.and_then(moment(Kind.STEP_STARTED, step=int(one)))
        ended = began.and_then((Kind.OPERATION_CANCELLED, "backout", "cancelled", {"kind": name}))
        assert (ended.state().status(one) is StepStatus.FAILED) == (one is step)


@pytest.mark.parametrize("kind", sorted(TELL_NOTHING))
def test_other_kinds_change_nothing(kind: Kind) -> None:
    """An entry that is only kept for the record changes nothing but the count."""
    before, after = PLANNED_STORY.state(), PLANNED_STORY.and_then(moment(kind, step=5, proven=True)).state()
    assert after == replace(before, last_sequence=before.last_sequence + 1)


def test_every_kind_is_tested_here() -> None:
    """No kind of entry is missing from these tables."""
    tested = {row[0] for row in SETS} | TELL_NOTHING | set(OF_STEPS) | set(ENDS) | {Kind.INCIDENT_OPENED}
    assert tested == set(Kind)


def test_the_opening_names_the_incident() -> None:
    """The first entry gives site, title, time and person."""
    state = JUST_OPENED.state()
    assert (state.site, state.title, state.opened_at, state.opened_by) == (SITE, OPENED[2], BEGAN, "Anna")
    assert state.open


def test_an_empty_timeline_is_an_empty_incident() -> None:
    """Nothing told is nothing known."""
    assert fold([]) == Incident()


@given(st.integers(0, len(CLOSED_STORY.moments)))
def test_a_timeline_can_be_folded_in_two_parts(cut: int) -> None:
    """The state after any number of entries depends on these entries alone, in their order."""
    entries = CLOSED_STORY.entries()
    assert fold(entries[:cut]) == Story(*CLOSED_STORY.moments[:cut]).state()
    assert fold(entries[:cut]).last_sequence == cut


def test_the_order_of_entries_counts() -> None:
    """The same entries in another order tell another state: a freeze that is broken and proven again holds."""
    broken_last = JUST_OPENED.and_then(FROZEN, FREEZE_BROKEN).state()
    frozen_last = JUST_OPENED.and_then(FREEZE_BROKEN, FROZEN).state()
    assert not broken_last.frozen
    assert frozen_last.frozen


def test_a_new_plan_takes_the_approvals_of_the_old_one() -> None:
    """An approval belongs to one plan: the next plan begins with none."""
    approved = PLANNED_STORY.and_then(APPROVED)
    assert approved.state().approvals == ("Boris",)
    assert approved.and_then(moment(Kind.PLAN_MADE, plan_hash="b" * 64)).state().approvals == ()


@pytest.mark.parametrize("story", [INTENT_STORY, RESTORED_STORY])
def test_a_late_rehearsal_does_not_take_the_plan_that_is_carried_out(story: Story) -> None:
    """From the cut-over's intent on, undo and proofs stand on the plan that was approved."""
    late = story.and_then(moment(Kind.PLAN_MADE, plan_hash="b" * 64)).state()
    assert (late.plan or {})["plan_hash"] == PLAN_HASH


def test_a_voided_plan_loses_its_approvals() -> None:
    """A plan that no longer holds has no approvals."""
    assert INTENT_STORY.and_then(moment(Kind.PLAN_VOID, "changed")).state().approvals == ()


def test_an_approval_of_no_plan_is_none() -> None:
    """An approval before any plan is not kept."""
    assert JUST_OPENED.and_then(moment(Kind.APPROVED, plan_hash=None)).state().approvals == ()


def test_downtime_sums_the_spans() -> None:
    """Downtime is the sum of all spans from going down to opening again; a second freeze within one span adds nothing."""
    story = JUST_OPENED.and_then(
        moment(Kind.FROZEN, proven=False, down_at=(BEGAN + timedelta(minutes=1)).isoformat()),
        moment(Kind.FROZEN, proven=True, down_at=(BEGAN + timedelta(minutes=2)).isoformat()),
        moment(Kind.REOPENED),  # minute 3
        moment(Kind.FROZEN, proven=True, down_at=(BEGAN + timedelta(minutes=4)).isoformat()),
        moment(Kind.REOPENED),  # minute 5
    )
    assert story.state().downtime == timedelta(minutes=3)
    assert story.state().down_since is None


def test_reopening_without_a_freeze_counts_nothing() -> None:
    """Opening what was never down is no downtime."""
    assert JUST_OPENED.and_then(REOPENED).state().downtime == timedelta()


def test_freezing_again_ends_the_watch() -> None:
    """After a second freeze the application is not open any more, and the next opening is watched anew."""
    again = WATCHED_STORY.and_then(moment(Kind.FROZEN, proven=True, down_at=BEGAN.isoformat())).state()
    assert again.reopened_at is None
    assert WATCHED_STORY.and_then(FROZEN, REOPENED).state().watch_ended is None
    assert REOPENED_STORY.state().reopened_at is not None


def test_an_undo_forgets_what_stood_on_the_cut_over() -> None:
    """After an undo the steps from the restore on wait again, and no check of before counts."""
    state = CHECKED_STORY.and_then(UNDONE).state()
    waiting = (Step.RESTORE, Step.ALIGN, Step.DEPLOY, Step.VERIFY_DATA, Step.TEST_APP)
    assert all(state.status(step) is StepStatus.WAITING for step in waiting)
    assert (state.corrected, state.data_check, state.app_test) == (None, None, None)
    assert state.safety is not None
    assert state.status(Step.SAFETY_BACKUP) is StepStatus.DONE


def test_an_undo_forgets_what_was_ticked() -> None:
    """What a person saw with their own eyes before the undo was seen on data that are gone."""
    assert CHECKED_STORY.state().manual == {"the newest order": True}
    assert CHECKED_STORY.and_then(UNDONE).state().manual == {}


def test_a_second_cut_over_forgets_what_was_ticked() -> None:
    """After an undo and a second cut-over the manual list has to be gone through again."""
    story = CHECKED_STORY.and_then(UNDONE, PLANNED, INTENT, CUT_OVER)
    assert story.state().manual == {}


def test_failures_of_the_restore_are_counted() -> None:
    """Only failures of step 5 count towards the rule of two failed restores."""
    story = JUST_OPENED.and_then(
        step_failed(Step.RESTORE), step_failed(Step.ALIGN), step_failed(Step.RESTORE)
    )
    assert story.state().restore_failures == 2
    assert ALIGNED_STORY.state().restore_failures == 0


def test_an_inspected_backup_takes_its_old_place() -> None:
    """Inspecting one backup again replaces its line and leaves the others."""
    story = FROZEN_STORY.and_then(moment(Kind.BACKUP_INSPECTED, **backup("cut.sql", "COULD NOT VERIFY")))
    words = {b["path"]: b["word"] for b in story.state().backups}
    assert words == {"/backups/good.sql": "VERIFIED", "/backups/cut.sql": "COULD NOT VERIFY"}


def test_the_recommended_backup_stays_recommended_when_it_is_looked_into() -> None:
    """Inspecting the recommended backup and finding it VERIFIED takes nothing from it; a plan can still stand on it."""
    story = FROZEN_STORY.and_then(moment(Kind.BACKUP_INSPECTED, **backup("good.sql", sha256="ab")))
    recommended = story.state().recommended or {}
    assert (recommended["path"], recommended["sha256"]) == ("/backups/good.sql", "ab")
    assert [b["path"] for b in story.state().backups] == ["/backups/good.sql", "/backups/cut.sql"]


@pytest.mark.parametrize("word", ["REFUSED", "COULD NOT VERIFY"])
def test_a_recommended_backup_that_is_no_longer_good_is_recommended_no_more(word: str) -> None:
    """A file that has changed since the listing, and is not VERIFIED now, is not what a plan stands on."""
    story = FROZEN_STORY.and_then(moment(Kind.BACKUP_INSPECTED, **backup("good.sql", word)))
    assert story.state().recommended is None


def test_a_verified_backup_is_found_by_path_or_name() -> None:
    """Only a VERIFIED backup is given, by its path or its file name."""
    state = FROZEN_STORY.state()
    assert (
        state.verified_backup("good.sql") == state.verified_backup("/backups/good.sql") == state.recommended
    )
    assert state.verified_backup("cut.sql") is None
    assert state.verified_backup("no.sql") is None


def test_a_step_that_is_done_again_is_done() -> None:
    """The latest entry of a step is what is true of it."""
    story = RESTORED_STORY.and_then(step_failed(Step.RESTORE), step_done(Step.RESTORE, "whole"))
    assert story.state().steps[Step.RESTORE].note == "whole"
    assert story.state().status(Step.RESTORE) is StepStatus.DONE
