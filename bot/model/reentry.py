"""Which question asks about which list of what has to be re-entered by hand: the longest each by its own, all others by one."""

from __future__ import annotations

from collections.abc import Sequence

REENTER = "reenter:"
"""How the purposes of these questions begin; what follows is the table or column and the kind of list."""

OTHERS = f"{REENTER}others"
"""The purpose of the one question for all lists that have none of their own."""

OWN_QUESTIONS = 4
"""More of them would push the address of the open site and its errors out of sight, just when these are watched."""


def own_purpose(name: str, what: str) -> str:
    """Return the purpose of the question about one list."""
    return f"{REENTER}{name}:{what}"


def reentry_purposes(lists: Sequence[tuple[str, str, int]]) -> tuple[str, ...]:
    """Return for each list (name, kind, count) which question asks about it; one single list is never called `others`."""
    order = sorted(range(len(lists)), key=lambda place: -lists[place][2])
    own = set(order if len(order) <= OWN_QUESTIONS + 1 else order[:OWN_QUESTIONS])
    return tuple(
        own_purpose(name, what) if place in own else OTHERS for place, (name, what, _) in enumerate(lists)
    )
