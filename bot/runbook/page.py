"""A call for help: whose turn it is and when, and the five lines that it says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.model.incident import Cutover, Incident
from bot.model.person import Contact
from bot.model.step import Step, StepStatus
from bot.runbook.wording import bytes_words, capitalised, duration_words, shortened

LINE_LETTERS = 300
"""A line of a call is read on a telephone, perhaps aloud by a machine."""

SUBJECT_LETTERS = 120


def whose_turn(contacts: Sequence[Contact], attempt: int) -> Contact:
    """Return who is called at this attempt (from 0); the last contact stays the last."""
    before = 0
    for contact in contacts:
        before += contact.calls
        if attempt < before:
            return contact
    return contacts[-1]


def called_after_s(contacts: Sequence[Contact], page_again_s: float) -> list[float]:
    """Return for each contact how many seconds after the first call of all it is first called, if nobody answers."""
    found, after = [], 0.0
    for contact in contacts:
        found.append(after)
        after += contact.calls * (contact.page_again or page_again_s)
    return found


def alert_key(incident_id: str, taken: int) -> str:
    """Return the key of an alert with a paging service: a new one after each time that somebody `taken` the calls.

    With the same key a service takes repeated calls as one alert; it would not ring again for one that was acknowledged.
    """
    return f"backout-{incident_id}-{taken + 1}"


def page_subject(site: str, reason: str, call: int) -> str:
    """Return the one line that stands over a call, whatever is in the reason."""
    return shortened(f"Backout: you are needed for {site} (call {call}): {one_line(reason)}", SUBJECT_LETTERS)


def page_lines(state: Incident, *, url: str, reason: str, where: Sequence[str], now: datetime) -> list[str]:
    """Return what is known, in five lines: what, since when, the loss, what stands, and what is asked and where."""
    lines = (
        f"{state.site} ({url}): {state.title}. Incident {state.id}.",
        f"{_since(state, now)} {_down(state, now)}",
        f"Loss: {_loss(state)}",
        f"What stands: {_safety(state)} {_backup(state)} {_plan(state)}",
        f"Asked of you: {reason}. Say that you have it: /incident ack in {' or '.join(where)}; then /incident status.",
    )
    return [shortened(one_line(line), LINE_LETTERS) for line in lines]


def one_line(text: str) -> str:
    """Return a text as one line without anything that is no letter, mark or space: it goes into headers and displays."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def _since(state: Incident, now: datetime) -> str:
    if state.opened_at is None:
        return "Just opened."
    return f"Open since {state.opened_at:%Y-%m-%d %H:%M} UTC ({duration_words((now - state.opened_at).total_seconds())})."


def _down(state: Incident, now: datetime) -> str:
    if state.down_since is None:
        return "The site is open to visitors."
    spent = duration_words((now - state.down_since).total_seconds())
    proven = "nothing writes, proven" if state.frozen else "not proven that nothing writes"
    return f"The site is down since {state.down_since:%H:%M} UTC ({spent}); {proven}."


_LOSSES = {
    "none": "none was found.",
    "loss": "data were lost.",
    "missing_rows": "only deleted rows were found.",
    "rewritten": "values were rewritten; a person must look at them.",
}


def _loss(state: Incident) -> str:
    if state.assessment is None:
        return "not known yet."
    verdict = str((state.assessment.get("loss") or {}).get("verdict"))
    if verdict not in _LOSSES:
        return "it cannot be counted: no backup is verified."
    # The sentence of the assessment says which table and how much; it holds names and counts, never a row.
    step = state.steps[Step.ASSESS]
    return step.note if step.status is StepStatus.DONE and step.note else _LOSSES[verdict]


def _safety(state: Incident) -> str:
    if state.safety is None:
        return "No safety backup yet."
    at = state.steps[Step.SAFETY_BACKUP].at
    when = f" of {at:%H:%M} UTC" if at else ""
    return f"Safety backup{when}, proven, {bytes_words(int(state.safety.get('size_bytes') or 0))}."


def _backup(state: Incident) -> str:
    if not state.backups_listed:
        return "Backups not looked at yet."
    best = state.recommended
    if best is None:
        return "No verified backup."
    return f"Verified backup: {str(best['path']).rsplit('/', 1)[-1]}."


def _plan(state: Incident) -> str:
    done = {
        Cutover.DONE: "The data are restored.",
        Cutover.UNDONE: "A restore was undone.",
        Cutover.UNKNOWN: "Production is being changed, and what became of it is not known yet.",
    }
    if state.cutover in done:
        return done[state.cutover]
    if state.plan is None:
        return "No plan yet."
    if state.plan_valid:
        return "A plan is rehearsed and proven."
    return f"The last plan does not hold{f': {state.plan_void}' if state.plan_void else ''}"


def chain_words(contact: Contact, after_s: float, page_again_s: float) -> str:
    """Return when somebody is called, as a person would say it."""
    first = "at once" if after_s == 0 else f"{duration_words(after_s)} later, if nobody answers"
    every = duration_words(contact.page_again or page_again_s)
    times = "once" if contact.calls == 1 else f"{contact.calls} times, {every} apart"
    return capitalised(f"{first}; {times}")
