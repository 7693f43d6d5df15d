"""What is said of a migration that did not run, and of the rows that one leaves without their parent."""

from __future__ import annotations

from bot.runbook.orphans import orphans_words
from bot.service.operations.migrating import words_for_not_run
from bot.service.operations.verify import data_reasons
from tests.unit.runbook.test_wording import loss


def test_changed_code_is_not_called_nothing() -> None:
    """Before a migration is refused on production its commit was checked out; on a copy nothing was."""
    live = words_for_not_run("the file is another", site="shop", is_scratch=False)
    copy = words_for_not_run("the file is another", site="shop", is_scratch=True)
    assert "the approved commit is checked out" in live
    assert "Nothing was changed" not in live
    assert "Nothing was changed on shop" in copy


def test_only_more_orphans_than_before_make_data_bad() -> None:
    """Rows that had no parent when production was found are told, and keep no site closed."""
    assert data_reasons(loss("none"), {"a": 3, "b": 1}, {"a": 3}, (), opened=False) == ["1 orphans in b"]
    assert data_reasons(loss("none"), {"a": 3}, {"a": 3}, (), opened=False) == []
    assert orphans_words({"a": 3, "b": 0}) == "no new orphans (3 are from before)"
    assert orphans_words({"a": 0}) == "no orphans"
