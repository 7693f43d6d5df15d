"""The test's own door: POST /control/VERB, with the verbs that every platform has. What each means stands in client.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Protocol

from aiohttp import web

from tests.fakes.common.book import Book, ControlError, Json
from tests.fakes.common.faults import DOWN_KINDS, Faults
from tests.fakes.common.waiting import wait

Verb = Callable[..., Awaitable[Any]]


class Limits(Protocol):
    """A platform's rate limits."""

    def set_mode(self, mode: str) -> None:
        """Switch them on (`documented`) or `off`."""


class ControlDoor:
    """What cannot be done is answered with 409 and the reason. `cut` cuts the bot's open connections and counts them."""

    def __init__(self, book: Book, faults: Faults, limits: Limits, cut: Callable[[], int]) -> None:
        self._book = book
        self._faults = faults
        self._rates = limits
        self._cut = cut
        self.verbs: dict[str, Verb] = {
            "violations": self._violations,
            "wait_for_violations": self._wait_for_violations,
            "clear_violations": self._clear_violations,
            "advance": self._advance,
            "fault": self._fault,
            "clear_faults": self._clear_faults,
            "limit_rates": self._limit_rates,
            "go_down": self._go_down,
            "come_up": self._come_up,
        }

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/control/{verb}", self._handle)]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["verb"]
        verb = self.verbs.get(name)
        if verb is None:
            return web.json_response({"error": f"there is no verb {name}"}, status=409)
        fields = await request.json()
        try:
            return web.json_response(await verb(**fields))
        except ControlError as error:
            return web.json_response({"error": f"{name}: {error}"}, status=409)

    async def _violations(self) -> list[Json]:
        return [asdict(one) for one in self._book.violations]

    async def _wait_for_violations(self, count: int, timeout_s: float) -> list[Json]:
        def enough() -> bool:
            return len(self._book.violations) >= count

        await wait(enough, timeout_s, lambda: f"There are {len(self._book.violations)}.")
        return await self._violations()

    async def _clear_violations(self) -> Json:
        self._book.violations.clear()
        return {}

    async def _advance(self, seconds: float) -> Json:
        self._book.clock.moved_s += seconds
        return {}

    async def _fault(self, **given: Any) -> Json:
        self._faults.add(given)
        return {}

    async def _clear_faults(self) -> Json:
        self._faults.waiting.clear()
        return {}

    async def _limit_rates(self, mode: str) -> Json:
        if mode not in ("off", "documented"):
            raise ControlError("mode is off or documented")
        self._rates.set_mode(mode)
        return {}

    async def _go_down(self, kind: str) -> Json:
        if kind not in DOWN_KINDS:
            raise ControlError(f"kind is one of {', '.join(DOWN_KINDS)}")
        self._book.down = kind
        return {"count": self._cut()}

    async def _come_up(self) -> Json:
        self._book.down = ""
        return {}
