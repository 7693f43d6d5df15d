"""What each stand-in keeps, whatever its platform: its clock, whether it is down, and the rules that the bot broke."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


class ControlError(Exception):
    """The stand-in could not do what the test asked: no such channel, no such button, a field that a person must fill."""


class Clock:
    """The platform's time, in seconds since 1970. A test can move it forward."""

    def __init__(self) -> None:
        self.moved_s = 0.0

    def now_s(self) -> float:
        return time.time() + self.moved_s


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One rule of the platform that the bot did not keep. `rule` is a short word, `call` what was called or delivered."""

    rule: str
    call: str
    text: str


class Book:
    """What the worlds of all platforms have in common. `down` is how it is down, empty where it is not.

    `handling` are the calls of the bot that are not answered yet.
    """

    def __init__(self) -> None:
        self.address = ""
        self.clock = Clock()
        self.handling: set[asyncio.Task[Any]] = set()
        self.begin()

    def begin(self) -> None:
        """Begin a new book: nobody gets an answer any more to what came before."""
        for task in self.handling:
            task.cancel()
        self.clock.moved_s = 0.0
        self.violations: list[Violation] = []
        self.token_state = "good"
        self.down = ""

    def violate(self, rule: str, call: str, text: str) -> None:
        """Write down a rule that the bot did not keep."""
        self.violations.append(Violation(rule=rule, call=call, text=text[:2000]))
