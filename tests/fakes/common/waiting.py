"""Waiting until the stand-in holds something, a person sees something, or the bot did something."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from tests.fakes.common.book import ControlError, Json

T = TypeVar("T")

LOOK_EVERY_S = 0.01


async def wait(look: Callable[[], Any], timeout_s: float, why: Callable[[], str]) -> Any:
    """Look again and again until there is something; `why` says what there was instead.

    Raises:
        ControlError: there was nothing in that time.
    """
    end_s = asyncio.get_running_loop().time() + timeout_s
    while not (found := look()):
        if asyncio.get_running_loop().time() > end_s:
            raise ControlError(f"nothing after {timeout_s} s. {why()}")
        await asyncio.sleep(LOOK_EVERY_S)
    return found


def newest(messages: list[Json], containing: str) -> Json | None:
    """Return the newest of these messages whose visible text contains this."""
    return next((one for one in reversed(messages) if containing in one["visible"]), None)


def if_there(find: Callable[[str], T], given: str) -> T | None:
    """Return what is called so, None where there is nothing yet."""
    try:
        return find(given)
    except ControlError:
        return None
