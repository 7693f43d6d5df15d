"""What the watch of a log makes of its counts: which kinds of errors are new, or come more often than before the incident."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MORE = 3.0
"""So many times as often as before is a rise."""
AT_LEAST = 5
"""Fewer of a known kind are no rise, however rare it was."""
AGAIN = 10
"""So many times as many as at the last alarm is worth another one."""
SHOWN = 5

Rates = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The errors since the application was opened, by kind. `rates` are those from before the incident, an hour; None: not known."""

    counts: Mapping[str, int]
    rates: Rates | None
    hours: float

    @property
    def rises(self) -> tuple[str, ...]:
        """Return the kinds that are new or more frequent than before, the most frequent first."""
        found = [kind for kind, count in self.counts.items() if self._is_rise(kind, count)]
        return tuple(sorted(found, key=lambda kind: -self.counts[kind]))

    def _is_rise(self, kind: str, count: int) -> bool:
        if self.rates is None or kind not in self.rates:
            return count > 0
        return count >= AT_LEAST and count > MORE * self.rates[kind] * self.hours

    def alarms(self, told: Mapping[str, int]) -> tuple[str, ...]:
        """Return the rises to be told now; `told` has the count of each kind at its last alarm."""
        return tuple(
            kind for kind in self.rises if kind not in told or self.counts[kind] >= AGAIN * told[kind]
        )

    def words(self, kind: str) -> str:
        """Return one kind with its count, and how it was before."""
        count = f"{self.counts[kind]:,} × {kind}"
        if self.rates is None:
            return count
        if kind not in self.rates:
            return f"{count} (not seen before the incident)"
        return f"{count} (before the incident {self.rates[kind]:.2g} an hour)"

    def lines(self) -> tuple[str, ...]:
        """Return the most frequent kinds, rises first, in words."""
        rises = self.rises
        others = sorted((kind for kind in self.counts if kind not in rises), key=lambda k: -self.counts[k])
        return tuple(self.words(kind) for kind in (*rises, *others)[:SHOWN])


def rates_of(counts: Mapping[str, int], hours: float) -> dict[str, float]:
    """Return how often each kind came in an hour; a log of less than an hour counts as one."""
    return {kind: count / max(hours, 1.0) for kind, count in counts.items()}
