"""Approving and looking at a restore."""

from __future__ import annotations

from bot.model.incident import Cutover, Incident
from bot.model.message import Reply
from bot.model.step import Step
from bot.ports.store import Transaction
from bot.runbook import guards
from bot.service.answers import answer
from bot.service.desk import refuse, state_of, typed
from bot.service.parts import Call, Parts


async def confirm(parts: Parts, call: Call, site_name: str | None) -> Reply:
    """Approve the plan last shown in this channel, the same as its button. Without a valid plan nothing is changed."""

    async def find(tx: Transaction) -> Reply | str:
        state = await state_of(tx, call.incident_id)
        open_now = await tx.decisions(incident_id=call.incident_id)
        if reason := guards.refuse_cut_over(state):
            waiting = sum(d.purpose.startswith("missing:") for d in open_now)
            if waiting and not state.plan_valid:
                reason = f"The plan waits for {waiting} answer(s) about rows that are gone; nothing was changed. See the channel"
            return await refuse(tx, call, reason, Step.RESTORE)
        decision = next((d for d in open_now if d.purpose == "cutover"), None)
        if decision is None:
            reason = "The plan was answered or has expired. A new one: /restore plan"
            if any(d.purpose == "sessions" for d in open_now):
                reason = "The plan was answered, and sessions stood in its way. Answer that question in the channel, or: /restore plan"
            return await refuse(tx, call, reason, Step.RESTORE)
        if site_name != call.site:
            reason = f"To approve, type the site's name: /restore confirm {call.site}. Nothing was changed."
            return await refuse(tx, call, reason, Step.RESTORE)
        await tx.append(call.incident_id, [typed(call)])
        return decision.id

    found = await parts.store.transact(find)
    if isinstance(found, Reply):
        return found
    return await answer(parts, call.person, found, "approve", site_name)


async def status(parts: Parts, call: Call) -> Reply:
    """Return the plan, its proof and what is known of production's data; reads only."""
    state = await parts.store.transact(lambda tx: state_of(tx, call.incident_id))
    facts: list[tuple[str, str]] = [("production's data", _production(state))]
    if state.plan and state.cutover is not Cutover.NONE:
        facts.append(("safety backup that an undo takes", str(state.plan["safety_path"])))
    elif state.safety:
        facts.append(("safety backup", f"{state.safety['path']} ({state.safety['sha256'][:12]})"))
    if state.plan:
        valid = "valid" if state.plan_valid else f"void: {state.plan_void or 'not proven'}"
        facts += [
            ("plan", f"{state.plan['plan_hash'][:12]}, {state.plan['strategy']}, {valid}"),
            ("approved by", ", ".join(state.approvals) or "nobody yet"),
        ]
    if state.rehearsal:
        facts += [(name.replace("_", " "), f"{value:,}") for name, value in state.rehearsal["totals"].items()]
        facts += [("reason", reason) for reason in state.rehearsal["reasons"]]
    text = guards.refuse_cut_over(state) or f"The plan can be approved: /restore confirm {call.site}"
    return Reply(text=text, incident_id=state.id, facts=tuple(facts))


def _production(state: Incident) -> str:
    return {
        Cutover.NONE: "not changed by Backout",
        Cutover.UNKNOWN: "a change was begun; it is being looked up",
        Cutover.DONE: f"cut over at {state.cutover_at:%H:%M:%S} UTC" if state.cutover_at else "cut over",
        Cutover.UNDONE: "cut over, then undone",
    }[state.cutover]
