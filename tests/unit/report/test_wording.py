"""Numbers, sizes, durations and lists as they are written in the report."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.report.wording import count_words, counted, duration_words, listed, size_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.024, "0.02 s"),
        (6.4, "6.4 s"),
        (59.6, "1 min"),
        (59.4, "59 s"),
        (2472, "41 min 12 s"),
        (3599.7, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (86_400, "1 day"),
        (273_600, "3 days 4 h"),
        (-90, "minus 1 min 30 s"),
    ],
)
def test_durations(seconds: float, words: str):
    """A duration is written in its two largest units, rounded once."""
    assert duration_words(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (412_300_000, "412 MB"),
        (1_200_000_000, "1.2 GB"),
    ],
)
def test_sizes(size: int, words: str):
    """A size is written in powers of 1000 with two or three figures."""
    assert size_words(size) == words


def test_what_is_not_known_is_said():
    """None is never written as a number."""
    assert {count_words(None), duration_words(None), size_words(None)} == {"not recorded"}
    assert counted(None, "row") == "rows: not recorded"


def test_lists_read_as_sentences():
    """One, two and three items; none gives nothing."""
    assert [listed(items) for items in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
