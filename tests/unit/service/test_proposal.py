"""What is told of a corrected commit before it is rehearsed."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

from bot.laravel.git import CommitNote, FileChange
from bot.model.site_check import JudgedCheck
from bot.service.operations.propose import proposed
from bot.service.operations.rehearsal_words import Offer, Tried, rehearsed
from bot.service.site_work import SiteWork, Telling

MIGRATION = "database/migrations/2025_01_02_000000_move_titles.php"
WORK = SimpleNamespace(
    site_name="shop",
    settings=SimpleNamespace(intervals=SimpleNamespace(approval_expiry=900)),
    ctx=SimpleNamespace(args={}),
)
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


def tried(**more: object) -> Telling:
    check = JudgedCheck(name="titles are kept", before=10, backup=10, value=4, expected="10", passed=False)
    return rehearsed(cast("SiteWork", WORK), offer(), [], Tried(checks=(check,), **more))  # type: ignore[arg-type]


def test_the_sites_checks_are_shown_before_and_after() -> None:
    """Each check on the copy stands there with its number before the corrected migration and after it, and is kept."""
    telling = tried(reasons=("check “titles are kept”: 4, expected 10",))
    shown = telling.messages[1].table
    assert shown is not None
    assert shown.columns == ("check", "before it", "backup", "after it", "expected", "")
    assert shown.rows == (("titles are kept", "10", "10", "4", "10", "NOT GOOD"),)
    assert telling.entries[0].data["checks"][0]["value"] == 4


def test_a_check_that_fails_on_the_copy_stops_the_commit() -> None:
    """What would fail on production after the change is no offer: the failure is told, and nothing can be approved."""
    telling = tried(reasons=("check “titles are kept”: 4, expected 10",))
    assert "titles are kept" in telling.entries[0].text
    assert ([one.purpose for one in telling.questions], telling.void) == (["propose"], ["deploy"])
    assert "deploy" not in [choice.starts for choice in telling.questions[0].choices]
    assert "skip_deploy" in [choice.starts for choice in telling.questions[0].choices]
    (asked,) = tried(reasons=()).questions
    assert asked.purpose == "deploy"


def test_the_yes_is_asked_with_the_time_it_will_take() -> None:
    """How long the migration ran on the copy is told and kept, and is the estimate for production."""
    telling = tried(reasons=(), duration_s=83.4)
    assert "took 1 min 23 s there, with all rows of production" in telling.questions[0].body
    assert telling.entries[0].data["duration_s"] == 83.4
    assert "less than a second" in tried(reasons=(), duration_s=0.2).questions[0].body


def test_a_finding_that_stops_is_read_before_the_yes() -> None:
    """What the review says must be mended stands in the question itself, though the rehearsal went well."""
    stop = {**FINDING, "severity": "stop", "code": "no_down", "message": "down() is missing or empty"}
    work = cast("SiteWork", WORK)
    (asked,) = rehearsed(work, offer(), [FINDING, stop], Tried(reasons=())).questions
    assert f"must be mended first: {MIGRATION}:31: down() is missing or empty." in asked.body
    assert "all rows at once" not in asked.body


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
