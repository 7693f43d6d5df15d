"""Waiting for two questions at once instead of one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

A = TypeVar("A")
B = TypeVar("B")


async def together(first: Coroutine[Any, Any, A], second: Coroutine[Any, Any, B]) -> tuple[A, B]:
    """Return what both return, once both have ended. *Raises* the first one's error before the second one's."""
    one, two = asyncio.create_task(first), asyncio.create_task(second)
    try:
        await asyncio.wait({one, two})
    except asyncio.CancelledError:
        one.cancel()
        two.cancel()
        await asyncio.wait({one, two})
        raise
    if one.exception() is not None:
        two.exception()  # Looked at, so that the loop does not report it: the first one's is what the caller hears.
    return one.result(), two.result()
