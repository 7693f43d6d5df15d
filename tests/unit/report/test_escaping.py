"""Whatever a name, a note or a command holds, it stays text: in Markdown, in HTML and in the picture."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.model.event import Entry, Kind
from bot.report.html import to_html
from bot.report.markdown import code, escaped, to_markdown
from bot.report.report import Report, report_of
from bot.report.visible import visible
from tests.examples import examples
from tests.unit.report.timelines import Row, at, entries_of, iso

NASTY = [
    "<script>alert(1)</script>",
    "a | b | c",
    "`tick` ``two`` \\",
    "line\nbreak\r\n# heading",
    "[x](javascript:alert(1)) ![y](http://example.net/z.png)",
    "**bold** _it_ ~~gone~~ $x$ &lt; &#60;",
    "'\"--></style><img src=x onerror=alert(1)>",
    "\u202egnp.exe \x00\x1b[31m \ud800",
    "- [x] done",
    "1. one",
    "x\\|y|z",
    "{{ 7*7 }} {% raw %}",
]
READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
SIGNS = st.text(alphabet="ab1 `|\\*_[]()<>&;#!~$-+=.{}\"'\n\té🚧\u202e\x00", max_size=30)


def _nasty_report(text: str) -> Report:
    """Return a report in which every free text is this one."""
    table = {
        "table": text,
        "status": text,
        "missing": 1,
        "columns": [{"column": text, "values_lost": 1, "moved_to": text}],
    }
    rows: list[Row] = [
        (1, Kind.INCIDENT_OPENED, text, text, {"title": text, "what_happened": text}),
        (
            2,
            Kind.ASSESSED,
            text,
            text,
            {
                "loss": {"verdict": "loss", "tables": [table]},
                "bad_migration": text,
                "engine": text,
                "database": text,
                "deploy_script": text,
                "backs_up_before_migrating": False,
                "findings": [{"message": text, "line": 3}],
            },
        ),
        (3, Kind.FROZEN, text, text, {"proven": False, "writers": [text], "down_at": iso(3)}),
        (
            4,
            Kind.BACKUPS_LISTED,
            text,
            text,
            {"backups": [{"path": text, "word": "REFUSED", "reasons": [text]}]},
        ),
        (
            5,
            Kind.PLAN_MADE,
            text,
            text,
            {"plan_hash": text, "strategy": text, "backup_path": text, "decisions": {text: text}},
        ),
        (6, Kind.APPROVED, text, text, {"plan_hash": text, "person": text}),
        (
            7,
            Kind.CORRECTED_REHEARSED,
            text,
            text,
            {"commit": text, "passed": False, "shrunk": {text: [2, 1]}},
        ),
        (8, Kind.DATA_CHECKED, text, text, {"checks": [{"name": text, "value": text, "expected": text}]}),
        (9, Kind.ESCALATED, text, text, {"reason": text}),
        (9, Kind.PAGED, text, text, {"contact": text}),
        (10, Kind.NOTE, text, f"Root cause: {text}", {}),
        (11, Kind.HOST_COMMAND, text, text, {"command": text * 12, "host": text, "outcome": text}),
        (12, Kind.CORRECTION, text, text, {"of": 1, "text": text}),
        (13, Kind.DECISION_ANSWERED, text, text, {"question": text, "answer": text}),
    ]
    return report_of(_entries(rows), site=text, now=at(20))


def _entries(rows: list[Row]) -> list[Entry]:
    """Return a timeline whose texts are put in after chaining: the chain takes no halves of characters."""
    chained = entries_of([(minute, kind, "", "", {}) for minute, kind, *_ in rows])
    return [
        replace(entry, actor=row[2], text=row[3], data=row[4])
        for entry, row in zip(chained, rows, strict=True)
    ]


def _all(tokens: list[Token]) -> list[Token]:
    return [inner for token in tokens for inner in (token, *_all(token.children or []))]


class _Elements(HTMLParser):
    """Collects the elements and attributes of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("text", NASTY)
def test_markdown_keeps_its_structure(text: str):
    """No HTML, link or image appears, the headings stay the template's, and every row has its columns."""
    markdown = to_markdown(_nasty_report(text))
    tokens = _all(READER.parse(markdown))
    assert {token.type for token in tokens}.isdisjoint(
        {"html_inline", "html_block", "link_open", "image", "fence", "s_open"}
    )
    headings = [line for line in markdown.splitlines() if re.match(r"##? ", line)]
    assert len(headings) == 8
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    cells = [len(re.findall(r"(?<!\\)\|", line)) for line in rows]
    assert len(rows) > 8
    assert all(count > 2 for count in cells)


@pytest.mark.parametrize("text", NASTY)
def test_html_holds_nothing_but_our_own_elements(text: str):
    """No script, image, link or event handler appears, and nothing is loaded from elsewhere."""
    document = to_html(_nasty_report(text))
    seen = _Elements()
    seen.feed(document)
    assert seen.tags.isdisjoint({"script", "img", "a", "iframe", "link", "object"})
    assert not [name for name in seen.attributes if name.startswith("on") or name in {"href", "src", "style"}]
    assert visible(text) in " ".join(seen.words)
    document.encode("utf-8")


def test_templates_are_not_run_on_recorded_text():
    """What looks like a template in a note is shown, not computed."""
    assert "{{ 7*7 }}" in to_html(_nasty_report("{{ 7*7 }}"))


@settings(max_examples=examples(300), deadline=None)
@given(SIGNS)
def test_escaped_text_reads_back_as_it_was(text: str):
    """A Markdown reader shows exactly the visible form of the text, as one paragraph without marks."""
    tokens = READER.parse(f"- x {escaped(text)} y")
    inline = next(token for token in tokens if token.type == "inline")
    assert {child.type for child in inline.children or []} <= {"text", "text_special"}
    shown = "".join(child.content for child in inline.children or [])
    assert " ".join(shown.split()) == " ".join(f"x {visible(text)} y".split())


@settings(max_examples=examples(300), deadline=None)
@given(SIGNS, SIGNS)
def test_cells_stay_in_their_columns(first: str, second: str):
    """A row with any text and any code in it still has its two cells, with these contents."""
    table = f"| a | b |\n| --- | --- |\n| x{escaped(first)} | {code(second, in_table=True)} |\n"
    tokens = READER.parse(table)
    cells = [token for before, token in itertools.pairwise(tokens) if before.type == "td_open"]
    assert len(cells) == 2
    shown = ["".join(child.content for child in cell.children or []) for cell in cells]
    assert " ".join(shown[0].split()) == " ".join(f"x{visible(first)}".split())
    assert " ".join(shown[1].split()) == " ".join(visible(second).split())


@settings(max_examples=examples(200), deadline=None)
@given(SIGNS)
def test_code_reads_back_as_it_was(text: str):
    """A code span shows exactly the visible form of the text."""
    inline = next(token for token in READER.parse(f"x {code(text)} y") if token.type == "inline")
    found = [child.content for child in inline.children or [] if child.type == "code_inline"]
    assert found == ([visible(text)] if visible(text) else [])


def test_what_turns_or_hides_text_is_made_visible():
    """Marks that reverse the reading direction and control characters are replaced, line breaks shown."""
    assert visible("a\u202eb\x00c\nd\ud800") == "a�b�c ⏎ d�"
