"""The reader that looks for empty fields in a played incident's report finds those that there are, and no others."""

from __future__ import annotations

from bot.model.event import Kind
from bot.report.markdown import to_markdown
from bot.report.report import report_of
from tests.site.report_gaps import gaps
from tests.unit.report.timelines import Row, at, entries_of, story


def _gaps(rows: list[Row]) -> list[str]:
    return gaps(to_markdown(report_of(entries_of(rows), site="shop", now=at(95))))


def test_what_the_story_leaves_out_is_found() -> None:
    """One command's end was never learned, and nobody counted the users: these are its only gaps."""
    assert _gaps(story()) == [
        "Impact: Users affected",
        "Appendix: commands on the host: Exit status of 14:29:18",
        "Appendix: commands on the host: Duration of 14:29:18",
    ]


def test_each_missing_fact_is_a_gap_by_name() -> None:
    """A timeline without its assessment and safety backup leaves the fields empty that rest on them."""
    found = _gaps([row for row in story() if row[1] not in (Kind.ASSESSED, Kind.SAFETY_MADE)])
    for gap in ("What Happened: Migration", "What Happened: Database", "Resolution: Safety backup"):
        assert gap in found


def test_an_empty_cell_or_section_is_a_gap() -> None:
    """A cell, a column's name or a section without a word is found."""
    text = "# R\n\nwords\n\n## Impact\n\n| A | |\n| --- | --- |\n| x |  |\n\n## Root Cause\n\n## Timeline\n\n- **At:**\n"
    assert gaps(text) == [
        "Impact: a column without a name",
        "Impact:  of x",
        "Root Cause: nothing stands here",
        "Timeline: At",
        "Timeline: nothing stands here",
    ]
