"""Walks through a site in a fresh Chromium, driven over its DevTools."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from adapters.chromium_browser.devtools import CallRefusedError, DevTools, connected
from adapters.chromium_browser.listening import Listener
from adapters.chromium_browser.process import BrowserOptions, running
from bot.model.app_test import Deed, Walk, Walked, WalkedStep, WalkStep
from bot.model.errors import BrowserError
from bot.model.secret import Secret

POLL_S = 0.1

# The middle of the first element that a selector finds, once it can be seen; null while there is none.
_FIND = """(selector => {
  const found = document.querySelector(selector);
  if (!found) return null;
  found.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
  const box = found.getBoundingClientRect();
  if (!box.width || !box.height) return null;
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
})"""
_READ = "(text => (document.body?.innerText ?? '').includes(text))"


class StepError(Exception):
    """A step of the walk did not go as it has to; the message is for the person."""


class ChromiumBrowser:
    """One browser process for each walk."""

    def __init__(self, options: BrowserOptions) -> None:
        self._options = options

    async def walk(self, walk: Walk, secret: Secret | None = None) -> Walked:
        """Return what was seen on a walk. *Raises* BrowserError."""
        listener = Listener(walk.base_url)
        try:
            async with (
                asyncio.timeout(walk.time_limit_s + self._options.start_limit_s),
                running(self._options) as pipes,
                connected(pipes, listener.heard) as tools,
            ):
                return await _Walker(tools, listener, walk).go(secret)
        except TimeoutError:
            raise BrowserError(
                f"the walk in the browser was not done within {walk.time_limit_s:g} s. Nothing of it is left; "
                "a slow site wants a longer time_limit for it."
            ) from None
        except CallRefusedError as error:
            raise BrowserError(
                f"the browser {self._options.program} does not know what it was asked: {error}"
            ) from error

    async def prove(self) -> str:
        """Start the browser, load nothing, and return its name and version. *Raises* BrowserError."""
        async with (
            running(self._options) as pipes,
            connected(pipes, lambda *_: None) as tools,
        ):
            return str((await tools.call("Browser.getVersion"))["product"])


class _Walker:
    def __init__(self, tools: DevTools, listener: Listener, walk: Walk) -> None:
        self._tools = tools
        self._listener = listener
        self._walk = walk

    async def go(self, secret: Secret | None) -> Walked:
        """Get the bypass where there is a secret, take the steps until one fails, and return what was seen."""
        self._listener.frame = await self._tools.open_page()
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self._tools.call(f"{domain}.enable")
        if secret is not None:
            await self._enter(secret)
        self._listener.begin()
        steps: list[WalkedStep] = []
        for step in self._walk.steps:
            steps.append(await self._timed(step))
            if steps[-1].fault is not None:
                break
        return Walked(
            steps=tuple(steps),
            console_errors=self._listener.console.count,
            console_places=tuple(self._listener.console.places),
            failed_requests=self._listener.failed.count,
            failed_places=tuple(self._listener.failed.places),
        )

    async def _enter(self, secret: Secret) -> None:
        """Get Laravel's cookie for the maintenance mode; what goes wrong here shows at the first step."""
        with_secret = f"{self._walk.base_url}/{secret.reveal()}"
        await self._tools.call("Page.navigate", url=with_secret)
        await self._rest()
        # The page that showed the secret in its address is left, so that no request names it as where it comes from.
        await self._tools.call("Page.navigate", url="about:blank")

    async def _timed(self, step: WalkStep) -> WalkedStep:
        began = time.monotonic()
        fault = None
        try:
            await {Deed.OPEN: self._open, Deed.CLICK: self._click, Deed.EXPECT: self._expect}[step.deed](
                step.what
            )
        except StepError as error:
            fault = str(error)
        return WalkedStep(step=step, duration_ms=round((time.monotonic() - began) * 1000), fault=fault)

    async def _open(self, path: str) -> None:
        self._listener.loaded = False
        answer = await self._tools.call("Page.navigate", url=self._walk.base_url + path)
        if failed := answer.get("errorText"):
            raise StepError(f"the page does not load: {failed}")
        if not await self._rest() and not self._listener.loaded:
            raise StepError(f"the page is not loaded after {self._walk.step_limit_s:g} s")

    async def _click(self, selector: str) -> None:
        at = await self._until(lambda: self._asked(_FIND, selector))
        if at is None:
            raise StepError("there is no such element that can be seen")
        self._listener.touch()
        for kind in ("mousePressed", "mouseReleased"):
            await self._tools.call(
                "Input.dispatchMouseEvent", type=kind, x=at["x"], y=at["y"], button="left", clickCount=1
            )
        await self._rest()

    async def _expect(self, text: str) -> None:
        if not await self._until(lambda: self._asked(_READ, text)):
            raise StepError("the page does not show this text")

    async def _asked(self, function: str, argument: str) -> Any:
        """Return what a function answers in the page; None where the page is just being left."""
        try:
            answer = await self._tools.call(
                "Runtime.evaluate", expression=f"{function}({json.dumps(argument)})", returnByValue=True
            )
        except CallRefusedError:
            return None
        if "exceptionDetails" in answer:
            raise StepError("this is no CSS selector that the browser understands")
        return answer["result"].get("value")

    async def _until(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Return the first answer that is not empty, or the last one when the step's time is over."""
        end = time.monotonic() + self._walk.step_limit_s
        while True:
            answer = await ask()
            if answer or time.monotonic() >= end:
                return answer
            await asyncio.sleep(POLL_S)

    async def _rest(self) -> bool:
        """Wait until the page is at rest, and return whether it is; one that asks for ever never is."""

        async def resting() -> bool:
            return self._listener.at_rest

        return bool(await self._until(resting))
