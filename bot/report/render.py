"""The two forms of the post-mortem, under one name for who writes or shows it."""

from __future__ import annotations

from bot.report.html import to_html
from bot.report.markdown import to_markdown

__all__ = ["to_html", "to_markdown"]
