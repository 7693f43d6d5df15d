"""The server as a whole: its people, channels and commands, the clock, and the book of calls and broken rules."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from tests.fakes.common.book import Book, ControlError, Json
from tests.fakes.discord import names, permits
from tests.fakes.discord.things import (
    Call,
    Channel,
    Event,
    Interaction,
    Kind,
    Member,
    Message,
    Modal,
    Role,
    User,
)

# The first millisecond that a snowflake can name: 2015-01-01.
EPOCH_MS = 1_420_070_400_000
PRIVILEGED = {"members": 1 << 1, "presences": 1 << 8, "message_content": 1 << 15}


def _nobody_listens(_event: Event) -> None:
    """Take an event where nothing is delivered."""


class World(Book):
    """Everything here is plain state; nothing waits."""

    def __init__(self) -> None:
        super().__init__()
        self.on_event: Callable[[Event], None] = _nobody_listens
        self._numbers = itertools.count(1)
        self._last_ms = 0
        self._in_ms = 0
        self.interactions: dict[str, Interaction] = {}
        self.reset()

    def reset(self) -> None:
        """Make the server new. Ids go on, so that what came before is not taken for something new."""
        self.begin()
        self.users: dict[str, User] = {}
        self.members: dict[str, Member] = {}
        self.roles: dict[str, Role] = {}
        self.channels: dict[str, Channel] = {}
        self.gone: set[str] = set()
        self.guild_there = True
        self.commands: dict[str, Json] = {}
        self.global_commands: dict[str, Json] = {}
        for one in self.interactions.values():
            one.settled.set()
        self.interactions = {}
        self._by_token: dict[str, Interaction] = {}
        self.modals: dict[str, Modal] = {}
        self.nonces: dict[tuple[str, str], tuple[float, str]] = {}
        self.calls: list[Call] = []
        self.permissions_used: set[str] = set()
        self.allowed_intents = PRIVILEGED["members"] | PRIVILEGED["message_content"]
        self._people()

    def _people(self) -> None:
        self.roles[names.EVERYONE_ID] = Role(
            id=names.EVERYONE_ID,
            name="@everyone",
            permissions=permits.bits_of(permits.OF_EVERYONE),
            position=0,
        )
        self.roles[names.BOT_ROLE_ID] = Role(
            id=names.BOT_ROLE_ID,
            name=names.BOT_NAME,
            permissions=permits.bits_of([*permits.OF_EVERYONE, *permits.OF_BOT]),
            position=1000,
            managed=True,
        )
        self.owner = self._add_user(names.OWNER_ID, "owner")
        self.bot = self._add_user(names.BOT_USER_ID, names.BOT_NAME, is_bot=True)
        self.members[self.bot.id].roles.append(names.BOT_ROLE_ID)

    # ---- making

    def new_id(self) -> str:
        """Return a snowflake: later than every one before, and true to the clock."""
        at_ms = max(int(self.clock.now_s() * 1000) - EPOCH_MS, self._last_ms)
        self._in_ms = self._in_ms + 1 if at_ms == self._last_ms else 0
        if self._in_ms >= 1 << 12:
            at_ms, self._in_ms = at_ms + 1, 0
        self._last_ms = at_ms
        return str(at_ms << 22 | self._in_ms)

    def new_token(self) -> str:
        return f"aW50ZXJhY3Rpb24.{next(self._numbers)}.{self.new_id()}"

    def add_user(self, name: str) -> User:
        if any(one.name == name for one in self.users.values()):
            raise ControlError(f"there is a person called {name} already")
        return self._add_user(self.new_id(), name)

    def _add_user(self, user_id: str, name: str, *, is_bot: bool = False) -> User:
        self.users[user_id] = User(id=user_id, name=name, is_bot=is_bot)
        self.members[user_id] = Member(user_id=user_id, joined_s=self.clock.now_s())
        return self.users[user_id]

    def add_channel(self, name: str, kind: Kind, **fields: Any) -> Channel:
        fields.setdefault("id", self.new_id())
        channel = Channel(name=name, kind=kind, made_s=self.clock.now_s(), **fields)
        self.channels[channel.id] = channel
        return channel

    def direct_channel(self, user_id: str) -> Channel:
        """Return the direct message between the bot and somebody; made where there was none."""
        for one in self.channels.values():
            if one.is_direct and user_id in one.recipients:
                return one
        return self.add_channel("", Kind.DM, recipients=[user_id])

    def post(self, channel: Channel, author_id: str, **fields: Any) -> Message:
        """Put a message into a channel."""
        message = Message(
            id=self.new_id(),
            channel_id=channel.id,
            author_id=author_id,
            made_s=self.clock.now_s(),
            **fields,
        )
        channel.messages[message.id] = message
        return message

    # ---- the book

    def emit(self, event: Event) -> None:
        """Tell that something happened, to whoever delivers events."""
        self.on_event(event)

    # ---- permissions

    def permissions(self, user_id: str, channel: Channel | None = None) -> int:
        """Return the bits of what somebody may do, in a channel or in the server; 0 for somebody who is not there."""
        if channel is not None and channel.is_direct:
            everything = user_id == self.bot.id or user_id in channel.recipients
            return permits.bits_of(permits.OF_EVERYONE) | permits.BITS["pin_messages"] if everything else 0
        member = self.members.get(user_id)
        if member is None or not self.guild_there:
            return 0
        base = permits.in_guild(member, self.roles, names.EVERYONE_ID, names.OWNER_ID)
        if channel is None:
            return base
        place = self.channels.get(channel.parent_id, channel) if channel.is_thread else channel
        value = permits.in_channel(member, place, self.roles, names.EVERYONE_ID, base)
        if not channel.is_thread:
            return value
        if channel.kind == Kind.PRIVATE_THREAD and user_id not in channel.members:
            value = value if value & permits.BITS["manage_threads"] else 0
        return permits.in_thread(value)

    def may(self, user_id: str, permission: str, channel: Channel | None = None) -> bool:
        return bool(self.permissions(user_id, channel) & permits.BITS[permission])

    def bot_sees(self, channel: Channel) -> bool:
        return self.may(self.bot.id, "view_channel", channel)

    # ---- finding

    def channel_named(self, given: str) -> Channel:
        """Return a channel, thread or category by id or name, for a test."""
        if given in self.channels:
            return self.channels[given]
        for one in self.channels.values():
            if one.name == given.lstrip("#") and not one.is_direct:
                return one
        raise ControlError(
            f"there is no channel {given}; there are {[one.name for one in self.channels.values()]}"
        )

    def user_of(self, user_id: str) -> User:
        if user_id not in self.users:
            raise ControlError(f"there is no user {user_id}")
        return self.users[user_id]

    def role_named(self, given: str) -> Role:
        for one in self.roles.values():
            if given in (one.id, one.name):
                return one
        raise ControlError(f"there is no role {given}; there are {[one.name for one in self.roles.values()]}")

    def interaction_by_token(self, token: str) -> Interaction | None:
        return self._by_token.get(token)

    def add_interaction(self, interaction: Interaction) -> None:
        self.interactions[interaction.id] = interaction
        self._by_token[interaction.token] = interaction

    def threads_of(self, channel: Channel) -> list[Channel]:
        return [one for one in self.channels.values() if one.is_thread and one.parent_id == channel.id]

    def remove_channel(self, channel: Channel) -> None:
        """Take a channel away with its threads; a category's children stay, without a parent."""
        for one in self.threads_of(channel):
            self._remove(one)
        if channel.kind == Kind.CATEGORY:
            for one in self.channels.values():
                if one.parent_id == channel.id:
                    one.parent_id = ""
        self._remove(channel)

    def _remove(self, channel: Channel) -> None:
        self.gone.add(channel.id)
        self.gone.update(channel.messages)
        self.channels.pop(channel.id, None)
