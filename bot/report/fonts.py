"""Which font files a PDF is written in; apart from what writes it, which is heavy to import."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Fonts:
    """Font files by path. Without `text` the fonts are used that every PDF reader has, which know Western letters only.

    `more` are asked in order for the characters that the first ones lack, and are opened only where there are such.
    """

    text: str | None = None
    bold: str | None = None
    code: str | None = None
    more: tuple[str, ...] = ()
