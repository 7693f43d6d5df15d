"""What the stand-in holds: one workspace with its people, channels, messages, files and views, and the book of all calls."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.fakes.common.book import Book, ControlError, Json
from tests.fakes.slack import names
from tests.fakes.slack.views import Views


class Refused(Exception):  # noqa: N818 - an answer of Slack's, not a fault of ours
    """Slack answers `ok: false` with this error; `more` stands beside it in the answer."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.error = error
        self.more = more


@dataclass(kw_only=True)
class User:
    """Somebody with an account; the bot has one too."""

    id: str
    name: str
    email: str
    is_bot: bool = False
    deleted: bool = False


@dataclass(kw_only=True)
class Message:
    """One message as it stands now. `subtype` marks Slack's own notes (joined, pinned, topic)."""

    ts: str
    channel: str
    user: str
    text: str
    blocks: list[Json] = field(default_factory=list)
    thread_ts: str | None = None
    broadcast: bool = False
    subtype: str = ""
    metadata: Json | None = None
    by_bot: bool = False
    edit_times_s: list[float] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    unfurls: bool = False
    notified: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Channel:
    """A channel or a direct message (`kind` im). A deleted one is no longer in the workspace."""

    id: str
    name: str
    kind: str = "public"
    members: list[str] = field(default_factory=list)
    creator: str = ""
    created_s: float = 0.0
    topic: str = ""
    purpose: str = ""
    archived: bool = False
    messages: dict[str, Message] = field(default_factory=dict)
    pins: list[str] = field(default_factory=list)
    bookmarks: dict[str, Json] = field(default_factory=dict)

    @property
    def is_im(self) -> bool:
        return self.kind == "im"


@dataclass(kw_only=True)
class Whisper:
    """An ephemeral message: seen by one person. `origin` is ack, response_url or chat.postEphemeral."""

    ts: str
    user: str
    channel: str
    text: str
    blocks: list[Json]
    origin: str
    thread_ts: str | None = None


@dataclass(kw_only=True)
class File:
    """A file on its way, or shared in channels."""

    id: str
    name: str
    length: int
    title: str = ""
    content: bytes | None = None
    shared_in: list[str] = field(default_factory=list)
    completed: bool = False


@dataclass(kw_only=True)
class Trigger:
    """The right to open one view, for three seconds."""

    id: str
    user: str
    made_s: float
    view_id: str = ""
    used: bool = False


@dataclass(kw_only=True)
class ResponseUrl:
    """A `response_url`: five uses in thirty minutes."""

    id: str
    user: str
    channel: str
    made_s: float
    ts: str | None = None
    uses: int = 0


@dataclass(kw_only=True)
class Call:
    """One call of the Web API, and how it was answered."""

    method: str
    arguments: Json
    at_s: float
    answer: str = "under way"


@dataclass(kw_only=True)
class App:
    """What the app's manifest says; None where none was installed, and everything is allowed."""

    commands: dict[str, Json] | None = None
    shortcuts: dict[str, str] | None = None
    events: set[str] | None = None
    home_enabled: bool = True
    messages_enabled: bool = True


def _nobody_listens(_event: Json) -> None:
    """Take an event where nothing is delivered."""


class World(Book):
    """The workspace. Everything here is plain state; nothing waits."""

    def __init__(self) -> None:
        super().__init__()
        self.on_event: Callable[[Json], None] = _nobody_listens
        self._numbers = itertools.count(1)
        self._last_ts_us = 0
        self.reset()

    def reset(self) -> None:
        """Make the workspace new. Ids go on, so that what came before is not taken for something new."""
        self.begin()
        self.users: dict[str, User] = {}
        self.usergroups: dict[str, Json] = {}
        self.channels: dict[str, Channel] = {}
        self.gone_channels: set[str] = set()
        self.whispers: list[Whisper] = []
        self.files: dict[str, File] = {}
        self.views = Views()
        self.triggers: dict[str, Trigger] = {}
        self.responses: dict[str, ResponseUrl] = {}
        self.chosen: dict[tuple[str, str], dict[str, Json]] = {}
        self.calls: list[Call] = []
        self.scopes: set[str] | None = None
        self.scopes_used: set[str] = set()
        self.app = App()
        self.tickets: set[str] = set()
        self.sockets_open = 0
        self.sockets_to_stay = 0
        self.bot = self._add_user(names.BOT_USER_ID, names.BOT_NAME, "", is_bot=True)

    # ---- making

    def new_id(self, letter: str) -> str:
        """Return an id such as C00000000A1: the letter says what it names."""
        return f"{letter}{next(self._numbers):010d}"

    def next_ts(self) -> str:
        """Return the time stamp of a message, which is its id: later than every one before."""
        self._last_ts_us = max(self._last_ts_us + 1, int(self.clock.now_s() * 1_000_000))
        return f"{self._last_ts_us // 1_000_000}.{self._last_ts_us % 1_000_000:06d}"

    def add_user(self, name: str, email: str) -> User:
        if any(one.name == name for one in self.users.values()):
            raise ControlError(f"there is a person called {name} already")
        return self._add_user(self.new_id("U"), name, email or f"{name}@example.test")

    def _add_user(self, user_id: str, name: str, email: str, *, is_bot: bool = False) -> User:
        self.users[user_id] = User(id=user_id, name=name, email=email, is_bot=is_bot)
        return self.users[user_id]

    def add_channel(self, name: str, *, creator: str, kind: str = "public") -> Channel:
        letter = {"im": "D"}.get(kind, "C")
        channel = Channel(
            id=self.new_id(letter), name=name, kind=kind, creator=creator, created_s=self.clock.now_s()
        )
        self.channels[channel.id] = channel
        return channel

    def direct_channel(self, user_id: str) -> Channel:
        """Return the direct message between the bot and somebody; made where there was none."""
        for one in self.channels.values():
            if one.is_im and user_id in one.members:
                return one
        channel = self.add_channel("", creator=user_id, kind="im")
        channel.members = [user_id, self.bot.id]
        return channel

    def post(self, channel: Channel, user: str, text: str, **fields: Any) -> Message:
        """Put a message into a channel, and say so to whoever listens."""
        message = Message(ts=self.next_ts(), channel=channel.id, user=user, text=text, **fields)
        channel.messages[message.ts] = message
        return message

    def note(self, channel: Channel, subtype: str, text: str, user: str) -> None:
        """Put one of Slack's own notes into a channel."""
        self.post(channel, user, text, subtype=subtype)

    def new_trigger(self, user: str, view_id: str = "") -> str:
        trigger = Trigger(
            id=f"{next(self._numbers)}.{self.new_id('')}.trigger",
            user=user,
            made_s=self.clock.now_s(),
            view_id=view_id,
        )
        self.triggers[trigger.id] = trigger
        return trigger.id

    def new_response_url(self, user: str, channel: str, ts: str | None = None) -> str:
        response = ResponseUrl(
            id=self.new_id("R"), user=user, channel=channel, made_s=self.clock.now_s(), ts=ts
        )
        self.responses[response.id] = response
        return f"{self.address}/response/{response.id}"

    # ---- the book

    def emit(self, event: Json) -> None:
        """Tell that something happened, to whoever delivers events."""
        self.on_event(event)

    # ---- finding

    def channel_named(self, given: str) -> Channel:
        """Return a channel by id or name, for a test."""
        if given in self.channels:
            return self.channels[given]
        for one in self.channels.values():
            if one.name == given.lstrip("#") and not one.is_im:
                return one
        raise ControlError(
            f"there is no channel {given}; there are {[c.name for c in self.channels.values()]}"
        )

    def user_of(self, user_id: str) -> User:
        if user_id not in self.users:
            raise ControlError(f"there is no user {user_id}")
        return self.users[user_id]

    def people(self) -> Iterator[User]:
        return (one for one in self.users.values() if not one.is_bot)

    def shown(self, message: Message) -> Json:
        """Return a message as tests see it."""
        channel = self.channels[message.channel]
        edits = [round(one, 3) for one in message.edit_times_s]
        return {
            **asdict(message),
            "channel": message.channel,
            "edits": len(edits),
            "edit_times_s": edits,
            "pinned": message.ts in channel.pins,
        }
