"""The action items of an incident: what the post-mortem asks for, and what became of it, folded from the timeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bot.model.event import Entry, Kind

ACTION_KINDS = (Kind.ACTIONS_LISTED, Kind.ACTION_CHANGED)


@dataclass(frozen=True, kw_only=True)
class Action:
    """One item. `closed_by` and `closed_at` say who closed it and when; "backout" where the incident itself proved it done."""

    number: int
    text: str
    owner: str = ""
    note: str = ""
    closed_by: str = ""
    closed_at: datetime | None = None

    @property
    def open(self) -> bool:
        """Return whether it is still to be done."""
        return self.closed_at is None


def actions_of(entries: Iterable[Entry]) -> tuple[Action, ...]:
    """Return the items as they stand after these entries; none before the incident was closed.

    What an entry of an older or damaged shape does not tell is left out: the report is made from these too.
    """
    actions: dict[int, Action] = {}
    for entry in entries:
        data = entry.data if isinstance(entry.data, dict) else {}
        if entry.kind is Kind.ACTIONS_LISTED:
            items = data.get("items")
            listed = [_listed(item, entry) for item in items] if isinstance(items, list) else []
            actions = {action.number: action for action in listed if action is not None}
        elif entry.kind is Kind.ACTION_CHANGED:
            found = actions.get(number) if isinstance(number := data.get("number"), int) else None
            if found is not None:
                actions[found.number] = _changed(found, data, entry)
    return tuple(actions.values())


def _listed(item: object, entry: Entry) -> Action | None:
    if not isinstance(item, dict) or not isinstance(item.get("number"), int):
        return None
    action = Action(
        number=item["number"], text=str(item.get("text") or ""), note=str(item.get("evidence") or "")
    )
    return replace(action, closed_by=entry.actor, closed_at=entry.at) if item.get("done") else action


def _changed(action: Action, data: Mapping[str, Any], entry: Entry) -> Action:
    change, note = data.get("change"), str(data.get("note") or action.note)
    if change == "done":
        return replace(action, note=note, closed_by=entry.actor, closed_at=entry.at)
    if change == "open":
        return replace(action, note=note, closed_by="", closed_at=None)
    return replace(action, owner=str(data.get("owner") or "")) if change == "owner" else action
