"""The verbs that look: what the server holds, what a person sees, and what was called and delivered so far."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from tests.fakes.discord.gateway import Gateway
from tests.fakes.discord.limits import Limits
from tests.fakes.discord.permits import names_of
from tests.fakes.discord.render import channel_text, modal_text, visible
from tests.fakes.discord.things import Channel, ControlError, Json, Message, Modal
from tests.fakes.discord.wire_messages import message_json
from tests.fakes.discord.world import World

LOOK_EVERY_S = 0.01


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
            "violations": self.violations,
            "calls": self.calls,
            "deliveries": self.deliveries,
            "permissions_used": self.permissions_used,
            "connections": self.connections,
            "modal": self.modal,
            "whispers": self.whispers,
            "direct_messages": self.direct_messages,
            "wait_for_message": self.wait_for_message,
            "wait_for_call": self.wait_for_call,
            "wait_for_delivery": self.wait_for_delivery,
            "wait_for_gateway": self.wait_for_gateway,
            "wait_for_no_gateway": self.wait_for_no_gateway,
            "wait_for_commands": self.wait_for_commands,
            "wait_for_violations": self.wait_for_violations,
            "wait_for_modal": self.wait_for_modal,
            "wait_for_whisper": self.wait_for_whisper,
            "wait_for_direct": self.wait_for_direct,
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

    def _message(self, message: Message) -> Json:
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

    def _said(self, channel: Channel) -> list[Message]:
        return [one for one in channel.messages.values() if not one.is_note and not one.seen_by]

    async def messages(self, channel: str) -> list[Json]:
        """Discord's own notes (pinned, thread made) are left out; `text` shows them."""
        return [self._message(one) for one in self._said(self._world.channel_named(channel))]

    async def pins(self, channel: str) -> list[Json]:
        found = self._world.channel_named(channel)
        return [self._message(found.messages[one]) for one in found.pins]

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

    async def violations(self) -> list[Json]:
        return [asdict(one) for one in self._world.violations]

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

    def _modal(self, modal: Modal | None) -> Json | None:
        return {**asdict(modal), "text": modal_text(modal)} if modal else None

    async def modal(self, user: str) -> Json | None:
        return self._modal(self._world.modals.get(user))

    def _whispers(self, user: str, channel: str | None) -> list[Json]:
        place = self._world.channel_named(channel).id if channel else None
        return [
            self._message(message)
            for one in self._world.channels.values()
            if place in (None, one.id)
            for message in one.messages.values()
            if message.seen_by == user
        ]

    async def whispers(self, user: str, channel: str | None = None) -> list[Json]:
        return self._whispers(user, channel)

    def _direct(self, user: str) -> list[Json]:
        found = [one for one in self._world.channels.values() if one.is_direct and user in one.recipients]
        return [self._message(message) for one in found for message in self._said(one)]

    async def direct_messages(self, user: str) -> list[Json]:
        return self._direct(user)

    # ---- waiting

    async def _wait(self, look: Callable[[], Any], timeout_s: float, why: Callable[[], str]) -> Any:
        """Look again and again until there is something; `why` says what there was instead."""
        end_s = asyncio.get_running_loop().time() + timeout_s
        while not (found := look()):
            if asyncio.get_running_loop().time() > end_s:
                raise ControlError(f"nothing after {timeout_s} s. {why()}")
            await asyncio.sleep(LOOK_EVERY_S)
        return found

    def _newest(self, messages: list[Json], containing: str) -> Json | None:
        return next((one for one in reversed(messages) if containing in one["visible"]), None)

    def _find_channel(self, given: str) -> Channel | None:
        try:
            return self._world.channel_named(given)
        except ControlError:
            return None

    async def wait_for_message(
        self, channel: str, containing: str, timeout_s: float, after_id: str = "0"
    ) -> Json:
        def look() -> Json | None:
            place = self._find_channel(channel)
            said = self._said(place) if place else []
            return self._newest(
                [self._message(one) for one in said if int(one.id) > int(after_id)], containing
            )

        def why() -> str:
            place = self._find_channel(channel)
            return channel_text(self._world, place) if place else f"There is no channel {channel}."

        return dict(await self._wait(look, timeout_s, why))

    async def wait_for_call(self, operation: str, count: int, timeout_s: float) -> list[Json]:
        def look() -> list[Json]:
            found = [asdict(one) for one in self._world.calls if one.operation == operation]
            return found if len(found) >= count else []

        def why() -> str:
            return f"Called: {[one.operation for one in self._world.calls]}"

        return list(await self._wait(look, timeout_s, why))

    async def wait_for_delivery(
        self, name: str | None, count: int, timeout_s: float, answered: bool
    ) -> list[Json]:
        def look() -> list[Json]:
            everything = self._world.interactions.values()
            named = [one for one in everything if name in (None, one.name)]
            found = [one.shown() for one in named if one.answer or not answered]
            return found if len(found) >= count else []

        def why() -> str:
            return f"Delivered: {[(one.name, one.error) for one in self._world.interactions.values()]}"

        return list(await self._wait(look, timeout_s, why))

    async def wait_for_gateway(
        self, count: int, timeout_s: float, identified: int = 0, resumed: int = 0
    ) -> Json:
        gateway = self._gateway

        def enough() -> bool:
            there = len(gateway.live()) >= count
            return there and gateway.identified >= identified and gateway.resumed >= resumed

        def why() -> str:
            return (
                f"{len(gateway.live())} are live, {gateway.identified} identified, {gateway.resumed} resumed"
            )

        await self._wait(enough, timeout_s, why)
        return await self.connections()

    async def wait_for_no_gateway(self, timeout_s: float) -> Json:
        def gone() -> bool:
            return not self._gateway.links

        await self._wait(gone, timeout_s, lambda: f"{len(self._gateway.links)} are open")
        return await self.connections()

    async def wait_for_commands(self, count: int, timeout_s: float) -> list[Json]:
        def enough() -> bool:
            return len(self._world.commands) + len(self._world.global_commands) >= count

        await self._wait(enough, timeout_s, lambda: f"There are {len(self._world.commands)}.")
        return await self.commands()

    async def wait_for_violations(self, count: int, timeout_s: float) -> list[Json]:
        def enough() -> bool:
            return len(self._world.violations) >= count

        await self._wait(enough, timeout_s, lambda: f"There are {len(self._world.violations)}.")
        return await self.violations()

    async def wait_for_modal(self, user: str, containing: str, timeout_s: float) -> Json:
        def look() -> Json | None:
            modal = self._world.modals.get(user)
            return self._modal(modal) if modal and containing in modal_text(modal) else None

        def why() -> str:
            modal = self._world.modals.get(user)
            return modal_text(modal) if modal else "No modal is open."

        return dict(await self._wait(look, timeout_s, why))

    async def wait_for_whisper(self, user: str, containing: str, timeout_s: float) -> Json:
        def look() -> Json | None:
            return self._newest(self._whispers(user, None), containing)

        def why() -> str:
            return f"Seen: {[one['visible'] for one in self._whispers(user, None)]}"

        return dict(await self._wait(look, timeout_s, why))

    async def wait_for_direct(self, user: str, containing: str, timeout_s: float) -> Json:
        def look() -> Json | None:
            return self._newest(self._direct(user), containing)

        def why() -> str:
            return f"Said: {[one['visible'] for one in self._direct(user)]}"

        return dict(await self._wait(look, timeout_s, why))
