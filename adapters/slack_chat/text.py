"""Text as Slack reads it: escaped, cut to its limits, and read back from what people typed.

*Source*: docs.slack.dev, "Formatting message text" (the three characters, mentions, links, dates) and "Blocks" (limits).
"""

from __future__ import annotations

import re
from datetime import datetime

_BOLD = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*")
_MARKUP = re.compile(r"<([^<>]*)>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


def escape(text: str) -> str:
    """Return text in which nothing is a mention, a link or an entity any more."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mrkdwn(text: str) -> str:
    """Return the neutral text (**bold**, `code`) in Slack's markup, all else escaped."""
    return _BOLD.sub(r"*\1*", escape(text))


def code_block(text: str) -> str:
    """Return text in fixed width, escaped; nothing in it can end the block."""
    return f"```{escape(text.replace('```', '`‍`‍`'))}```"


def cut_escaped(text: str, limit: int) -> str:
    """Return markup cut to a limit, never in the middle of an entity or of `<…>`."""
    if len(text) <= limit:
        return text
    short = text[: limit - 1]
    short = re.sub(r"&[a-z]{0,3}$", "", short)
    return re.sub(r"<[^<>]*$", "", short).rstrip() + "…"


def pieces(text: str, limit: int) -> list[str]:
    """Return markup in pieces within a limit, broken between lines where that can be."""
    found: list[str] = []
    rest = text
    while len(rest) > limit:
        at = rest.rfind("\n", 1, limit)
        if at == -1:
            at = len(cut_escaped(rest, limit)) - 1
        found.append(rest[:at])
        rest = rest[at:].lstrip("\n")
    return [*found, rest] if rest else found


def local_time(at: datetime) -> str:
    """Return a moment that each reader sees in the own time zone; UTC where it cannot be shown so."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{at:%Y-%m-%d %H:%M} UTC>"


def mentions(accounts: tuple[str, ...]) -> str:
    """Return what notifies these users."""
    return " ".join(f"<@{account}>" for account in accounts)


def typed_text(text: str) -> str:
    """Return what a person typed, without Slack's own markup: links and mentions as they were seen, entities read."""

    def seen(found: re.Match[str]) -> str:
        target, _, label = found[1].partition("|")
        if target.startswith(("@", "#")):
            return f"{target[0]}{label}" if label else target
        return label or target.removeprefix("mailto:")

    plain = _MARKUP.sub(seen, text)
    for entity, character in _ENTITIES:
        plain = plain.replace(entity, character)
    return plain.strip()
