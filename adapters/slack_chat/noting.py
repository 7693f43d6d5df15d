"""A message of a person, as one line of the timeline."""

from __future__ import annotations

from datetime import UTC, datetime

from adapters.slack_chat.text import cut, typed_text

TEXT_LIMIT = 1500


def note_text(author: str, ts: str, text: str, link: str) -> str:
    """Return what is written into the timeline: who said it, when, the words, and where they stand."""
    said = " ".join(typed_text(text).split()) or "(no text)"
    where = f" ({link})" if link else ""
    return f"{author} at {datetime.fromtimestamp(float(ts), UTC):%Y-%m-%d %H:%M} UTC: {cut(said, TEXT_LIMIT)}{where}"
