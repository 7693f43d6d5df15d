"""How long the proofs within a verb take, told apart from what it changes."""

from __future__ import annotations

import contextlib
import time
from typing import Iterator


class Stopwatch:
    """Counts the seconds of all blocks that it was running in."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Count the block that follows."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds += time.monotonic() - began
