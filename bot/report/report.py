"""The post-mortem of an incident, computed from its timeline alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from bot.model.event import Entry
from bot.report.appendix import appendix
from bot.report.blocks import Phrase, Section, Tile, phrase
from bot.report.chronicle import timeline
from bot.report.facts import Facts, facts_of
from bot.report.figures import Figures
from bot.report.impact import impact
from bot.report.loss import Loss
from bot.report.picture import Picture, picture_of
from bot.report.prevention import prevention
from bot.report.resolution import resolution
from bot.report.root_cause import root_cause
from bot.report.summary import summary, tiles
from bot.report.what_happened import what_happened
from bot.report.wording import counted


@dataclass(frozen=True, kw_only=True)
class Report:
    """A post-mortem, ready to be written as Markdown, HTML or PDF. `final` False: the incident was still open."""

    title: str
    site: str
    final: bool
    computed_at: datetime
    times: str
    summary: Phrase
    tiles: tuple[Tile, ...]
    sections: tuple[Section, ...]
    appendix: Section
    picture: Picture
    origin: Phrase
    figures: Figures
    loss: Loss


def report_of(entries: Sequence[Entry], *, site: str, now: datetime, people_times: tzinfo = UTC) -> Report:
    """Return the post-mortem of one incident from its timeline, as it stands at `now` (aware UTC).

    `people_times` is the zone in which times are written. What no entry tells is said to be not recorded; entries of
    an older or damaged shape are read as far as they can be. Reads only.
    """
    facts = facts_of(entries, site=site, now=now, zone=people_times)
    return Report(
        title=f"Migration Incident - {facts.zone.home}",
        site=site,
        final=facts.figures.closed_at is not None,
        computed_at=facts.now,
        times=f"Times are {_zone_names(facts)}; where no date is given, of {facts.zone.home}.",
        summary=summary(facts),
        tiles=tiles(facts),
        sections=(
            what_happened(facts),
            impact(facts),
            root_cause(facts),
            resolution(facts),
            prevention(facts),
            timeline(facts),
        ),
        appendix=appendix(facts),
        picture=picture_of(facts),
        origin=_origin(facts),
        figures=facts.figures,
        loss=facts.loss,
    )


def _zone_names(facts: Facts) -> str:
    return facts.zone.names([entry.at for entry in facts.log.entries] or [facts.now])


def _origin(facts: Facts) -> Phrase:
    entries = facts.log.entries
    end = f" (incident {entries[-1].incident_id}, last hash {entries[-1].hash[:16]})" if entries else ""
    text = f"Computed by Backout at {facts.zone.stamp(facts.now)} from {counted(len(entries), 'timeline entry', 'timeline entries')}{end}."
    return phrase(text)
