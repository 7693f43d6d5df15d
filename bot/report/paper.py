"""Sheets of paper to write the post-mortem on: fonts that have its characters, phrases, tables."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from fontTools.ttLib import TTLibError
from fpdf import FPDF
from fpdf.enums import MethodReturnValue, TableCellFillMode, XPos, YPos
from fpdf.errors import FPDFException
from fpdf.fonts import FontFace

from bot.report.blocks import Code, Inline, Phrase, Strong
from bot.report.fonts import Fonts
from bot.report.visible import visible

Colour = tuple[int, int, int]
INK: Colour = (28, 33, 39)
SOFT: Colour = (89, 99, 110)
LINE: Colour = (216, 221, 227)
PAPER: Colour = (255, 255, 255)
LINE_HEIGHT = 1.35  # of the size of the letters
MM_PER_POINT = 25.4 / 72
TABLE_SIZE = 7.5  # points; seven columns of numbers still fit on a sheet in it
MARGIN_MM = 14
# A row of a table is not divided between two sheets; what is longer than this, or has more lines, would not fit on one.
CELL_LETTERS = 1500
CELL_LINES = 60
CELL_SPACE_MM = 3.0  # around what stands in a cell
WIDER = 1.15  # bold letters and code, against the plain ones by which a cell is measured
CODE, TEXT = "code", "text"
# What the fonts that are part of every PDF reader have no sign for, in signs that they have.
PLAIN = str.maketrans(
    {"→": "->", "–": "-", "—": "-", "…": "...", "“": '"', "”": '"', "’": "'", "≥": ">=", "⏎": "/"}
    | {"•": "·", "☑": "[x]", "☐": "[ ]", "✓": "ok"}
)
# They say how the sign before them is drawn or joined, and are nothing to read.
JOINERS = frozenset("\u200d\ufe0e\ufe0f")


class Paper:
    """A PDF being written. `replaced` are the characters so far that no font has, each written as its code."""

    def __init__(self, fonts: Fonts, *, title: str, foot: str, at: datetime) -> None:
        self.pdf = _Sheets(format="A4")
        self._has_own = fonts.text is not None
        self.replaced: set[str] = set()
        self._open(fonts)
        self._more = list(fonts.more)
        self._known = self._characters()
        self.pdf.foot, self.pdf.foot_family = self.shown(foot), self.family(TEXT)
        self.pdf.set_title(title)
        self.pdf.set_creator("Backout")
        self.pdf.set_creation_date(at)
        self.pdf.set_margins(MARGIN_MM, MARGIN_MM)
        self.pdf.set_auto_page_break(auto=True, margin=MARGIN_MM + 4)
        self.pdf.add_page()

    def family(self, name: str) -> str:
        """Return the name of the font for text or code."""
        return name if self._has_own else {TEXT: "helvetica", CODE: "courier"}[name]

    def font(self, size: float, *, bold: bool = False, name: str = TEXT, colour: Colour = INK) -> None:
        """Choose the letters of what is written next; `size` in points."""
        self.pdf.set_font(self.family(name), style="B" if bold else "", size=size)
        self.pdf.set_text_color(*colour)

    def shown(self, text: str) -> str:
        """Return text in characters that the fonts have, any other as its code in brackets: `[U+4E2D]`."""
        before = " " if text[:1].isspace() else ""
        after = " " if text[-1:].isspace() and text.strip() else ""
        whole = f"{before}{visible(text)}{after}"
        if not self._has_own:
            whole = whole.translate(PLAIN)
        self._look_for(char for char in whole if ord(char) not in self._known)
        return "".join(map(self._shown, whole))

    def line(self, text: str, size: float, *, bold: bool = False, colour: Colour = INK) -> None:
        """Write text as a paragraph of its own."""
        self.font(size, bold=bold, colour=colour)
        height = size * MM_PER_POINT * LINE_HEIGHT
        self.pdf.multi_cell(0, height, self.shown(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def phrase(
        self, phrase: Phrase, size: float, *, first: str = "", indent: float = 0, colour: Colour = INK
    ) -> None:
        """Write a phrase as a paragraph, `first` (a bullet, a label) before it, all but that indented by so many mm."""
        left, height = self.pdf.l_margin, size * MM_PER_POINT * LINE_HEIGHT
        if self.pdf.will_page_break(height):
            self.pdf.add_page()
        sheet, top, foot = self.pdf.page, self.pdf.get_y(), 0.0
        if first:
            self.font(size, colour=SOFT)
            self.pdf.multi_cell(
                indent, height, self.shown(first), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT
            )
            foot = self.pdf.get_y()
            self.pdf.set_y(top)
        self.pdf.set_left_margin(left + indent)
        self.pdf.set_x(left + indent)
        for part in phrase:
            self._inline(part, size, colour)
            self.pdf.write(height, self.shown(_text(part)))
        self.pdf.set_left_margin(left)
        self.pdf.ln(height)
        if self.pdf.page == sheet and self.pdf.get_y() < foot:
            self.pdf.set_y(foot)  # what stands before the phrase has more lines than the phrase

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[Phrase]], numeric: Iterable[int] = ()
    ) -> None:
        """Write a table; its head stands again on each sheet."""
        cells = [[self._cell(cell) for cell in row] for row in rows]
        head = [self.shown(column) for column in columns]
        right = set(numeric)
        self.font(TABLE_SIZE)
        self.pdf.set_draw_color(*LINE)
        self.pdf.set_fill_color(*PAPER)
        widths = self._widths(head, [[text[:CELL_LETTERS] for text, _ in row] for row in cells])
        cells = [
            [(self._cut(text, face, width), face) for (text, face), width in zip(row, widths, strict=True)]
            for row in cells
        ]
        self.font(TABLE_SIZE)
        with self.pdf.table(
            col_widths=widths,
            text_align=["RIGHT" if number in right else "LEFT" for number in range(len(columns))],
            borders_layout="HORIZONTAL_LINES",
            headings_style=FontFace(emphasis="BOLD", color=SOFT, fill_color=PAPER),
            cell_fill_mode=TableCellFillMode.NONE,
            line_height=TABLE_SIZE * MM_PER_POINT * LINE_HEIGHT,
            padding=(0.6, 1, 0.6, 0),
            first_row_as_headings=True,
        ) as table:
            table.row(head)
            for row in cells:
                line = table.row()
                for text, face in row:
                    line.cell(text, style=face)
        self.pdf.ln(1)

    def bytes(self) -> bytes:
        """Return the whole document."""
        return bytes(self.pdf.output())

    def _open(self, fonts: Fonts) -> None:
        if fonts.text is None:
            return
        self.pdf.add_font(TEXT, "", fonts.text)
        self.pdf.add_font(TEXT, "B", fonts.bold or fonts.text)
        self.pdf.add_font(CODE, "", fonts.code or fonts.text)
        self.pdf.add_font(CODE, "B", fonts.code or fonts.text)
        self.pdf.set_fallback_fonts([TEXT], exact_match=False)

    def _characters(self) -> set[int]:
        if not self._has_own:
            return {*range(0x20, 0x7F), *range(0xA0, 0x100)}
        # What the font of code alone has does not count: text does not fall back to it.
        fonts = (font for key, font in self.pdf.fonts.items() if not key.startswith(CODE))
        return {point for font in fonts for point in getattr(font, "cmap", {})}

    def _look_for(self, missing: Iterable[str]) -> None:
        """Open further fonts as long as there are characters that none has."""
        lacking = {ord(char) for char in missing if char not in JOINERS}
        while lacking and self._more and self._has_own:
            name = f"more{len(self._more)}"
            try:
                self.pdf.add_font(name, "", self._more.pop(0))
            except (OSError, ValueError, TTLibError, FPDFException):
                continue  # no font, or one that cannot be put into a PDF: the next may have the character
            self.pdf.set_fallback_fonts([key for key in self._families() if key != CODE], exact_match=False)
            self._known = self._characters()
            lacking -= self._known

    def _families(self) -> list[str]:
        return list(dict.fromkeys(key.rstrip("BI") for key in self.pdf.fonts))

    def _shown(self, char: str) -> str:
        if char in JOINERS:
            return ""
        if ord(char) in self._known:
            return char
        if unicodedata.category(char) == "Cf":
            return ""
        self.replaced.add(char)
        return f"[U+{ord(char):04X}]"

    def _inline(self, part: Inline, size: float, colour: Colour) -> None:
        match part:
            case Code():
                self.font(size * 0.92, name=CODE, colour=colour)
            case Strong():
                self.font(size, bold=True, colour=colour)
            case _:
                self.font(size, colour=colour)

    def _cell(self, phrase: Phrase) -> tuple[str, FontFace]:
        """Return a cell's text, and its letters: code where all of it is code, bold where some of it must not be overlooked."""
        text = self.shown("".join(_text(part) for part in phrase))
        all_code = bool(phrase) and all(isinstance(part, Code) for part in phrase)
        bold = any(isinstance(part, Strong) for part in phrase)
        name = self.family(CODE if all_code else TEXT)
        return text, FontFace(family=name, emphasis="BOLD" if bold else None)

    def _cut(self, text: str, face: FontFace, width: float) -> str:
        """Return a cell's text, or as much of it as fits on a sheet in a column so many mm wide, and that there is more."""
        kept = text[:CELL_LETTERS]
        # Where the words break, a line is at least half full.
        if 2 * WIDER * self.pdf.get_string_width(kept) > CELL_LINES * width:
            self.pdf.set_font(face.family, style="B" if face.emphasis else "", size=TABLE_SIZE)
            told: Any = self.pdf.multi_cell(
                width - CELL_SPACE_MM, 1, kept, align="L", dry_run=True, output=MethodReturnValue.LINES
            )
            lines: list[str] = told
            if len(lines) > CELL_LINES:
                kept = kept[: sum(map(len, lines[:CELL_LINES]))]
        if kept == text:
            return text
        left = len(text) - len(kept)
        return self.shown(f"{kept} … ({left:,} more letters: in the other forms of this report)")

    def _widths(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[float, ...]:
        """Return the columns' widths in mm: each what it needs where that is no more than its share of what is left."""
        needs = [
            max(self.pdf.get_string_width(text) for text in column) * WIDER + CELL_SPACE_MM
            for column in zip(head, *rows, strict=True)
        ]
        left, widths = self.pdf.epw, dict[int, float]()
        for count, number in enumerate(sorted(range(len(needs)), key=needs.__getitem__)):
            widths[number] = min(needs[number], left / (len(needs) - count))
            left -= widths[number]
        return tuple(widths[number] for number in range(len(needs)))


class _Sheets(FPDF):
    """The document, with its page numbers at the foot of each sheet."""

    foot = ""
    foot_family = "helvetica"

    def footer(self) -> None:
        """Write the foot of a sheet; called by the library."""
        self.set_y(-MARGIN_MM + 2)
        self.set_font(self.foot_family, size=7)
        self.set_text_color(*SOFT)
        self.cell(0, 4, f"{self.foot} - {self.page_no()}", align="R")


def _text(part: Inline) -> str:
    return part if isinstance(part, str) else part.text
