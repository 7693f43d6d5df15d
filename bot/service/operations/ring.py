"""One ring: an e-mail, or a signal to a paging service; tried with growing waits, and each try told in the timeline."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.model.codec import digest
from bot.model.errors import CallLaterError, FailedError, NotStartedError, UnknownOutcomeError
from bot.model.event import Kind, NewEntry
from bot.model.message import Message, Tone
from bot.model.operation import Operation, OperationState
from bot.ports.mail import Letter
from bot.ports.pager import Act, Signal
from bot.ports.store import Transaction
from bot.service.engine import OperationContext
from bot.service.parts import Parts
from bot.service.ringing import MAIL, PAGER

TRIES = 8
"""With waits that double from one second that is some two minutes, less than until the next call."""

SENT, LATER, REFUSED, UNKNOWN, LEFT_OUT = "sent", "later", "refused", "unknown", "left out"


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What came of one try: `outcome` is one of the five words above. `after_s`: how long the other side asks to wait."""

    outcome: str
    words: str
    after_s: float | None = None


async def ring(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Reach somebody by one way. *Changes*: sends an e-mail or a signal; each try and its result is in the timeline.

    A letter of which nobody knows whether it was taken is not sent again: the next call is. A signal is, as its key
    makes it the same alert.
    """
    tried = Tried(outcome=LATER, words="")
    for number in range(1, TRIES + 1):
        if number > 1 and f"try.{number}" not in ctx.recorded():
            await asyncio.sleep(_wait_s(ctx, number, tried))
        await _wait_for_earlier(ctx)
        tried = await _one_try(ctx, parts, number)
        if not _again(ctx, tried):
            break
    return {"outcome": tried.outcome, "words": tried.words}


def _again(ctx: OperationContext, tried: Tried) -> bool:
    is_pager = ctx.args["way"] == PAGER
    return tried.outcome == LATER or (is_pager and tried.outcome == UNKNOWN)


def _wait_s(ctx: OperationContext, number: int, tried: Tried) -> float:
    """Return how long to wait before this try: doubled each time, and at least as long as the other side asked for."""
    longest = ctx.pace.longest_retry.total_seconds()
    own = min(ctx.pace.first_retry.total_seconds() * 2.0 ** (number - 2), longest)
    return max(own, min(tried.after_s or 0.0, longest))


async def _wait_for_earlier(ctx: OperationContext) -> None:
    """Let an earlier signal to the same pager come to its end first, so that none overtakes another."""
    if ctx.args["way"] != PAGER:
        return
    while True:
        running = await ctx.write(
            lambda tx: tx.operations(incident_id=ctx.operation.incident_id, state=OperationState.RUNNING)
        )
        if not _has_earlier(ctx.operation, running):
            return
        await asyncio.sleep(ctx.pace.first_retry.total_seconds())


def _has_earlier(mine: Operation, running: list[Operation]) -> bool:
    """Return whether a ring to the same pager stands before this one; `running` is in the order in which they came."""
    for other in running:
        if other.id == mine.id:
            return False
        if other.kind == mine.kind and other.args.get("target") == mine.args["target"]:
            return True
    return False


async def _one_try(ctx: OperationContext, parts: Parts, number: int) -> Tried:
    was_handing = f"handing.{number}" in ctx.recorded()

    async def act() -> dict[str, Any]:
        if reason := await _needless(ctx):
            return vars(Tried(outcome=LEFT_OUT, words=reason))
        if ctx.args["way"] == MAIL and was_handing:
            words = (
                "Backout ended while it was handed over: it may have arrived or not, and is not sent again"
            )
            return vars(Tried(outcome=UNKNOWN, words=words))
        if ctx.args["way"] == MAIL:
            await ctx.step(f"handing.{number}", _nothing)
        return vars(await _send(ctx, parts))

    async def record(tx: Transaction, done: dict[str, Any]) -> None:
        tried = Tried(**done)
        is_last = number == TRIES or not _again(ctx, tried)
        await tx.append(ctx.operation.incident_id, [_entry(ctx, number, tried, is_last)])
        await _show(tx, ctx, tried, is_last)

    return Tried(**await ctx.step(f"try.{number}", act, record))


async def _nothing() -> None:
    return None


async def _send(ctx: OperationContext, parts: Parts) -> Tried:
    """Send once, and return what came of it in words that hold no secret."""
    try:
        if ctx.args["way"] == MAIL:
            return Tried(outcome=SENT, words=await _send_letter(ctx, parts))
        return Tried(outcome=SENT, words=await _send_signal(ctx, parts))
    except CallLaterError as error:
        return Tried(outcome=LATER, words=str(error), after_s=error.after_s)
    except NotStartedError as error:
        return Tried(outcome=LATER, words=str(error))
    except UnknownOutcomeError as error:
        return Tried(outcome=UNKNOWN, words=str(error))
    except FailedError as error:
        return Tried(outcome=REFUSED, words=str(error))


async def _send_letter(ctx: OperationContext, parts: Parts) -> str:
    if parts.mail is None:
        raise FailedError("no mail server can be used: see what `backout check` says of [smtp]")
    args = ctx.args
    letter = Letter(
        name=args["contact"],
        address=args["target"],
        subject=args["subject"],
        # Each line is a paragraph: on a telephone long ones run into one another.
        body="\n\n".join(args["lines"]) + "\n",
        key=ctx.operation.id,
    )
    return await parts.mail.send(letter)


async def _send_signal(ctx: OperationContext, parts: Parts) -> str:
    args = ctx.args
    pager = parts.pagers.get(args["target"])
    if pager is None:
        raise FailedError("this pager cannot be used: see what `backout check` says of it")
    site = parts.site(ctx.operation.site)
    signal = Signal(
        act=Act(args["act"]),
        key=args["key"],
        summary=args["subject"],
        lines=tuple(args["lines"]),
        source=site.ssh.address,
        site=ctx.operation.site,
        at=_at(ctx),
        person=str(args.get("by", "")),
        link=parts.settings.web.public_url,
    )
    return await pager.send(signal)


def _at(ctx: OperationContext) -> datetime:
    if ctx.operation.created_at is None:
        raise LookupError("an operation that runs has the time at which it was put down")
    return ctx.operation.created_at


async def _needless(ctx: OperationContext) -> str | None:
    """Return why nobody has to be rung any more, or None; reads only."""
    if ctx.args["act"] != Act.TRIGGER:
        return None

    async def look(tx: Transaction) -> str | None:
        state = await tx.state(ctx.operation.incident_id)
        if not state.open:
            return "the incident is closed"
        if state.acknowledged_by is not None:
            return f"{state.acknowledged_by} has it"
        calls = sum(e.kind is Kind.PAGED for e in await tx.entries(ctx.operation.incident_id))
        newer = calls > int(ctx.args["call"])
        return f"call {calls} takes its place" if newer else None

    return await ctx.write(look)


def _entry(ctx: OperationContext, number: int, tried: Tried, is_last: bool) -> NewEntry:
    again = tried.outcome in (LATER, UNKNOWN)
    end = f" Given up after {number} tries." if number == TRIES else ""
    follows = (end if is_last else " It is tried again.") if again else ""
    said = {
        SENT: f"taken, {tried.words}.",
        LATER: f"not taken: {tried.words}.{follows}",
        REFUSED: f"refused: {tried.words}.",
        UNKNOWN: f"not known whether it was taken: {tried.words}.{follows}",
        LEFT_OUT: f"not sent: {tried.words}.",
    }[tried.outcome]
    data = {
        "way": ctx.args["way"],
        "act": ctx.args["act"],
        "contact": ctx.args["contact"],
        "call": ctx.args["call"],
        "try": number,
        "outcome": tried.outcome,
        "last": is_last,
    }
    if ctx.args["way"] == PAGER:
        data |= {"pager": ctx.args["target"], "key": ctx.args["key"]}
    return NewEntry(kind=Kind.RUNG, text=f"{_what(ctx)}, try {number}: {said.replace('..', '.')}", data=data)


def _what(ctx: OperationContext) -> str:
    """Return in words what is sent to whom; an address is told by its person's name alone."""
    args = ctx.args
    if args["way"] == MAIL:
        return f"E-mail to {args['contact']} (call {args['call']})"
    if args["act"] == Act.TRIGGER:
        return f"Pager {args['target']} for {args['contact']} (call {args['call']})"
    told = "somebody has it" if args["act"] == Act.ACKNOWLEDGE else "it is over"
    return f"Pager {args['target']}, told that {told}"


async def _show(tx: Transaction, ctx: OperationContext, tried: Tried, is_last: bool) -> None:
    """Say in the channel what nobody would notice otherwise: that somebody was not reached, and later that they were."""
    slot = f"ring-{ctx.args['way']}-{digest(ctx.args['target'])[:8]}"
    if not is_last or tried.outcome == LEFT_OUT:
        return
    shown = any(stored.message.slot == slot for stored in await tx.messages(ctx.operation.incident_id))
    if tried.outcome == SENT:
        if shown:
            good = Message(slot=slot, title=f"{_what(ctx)}: taken now", tone=Tone.GOOD)
            await tx.put_message(ctx.operation.incident_id, good)
        return
    sure = "it is not known whether it was taken" if tried.outcome == UNKNOWN else "it was not taken"
    message = Message(
        slot=slot,
        title=f"{_what(ctx)}: {sure}",
        tone=Tone.WARNING if tried.outcome == UNKNOWN else Tone.BAD,
        body=f"{tried.words}. Call by telephone: /incident contacts",
        next_steps=("/incident contacts",),
    )
    await tx.put_message(ctx.operation.incident_id, message)
