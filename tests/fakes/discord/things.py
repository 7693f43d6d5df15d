"""What the server holds: users, roles, channels, messages, interactions. Plain state; nothing waits, nothing decides."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from tests.fakes.common.book import Json


class Kind(IntEnum):
    """A channel's type, as Discord numbers it."""

    TEXT = 0
    DM = 1
    CATEGORY = 4
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12


class Flag(IntEnum):
    """The flags of a message that matter here."""

    SUPPRESS_EMBEDS = 1 << 2
    HAS_THREAD = 1 << 5
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    SUPPRESS_NOTIFICATIONS = 1 << 12
    COMPONENTS_V2 = 1 << 15


@dataclass(kw_only=True)
class User:
    """Somebody with an account; the bot has one too. `direct_open`: whether the bot may write to that person."""

    id: str
    name: str
    is_bot: bool = False
    direct_open: bool = True


@dataclass(kw_only=True)
class Role:
    """A role of the server. `permissions` are bits."""

    id: str
    name: str
    permissions: int = 0
    position: int = 1
    mentionable: bool = False
    managed: bool = False


@dataclass(kw_only=True)
class Member:
    """A user in the server, with the roles besides @everyone."""

    user_id: str
    joined_s: float
    roles: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Overwrite:
    """What a channel allows or denies one role (`kind` 0) or one member (1)."""

    id: str
    kind: int
    allow: int = 0
    deny: int = 0


@dataclass(kw_only=True)
class Attachment:
    """A file of a message."""

    id: str
    name: str
    content: bytes
    content_type: str
    description: str | None = None


@dataclass(kw_only=True)
class Message:
    """One message as it stands now. `kind` 0, 19 (reply), 20 and 23 (answers to a command); others are Discord's notes.

    `seen_by`: the one person who sees an ephemeral message, "" for everybody. `notified`: who was pinged by it.
    """

    id: str
    channel_id: str
    author_id: str
    made_s: float
    content: str = ""
    kind: int = 0
    flags: int = 0
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    mentions: list[str] = field(default_factory=list)
    mention_roles: list[str] = field(default_factory=list)
    mention_everyone: bool = False
    notified: list[str] = field(default_factory=list)
    allowed_mentions: Json | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict)
    reference: Json | None = None
    interaction_id: str = ""
    nonce: str | int | None = None
    seen_by: str = ""
    thread_id: str = ""
    edit_times_s: list[float] = field(default_factory=list)

    @property
    def is_note(self) -> bool:
        """Whether it is one of Discord's own notes (pinned, thread made) and nobody's words."""
        return self.kind not in (0, 19, 20, 23)


@dataclass(kw_only=True)
class Channel:
    """A channel, a category, a thread or a direct message. A deleted one is no longer held."""

    id: str
    name: str
    kind: Kind
    made_s: float
    position: int = 0
    parent_id: str = ""
    topic: str | None = None
    nsfw: bool = False
    slowmode_s: int = 0
    overwrites: dict[str, Overwrite] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    pins: dict[str, float] = field(default_factory=dict)
    recipients: list[str] = field(default_factory=list)
    # Of threads only.
    owner_id: str = ""
    archived: bool = False
    locked: bool = False
    invitable: bool = True
    auto_archive_minutes: int = 4320
    archive_changed_s: float = 0.0
    members: dict[str, float] = field(default_factory=dict)

    @property
    def is_thread(self) -> bool:
        return self.kind in (Kind.PUBLIC_THREAD, Kind.PRIVATE_THREAD)

    @property
    def is_direct(self) -> bool:
        return self.kind == Kind.DM


@dataclass(kw_only=True)
class Interaction:
    """A command, press, modal or autocompletion on its way, with its answer.

    `kind`: 2 command, 3 component, 4 autocomplete, 5 modal. `answer_lost`: the test dropped the answer to the callback.
    `repeated`: the test sent it once more. `refused`: what the answer wanted to change is gone. `settled`: it was answered, or is over.
    `error`: what the person reads: `did_not_respond`, or "".
    """

    id: str
    token: str
    kind: int
    name: str
    user_id: str
    channel_id: str
    in_guild: bool
    made_s: float
    payload: Json
    message_id: str = ""
    modal: Json | None = None
    answer: Json | None = None
    answer_lost: bool = False
    repeated: bool = False
    refused: bool = False
    ack_ms: float | None = None
    error: str = ""
    sent_perf_s: float = 0.0
    response_id: str = ""
    followups: list[str] = field(default_factory=list)
    was_sent: bool = False
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    def shown(self) -> Json:
        """Return what a test sees of it."""
        return {
            "id": self.id,
            "token": self.token,
            "kind": KIND_WORDS[self.kind],
            "name": self.name,
            "ack_ms": self.ack_ms,
            "answer": self.answer,
            "error": self.error,
            "bot_was_there": self.was_sent,
            "response_id": self.response_id,
            "followups": self.followups,
            "payload": self.payload,
        }


# A person waits no longer for the first answer to an interaction.
FIRST_ANSWER_S = 3.0
KIND_WORDS = {2: "command", 3: "component", 4: "autocomplete", 5: "modal"}


@dataclass(kw_only=True)
class Modal:
    """A modal that somebody has on the screen. `message_id`: of the button behind it, "" after a command."""

    user_id: str
    channel_id: str
    content: Json
    message_id: str = ""
    error: str = ""


@dataclass(kw_only=True)
class Call:
    """One call of the HTTP API, and how it was answered: a status, with Discord's code where it was refused."""

    operation: str
    method: str
    path: str
    body: Any
    files: list[str]
    at_s: float
    answer: str = "under way"


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, for the gateway. `intent`: the bit that must be asked for; 0: always told.

    `bare` is what is told without the intent for messages' content.
    """

    name: str
    data: Json
    intent: int = 0
    bare: Json | None = None
