"""What a really played incident showed to be unclear in the post-mortem, and how it reads now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.model.event import Kind
from bot.report.render import to_markdown
from bot.report.report import report_of
from bot.report.scale import scale_of
from bot.report.wording import sentence
from tests.unit.report.timelines import GOOD_COMMIT, Row, at, entries_of, host_command, iso, story


def _markdown(*rows: Row) -> str:
    entries = entries_of(sorted([*story(), *rows], key=lambda row: row[0]))
    return to_markdown(report_of(entries, site="shop", now=at(95)))


def _line(text: str, words: str) -> str:
    return next(line for line in text.splitlines() if words in line)


def _changed(kind: Kind, **data: Any) -> str:
    rows = [(*row[:4], {**row[4], **data}) if row[1] is kind else row for row in story()]
    return to_markdown(report_of(entries_of(rows), site="shop", now=at(95)))


def test_going_down_is_no_failed_proof() -> None:
    """The entry written as the application goes down, before anything was measured, is not told as a failed freeze."""
    down: Row = (
        15.6,
        Kind.FROZEN,
        "backout",
        "The maintenance mode is on.",
        {"down_at": iso(15.5), "proven": False, "why": "the standstill is being proven"},
    )
    text = _markdown(down)
    assert "freeze not proven**. The maintenance mode is on" not in text
    assert (
        "| The freeze was not proven, so the cut-over stayed refused | The maintenance mode is on" not in text
    )
    assert "**Maintenance mode enabled**. The maintenance mode is on." in text


def test_a_failure_is_told_once() -> None:
    """A step that fails with the very words of the entry before it is not a second line."""
    words = "Stopped by the rehearsal: it would do harm."
    stopped: Row = (46.0, Kind.CORRECTED_REHEARSED, "backout", words, {"passed": False, "commit": "ab" * 20})
    failed: Row = (46.0, Kind.STEP_FAILED, "backout", words, {"step": 7})
    text = _markdown(stopped, failed)
    assert sum(words in line for line in text.splitlines() if line.startswith("- ")) == 1
    assert "| A step failed | Stopped by the rehearsal" not in text


def test_a_decision_reads_as_the_button_did() -> None:
    """The table of decisions has the words that were pressed, not their keys."""
    asked: Row = (
        30.0,
        Kind.DECISION_ANSWERED,
        "Ana Ruiz",
        "",
        {"question": "Who deleted them?", "answer": "leave", "label": "People did: leave them deleted"},
    )
    assert "| People did: leave them deleted | Ana Ruiz |" in _line(_markdown(asked), "| Who deleted them? |")


def test_what_is_well_done_is_nothing_to_mend() -> None:
    """A review's findings that praise the migration are no action items and are not counted as findings."""
    findings = [
        {"severity": "ok", "message": "each change asks hasTable first"},
        {"severity": "warn", "message": "it runs raw SQL"},
    ]
    text = _changed(Kind.CORRECTED_PROPOSED, commit=GOOD_COMMIT, findings=findings)
    assert "it runs raw SQL" in text
    assert "each change asks hasTable first" not in text
    assert "reviewed here with 1 finding;" in text


def test_rows_not_put_back_on_purpose_are_named() -> None:
    """Who compares rows missing with rows restored finds the difference: deleted by people, and what hung on that."""
    tables = {
        "photos": {"rows": {"left_deleted": 5, "kept": 1_988}},
        "comments": {"rows": {"parent_gone": 1_005}},
    }
    text = _changed(Kind.REHEARSED, details={"tables": tables})
    assert _line(text, "Rows left deleted").endswith("`photos` 5")
    assert _line(text, "hang on rows left deleted").endswith("`comments` 1,005")


def test_a_shortened_watch_is_told_in_its_own_unit() -> None:
    """A watch of some seconds is not told as 0.025 minutes."""
    text = _changed(Kind.WATCH_ENDED, minutes=0.025, shortened_from_minutes=30)
    assert "shortened from 30 min to 1.5 s" in _line(text, "Look at the log once more")


def test_a_plain_exit_status_stands_alone() -> None:
    """A command that simply ended shows its status and nothing in brackets; one that was looked up says so."""
    row = host_command(14.0, "Ana Ruiz", "git fetch origin", 0, 0.5)
    row[4]["outcome"] = "ended"
    assert "| 0 |" in _line(_markdown(row), "`git fetch origin`")
    row[4]["outcome"] = "looked up"
    assert "| 0 (looked up) |" in _line(_markdown(row), "`git fetch origin`")


@pytest.mark.parametrize(
    ("text", "said"), [("Open (it says so.)", "Open (it says so.)"), ("Open (so)", "Open (so)."), ("", "")]
)
def test_a_sentence_ends_once(text: str, said: str) -> None:
    """A full stop within a last bracket is one."""
    assert sentence(text) == said


def test_a_wait_that_would_crush_the_picture_is_cut_even_if_short() -> None:
    """Ten minutes before a recovery of one minute are left out of the axis; before one of ten they are drawn."""
    start = datetime(2026, 3, 1, tzinfo=UTC)
    quick = scale_of([start + timedelta(seconds=s) for s in (0, 600, 620, 640, 660)], 0, 1000)
    assert [length for _, length in quick.breaks()] == [timedelta(minutes=10)]
    slow = scale_of([start + timedelta(minutes=m) for m in (0, 10, 12, 16, 20)], 0, 1000)
    assert slow.breaks() == ()


def _listed(*answers: Row, more: int = 0) -> str:
    """Return the report of an incident whose plan could not bring two lists of rows back, and `more` of one row each."""
    lists = [
        {"what": "new", "name": f"t{n}", "count": 1, "keys": [n], "file": f"/lists/t{n}"} for n in range(more)
    ]
    lists += [
        {"what": "unknown", "name": "photos.caption", "count": 3, "keys": [7], "file": "/lists/a.jsonl"},
        {"what": "aside", "name": "posts", "count": 40, "keys": [], "file": None},
    ]
    window = "from 2026-11-22 19:13 to 2026-11-23 02:40 UTC (7 h 27 min), as far as the migration took it"
    rows = [
        (*row[:4], {**row[4], "lists": lists, "window": window}) if row[1] is Kind.REHEARSED else row
        for row in story()
    ]
    ordered = sorted([*rows, *answers], key=lambda row: row[0])
    return to_markdown(report_of(entries_of(ordered), site="shop", now=at(95)))


def test_what_could_not_be_brought_back_stands_there_with_who_re_entered_it() -> None:
    """Each list with its file and its state; what nobody ticked off is an action item, and the window is named."""
    data = {"purpose": "reenter:photos.caption:unknown", "answer": "entered", "person": "Ana Ruiz"}
    text = _listed((80.0, Kind.DECISION_ANSWERED, "Ana Ruiz", "Re-entered", data))
    assert "re-entered: Ana Ruiz" in _line(text, "/lists/a.jsonl")
    assert "open" in _line(text, "in the safety backup")
    assert "Re-enter what could not be brought back: 40 rows of" in text
    assert "Re-enter what could not be brought back: 3 rows" not in text
    assert "from 2026-11-22 19:13 to 2026-11-23 02:40 UTC" in _line(text, "in no backup")


def test_one_answer_for_all_smaller_lists_stands_with_each_of_them() -> None:
    """Where many lists shared a question, its answer is told of each; a list with its own question waits for its own."""
    data = {"purpose": "reenter:others", "answer": "entered", "person": "Ana Ruiz"}
    text = _listed((80.0, Kind.DECISION_ANSWERED, "Ana Ruiz", "Re-entered", data), more=6)
    assert "re-entered: Ana Ruiz" in _line(text, "/lists/t5")
    assert "open" in _line(text, "/lists/t0")
    assert "open" in _line(text, "/lists/a.jsonl")
