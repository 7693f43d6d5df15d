"""Delivers to the bot, by Socket Mode or signed HTTP: measures the ack, repeats what Slack repeats, keeps the record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tests.fakes.common.book import Json
from tests.fakes.slack.outcome import ACK_S, Outcome, Record
from tests.fakes.slack.signed import Request, SignedSender
from tests.fakes.slack.sockets import Envelope, Sockets
from tests.fakes.slack.world import World

ENVELOPES = {"command": "slash_commands", "event": "events_api"}
# Documented: nearly at once, after a minute, after five.
RETRIES_S = (0.0, 60.0, 300.0)
HTTP_REASONS = {"timeout": "http_timeout", "nobody": "connection_failed", "http_error": "http_error"}


class Courier:
    """The way to the bot. `apply` is told each ack, to do what it asks for."""

    def __init__(
        self, world: World, sockets: Sockets, sender: SignedSender, apply: Callable[[Record], None]
    ) -> None:
        self._world = world
        self._sockets = sockets
        self._sender = sender
        self._apply = apply
        self._tasks: set[asyncio.Task[None]] = set()
        self._begin()

    def _begin(self) -> None:
        self.records: dict[str, Record] = {}
        self._prepared: dict[str, Envelope | Request] = {}
        self.way = "socket"
        self.retries_s: tuple[float, ...] = RETRIES_S

    async def reset(self) -> None:
        """Stop what is being delivered, and forget what was."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._begin()

    def record(
        self, kind: str, name: str, payload: Json, *, trigger_id: str = "", hidden: Json | None = None
    ) -> Record:
        """Begin the record of a delivery."""
        record = Record(
            id=self._world.new_id("delivery-"),
            kind=kind,
            name=name,
            payload=payload,
            trigger_id=trigger_id,
            hidden=hidden or {},
        )
        self.records[record.id] = record
        return record

    async def deliver(self, record: Record, *, retry: tuple[int, str] | None = None) -> Record:
        """Deliver once, and wait for the ack; what is left un-acked goes the way Slack documents.

        Events are sent again later, in the background. A command or press whose connection broke is sent over another
        one; otherwise the person is told that it failed.
        """
        outcome = await self._attempt(record, retry)
        if outcome.reason == "closed" and not record.is_event and self._sockets.connections:
            outcome = await self._attempt(record, (record.attempts, "connection_closed"))
        self._note(record, outcome)
        if outcome.reason and record.is_event and retry is None and not outcome.no_retry:
            self._later(self._repeat(record, outcome), f"repeat {record.id}")
        return record

    async def prepare(self, record: Record) -> None:
        """Write the first attempt out and open its connection, so that sending it takes no time."""
        self._prepared[record.id] = await self._written(record, None)

    async def _written(self, record: Record, retry: tuple[int, str] | None) -> Envelope | Request:
        kind = ENVELOPES.get(record.kind, "interactive")
        if self.way == "http":
            return await self._sender.request(kind, record.payload, retry)
        return self._sockets.envelope(kind, record.payload, retry)

    async def _attempt(self, record: Record, retry: tuple[int, str] | None) -> Outcome:
        record.attempts += 1
        written = self._prepared.pop(record.id, None) or await self._written(record, retry)
        if isinstance(written, Request):
            return await self._sender.send(record.name, written)

        def late(ack_ms: float) -> None:
            record.ack_ms = ack_ms

        return await self._sockets.send(written, late)

    def _note(self, record: Record, outcome: Outcome) -> None:
        """Write the outcome down; an ack that came is obeyed, one that did not come in time is a violation."""
        record.status = outcome.status
        if not outcome.reason:
            record.ack_ms, record.body, record.error = outcome.ack_ms, outcome.body, ""
            self._apply(record)
            return
        record.error = self._error(outcome)
        if outcome.reason == "timeout":
            self._world.violate("ack_late", f"{record.kind} {record.name}", f"no ack in {ACK_S} s")

    def _error(self, outcome: Outcome) -> str:
        if outcome.reason == "timeout":
            return "operation_timeout"
        if outcome.reason == "http_error":
            return "http_service_error" if outcome.status >= 500 else "http_client_error"
        return "dispatch_failed"

    async def _repeat(self, record: Record, outcome: Outcome) -> None:
        """Send an event up to three times more, until it is acked."""
        for number, after_s in enumerate(self.retries_s, 1):
            await asyncio.sleep(after_s)
            reason = HTTP_REASONS.get(outcome.reason, "timeout") if self.way == "http" else "timeout"
            outcome = await self._attempt(record, (number, reason))
            self._note(record, outcome)
            if not outcome.reason or outcome.no_retry:
                return

    def soon(self, record: Record) -> None:
        """Deliver in the background: nobody waits for it."""

        async def deliver() -> None:
            await self.deliver(record)

        self._later(deliver(), f"deliver {record.id}")

    def _later(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._world.violate("stand_in_fault", task.get_name(), repr(error))
