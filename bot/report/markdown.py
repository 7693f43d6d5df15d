"""Writes the post-mortem as Markdown (GitHub's dialect: tables and task lists). Whatever a name holds, it stays text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from bot.report.blocks import (
    Block,
    Bullets,
    Checklist,
    Code,
    Fields,
    Grid,
    Inline,
    Paragraph,
    Phrase,
    Quote,
    Section,
    Strong,
)
from bot.report.report import Report
from bot.report.visible import visible


def to_markdown(report: Report) -> str:
    """Return the report as Markdown with the headings of the runbook's template. Reads only."""
    parts = [f"# {escaped(report.title)}", written(report.summary), escaped(report.times)]
    if not report.final:
        parts.append("**Draft: the incident is not closed.**")
    for section in (*report.sections, report.appendix):
        parts.extend(_section(section))
    parts.append(f"---\n\n{written(report.origin)}")
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Return text in which no character means anything to Markdown or HTML."""
    safe = re.sub(r"([\\`*\[\]|~$])", r"\\\1", visible(text))
    safe = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", safe)
    safe = re.sub(r"&(?=#?\w+;)", "&amp;", safe).replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"^(\s*)([#+=-]|\d+(?=[.)](?:\s|$)))", _at_line_start, safe)


def code(text: str, *, in_table: bool = False) -> str:
    """Return text as a code span, fenced by more backticks than it holds."""
    text = visible(text)
    if not text:
        return ""
    if in_table and "\\|" in text:
        return _entities(text)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    text = text.replace("|", "\\|") if in_table else text
    return f"{fence}{pad}{text}{pad}{fence}"


def written(phrase: Phrase, *, in_table: bool = False) -> str:
    """Return a phrase as one line of Markdown."""
    return "".join(_inline(part, in_table=in_table) for part in phrase).strip()


def _entities(text: str) -> str:
    """Return text for a table cell with every sign as an entity: where `\\|` stands in a code span, readers of Markdown
    differ on whether the cell ends there."""
    return "".join(char if char.isalnum() or char in " ./-:=,@'\"" else f"&#{ord(char)};" for char in text)


def _at_line_start(found: re.Match[str]) -> str:
    space, sign = found.groups()
    return f"{space}{sign}\\" if sign.isdigit() else f"{space}\\{sign}"


def _inline(part: Inline, *, in_table: bool) -> str:
    match part:
        case Code(text):
            return code(text, in_table=in_table)
        case Strong(text):
            return f"**{escaped(text)}**"
        case _:
            return _spaced(part)


def _spaced(text: str) -> str:
    """Return escaped text with the spaces kept that divide it from its neighbours."""
    before = " " if text[:1].isspace() else ""
    after = " " if text[-1:].isspace() and text.strip() else ""
    return f"{before}{escaped(text)}{after}"


def _section(section: Section) -> list[str]:
    parts = [f"## {escaped(section.heading)}"]
    for block in section.blocks:
        title = getattr(block, "title", None)
        parts.extend([f"### {escaped(title)}"] if title else [])
        parts.append(WRITERS[type(block)](block))
    return parts


def _paragraph(block: Paragraph) -> str:
    return written(block.phrase)


def _quote(block: Quote) -> str:
    lines = [f"> {escaped(line)}" for line in block.text.splitlines() if line.strip()]
    return "\n>\n".join([*lines, f"> — {escaped(block.who)}"])


def _fields(block: Fields) -> str:
    return "\n".join(f"- **{escaped(label)}:** {written(phrase)}" for label, phrase in block.rows)


def _bullets(block: Bullets) -> str:
    return "\n".join(f"- {written(item)}" for item in block.items)


def _checklist(block: Checklist) -> str:
    return "\n".join(
        f"- [{'x' if item.done else ' '}] {written(item.phrase)}"
        + (f" — *{written(item.told)}*" if item.told else "")
        for item in block.items
    )


def _grid(block: Grid) -> str:
    rule = ["---:" if number in block.numeric else "---" for number in range(len(block.columns))]
    head = [escaped(column) for column in block.columns]
    rows = [[written(cell, in_table=True) for cell in row] for row in block.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


WRITERS: dict[type[Block], Callable[[Any], str]] = {
    Paragraph: _paragraph,
    Quote: _quote,
    Fields: _fields,
    Bullets: _bullets,
    Checklist: _checklist,
    Grid: _grid,
}
