"""The times of an incident: how long it was down, how long until it was seen, mended and back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.model.event import Entry, Kind
from bot.report.reading import Log, read


@dataclass(frozen=True, kw_only=True)
class DownSpan:
    """A stretch in maintenance mode. `ended` False: no reopening is recorded, `end` is only as far as is known."""

    start: datetime
    end: datetime
    ended: bool = True


@dataclass(frozen=True, kw_only=True)
class Figures:
    """When the turning points were; None where the timeline does not say. `downtime` sums all stretches.

    `migrated_at` is when the code with the migration was deployed, after which it ran: when it ended no one has recorded.
    """

    migrated_at: datetime | None
    detected_at: datetime | None
    frozen_at: datetime | None
    cut_over_at: datetime | None
    reopened_at: datetime | None
    closed_at: datetime | None
    down: tuple[DownSpan, ...]

    @property
    def downtime(self) -> timedelta | None:
        """Return the whole time in maintenance mode, None where there was none."""
        return sum((span.end - span.start for span in self.down), timedelta()) if self.down else None

    @property
    def is_down(self) -> bool:
        """Return whether the last stretch in maintenance mode has no recorded end."""
        return bool(self.down) and not self.down[-1].ended

    def since_migration(self, at: datetime | None) -> timedelta | None:
        """Return the time from the deployment of the migration to `at`; None where unknown or where the clocks contradict it."""
        return _between(self.migrated_at, at)

    def since_detection(self, at: datetime | None) -> timedelta | None:
        """Return the time from detection to `at`; None where unknown or before it."""
        return _between(self.detected_at, at)


def figures_of(log: Log, now: datetime) -> Figures:
    """Return the turning points of a timeline as it stands at `now`."""
    opened, closed = log.first(Kind.INCIDENT_OPENED), log.last(Kind.INCIDENT_CLOSED)
    down = down_spans(log, closed.at if closed else now)
    cut_over = lasting_cut_over(log)
    reopened = log.last(Kind.REOPENED)
    return Figures(
        migrated_at=_migrated_at(log),
        detected_at=opened.at if opened else None,
        frozen_at=down[0].start if down else None,
        cut_over_at=cut_over.at if cut_over else None,
        reopened_at=_up_at(reopened) if reopened and not (down and not down[-1].ended) else None,
        closed_at=closed.at if closed else None,
        down=down,
    )


def down_spans(log: Log, until: datetime) -> tuple[DownSpan, ...]:
    """Return the stretches in maintenance mode, in order.

    A second freeze inside a stretch does not open another one, unless the freeze was broken and the application was
    put down anew: then the first stretch ends where the break was seen. `until` ends one that was never reopened.
    """
    spans: list[DownSpan] = []
    start: datetime | None = None
    broken_at: datetime | None = None
    for entry in log.of(Kind.FROZEN, Kind.FREEZE_BROKEN, Kind.REOPENED):
        if entry.kind is Kind.FREEZE_BROKEN:
            broken_at = entry.at
        elif entry.kind is Kind.FROZEN:
            down_at = _down_at(entry)
            if start is not None and broken_at is not None and down_at is not None and down_at > broken_at:
                spans.append(DownSpan(start=start, end=max(start, broken_at)))
                start = None
            start, broken_at = start or down_at, None
        elif start is not None:
            spans.append(DownSpan(start=start, end=max(start, _up_at(entry))))
            start = broken_at = None
    if start is not None:
        spans.append(DownSpan(start=start, end=max(start, until), ended=False))
    return tuple(spans)


def lasting_cut_over(log: Log) -> Entry | None:
    """Return the cut-over that stands: the last one that no undo came after; None where there is none.

    An undo whose data say `of: corrected` took back the corrected migration only.
    """
    done = log.last(Kind.CUTOVER_DONE)
    undone = log.after(done).of(Kind.UNDO_DONE) if done else ()
    return None if any(read(entry).text("of") != "corrected" for entry in undone) else done


def _between(start: datetime | None, end: datetime | None) -> timedelta | None:
    return end - start if start is not None and end is not None and end >= start else None


def _migrated_at(log: Log) -> datetime | None:
    times = (read(entry).moment("migrated_at") for entry in log.of(Kind.ASSESSED))
    return next((at for at in times if at is not None), None)


def _down_at(entry: Entry) -> datetime | None:
    """Return when the application went down. Without a recorded time it counts only where a proof or a 503 was seen."""
    data = read(entry)
    seen = data.flag("proven") or data.whole("http_status") == 503
    return data.moment("down_at") or (entry.at if seen else None)


def _up_at(entry: Entry) -> datetime:
    return read(entry).moment("up_at") or entry.at
