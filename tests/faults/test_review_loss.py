"""What a loss table may never call "none": each case is a migration that destroyed data and left the table's shape alone."""

from __future__ import annotations

import shutil
from pathlib import Path

from adapters.host_reader.sqlite_verbs import sqlite_compare
from adapters.sqlite_database.database import SqliteDatabase
from bot.model.database import Loss
from bot.runbook.wording import loss_sentence
from tests.unit.rows.shapes import build_before, run


def loss_after(folder: Path, *statements: str) -> Loss:
    """Return the loss table, as the bot reads it, of a fresh database and a copy on which statements ran."""
    build_before(folder / "before")
    shutil.copy(folder / "before", folder / "after")
    run(folder / "after", *statements)
    work = SqliteDatabase().compare(
        str(folder / "before"), str(folder / "after"), ["sessions", "migrations"], None
    )
    return work.read(sqlite_compare(dict(work.request)))


def test_values_set_to_null_in_a_third_of_a_column_are_not_no_loss(tmp_path: Path) -> None:
    """Values that became NULL are gone, however small their share: the verdict is not "none"."""
    loss = loss_after(tmp_path, "UPDATE pictures SET place = NULL WHERE id % 3 = 0")
    assert loss.verdict != "none"


def test_the_sentence_never_says_that_every_value_is_there_when_some_became_null(tmp_path: Path) -> None:
    """ "Every row and value of the backup is still there" is said only where that is so."""
    loss = loss_after(tmp_path, "UPDATE pictures SET place = NULL WHERE id % 3 = 0")
    assert "Every row and value" not in loss_sentence(loss)


def test_values_cut_short_in_a_third_of_the_rows_are_not_no_loss(tmp_path: Path) -> None:
    """A column made shorter cuts only the long values: the verdict is not "none", as nobody edits a third at once."""
    loss = loss_after(tmp_path, "UPDATE pictures SET note = substr(note, 1, 2) WHERE id % 3 = 1")
    assert loss.verdict != "none"


def test_a_third_of_the_rows_deleted_is_missing_rows(tmp_path: Path) -> None:
    """Who deleted a third of a table the counts cannot tell: it is not summed up as no loss, and the rows are told."""
    loss = loss_after(tmp_path, "DELETE FROM remarks WHERE id > 80")
    assert (loss.verdict, loss.rows_missing, loss.tables_shrunk) == ("missing_rows", 40, ("remarks",))
    assert "40 rows" in loss_sentence(loss)


def test_a_status_column_is_not_found_again_in_a_new_column_of_equal_words(tmp_path: Path) -> None:
    """A dropped column of two words has not moved to a new column that happens to hold the same two words."""
    build_before(tmp_path / "before")
    run(
        tmp_path / "before",
        "ALTER TABLE pictures ADD COLUMN state TEXT",
        "UPDATE pictures SET state = CASE WHEN id % 2 THEN 'draft' ELSE 'public' END",
    )
    shutil.copy(tmp_path / "before", tmp_path / "after")
    run(
        tmp_path / "after",
        "ALTER TABLE pictures DROP COLUMN state",
        "ALTER TABLE remarks ADD COLUMN visible TEXT",
        "UPDATE remarks SET visible = CASE WHEN id % 2 THEN 'draft' ELSE 'public' END",
    )
    request = {
        "before": str(tmp_path / "before"),
        "after": str(tmp_path / "after"),
        "ignore_tables": ["sessions", "migrations"],
    }
    found = sqlite_compare(request)
    assert found["loss"] == "loss", found["tables"]["pictures"]["columns"]["state"]


def test_texts_that_moved_to_the_wrong_rows_are_not_found_again(tmp_path: Path) -> None:
    """Values copied into the new place shifted by one row stand there as a set, and belong to the wrong rows: a loss."""
    loss = loss_after(
        tmp_path,
        "CREATE TABLE entries (id INTEGER PRIMARY KEY AUTOINCREMENT, picture_id INTEGER, note TEXT)",
        "INSERT INTO entries (picture_id, note) SELECT p.id, (SELECT q.note FROM pictures q WHERE q.id = p.id % 60 + 1) FROM pictures p",
        "ALTER TABLE pictures DROP COLUMN note",
    )
    assert loss.verdict == "loss"


def test_a_texts_column_written_in_every_row_of_another_is_a_loss(tmp_path: Path) -> None:
    """All values of a column overwritten by one constant are not called no loss."""
    loss = loss_after(tmp_path, "UPDATE pictures SET note = 'n/a' WHERE note IS NOT NULL")
    assert loss.verdict != "none"
