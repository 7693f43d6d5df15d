"""Deadlines: rows in the store, looked at when the alarm clock rings; each has one effect however often it rings."""

from __future__ import annotations

from datetime import timedelta

import structlog

from bot.model.decision import DecisionState
from bot.model.errors import StoreUnavailableError
from bot.model.operation import Operation
from bot.ports.alarms import Alarms
from bot.ports.store import Deadline, Transaction
from bot.service.actions import REMINDER, remind
from bot.service.desk import void
from bot.service.paging import LAPSE, lapse, page
from bot.service.parts import Parts
from bot.service.schedules import SCHEDULED, begin_due, plan_all

log = structlog.get_logger(__name__)

LOOK_AGAIN = timedelta(seconds=1)
"""How long at most until a deadline that was set meanwhile is noticed."""


class _BadDeadlineError(Exception):
    """A deadline that cannot be handled; its key."""


class Timers:
    """Looks at the deadlines of the store. A deadline won here becomes an operation, a voided decision, or a call."""

    def __init__(self, parts: Parts, alarms: Alarms) -> None:
        self._parts = parts
        self._alarms = alarms

    async def start(self) -> None:
        """Begin to look; what fell due while nothing ran is handled first. *Raises* SettingsError: a bad cron line."""
        self._alarms.start()
        try:
            await self._parts.store.transact(lambda tx: plan_all(tx, self._parts, self._alarms))
        except StoreUnavailableError as error:
            log.warning("schedules not set; they are at the next start", error=str(error))
        await self.look()

    async def look(self) -> None:
        """Handle what is due, and set the alarm for the next look; one bad deadline never stops the others."""
        try:
            await self._handle_due()
        except StoreUnavailableError as error:
            log.warning("deadlines not looked at", error=str(error))
        except Exception:  # an outer door: without the next alarm every later deadline would be missed
            log.exception("a fault while looking at deadlines")
        finally:
            self._alarms.ring_at("deadlines", self._parts.clock.now() + LOOK_AGAIN, self.look)

    async def _handle_due(self) -> None:
        """Handle due deadlines, each in a transaction of its own; one that cannot be handled is dropped, and told in the log."""
        bad: set[str] = set()

        async def one(tx: Transaction) -> bool:
            due = await tx.win_due(1)
            if due and due[0].key not in bad:
                try:
                    await self._handle(tx, due[0])
                except (KeyError, TypeError, ValueError) as error:  # a site or a form that is no longer known
                    raise _BadDeadlineError(due[0].key) from error
            return bool(due)

        while True:
            try:
                if not await self._parts.store.transact(one):
                    break
            except _BadDeadlineError as error:
                log.exception("a deadline was dropped", deadline=str(error))
                bad.add(str(error))
        self._parts.wake()

    async def _handle(self, tx: Transaction, deadline: Deadline) -> None:
        incident_id, args = deadline.incident_id, deadline.args
        if incident_id is None:
            return
        if deadline.kind == "expire":
            decision = await tx.decision(args["decision_id"])
            if decision is not None and decision.state is DecisionState.OPEN:
                await void(tx, decision, "Nobody decided in time.")
        elif deadline.kind == "page":
            await page(tx, self._parts, incident_id, args["site"], int(args["attempt"]))
        elif deadline.kind == LAPSE:
            await lapse(tx, self._parts, incident_id, args)
        elif deadline.kind == "watch":
            await tx.add_operation(_watch(deadline, incident_id))
        elif deadline.kind == REMINDER:
            await remind(tx, self._parts, incident_id, args)
        elif deadline.kind in SCHEDULED:
            await begin_due(tx, self._parts, self._alarms, deadline)


def _watch(deadline: Deadline, incident_id: str) -> Operation:
    args = deadline.args
    return Operation(
        id=f"cron:watch:{incident_id}:{args['since']}:{args['round']}",
        kind="watch",
        incident_id=incident_id,
        site=args["site"],
        person="backout",
        args=args,
    )
