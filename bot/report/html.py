"""Writes the post-mortem as one HTML file: styles and picture within it, no script, nothing loaded from elsewhere."""

from __future__ import annotations

import functools
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from bot.report.blocks import Block, Code, Strong
from bot.report.report import Report
from bot.report.visible import visible

FOLD_FROM = 110  # characters of a command that still fit in a table row without folding


def to_html(report: Report) -> str:
    """Return the report as one self-contained HTML document, for the screen (light or dark) and for paper. Reads only."""
    return _environment().get_template("report.html.j2").render(report=report)


@functools.cache
def _environment() -> Environment:
    """Return the template environment. Every value is made visible and escaped; nothing is marked as safe."""
    environment = Environment(
        loader=PackageLoader("bot.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(shown=_shown, lines=_lines, kind=_kind, folded=_folded)
    environment.globals["fold_from"] = FOLD_FROM
    return environment


def _shown(value: Any) -> str:
    """Return text fit to be shown, with the spaces at its ends that divide it from its neighbours."""
    text = str(value)
    before = " " if text[:1].isspace() else ""
    after = " " if text[-1:].isspace() and text.strip() else ""
    return f"{before}{visible(text)}{after}"


def _lines(text: str) -> list[str]:
    return [visible(line) for line in text.splitlines() if line.strip()]


def _kind(part: str | Code | Strong | Block) -> str:
    return "text" if isinstance(part, str) else type(part).__name__.lower()


def _folded(text: str) -> str:
    """Return the beginning of a long command, for the line that stays visible when it is folded."""
    return f"{visible(text)[: FOLD_FROM - 20].rstrip()} …"
