"""Everything a section of the report is written from, folded from the timeline once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from bot.model.event import Entry, Kind
from bot.report.figures import Figures, figures_of
from bot.report.loss import Loss, assessed_text, loss_of
from bot.report.reading import Log, as_moment, read
from bot.report.recovery import Recovery, recovery_of
from bot.report.wording import Zone


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One incident: its timeline, and what follows from it. `migration` is the named bad one, None where unknown."""

    site: str
    now: datetime
    zone: Zone
    log: Log
    migration: str | None
    figures: Figures
    loss: Loss
    recovery: Recovery

    def assessed(self, key: str) -> str | None:
        """Return what the assessment recorded of a key, None where it did not."""
        return assessed_text(self.log, key)

    @property
    def lost_something(self) -> bool | None:
        """Return whether the migration took rows or values; None where it was not measured."""
        if self.loss.verdict is not None:
            return self.loss.verdict != "none"
        counts = [n for n in (self.loss.rows_lost, self.loss.values_lost) if n is not None]
        return any(counts) if counts else None

    @property
    def outcome(self) -> str | None:
        """Return the outcome with which the incident was closed, None while it is open or where none was said."""
        return read(self.log.last(Kind.INCIDENT_CLOSED)).text("outcome")


def facts_of(entries: Sequence[Entry], *, site: str, now: datetime, zone: tzinfo) -> Facts:
    """Return the facts of an incident from its timeline, as they stand at `now`."""
    log = Log(entries=tuple(sorted(entries, key=lambda entry: entry.sequence)))
    until = as_moment(now.isoformat()) or now
    figures = figures_of(log, until)
    first = log.entries[0].at if log.entries else until
    home = (figures.detected_at or first).astimezone(zone)
    return Facts(
        site=site,
        now=until,
        zone=Zone(zone=zone, home=f"{home:%Y-%m-%d}"),
        log=log,
        migration=assessed_text(log, "bad_migration"),
        figures=figures,
        loss=loss_of(log),
        recovery=recovery_of(log),
    )
