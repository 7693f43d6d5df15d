"""Playbooks: what happened, in order, and what may happen next. Read them from top to bottom like an incident."""

from __future__ import annotations

import pytest

from bot.model.event import Kind
from bot.model.incident import Cutover, Incident
from bot.model.operation import Operation, OperationState
from bot.model.step import Step, StepStatus
from bot.runbook import guards
from bot.runbook.escalation import escalations
from bot.runbook.guards import refuse_reopen_anyway
from bot.runbook.headline import headline, next_commands
from bot.service.operation_words import ended_entry
from tests.playbooks.story import (
    APP_GOOD,
    APPROVED,
    ASSESSED,
    CHECKED_STORY,
    CUT_OVER,
    DATA_GOOD,
    DEPLOYED,
    FREEZE_BROKEN,
    FROZEN,
    FROZEN_STORY,
    INTENT,
    INTENT_STORY,
    JUST_OPENED,
    LISTED,
    PLAN_HASH,
    PLANNED,
    PLANNED_STORY,
    REHEARSED,
    REOPENED,
    REOPENED_STORY,
    RESTORED_STORY,
    SAFE_STORY,
    SAFETY,
    SITE,
    TICKED,
    UNDONE,
    WATCHED,
    WHOLE_RECOVERY,
    Story,
    backup,
    moment,
    step_done,
    step_failed,
)

GUARDS = {
    "assess": guards.refuse_assess,
    "freeze": guards.refuse_freeze,
    "safety": guards.refuse_safety_backup,
    "plan": guards.refuse_plan,
    "confirm": guards.refuse_cut_over,
    "undo": guards.refuse_undo,
    "rollback": guards.refuse_rollback,
    "deploy": guards.refuse_deploy,
    "check": guards.refuse_check,
    "caches": guards.refuse_caches,
    "reopen": guards.refuse_reopen,
    "close": guards.refuse_close,
}


def may(state: Incident) -> set[str]:
    """Return what may be asked for now."""
    return {name for name, guard in GUARDS.items() if guard(state) is None}


def test_the_whole_recovery_step_by_step() -> None:
    """From the first word to the report each step opens the next, and what went before stays closed."""
    story = JUST_OPENED
    assert may(story.state()) == {"assess", "freeze", "close"}
    story = story.and_then(LISTED, ASSESSED, step_done(Step.ASSESS))
    assert may(story.state()) == {"assess", "freeze", "close"}
    story = story.and_then(FROZEN, step_done(Step.FREEZE))
    assert may(story.state()) == {"assess", "freeze", "safety", "reopen"}
    story = story.and_then(SAFETY, step_done(Step.SAFETY_BACKUP))
    assert may(story.state()) == {"assess", "freeze", "safety", "plan", "reopen"}
    story = story.and_then(PLANNED, REHEARSED)
    assert may(story.state()) == {"assess", "freeze", "safety", "plan", "confirm", "reopen"}
    story = story.and_then(APPROVED, INTENT)
    assert may(story.state()) == {"assess", "freeze", "undo"}
    story = story.and_then(CUT_OVER, step_done(Step.RESTORE))
    assert may(story.state()) == {"assess", "freeze", "safety", "undo", "rollback"}
    story = story.and_then(moment(Kind.ALIGNED), step_done(Step.ALIGN))
    assert may(story.state()) == {"assess", "freeze", "safety", "undo", "rollback", "deploy"}
    story = story.and_then(DEPLOYED, step_done(Step.DEPLOY))
    assert may(story.state()) == {"assess", "freeze", "safety", "undo", "check"}
    story = story.and_then(DATA_GOOD, APP_GOOD)
    assert may(story.state()) == {"assess", "freeze", "safety", "undo", "check", "caches"}
    story = story.and_then(TICKED)
    assert "reopen" in may(story.state())
    story = story.and_then(REOPENED)
    assert may(story.state()) == {"assess", "freeze", "undo", "caches"}
    story = story.and_then(WATCHED)
    assert may(story.state()) == {"assess", "freeze", "undo", "caches", "close"}
    story = story.and_then(moment(Kind.INCIDENT_CLOSED, outcome="recovered"))
    assert may(story.state()) == set()


def test_nothing_was_lost() -> None:
    """Where nothing was lost the incident is closed at once, without ever freezing."""
    story = JUST_OPENED.and_then(LISTED, moment(Kind.ASSESSED, bad_migration="m", loss={"verdict": "none"}))
    assert "close" in may(story.state())
    assert "No data were lost" in headline(story.state()).text


def test_no_backup_is_any_good() -> None:
    """Where no backup is verified, the DBA is called by rule; freezing stays possible."""
    story = JUST_OPENED.and_then(
        moment(Kind.BACKUPS_LISTED, backups=[backup("a", "REFUSED"), backup("b", "COULD NOT VERIFY")]),
        moment(Kind.ASSESSED, bad_migration="m"),
    )
    assert [r.rule for r in escalations(story.state(), size_limit_bytes=10**9)] == ["backup-unsure"]
    assert "freeze" in may(story.state())
    assert "cannot be counted" in headline(story.state()).text


def test_a_worker_writes_between_the_plan_and_the_approval() -> None:
    """A writer that appears after the plan stops the cut-over; a new freeze, copy and plan lead on."""
    story = PLANNED_STORY.and_then(FREEZE_BROKEN)
    assert may(story.state()) == {"assess", "freeze", "reopen"}
    story = story.and_then(FROZEN, moment(Kind.PLAN_VOID, "The database changed."))
    assert "confirm" not in may(story.state())
    assert "plan" in may(story.state())
    story = story.and_then(SAFETY, moment(Kind.PLAN_MADE, plan_hash="b" * 64), REHEARSED)
    assert "confirm" in may(story.state())


def test_a_cut_over_that_did_not_take_place() -> None:
    """An intent that was looked up as not done leaves everything as before, and the plan can be approved again."""
    story = INTENT_STORY.and_then(moment(Kind.CUTOVER_NOT_DONE, before="none"))
    assert story.state().cutover is Cutover.NONE
    assert "confirm" in may(story.state())
    assert "undo" not in may(story.state())


def test_an_undo_that_did_not_take_place() -> None:
    """An undo that was looked up as not done leaves the cut-over as it was, and can be asked for again."""
    story = RESTORED_STORY.and_then(moment(Kind.UNDO_INTENT), moment(Kind.CUTOVER_NOT_DONE, before="done"))
    assert story.state().cutover is Cutover.DONE
    assert "undo" in may(story.state())


def test_a_cut_over_that_nobody_can_tell() -> None:
    """Once it was looked up and is neither before nor after, the undo that the message names is open."""
    story = INTENT_STORY.and_then(moment(Kind.CUTOVER_UNKNOWN, "neither"), step_failed(Step.RESTORE))
    assert "undo" in may(story.state())
    assert not {"confirm", "plan", "deploy", "reopen", "close"} & may(story.state())


def test_undo_and_begin_again() -> None:
    """After an undo a new plan goes the whole way again, and the old approval counts for nothing."""
    story = CHECKED_STORY.and_then(UNDONE)
    assert may(story.state()) == {"assess", "freeze", "safety", "plan", "reopen"}
    assert story.state().approvals == ()
    story = story.and_then(PLANNED, REHEARSED, APPROVED, INTENT, CUT_OVER, step_done(Step.RESTORE))
    assert may(story.state()) == {"assess", "freeze", "safety", "undo", "rollback"}
    assert story.state().status(Step.DEPLOY) is StepStatus.WAITING


def test_undo_and_give_up() -> None:
    """After an undo the application may be opened as it was before, and the incident closed after the watch."""
    story = RESTORED_STORY.and_then(UNDONE, REOPENED)
    assert "close" not in may(story.state())
    assert "close" in may(story.and_then(WATCHED).state())


def test_the_correction_is_left_out() -> None:
    """Where step 7 is left out by decision, checks and reopening follow without it."""
    story = RESTORED_STORY.and_then(
        step_done(Step.ALIGN),
        moment(Kind.STEP_SKIPPED, "left out", step=int(Step.DEPLOY)),
        DATA_GOOD,
        APP_GOOD,
        TICKED,
    )
    assert {"check", "reopen"} <= may(story.state())


def test_errors_after_reopening() -> None:
    """A second freeze after reopening leads back to the checks, not to the start; what was tested before counts no more."""
    story = REOPENED_STORY.and_then(moment(Kind.WATCH, errors=3), FROZEN)
    assert {"undo", "check"} <= may(story.state())
    assert not {"plan", "confirm", "close", "reopen"} & may(story.state())
    assert refuse_reopen_anyway(story.state()) == "The application was not tested yet. First: /app check"
    assert "/app check" in [line for line, _ in next_commands(story.state())]
    tested = story.and_then(DATA_GOOD, APP_GOOD)
    assert "reopen" not in may(tested.state())
    assert "reopen" in may(tested.and_then(TICKED).state())


def test_two_failed_restores() -> None:
    """The second failure of the restore calls the DBA; planning stays possible."""
    story = SAFE_STORY.and_then(step_failed(Step.RESTORE, "no space"), step_failed(Step.RESTORE, "no space"))
    assert [r.rule for r in escalations(story.state(), size_limit_bytes=10**9)] == ["restore-failed"]
    assert "plan" in may(story.state())
    assert "Step 5 (Restore) failed: no space" in headline(story.state()).text


def test_a_no_in_the_manual_list() -> None:
    """One item of the manual list that a person said no to keeps the application closed until it is ticked."""
    no = moment(Kind.DECISION_ANSWERED, purpose="manual:the newest order", answer="bad")
    assert "reopen" not in may(CHECKED_STORY.and_then(no).state())
    assert "reopen" in may(CHECKED_STORY.and_then(no, TICKED).state())


def test_an_approval_of_an_older_plan_is_no_approval() -> None:
    """A yes that arrives for the plan before counts for nothing."""
    story = PLANNED_STORY.and_then(moment(Kind.PLAN_MADE, plan_hash="b" * 64), REHEARSED, APPROVED)
    assert story.state().approvals == ()
    assert story.state().plan != {"plan_hash": PLAN_HASH}


def test_a_cancelled_rehearsal_is_over() -> None:
    """After a cancel, as the engine itself tells it, the step is not shown as running."""
    rehearsal = Operation(id="o-1", kind="plan", incident_id="inc-shop-1", site=SITE, person="Anna")
    told = ended_entry(rehearsal, OperationState.CANCELLED, None)
    assert told is not None
    began = moment(Kind.STEP_STARTED, "Rehearsing", step=int(Step.RESTORE))
    story = SAFE_STORY.and_then(began, (told.kind, told.actor, told.text, told.data))
    assert story.state().status(Step.RESTORE) is not StepStatus.RUNNING


@pytest.mark.parametrize("name", [n for n in WHOLE_RECOVERY if n not in ("cut-over begun", "closed")])
def test_there_is_always_a_next_command(name: str) -> None:
    """At no point of an open incident is the reader left without a command, but while a change is being looked up."""
    assert next_commands(WHOLE_RECOVERY[name].state())


def test_every_refusal_leads_somewhere() -> None:
    """From the frozen state, typing what each refusal of a later step names leads to that step."""
    assert "/backups create" in (guards.refuse_plan(FROZEN_STORY.state()) or "")
    assert "/restore plan" in (guards.refuse_cut_over(SAFE_STORY.state()) or "")
    assert "/restore plan" in (guards.refuse_deploy(PLANNED_STORY.state()) or "")
    assert "/app rollback" in (guards.refuse_deploy(RESTORED_STORY.state()) or "")
    assert SITE in (guards.refuse_plan(WHOLE_RECOVERY["closed"].state()) or "")
    assert Story().state() == Incident()
