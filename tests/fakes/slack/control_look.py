"""The verbs that look: what the workspace holds, what a person sees, and what was called and delivered so far."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from tests.fakes.common.book import Json
from tests.fakes.common.waiting import if_there, newest, wait
from tests.fakes.slack.courier import Courier
from tests.fakes.slack.methods_views import view_json
from tests.fakes.slack.render import channel_text, view_text, visible
from tests.fakes.slack.world import Channel, Message, Whisper, World


class Look:
    """Reads only."""

    def __init__(self, world: World, courier: Courier) -> None:
        self._world = world
        self._courier = courier

    def verbs(self) -> dict[str, Callable[..., Awaitable[Any]]]:
        return {
            "channels": self.channels,
            "channel": self.channel,
            "messages": self.messages,
            "text": self.text,
            "files": self.files,
            "calls": self.calls,
            "deliveries": self.deliveries,
            "scopes_used": self.scopes_used,
            "modals": self.modals,
            "modal_text": self.modal_text,
            "home": self.home,
            "home_text": self.home_text,
            "whispers": self.whispers,
            "direct_messages": self.direct_messages,
            "wait_for_message": self.wait_for_message,
            "wait_for_call": self.wait_for_call,
            "wait_for_delivery": self.wait_for_delivery,
            "wait_for_socket": self.wait_for_socket,
            "wait_for_modal": self.wait_for_modal,
            "wait_for_whisper": self.wait_for_whisper,
            "wait_for_direct": self.wait_for_direct,
        }

    # ---- channels and messages

    def _channel(self, channel: Channel) -> Json:
        shown = asdict(channel)
        del shown["messages"]
        shown.update(is_archived=channel.archived, bookmarks=list(channel.bookmarks.values()))
        return shown

    async def channels(self) -> list[Json]:
        return [self._channel(one) for one in self._world.channels.values()]

    async def channel(self, channel: str) -> Json:
        return self._channel(self._world.channel_named(channel))

    def _message(self, message: Message) -> Json:
        shown = self._world.shown(message)
        shown["visible"] = visible(self._world, message.text, message.blocks)
        shown["files"] = [self._world.files[one].name for one in message.files]
        return shown

    def _said(self, channel: Channel) -> list[Message]:
        return [one for one in channel.messages.values() if not one.subtype]

    async def messages(self, channel: str, thread_ts: str | None = None) -> list[Json]:
        """Slack's own notes (joined, pinned, topic) are left out; `text` shows them."""
        found = self._said(self._world.channel_named(channel))
        if thread_ts is not None:
            found = [one for one in found if thread_ts in (one.ts, one.thread_ts)]
        return [self._message(one) for one in found]

    async def text(self, channel: str) -> Json:
        return {"text": channel_text(self._world, self._world.channel_named(channel))}

    async def files(self) -> list[Json]:
        return [
            {
                "id": one.id,
                "name": one.name,
                "title": one.title,
                "size": one.length,
                "channels": one.shared_in,
                "content": (one.content or b"").decode(errors="replace"),
            }
            for one in self._world.files.values()
            if one.completed
        ]

    # ---- the book

    async def calls(self, method: str | None = None) -> list[Json]:
        return [asdict(one) for one in self._world.calls if method in (None, one.method)]

    async def deliveries(self) -> list[Json]:
        return [one.shown() for one in self._courier.records.values()]

    async def scopes_used(self) -> list[str]:
        return sorted(self._world.scopes_used)

    # ---- what a person sees

    async def modals(self, user: str) -> list[Json]:
        stack = self._world.views.stacks.get(user, [])
        return [
            {**view_json(one), "errors": one.errors, "text": view_text(self._world, one)} for one in stack
        ]

    async def modal_text(self, user: str) -> Json:
        view = self._world.views.top(user)
        return {"text": view_text(self._world, view) if view else ""}

    async def home(self, user: str) -> Json | None:
        view = self._world.views.homes.get(user)
        return view_json(view) if view else None

    async def home_text(self, user: str) -> Json:
        view = self._world.views.homes.get(user)
        return {"text": view_text(self._world, view) if view else ""}

    def _whisper(self, whisper: Whisper) -> Json:
        return {**asdict(whisper), "visible": visible(self._world, whisper.text, whisper.blocks)}

    async def whispers(self, user: str, channel: str | None = None) -> list[Json]:
        place = self._world.channel_named(channel).id if channel else None
        return [
            self._whisper(one)
            for one in self._world.whispers
            if one.user == user and place in (None, one.channel)
        ]

    async def direct_messages(self, user: str) -> list[Json]:
        return [self._message(one) for one in self._said(self._world.direct_channel(user))]

    # ---- waiting

    async def wait_for_message(
        self, channel: str, containing: str, timeout_s: float, after_ts: str = "0"
    ) -> Json:
        def look() -> Json | None:
            place = if_there(self._world.channel_named, channel)
            said = self._said(place) if place else []
            newer = [self._message(one) for one in said if float(one.ts) > float(after_ts)]
            return newest(newer, containing)

        def why() -> str:
            place = if_there(self._world.channel_named, channel)
            return channel_text(self._world, place) if place else f"There is no channel {channel}."

        return dict(await wait(look, timeout_s, why))

    async def wait_for_call(self, method: str, count: int, timeout_s: float) -> list[Json]:
        def look() -> list[Json]:
            found = [asdict(one) for one in self._world.calls if one.method == method]
            return found if len(found) >= count else []

        return list(
            await wait(look, timeout_s, lambda: f"Called: {[one.method for one in self._world.calls]}")
        )

    async def wait_for_delivery(self, name: str | None, count: int, timeout_s: float) -> list[Json]:
        def acked() -> list[Json]:
            records = self._courier.records.values()
            found = [one.shown() for one in records if name in (None, one.name) and one.ack_ms is not None]
            return found if len(found) >= count else []

        def why() -> str:
            return f"Delivered: {[(one.name, one.error) for one in self._courier.records.values()]}"

        return list(await wait(acked, timeout_s, why))

    async def wait_for_socket(self, count: int, timeout_s: float) -> Json:
        def enough() -> bool:
            return self._world.sockets_to_stay >= count

        await wait(enough, timeout_s, lambda: f"{self._world.sockets_to_stay} connections are open to stay")
        return {"count": self._world.sockets_to_stay}

    async def wait_for_modal(self, user: str, containing: str, timeout_s: float) -> Json:
        def look() -> Json | None:
            view = self._world.views.top(user)
            if view is None or containing not in view_text(self._world, view):
                return None
            return {**view_json(view), "errors": view.errors, "text": view_text(self._world, view)}

        def why() -> str:
            view = self._world.views.top(user)
            return view_text(self._world, view) if view else "No modal is open."

        return dict(await wait(look, timeout_s, why))

    async def wait_for_whisper(self, user: str, containing: str, timeout_s: float) -> Json:
        def seen() -> list[Json]:
            return [self._whisper(one) for one in self._world.whispers if one.user == user]

        return dict(
            await wait(
                lambda: newest(seen(), containing),
                timeout_s,
                lambda: f"Seen: {[one['visible'] for one in seen()]}",
            )
        )

    async def wait_for_direct(self, user: str, containing: str, timeout_s: float) -> Json:
        def said() -> list[Json]:
            return [self._message(one) for one in self._said(self._world.direct_channel(user))]

        return dict(
            await wait(
                lambda: newest(said(), containing),
                timeout_s,
                lambda: f"Said: {[one['visible'] for one in said()]}",
            )
        )
