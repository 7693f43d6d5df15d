"""The form before a grave answer: the question with all that a yes would do, and the word to be typed.

*Source*: docs.discord.com, "Component Reference": title and labels 45, five parts, 4000 characters of text together. A form
cannot be changed once it is open, and what was submitted after a restart reaches nobody who remembers it: all it needs is in
its id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.chat_common.words import cut
from adapters.discord_chat.answers import Button
from adapters.discord_chat.text import code, cut_marked, escape, markdown
from bot.model.message import Message

TITLE_LIMIT, LABEL_LIMIT = 45, 45
TEXT_LIMIT = 3800
BODY_LIMIT, VALUE_LIMIT = 900, 300
TYPED = "typed"
TEXT, LABEL, INPUT = 10, 18, 4
SHORT_LINE = 1


def confirm_form(button: Button, label: str, typed: str | None, review: Message) -> dict[str, Any]:
    """Return the form; nothing is decided before it is submitted."""
    parts: list[dict[str, Any]] = [{"type": TEXT, "content": _words(review)}]
    if typed is not None:
        field = {
            "type": INPUT,
            "custom_id": TYPED,
            "style": SHORT_LINE,
            "required": True,
            "min_length": 1,
            "max_length": 200,
        }
        parts.append({"type": LABEL, "label": cut(f"Type {typed} to go on", LABEL_LIMIT), "component": field})
    return {"custom_id": button.form_id(), "title": cut(label, TITLE_LIMIT) or "–", "components": parts}


def _words(review: Message) -> str:
    """Return the question with its facts; what is too long is said to be in the channel."""
    head = f"**{escape(review.title)}**"
    body = cut_marked(markdown(review.body), BODY_LIMIT)
    lines = [f"**{escape(label)}**: {_value(value)}" for label, value in review.facts]
    shown: list[str] = []
    for line in lines:
        if len("\n".join([head, body, *shown, line])) > TEXT_LIMIT - 100:
            shown.append("… the console shows all of it.")
            break
        shown.append(line)
    return cut_marked("\n".join(one for one in (head, body, *shown) if one), TEXT_LIMIT)


def _value(value: str) -> str:
    return (
        code(cut(value, VALUE_LIMIT))
        if "`" not in value and "\n" not in value
        else markdown(cut(value, VALUE_LIMIT))
    )


def typed_of(components: Sequence[Mapping[str, Any]]) -> str | None:
    """Return what was typed into a submitted form, None where it has no field."""
    for part in components:
        field = part.get("component") or {}
        if field.get("custom_id") == TYPED:
            value = field.get("value")
            return None if value is None else str(value)
    return None
