"""The words in which the engine tells how an operation went on and ended."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path

from bot.model.event import Kind, NewEntry
from bot.model.message import Message, Tone
from bot.model.operation import Operation, OperationState
from bot.runbook.headline import work_words
from bot.runbook.wording import capitalised


def ended_entry(operation: Operation, state: OperationState, error: str | None) -> NewEntry | None:
    """Return the entry of an operation that failed or was cancelled; None for one that is done (its steps have told)."""
    data = {"operation": operation.id, "kind": operation.kind}
    if state is OperationState.FAILED:
        return NewEntry(kind=Kind.OPERATION_FAILED, text=error or "failed", data=data)
    if state is OperationState.CANCELLED:
        text = f"Cancelled: {work_words(operation.kind)}. What it had running on the host was stopped first."
        return NewEntry(kind=Kind.OPERATION_CANCELLED, text=text, data=data)
    return None


def failed_message(operation: Operation, error: str | None) -> Message:
    """Return what the channel shows of an operation that failed, so that nobody waits for it in vain."""
    return Message(
        slot=f"operation-failed-{operation.kind}",
        title=f"Failed: {work_words(operation.kind)}",
        tone=Tone.BAD,
        body=error or "It failed; the reason is in Backout's log.",
        next_steps=("/incident status", "/incident escalate"),
    )


def resumed_entry(operation: Operation, tries: int, recorded: Sequence[str]) -> NewEntry:
    """Return the entry of an operation that is taken up again, by this process or after another one ended."""
    why = (
        "Backout ended in the middle of it"
        if tries > 1
        else "Backout was restarted, or a person tried it again"
    )
    after = (
        f"after its recorded step {recorded[-1]}"
        if recorded
        else "from its beginning, as no step was recorded"
    )
    return NewEntry(
        kind=Kind.RECOVERED_AFTER_CRASH,
        text=f"{capitalised(work_words(operation.kind))} goes on {after} ({why}).",
        data={
            "operation": operation.id,
            "kind": operation.kind,
            "claim": operation.fence,
            "crashed": tries > 1,
            "recorded": list(recorded),
        },
    )


def too_many_tries_text(operation: Operation, limit: int) -> str:
    """Return why an operation that ended Backout's process again and again is not tried any more."""
    return (
        f"Backout's process ended {limit} times in the middle of {operation.kind} on {operation.site} without its getting "
        "any further, so it is not tried again by itself. Jobs that it started may still run on the host. Look there and at Backout's log before you go on."
    )


def internal_fault_text(operation: Operation, error: BaseException) -> str:
    """Return what a person is told of a fault in the program: where it is, and nothing of the values involved."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    return (
        f"an internal fault in Backout ({type(error).__name__} at {place}) ended {operation.kind} on {operation.site}. "
        "What its recorded steps changed stays changed. Look at the site, and at Backout's log for the details."
    )


def not_stopped_text(operation: Operation, fault: str) -> str:
    """Return what a person is told when a cancelled operation could not be stopped on the host."""
    return (
        f"{operation.kind} on {operation.site} was cancelled, but what it runs on the host could not be stopped: {fault} "
        "It may still be running, so nothing else may change the site until a person has looked and released it."
    )
