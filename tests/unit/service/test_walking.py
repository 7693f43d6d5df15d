"""A walk in the browser that may have clicked is done once, also where the bot was killed in the middle of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

from bot.model.app_test import Deed, Walk, Walked, WalkedStep, WalkStep
from bot.model.codec import from_json, to_json
from bot.model.secret import Secret
from bot.service.operations.app_test import NOT_REPEATED, walked_once
from bot.service.site_work import SiteWork

OPEN = WalkStep(deed=Deed.OPEN, what="/")
CLICK = WalkStep(deed=Deed.CLICK, what="#buy")


class Killed(BaseException):
    """The end of the bot's process."""


class Browser:
    """A browser that counts its walks; `dies` at those that are still to come."""

    def __init__(self, dies: int = 0) -> None:
        self.walks, self._dies = 0, dies

    async def walk(self, walk: Walk, secret: Secret | None = None) -> Walked:
        self.walks += 1
        if self.walks <= self._dies:
            raise Killed
        return Walked(steps=tuple(WalkedStep(step=step, duration_ms=1) for step in walk.steps))


class Work:
    """One operation: what it recorded outlives its process, and each claim of it has a higher fence."""

    def __init__(self, browser: Browser) -> None:
        self.parts = SimpleNamespace(browser=browser)
        self.operation = SimpleNamespace(fence=1)
        self._recorded: dict[str, Any] = {}

    async def once(self, name: str, kind: type[Any], act: Callable[[], Awaitable[Any]]) -> Any:
        if name not in self._recorded:
            self._recorded[name] = to_json(await act())
        return from_json(kind, self._recorded[name])


async def walked(work: Work, *steps: WalkStep) -> Any:
    walk = Walk(base_url="https://shop.example", steps=steps, time_limit_s=1, step_limit_s=1)
    return await walked_once(cast("SiteWork", work), walk, Secret("s"))


async def killed_and_resumed(browser: Browser, *steps: WalkStep) -> Any:
    work = Work(browser)
    try:
        await walked(work, *steps)
    except Killed:
        work.operation.fence += 1
    return await walked(work, *steps)


async def test_clicks_are_not_done_again_after_a_crash() -> None:
    """A bot that was killed in the middle of clicks tells that, and does not click a second time unasked."""
    browser = Browser(dies=1)
    found = await killed_and_resumed(browser, OPEN, CLICK)
    assert (browser.walks, found.walked, found.error) == (1, None, NOT_REPEATED)


async def test_what_only_looks_is_looked_at_again() -> None:
    """A walk without a click is done anew."""
    browser = Browser(dies=1)
    found = await killed_and_resumed(browser, OPEN)
    assert (browser.walks, found.error) == (2, None)


async def test_a_walk_that_came_to_its_end_counts() -> None:
    """Its result outlives a crash that comes after it, with all of its steps."""
    browser = Browser()
    work = Work(browser)
    first = await walked(work, OPEN, CLICK)
    work.operation.fence += 1
    assert await walked(work, OPEN, CLICK) == first
    assert (browser.walks, [one.step for one in first.walked.steps]) == (1, [OPEN, CLICK])
