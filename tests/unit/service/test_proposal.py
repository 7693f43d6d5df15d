"""What is told of a corrected commit before it is rehearsed."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.laravel.git import CommitNote, FileChange
from bot.service.operations.propose import Offer, proposed

MIGRATION = "database/migrations/2025_01_02_000000_move_titles.php"
FINDING = {
    "file": MIGRATION,
    "code": "no_chunks",
    "severity": "warn",
    "line": 31,
    "message": "all rows at once",
}


def note(letter: str, subject: str) -> CommitNote:
    at = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    return CommitNote(commit=letter * 40, author="Ana", time=at, subject=subject, files=(MIGRATION,))


def offer(files: int = 2) -> Offer:
    changes = tuple(FileChange(status="A", path=f"app/File{number}.php") for number in range(files - 1))
    newest, older = note("b", "Copy first"), note("a", "Prepare")
    return Offer(
        deployed="0" * 40,
        commit=newest,
        changes=(FileChange(status="M", path=MIGRATION), *changes),
        incoming=(newest, older),
    )


def test_the_message_names_commits_files_and_findings() -> None:
    """The commits that come along, the files that change and each finding's file and line can be read before deciding."""
    message = proposed(offer(), [FINDING]).messages[0]
    facts = dict(message.facts)
    assert "bbbbbbbbbbbb 2026-01-02 03:04 Ana: Copy first" in facts["commits it brings"]
    assert "aaaaaaaaaaaa 2026-01-02 03:04 Ana: Prepare" in facts["commits it brings"]
    assert f"M {MIGRATION}" in facts["files changed"]
    assert message.table is not None
    assert message.table.rows == (("WARN", "2025_01_02_000000_move_titles.php:31", "all rows at once"),)


def test_many_files_are_counted_not_poured_out() -> None:
    """A commit that changes hundreds of files shows the first, says how many, and keeps a bounded list."""
    telling = proposed(offer(files=300), [])
    files = dict(telling.messages[0].facts)["files changed"]
    assert files.startswith("300:")
    assert files.endswith("… and 288 more")
    data = telling.entries[0].data
    assert data["files_changed"] == 300
    assert len(data["files"]) == 200


def test_the_timeline_keeps_what_the_report_needs() -> None:
    """Commits, files and findings stand in the entry of the proposal."""
    data = proposed(offer(), [FINDING]).entries[0].data
    assert [one["subject"] for one in data["commits"]] == ["Copy first", "Prepare"]
    assert data["files"][0] == {"status": "M", "path": MIGRATION}
    assert data["findings"] == [FINDING]
