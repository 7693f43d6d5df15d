"""Cut the text of a `.dump` into statements, whatever strings, comments and triggers hold."""

from __future__ import annotations

import itertools
import re
import sqlite3
from typing import Iterable, Iterator

# One whole quoted thing, comment or the end of a statement. A doubled quote reads as two strings side by side, which
# ends at the same place. `[^']*` runs at C speed over a value of any length.
_TOKEN = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\[[^\]]*\]|--[^\n]*\n|/\*.*?\*/|;", re.DOTALL)
_OPENER = re.compile(r"['\"`\[;]|--|/\*|[-/]\Z")
_BLANK = re.compile(r"(?:\s+|--[^\n]*\n|/\*.*?\*/)*", re.DOTALL)
_TRIGGER = re.compile(r"create\s+(?:temp\s+|temporary\s+)?trigger\b", re.IGNORECASE)


def statements(pieces: Iterable[str]) -> Iterator[str]:
    """Yield each statement without its last semicolon; what is left at the end without one is yielded too.

    Comments before a statement are left out. Memory holds one statement and one piece. A trigger's statement goes on
    to its `END;`, as `sqlite3.complete_statement` judges.
    """
    buffer, begins, looked = "", 0, 0
    # A last line break ends a comment on the last line.
    for piece in itertools.chain(pieces, ["\n"]):
        buffer, begins, looked = buffer[begins:] + piece, 0, looked - begins
        while True:
            found = _next_token(buffer, looked)
            if found is None:
                looked = _resume_at(buffer, looked)
                break
            looked = found.end()
            if found.group() == ";" and not _inside_trigger(buffer[begins:looked]):
                yield _bare(buffer[begins : looked - 1])
                begins = looked
    rest = _bare(buffer[begins:])
    if rest:
        yield rest


def _next_token(buffer: str, start: int) -> re.Match[str] | None:
    """Return the next whole token, or None where one begins before it that the buffer does not end."""
    found = _TOKEN.search(buffer, start)
    opened = _OPENER.search(buffer, start)
    if found is None or (opened is not None and opened.start() < found.start()):
        return None
    return found


def _resume_at(buffer: str, start: int) -> int:
    """Return where the search goes on when more text has come: at a token that is open, else at the end."""
    opened = _OPENER.search(buffer, start)
    return len(buffer) if opened is None else opened.start()


def _inside_trigger(statement: str) -> bool:
    start = _BLANK.match(statement)
    begins = start.end() if start else 0
    return bool(_TRIGGER.match(statement, begins)) and not sqlite3.complete_statement(statement)


def _bare(statement: str) -> str:
    start = _BLANK.match(statement)
    return statement[start.end() if start else 0 :].rstrip()
