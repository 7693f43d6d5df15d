"""A table in fixed width, as chat platforms have no better one that is read everywhere."""

from __future__ import annotations

import textwrap
from itertools import zip_longest

from bot.model.message import Table

WIDEST = 100
"""Characters of a line that a desktop shows without breaking it."""

NARROWEST_CELL = 8


def lines_of(table: Table, widest: int | None = WIDEST) -> list[str]:
    """Return the table's lines, titles first; cells of the widest columns go on in the next line where one is too long.

    `widest` None: each row is one line.
    """
    rows = [[" ".join(cell.split()) for cell in row] for row in (table.columns, *table.rows)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(table.columns))]
    while widest is not None and sum(widths) + 2 * (len(widths) - 1) > widest:
        place = widths.index(max(widths))
        if widths[place] <= NARROWEST_CELL:
            break
        widths[place] -= 1
    return [line for row in rows for line in _lines(row, widths, table.numeric)]


def _lines(row: list[str], widths: list[int], numeric: tuple[int, ...]) -> list[str]:
    wrapped = [textwrap.wrap(cell, max(width, 1)) for cell, width in zip(row, widths, strict=True)]
    return [_line(list(cells), widths, numeric) for cells in zip_longest(*wrapped, fillvalue="")] or [""]


def _line(cells: list[str], widths: list[int], numeric: tuple[int, ...]) -> str:
    shown = [
        cell.rjust(width) if place in numeric else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(shown).rstrip()
