"""What no recovery can bring back: listed by key on the host, told, and ticked off by the people who re-enter it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.model.decision import Choice
from bot.model.message import Tone
from bot.model.reentry import OTHERS, reentry_purposes
from bot.model.step import Step
from bot.ports.store import Transaction
from bot.service.desk import Question

KEYS_SHOWN = 10
LISTS_SHOWN = 12

_CHOICES = (
    Choice(key="entered", label="Re-entered", style="primary"),
    Choice(key="given_up", label="Looked at: not needed, or given up"),
)

_WHAT = {
    "unmapped": "values written in the new shape that have no place in the restored one",
    "unknown": "rows written since the backup, without a value in a column that the migration took; perhaps they had one",
    "not_salvaged": "newer rows that do not fit the old shape",
    "collisions": "newer rows whose key or unique value another row has",
    "new": "rows written since the backup, not in the restored data",
    "changed": "rows changed since the backup; the restored data have the older state",
    "reused_keys": "rows whose key is another row's in the restored data",
    "aside": "rows of a table that the restored data do not have",
}

_OF_AN_ANSWER = {
    "unmapped": "unmapped_lists",
    "unknown": "unknown",
    "not_salvaged": "not_salvaged",
    "collisions": "collisions",
}
"""Under which name the reader's answer to a repair or a salvage has each kind of list."""


def to_reenter(answer: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return what a repair or a salvage could not bring back: `what`, `name`, `count`, a few `keys`, and the `file` on the host."""
    return tuple(
        _list(what, str(name), listed)
        for what, key in _OF_AN_ANSWER.items()
        for name, listed in (answer.get(key) or {}).items()
    )


def swapped_away(answer: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return the newer rows that a swap takes away, in the form of `to_reenter`; whole tables are only counted."""
    newer = [
        _list(what, str(name), found["lists"][what])
        for name, found in answer["rows_would_be_lost"].items()
        for what in ("new", "changed", "reused_keys")
        if (found.get("lists") or {}).get(what, {}).get("count")
    ]
    aside = [
        _list("aside", str(name), {"count": rows}) for name, rows in answer["tables_aside"].items() if rows
    ]
    return (*newer, *aside)


def _list(what: str, name: str, listed: Mapping[str, Any]) -> dict[str, Any]:
    keys = list(listed.get("keys") or ())[:KEYS_SHOWN]
    return {
        "what": what,
        "name": name,
        "count": int(listed["count"]),
        "keys": keys,
        "file": listed.get("file"),
    }


def list_words(one: Mapping[str, Any]) -> str:
    """Return one list in words: how many, of what, and where all of its keys stand."""
    where = f"all keys: {one['file']} on the host" if one.get("file") else "they are in the safety backup"
    return f"{one['count']:,} of {one['name']}: {_WHAT[one['what']]}; {where}"


async def still_to_ask(
    tx: Transaction, incident_id: str, lists: Sequence[Mapping[str, Any]], since: datetime
) -> list[Question]:
    """Return the questions of `ask_to_reenter` that were not asked since then, the cut-over: nobody is asked twice.

    They are asked when the application is open: before, there is no way to enter anything.
    """
    asked = {
        one.purpose
        for one in await tx.decisions(incident_id=incident_id, open_only=False)
        if one.opened_at >= since
    }
    return [question for question in ask_to_reenter(lists) if question.purpose not in asked]


def ask_to_reenter(lists: Sequence[Mapping[str, Any]]) -> list[Question]:
    """Return the questions that are ticked off when somebody has worked through a list: the longest first, the rest in one.

    Nothing waits for them. What is not ticked off when the incident is closed is an action item of its post-mortem.
    """
    named = [(str(one["name"]), str(one["what"]), int(one["count"])) for one in lists]
    asked = sorted(zip(reentry_purposes(named), lists, strict=True), key=lambda pair: -int(pair[1]["count"]))
    own = [_own_question(purpose, one) for purpose, one in asked if purpose != OTHERS]
    others = [one for purpose, one in asked if purpose == OTHERS]
    return [*own, *([_one_for_all(others)] if others else [])]


def _own_question(purpose: str, one: Mapping[str, Any]) -> Question:
    return Question(
        purpose=purpose,
        question=f"To re-enter by hand: {one['count']:,} of {one['name']}. Is it done?",
        body=f"{list_words(one)}. What stood in them is in the safety backup, as far as it is anywhere.",
        choices=_CHOICES,
        step=Step.RESTORE,
        facts=(("first keys", ", ".join(str(key) for key in one["keys"])),) if one["keys"] else (),
        tone=Tone.NEUTRAL,
    )


def _one_for_all(lists: Sequence[Mapping[str, Any]]) -> Question:
    """Return the question about all lists that have none of their own: a channel full of buttons is read by nobody."""
    rows = sum(int(one["count"]) for one in lists)
    shown = [f"- {list_words(one)}" for one in lists[:LISTS_SHOWN]]
    more = len(lists) - len(shown)
    shown += [f"- and {more} more; all of them stand in the report"] if more else []
    return Question(
        purpose=OTHERS,
        question=f"To re-enter by hand: {rows:,} more in {len(lists)} smaller lists. Are all of them done?",
        body="\n".join([*shown, "What stood in them is in the safety backup, as far as it is anywhere."]),
        choices=_CHOICES,
        step=Step.RESTORE,
        tone=Tone.NEUTRAL,
    )
