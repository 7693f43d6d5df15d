"""The verbs that wait: until the server holds something, a person sees something, or the bot did something."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from tests.fakes.common.book import Json
from tests.fakes.common.waiting import if_there, newest, wait
from tests.fakes.discord.control_look import Look
from tests.fakes.discord.gateway import Gateway
from tests.fakes.discord.render import channel_text, modal_text
from tests.fakes.discord.world import World


class Waits:
    """Looks again and again."""

    def __init__(self, world: World, gateway: Gateway, look: Look) -> None:
        self._world = world
        self._gateway = gateway
        self._look = look

    def verbs(self) -> dict[str, Callable[..., Awaitable[Any]]]:
        return {
            "wait_for_message": self.wait_for_message,
            "wait_for_call": self.wait_for_call,
            "wait_for_delivery": self.wait_for_delivery,
            "wait_for_gateway": self.wait_for_gateway,
            "wait_for_no_gateway": self.wait_for_no_gateway,
            "wait_for_commands": self.wait_for_commands,
            "wait_for_modal": self.wait_for_modal,
            "wait_for_whisper": self.wait_for_whisper,
            "wait_for_direct": self.wait_for_direct,
        }

    async def wait_for_message(
        self, channel: str, containing: str, timeout_s: float, after_id: str = "0"
    ) -> Json:
        def look() -> Json | None:
            place = if_there(self._world.channel_named, channel)
            said = self._look.said(place) if place else []
            return newest(
                [self._look.message(one) for one in said if int(one.id) > int(after_id)], containing
            )

        def why() -> str:
            place = if_there(self._world.channel_named, channel)
            return channel_text(self._world, place) if place else f"There is no channel {channel}."

        return dict(await wait(look, timeout_s, why))

    async def wait_for_call(self, operation: str, count: int, timeout_s: float) -> list[Json]:
        def look() -> list[Json]:
            found = [asdict(one) for one in self._world.calls if one.operation == operation]
            return found if len(found) >= count else []

        def why() -> str:
            return f"Called: {[one.operation for one in self._world.calls]}"

        return list(await wait(look, timeout_s, why))

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

        return list(await wait(look, timeout_s, why))

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

        await wait(enough, timeout_s, why)
        return await self._look.connections()

    async def wait_for_no_gateway(self, timeout_s: float) -> Json:
        def gone() -> bool:
            return not self._gateway.links

        await wait(gone, timeout_s, lambda: f"{len(self._gateway.links)} are open")
        return await self._look.connections()

    async def wait_for_commands(self, count: int, timeout_s: float) -> list[Json]:
        def enough() -> bool:
            return len(self._world.commands) + len(self._world.global_commands) >= count

        await wait(enough, timeout_s, lambda: f"There are {len(self._world.commands)}.")
        return await self._look.commands()

    async def wait_for_modal(self, user: str, containing: str, timeout_s: float) -> Json:
        def look() -> Json | None:
            modal = self._world.modals.get(user)
            return self._look.shown_modal(modal) if modal and containing in modal_text(modal) else None

        def why() -> str:
            modal = self._world.modals.get(user)
            return modal_text(modal) if modal else "No modal is open."

        return dict(await wait(look, timeout_s, why))

    async def wait_for_whisper(self, user: str, containing: str, timeout_s: float) -> Json:
        def look() -> Json | None:
            return newest(self._look.whispers_of(user, None), containing)

        def why() -> str:
            return f"Seen: {[one['visible'] for one in self._look.whispers_of(user, None)]}"

        return dict(await wait(look, timeout_s, why))

    async def wait_for_direct(self, user: str, containing: str, timeout_s: float) -> Json:
        def look() -> Json | None:
            return newest(self._look.direct_of(user), containing)

        def why() -> str:
            return f"Said: {[one['visible'] for one in self._look.direct_of(user)]}"

        return dict(await wait(look, timeout_s, why))
