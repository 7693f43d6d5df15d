"""The one line that is true now, and what to type next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.model.incident import Cutover, Incident
from bot.model.message import Tone
from bot.model.operation import Operation
from bot.model.step import STEP_NAMES, Step, StepStatus
from bot.runbook import guards
from bot.runbook.purposes import ASIDE
from bot.runbook.wording import shortened


@dataclass(frozen=True, kw_only=True)
class Headline:
    """What is true now, in one sentence, and how bad that is."""

    text: str
    tone: Tone


_REASON_LETTERS = 140
"""The line stands over everything else, also on a phone; the step's own message has the whole reason."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def headline(state: Incident, running: Sequence[Operation] = ()) -> Headline:
    """Return the sentence that stands over everything else."""
    if not state.open:
        good = state.outcome in ("recovered", "no loss")
        return Headline(text=f"Closed: {state.outcome}.", tone=Tone.GOOD if good else Tone.NEUTRAL)
    if state.cutover is Cutover.UNKNOWN:
        return Headline(
            text="Production is being changed, or its last change is being looked up.", tone=Tone.BAD
        )
    failed = [step for step in Step if state.status(step) is StepStatus.FAILED]
    if running:
        return Headline(
            text=f"{_site(state)} Working: {work_words(running[0].kind)}, for {running[0].person}.",
            tone=Tone.WORKING,
        )
    if failed:
        step = max(failed, key=lambda one: (state.steps[one].at or _LONG_AGO, one))
        return Headline(
            text=f"{_site(state)} Step {int(step)} ({STEP_NAMES[step]}) failed: {shortened(_first_sentence(state.steps[step].note), _REASON_LETTERS)}",
            tone=Tone.BAD,
        )
    return Headline(text=f"{_site(state)} {_data(state)}", tone=_tone(state))


_WORK_WORDS = {
    "assess": "counting what was lost",
    "freeze": "stopping the application",
    "stop_writers": "stopping what could write",
    "backups": "looking at the backups",
    "compare_backups": "comparing the other backups",
    "search_wider": "searching the host for other backups",
    "inspect": "looking into a backup",
    "safety": "taking the safety backup",
    "plan": "rehearsing the recovery",
    "cutover": "writing the restored data",
    "propose_undo": "looking at what an undo would take away",
    "undo": "undoing the cut-over",
    "align": "reading the migrations",
    "propose": "rehearsing the corrected migration",
    "deploy": "deploying the corrected migration",
    "check": "checking data and application",
    "caches": "clearing caches",
    "set_aside": "setting rows of production aside",
    "reopen": "opening the application",
    "reopen_anyway": "opening the application",
    "watch": "reading the log",
    "close": "writing the report",
    "close_by_hand": "writing the report",
    "file_report": "filing the report",
    "skip_deploy": "leaving the corrected migration out",
    "escalate": "calling the DBA",
    "acknowledge": "stopping the calls",
    "drill": "restoring a backup into scratch, as a drill",
    "health": "looking how the backups are",
    "gate": "rehearsing what a deployment would migrate",
    "ring": "reaching somebody by e-mail or pager",
}


def at_work(running: Sequence[Operation]) -> list[Operation]:
    """Return the operations that somebody waits for, in their order."""
    return [operation for operation in running if operation.kind not in ASIDE]


def work_words(kind: str) -> str:
    """Return what a kind of operation does, as a person would say it."""
    return _WORK_WORDS.get(kind, kind)


def _first_sentence(text: str) -> str:
    first = re.split(r"(?<=[.!?;]) ", text, maxsplit=1)[0]
    return f"{first[:-1]}." if first.endswith(";") else first


def _site(state: Incident) -> str:
    if state.down_since is not None:
        return (
            "The site is down and frozen." if state.frozen else "The site is down; the freeze is not proven."
        )
    return "The site is open again." if state.reopened_at else "The site is open."


def _data(state: Incident) -> str:
    if state.corrected is not None:
        return "The data are restored and the corrected migration is in."
    return {
        Cutover.DONE: "The data are restored; the corrected migration is not in yet.",
        Cutover.UNDONE: "The cut-over was undone: the data are as they were before it.",
    }.get(state.cutover, _before(state))


def _before(state: Incident) -> str:
    if state.assessment is None:
        return "What was lost is not known yet."
    verdict = (state.assessment.get("loss") or {}).get("verdict")
    said = {
        "none": "No data were lost.",
        "loss": "Data were lost; nothing is restored yet.",
        "missing_rows": "Only deleted rows were found.",
        "rewritten": "Values were rewritten; a person must look at them.",
    }
    return said.get(str(verdict), "What was lost cannot be counted: no backup is verified.")


def _tone(state: Incident) -> Tone:
    if state.reopened_at is not None or (state.assessment or {}).get("loss", {}).get("verdict") == "none":
        return Tone.GOOD
    return Tone.WARNING if state.cutover is Cutover.DONE else Tone.BAD


def usual_outcome(state: Incident) -> str:
    """Return the word with which an incident ends where the person who closes it says none."""
    if state.cutover is Cutover.DONE:
        return "recovered"
    verdict = ((state.assessment or {}).get("loss") or {}).get("verdict")
    return {"none": "no loss", "loss": "not recovered"}.get(str(verdict), "without a restore")


def is_lost(state: Incident) -> bool:
    """Return whether data were found lost, and production's are not restored."""
    verdict = ((state.assessment or {}).get("loss") or {}).get("verdict")
    return verdict == "loss" and state.cutover is not Cutover.DONE


def next_commands(state: Incident) -> list[tuple[str, str]]:
    """Return the commands that may be typed now, the most useful first: (line, what it does)."""
    reopen = "open to visitors" if state.cutover is Cutover.DONE else "open to visitors WITHOUT restoring"
    asked = (
        (Step.ASSESS, "/incident assess", "find out what was lost", guards.refuse_assess),
        (Step.FREEZE, "/app freeze", "stop the application, and prove it", guards.refuse_freeze),
        (Step.SAFETY_BACKUP, "/backups create", "take the safety backup", guards.refuse_safety_backup),
        (
            Step.RESTORE,
            f"/restore confirm {state.site}",
            "approve the rehearsed plan",
            guards.refuse_cut_over,
        ),
        (Step.RESTORE, "/restore plan", "rehearse the recovery on a copy", _refuse_new_plan),
        (Step.ALIGN, "/app rollback", "see whether the migrations fit", guards.refuse_rollback),
        (Step.DEPLOY, "/app deploy", "rehearse and deploy the corrected migration", guards.refuse_deploy),
        (Step.VERIFY_DATA, "/app check", "verify the data, test the application", guards.refuse_check),
        (Step.REOPEN, "/app reopen", reopen, guards.refuse_reopen),
        (Step.REPORT, "/incident close", "write the report", _refuse_offered_close),
    )
    if guards.only_watched(state):
        return [
            ("/app logs", "count the errors in the log"),
            ("/incident close --now", "end the watch and write the report"),
        ]
    open_steps = [a for a in asked if state.status(a[0]) is not StepStatus.DONE and a[3](state) is None]
    return [(text, summary) for _, text, summary, _ in open_steps if state.open][:4]


def _refuse_new_plan(state: Incident) -> str | None:
    return guards.refuse_plan(state) or ("A plan is waiting." if state.plan_valid else None)


def _refuse_offered_close(state: Incident) -> str | None:
    """Closing with data lost and nothing restored is allowed, but never offered."""
    lost = (state.assessment or {}).get("loss", {}).get("verdict") == "loss"
    return guards.refuse_close(state) or (
        "Data are lost." if lost and state.cutover is not Cutover.DONE else None
    )
