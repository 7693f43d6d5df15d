"""What proves a restored backup, and how a drill is told."""

from __future__ import annotations

from typing import Any

import pytest

from bot.runbook.drills import drill_facts, drill_reasons, drill_words, room_refusal

BACKUP = {"file": "shop.sql", "size_bytes": 2_000_000, "rows": 1200}
GOOD = {"verdict": "good", "reasons": [], "backup": BACKUP, "total_s": 60.0}


def reasons(**more: Any) -> list[str]:
    found: dict[str, Any] = {
        "expected": {"orders": 3},
        "loaded": {"orders": 3, "migrations": 1},
        "foreign_key_violations": 0,
        "unknown_migrations": [],
        "failed_checks": [],
    }
    return drill_reasons(**{**found, **more})


def test_what_the_manifest_tells_and_keys_that_hold_are_a_proof() -> None:
    """Nothing stands against it."""
    assert reasons() == []


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"loaded": {"orders": 2}}, "orders has 2 rows, and the backup holds 3"),
        ({"expected": {}, "loaded": {"orders": 0}}, "it holds no rows"),
        ({"foreign_key_violations": 4}, "4 rows point to rows that are not there"),
        ({"unknown_migrations": ["m"]}, "the application does not know its migrations m"),
        ({"failed_checks": ["totals (3, expected 0)"]}, "check failed: totals (3, expected 0)"),
    ],
)
def test_what_is_no_proof(more: dict[str, Any], reason: str) -> None:
    """Each is named in its own words."""
    assert reasons(**more) == [reason]


@pytest.mark.parametrize(
    ("size", "free", "refused"), [(100, 120, False), (100, 119, True), (0, 1, False), (100, 0, False)]
)
def test_there_must_be_room_for_a_copy(size: int, free: int, refused: bool) -> None:
    """A fifth more than the database; what is not known is left to the load itself, which looks too."""
    assert (room_refusal(size, free) is not None) == refused


def test_the_sentence_and_its_trend() -> None:
    """The first drill tells its time, later ones also the usual; a much slower one is told so."""
    assert drill_words("shop", GOOD) == (
        "The drill of shop restored shop.sql (2.0 MB, 1,200 rows) and proved it in 1 min 0 s."
    )
    earlier = [{**GOOD, "total_s": 50.0}, {"verdict": "bad", "total_s": 1.0}, {**GOOD, "total_s": None}]
    assert drill_words("shop", GOOD, earlier).endswith("in 1 min 0 s (usual: 50 s).")
    slow = {**GOOD, "total_s": 120.0}
    assert drill_words("shop", slow, earlier).endswith("in 2 min 0 s, much slower than usual (usual: 50 s).")
    assert "its time is not known" in drill_words("shop", {**GOOD, "total_s": None}, earlier)


def test_the_two_other_ends() -> None:
    """A failed drill and one that could not be made are different sentences."""
    bad = {"verdict": "bad", "reasons": ["it is cut short"], "backup": None}
    assert drill_words("shop", bad) == "The drill of shop FAILED: it is cut short."
    assert "could not be made" in drill_words("shop", {**bad, "verdict": "unknown"})


def test_a_backup_that_grew_may_take_longer() -> None:
    """Three times the time for three times the rows is no word worth; for the same rows it is."""
    earlier = [{**GOOD, "total_s": 50.0}]
    slow = {**GOOD, "total_s": 150.0}
    assert "much slower than usual" in drill_words("shop", slow, earlier)
    assert "much slower" not in drill_words("shop", {**slow, "backup": {**BACKUP, "rows": 3600}}, earlier)


def test_the_pace_is_told_beside_the_times() -> None:
    """Time against size: how much of the backup is loaded in a second, in bytes and in rows."""
    drill = {**GOOD, "search_s": 2.0, "load_s": 40.0, "proof_s": 18.0}
    assert drill_facts(drill) == (
        ("finding and reading the backup", "2 s"),
        ("loading it", "40 s"),
        ("proving it", "18 s"),
        ("pace of loading", "50.0 kB of the backup and 30 rows a second"),
    )
    assert drill_facts({**GOOD, "load_s": None}) == ()
