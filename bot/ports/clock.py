"""The port to time."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Where "now" comes from. All times are aware UTC."""

    def now(self) -> datetime:
        """Return the present time, aware UTC."""
