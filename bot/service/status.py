"""The one message of an incident that says what is so now: the step, the site, the downtime so far, what is asked next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from bot.model.decision import Decision
from bot.model.errors import BackoutError
from bot.model.incident import Incident
from bot.model.message import STATUS_SLOT, Message
from bot.model.operation import Operation, OperationState
from bot.model.step import STEP_NAMES, Step, StepStatus
from bot.ports.store import Transaction
from bot.runbook.headline import at_work, headline, next_commands
from bot.runbook.wording import duration_words
from bot.service.parts import Parts

log = structlog.get_logger(__name__)

FOLD_S = 0.5
"""What changes within that time is one new status."""
TICK_S = 60.0
"""How often the downtime is counted anew while a site is down."""
NAMED = 3


def status_message(
    state: Incident, running: Sequence[Operation], asked: Sequence[Decision], now: datetime
) -> Message:
    """Return the status of an incident as it is at a moment."""
    told = headline(state, running)
    return Message(
        slot=STATUS_SLOT,
        title=f"{state.site}: {state.title}",
        tone=told.tone,
        body=f"**{told.text}**",
        facts=(
            ("step", _step(state, running, asked)),
            ("site", _site(state)),
            ("downtime so far", _downtime(state, now)),
            ("next decision", _asked(asked) if state.open else "–"),
        ),
        next_steps=tuple(text for text, _ in next_commands(state)) if state.open else ("/incident report",),
    )


def _step(state: Incident, running: Sequence[Operation], asked: Sequence[Decision]) -> str:
    status = {step: state.status(step) for step in Step}
    busy = [s for s in Step if status[s] in (StepStatus.RUNNING, StepStatus.UNKNOWN, StepStatus.FAILED)]
    begun = [s for s in Step if status[s] is not StepStatus.WAITING]
    step = busy[-1] if busy else (begun[-1] if begun else Step.ASSESS)
    waits = status[step] is StepStatus.RUNNING and asked and not running
    word = "waits for an answer" if waits else status[step].value
    return f"{int(step)} of {len(Step)}: {STEP_NAMES[step]}, {word}"


def _site(state: Incident) -> str:
    if state.down_since is None:
        return "open to visitors"
    return "down; nothing writes, proven" if state.frozen else "down; not proven that nothing writes"


def _downtime(state: Incident, now: datetime) -> str:
    total = state.downtime + (now - state.down_since if state.down_since else timedelta())
    minutes = total.total_seconds() // 60
    if state.down_since is None:
        return duration_words(total.total_seconds()) if total else "none"
    # In whole minutes: seconds would make it another message each time somebody looks.
    return (
        f"{duration_words(minutes * 60) if minutes else 'under a minute'}, since {state.down_since:%H:%M} UTC"
    )


def _asked(asked: Sequence[Decision]) -> str:
    if not asked:
        return "none is open"
    shown = [decision.question for decision in asked[-NAMED:]]
    more = f" (and {len(asked) - NAMED} more)" if len(asked) > NAMED else ""
    return "\n".join(shown) + more


class StatusBoard:
    """Keeps the status message of every open incident up to date, in the store; the platforms get it from there."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._due: set[str] = set()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; needs a running event loop."""
        self._parts.store.on_change(self._wake)
        self._changed.set()  # the first look is at all that are open
        self._task = asyncio.create_task(self._keep(), name="status board")

    async def close(self) -> None:
        """Stop; the messages stay as they are."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _wake(self, incident_id: str) -> None:
        self._due.add(incident_id)
        self._changed.set()

    async def _keep(self) -> None:
        while True:
            try:
                async with asyncio.timeout(TICK_S):
                    await self._changed.wait()
                await asyncio.sleep(FOLD_S)
            except TimeoutError:
                pass
            self._changed.clear()
            try:
                await self._show_due()
            except BackoutError as error:
                log.warning("statuses wait", error=str(error))
            except Exception:  # an outer door: the next change is a new try
                log.exception("a fault while writing statuses")

    async def _show_due(self) -> None:
        due, self._due = self._due, set()
        if not due:
            due = {row.id for row in await self._parts.store.read(lambda tx: tx.incidents(open_only=True))}
        for incident_id in sorted(due):
            await self._show(incident_id)

    async def _show(self, incident_id: str) -> None:
        message = await self._parts.store.read(lambda tx: self._new(tx, incident_id))
        if message is not None:
            await self._parts.store.transact(lambda tx: tx.put_message(incident_id, message))

    async def _new(self, tx: Transaction, incident_id: str) -> Message | None:
        """Return the status where it differs from the one that stands."""
        state = await tx.state(incident_id)
        if state.opened_at is None:
            return None
        running = at_work(await tx.operations(incident_id=incident_id, state=OperationState.RUNNING))
        asked = await tx.decisions(incident_id=incident_id)
        message = status_message(state, running, asked, self._parts.clock.now())
        stands = [m.message for m in await tx.messages(incident_id) if m.message.slot == STATUS_SLOT]
        return None if message in stands else message
