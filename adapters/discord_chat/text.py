"""Text as Discord reads it: escaped, cut, with moments and mentions.

*Source*: docs.discord.com, "Message Formatting"; a backslash before a character that is no letter or digit shows it as it is.
"""

from __future__ import annotations

import re
from datetime import datetime

_MARKS = re.compile(r"([\\*_~|`<>\[\]])")
_AT_LINE_START = re.compile(r"^(\s*)([#+-])", re.MULTILINE)
_SPANS = re.compile(r"(`[^`\n]+`|\*\*(?=\S).+?(?<=\S)\*\*)")


def escape(text: str) -> str:
    """Return text in which nothing is a mention, a link with a name, or any other markup."""
    marked = _MARKS.sub(r"\\\1", text)
    return _AT_LINE_START.sub(r"\1\\\2", marked)


def markdown(text: str) -> str:
    """Return the neutral text (**bold**, `code`) in Discord's markup, all else escaped."""
    pieces = _SPANS.split(text)
    return "".join(_span(piece) if place % 2 else escape(piece) for place, piece in enumerate(pieces))


def _span(piece: str) -> str:
    # Within code nothing is markup; a mention is none either.
    return piece if piece.startswith("`") else f"**{escape(piece[2:-2])}**"


def code(text: str) -> str:
    """Return text as code within a line; nothing in it can end it."""
    return f"`{text.replace('`', 'ˋ')}`"


def code_block(text: str) -> str:
    """Return text in fixed width; nothing in it can end the block."""
    return f"```\n{text.replace('```', '`‍`‍`')}\n```"


def cut_marked(text: str, limit: int) -> str:
    """Return markup cut to a limit; what was opened before the cut and not closed is shown as it is."""
    if len(text) <= limit:
        return text
    short = text[: limit - 1].rstrip("\\").rstrip()
    if short.count("```") % 2:
        return short[: limit - 5].rstrip() + "…\n```"
    return short + "…"


def local_time(at: datetime) -> str:
    """Return a moment that each reader sees in the own time zone."""
    return f"<t:{int(at.timestamp())}:f>"


def mentions(accounts: tuple[str, ...]) -> str:
    """Return what notifies these users, where `allowed_mentions` lists them."""
    return " ".join(f"<@{account}>" for account in accounts)
