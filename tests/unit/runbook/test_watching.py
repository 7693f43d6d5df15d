"""Which errors after reopening are worth an alarm."""

from __future__ import annotations

import pytest

from bot.runbook.watching import Seen, rates_of


@pytest.mark.parametrize(
    ("rates", "count", "is_rise"),
    [
        (None, 1, True),
        ({}, 1, True),
        ({"k": 0.0}, 4, False),
        ({"k": 0.0}, 5, True),
        ({"k": 100.0}, 150, False),
        ({"k": 100.0}, 151, True),
    ],
)
def test_a_rise(rates: dict[str, float] | None, count: int, is_rise: bool) -> None:
    """A new kind is one at once; a known kind only where it comes far more often than before the incident."""
    seen = Seen(counts={"k": count}, rates=rates, hours=0.5)
    assert (seen.rises == ("k",)) is is_rise


def test_an_alarm_is_not_repeated_for_each_record() -> None:
    """One alarm for a kind, and another one when there are ten times as many."""
    seen = Seen(counts={"a": 99, "b": 3}, rates={}, hours=0.1)
    assert seen.alarms({}) == ("a", "b")
    assert seen.alarms({"a": 10, "b": 3}) == ()
    assert seen.alarms({"a": 9, "b": 3}) == ("a",)


def test_what_is_told_of_a_kind() -> None:
    """Count, class and place, and how it was before; rises come first."""
    seen = Seen(counts={"old": 7, "new": 1}, rates={"old": 20.0}, hours=0.5)
    assert seen.lines() == (
        "1 × new (not seen before the incident)",
        "7 × old (before the incident 20 an hour)",
    )
    assert Seen(counts={"x": 2}, rates=None, hours=1).lines() == ("2 × x",)


def test_a_short_log_counts_as_an_hour() -> None:
    """A log of minutes does not make a rate of thousands."""
    assert rates_of({"k": 6}, 0.1) == {"k": 6.0}
    assert rates_of({"k": 6}, 3.0) == {"k": 2.0}
