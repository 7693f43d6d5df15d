"""An incident's channel on a chat platform."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime


class RoomState(enum.StrEnum):
    """What is known of a channel. OPENING: its making was begun, and what came of it is looked up."""

    OPENING = "opening"
    OPEN = "open"
    CLOSED = "closed"  # archived by Backout, after the incident's end


@dataclass(frozen=True, kw_only=True)
class Room:
    """A channel. `channel` and `name` are the platform's own, empty while it is being made; `link` leads there.

    What stands in it beside its messages: `topic`, `invited` (accounts), `pinned` and `bookmarked` (the platform's ids
    of the messages). `troubles` says in words what could not be done there. `earlier` are channels that this incident had
    on the platform and lost.
    """

    platform: str
    incident_id: str
    state: RoomState = RoomState.OPENING
    channel: str = ""
    name: str = ""
    link: str = ""
    topic: str = ""
    invited: tuple[str, ...] = ()
    pinned: str = ""
    bookmarked: str = ""
    troubles: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RoomPlan:
    """How an incident's channel should be; the same for the same incident, however often it is asked for.

    `people` are those to invite, the platform's id and the name of each; `known` the channels that belong to other incidents, or did
    belong to this one; `pin` and `bookmark` the platform's ids of messages, empty where there is none.
    """

    incident_id: str
    site: str
    title: str
    opened_at: datetime
    topic: str
    people: tuple[tuple[str, str], ...] = ()
    known: frozenset[str] = frozenset()
    pin: str = ""
    bookmark: str = ""
