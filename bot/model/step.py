"""The eleven steps of the runbook and their statuses."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime


class Step(enum.IntEnum):
    """A step of the runbook, by its number."""

    ASSESS = 1
    FREEZE = 2
    CHOOSE_BACKUP = 3
    SAFETY_BACKUP = 4
    RESTORE = 5
    ALIGN = 6
    DEPLOY = 7
    VERIFY_DATA = 8
    TEST_APP = 9
    REOPEN = 10
    REPORT = 11


STEP_NAMES: dict[Step, str] = {
    Step.ASSESS: "Assess",
    Step.FREEZE: "Freeze",
    Step.CHOOSE_BACKUP: "Choose backup",
    Step.SAFETY_BACKUP: "Safety backup",
    Step.RESTORE: "Restore",
    Step.ALIGN: "Align migrations",
    Step.DEPLOY: "Deploy corrected",
    Step.VERIFY_DATA: "Verify data",
    Step.TEST_APP: "Test app",
    Step.REOPEN: "Reopen and watch",
    Step.REPORT: "Report",
}


STEP_OF_KIND: dict[str, Step] = {
    "assess": Step.ASSESS,
    "freeze": Step.FREEZE,
    "stop_writers": Step.FREEZE,
    "backups": Step.CHOOSE_BACKUP,
    "safety": Step.SAFETY_BACKUP,
    "plan": Step.RESTORE,
    "cutover": Step.RESTORE,
    "undo": Step.RESTORE,
    "align": Step.ALIGN,
    "propose": Step.DEPLOY,
    "skip_deploy": Step.DEPLOY,
    "deploy": Step.DEPLOY,
    "check": Step.VERIFY_DATA,
    "reopen": Step.REOPEN,
    "reopen_anyway": Step.REOPEN,
    "close": Step.REPORT,
    "close_by_hand": Step.REPORT,
}
"""The step that a kind of operation works on; a kind that is not here belongs to none."""


class StepStatus(enum.StrEnum):
    """What is known of a step. UNKNOWN: it was begun, and what it did is being looked up."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class StepState:
    """A step within one incident. `note` is one line; `at` the time of the last change (None: never begun)."""

    status: StepStatus = StepStatus.WAITING
    note: str = ""
    at: datetime | None = None
