"""A message of a person, as one line of the timeline."""

from __future__ import annotations

from datetime import datetime

from adapters.chat_common.words import cut

TEXT_LIMIT = 1500


def note_text(author: str, at: datetime, text: str, link: str) -> str:
    """Return what is written into the timeline: who said it, when (UTC), the words, and where they stand."""
    said = " ".join(text.split()) or "(no text)"
    where = f" ({link})" if link else ""
    return f"{author} at {at:%Y-%m-%d %H:%M} UTC: {cut(said, TEXT_LIMIT)}{where}"
