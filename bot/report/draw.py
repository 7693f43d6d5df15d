"""What a process that draws a PDF begins with: little to import besides, as it is made for each PDF anew."""

from __future__ import annotations

from bot.report.fonts import Fonts
from bot.report.report import Report


def draw_pdf(report: Report, fonts: Fonts) -> bytes:
    """Return a report as a PDF. Its library is larger than all the rest of a bot at rest: it is imported in that process alone."""
    from bot.report.pdf import to_pdf

    return to_pdf(report, fonts)
