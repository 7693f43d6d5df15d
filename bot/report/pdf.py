"""Writes the post-mortem as a PDF: the same blocks as the Markdown and the HTML, on sheets of paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.report.blocks import Block, Bullets, Checklist, Fields, Grid, Paragraph, Quote, Section, phrase
from bot.report.fonts import Fonts
from bot.report.paper import LINE, MM_PER_POINT, PAPER, SOFT, Colour, Paper
from bot.report.picture import Bar, Picture
from bot.report.report import Report
from bot.report.wording import counted

SIZE = 9.0  # points
SMALL = 7.5
GOOD: Colour = (31, 107, 64)
BAD: Colour = (179, 38, 30)
TONES: dict[str, Colour] = {
    "good": GOOD,
    "bad": BAD,
    "up": (46, 125, 79),
    "down": BAD,
    "step": (74, 111, 165),
}
LABEL_MM = 56  # of a field's label
TILE_MM = 18.0


def to_pdf(report: Report, fonts: Fonts) -> bytes:
    """Return the report as a PDF in these fonts. What no font has is written as its code, and that is said. Reads only."""
    paper = Paper(fonts, title=f"{report.title} · {report.site}", foot=report.title, at=report.computed_at)
    _head(paper, report)
    for section in (*report.sections, report.appendix):
        _section(paper, section)
    paper.pdf.ln(4)
    paper.phrase(report.origin, SMALL, colour=SOFT)
    if paper.replaced:
        paper.line(_replaced(paper), SMALL, colour=SOFT)
    return paper.bytes()


def _replaced(paper: Paper) -> str:
    first = f"[U+{ord(min(paper.replaced)):04X}]"
    return (
        f"{counted(len(paper.replaced), 'character')} that no font of this PDF has stand here as their codes, like {first}; "
        "the Markdown and the HTML of this report have them as they are."
    )


def _head(paper: Paper, report: Report) -> None:
    state = "Post-mortem" if report.final else "Draft: the incident is not closed"
    paper.line(f"{report.site} · {state}", SIZE, bold=True, colour=SOFT if report.final else BAD)
    paper.line(report.title, 17, bold=True)
    paper.pdf.ln(1.5)
    paper.phrase(report.summary, 10.5)
    paper.line(report.times, SMALL, colour=SOFT)
    paper.pdf.ln(2)
    _tiles(paper, report)
    _picture(paper, report.picture)


def _tiles(paper: Paper, report: Report) -> None:
    pdf, top = paper.pdf, paper.pdf.get_y()
    width = (pdf.epw + 3) / len(report.tiles)
    for number, tile in enumerate(report.tiles):
        left = pdf.l_margin + number * width
        tone = TONES.get(tile.tone, SOFT)
        pdf.set_draw_color(*LINE)
        pdf.rect(left, top, width - 3, TILE_MM)
        pdf.set_fill_color(*tone)
        pdf.rect(left, top, width - 3, 0.8, style="F")
        lines = (
            (tile.label, SMALL, 2.0, SOFT),
            (tile.value, 12.0, 6.0, tone),
            (tile.note, SMALL, 12.5, SOFT),
        )
        for text, size, down, colour in lines:
            shown = paper.shown(text)
            paper.font(_fitting(paper, shown, size, width - 7), bold=size > SIZE, colour=colour)
            pdf.set_xy(left + 2, top + down)
            pdf.cell(width - 7, size * MM_PER_POINT * 1.2, shown)
    pdf.set_xy(pdf.l_margin, top + TILE_MM + 3)


def _fitting(paper: Paper, text: str, size: float, width: float) -> float:
    """Return the size of letters, `size` at most, in which a line is no wider than so many mm."""
    paper.font(size, bold=size > SIZE)
    return size * min(1.0, width / max(paper.pdf.get_string_width(text) + 0.5, 0.1))


def _picture(paper: Paper, picture: Picture) -> None:
    """Draw the picture of the incident, as wide as the sheet."""
    pdf = paper.pdf
    scale = pdf.epw / picture.width
    if pdf.will_page_break(picture.height * scale):
        pdf.add_page()
    left, top = pdf.l_margin, pdf.get_y()

    def line(x1: float, y1: float, x2: float, y2: float, colour: Colour) -> None:
        pdf.set_draw_color(*colour)
        pdf.line(left + x1 * scale, top + y1 * scale, left + x2 * scale, top + y2 * scale)

    def text(
        x: float, y: float, words: str, colour: Colour, *, anchor: str = "start", size: float = 11
    ) -> None:
        shown = paper.shown(words)
        paper.font(size * scale / MM_PER_POINT, colour=colour)
        back = {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * pdf.get_string_width(shown)
        pdf.text(left + x * scale - back, top + y * scale, shown)

    pdf.set_line_width(0.15)
    for tick in picture.ticks:
        line(tick.x, picture.events_y, tick.x, picture.axis_y, LINE)
        text(tick.x, picture.axis_y + 16, tick.label, SOFT, anchor="middle")
    for dot in picture.dots:
        line(dot.x, dot.label_y - 10, dot.x, picture.events_y, LINE)
        text(dot.x + 4, dot.label_y, dot.label, TONES.get(dot.tone, (0, 0, 0)), size=12)
    for y in (picture.events_y, picture.axis_y):
        line(picture.left, y, picture.right, y, SOFT)
    text(picture.left - 10, picture.events_y + 4, "events", SOFT, anchor="end", size=12)
    for dot in picture.dots:
        pdf.set_fill_color(*TONES.get(dot.tone, (0, 0, 0)))
        pdf.circle(left + dot.x * scale, top + picture.events_y * scale, 4 * scale, style="F")
    for lane in picture.lanes:
        text(picture.left - 10, lane.y + 12, lane.name, SOFT, anchor="end", size=12)
        for bar in lane.bars:
            pdf.set_fill_color(*TONES[bar.tone])
            pdf.rect(left + bar.x * scale, top + lane.y * scale, bar.width * scale, 15 * scale, style="F")
            _bar_label(bar, lane.y, text)
    for gap in picture.breaks:
        pdf.set_fill_color(*PAPER)
        height = (picture.axis_y - picture.events_y + 8) * scale
        pdf.rect(
            left + (gap.x - 5) * scale, top + (picture.events_y - 8) * scale, 10 * scale, height, style="FD"
        )
        text(gap.x, picture.axis_y + 30, gap.label, SOFT, anchor="middle")
    pdf.set_xy(pdf.l_margin, top + picture.height * scale + 2)


def _bar_label(bar: Bar, y: float, text: Callable[..., None]) -> None:
    if bar.label and bar.inside:
        text(bar.x + bar.width / 2, y + 12, bar.label, PAPER, anchor="middle")
    elif bar.label:
        text(bar.x + bar.width + 5, y + 12, bar.label, SOFT)


def _section(paper: Paper, section: Section) -> None:
    paper.pdf.ln(4)
    _heading(paper, section.heading, 13, room_mm=28)
    paper.pdf.set_draw_color(*LINE)
    paper.pdf.line(
        paper.pdf.l_margin, paper.pdf.get_y(), paper.pdf.l_margin + paper.pdf.epw, paper.pdf.get_y()
    )
    paper.pdf.ln(1.5)
    for block in section.blocks:
        title = getattr(block, "title", None)
        if title:
            paper.pdf.ln(2)
            _heading(paper, title, 10, room_mm=20)
        WRITERS[type(block)](paper, block)


def _heading(paper: Paper, text: str, size: float, *, room_mm: float) -> None:
    """Write a heading, on the next sheet where less than so many mm are left: none stands alone at the foot."""
    if paper.pdf.will_page_break(room_mm):
        paper.pdf.add_page()
    paper.line(text, size, bold=True)


def _paragraph(paper: Paper, block: Paragraph) -> None:
    paper.phrase(block.phrase, SIZE)


def _quote(paper: Paper, block: Quote) -> None:
    for line in block.text.splitlines():
        if line.strip():
            paper.phrase(phrase(line), SIZE, first="|", indent=4)
    paper.phrase(phrase(f"— {block.who}"), SMALL, first="|", indent=4, colour=SOFT)


def _fields(paper: Paper, block: Fields) -> None:
    for label, value in block.rows:
        paper.phrase(value, SIZE, first=label, indent=LABEL_MM)


def _bullets(paper: Paper, block: Bullets) -> None:
    for item in block.items:
        paper.phrase(item, SIZE, first="•", indent=4)


def _checklist(paper: Paper, block: Checklist) -> None:
    for item in block.items:
        paper.phrase(item.phrase, SIZE, first="☑" if item.done else "☐", indent=6)
        if item.told:
            paper.phrase(item.told, SMALL, first=" ", indent=6, colour=SOFT)


def _grid(paper: Paper, block: Grid) -> None:
    paper.table(block.columns, block.rows, block.numeric)


WRITERS: dict[type[Block], Callable[[Paper, Any], None]] = {
    Paragraph: _paragraph,
    Quote: _quote,
    Fields: _fields,
    Bullets: _bullets,
    Checklist: _checklist,
    Grid: _grid,
}
