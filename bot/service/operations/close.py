"""Step 11: the incident ends, and its post-mortem is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.model.errors import FailedError
from bot.model.event import Kind, NewEntry
from bot.model.message import REPORT_SLOT, Message, Place, Tone
from bot.model.step import Step
from bot.ports.pager import Act
from bot.ports.store import Transaction
from bot.runbook import guards
from bot.runbook.wording import duration_words
from bot.service.actions import begin_tracking
from bot.service.desk import state_of, void_all
from bot.service.engine import OperationContext
from bot.service.filing import filing
from bot.service.paging import LAPSE
from bot.service.parts import Parts
from bot.service.reports import report_text, write_report
from bot.service.ringing import put_signals
from bot.service.site_work import SiteWork, Telling, done_entry, step_message


async def close(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Close the incident and write its report. *Changes*: Backout's own records only."""
    work = SiteWork(ctx, parts)
    outcome = str(ctx.args.get("outcome") or "closed")
    by_hand = ctx.operation.kind == "close_by_hand"
    unproven = " Backout has not opened the site, and has not proven what it holds now." if by_hand else ""

    async def nothing() -> None:
        return None

    async def record(tx: Transaction, _: None) -> None:
        refuse = guards.refuse_close_by_hand if by_hand else guards.refuse_close
        reason = refuse(state := await state_of(tx, work.incident_id))
        if reason is not None and not (ctx.args.get("now") and guards.only_watched(state)):
            raise FailedError(reason)
        await void_all(tx, work.incident_id, ["*"], "The incident was closed.")
        for key in ("watch", "page", LAPSE):
            await tx.drop_deadline(f"{key}.{work.incident_id}")
        entry = NewEntry(
            kind=Kind.INCIDENT_CLOSED,
            actor=work.person,
            text=f"Closed: {outcome}.{unproven}",
            data={"outcome": outcome, "by_hand": by_hand},
        )
        (closed,) = await tx.append(work.incident_id, [entry])
        entries = await tx.entries(work.incident_id)
        await put_signals(
            tx, act=Act.RESOLVE, state=state, entries=entries, cause=closed.sequence, person=work.person
        )
        await tx.close_incident(work.incident_id)

    await ctx.step("closed", nothing, record)
    await ctx.step(
        "actions", nothing, lambda tx, _: begin_tracking(tx, parts, work.incident_id, work.site_name)
    )
    text, data = await _written(work, parts)
    entry = NewEntry(kind=Kind.REPORT_WRITTEN, text=text, data=data)
    message = step_message(
        Step.REPORT,
        text,
        Tone.GOOD,
        facts=(("outcome", outcome),),
        next_steps=("/incident report", "/incident actions"),
    )
    published = await _published(work, parts, outcome)
    await work.tell(
        "reported",
        Telling(entries=[entry, done_entry(Step.REPORT, text)], messages=[message, *published]),
    )
    if parts.site(work.site_name).reports_on_host:
        operation = filing(
            work.incident_id, work.site_name, work.person, cause=ctx.operation.id, amended=False
        )
        await ctx.step("filing", nothing, lambda tx, _: tx.add_operation(operation))
        parts.wake()
    return {"outcome": outcome, "report": data.get("path", "")}


async def _written(work: SiteWork, parts: Parts) -> tuple[str, dict[str, str]]:
    """Write the post-mortem; return what is said of it. A folder that cannot be written keeps no incident open."""
    try:
        written = await write_report(parts, work.incident_id)
    except FailedError as error:
        return f"The post-mortem has no file: {error}", {}
    return f"The post-mortem is written: {written.told}", {"path": str(written.path)}


async def _published(work: SiteWork, parts: Parts, outcome: str) -> list[Message]:
    """Return the post-mortem as a file, for the incident's channel and for where all reports are read."""
    state = await work.incident()
    text = await report_text(parts, work.incident_id, work.site_name)
    report = Message(
        slot=REPORT_SLOT,
        title=f"Post-mortem of {work.incident_id}",
        tone=Tone.NEUTRAL,
        step=int(Step.REPORT),
        body=f"{work.site_name}: {state.title}",
        facts=(("outcome", outcome), ("downtime", duration_words(state.downtime.total_seconds()))),
        file_name=f"{work.incident_id}.md",
        file_text=text,
    )
    return [report, replace(report, slot=f"{REPORT_SLOT}-published", step=None, place=Place.REPORTS)]
