"""What a test holds in its hand, whatever the platform: a stand-in as a started process, seen through its control interface."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Literal, Self

import aiohttp

from tests.fakes.common.book import ControlError, Violation
from tests.fakes.common.process import running

FaultKind = Literal["drop_after", "drop_before", "slow", "slow_after", "status", "status_after", "error"]


class StandIn:
    """A stand-in, driven by a test. Times are seconds of its own clock."""

    platform: ClassVar[str]
    """The word in the name of its package."""

    def __init__(self, address: str, session: aiohttp.ClientSession) -> None:
        self.address = address
        self._session = session

    @classmethod
    @asynccontextmanager
    async def at(cls, address: str) -> AsyncIterator[Self]:
        """Hold a stand-in that runs already."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
            yield cls(address, session)

    @classmethod
    @asynccontextmanager
    async def started(cls) -> AsyncIterator[Self]:
        """Hold one that is new, as after a start; what is still going on in it when the block is left comes to nothing."""
        with running(cls.platform) as address:
            async with cls.at(address) as made:
                await made.reset()
                yield made
                await made.reset()

    async def reset(self) -> None:
        """Make everything new, as after a start: for a process that serves many tests."""
        await self.ask("reset")

    async def ask(self, verb: str, **fields: Any) -> Any:
        """Ask the control interface: POST /control/VERB with JSON, JSON back.

        Raises:
            ControlError: the stand-in says that it cannot, and why.
        """
        async with self._session.post(f"{self.address}/control/{verb}", json=fields) as response:
            if response.content_type != "application/json":
                raise ControlError(f"{verb}: HTTP {response.status}; its own words are on stderr")
            answer = await response.json()
        if response.status != 200:
            raise ControlError(answer.get("error", f"{verb}: {response.status}"))
        return answer

    # ---- rules

    async def violations(self, *, ignore: Collection[str] = ()) -> list[Violation]:
        """Return every broken rule so far, but for those a test provoked by intent. A test asserts that it is empty."""
        found = [Violation(**one) for one in await self.ask("violations")]
        return [one for one in found if one.rule not in ignore]

    async def wait_for_violations(self, *, count: int = 1, timeout_s: float = 60.0) -> list[Violation]:
        """Return the violations as soon as there are so many: for what a test provoked by intent."""
        found = await self.ask("wait_for_violations", count=count, timeout_s=timeout_s)
        return [Violation(**one) for one in found]

    async def clear_violations(self) -> None:
        """Forget the violations so far."""
        await self.ask("clear_violations")

    # ---- what goes wrong

    async def clear_faults(self) -> None:
        """Take back all faults that were not used up."""
        await self.ask("clear_faults")

    async def limit_rates(self, mode: Literal["off", "documented"]) -> None:
        """Switch the rate limits on or off (off at the start)."""
        await self.ask("limit_rates", mode=mode)

    async def go_down(self, kind: Literal["503", "drop", "hang"] = "503") -> None:
        """Take the whole platform down: every call and every new connection fails, open ones are cut."""
        await self.ask("go_down", kind=kind)

    async def come_up(self) -> None:
        """Bring the platform back."""
        await self.ask("come_up")

    async def advance(self, seconds: float) -> None:
        """Move the stand-in's clock forward: all that lasts for a time only grows older."""
        await self.ask("advance", seconds=seconds)
