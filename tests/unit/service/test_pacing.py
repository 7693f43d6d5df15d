"""How fast a piece of work goes, and how long it still takes."""

from __future__ import annotations

import pytest

from bot.model.message import Progress
from bot.runbook.wording import duration_words, pace_words, scratch_right
from bot.service.pacing import Pacer


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def seen(done: int, total: int = 1000, what: str = "loading", unit: str = "rows") -> Progress:
    return Progress(what=what, done=done, total=total, unit=unit)


def test_a_rate_is_told_once_it_means_something() -> None:
    """At the start nothing is told; after a while the mean since the start, and the time that is left."""
    watch = Watch()
    pacer = Pacer(watch)
    assert pacer.paced(seen(100)).rate_per_s is None
    watch.at += 1
    assert pacer.paced(seen(150)).rate_per_s is None
    watch.at += 4
    paced = pacer.paced(seen(600))
    assert (paced.rate_per_s, paced.left_s) == (100, 4)


def test_the_next_part_of_the_work_has_a_rate_of_its_own() -> None:
    """When the work goes on to something else, or begins again, the rate of before is forgotten."""
    watch = Watch()
    pacer = Pacer(watch)
    pacer.paced(seen(0))
    watch.at += 10
    assert pacer.paced(seen(900)).rate_per_s == 90
    assert pacer.paced(seen(900, what="indexes")).rate_per_s is None
    assert pacer.paced(seen(0, what="indexes")).rate_per_s is None
    watch.at += 2
    assert pacer.paced(seen(10, what="indexes")).rate_per_s == 5


def test_of_an_unknown_whole_no_end_is_told() -> None:
    """Without a total there is a rate and no time left; work that stands still has neither."""
    watch = Watch()
    pacer = Pacer(watch)
    pacer.paced(seen(0, total=0))
    watch.at += 10
    assert pacer.paced(seen(50, total=0)).left_s is None
    assert Pacer(watch).paced(seen(50)).rate_per_s is None


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (seen(10), ""),
        (
            Progress(what="w", done=1200, total=5000, unit="rows", rate_per_s=400.4, left_s=9.5),
            "1,200 of 5,000 rows, 400 rows/s, about 10 s left",
        ),
        (
            Progress(what="w", done=12 * 10**8, total=34 * 10**8, unit="bytes", rate_per_s=25.1e6, left_s=88),
            "1.2 GB of 3.4 GB, 25.1 MB/s, about 1 min 28 s left",
        ),
        (Progress(what="w", done=70, total=0, unit="parts", rate_per_s=7), "70 parts, 7 parts/s"),
    ],
)
def test_a_pace_in_words(progress: Progress, words: str) -> None:
    """Bytes are told as sizes, everything else with its unit; what is not known is left out."""
    assert pace_words(progress) == words


def test_the_right_that_is_missing_is_named_as_the_engine_writes_it() -> None:
    """MariaDB's pattern needs its backslash; PostgreSQL needs a role's right; SQLite is never asked."""
    assert "GRANT ALL PRIVILEGES ON `backout\\_%`.* TO" in scratch_right("mariadb")
    assert "CREATEDB" in scratch_right("pgsql")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(9.4, "9 s"), (88, "1 min 28 s"), (7500, "2 h 5 min"), (4 * 86400, "4 days")],
)
def test_a_span_in_words(seconds: float, words: str) -> None:
    """A span is told in two units at most."""
    assert duration_words(seconds) == words
