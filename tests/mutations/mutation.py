"""One fault that is put into the code to see a test turn red."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """In `file`, `old` (which stands there once) becomes `new`. `tests` are pytest's node ids, of which one must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
