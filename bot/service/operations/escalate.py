"""Asking for the DBA, and taking the call."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.model.event import Kind, NewEntry
from bot.model.message import Message, Tone
from bot.ports.pager import Act
from bot.ports.store import Deadline, Transaction
from bot.service.desk import slot_of, state_of, void_all
from bot.service.engine import OperationContext
from bot.service.paging import LAPSE, SLOT, page
from bot.service.parts import Parts
from bot.service.ringing import put_signals


async def escalate(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Call the first contact. *Changes*: the channel, and a deadline that calls again."""
    reason = str(ctx.args.get("reason") or "asked for")

    async def nothing() -> None:
        return None

    async def record(tx: Transaction, _: None) -> None:
        told = ((await state_of(tx, ctx.operation.incident_id)).escalation or {}).get("rules", [])
        entry = NewEntry(
            kind=Kind.ESCALATED,
            actor=ctx.operation.person,
            text=f"The DBA is needed: {reason}.",
            data={"reason": reason, "rule": "asked", "rules": [*told, "asked"]},
        )
        await tx.append(ctx.operation.incident_id, [entry])
        await page(tx, parts, ctx.operation.incident_id, ctx.operation.site, 0)

    await ctx.step("escalated", nothing, record)
    return {"reason": reason}


async def acknowledge(ctx: OperationContext, parts: Parts) -> dict[str, Any]:
    """Stop the calls: a person has the matter in hand, for as long as something follows. *Changes*: the store only."""
    name, incident_id, site = ctx.operation.person, ctx.operation.incident_id, ctx.operation.site

    async def nothing() -> None:
        return None

    async def record(tx: Transaction, _: None) -> None:
        entry = NewEntry(kind=Kind.ACKNOWLEDGED, actor=name, text=f"{name} has it.", data={"person": name})
        (written,) = await tx.append(incident_id, [entry])
        state, entries = await state_of(tx, incident_id), await tx.entries(incident_id)
        await put_signals(
            tx, act=Act.ACKNOWLEDGE, state=state, entries=entries, cause=written.sequence, person=name
        )
        await tx.drop_deadline(f"page.{incident_id}")
        await void_all(tx, incident_id, ["acknowledge"], f"{name} has it.")
        await tx.put_message(incident_id, Message(slot=SLOT, title=f"{name} has it", tone=Tone.GOOD))
        await _quieten(tx, incident_id, name)
        lapses_s = parts.site(site).intervals.ack_lapses
        await tx.set_deadline(
            Deadline(
                key=f"{LAPSE}.{incident_id}",
                kind=LAPSE,
                due_at=await tx.now() + timedelta(seconds=lapses_s),
                incident_id=incident_id,
                args={"site": site, "person": name, "sequence": written.sequence},
            )
        )

    await ctx.step("acknowledged", nothing, record)
    return {"person": name}


async def _quieten(tx: Transaction, incident_id: str, name: str) -> None:
    """Say in every call that somebody has it, so that nobody who reads it later jumps up. *Changes*: the store only."""
    for stored in await tx.messages(incident_id):
        call = stored.message
        if call.calls and call.tone is Tone.BAD and call.slot != slot_of("acknowledge"):
            said = replace(call, tone=Tone.NEUTRAL, body=f"{name} has it. ({call.body})")
            await tx.put_message(incident_id, said)
