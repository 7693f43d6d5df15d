"""One operation in this process: its handler, its cancel, and the record of how it ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from bot.model.codec import canonical
from bot.model.errors import (
    BackoutError,
    FailedError,
    LeaseLostError,
    StoreUnavailableError,
    UnknownOutcomeError,
)
from bot.model.operation import Operation, OperationState
from bot.ports.store import Transaction
from bot.service.operation_context import Body, OperationContext, append_if_known
from bot.service.operation_words import (
    ended_entry,
    failed_message,
    internal_fault_text,
    not_stopped_text,
    resumed_entry,
    too_many_tries_text,
)

Handler = Callable[[OperationContext], Awaitable[Any]]
AtEnd = Callable[[Transaction, Operation], Awaitable[None]]
log = structlog.get_logger(__name__)

# An operation that ends the whole process each time it is tried would otherwise be tried for ever.
TRY_LIMIT = 20
ABORT_TRIES = 5
# A handler that swallowed a cancel gets it again; one that is cleaning up is left alone for this long.
CANCEL_AGAIN_S = 5.0


class OperationRun:
    """A claimed operation being carried out. It ends in DONE, FAILED or CANCELLED, or is let go and stays running."""

    def __init__(
        self, context: OperationContext, handler: Handler, abort: Handler | None, at_end: AtEnd | None = None
    ) -> None:
        self.operation: Operation = context.operation
        self._context = context
        self._handler = handler
        self._abort = abort
        self._at_end = at_end
        self._cancelled_at: float | None = None
        self._tried = False
        self._aborting = False
        self._letting_go = False
        self.task = asyncio.create_task(self._guarded(), name=f"operation {self.operation.id}")

    def let_go(self) -> None:
        """Stop without recording an end: the operation stays running, for whoever claims it next."""
        if not self._letting_go:
            self._letting_go = True
            self.task.cancel()

    def cancel(self, now: float) -> None:
        """Pass a person's cancel on to the handler (`now`: monotonic seconds); again after a while if it goes on."""
        recently = self._cancelled_at is not None and now - self._cancelled_at < CANCEL_AGAIN_S
        if not (self._aborting or recently):
            self._cancelled_at = now
            self.task.cancel()

    async def _guarded(self) -> None:
        try:
            await self._carry_out()
        except LeaseLostError:
            log.info("operation belongs to another claim now", operation=self.operation.id)
        except StoreUnavailableError as error:
            log.warning("operation let go", operation=self.operation.id, error=str(error))
        except Exception:  # An outer door: the lease lapses and the operation is claimed again.
            log.exception("a fault while an end was recorded", operation=self.operation.id)
        finally:
            await self._context.close()

    async def _carry_out(self) -> None:
        if not self.operation.cancel_requested:
            try:
                await self._context.load()
                await self._handle()
            except asyncio.CancelledError:
                if self._letting_go or self._cancelled_at is None:
                    raise
            else:
                return
        self._aborting = True
        forget_cancels()
        await self._stop()

    async def _handle(self) -> None:
        try:
            await self._begin_try(self._context.take_site if self.operation.changes_site else None)
            result = json.loads(canonical(await self._until_known()))
            # What cannot be written is a fault of this operation, and told as one.
            await self._context.written()
        except (LeaseLostError, StoreUnavailableError):
            raise
        except BackoutError as error:
            await self._end(OperationState.FAILED, error=str(error))
        except Exception as error:  # An outer door: whatever a handler does wrong is a failed operation.
            log.exception("a fault in a handler", operation=self.operation.id, kind=self.operation.kind)
            await self._end(OperationState.FAILED, error=internal_fault_text(self.operation, error))
        else:
            await self._end(OperationState.DONE, result=result)

    async def _begin_try(self, take_site: Callable[[Body], Awaitable[object]] | None = None) -> None:
        """Count this claim as a try, once, and tell it when there were claims before. *Raises* FailedError: too many.

        Only now, when the site is taken, and not at the claim: an operation that waited, while another one ended the
        process again and again, has no part in that.
        """
        if self._tried:
            return
        operation, recorded, tries = self.operation, list(self._context.recorded()), 0

        async def count(tx: Transaction) -> None:
            nonlocal tries
            self._tried = True
            tries = await tx.begin_try(operation.id)
            if operation.fence > 1:
                await append_if_known(tx, operation, resumed_entry(operation, tries, recorded))

        await (take_site or self._context.write)(count)
        if tries > TRY_LIMIT:
            raise FailedError(too_many_tries_text(operation, TRY_LIMIT))

    async def _until_known(self) -> Any:
        """Return the handler's result; enter it again, through its recorded steps, while an outcome is unknown."""
        pace = self._context.pace
        delay, steps = pace.first_retry, 0
        while True:
            try:
                return await self._handler(self._context)
            except UnknownOutcomeError as error:
                await self._context.tell_unknown(str(error))
            if len(self._context.recorded()) > steps:
                delay, steps = pace.first_retry, len(self._context.recorded())
            await asyncio.sleep(delay.total_seconds())
            delay = min(delay * 2, pace.longest_retry)

    async def _stop(self) -> None:
        """Stop on the host what the handler had started, then record the cancel; the site stays kept when that fails."""
        # The handler may have come to its end just before the cancel: then there is nothing left to stop.
        await self._context.prove()
        await self._context.load()
        fault = await self._stopping_fault(self._abort) if self._abort else None
        if fault is None:
            await self._end(OperationState.CANCELLED)
        else:
            await self._end(OperationState.FAILED, error=not_stopped_text(self.operation, fault))

    async def _stopping_fault(self, abort: Handler) -> str | None:
        """Return why the abort did not succeed, tried several times, or None when it did."""
        try:
            await self._begin_try()
        except FailedError as error:
            return str(error)
        delay = self._context.pace.first_retry
        fault = await self._abort_fault(abort)
        for _ in range(ABORT_TRIES - 1):
            if fault is None:
                break
            await asyncio.sleep(delay.total_seconds())
            delay = min(delay * 2, self._context.pace.longest_retry)
            fault = await self._abort_fault(abort)
        return fault

    async def _abort_fault(self, abort: Handler) -> str | None:
        limit_s = self._context.pace.abort_limit.total_seconds()
        try:
            async with asyncio.timeout(limit_s):
                await abort(self._context)
        except (LeaseLostError, StoreUnavailableError):
            raise
        except TimeoutError:
            return f"no answer within {limit_s:.0f} s."
        except BackoutError as error:
            return str(error)
        except Exception as error:  # An outer door, as for handlers.
            log.exception("a fault in an abort", operation=self.operation.id)
            return internal_fault_text(self.operation, error)
        return None

    async def _end(self, state: OperationState, *, result: Any = None, error: str | None = None) -> None:
        """Record the end, its entry and the fate of the site's lock in one transaction: a failed operation keeps it."""
        operation = self.operation
        entry = ended_entry(operation, state, error)

        async def body(tx: Transaction) -> None:
            await tx.finish_operation(operation.id, state, result=result, error=error)
            if state is not OperationState.FAILED:
                await tx.free_site(operation.site, operation.id)
            if entry is not None:
                await append_if_known(tx, operation, entry)
            if state is OperationState.FAILED and await tx.incident(operation.incident_id) is not None:
                await tx.put_message(operation.incident_id, failed_message(operation, error))
            if self._at_end is not None:
                await self._at_end(tx, operation)

        # Its steps are recorded before its end and not with it: whoever crashes in between finds it running.
        await self._context.written()
        await self._context.write(body)


def forget_cancels() -> None:
    """Take back the cancels of the running task, so that time limits and task groups inside of the abort work."""
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()
