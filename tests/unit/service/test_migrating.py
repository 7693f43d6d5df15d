"""What is said of a migration that did not run."""

from __future__ import annotations

from bot.service.operations.migrating import words_for_not_run


def test_changed_code_is_not_called_nothing() -> None:
    """Before a migration is refused on production its commit was checked out; on a copy nothing was."""
    live = words_for_not_run("the file is another", site="shop", is_scratch=False)
    copy = words_for_not_run("the file is another", site="shop", is_scratch=True)
    assert "the approved commit is checked out" in live
    assert "Nothing was changed" not in live
    assert "Nothing was changed on shop" in copy
