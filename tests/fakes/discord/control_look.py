"""The verbs that look: what the server holds, what a person sees, and what was called and delivered so far."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from tests.fakes.common.book import Json
from tests.fakes.discord.gateway import Gateway
from tests.fakes.discord.limits import Limits
from tests.fakes.discord.permits import names_of
from tests.fakes.discord.render import channel_text, modal_text, visible
from tests.fakes.discord.things import Channel, Message, Modal
from tests.fakes.discord.wire_messages import message_json
from tests.fakes.discord.world import World


class Look:
    """Reads only."""

    def __init__(self, world: World, gateway: Gateway, limits: Limits) -> None:
        self._world = world
        self._gateway = gateway
        self._limits = limits

    def verbs(self) -> dict[str, Callable[..., Awaitable[Any]]]:
        return {
            "channels": self.channels,
            "channel": self.channel,
            "threads": self.threads,
            "messages": self.messages,
            "pins": self.pins,
            "text": self.text,
            "files": self.files,
            "commands": self.commands,
            "calls": self.calls,
            "deliveries": self.deliveries,
            "permissions_used": self.permissions_used,
            "connections": self.connections,
            "modal": self.modal,
            "whispers": self.whispers,
            "direct_messages": self.direct_messages,
        }

    # ---- channels and messages

    def _channel(self, channel: Channel) -> Json:
        members = [one for one in self._world.members if self._world.may(one, "view_channel", channel)]
        parent = self._world.channels.get(channel.parent_id)
        return {
            "id": channel.id,
            "name": channel.name,
            "kind": channel.kind.name.lower(),
            "topic": channel.topic,
            "parent_id": channel.parent_id,
            "parent": parent.name if parent else "",
            "seen_by": members,
            "overwrites": [
                {
                    "id": one.id,
                    "kind": one.kind,
                    "allow": names_of(one.allow),
                    "deny": names_of(one.deny),
                }
                for one in channel.overwrites.values()
            ],
            "pins": list(channel.pins),
            "archived": channel.archived,
            "locked": channel.locked,
            "members": list(channel.members),
            "recipients": channel.recipients,
            "auto_archive_minutes": channel.auto_archive_minutes,
        }

    async def channels(self) -> list[Json]:
        return [self._channel(one) for one in self._world.channels.values()]

    async def channel(self, channel: str) -> Json:
        return self._channel(self._world.channel_named(channel))

    async def threads(self, channel: str) -> list[Json]:
        return [self._channel(one) for one in self._world.threads_of(self._world.channel_named(channel))]

    def message(self, message: Message) -> Json:
        edits = [round(one, 3) for one in message.edit_times_s]
        return {
            **message_json(self._world, message),
            "author_name": self._world.users[message.author_id].name,
            "visible": visible(self._world, message),
            "nonce": message.nonce,
            "edits": len(edits),
            "edit_times_s": edits,
            "notified": message.notified,
            "allowed_mentions": message.allowed_mentions,
            "seen_by": message.seen_by,
            "interaction_id": message.interaction_id,
            "thread_id": message.thread_id,
            "files": [one.name for one in message.attachments],
            "reacted": {emoji: users for emoji, users in message.reactions.items() if users},
        }

    def said(self, channel: Channel) -> list[Message]:
        return [one for one in channel.messages.values() if not one.is_note and not one.seen_by]

    async def messages(self, channel: str) -> list[Json]:
        """Discord's own notes (pinned, thread made) are left out; `text` shows them."""
        return [self.message(one) for one in self.said(self._world.channel_named(channel))]

    async def pins(self, channel: str) -> list[Json]:
        found = self._world.channel_named(channel)
        return [self.message(found.messages[one]) for one in found.pins]

    async def text(self, channel: str) -> Json:
        return {"text": channel_text(self._world, self._world.channel_named(channel))}

    async def files(self) -> list[Json]:
        return [
            {
                "id": one.id,
                "name": one.name,
                "channel_id": message.channel_id,
                "message_id": message.id,
                "content_type": one.content_type,
                "size": len(one.content),
                "content": one.content.decode(errors="replace"),
            }
            for channel in self._world.channels.values()
            for message in channel.messages.values()
            for one in message.attachments
        ]

    async def commands(self) -> list[Json]:
        return [*self._world.commands.values(), *self._world.global_commands.values()]

    # ---- the book

    async def calls(self, operation: str | None = None) -> list[Json]:
        return [asdict(one) for one in self._world.calls if operation in (None, one.operation)]

    async def deliveries(self) -> list[Json]:
        return [one.shown() for one in self._world.interactions.values()]

    async def permissions_used(self) -> list[str]:
        return sorted(self._world.permissions_used)

    async def connections(self) -> Json:
        return {
            "open": len(self._gateway.links),
            "live": len(self._gateway.live()),
            "identified": self._gateway.identified,
            "resumed": self._gateway.resumed,
            "intents": [one.intents for one in self._gateway.sessions.values()],
            "invalid_calls": len(self._limits.invalid),
        }

    # ---- what a person sees

    def shown_modal(self, modal: Modal | None) -> Json | None:
        return {**asdict(modal), "text": modal_text(modal)} if modal else None

    async def modal(self, user: str) -> Json | None:
        return self.shown_modal(self._world.modals.get(user))

    def whispers_of(self, user: str, channel: str | None) -> list[Json]:
        place = self._world.channel_named(channel).id if channel else None
        return [
            self.message(message)
            for one in self._world.channels.values()
            if place in (None, one.id)
            for message in one.messages.values()
            if message.seen_by == user
        ]

    async def whispers(self, user: str, channel: str | None = None) -> list[Json]:
        return self.whispers_of(user, channel)

    def direct_of(self, user: str) -> list[Json]:
        found = [one for one in self._world.channels.values() if one.is_direct and user in one.recipients]
        return [self.message(message) for one in found for message in self.said(one)]

    async def direct_messages(self, user: str) -> list[Json]:
        return self.direct_of(user)
