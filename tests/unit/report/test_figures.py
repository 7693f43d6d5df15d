"""Times of an incident, computed from its timeline."""

from __future__ import annotations

from datetime import timedelta

from bot.model.event import Kind
from bot.report.figures import figures_of
from bot.report.reading import Log
from tests.unit.report.timelines import Row, at, entries_of, iso, story


def _figures(rows: list[Row], now: float = 200):
    return figures_of(Log(entries=tuple(entries_of(rows))), at(now))


def _frozen(minutes: float, down: float, *, proven: bool = True) -> Row:
    return (minutes, Kind.FROZEN, "backout", "", {"proven": proven, "down_at": iso(down), "http_status": 503})


def _reopened(minutes: float, up: float) -> Row:
    return (minutes, Kind.REOPENED, "backout", "", {"up_at": iso(up), "http_status": 200})


def test_turning_points_of_a_whole_incident():
    """Downtime runs from going down to coming up, not from when they were written down; the rest from detection."""
    figures = _figures(story())
    assert figures.downtime == timedelta(minutes=41)
    assert figures.since_migration(figures.detected_at) == timedelta(minutes=12.4)
    assert figures.since_detection(figures.frozen_at) == timedelta(minutes=2.9)
    assert figures.since_detection(figures.cut_over_at) == timedelta(minutes=16.7)
    assert figures.since_detection(figures.reopened_at) == timedelta(minutes=43.9)
    assert not figures.is_down


def test_several_stretches_are_summed():
    """Frozen again after reopening counts as a second stretch, and the sum is the downtime."""
    figures = _figures([_frozen(11, 10), _reopened(31, 30), _frozen(41, 40), _reopened(46, 45)])
    assert [span.end - span.start for span in figures.down] == [timedelta(minutes=20), timedelta(minutes=5)]
    assert figures.downtime == timedelta(minutes=25)
    assert figures.reopened_at == at(45)


def test_a_second_proof_of_the_same_freeze_adds_nothing():
    """Looking at a freeze again does not begin a second stretch."""
    figures = _figures([_frozen(11, 10, proven=False), _frozen(15, 10), _reopened(31, 30)])
    assert figures.downtime == timedelta(minutes=20)


def test_a_broken_freeze_ends_the_stretch_where_the_application_was_put_down_anew():
    """The first stretch ends where the break was seen; one that was only proven again goes on."""
    broken: Row = (20, Kind.FREEZE_BROKEN, "backout", "", {"why": "the site answered 200"})
    anew = _figures([_frozen(11, 10), broken, _frozen(26, 25), _reopened(31, 30)])
    same = _figures([_frozen(11, 10), broken, _frozen(26, 10), _reopened(31, 30)])
    assert anew.downtime == timedelta(minutes=15)
    assert same.downtime == timedelta(minutes=20)


def test_still_down_counts_until_now_and_says_so():
    """Without a reopening the downtime is what has passed so far; after the close it stops growing."""
    closed: Row = (60, Kind.INCIDENT_CLOSED, "Ana", "", {})
    still = _figures([_frozen(11, 10)], now=50)
    left = _figures([_frozen(11, 10), closed], now=500)
    assert (still.downtime, still.is_down, still.reopened_at) == (timedelta(minutes=40), True, None)
    assert (left.downtime, left.is_down) == (timedelta(minutes=50), True)


def test_an_unproven_freeze_without_a_time_or_a_503_is_no_downtime():
    """Nothing shows that the application ever went down, so no downtime is claimed."""
    rows: list[Row] = [(11, Kind.FROZEN, "backout", "", {"proven": False, "http_status": 200})]
    assert _figures(rows).downtime is None


def test_an_undone_cut_over_is_no_cut_over():
    """After an undo production holds what it held before, until another cut-over is done."""
    done: Row = (20, Kind.CUTOVER_DONE, "backout", "", {"duration_s": 1})
    undo: Row = (25, Kind.UNDO_DONE, "backout", "", {})
    again: Row = (40, Kind.CUTOVER_DONE, "backout", "", {"duration_s": 1})
    assert _figures([done, undo]).cut_over_at is None
    assert _figures([done, undo, again]).cut_over_at == at(40)


def test_clocks_that_contradict_each_other_give_no_figure():
    """A migration that ended after it was reported gives no negative time; the report says it is not recorded."""
    rows: list[Row] = [
        (5, Kind.INCIDENT_OPENED, "Ana", "", {}),
        (6, Kind.ASSESSED, "backout", "", {"migrated_at": iso(9)}),
    ]
    figures = _figures(rows)
    assert figures.since_migration(figures.detected_at) is None
