"""Carries out operations: claims them under a lease, runs their handlers, and records how each one ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import structlog

from bot.model.errors import StoreUnavailableError
from bot.model.operation import Operation, OperationState
from bot.ports.store import Store, Transaction
from bot.service.operation_context import Bell, OperationContext, Pace
from bot.service.operation_run import AtEnd, Handler, OperationRun
from bot.service.site_release import release_site

__all__ = ["Engine", "Handler", "OperationContext", "Pace", "release_site"]

log = structlog.get_logger(__name__)

CLAIMS_AT_ONCE = 20
CLOSE_LIMIT_S = 15.0
# A lease is given up before another process may take it: the rest is for a slow timer and a write under way.
SELF_FENCE = 0.8


class Engine:
    """Runs the operations of one process. `owner` must be new for each start of the process.

    `aborts` (by kind, as `handlers`) stop on the host what a cancelled handler had started there. `at_end` is run in the
    transaction that records an end, after all else in it.
    """

    def __init__(
        self,
        store: Store,
        owner: str,
        handlers: Mapping[str, Handler],
        aborts: Mapping[str, Handler] | None = None,
        *,
        at_end: AtEnd | None = None,
        lease: timedelta = timedelta(seconds=20),
        poll: timedelta = timedelta(seconds=1),
        pace: Pace | None = None,
    ) -> None:
        self._store = store
        self._owner = owner
        self._handlers = dict(handlers)
        self._aborts = dict(aborts or {})
        self._at_end = at_end
        self._pace = replace(pace or Pace(), lease=lease, poll=poll)
        self._runs: dict[str, OperationRun] = {}
        self._loops: list[asyncio.Task[None]] = []
        self._awake = asyncio.Event()
        self._bell = Bell()
        self._beat_at = time.monotonic()

    # -- for those who ask for work

    async def start(self, sole: bool) -> None:
        """Begin to claim operations. `sole`: no other process uses the store, so leases left behind are a dead one's."""
        if sole:
            await self._store.transact(lambda tx: tx.release_leases(None))
        self._beat_at = time.monotonic()
        self._loops = [
            asyncio.create_task(self._claim_loop(), name="engine: claim and renew"),
            asyncio.create_task(self._fence_loop(), name="engine: give up leases in time"),
        ]

    async def close(self) -> None:
        """Stop without ending operations, and give the leases back so that the next process goes on at once."""
        for loop in self._loops:
            loop.cancel()
        for run in self._runs.values():
            run.let_go()
        tasks = [*self._loops, *(run.task for run in self._runs.values())]
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=CLOSE_LIMIT_S)
            for task in left:
                log.error("does not stop", task=task.get_name())
        try:
            await self._store.transact(lambda tx: tx.release_leases(self._owner))
        except StoreUnavailableError as error:
            log.warning("leases not given back, they lapse by themselves", error=str(error))

    def wake(self) -> None:
        """Look for new operations at once instead of at the next poll."""
        self._awake.set()

    async def cancel(self, operation_id: str) -> bool:
        """Ask an operation to stop; False when it is not running. What it runs on the host is stopped before its end."""
        asked = await self._store.transact(lambda tx: tx.request_cancel(operation_id))
        self.wake()
        return asked

    async def retry(self, operation_id: str) -> bool:
        """Set a failed or cancelled operation to running again, from its recorded steps; False when it is neither."""
        revived = await self._store.transact(lambda tx: tx.revive_operation(operation_id))
        self.wake()
        return revived

    async def wait(self, operation_id: str, timeout: timedelta) -> Operation:
        """Return the operation once it has ended. *Raises* TimeoutError when it has not by then, LookupError if unknown."""
        async with asyncio.timeout(timeout.total_seconds()):
            while True:
                operation = await self._store.transact(lambda tx: tx.operation(operation_id))
                if operation is None:
                    raise LookupError(f"there is no operation {operation_id}")
                if operation.state is not OperationState.RUNNING:
                    return operation
                await self._bell.wait(min(0.2, self._pace.poll.total_seconds()))

    # -- leases

    async def _claim_loop(self) -> None:
        while True:
            began = time.monotonic()
            try:
                await self._beat()
                self._beat_at = began
            except StoreUnavailableError as error:
                log.warning("cannot claim or renew operations", error=str(error))
            except Exception:  # an outer door: without this loop every lease would lapse unseen
                log.exception("a fault while claiming operations")
            await self._woken(self._pace.poll.total_seconds())

    async def _woken(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._awake.wait()
        except TimeoutError:
            return
        self._awake.clear()

    async def _fence_loop(self) -> None:
        lease_s = self._pace.lease.total_seconds()
        while True:
            await asyncio.sleep(lease_s / 20)
            if time.monotonic() - self._beat_at > lease_s * SELF_FENCE:
                for run in self._runs.values():
                    run.let_go()

    async def _beat(self) -> None:
        """Renew what runs here, pass cancels on, and claim what nobody holds."""
        runs = dict(self._runs)

        async def renew_and_claim(tx: Transaction) -> tuple[dict[str, Operation], list[Operation]]:
            lease = self._pace.lease
            held = await tx.renew(self._owner, list(runs), lease)
            claimed = await tx.claim(self._owner, list(self._handlers), lease, CLAIMS_AT_ONCE, list(runs))
            return held, claimed

        held, claimed = await self._store.transact(renew_and_claim)
        for operation_id, run in runs.items():
            now_held = held.get(operation_id)
            if now_held is None or now_held.fence != run.operation.fence:
                run.let_go()
            elif now_held.cancel_requested:
                run.cancel(time.monotonic())
        for operation in claimed:
            self._begin(operation)
        if len(claimed) == CLAIMS_AT_ONCE:
            self.wake()

    def _begin(self, operation: Operation) -> None:
        context = OperationContext(
            self._store, operation, owner=self._owner, pace=self._pace, bell=self._bell
        )
        run = OperationRun(
            context, self._handlers[operation.kind], self._aborts.get(operation.kind), self._at_end
        )
        self._runs[operation.id] = run
        # By callback and not in the task: a task that is cancelled before its first step never reaches a `finally`.
        run.task.add_done_callback(lambda _: self._forget(run))

    def _forget(self, run: OperationRun) -> None:
        if self._runs.get(run.operation.id) is run:
            del self._runs[run.operation.id]
        self._bell.ring()
