"""The site's checks only read, and orphans are counted without an index (HAZARDS V1, V5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_verbs import sqlite_check, sqlite_fingerprint, sqlite_orphans
from tests.unit.rows.shapes import build_before, run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    build_before(tmp_path / "db")
    return tmp_path / "db"


def checked(path: Path, sql: str, expect: object = 0, **more: Any) -> dict[str, Any]:
    request = {"path": str(path), "checks": [{"name": "c", "sql": sql, "expect": expect}], **more}
    found: dict[str, Any] = sqlite_check(request)["checks"][0]
    return found


@pytest.mark.parametrize(
    ("expect", "passed"),
    [(60, True), ("60", True), ("> 0", True), (">= 61", False), ("!=60", False), ("< 61", True)],
)
def test_a_count_is_compared(path: Path, expect: object, passed: bool) -> None:
    """The value and whether it is as expected are told."""
    found = checked(path, "SELECT count(*) FROM pictures", expect)
    assert (found["value"], found["passed"], found["error"]) == (60, passed, None)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM pictures",
        "PRAGMA user_version=3",
        "ATTACH 'other.sqlite' AS x",
        "CREATE TABLE x (a)",
        "SELECT load_extension('x')",
        "SELECT 1; DELETE FROM users",
        "VACUUM",
    ],
)
def test_a_check_that_does_more_than_read_is_refused(path: Path, sql: str) -> None:
    """It does not pass, and the database is as it was."""
    before = sqlite_fingerprint({"path": str(path)})["fingerprint"]
    found = checked(path, sql, "!= -1")
    assert not found["passed"]
    assert found["error"]
    assert sqlite_fingerprint({"path": str(path)})["fingerprint"] == before


@pytest.mark.parametrize(
    "sql",
    ["SELECT note FROM pictures WHERE id = 1", "SELECT id FROM pictures", "SELECT 1, 2", "SELECT 1 WHERE 0"],
)
def test_only_one_whole_number_is_an_answer(path: Path, sql: str) -> None:
    """Text, several rows, several columns or none is an error that tells no value."""
    found = checked(path, sql)
    assert (found["value"], found["passed"]) == (None, False)
    assert found["error"] == "the check must give exactly one whole number"


def test_a_check_without_end_is_ended(path: Path) -> None:
    """After its time limit it is an error, and the next check still runs."""
    endless = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    checks = [{"name": "a", "sql": endless, "expect": 0}, {"name": "b", "sql": "SELECT 0", "expect": 0}]
    found = sqlite_check({"path": str(path), "checks": checks, "time_limit_s": 0.2})["checks"]
    assert [(each["passed"], each["error"]) for each in found] == [
        (False, "it took longer than allowed"),
        (True, None),
    ]


def test_an_expectation_that_cannot_be_read_is_refused(path: Path) -> None:
    """Before anything runs."""
    with pytest.raises(Refusal, match="expect"):
        checked(path, "SELECT 0", "many")


def test_orphans_are_counted_per_foreign_key(path: Path) -> None:
    """Each foreign key has its count; nothing is added to the database."""
    run(
        path, "PRAGMA foreign_keys=OFF; DELETE FROM pictures WHERE id <= 3; DELETE FROM remarks WHERE id = 3;"
    )
    before = sqlite_fingerprint({"path": str(path)})["fingerprint"]
    found = sqlite_orphans({"path": str(path)})
    counts = {(each["table"], each["parent"]): each["violations"] for each in found["foreign_keys"]}
    assert counts == {("pictures", "users"): 0, ("remarks", "pictures"): 6, ("remarks", "remarks"): 1}
    assert found["complete"]
    assert sqlite_fingerprint({"path": str(path)})["fingerprint"] == before


def test_a_count_that_takes_too_long_is_open(path: Path) -> None:
    """Without time left a count is None and the answer says that it is not complete."""
    rows = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 60000)"
    run(path, f"{rows} INSERT INTO remarks (picture_id, body) SELECT 1, 'x' FROM n;")
    found = sqlite_orphans({"path": str(path), "time_limit_s": 0})
    assert not found["complete"]
