"""The loss table tells lost from moved, the migration's doing from people's, and one row from another of its key."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from adapters.host_reader.sqlite_verbs import sqlite_compare
from tests.unit.rows.shapes import Case, build_before, build_case, run

IGNORED = ["sessions", "migrations"]


def compare(before: Path, after: Path, **more: Any) -> dict[str, Any]:
    return sqlite_compare({"before": str(before), "after": str(after), "ignore_tables": IGNORED, **more})


def after_change(folder: Path, *statements: str) -> dict[str, Any]:
    """Return the loss table between a fresh database and a copy on which statements ran."""
    build_before(folder / "before")
    shutil.copy(folder / "before", folder / "after")
    run(folder / "after", *statements)
    return compare(folder / "before", folder / "after")


def test_the_real_case_is_a_loss_with_its_numbers(tmp_path: Path) -> None:
    """The dropped column and the emptied child table are the migration's; single missing rows are people's."""
    case = build_case(tmp_path)
    found = compare(case.baseline, case.live)
    tables = found["tables"]
    assert found["loss"] == "loss"
    assert tables["pictures"]["columns"]["note"]["values_lost"] == 39
    assert (tables["remarks"]["missing"], tables["remarks"]["missing_suspect"]) == (120, "migration")
    assert (tables["pictures"]["missing"], tables["pictures"]["missing_suspect"]) == (1, "people")
    assert tables["pictures"]["lists"]["changed"]["keys"] == [5]
    assert found["totals"]["tables_shrunk"] == ["picture_tag", "remarks"]


def test_counts_add_up(tmp_path: Path) -> None:
    """Before and after are each matched, reused and missing or new, to the row."""
    case = build_case(tmp_path)
    run(case.live, "UPDATE pictures SET created_at = 'another' WHERE id = 9")
    for entry in compare(case.baseline, case.live)["tables"].values():
        assert entry["rows_before"] == entry["matched"] + entry["reused_keys"] + entry["missing"]
        assert entry["rows_after"] == entry["matched"] + entry["reused_keys"] + entry["new"]


def test_nothing_lost_is_none(tmp_path: Path) -> None:
    """New rows and edits are no loss."""
    found = after_change(
        tmp_path,
        "UPDATE pictures SET place = 'x' WHERE id < 4; INSERT INTO users VALUES (50, 'n@example.org', 'now');",
    )
    assert (found["loss"], found["totals"]["rows_changed"], found["totals"]["rows_new"]) == ("none", 3, 1)


def test_a_few_rows_deleted_by_people_are_missing_rows(tmp_path: Path) -> None:
    """Less than half of a table gone is no loss of the migration, but is said."""
    found = after_change(tmp_path, "DELETE FROM remarks WHERE id IN (1, 2)")
    assert (found["loss"], found["tables"]["remarks"]["missing_suspect"]) == ("missing_rows", "people")


def test_values_in_a_renamed_column_are_moved(tmp_path: Path) -> None:
    """A column of another name with the same values by key is no loss."""
    found = after_change(tmp_path, "ALTER TABLE pictures RENAME COLUMN note TO caption_text;")
    note = found["tables"]["pictures"]["columns"]["note"]
    assert (note["values_lost"], note["moved_to"], note["moved_by"]) == (0, "pictures.caption_text", "key")
    assert found["loss"] == "none"


def test_values_moved_into_a_new_table_are_found_by_key(tmp_path: Path) -> None:
    """A good migration, which copies before it drops, is no loss."""
    found = after_change(
        tmp_path,
        """CREATE TABLE entries (id INTEGER PRIMARY KEY, note TEXT);
        ALTER TABLE pictures ADD COLUMN entry_id INTEGER;
        INSERT INTO entries SELECT id + 1000, note FROM pictures; UPDATE pictures SET entry_id = id + 1000;
        ALTER TABLE pictures DROP COLUMN note;""",
    )
    note = found["tables"]["pictures"]["columns"]["note"]
    assert (note["values_moved"], note["moved_to"], note["moved_by"]) == (40, "entries.note", "key")
    assert found["loss"] == "none"


def test_values_of_a_child_table_that_points_back_are_found(tmp_path: Path) -> None:
    """The new table may hold the key of the old one instead."""
    found = after_change(
        tmp_path,
        """CREATE TABLE notes (id INTEGER PRIMARY KEY, picture_id INTEGER, words TEXT);
        INSERT INTO notes (picture_id, words) SELECT id, note FROM pictures WHERE id <= 30 AND note IS NOT NULL;
        ALTER TABLE pictures DROP COLUMN note;""",
    )
    note = found["tables"]["pictures"]["columns"]["note"]
    assert (note["values_moved"], note["values_lost"], note["moved_to"]) == (20, 20, "notes.words")


def test_values_without_a_way_by_key_are_found_by_multiset(tmp_path: Path) -> None:
    """Where nothing ties the rows together, equal texts in a new column are taken as moved, and said so."""
    found = after_change(
        tmp_path,
        """CREATE TABLE words (word TEXT); INSERT INTO words SELECT note FROM pictures WHERE note IS NOT NULL;
        ALTER TABLE pictures DROP COLUMN note;""",
    )
    note = found["tables"]["pictures"]["columns"]["note"]
    assert (note["values_moved"], note["moved_by"]) == (40, "multiset")
    assert (found["loss"], found["totals"]["columns_moved_unproven"]) == ("rewritten", ["pictures.note"])


def test_flags_that_agree_by_chance_are_not_moved(tmp_path: Path) -> None:
    """A dropped flag is not found again in an unrelated new column of zeros and ones."""
    build_before(tmp_path / "before")
    run(
        tmp_path / "before",
        "ALTER TABLE pictures ADD COLUMN is_open INTEGER; UPDATE pictures SET is_open = 1;",
    )
    shutil.copy(tmp_path / "before", tmp_path / "after")
    run(
        tmp_path / "after",
        "ALTER TABLE pictures DROP COLUMN is_open; ALTER TABLE pictures ADD COLUMN is_new INTEGER DEFAULT 1;",
    )
    found = compare(tmp_path / "before", tmp_path / "after")
    assert found["tables"]["pictures"]["columns"]["is_open"]["values_lost"] == 60


def test_a_renamed_table_is_moved_and_a_dropped_one_lost(tmp_path: Path) -> None:
    """Rows under another table name are kept; rows of a table that is gone are the migration's loss."""
    renamed = after_change(tmp_path, "ALTER TABLE remarks RENAME TO comments;")
    assert (renamed["tables"]["remarks"]["moved_to"], renamed["loss"]) == (["comments"], "none")
    (tmp_path / "b").mkdir()
    dropped = after_change(tmp_path / "b", "DROP TABLE remarks;")
    assert (dropped["tables"]["remarks"]["missing_suspect"], dropped["totals"]["rows_lost"]) == (
        "migration",
        120,
    )


def test_a_key_used_again_is_another_row(tmp_path: Path) -> None:
    """The same key with another created_at counts as reused, neither matched nor changed."""
    found = after_change(
        tmp_path,
        "PRAGMA foreign_keys=OFF; DELETE FROM users WHERE id = 5;"
        "INSERT INTO users VALUES (5, 'new@example.org', '2025-12-01 00:00:00');",
    )
    users = found["tables"]["users"]
    assert (users["reused_keys"], users["changed"], users["lists"]["reused_keys"]["keys"]) == (1, 0, [5])


def test_a_time_that_changes_in_normal_use_is_no_other_row(tmp_path: Path) -> None:
    """Where created_at agrees, a later `read_at` makes the row changed, not another one."""
    build_before(tmp_path / "before")
    run(
        tmp_path / "before",
        "ALTER TABLE remarks ADD COLUMN read_at TEXT; UPDATE remarks SET read_at = 'then';",
    )
    shutil.copy(tmp_path / "before", tmp_path / "after")
    run(tmp_path / "after", "UPDATE remarks SET read_at = 'now' WHERE id = 1;")
    remarks = compare(tmp_path / "before", tmp_path / "after")["tables"]["remarks"]
    assert (remarks["changed"], remarks["reused_keys"]) == (1, 0)


def test_a_table_without_key_is_compared_as_a_multiset(tmp_path: Path) -> None:
    """Of two equal rows one that is gone is missing, and the table is said to be ambiguous."""
    build_before(tmp_path / "before")
    run(tmp_path / "before", "INSERT INTO picture_tag VALUES (90, 3), (90, 3);")
    shutil.copy(tmp_path / "before", tmp_path / "after")
    run(tmp_path / "after", "DELETE FROM picture_tag WHERE rowid = (SELECT max(rowid) FROM picture_tag);")
    tags = compare(tmp_path / "before", tmp_path / "after")["tables"]["picture_tag"]
    assert (tags["missing"], tags["new"], tags["key"], tags["ambiguous"]) == (1, 0, [], True)


def test_a_column_cleared_as_a_whole_is_lost(tmp_path: Path) -> None:
    """A column that stays but whose values became NULL is a loss; one cleared value is looked at."""
    all_gone = after_change(tmp_path, "UPDATE pictures SET note = NULL;")
    assert all_gone["tables"]["pictures"]["columns"]["note"]["values_lost"] == 40
    (tmp_path / "b").mkdir()
    one_gone = after_change(tmp_path / "b", "UPDATE pictures SET note = NULL WHERE id = 1;")
    assert (one_gone["loss"], one_gone["tables"]["pictures"]["columns"]["note"]["nulled"]) == (
        "rewritten",
        1,
    )


def test_complete_lists_stay_on_the_host_and_hold_keys_only(tmp_path: Path) -> None:
    """The answer has some keys, the private file all, and neither has a value."""
    case: Case = build_case(tmp_path)
    (tmp_path / "lists").mkdir()
    found = compare(case.baseline, case.live, lists_folder=str(tmp_path / "lists"), sample_keys=3)
    missing = found["tables"]["remarks"]["lists"]["missing"]
    assert (missing["count"], missing["keys"]) == (120, [1, 2, 3])
    file = Path(missing["file"])
    assert [json.loads(line) for line in file.read_text().splitlines()] == list(range(1, 121))
    assert file.stat().st_mode & 0o777 == 0o600
    assert "note " not in json.dumps(found)


def test_text_keys_that_may_be_private_are_not_shown(tmp_path: Path) -> None:
    """An e-mail address or a session's token as primary key leaves the host as a hash only."""
    for name, content in (("before", "('ann@example.org'), ('secrettoken')"), ("after", "('x')")):
        run(tmp_path / name, f"CREATE TABLE t (k TEXT PRIMARY KEY); INSERT INTO t VALUES {content};")
    said = json.dumps(compare(tmp_path / "before", tmp_path / "after"))
    assert "example.org" not in said
    assert "secrettoken" not in said
    assert said.count("hash:") == 3
