"""Salvage: what was written since the backup is put into the backup's copy, and nothing newer is written over."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.images.verbs import prove, salvage
from adapters.host_reader.sqlite_salvage import sqlite_salvage
from adapters.host_reader.sqlite_verbs import sqlite_fingerprint, sqlite_prove, sqlite_repair
from tests.unit.rows.image_cases import fake_case, opened
from tests.unit.rows.shapes import Case, build_case, rows, run, value

TABLES = ("migrations", "users", "pictures", "remarks", "picture_tag", "sessions")


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Return the incident with the loaded backup as scratch."""
    made = build_case(tmp_path)
    shutil.copy(made.baseline, made.scratch)
    return made


def content(path: Path) -> dict[str, list[str]]:
    """Return all rows of all tables, sorted, whatever the order of the columns."""
    found = {}
    for table in TABLES:
        names = sorted(row[1] for row in rows(path, f"PRAGMA table_info({table})"))
        found[table] = sorted(map(repr, rows(path, f"SELECT {', '.join(names)} FROM {table}")))
    return found


def test_it_ends_as_a_repair_would(case: Case, tmp_path: Path) -> None:
    """Salvage and repair come from two sides to the same content, and the proof agrees."""
    (tmp_path / "other").mkdir()
    other = build_case(tmp_path / "other")
    sqlite_repair(other.request())
    answer = sqlite_salvage(case.request())
    assert content(case.scratch) == content(other.scratch)
    assert answer["put_back_rows"] == {"pictures": 1, "remarks": 1}
    assert answer["put_back_values"]["pictures.place"] == 1
    assert (answer["collisions"], answer["not_salvaged"]) == ({}, {})
    proof = sqlite_prove(case.request())
    assert (proof["proven"], proof["reasons"], proof["totals"]["rows_lost"]) == (True, [], 0)


def test_it_is_done_once(case: Case) -> None:
    """The same request again tells the same answer."""
    first, second = sqlite_salvage(case.request()), sqlite_salvage(case.request())
    assert (first.pop("attached"), second.pop("attached")) == (False, True)
    assert first == second


def test_without_a_decision_nothing_is_changed(case: Case) -> None:
    """Rows that live has no more need a decision per table."""
    before = sqlite_fingerprint({"path": str(case.scratch)})["fingerprint"]
    with pytest.raises(Refusal) as refused:
        sqlite_salvage(case.request(decisions={}))
    assert refused.value.kind == "decision_needed"
    assert sqlite_fingerprint({"path": str(case.scratch)})["fingerprint"] == before


def test_left_rows_go(case: Case) -> None:
    """What people deleted since is deleted in the backup's copy too, a row without a key included."""
    request = case.request(decisions={"remarks": "restore", "pictures": "leave", "picture_tag": "leave"})
    sqlite_salvage(request)
    assert value(case.scratch, "SELECT count(*) FROM pictures WHERE id = 7") == 0
    assert value(case.scratch, "SELECT count(*) FROM picture_tag WHERE picture_id = 7") == 0
    assert sqlite_prove(request)["proven"]


def test_a_row_without_a_needed_value_is_listed(case: Case) -> None:
    """A row since has no value for a column the old shape needs: it and its children are listed, not put in."""
    for path in (case.baseline, case.scratch):
        run(
            path,
            "ALTER TABLE pictures ADD COLUMN size INTEGER NOT NULL DEFAULT 0; UPDATE pictures SET size = 1;",
        )
        # SQLite adds a NOT NULL column with a default only; without it the table is as a migration would make it.
        drop = "UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL DEFAULT 0', 'NOT NULL') WHERE name = 'pictures'"
        run(path, f"PRAGMA writable_schema=ON; {drop}; PRAGMA writable_schema=OFF;")
    answer = sqlite_salvage(case.request())
    assert answer["not_salvaged"]["pictures"]["keys"] == [90001]
    assert answer["not_salvaged"]["remarks"]["keys"] == [90002]
    assert answer["put_back_rows"] == {}
    proof = sqlite_prove(case.request())
    assert (proof["proven"], proof["totals"]["live_rows_lost"]) == (False, 2)


def test_a_needed_value_can_come_by_a_mapping(case: Case) -> None:
    """A row since gets its needed value from the new shape."""
    for path in (case.baseline, case.scratch):
        run(path, "UPDATE pictures SET note = 'n' WHERE note IS NULL;")
        need = "UPDATE sqlite_master SET sql = replace(sql, 'note TEXT', 'note TEXT NOT NULL') WHERE name = 'pictures'"
        run(path, f"PRAGMA writable_schema=ON; {need}; PRAGMA writable_schema=OFF;")
    answer = sqlite_salvage(case.request())
    assert answer["not_salvaged"] == {}
    assert value(case.scratch, "SELECT note FROM pictures WHERE id = 90001") == "note since"
    assert sqlite_prove(case.request())["proven"]


def test_a_unique_value_in_use_is_a_collision(case: Case) -> None:
    """Two rows of live that cannot both be in the old shape: one stands, the other is listed."""
    run(
        case.live,
        "PRAGMA foreign_keys=OFF; CREATE TABLE people AS SELECT * FROM users; DROP TABLE users;"
        "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL, created_at TEXT);"
        "INSERT INTO users SELECT * FROM people; DROP TABLE people;"
        "INSERT INTO users VALUES (60, 'u2@example.org', '2025-12-01');",
    )
    answer = sqlite_salvage(case.request())
    assert answer["collisions"]["users"]["keys"] == [60]
    assert value(case.scratch, "SELECT count(*) FROM users") == 5


def test_a_value_that_the_old_shape_cannot_take_is_a_collision(case: Case) -> None:
    """It is listed and passed over, and counted among what was put back in no way."""
    run(
        case.live,
        "PRAGMA foreign_keys=OFF; CREATE TABLE people AS SELECT * FROM users; DROP TABLE users;"
        "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL, created_at TEXT);"
        "INSERT INTO users SELECT * FROM people; DROP TABLE people;"
        "UPDATE users SET email = 'u2@example.org' WHERE id = 1",
    )
    answer = sqlite_salvage(case.request())
    assert answer["collisions"]["users.email"]["keys"] == [1]
    assert answer["put_back_values"]["users.email"] == 0


def test_a_newer_row_keeps_its_key(case: Case) -> None:
    """A key used by another thing since: the newer row stands and the backup's is listed."""
    run(case.live, "UPDATE pictures SET created_at = '2025-12-01', place = 'other' WHERE id = 8")
    answer = sqlite_salvage(case.request())
    assert rows(case.scratch, "SELECT place, note FROM pictures WHERE id = 8") == [("other", None)]
    assert answer["key_reused"]["pictures"]["keys"] == [8]
    assert sqlite_prove(case.request())["proven"]


def test_a_column_rewritten_as_a_whole_keeps_the_backups_values(case: Case) -> None:
    """What the migration did to every row is not put over the backup's values; a decision can ask for it."""
    run(case.live, "UPDATE pictures SET place = upper(place) WHERE id <> 5")
    answer = sqlite_salvage(case.request())
    assert answer["converted"] == ["pictures.place"]
    assert value(case.scratch, "SELECT place FROM pictures WHERE id = 9") == "place 2"


def test_rows_without_a_key_are_counted(case: Case) -> None:
    """A table without a key gets what live has more often, and loses what live has less often where that is left."""
    run(
        case.live,
        "INSERT INTO picture_tag VALUES (1, 1), (1, 1); DELETE FROM picture_tag WHERE picture_id = 9;",
    )
    request = case.request(decisions={"remarks": "restore", "pictures": "leave", "picture_tag": "leave"})
    sqlite_salvage(request)
    live, scratch = (
        rows(path, "SELECT * FROM picture_tag ORDER BY 1, 2") for path in (case.live, case.scratch)
    )
    assert live == scratch
    assert sqlite_prove(request)["proven"]


def test_on_a_server_it_is_the_same(tmp_path: Path) -> None:
    """The salvage worked out on images reaches the server's scratch database and is proven there."""
    server, request = fake_case(tmp_path)
    shutil.copy(server.path("backout_base"), server.path("backout_scratch"))
    answer = salvage(request, opened(server))
    assert answer["put_back_rows"] == {"pictures": 1, "remarks": 1}
    assert value(server.path("backout_scratch"), "SELECT note FROM pictures WHERE id = 4") == "edited since"
    assert prove(request, opened(server))["proven"]
