"""The verdict of a loss table: "none" is left only where no value is gone, cleared, misplaced or changed by the many."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from adapters.host_reader.sqlite_verbs import sqlite_compare
from adapters.sqlite_database.database import SqliteDatabase
from bot.model.database import Loss
from bot.runbook.wording import loss_sentence, loss_table
from tests.site.production import Production, build
from tests.unit.rows.shapes import build_before, run

IGNORED = ["sessions", "migrations", "jobs"]
MOVED = """
CREATE TABLE entries (id INTEGER PRIMARY KEY, note TEXT);
ALTER TABLE pictures ADD COLUMN entry_id INTEGER;
INSERT INTO entries SELECT id + 1000, note FROM pictures;
UPDATE pictures SET entry_id = id + 1000;
ALTER TABLE pictures DROP COLUMN note;
"""


def after_change(folder: Path, *statements: str, first: str = "") -> dict[str, Any]:
    """Return the loss table between a fresh database (changed by `first`) and a copy on which statements ran."""
    folder.mkdir(exist_ok=True)
    build_before(folder / "before")
    run(folder / "before", first)
    shutil.copy(folder / "before", folder / "after")
    run(folder / "after", *statements)
    return compare(folder / "before", folder / "after")


def compare(before: Path, after: Path) -> dict[str, Any]:
    return sqlite_compare({"before": str(before), "after": str(after), "ignore_tables": IGNORED})


def as_read(answer: dict[str, Any]) -> Loss:
    """Return the answer as the bot reads it."""
    work = SqliteDatabase().compare("before", "after", IGNORED, None)
    return work.read(json.loads(json.dumps(answer)))


def test_one_cleared_value_is_for_a_person_to_look_at(tmp_path: Path) -> None:
    """A value that became NULL in place is never "none", and no loss of the migration while they are few."""
    loss = as_read(after_change(tmp_path, "UPDATE pictures SET note = NULL WHERE id = 1"))
    assert (loss.verdict, loss.values_nulled, loss.values_lost) == ("rewritten", 1, 0)
    column = next(c for t in loss.tables for c in t.columns if c.nulled)
    assert (column.column, column.nulled) == ("note", 1)
    assert "1 values of `pictures.note` are NULL or empty now" in loss_sentence(loss)
    assert "values emptied" in loss_table(loss).columns


def test_an_emptied_text_is_a_cleared_value(tmp_path: Path) -> None:
    """'' in the place of a text is as gone as NULL: a few are looked at, half of a column is lost."""
    few = after_change(tmp_path / "few", "UPDATE pictures SET place = '' WHERE id = 1")
    assert (few["loss"], few["totals"]["values_nulled"]) == ("rewritten", 1)
    half = after_change(tmp_path / "half", "UPDATE pictures SET place = '' WHERE id % 2")
    assert (half["loss"], half["totals"]["values_lost"]) == ("loss", 30)


@pytest.mark.parametrize(("changed", "verdict"), [(4, "none"), (5, "rewritten"), (60, "rewritten")])
def test_values_changed_in_place_are_looked_at_from_a_twentieth_on(
    tmp_path: Path, changed: int, verdict: str
) -> None:
    """People edit a few values; five of sixty may be a migration's doing."""
    found = after_change(tmp_path, f"UPDATE pictures SET place = 'other' WHERE id <= {changed}")
    assert (found["loss"], found["totals"]["rows_changed"]) == (verdict, changed)
    assert found["totals"]["columns_rewritten"] == (["pictures.place"] if verdict == "rewritten" else [])


def test_a_few_changed_among_many_are_peoples_edits(tmp_path: Path) -> None:
    """Five of a hundred and twenty are below a twentieth; six are not."""
    five = after_change(tmp_path / "5", "UPDATE remarks SET body = 'other' WHERE id <= 5")
    six = after_change(tmp_path / "6", "UPDATE remarks SET body = 'other' WHERE id <= 6")
    assert (five["loss"], six["loss"]) == ("none", "rewritten")


def test_a_time_of_change_says_nothing(tmp_path: Path) -> None:
    """`updated_at` is another one in each row that was saved."""
    first = "UPDATE pictures SET updated_at = 'then'"
    assert after_change(tmp_path, "UPDATE pictures SET updated_at = 'now'", first=first)["loss"] == "none"


def test_filled_gaps_are_measured_by_the_gaps(tmp_path: Path) -> None:
    """A value typed where none was is no change of a value; all gaps of a column filled at once are looked at."""
    first = "UPDATE remarks SET parent_id = NULL WHERE id > 4"
    few = after_change(
        tmp_path / "few", "UPDATE remarks SET parent_id = 1 WHERE id BETWEEN 5 AND 9", first=first
    )
    all_of_them = after_change(
        tmp_path / "all", "UPDATE remarks SET parent_id = 1 WHERE parent_id IS NULL", first=first
    )
    assert (few["loss"], few["totals"]["rows_changed"]) == ("none", 5)
    assert all_of_them["totals"]["columns_rewritten"] == ["remarks.parent_id"]


@pytest.mark.parametrize(
    ("edited", "verdict", "lost"), [("= 1", "none", 0), ("<= 12", "rewritten", 0), ("<= 45", "loss", 30)]
)
def test_a_value_edited_in_its_new_place_was_moved_first(
    tmp_path: Path, edited: str, verdict: str, lost: int
) -> None:
    """Changed after a copy that is proven by the others: counted apart, not lost, and looked at where they are many."""
    found = after_change(
        tmp_path,
        MOVED,
        f"UPDATE entries SET note = 'edited ' || id WHERE id - 1000 {edited} AND note IS NOT NULL",
    )
    note = found["tables"]["pictures"]["columns"]["note"]
    assert (found["loss"], note["values_lost"]) == (verdict, lost)
    assert (
        note["values_before"] == note["values_moved"] + note["changed"] + note["nulled"] + note["values_lost"]
    )


def test_no_loss_never_says_every_value_when_some_were_changed(tmp_path: Path) -> None:
    """The sentence tells what was changed since, in place and in a new place."""
    edits = "UPDATE entries SET note = 'edited' WHERE id = 1001; UPDATE pictures SET place = 'x' WHERE id < 3"
    said = loss_sentence(as_read(after_change(tmp_path, MOVED, edits)))
    assert said == (
        "**No loss.** Every row of the backup is still there; 2 rows and 1 moved value were changed since"
        " (by people, as far as can be told). 39 values were moved to their new place."
    )


@pytest.mark.parametrize(("cleared", "verdict"), [("= 1001", "rewritten"), ("< 1015", "loss")])
def test_a_value_cleared_in_its_new_place_is_never_none(tmp_path: Path, cleared: str, verdict: str) -> None:
    """One may be a person's doing and is looked at; many were not copied."""
    found = after_change(tmp_path, MOVED, f"UPDATE entries SET note = NULL WHERE id {cleared}")
    assert found["loss"] == verdict


def test_values_found_only_as_a_set_are_looked_at(tmp_path: Path) -> None:
    """Equal texts that no key ties to their rows are neither lost nor proven, here: shifted by one row."""
    found = after_change(
        tmp_path,
        "CREATE TABLE words (id INTEGER PRIMARY KEY, note TEXT);"
        "INSERT INTO words SELECT id % 60 + 1, note FROM pictures; ALTER TABLE pictures DROP COLUMN note;",
    )
    loss = as_read(found)
    assert (loss.verdict, loss.columns_moved_unproven) == ("rewritten", ("pictures.note",))
    assert "wrong rows" in loss_sentence(loss)


def test_values_in_the_wrong_rows_of_a_linked_table_are_lost(tmp_path: Path) -> None:
    """Where a key leads to the new place, equal texts elsewhere in it are no find."""
    shifted = MOVED.replace("id + 1000, note", "id % 60 + 1001, note", 1)
    assert after_change(tmp_path, shifted)["totals"]["values_lost"] == 40


def test_words_that_some_child_happens_to_have_are_not_moved(tmp_path: Path) -> None:
    """A row with children of both words proves nothing about the word that it had itself."""
    found = after_change(
        tmp_path,
        "ALTER TABLE pictures DROP COLUMN state; ALTER TABLE remarks ADD COLUMN visible TEXT;"
        "UPDATE remarks SET visible = CASE WHEN id <= 60 THEN 'draft' ELSE 'public' END",
        first="ALTER TABLE pictures ADD COLUMN state TEXT;"
        "UPDATE pictures SET state = CASE WHEN id % 2 THEN 'draft' ELSE 'public' END",
    )
    assert (found["loss"], found["totals"]["values_lost"]) == ("loss", 60)


def test_a_default_under_the_same_name_is_no_copy(tmp_path: Path) -> None:
    """Mostly zeros agree with a new column of zeros; the few other numbers are lost, not edited."""
    found = after_change(
        tmp_path,
        MOVED
        + "ALTER TABLE entries ADD COLUMN rank INTEGER DEFAULT 0; ALTER TABLE pictures DROP COLUMN rank",
        first="ALTER TABLE pictures ADD COLUMN rank INTEGER DEFAULT 0; UPDATE pictures SET rank = id WHERE id = 9",
    )
    assert (found["loss"], found["tables"]["pictures"]["columns"]["rank"]["values_lost"]) == ("loss", 1)


def test_another_table_with_the_same_small_numbers_is_no_heir(tmp_path: Path) -> None:
    """A dropped list of three words has not moved to a new list of three others."""
    found = after_change(
        tmp_path,
        "DROP TABLE kinds; CREATE TABLE moods (id INTEGER PRIMARY KEY, name TEXT);"
        "INSERT INTO moods VALUES (1, 'x'), (2, 'y'), (3, 'z')",
        first="CREATE TABLE kinds (id INTEGER PRIMARY KEY, name TEXT);"
        "INSERT INTO kinds VALUES (1, 'a'), (2, 'b'), (3, 'c')",
    )
    assert (found["loss"], found["totals"]["rows_lost"]) == ("loss", 3)


def test_cleared_values_outweigh_missing_rows(tmp_path: Path) -> None:
    """Deleted rows do not hide that values were cleared, and are told with them."""
    loss = as_read(
        after_change(
            tmp_path, "DELETE FROM remarks WHERE id = 5; UPDATE pictures SET note = NULL WHERE id = 1"
        )
    )
    assert loss.verdict == "rewritten"
    assert "1 rows of the backup are gone" in loss_sentence(loss)


@pytest.fixture(scope="module")
def correct(tmp_path_factory: pytest.TempPathFactory) -> Production:
    """Return a site on which the right migration ran, and people uploaded, edited and deleted since. Read it only."""
    return build(tmp_path_factory.mktemp("site") / "production", photos=2_000, migration="correct", run=False)


def test_the_right_migration_lost_nothing(correct: Production) -> None:
    """Captions with duplicates, gaps and empty texts are found by key; two were edited since, and nobody deleted."""
    found = compare(correct.oracle_path / "before.sqlite", correct.database_path)
    caption = found["tables"]["photos"]["columns"]["caption"]
    assert (found["loss"], found["totals"]["values_lost"]) == ("none", 0)
    assert (caption["moved_to"], caption["moved_by"], caption["changed"]) == ("posts.caption", "key", 2)


def test_the_right_migration_with_deletions_since_lost_no_value(correct: Production, tmp_path: Path) -> None:
    """Rows that people deleted since are told as rows that are gone, and no value as lost."""
    shutil.copy(correct.database_path, tmp_path / "after")
    run(tmp_path / "after", "DELETE FROM comments WHERE id IN (SELECT id FROM comments ORDER BY id LIMIT 3);")
    found = compare(correct.oracle_path / "before.sqlite", tmp_path / "after")
    assert (found["loss"], found["totals"]["rows_missing"], found["totals"]["values_lost"]) == (
        "missing_rows",
        3,
        0,
    )
