"""The picture of the incident: nothing overlaps, nothing leaves the frame, long waits are cut short."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, timedelta
from xml.etree import ElementTree as ET

import pytest

from bot.model.event import Kind
from bot.report.html import to_html
from bot.report.picture import CHAR_WIDTH, LABEL_HEIGHT, WIDTH, Dot, Picture
from bot.report.report import report_of
from bot.report.scale import scale_of
from tests.unit.report.timelines import Row, at, entries_of, story


def _picture(rows: list[Row], now: float = 95) -> Picture:
    return report_of(entries_of(rows), site="shop", now=at(now)).picture


def _right(dot: Dot) -> float:
    return dot.x + len(dot.label) * CHAR_WIDTH


def _crowd(seed: int) -> list[Row]:
    """Return many events at random times, some within the same second."""
    chance = random.Random(seed)
    kinds = [
        Kind.INCIDENT_OPENED,
        Kind.ASSESSED,
        Kind.SAFETY_MADE,
        Kind.REHEARSED,
        Kind.CUTOVER_DONE,
        Kind.APP_TESTED,
    ]
    times = sorted(chance.choice([chance.uniform(0, 90), 42.0]) for _ in range(25))
    return [(time, chance.choice(kinds), "Ana", "", {}) for time in times]


@pytest.mark.parametrize(
    "rows",
    [story(), story()[:9], _crowd(1), _crowd(2), _crowd(3)],
    ids=["whole", "begun", "crowd 1", "crowd 2", "crowd 3"],
)
def test_labels_do_not_overlap_and_no_leader_runs_through_one(rows: list[Row]):
    """Of any two labels in one row the left one ends before the right one begins; leaders pass beside labels."""
    dots = _picture(rows).dots
    for left, right in itertools.combinations(dots, 2):
        if left.label_y == right.label_y:
            assert _right(left) <= right.x or _right(right) <= left.x
        for one, other in ((left, right), (right, left)):
            runs_past = one.label_y < other.label_y - LABEL_HEIGHT / 2
            assert not (runs_past and other.x < one.x < _right(other))


def test_everything_stays_in_the_frame():
    """Labels, bars and ticks stand within the picture."""
    picture = _picture(story())
    assert all(_right(dot) <= WIDTH and dot.label_y > 8 for dot in picture.dots)
    bars = [bar for lane in picture.lanes for bar in lane.bars]
    assert all(picture.left <= bar.x <= bar.x + bar.width <= WIDTH for bar in bars)
    assert all(picture.left <= tick.x <= picture.right for tick in picture.ticks)
    assert picture.lanes[-1].y < picture.axis_y < picture.height


def test_the_application_lane_shows_up_down_up():
    """The application is drawn up until it goes down and up again after."""
    lane = _picture(story()).lanes[0]
    assert [bar.tone for bar in lane.bars] == ["up", "down", "up"]
    assert lane.bars[1].label == "down 41 min"


def test_a_weekend_before_the_discovery_is_left_out():
    """A migration found after three days does not press the recovery into the last pixels."""
    rows = [
        (*row[:4], {**row[4], "migrated_at": at(-4320).isoformat()}) if row[1] is Kind.ASSESSED else row
        for row in story()
    ]
    picture = _picture(rows)
    assert [tick.label for tick in picture.breaks] == ["3 days left out"]
    opened = next(dot for dot in picture.dots if "opened" in dot.label)
    assert opened.x < picture.left + 0.2 * (picture.right - picture.left)


def test_scale_keeps_order_and_ends():
    """Later times stand further right, the first and last at the ends, also across what is left out."""
    times = [at(minutes) for minutes in (0, 5000, 5001, 5010, 5030, 90_000)]
    scale = scale_of(times, 100, 1000)
    places = [scale.x(time) for time in times]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (100, 1000)
    assert len(scale.breaks()) == 2
    assert all(tick.minute % 5 == 0 for tick in scale.ticks(UTC))


def test_one_moment_alone_can_be_drawn():
    """A timeline with a single time gives a scale and a picture."""
    assert scale_of([at(0)], 0, 10).x(at(0) + timedelta(hours=1)) == 10
    assert _picture([(0, Kind.INCIDENT_OPENED, "Ana", "", {})], now=0).dots


def test_the_picture_is_well_formed_and_told_in_words():
    """The SVG is valid XML with a title and a description that names the turning points."""
    document = to_html(report_of(entries_of(story()), site="shop", now=at(95)))
    svg = document[document.index("<svg") : document.index("</svg>") + 6]
    root = ET.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{space}title") is not None
    assert "14:29 database restored" in (root.findtext(f"{space}desc") or "")
