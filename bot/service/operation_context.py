"""What a handler holds while it carries out one operation: named steps, proven writes, the site's lock."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import structlog

from bot.model.codec import canonical
from bot.model.errors import FailedError, StoreUnavailableError
from bot.model.event import Kind, NewEntry
from bot.model.operation import Operation, OperationState
from bot.ports.store import Store, Transaction

T = TypeVar("T")
Body = Callable[[Transaction], Awaitable[object]]
log = structlog.get_logger(__name__)


class Bell:
    """Wakes those who wait for some operation to end or to free its site."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake all who wait now."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Return at the next ring, or after some seconds: one may wait in another process, which no ring reaches."""
        event = self._event
        # Not `asyncio.wait_for`: on Python 3.11 it can swallow a cancel.
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long things wait. `look` is one wait for a job: the host answers at once when the job ends, so it bounds only
    how long a silence lasts before it is told. The retries are those of an outcome that is unknown."""

    lease: timedelta = timedelta(seconds=20)
    poll: timedelta = timedelta(seconds=1)
    site_wait: timedelta = timedelta(minutes=30)
    look: timedelta = timedelta(seconds=15)
    first_retry: timedelta = timedelta(seconds=1)
    longest_retry: timedelta = timedelta(seconds=60)
    abort_limit: timedelta = timedelta(seconds=120)


def _raising(error: Exception) -> Body:
    async def told(_: Transaction) -> None:
        raise error

    return told


class OperationContext:
    """One claim of one operation. All writes prove first that the claim still holds.

    What need not be durable before the next thing is done (a fact that was read, that a job runs) is written `soon`:
    at once but beside what follows, and never later than the next write, whose transaction takes it along.

    Between the effect of a step and its record a crash makes the step run again ("at least once"), so a step that
    changes a host is launch-or-attach under a key (see `bot.service.jobs`).
    """

    def __init__(self, store: Store, operation: Operation, *, owner: str, pace: Pace, bell: Bell) -> None:
        self.operation = operation
        self.pace = pace
        self._store = store
        self._owner = owner
        self._bell = bell
        self._results: dict[str, Any] = {}
        self._last_unknown: str | None = None
        self._holds_site = False
        self._due: list[Body] = []
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None

    @property
    def args(self) -> dict[str, Any]:
        """Return the arguments the operation was started with."""
        return self.operation.args

    async def load(self) -> None:
        """Read the recorded steps again; reads only."""
        self._results = await self._store.transact(lambda tx: tx.checkpoints(self.operation.id))

    def recorded(self) -> dict[str, Any]:
        """Return the results of all recorded steps by name, oldest first."""
        return dict(self._results)

    async def step(
        self,
        name: str,
        act: Callable[[], Awaitable[T]],
        record: Callable[[Transaction, T], Awaitable[object]] | None = None,
        *,
        soon: bool = False,
    ) -> T:
        """Return the recorded result of this step, or run `act`, record its result and return it.

        The record, and what `record` adds to it (entries, messages, decisions), become durable in one transaction;
        with `soon` not before this returns but with the next write, for a step that may as well run again. The
        result must be JSON data and is returned as JSON gives it back (a tuple as a list), now and after a restart.
        *Raises* LeaseLostError when the claim is gone; TypeError for a result that is not JSON data.
        """
        if name not in self._results:
            result = cast("T", json.loads(canonical(await act())))
            body = self._recording(name, result, record)
            if soon:
                self.write_soon(body)
            self._results[name] = result if soon else await self.write(body)
        return cast("T", self._results[name])

    def write_soon(self, body: Body) -> None:
        """Have `body` written beside what follows, in the order of the calls, and before anything that `write` is given.

        After a crash it may be missing, with all that was to be written after it. Its error is that of the next write.
        """
        self._due.append(body)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_due(), name=f"records of {self.operation.id}")
            self._writer.add_done_callback(self._written)

    async def written(self) -> None:
        """Return once everything is durable that was to be written soon. *Raises* as `write` does."""
        if self._due or self._writer is not None:
            await self.write(nothing_more)

    async def close(self) -> None:
        """Write nothing any more; a transaction that is under way comes to its end first."""
        self._due.clear()
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait({self._writer})

    async def write(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `body` in a transaction that first proves the claim, and return its result.

        While the store cannot be reached it is tried again until the lease nears its end, when the engine cancels this
        operation. A commit may have been done although it seemed to fail, so a second run of `body` must do no harm.
        *Raises* LeaseLostError when the claim is gone.
        """
        async with self._writing:
            return await self._transact_once_reached(body)

    async def _transact_once_reached(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        while True:
            try:
                return await self._transact(body)
            except StoreUnavailableError as error:
                log.warning("store unavailable, trying again", operation=self.operation.id, error=str(error))
                await asyncio.sleep(self.pace.poll.total_seconds())

    async def _transact(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """Write what is due and `body` in one transaction; what is due stays due when `body` or the commit fails."""
        due, self._due = self._due, []
        were_good = False

        async def proven(tx: Transaction) -> T:
            nonlocal were_good
            await tx.prove_owner(self.operation.id, self._owner, self.operation.fence)
            for earlier in due:
                await earlier(tx)
            were_good = True
            return await body(tx)

        try:
            return await self._store.transact(proven)
        except StoreUnavailableError:
            self._due = due + self._due
            raise
        except Exception:
            # One of the due ones that cannot be written would spoil every later write: it is told by this error.
            self._due = (due if were_good else []) + self._due
            raise

    async def _write_due(self) -> None:
        while self._due:
            async with self._writing:
                try:
                    await self._transact_once_reached(nothing_more)
                except Exception as error:  # noqa: BLE001 - whatever it is, the next write tells it
                    # Before the lock is given up: the next write may be waiting for it, and must not be done.
                    self._due.insert(0, _raising(error))
                    return

    def _written(self, _: asyncio.Task[None]) -> None:
        self._writer = None

    async def prove(self) -> None:
        """Return when this claim still holds and the operation runs. *Raises* LeaseLostError otherwise; reads only."""
        await self.write(lambda tx: tx.now())

    async def note(self, *entries: NewEntry) -> None:
        """Append entries to the incident's timeline; nothing where the operation has no incident."""

        async def body(tx: Transaction) -> None:
            await append_if_known(tx, self.operation, *entries)

        await self.write(body)

    async def tell_unknown(self, text: str) -> None:
        """Append that an outcome cannot be told, unless the same was the last such entry of this operation."""
        if text == self._last_unknown:
            return
        data = {"operation": self.operation.id, "kind": self.operation.kind}
        entry = NewEntry(kind=Kind.STEP_UNKNOWN, text=text, data=data)

        async def body(tx: Transaction) -> None:
            if await last_unknown(tx, self.operation) != text:
                await append_if_known(tx, self.operation, entry)

        await self.write(body)
        self._last_unknown = text

    async def take_site(self, also: Body | None = None) -> None:
        """Wait until this operation holds its site, and keep it until it is done, cancelled or released by a person.

        `also` is written in the transaction in which it is held. While this operation runs nobody else can free the
        site, so a second call finds it held.
        *Raises* FailedError at once when the holder has ended without freeing it (a failed one keeps its site), and
        after `site_wait` when the holder is still running; this operation has changed nothing then.
        """
        began = time.monotonic()

        async def take(tx: Transaction) -> Operation:
            holder_id = await tx.take_site(self.operation.site, self.operation.id)
            if also is not None and holder_id == self.operation.id:
                await also(tx)
            return await tx.operation(holder_id) or self.operation

        while not self._holds_site and (holder := await self.write(take)).id != self.operation.id:
            if holder.state is not OperationState.RUNNING:
                raise FailedError(kept_site_text(holder))
            if time.monotonic() - began > self.pace.site_wait.total_seconds():
                raise FailedError(busy_site_text(holder, self.pace.site_wait))
            await self._tell_waiting(holder)
            await self._bell.wait(self.pace.poll.total_seconds())
        self._holds_site = True

    async def free_site(self) -> None:
        """Free the site before the operation's end; nothing happens when it is not held."""
        self._holds_site = False
        await self.write(lambda tx: tx.free_site(self.operation.site, self.operation.id))
        self._bell.ring()

    async def _tell_waiting(self, holder: Operation) -> None:
        text = f"{self.operation.kind} waits for the site {holder.site}: {holder.kind} by {holder.person} is running."
        entry = NewEntry(kind=Kind.NOTE, text=text, data={"operation": self.operation.id})

        async def holder_id() -> str:
            return holder.id

        await self.step("site.waited", holder_id, lambda tx, _: append_if_known(tx, self.operation, entry))

    def _recording(
        self, name: str, result: T, record: Callable[[Transaction, T], Awaitable[object]] | None
    ) -> Callable[[Transaction], Awaitable[T]]:
        async def body(tx: Transaction) -> T:
            if not await tx.add_checkpoint(self.operation.id, name, result):
                # An earlier try was committed although it seemed to fail: its entries are there too.
                return cast("T", (await tx.checkpoints(self.operation.id))[name])
            if record is not None:
                await record(tx, result)
            return result

        return body


async def nothing_more(_: Transaction) -> None:
    """Add nothing to a transaction that writes what is due."""


async def append_if_known(tx: Transaction, operation: Operation, *entries: NewEntry) -> None:
    """Append entries to the operation's incident; a scheduled operation has none, and nothing is written."""
    if operation.incident_id and await tx.incident(operation.incident_id) is not None:
        await tx.append(operation.incident_id, entries)


async def last_unknown(tx: Transaction, operation: Operation) -> str | None:
    """Return the text of the operation's last STEP_UNKNOWN entry, or None; reads only."""
    for entry in reversed(await tx.entries(operation.incident_id)):
        if entry.kind is Kind.STEP_UNKNOWN and entry.data.get("operation") == operation.id:
            return entry.text
    return None


def kept_site_text(holder: Operation) -> str:
    """Return why a site whose last operation ended badly is not given to the next one."""
    return (
        f"the site {holder.site} is kept by {holder.kind} of {holder.person} ({holder.id}), which {holder.state.value}"
        f"{': ' + holder.error if holder.error else ''}. Nothing was changed by this request. "
        "Look at the site, then release it, or try that operation again."
    )


def busy_site_text(holder: Operation, waited: timedelta) -> str:
    """Return why waiting for a site was given up."""
    return (
        f"the site {holder.site} is held by {holder.kind} of {holder.person} ({holder.id}), which is still running after "
        f"{waited.total_seconds() / 60:.0f} minutes of waiting. Nothing was changed by this request. Ask again when it has ended."
    )
