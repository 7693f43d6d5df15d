"""The DBA is called by rule: each rule fires on its own fact, and no rule fires on a good recovery."""

from __future__ import annotations

from typing import Any

import pytest

from bot.model.event import Kind
from bot.model.incident import Incident
from bot.model.step import Step
from bot.runbook.escalation import escalations, new_escalations
from tests.playbooks.story import (
    FROZEN_STORY,
    INTENT_STORY,
    JUST_OPENED,
    WHOLE_RECOVERY,
    Story,
    backup,
    moment,
    step_failed,
    step_started,
)

LIMIT = 1_000_000_000


def assessed(**data: Any) -> Story:
    return FROZEN_STORY.and_then(moment(Kind.ASSESSED, **data))


TWICE = FROZEN_STORY.and_then(step_failed(Step.RESTORE), step_failed(Step.RESTORE))
# A fault inside of Backout ends a step without a word of the step itself; one that was told is not counted twice.
FAULT = (Kind.OPERATION_FAILED, "backout", "a fault", {"kind": "plan"})
TWICE_BY_FAULTS = FROZEN_STORY.and_then(*[step_started(Step.RESTORE), FAULT] * 2)
FIRES = [
    (TWICE, "restore-failed"),
    (FROZEN_STORY.and_then(moment(Kind.REHEARSED, foreign_key_violations=3)), "foreign-keys"),
    (FROZEN_STORY.and_then(step_failed(Step.SAFETY_BACKUP, cause="damaged")), "corruption"),
    (INTENT_STORY.and_then(moment(Kind.CUTOVER_UNKNOWN, fingerprint="f")), "corruption"),
    (FROZEN_STORY.and_then(step_failed(Step.RESTORE, cause="foreign_keys")), "foreign-keys"),
    (FROZEN_STORY.and_then(step_failed(Step.RESTORE, cause="undo")), "undo-failed"),
    (TWICE_BY_FAULTS, "restore-failed"),
    (assessed(size_bytes=LIMIT + 1), "large-database"),
    (FROZEN_STORY.and_then(moment(Kind.BACKUPS_LISTED, backups=[backup("x", "REFUSED")])), "backup-unsure"),
    (FROZEN_STORY.and_then(moment(Kind.BACKUPS_LISTED, backups=[])), "backup-unsure"),
    (assessed(migrations_since_backup=2), "several-migrations"),
]
QUIET = [
    FROZEN_STORY.and_then(step_failed(Step.RESTORE), step_failed(Step.FREEZE)),
    FROZEN_STORY.and_then(moment(Kind.REHEARSED, foreign_key_violations=0)),
    FROZEN_STORY.and_then(moment(Kind.REHEARSED, foreign_key_violations={"a": 3}, proven=True)),
    FROZEN_STORY.and_then(*[step_failed(Step.RESTORE, cause="cancelled")] * 2),
    FROZEN_STORY.and_then(*[step_failed(Step.RESTORE, cause="not possible")] * 2),
    FROZEN_STORY.and_then(step_failed(Step.RESTORE), FAULT),
    INTENT_STORY,
    assessed(size_bytes=LIMIT + 1, loss={"verdict": "none"}),
    assessed(size_bytes=LIMIT),
    assessed(size_bytes=None),
    assessed(migrations_since_backup=1),
    JUST_OPENED,
    *WHOLE_RECOVERY.values(),
]


def rules(state: Incident) -> list[str]:
    return [found.rule for found in escalations(state, size_limit_bytes=LIMIT)]


@pytest.mark.parametrize(("story", "rule"), FIRES)
def test_each_rule_fires_on_its_fact(story: Story, rule: str) -> None:
    """Each rule of the runbook's last part fires on its own fact alone, with a sentence."""
    found = escalations(story.state(), size_limit_bytes=LIMIT)
    assert [f.rule for f in found] == [rule]
    assert len(found[0].reason.split()) > 3


@pytest.mark.parametrize("story", QUIET)
def test_no_rule_fires_below_its_bound(story: Story) -> None:
    """One failure, an exact limit or one migration calls nobody."""
    assert rules(story.state()) == []


def test_several_rules_keep_the_order_of_the_runbook() -> None:
    """What fires at once is told in the runbook's order."""
    story = TWICE.and_then(
        moment(Kind.ASSESSED, migrations_since_backup=3, size_bytes=LIMIT * 2),
        moment(Kind.BACKUPS_LISTED, backups=[]),
    )
    assert rules(story.state()) == ["restore-failed", "large-database", "backup-unsure", "several-migrations"]


def test_a_rule_is_told_once() -> None:
    """A rule that was told is not told again; a new one beside it is, and keeps what was told."""
    first = new_escalations(TWICE.state(), size_limit_bytes=LIMIT)
    told = TWICE.and_then(moment(Kind.ESCALATED, **first[0].data))
    assert [e.data["rules"] for e in first] == [["restore-failed"]]
    assert new_escalations(told.state(), size_limit_bytes=LIMIT) == []
    more = new_escalations(
        told.and_then(moment(Kind.BACKUPS_LISTED, backups=[])).state(), size_limit_bytes=LIMIT
    )
    assert [(e.data["rules"], e.data["reason"]) for e in more] == [
        (["restore-failed", "backup-unsure"], "no backup could be verified")
    ]


def test_a_logbook_calls_nobody() -> None:
    """What is found while there is no incident stands in the site's logbook, and wakes nobody by these rules."""
    logbook = Story(*TWICE.moments[1:])
    assert rules(logbook.state()) == ["restore-failed"]
    assert new_escalations(logbook.state(), size_limit_bytes=LIMIT) == []


def test_a_closed_incident_calls_nobody() -> None:
    """No rule calls anyone once the incident is closed."""
    closed = TWICE.and_then(moment(Kind.INCIDENT_CLOSED, outcome="given up"))
    assert new_escalations(closed.state(), size_limit_bytes=LIMIT) == []
