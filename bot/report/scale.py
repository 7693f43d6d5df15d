"""The time axis of the picture: even, but for long stretches in which nothing happened, which are cut short."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

LONG = 0.4  # a stretch without an event that takes more than this share of the rest is left out
CUT = 0.07  # the share of the width that a stretch left out still gets
SHORTEST = timedelta(hours=1)  # what is shorter is drawn: a reader wants to see how long an hour was,
CROWDING = 4  # but for a stretch so many times longer than all the rest, which would push that into a corner
STEPS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080, 43_200, 525_600)
TICKS = 9  # at most about this many


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A piece of the axis, drawn evenly from `left` to `right`. `cut`: nothing happened in it, time is left out."""

    start: datetime
    end: datetime
    left: float
    right: float
    cut: bool

    def x(self, at: datetime) -> float:
        """Return where a time within the stretch stands."""
        length = (self.end - self.start).total_seconds()
        share = (at - self.start).total_seconds() / length if length else 0.0
        return self.left + share * (self.right - self.left)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The axis: stretches that follow one another without a gap, at least one."""

    stretches: tuple[Stretch, ...]

    @property
    def first(self) -> datetime:
        """Return the first time on the axis."""
        return self.stretches[0].start

    @property
    def last(self) -> datetime:
        """Return the last time on the axis."""
        return self.stretches[-1].end

    def x(self, at: datetime) -> float:
        """Return where a time stands; one before or after the axis stands at its end."""
        at = min(max(at, self.first), self.last)
        return round(next(piece for piece in self.stretches if at <= piece.end).x(at), 1)

    def breaks(self) -> tuple[tuple[float, timedelta], ...]:
        """Return the middle of each stretch left out, and how long it is."""
        return tuple(
            (round((piece.left + piece.right) / 2, 1), piece.end - piece.start)
            for piece in self.stretches
            if piece.cut
        )

    def ticks(self, zone: tzinfo) -> tuple[datetime, ...]:
        """Return round times for the axis in a zone, none where time is left out."""
        even = [piece for piece in self.stretches if not piece.cut]
        minutes = sum(((piece.end - piece.start) for piece in even), timedelta()).total_seconds() / 60
        step = next((step for step in STEPS_MIN if minutes / step <= TICKS), STEPS_MIN[-1])
        found: list[datetime] = []
        for piece in even:
            at = _round_up(piece.start, step, zone)
            while at <= piece.end:
                found.append(at)
                at += timedelta(minutes=step)
        return tuple(dict.fromkeys(found))


def scale_of(times: Sequence[datetime], left: float, right: float) -> Scale:
    """Return the axis that shows all these times (at least one) between two places of the picture."""
    points = sorted(set(times))
    if len(points) == 1:
        points.append(points[0] + timedelta(minutes=1))
    gaps = [later - earlier for earlier, later in itertools.pairwise(points)]
    cut = _long_gaps(gaps)
    even_width = (right - left) * (1 - CUT * sum(cut))
    even_time = sum((gap for gap, long in zip(gaps, cut, strict=True) if not long), timedelta())
    stretches = []
    at = left
    for start, gap, long in zip(points, gaps, cut, strict=False):
        width = (right - left) * CUT if long else even_width * (gap / even_time)
        stretches.append(Stretch(start=start, end=start + gap, left=at, right=at + width, cut=long))
        at += width
    return Scale(stretches=tuple(stretches))


def _long_gaps(gaps: list[timedelta]) -> list[bool]:
    """Return for each gap whether it is left out: the longest, as long as it outweighs what would remain.

    One gap always remains, so that there is time to be drawn.
    """
    cut = [False] * len(gaps)
    order = sorted(range(len(gaps)), key=lambda number: gaps[number], reverse=True)
    rest = sum(gaps, timedelta())
    for number in order[: min(len(gaps) - 1, 6)]:
        others = rest - gaps[number]
        if gaps[number] <= LONG * rest or gaps[number] < min(SHORTEST, CROWDING * others):
            break
        cut[number] = True
        rest -= gaps[number]
    return cut


def _round_up(at: datetime, minutes: int, zone: tzinfo) -> datetime:
    """Return the first round time at or after `at` by the clock of a zone."""
    local = at.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    passed = (local - midnight) / timedelta(minutes=minutes)
    return (midnight + timedelta(minutes=minutes) * -(-passed // 1)).astimezone(at.tzinfo)
