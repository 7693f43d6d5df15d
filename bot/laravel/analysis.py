"""Whether a migration that moves data says what it does to them: the prevention list's "analysis comment"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import tree_sitter_php
from tree_sitter import Language, Node, Parser

from bot.laravel.reading.acts import Act
from bot.laravel.reading.migration import read_migration

ENOUGH_WORDS: Final = 12
"""An analysis says which data there are, where they go and how they come back: that takes a dozen words at least."""

_DATA_ACTS: Final = frozenset({Act.WRITE, Act.DELETE})
# What Laravel's own stubs say in every migration, by version, and what a documentation tool reads.
_STUB: Final = re.compile(r"^(?:(?:run|reverse) the migrations\.?|@.*)$", re.IGNORECASE)
_CODE: Final = re.compile(r"[;{}]\s*$|->|::|\$\w")
_MARKS: Final = re.compile(r"^\s*(?:/\*+|\*+/?|//+|#+)?\s*|\s*\*+/\s*$")


def data_line(source: str) -> int | None:
    """Return the line of the first act of `up` that writes or deletes rows; None for a migration that moves no data."""
    up = read_migration(source).up or ()
    return min((event.line for event in up if event.act in _DATA_ACTS), default=None)


def analysis_words(source: str, before_line: int) -> int:
    """Return how many words of explanation stand before a line: Laravel's stub comments and disabled code left out."""
    return sum(
        len(re.findall(r"\w{2,}", line))
        for start, text in _comments(source)
        for offset, line in enumerate(_plain_lines(text))
        if start + offset < before_line and not _STUB.match(line) and not _CODE.search(line)
    )


def unexplained_line(source: str) -> int | None:
    """Return the line at which a data migration begins to move data that no comment before it has analysed, or None."""
    line = data_line(source)
    return line if line is not None and analysis_words(source, line) < ENOUGH_WORDS else None


def _plain_lines(text: str) -> list[str]:
    return [_MARKS.sub("", line) for line in text.splitlines()]


def _comments(source: str) -> Iterator[tuple[int, str]]:
    """Yield each comment with the line on which it begins, counted from 1."""
    root = Parser(Language(tree_sitter_php.language_php())).parse(source.encode()).root_node
    waiting: list[Node] = [root]
    while waiting:
        node = waiting.pop()
        if node.type == "comment":
            yield node.start_point[0] + 1, (node.text or b"").decode("utf-8", "replace")
        waiting.extend(node.children)
