"""How backups are judged, and when people are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.runbook.health import (
    Alarm,
    HealthLimits,
    HealthVerdict,
    alarm_data,
    alarm_of,
    health_reasons,
    health_words,
    next_alarm,
)

LIMITS = HealthLimits(max_age_s=26 * 3600, shrunk_below=0.5)
REMIND_S = 3600
AT = datetime(2026, 1, 31, 3, 0, tzinfo=UTC)
DAY = 86400


def backup(sha256: str = "new", **more: Any) -> dict[str, Any]:
    return {"file": "shop.sql", "age_s": 3600.0, "size_bytes": 100, "rows": 10, "sha256": sha256, **more}


EARLIER = [backup("a"), backup("b", size_bytes=104), backup("b", size_bytes=104)]


def test_a_fresh_backup_of_the_usual_size_is_good() -> None:
    """Nothing stands against it, whatever older files there are."""
    assert health_reasons(backup(), [], 9, EARLIER, LIMITS) == []


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (
            {"age_s": 3.0 * DAY},
            "the newest VERIFIED backup, shop.sql, is 3 days old; at most 26 h 0 min is asked for",
        ),
        ({"size_bytes": 50}, "shop.sql has 50 B; usual are 102 B"),
        ({"rows": 4}, "shop.sql has 4 rows; usual are 10 rows"),
    ],
)
def test_what_is_alarming(more: dict[str, Any], reason: str) -> None:
    """Age, size and rows are each held against their limit, with both numbers in the reason."""
    assert health_reasons(backup(**more), [], 9, EARLIER, LIMITS) == [reason]


def test_one_earlier_backup_is_no_trend() -> None:
    """What is usual is not known from one backup, looked at however often."""
    assert health_reasons(backup(size_bytes=1), [], 9, [backup("b"), backup("b")], LIMITS) == []


def test_no_good_backup() -> None:
    """Nothing there, and nothing that is any use, are two things."""
    bad = [{"path": "/b", "word": "REFUSED", "reasons": ["it is cut short"]}]
    assert health_reasons(None, [], 0, [], LIMITS) == ["there is no backup at all"]
    assert health_reasons(None, bad, 3, [], LIMITS) == [
        "no backup is VERIFIED (1 of 3 files read); the newest is REFUSED: it is cut short"
    ]


def told(*verdicts: str, every: timedelta = timedelta(minutes=30)) -> list[Alarm]:
    """Return the alarm after each of these checks."""
    alarms, before = [], Alarm()
    for number, verdict in enumerate(verdicts):
        before = next_alarm(before, HealthVerdict(verdict), AT + every * number, REMIND_S)
        alarms.append(before)
    return alarms


def test_an_alarm_rings_once_and_again_after_a_while() -> None:
    """Three bad checks within the time of a reminder ring once; the one an hour later rings again."""
    assert [a.rings for a in told("good", "bad", "bad", "bad", "bad")] == [0, 1, 1, 2, 2]


def test_the_next_alarm_has_a_number_of_its_own() -> None:
    """After it was good in between it is another alarm, since then."""
    first, over, second = told("bad", "good", "bad")
    assert (first.number, over.on, second.number, second.rings) == (1, False, 2, 1)
    assert second.since == (AT + timedelta(hours=1)).isoformat()


def test_one_check_that_could_not_be_made_is_no_alarm() -> None:
    """The second in a row is; while an alarm is on, not knowing does not end it."""
    assert [a.on for a in told("unknown", "good", "unknown", "unknown")] == [False, False, False, True]
    assert [a.on for a in told("bad", "unknown", "bad")] == [True, True, True]


def test_an_alarm_is_kept_as_data() -> None:
    """It comes back as it was written; without a check before there is none."""
    alarm = told("bad")[0]
    assert alarm_of({"alarm": alarm_data(alarm)}) == alarm
    assert alarm_of(None) == Alarm()


def test_the_sentence() -> None:
    """Verdict, file, size and age in one line."""
    good = {"verdict": "good", "reasons": [], "backup": backup()}
    bad = {"verdict": "bad", "reasons": ["there is no backup at all"], "backup": None}
    assert (
        health_words("shop", good)
        == "The backups of shop are good: shop.sql is VERIFIED, 100 B, 1 h 0 min old."
    )
    assert health_words("shop", bad) == "The backups of shop are NOT good: there is no backup at all."
