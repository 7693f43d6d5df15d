"""Block Kit's parts, each within its limits.

*Source*: docs.slack.dev/reference/block-kit: header 150, section 3000, 10 fields of 2000, 10 context elements, button
text 75 and value 2000, action_id 255. What blocks may hold together is not documented; messages are refused from about
13,200 characters on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from adapters.chat_common.words import cut
from adapters.slack_chat.text import cut_escaped, escape, mrkdwn, pieces

Block = dict[str, Any]

HEADER_LIMIT = 150
TEXT_LIMIT = 3000
FIELD_LIMIT = 2000
FIELDS_LIMIT = 10
BUTTON_LIMIT = 75
TOGETHER_LIMIT = 12_000
BLOCKS_LIMIT = 50


def plain(text: str, limit: int) -> dict[str, Any]:
    """Return a plain_text object; Slack refuses an empty one."""
    return {"type": "plain_text", "text": cut(text, limit) or "–", "emoji": True}


def marked(text: str, limit: int = TEXT_LIMIT) -> dict[str, Any]:
    """Return a mrkdwn object of escaped text; nothing in it is made a link by Slack's own guess."""
    return {"type": "mrkdwn", "text": cut_escaped(text, limit) or "–", "verbatim": True}


def header(text: str) -> Block:
    """Return a heading."""
    return {"type": "header", "text": plain(text, HEADER_LIMIT)}


def section(text: str) -> Block:
    """Return a paragraph of escaped markup."""
    return {"type": "section", "text": marked(text)}


def paragraphs(text: str) -> list[Block]:
    """Return escaped markup as so many sections as it needs."""
    return [section(piece) for piece in pieces(text, TEXT_LIMIT)]


def context(*texts: str) -> Block:
    """Return small print of escaped markup."""
    return {"type": "context", "elements": [marked(text) for text in texts[:10]]}


def fields(facts: Sequence[tuple[str, str]]) -> list[Block]:
    """Return labelled facts in two columns, ten to a section."""
    shown = [
        marked(f"*{escape(cut(label, 200))}*\n{mrkdwn(cut(value, 1500)) or '–'}", FIELD_LIMIT)
        for label, value in facts
    ]
    return [
        {"type": "section", "fields": shown[start : start + FIELDS_LIMIT]}
        for start in range(0, len(shown), FIELDS_LIMIT)
    ]


def button(label: str, action_id: str, value: str, style: str = "default") -> dict[str, Any]:
    """Return a button; `style` default has none in Slack."""
    made: dict[str, Any] = {
        "type": "button",
        "text": plain(label, BUTTON_LIMIT),
        "action_id": action_id[:255],
        "value": value,
    }
    return made if style == "default" else {**made, "style": style}


def actions(buttons: Sequence[dict[str, Any]]) -> Block:
    """Return a row of buttons, 25 at most."""
    return {"type": "actions", "elements": list(buttons)[:25]}


def size_of(blocks: Sequence[Block]) -> int:
    """Return how many characters blocks have together, as Slack is thought to count them."""
    return len(json.dumps(blocks, ensure_ascii=False))
