"""PDFs are drawn one at a time; one that takes too long is ended, and nobody can ask for any number of them."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from datetime import timedelta

import pytest

from bot.model.errors import FailedError
from bot.service.drawing import WAITING_MOST, Drawing

QUICK = timedelta(seconds=0.2)


async def begun() -> None:
    """Return once a process draws."""
    for _ in range(6000):
        if multiprocessing.active_children():
            return
        await asyncio.sleep(0.01)


async def test_what_takes_too_long_is_ended() -> None:
    """After its time a drawing fails with words, and its process is gone."""
    with pytest.raises(FailedError, match=r"could not be made \(TimeoutError\)"):
        await Drawing(QUICK).drawn(time.sleep, 600)  # type: ignore[arg-type]  # it never gets to give back what is no PDF
    assert multiprocessing.active_children() == []


async def test_who_goes_away_leaves_no_process() -> None:
    """A request that is given up while it is drawn ends the drawing."""
    asked = asyncio.create_task(Drawing().drawn(time.sleep, 600))  # type: ignore[arg-type]  # as above
    await begun()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert multiprocessing.active_children() == []


async def test_one_is_drawn_at_a_time_and_few_may_wait() -> None:
    """Who asks beyond those that wait is told to ask again; a report that is being written waits its turn all the same."""
    drawing = Drawing()
    asked = [
        asyncio.create_task(drawing.drawn(time.sleep, 600))  # type: ignore[arg-type]  # as above
        for _ in range(WAITING_MOST + 1)
    ]
    await begun()
    with pytest.raises(FailedError, match="Ask again in a minute"):
        await drawing.drawn(bytes, b"%PDF-", waits=False)
    assert len(multiprocessing.active_children()) == 1
    for one in asked:
        one.cancel()
    await asyncio.wait(asked)
    assert await drawing.drawn(bytes, b"%PDF-", waits=False) == b"%PDF-"


async def test_a_fault_is_told_by_its_type_alone() -> None:
    """What a library says of a fault may hold a report's words; only its type is told."""
    with pytest.raises(FailedError, match=r"\(ValueError\)"):
        await Drawing().drawn(bytes.fromhex, "no hex digits")
