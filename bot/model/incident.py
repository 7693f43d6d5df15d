"""An incident's state, folded from its timeline. Nothing else holds it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bot.model.event import Entry, Kind
from bot.model.step import STEP_OF_KIND, Step, StepState, StepStatus


class Cutover(enum.StrEnum):
    """What is known of production's data. UNKNOWN: begun, and not yet looked up."""

    NONE = "none"
    UNKNOWN = "unknown"
    DONE = "done"
    UNDONE = "undone"


@dataclass(frozen=True, kw_only=True)
class Incident:
    """All that the runbook decides upon. Each `dict` field is the data of the latest entry of its kind, or None.

    `frozen` is True from a proven freeze until it is broken or the site is reopened. `down_since` is when the
    maintenance mode began (None: up); `downtime` sums the spans that ended. `plan` is the latest plan's data and
    `plan_void` why it no longer holds. `backup_folders`: searched beside those of the settings, as
    people said. `opened_since_cutover`: visitors could write since the data were restored.
    `causes`: of each cause of a failure that the timeline names, what was said when it first occurred.
    `corrected_tried`: a corrected migration was begun on production, whatever came of it. `approvals` are the persons who approved that plan.
    """

    id: str = ""
    site: str = ""
    title: str = ""
    opened_at: datetime | None = None
    opened_by: str = ""
    closed_at: datetime | None = None
    outcome: str = ""
    steps: dict[Step, StepState] = field(default_factory=lambda: {step: StepState() for step in Step})
    assessment: dict[str, Any] | None = None
    freeze: dict[str, Any] | None = None
    frozen: bool = False
    down_since: datetime | None = None
    downtime: timedelta = timedelta()
    backups: tuple[dict[str, Any], ...] = ()
    backups_listed: bool = False
    backup_folders: tuple[str, ...] = ()
    safety: dict[str, Any] | None = None
    table_decisions: dict[str, str] = field(default_factory=dict)
    plan: dict[str, Any] | None = None
    plan_void: str | None = None
    rehearsal: dict[str, Any] | None = None
    approvals: tuple[str, ...] = ()
    cutover: Cutover = Cutover.NONE
    cutover_at: datetime | None = None
    proposal: dict[str, Any] | None = None
    corrected_rehearsal: dict[str, Any] | None = None
    corrected: dict[str, Any] | None = None
    data_check: dict[str, Any] | None = None
    app_test: dict[str, Any] | None = None
    manual: dict[str, bool] = field(default_factory=dict)
    reopened_at: datetime | None = None
    opened_since_cutover: bool = False
    corrected_tried: bool = False
    watch: dict[str, Any] | None = None
    watch_ended: dict[str, Any] | None = None
    restore_failures: int = 0
    causes: dict[str, str] = field(default_factory=dict)
    escalation: dict[str, Any] | None = None
    acknowledged_by: str | None = None
    last_sequence: int = 0

    @property
    def open(self) -> bool:
        """Return whether the incident is still open."""
        return self.closed_at is None

    @property
    def plan_valid(self) -> bool:
        """Return whether there is a proven plan that nothing has voided."""
        return (
            self.plan is not None
            and self.plan_void is None
            and bool(self.rehearsal and self.rehearsal.get("proven"))
        )

    def status(self, step: Step) -> StepStatus:
        """Return the status of a step."""
        return self.steps[step].status

    def verified_backup(self, path: str) -> dict[str, Any] | None:
        """Return the listed backup of that path or file name if its verdict is VERIFIED."""
        for backup in self.backups:
            if path in (backup["path"], backup["path"].rsplit("/", 1)[-1]) and backup["word"] == "VERIFIED":
                return backup
        return None

    @property
    def recommended(self) -> dict[str, Any] | None:
        """Return the recommended backup of the last listing."""
        return next((b for b in self.backups if b.get("recommended")), None)


def fold(entries: Iterable[Entry], before: Incident | None = None) -> Incident:
    """Return the state that a timeline tells, entry by entry; unknown kinds leave it as it is.

    `before` is the state that the entries before these told, where they are the later part of a timeline.
    """
    incident = before or Incident()
    last = incident.last_sequence
    for entry in entries:
        rule = _RULES.get(entry.kind)
        if rule is not None:
            incident = rule(incident, entry)
        last = entry.sequence
    return replace(incident, last_sequence=last)


Rule = Callable[[Incident, Entry], Incident]


def _opened(state: Incident, entry: Entry) -> Incident:
    return replace(
        state,
        id=entry.incident_id,
        site=entry.data["site"],
        title=entry.data.get("title", ""),
        opened_at=entry.at,
        opened_by=entry.actor,
    )


def _closed(state: Incident, entry: Entry) -> Incident:
    return replace(state, closed_at=entry.at, outcome=entry.data.get("outcome", ""))


def _step(status: StepStatus) -> Rule:
    def rule(state: Incident, entry: Entry) -> Incident:
        number = entry.data.get("step")
        if number is None:
            return state
        step = Step(number)
        state = replace(
            state, steps={**state.steps, step: StepState(status=status, note=entry.text, at=entry.at)}
        )
        return _failed(state, step, entry) if status is StepStatus.FAILED else state

    return rule


NO_FAILURE = frozenset({"cancelled", "not possible"})
"""Causes of a step's end that are no failure of what was tried: a person stopped it, or it was never begun."""


def _failed(state: Incident, step: Step, entry: Entry) -> Incident:
    cause = str(entry.data.get("cause") or "")
    if step is Step.RESTORE and cause not in NO_FAILURE:
        state = replace(state, restore_failures=state.restore_failures + 1)
    return _with_cause(state, cause, entry)


def _with_cause(state: Incident, cause: str, entry: Entry) -> Incident:
    if not cause or cause in state.causes:
        return state
    return replace(state, causes={**state.causes, cause: entry.text})


def _operation_ended(state: Incident, entry: Entry) -> Incident:
    """An operation that failed or was cancelled leaves no step running."""
    step = STEP_OF_KIND.get(str(entry.data.get("kind")))
    if step is None or state.status(step) not in (StepStatus.RUNNING, StepStatus.UNKNOWN):
        return state
    failed = StepState(status=StepStatus.FAILED, note=entry.text, at=entry.at)
    state = replace(state, steps={**state.steps, step: failed})
    return _failed(state, step, entry) if entry.kind is Kind.OPERATION_FAILED else state


def _frozen(state: Incident, entry: Entry) -> Incident:
    down_at = entry.data.get("down_at")
    since = state.down_since or (datetime.fromisoformat(down_at) if down_at else None)
    if state.reopened_at is not None:
        # What was tested before it was open is no word on what made a person freeze it again.
        again = {step: StepState() for step in (Step.VERIFY_DATA, Step.TEST_APP, Step.REOPEN)}
        state = replace(state, app_test=None, manual={}, steps={**state.steps, **again})
    return replace(
        state, freeze=entry.data, frozen=bool(entry.data.get("proven")), down_since=since, reopened_at=None
    )


def _freeze_broken(state: Incident, entry: Entry) -> Incident:
    return replace(state, frozen=False, freeze={**(state.freeze or {}), "proven": False, "why": entry.text})


def _reopened(state: Incident, entry: Entry) -> Incident:
    spent = entry.at - state.down_since if state.down_since else timedelta()
    return replace(
        state,
        frozen=False,
        down_since=None,
        downtime=state.downtime + spent,
        reopened_at=entry.at,
        opened_since_cutover=state.opened_since_cutover or state.cutover is Cutover.DONE,
        watch_ended=None,
    )


def _plan_made(state: Incident, entry: Entry) -> Incident:
    if state.cutover in (Cutover.UNKNOWN, Cutover.DONE):
        return (
            state  # a rehearsal that ended late never takes the place of the plan that is being carried out
        )
    return replace(state, plan=entry.data, plan_void=None, rehearsal=None, approvals=())


def _plan_void(state: Incident, entry: Entry) -> Incident:
    return replace(state, plan_void=entry.text, approvals=())


def _approved(state: Incident, entry: Entry) -> Incident:
    if state.plan is None or entry.data.get("plan_hash") != state.plan.get("plan_hash"):
        return state
    return replace(state, approvals=(*state.approvals, entry.actor))


def _cut_over(state: Incident, entry: Entry) -> Incident:
    done = replace(state, cutover=Cutover.DONE, cutover_at=entry.at, opened_since_cutover=False)
    return _unchecked(done, entry)


def _unchecked(state: Incident, _: Entry) -> Incident:
    """Return the state in which nothing that was checked before counts any more: the data or the code changed."""
    return replace(state, data_check=None, app_test=None, manual={})


def _corrected_begun(state: Incident, entry: Entry) -> Incident:
    return replace(_unchecked(state, entry), corrected_tried=True)


def _safety_made(state: Incident, entry: Entry) -> Incident:
    return replace(state, safety=entry.data, table_decisions={})


def _undone(state: Incident, _: Entry) -> Incident:
    waiting = {
        step: StepState() for step in (Step.RESTORE, Step.ALIGN, Step.DEPLOY, Step.VERIFY_DATA, Step.TEST_APP)
    }
    return replace(
        state,
        cutover=Cutover.UNDONE,
        plan_void="the cut-over was undone",
        approvals=(),
        corrected=None,
        corrected_rehearsal=None,
        corrected_tried=False,
        opened_since_cutover=False,
        table_decisions={},
        data_check=None,
        app_test=None,
        manual={},
        steps={**state.steps, **waiting},
    )


def _answered(state: Incident, entry: Entry) -> Incident:
    purpose, answer = str(entry.data.get("purpose", "")), entry.data.get("answer")
    if purpose.startswith("missing:") and answer in ("restore", "leave"):
        return replace(state, table_decisions={**state.table_decisions, purpose.split(":", 1)[1]: answer})
    if purpose.startswith("manual:"):
        item = purpose.split(":", 1)[1]
        others = {name: good for name, good in state.manual.items() if name != item}
        # Any other answer has something done first, and is no word on the item itself.
        said = {item: answer == "ok"} if answer in ("ok", "bad") else {}
        return replace(state, manual={**others, **said})
    return state


def _rows_set_aside(state: Incident, entry: Entry) -> Incident:
    """Once nothing is left that a person has to decide about, the item is as good as ticked."""
    settled = {str(entry.data["item"]): True} if entry.data.get("settled") else {}
    checked = {**(state.data_check or {}), "waiting": entry.data.get("waiting", ())}
    return replace(state, data_check=checked, manual={**state.manual, **settled})


def _latest(name: str) -> Rule:
    def rule(state: Incident, entry: Entry) -> Incident:
        changes: dict[str, Any] = {name: entry.data}
        return replace(state, **changes)

    return rule


def _backups(state: Incident, entry: Entry) -> Incident:
    added = tuple(entry.data.get("folders", state.backup_folders))
    return replace(
        state, backups=tuple(entry.data.get("backups", ())), backups_listed=True, backup_folders=added
    )


def _inspected(state: Incident, entry: Entry) -> Incident:
    """Put the new verdict in the old one's place. One that is recommended stays so while it is VERIFIED."""
    line = entry.data
    old = next((b for b in state.backups if b["path"] == line["path"]), None)
    if old is None:
        return replace(state, backups=(*state.backups, line))
    kept = bool(old.get("recommended")) and line["word"] == "VERIFIED"
    line = {**line, "recommended": kept}
    return replace(state, backups=tuple(line if b is old else b for b in state.backups))


_RULES: dict[Kind, Rule] = {
    Kind.INCIDENT_OPENED: _opened,
    Kind.INCIDENT_CLOSED: _closed,
    Kind.STEP_STARTED: _step(StepStatus.RUNNING),
    Kind.STEP_DONE: _step(StepStatus.DONE),
    Kind.STEP_FAILED: _step(StepStatus.FAILED),
    Kind.STEP_UNKNOWN: _step(StepStatus.UNKNOWN),
    Kind.STEP_SKIPPED: _step(StepStatus.SKIPPED),
    Kind.OPERATION_FAILED: _operation_ended,
    Kind.OPERATION_CANCELLED: _operation_ended,
    Kind.ASSESSED: _latest("assessment"),
    Kind.FROZEN: _frozen,
    Kind.FREEZE_BROKEN: _freeze_broken,
    Kind.BACKUPS_LISTED: _backups,
    Kind.BACKUP_INSPECTED: _inspected,
    Kind.SAFETY_MADE: _safety_made,
    Kind.PLAN_MADE: _plan_made,
    Kind.PLAN_VOID: _plan_void,
    Kind.REHEARSED: _latest("rehearsal"),
    Kind.APPROVED: _approved,
    Kind.CUTOVER_INTENT: lambda state, _: replace(state, cutover=Cutover.UNKNOWN),
    Kind.CUTOVER_UNKNOWN: lambda state, entry: _with_cause(
        replace(state, cutover=Cutover.UNKNOWN), "unknown content", entry
    ),
    Kind.CUTOVER_DONE: _cut_over,
    Kind.CUTOVER_NOT_DONE: lambda state, entry: replace(
        state, cutover=Cutover(entry.data.get("before", "none"))
    ),
    Kind.UNDO_INTENT: lambda state, _: replace(state, cutover=Cutover.UNKNOWN),
    Kind.UNDO_DONE: _undone,
    Kind.CORRECTED_PROPOSED: _latest("proposal"),
    Kind.CORRECTED_REHEARSED: _latest("corrected_rehearsal"),
    Kind.CORRECTED_INTENT: _corrected_begun,
    Kind.CORRECTED_DONE: _latest("corrected"),
    Kind.DATA_CHECKED: _latest("data_check"),
    Kind.APP_TESTED: _latest("app_test"),
    Kind.ROWS_SET_ASIDE: _rows_set_aside,
    Kind.REOPENED: _reopened,
    Kind.WATCH: _latest("watch"),
    Kind.WATCH_ENDED: _latest("watch_ended"),
    Kind.DECISION_ANSWERED: _answered,
    Kind.ESCALATED: lambda state, entry: replace(state, escalation=entry.data, acknowledged_by=None),
    Kind.ACKNOWLEDGED: lambda state, entry: replace(state, acknowledged_by=entry.actor),
    Kind.UNACKNOWLEDGED: lambda state, _: replace(state, acknowledged_by=None),
}
