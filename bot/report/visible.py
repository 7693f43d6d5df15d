"""Makes recorded text fit to be shown: in one line, nothing hidden in it."""

from __future__ import annotations

import re
import unicodedata

# Characters that turn what follows them around on the screen; in a name they can only deceive.
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


def visible(text: str) -> str:
    """Return text in one line without control characters, marks that turn the direction, or halves of characters."""
    spaced = re.sub(r"\s*[\n\r\v\f\x85\u2028\u2029]+\s*", " ⏎ ", text.strip()).replace("\t", " ")
    return "".join(
        "�" if char in TURNING or unicodedata.category(char) in ("Cc", "Cs") else char for char in spaced
    )
