"""Action items after the incident: listed when it is closed, owned, closed by people, and reminded of until all are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from bot.model.action import ACTION_KINDS, Action, actions_of
from bot.model.event import Kind, NewEntry
from bot.model.message import Message, Place, Reply, Table, Tone
from bot.model.person import Permission
from bot.ports.store import Deadline, IncidentRow, Transaction
from bot.report.actions import action_items
from bot.runbook.wording import shortened
from bot.service.parts import Call, Parts, refused

REMINDER = "actions"
ITEM_LETTERS = 200
NOBODY = "nobody yet"
_WHICH = re.compile(r"(?:(?P<incident>[^#\s]+)#)?(?P<number>\d{1,4})")
ALL_OF_THEM = 100_000


async def begin_tracking(tx: Transaction, parts: Parts, incident_id: str, site: str) -> None:
    """List the action items of an incident that ends, once, and set the first reminder. *Changes*: the store only."""
    if await tx.last_entries(incident_id, [Kind.ACTIONS_LISTED], 1):
        return
    entries = await tx.entries(incident_id)
    items = action_items(entries, site=site, now=await tx.now())
    text = f"{len(items)} action items, {sum(not i['done'] for i in items)} of them to be done."
    await tx.append(incident_id, [NewEntry(kind=Kind.ACTIONS_LISTED, text=text, data={"items": items})])
    if any(not item["done"] for item in items):
        await _set_reminder(tx, parts, incident_id, site, 1)


async def remind(tx: Transaction, parts: Parts, incident_id: str, args: dict[str, Any]) -> None:
    """Tell what is still open where reports are read, and set the next reminder. *Changes*: the store only."""
    waiting = [action for action in await _actions(tx, incident_id) if action.open]
    if not waiting:
        return
    site, number = str(args["site"]), int(args["round"])
    everything = await _actions(tx, incident_id)
    owners = dict.fromkeys(p.name for a in waiting if (p := parts.person(a.owner)) is not None)
    message = Message(
        slot=f"actions-{number}",
        title=f"Action items of {incident_id}: {len(waiting)} of {len(everything)} are open",
        tone=Tone.WARNING,
        body=f"{site}: the same can happen again as long as these are open.",
        table=_table(waiting),
        next_steps=_next_steps(incident_id, waiting),
        calls=tuple(owners),
        place=Place.REPORTS,
    )
    await tx.put_message(incident_id, message)
    await _set_reminder(tx, parts, incident_id, site, number + 1)


async def list_actions(parts: Parts, call: Call) -> Reply:
    """Return the action items of the incident of this channel, or the open ones of all that the person sees; reads only."""
    return await parts.store.read(lambda tx: _told(tx, call))


async def _told(tx: Transaction, call: Call) -> Reply:
    if call.incident is not None:
        actions = await _actions(tx, call.incident.id)
        if not actions:
            return refused(f"{call.incident.id} has no action items yet: they are listed when it is closed.")
        left = sum(action.open for action in actions)
        text = f"{call.incident.id}: {left} of {len(actions)} action items are open."
        return Reply(text=text, incident_id=call.incident.id, table=_table(actions))
    found = []
    for row in await tx.incidents(site=call.site):
        if not call.person.refusal_to_read(row.site):
            found += [(row.id, a) for a in await _actions(tx, row.id) if a.open]
    if not found:
        return Reply(text="No action item is open.")
    rows = tuple(
        (f"{incident}#{a.number}", shortened(a.text, ITEM_LETTERS), a.owner or NOBODY)
        for incident, a in found
    )
    return Reply(
        text=f"{len(rows)} action items are open:", table=Table(columns=("#", "item", "owner"), rows=rows)
    )


async def change_action(parts: Parts, call: Call, change: str, which: str, rest: str) -> Reply:
    """Close an item (`done`), open it again (`open`), or say whose it is (`owner`). *Changes*: the store only."""
    return await parts.store.transact(lambda tx: _changed(tx, parts, call, change, which, rest))


async def _changed(tx: Transaction, parts: Parts, call: Call, change: str, which: str, rest: str) -> Reply:
    row = await _meant(tx, call, which)
    if isinstance(row, Reply):
        return row
    if reason := call.person.refusal(Permission.RESPOND, row.site):
        return refused(f"{reason}. Nothing was changed.")
    number = int(which.rpartition("#")[2])
    before = {action.number: action for action in await _actions(tx, row.id)}
    action = before.get(number)
    if action is None:
        return refused(f"{row.id} has no action item {number}; it has {len(before)}. Nothing was changed.")
    if change == "owner" and not rest:
        return refused(f"Whose is it? /incident action owner {row.id}#{number} NAME. Nothing was changed.")
    if (change == "done") != action.open and change != "owner":
        return refused(
            f"{row.id}#{number} is {'open' if action.open else 'closed'} already. Nothing was changed."
        )
    data = {"number": number, "change": change, "owner" if change == "owner" else "note": rest}
    text = f"Action item {number} {_CHANGES[change]}{f' {rest}' if change == 'owner' else ''}: {action.text}"
    said = f"{text} ({rest})" if rest and change != "owner" else text
    await tx.append(
        row.id, [NewEntry(kind=Kind.ACTION_CHANGED, actor=call.person.name, text=said, data=data)]
    )
    left = sum(a.open for a in await _actions(tx, row.id))
    await _follow(tx, parts, row, change, left)
    return Reply(
        text=f"{row.id}#{number} {_CHANGES[change]}{f' {rest}' if change == 'owner' else ''}. {left} open.",
        incident_id=row.id,
    )


_CHANGES = {"done": "is closed", "open": "is open again", "owner": "belongs to"}


async def _follow(tx: Transaction, parts: Parts, row: IncidentRow, change: str, left: int) -> None:
    """Stop reminding when all are closed, and begin again when one is opened. *Changes*: the store only."""
    key = f"{REMINDER}.{row.id}"
    if change == "done" and left == 0:
        await tx.drop_deadline(key)
        text = "Nothing is left to be done, so nothing is reminded of any more."
        title = f"Action items of {row.id}: all are closed"
        await tx.put_message(
            row.id,
            Message(slot="actions-closed", title=title, tone=Tone.GOOD, body=text, place=Place.REPORTS),
        )
    elif change == "open" and await tx.deadline(key) is None:
        told = [m for m in await tx.messages(row.id) if re.fullmatch(r"actions-\d+", m.message.slot)]
        await _set_reminder(tx, parts, row.id, row.site, len(told) + 1)


async def _meant(tx: Transaction, call: Call, which: str) -> IncidentRow | Reply:
    """Return the incident that is meant: the one named before `#`, else the channel's; or the reply that says what is wrong."""
    found = _WHICH.fullmatch(which)
    if found is None:
        return refused(
            f"{shortened(which, 60)!r} names no action item: it is a number, or INCIDENT#NUMBER. Nothing was changed.",
            "/incident actions",
        )
    named = found["incident"]
    rows = [r for r in await tx.incidents() if named == r.id and not call.person.refusal_to_read(r.site)]
    row = rows[0] if rows else (call.incident if named is None else None)
    if row is None:
        text = (
            f"There is no incident {named!r} for you."
            if named
            else "Which incident's? Write INCIDENT#NUMBER."
        )
        return refused(f"{text} Nothing was changed.", "/incident actions")
    return row


async def _actions(tx: Transaction, incident_id: str) -> tuple[Action, ...]:
    return actions_of(await tx.last_entries(incident_id, ACTION_KINDS, ALL_OF_THEM))


def _table(actions: Sequence[Action]) -> Table:
    rows = tuple(
        (str(a.number), _state(a), shortened(a.text, ITEM_LETTERS), a.owner or NOBODY) for a in actions
    )
    return Table(columns=("#", "state", "item", "owner"), rows=rows, numeric=(0,))


def _next_steps(incident_id: str, waiting: Sequence[Action]) -> tuple[str, ...]:
    """Return how an item is closed, and before it how one that is nobody's is given to somebody."""
    free = next((action for action in waiting if not action.owner), None)
    given = (f"/incident action owner {incident_id}#{free.number} NAME",) if free else ()
    return (*given, f"/incident action done {incident_id}#{waiting[0].number}")


def _state(action: Action) -> str:
    if action.closed_at is None:
        return "open"
    return f"closed {action.closed_at:%Y-%m-%d} by {action.closed_by}"


async def _set_reminder(tx: Transaction, parts: Parts, incident_id: str, site: str, number: int) -> None:
    wait = timedelta(seconds=parts.site(site).intervals.remind_actions)
    await tx.set_deadline(
        Deadline(
            key=f"{REMINDER}.{incident_id}",
            kind=REMINDER,
            due_at=await tx.now() + wait,
            incident_id=incident_id,
            args={"site": site, "round": number},
        )
    )
