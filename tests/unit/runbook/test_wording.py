"""What people are shown: numbers as people read them, the worst first, and no word that is not so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.model.database import ColumnLoss, Loss, Proof, TableLoss
from bot.runbook.wording import (
    backup_table,
    bytes_words,
    findings_table,
    loss_sentence,
    loss_table,
    proof_facts,
)
from tests.playbooks.story import backup


def loss(verdict: str, *tables: TableLoss, **counts: int) -> Loss:
    plain: dict[str, Any] = {
        "rows_lost": 0,
        "values_lost": 0,
        "values_moved": 0,
        "rows_missing": 0,
        "rows_new": 0,
        "rows_changed": 0,
    }
    return Loss(verdict=verdict, tables=tables, **{**plain, **counts})


DROPPED = TableLoss(
    table="orders",
    status="both",
    rows_before=2_000,
    rows_after=2_010,
    matched=2_000,
    new=10,
    columns=(
        ColumnLoss(
            column="price", status="dropped", values_lost=1_234, values_moved=7, moved_to="bills.price"
        ),
    ),
)
GONE = TableLoss(
    table="notes", status="both", rows_before=5_000, rows_after=10, missing=4_990, missing_suspect="migration"
)
SAME = TableLoss(table="users", status="both", rows_before=9, rows_after=9, matched=9)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (3_400_000, "3.4 MB"),
        (1_500_000_000, "1.5 GB"),
        (2_000_000_000_000, "2000.0 GB"),
    ],
)
def test_sizes_are_read_at_a_glance(size: int, said: str) -> None:
    """A size has at most four digits before its unit, until there is no larger unit."""
    assert bytes_words(size) == said


def test_a_size_just_below_a_unit_is_not_a_thousand_of_the_smaller() -> None:
    """999,999 bytes are 1.0 MB, not `1000.0 kB`."""
    assert bytes_words(999_999) == "1.0 MB"


def test_no_loss_says_what_was_moved() -> None:
    """Values found in another place are no loss, and are said."""
    assert loss_sentence(loss("none")) == "**No loss.** Every row and value of the backup is still there."
    assert "1,500 values were moved" in loss_sentence(loss("none", values_moved=1_500))


def test_deleted_rows_are_not_called_a_loss_by_migration() -> None:
    """Rows gone from tables that are otherwise whole may be people's doing."""
    said = loss_sentence(loss("missing_rows", rows_missing=1_200))
    assert "1,200 rows" in said
    assert "People may have deleted them" in said


def test_rewritten_values_are_for_a_person_to_judge() -> None:
    """Most values of a column being others now is neither called a loss nor no loss."""
    said = loss_sentence(replace(loss("rewritten"), columns_rewritten=("orders.price",)))
    assert "`orders.price`" in said
    assert "Look at them" in said


def test_a_loss_names_columns_and_tables() -> None:
    """A loss is told by column and by table, with counts."""
    said = loss_sentence(loss("loss", DROPPED, GONE, SAME))
    assert said == "**Data were lost:** 1,234 values of `orders.price`; 4,990 of 5,000 rows of `notes`."


def test_a_loss_without_names_still_has_counts() -> None:
    """Where no column or table can be named, the sums are told."""
    assert "3 rows and 4 values" in loss_sentence(loss("loss", rows_lost=3, values_lost=4))


def test_the_loss_table_has_the_worst_first_and_nothing_that_is_whole() -> None:
    """Tables that did not change are left out; the rest stands by how much is gone."""
    table = loss_table(loss("loss", SAME, DROPPED, GONE))
    assert [row[0] for row in table.rows] == ["notes", "orders"]
    assert table.rows[1][-1] == "7 to bills.price"
    assert all(len(row) == len(table.columns) for row in table.rows)


def test_the_recommended_backup_is_marked() -> None:
    """Each backup has its verdict and its reason; the one to take has an arrow."""
    rows = backup_table(
        [backup("good.sql", recommended=True), backup("cut.sql", "REFUSED", reasons=["no end marker", "old"])]
    ).rows
    assert rows[0][0] == "→ good.sql"
    assert rows[0][-1] == "whole, and taken before the bad migration"
    assert rows[1][1] == "REFUSED"
    assert rows[1][-1] == "no end marker; old"


def test_a_backup_that_could_not_be_verified_is_not_called_whole() -> None:
    """Without a reason in the list, a backup that is not VERIFIED is still not described as whole."""
    row = backup_table([backup("odd.sql", "COULD NOT VERIFY")]).rows[0]
    assert "whole" not in row[-1]


def test_a_proof_shows_every_total() -> None:
    """Losses and what is unaccounted are shown even when they are zero."""
    facts = dict(proof_facts(Proof(proven=True, rows_kept=12_345)))
    assert facts["rows kept"] == "12,345"
    assert facts["rows lost"] == facts["values lost"] == facts["unaccounted"] == "0"


def test_a_review_begins_with_what_to_stop_at() -> None:
    """Findings stand by how bad they are, unknown words last."""
    findings: list[dict[str, object]] = [
        {"severity": "ok", "message": "c"},
        {"severity": "odd", "message": "d"},
        {"severity": "stop", "line": 12, "file": "database/migrations/2025_move.php", "message": "a"},
        {"severity": "warn", "message": "b"},
    ]
    assert [row[2] for row in findings_table(findings).rows] == ["a", "b", "c", "d"]
    assert findings_table(findings).rows[0] == ("STOP", "2025_move.php:12", "a")
    assert findings_table([{"severity": "ok", "line": 3, "message": "b"}]).rows == (("OK", "3", "b"),)
