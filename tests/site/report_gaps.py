"""Finds what a post-mortem leaves empty: reads the Markdown again, field by field and cell by cell."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
# How the report says that it does not know; a list of keys has the word in its name. "–" in the table of checks is no gap: the
# column cannot be had there.
UNKNOWN = re.compile(
    r"not recorded|not measured|not known|nothing known|asked, not answered|\bunknown\b(?!\.jsonl)|(?<!\S)\?(?!\S)"
)


def gaps(markdown: str) -> list[str]:
    """Return each empty or unknown field as `Section: field`; sections without a word are gaps too."""
    found: list[str] = []
    for section, tokens in _sections(READER.parse(markdown)):
        filled = False
        for field, text in _fields(tokens):
            filled = filled or bool(text.strip())
            if not text.strip() or UNKNOWN.search(text):
                found.append(f"{section}: {field or text.strip()}")
        if not filled:
            found.append(f"{section}: nothing stands here")
    return found


def _sections(tokens: list[Token]) -> Iterator[tuple[str, list[Token]]]:
    """Yield each heading with what stands below it; one that only leads to headings below it is none of its own."""
    heading, own = "Head", list[Token]()
    for number, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag in ("h2", "h3"):
            if own or token.tag == "h2":
                yield heading, own
            heading, own = _plain(tokens[number + 1]), []
        elif token.type not in ("heading_close", "hr") and tokens[number - 1].type != "heading_open":
            own.append(token)
    yield heading, own


def _fields(tokens: list[Token]) -> Iterator[tuple[str, str]]:
    """Yield each field's name and what stands in it: cells by their column and row, items by their label."""
    columns, cells, in_head = list[str](), list[str](), False
    for token in tokens:
        match token.type:
            case "thead_open":
                columns, in_head = [], True
            case "thead_close":
                in_head = False
                yield from (("a column without a name", "") for column in columns if not column.strip())
            case "tr_open":
                cells = []
            case "tr_close" if not in_head:
                assert len(cells) == len(columns), (columns, cells)
                yield from (
                    (f"{column} of {cells[0]}", cell) for column, cell in zip(columns, cells, strict=True)
                )
            case "inline" if token.level >= 3 and (columns or in_head) and _in_cell(token, tokens):
                (columns if in_head else cells).append(_plain(token))
            case "inline":
                label, _, rest = _plain(token).partition(":")
                starts_bold = bool(token.children) and token.children[0].type in ("strong_open", "text")
                is_field = starts_bold and (token.content.startswith("**") and ":**" in token.content)
                yield (label, rest) if is_field else ("", _plain(token))


def _in_cell(token: Token, tokens: list[Token]) -> bool:
    before = tokens[tokens.index(token) - 1]
    return before.type in ("td_open", "th_open")


def _plain(token: Token) -> str:
    return "".join(
        " " if child.type == "softbreak" else child.content
        for child in token.children or []
        if child.type in ("text", "code_inline", "softbreak")
    )
