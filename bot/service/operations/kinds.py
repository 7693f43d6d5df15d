"""Every kind of operation: what carries it out, what a failure of it means for its step, and how it is cancelled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.model.errors import (
    BackoutError,
    LeaseLostError,
    ReaderRefusalError,
    RollbackFailedError,
    StoreUnavailableError,
    UnknownOutcomeError,
)
from bot.model.event import Kind, NewEntry
from bot.model.message import Message, Tone
from bot.model.operation import Operation
from bot.model.step import STEP_OF_KIND, Step
from bot.ports.store import Transaction
from bot.runbook.escalation import DAMAGED, FOREIGN_KEYS, ROLLBACK, UNDO
from bot.runbook.headline import work_words
from bot.runbook.purposes import guard_of
from bot.service.desk import Question, read_state
from bot.service.engine import Handler, OperationContext
from bot.service.jobs import stop_jobs
from bot.service.operations import (
    align,
    assess,
    backups,
    close,
    cutover,
    deploy,
    drill,
    escalate,
    file_report,
    freeze,
    gate,
    gate_rehearsal,
    health,
    missing,
    plan,
    propose,
    reopen,
    ring,
    undo,
    verify,
    waiting,
    wider_search,
)
from bot.service.operations.ways_on import ask_way_on, ask_without_correction
from bot.service.paging import call_by_rule
from bot.service.parts import Parts
from bot.service.site_work import SiteWork, Telling, failed_entry, step_message

Run = Callable[[OperationContext, Parts], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class OperationKind:
    """`intent` is the checkpoint from which on production may have been changed: a failure after it keeps the site.

    `look_up` finds out and tells what became of production when such an operation is cancelled after its intent.
    None: this kind never changes production's data, so a failure leaves nothing behind and frees the site.
    `tidy` removes what a cancelled operation of this kind had made in scratch; others leave it to be used again.
    """

    name: str
    run: Run
    intent: str | None = None
    look_up: Run | None = None
    tidy: Callable[[OperationContext, Parts], Awaitable[None]] | None = None

    @property
    def step(self) -> Step | None:
        """Return the step it works on, None for one that belongs to no step."""
        return STEP_OF_KIND.get(self.name)


_ALL = (
    OperationKind(name="assess", run=assess.assess),
    OperationKind(name="freeze", run=freeze.freeze),
    OperationKind(name="stop_writers", run=freeze.stop_writers),
    OperationKind(name="backups", run=backups.list_backups),
    OperationKind(name="compare_backups", run=missing.compare_backups),
    OperationKind(name="search_wider", run=wider_search.search_wider),
    OperationKind(name="inspect", run=backups.inspect_backup),
    OperationKind(name="safety", run=backups.safety_backup),
    OperationKind(name="plan", run=plan.plan),
    OperationKind(name="cutover", run=cutover.cut_over, intent="cutover.begun", look_up=cutover.look_up),
    OperationKind(name="propose_undo", run=undo.propose_undo),
    OperationKind(name="undo", run=undo.undo, intent="undo.begun", look_up=undo.look_up),
    OperationKind(name="align", run=align.align),
    OperationKind(name="propose", run=propose.propose),
    OperationKind(name="deploy", run=deploy.deploy, intent="deploy.begun"),
    OperationKind(name="skip_deploy", run=deploy.skip_deploy),
    OperationKind(name="check", run=verify.check),
    OperationKind(name="caches", run=verify.clear_caches),
    OperationKind(name="set_aside", run=waiting.set_aside),
    OperationKind(name="reopen", run=reopen.reopen),
    OperationKind(name="reopen_anyway", run=reopen.reopen),
    OperationKind(name="watch", run=reopen.watch),
    OperationKind(name="close", run=close.close),
    OperationKind(name="close_by_hand", run=close.close),
    OperationKind(name="file_report", run=file_report.file_report),
    OperationKind(name="escalate", run=escalate.escalate),
    OperationKind(name="acknowledge", run=escalate.acknowledge),
    OperationKind(name="gate", run=gate.gate, tidy=gate_rehearsal.tidy),
    OperationKind(name="ring", run=ring.ring),
    OperationKind(name="health", run=health.check_backups),
    OperationKind(name="drill", run=drill.drill, tidy=drill.tidy),
)

KINDS: Mapping[str, OperationKind] = {kind.name: kind for kind in _ALL}


def handlers(parts: Parts) -> dict[str, Handler]:
    """Return the engine's handlers, one for each kind."""
    return {name: _handler(kind, parts) for name, kind in KINDS.items()}


def aborts(parts: Parts) -> dict[str, Handler]:
    """Return the engine's aborts: whatever a cancelled operation started on the host is stopped there first."""

    async def abort(ctx: OperationContext) -> None:
        await stop_jobs(ctx, host=parts.hosts.of_site(ctx.operation.site))
        kind = KINDS[ctx.operation.kind]
        if kind.tidy is not None:
            await kind.tidy(ctx, parts)
        messages = []
        if kind.look_up is not None and kind.intent in ctx.recorded():
            await kind.look_up(ctx, parts)  # it tells in the step's message what became of production
        elif kind.step is not None:
            messages = [
                step_message(kind.step, _cancelled(kind), Tone.WARNING, next_steps=("/incident status",))
            ]
        if kind.step is not None:
            entries = [failed_entry(kind.step, _cancelled(kind), cause="cancelled")]
            await SiteWork(ctx, parts).tell("cancelled", Telling(entries=entries, messages=messages))

    return dict.fromkeys(KINDS, abort)


def _cancelled(kind: OperationKind) -> str:
    return f"Cancelled: {work_words(kind.name)}. Its work on the host was stopped first."


def _handler(kind: OperationKind, parts: Parts) -> Handler:
    async def run(ctx: OperationContext) -> dict[str, Any]:
        try:
            if reason := await _refused_at_begin(ctx, parts):
                return {"refused": reason}
            return await kind.run(ctx, parts)
        except (UnknownOutcomeError, LeaseLostError, StoreUnavailableError):
            raise  # not an end: the engine looks again
        except BackoutError as error:
            await _tell_failure(ctx, parts, kind, error)
            if kind.intent is not None and kind.intent in ctx.recorded():
                raise  # production may have changed: the operation fails and keeps the site
            return {"failed": str(error)}

    return run


async def _refused_at_begin(ctx: OperationContext, parts: Parts) -> str | None:
    """Ask the guard again, now that this operation's turn has come: what was allowed when asked may not be any more."""
    guard = guard_of(ctx.operation.kind)
    if guard is None or "guard" in ctx.recorded() or ctx.args.get("now"):
        return None

    async def state() -> str | None:
        return guard(await read_state(parts, ctx.operation.incident_id))

    async def record(tx: Transaction, reason: str | None) -> None:
        if reason is None:
            return
        data = {"command": ctx.operation.kind}
        entry = NewEntry(kind=Kind.REFUSED, actor=ctx.operation.person, text=reason, data=data)
        await tx.append(ctx.operation.incident_id, [entry])
        title = f"Not begun: {work_words(ctx.operation.kind)}"
        message = Message(slot=f"refused-{ctx.operation.kind}", title=title, tone=Tone.WARNING, body=reason)
        await tx.put_message(ctx.operation.incident_id, message)

    return await ctx.step("guard", state, record, soon=True)


def after_end(parts: Parts) -> Callable[[Transaction, Operation], Awaitable[None]]:
    """Return what the engine does where it records an end: whatever ended badly may be the DBA's business."""

    async def look(tx: Transaction, operation: Operation) -> None:
        known = operation.site in parts.settings.sites
        if known and operation.incident_id and await tx.incident(operation.incident_id) is not None:
            await call_by_rule(tx, parts, operation.incident_id, operation.site)

    return look


def _cause(kind: OperationKind, error: BackoutError) -> dict[str, str]:
    """Return the cause of a failure as the timeline names it, where it is one that decides who is called."""
    if isinstance(error, ReaderRefusalError) and error.kind in (DAMAGED, FOREIGN_KEYS):
        return {"cause": error.kind}
    if isinstance(error, RollbackFailedError):
        return {"cause": ROLLBACK}
    return {"cause": UNDO} if kind.name == "undo" else {}


async def _ways_on(work: SiteWork, kind: OperationKind, text: str, cause: str | None) -> list[Question]:
    """Return the question how to go on where a rehearsal ended for a cause that leaves other ways.

    And the question about rows once more, where those that were named could not be set aside.
    """
    if kind.name == "set_aside":
        now = work.parts.clock.now()
        return waiting.ask_again(await work.incident(), str(work.ctx.args["item"]), now)
    if kind.name == "propose":
        return [ask_without_correction(text, work.ctx.args)]
    if kind.name != "plan" or cause not in (ROLLBACK, FOREIGN_KEYS):
        return []
    return [ask_way_on(cause, text, await work.incident(), work.ctx.args)]


async def _tell_failure(
    ctx: OperationContext, parts: Parts, kind: OperationKind, error: BackoutError
) -> None:
    work, text, cause = SiteWork(ctx, parts), str(error), _cause(kind, error)
    if kind.step is None:
        message = Message(
            slot=f"failed-{ctx.operation.kind}",
            title=f"Failed: {work_words(ctx.operation.kind)}",
            tone=Tone.BAD,
            body=text,
        )
        entry = NewEntry(kind=Kind.OPERATION_FAILED, text=text, data={"operation": ctx.operation.id})
    else:
        message = step_message(
            kind.step, text, Tone.BAD, next_steps=("/incident status", "/incident escalate")
        )
        entry = failed_entry(kind.step, text, **cause)
    questions = await _ways_on(work, kind, text, cause.get("cause"))
    await work.tell("failure", Telling(entries=[entry], messages=[message], questions=questions))
