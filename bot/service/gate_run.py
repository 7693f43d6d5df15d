"""One run of the gate by a program of its own: no bot needs to run, and nothing of it is kept but what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

from bot.model.errors import BackoutError
from bot.model.operation import Operation, OperationState
from bot.ports.store import IncidentRow
from bot.runbook.gate import GateOutcome, GateResult, not_told, refused_before
from bot.service.engine import Engine
from bot.service.parts import Parts

STOP_LIMIT = timedelta(minutes=3)


async def run_gate(
    parts: Parts, engine: Engine, site: str, accept: Sequence[str], limit: timedelta
) -> GateResult:
    """Return what the gate says of a site. *Changes*: scratch on the host, and a store that nobody else has.

    What is not told within the limit, or cannot be, is GateOutcome.UNKNOWN; what was begun on the host is stopped then.
    """
    operation_id = f"gate-{uuid4().hex[:12]}"
    try:
        logbook = await parts.store.transact(lambda tx: tx.open_logbook(site))
        operation = Operation(
            id=operation_id,
            kind="gate",
            incident_id=logbook,
            site=site,
            person="deployment",
            args={"accept": list(accept)},
        )
        await parts.store.transact(lambda tx: tx.add_operation(operation))
        engine.wake()
        return _result_of(site, await engine.wait(operation_id, limit))
    except TimeoutError:
        await _stopped(engine, operation_id)
        return not_told(
            site, f"it took longer than {limit.total_seconds():.0f} s. Production was not changed"
        )
    except asyncio.CancelledError:
        await _stopped(engine, operation_id)
        raise
    except BackoutError as error:
        return not_told(site, str(error))


async def _stopped(engine: Engine, operation_id: str) -> None:
    """Stop what runs on the host; where that cannot be told either, the host's own limits end it."""
    await engine.cancel(operation_id)
    try:
        await engine.wait(operation_id, STOP_LIMIT)
    except TimeoutError:
        return


def _result_of(site: str, operation: Operation) -> GateResult:
    result = operation.result if isinstance(operation.result, dict) else {}
    if operation.state is OperationState.DONE and "outcome" in result:
        return _read(result)
    return not_told(site, str(result.get("failed") or operation.error or "the rehearsal was stopped"))


def _read(result: dict[str, object]) -> GateResult:
    fields = {name: value for name, value in result.items() if name not in ("outcome", "exit_status")}
    return GateResult(outcome=GateOutcome(str(result["outcome"])), **fields)  # type: ignore[arg-type]  # as_json wrote it


def refused_by_incident(site: str, rows: Sequence[IncidentRow]) -> GateResult | None:
    """Return a refusal where an incident of the site is open, else None: nobody deploys into a recovery."""
    if not rows:
        return None
    return refused_before(site, f"the incident {rows[0].id} is open: {rows[0].title}. Nothing was changed")
