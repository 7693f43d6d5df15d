"""A table in fixed width, as Slack has no better one that is read everywhere."""

from __future__ import annotations

from bot.model.message import Table

WIDEST = 100
"""Characters of a line that a desktop shows without breaking it."""

NARROWEST_CELL = 8


def lines_of(table: Table, widest: int | None = WIDEST) -> list[str]:
    """Return the table's lines, titles first; cells of the widest columns are cut where a line would be too long.

    `widest` None: nothing is cut.
    """
    rows = [[_one_line(cell) for cell in row] for row in (table.columns, *table.rows)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(table.columns))]
    while widest is not None and sum(widths) + 2 * (len(widths) - 1) > widest:
        place = widths.index(max(widths))
        if widths[place] <= NARROWEST_CELL:
            break
        widths[place] -= 1
    return [_line(row, widths, table.numeric) for row in rows]


def _one_line(cell: str) -> str:
    return " ".join(cell.split())


def _line(row: list[str], widths: list[int], numeric: tuple[int, ...]) -> str:
    cells = []
    for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
        shown = cell if len(cell) <= width else cell[: width - 1] + "…"
        cells.append(shown.rjust(width) if place in numeric else shown.ljust(width))
    return "  ".join(cells).rstrip()
