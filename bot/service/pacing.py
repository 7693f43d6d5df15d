"""How fast a piece of work goes and how long it still takes, from what it has told of itself so far."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from bot.model.message import Progress

SETTLED_S = 1.5
"""Before that much time has passed a rate says more about the start than about the work."""


class Pacer:
    """Watches one piece of work. A rate is the mean since its present part (`what`) was first seen."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._first: tuple[str, int, float] | None = None

    def paced(self, progress: Progress) -> Progress:
        """Return the progress with its rate and the time left, as far as they can be told yet."""
        at = self._now()
        if self._first is None or self._first[0] != progress.what or progress.done < self._first[1]:
            self._first = (progress.what, progress.done, at)
        _, done, since = self._first
        if at - since < SETTLED_S or progress.done <= done:
            return progress
        rate = (progress.done - done) / (at - since)
        left_s = (progress.total - progress.done) / rate if progress.total >= progress.done else None
        return replace(progress, rate_per_s=rate, left_s=left_s)
