"""The one line that is true now, and what to type next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.model.incident import Cutover, Incident
from bot.model.message import Tone
from bot.model.operation import Operation
from bot.model.step import STEP_NAMES, Step, StepStatus
from bot.runbook import guards


@dataclass(frozen=True, kw_only=True)
class Headline:
    """What is true now, in one sentence, and how bad that is."""

    text: str
    tone: Tone


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
            text=f"{_site(state)} Working: {running[0].kind} for {running[0].person}.", tone=Tone.WORKING
        )
    if failed:
        step = max(failed, key=lambda one: (state.steps[one].at or _LONG_AGO, one))
        return Headline(
            text=f"{_site(state)} Step {int(step)} ({STEP_NAMES[step]}) failed: {state.steps[step].note}",
            tone=Tone.BAD,
        )
    return Headline(text=f"{_site(state)} {_data(state)}", tone=_tone(state))


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


def next_commands(state: Incident) -> list[tuple[str, str]]:
    """Return the commands that may be typed now, the most useful first: (line, what it does)."""
    asked = (
        (Step.ASSESS, "/incident assess", "find out what was lost", guards.refuse_assess),
        (Step.FREEZE, "/app freeze", "stop the application, and prove it", guards.refuse_freeze),
        (Step.SAFETY_BACKUP, "/backups create", "take the safety backup", guards.refuse_safety_backup),
        (Step.RESTORE, "/restore plan", "rehearse the recovery on a copy", guards.refuse_plan),
        (
            Step.RESTORE,
            f"/restore confirm {state.site}",
            "approve the rehearsed plan",
            guards.refuse_cut_over,
        ),
        (Step.DEPLOY, "/app deploy", "rehearse and deploy the corrected migration", guards.refuse_deploy),
        (Step.VERIFY_DATA, "/app check", "verify the data, test the application", guards.refuse_check),
        (Step.REOPEN, "/app reopen", "open to visitors", guards.refuse_reopen),
        (Step.REPORT, "/incident close", "write the report", guards.refuse_close),
    )
    open_steps = [a for a in asked if state.status(a[0]) is not StepStatus.DONE and a[3](state) is None]
    return [(text, summary) for _, text, summary, _ in open_steps if state.open][:4]
