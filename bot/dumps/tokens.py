"""Where one SQL statement ends, for statements that are read as a whole (everything but rows)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Iterator, NamedTuple, Pattern

SQLITE = "sqlite"
MYSQL = "mysql"
PGSQL = "pgsql"

# Complete strings, names and comments first; a quote that is left over ("open") is not closed in these bytes.
_PARTS = {
    SQLITE: rb"""
        (?P<string>[xX]?'(?:[^']|'')*')
      | (?P<name>"(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\])
      | (?P<comment>--[^\n]*(?:\n|\Z) | /\*(?:(?!\*/).)*\*/)
      | (?P<open>['"`\[] | /\*)""",
    MYSQL: rb"""
        (?P<string>'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*")
      | (?P<name>`(?:[^`]|``)*`)
      | (?P<conditional>/\*M?!\d*)
      | (?P<comment>(?:--(?=\s|\Z)|\#)[^\n]*(?:\n|\Z) | /\*(?:(?!\*/).)*\*/)
      | (?P<open>['"`] | /\*)""",
    PGSQL: rb"""
        (?P<string>[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | \$(?P<tag>\w*)\$(?:(?!\$(?P=tag)\$).)*\$(?P=tag)\$)
      | (?P<name>"(?:[^"]|"")*")
      | (?P<comment>--[^\n]*(?:\n|\Z) | /\*(?:(?!\*/).)*\*/)
      | (?P<open>['"] | \$\w*\$ | /\*)""",
}
_REST = rb"""
      | (?P<number>\d[\w.]*)
      | (?P<word>[A-Za-z_\x80-\xff][\w$\x80-\xff]*)
      | (?P<space>\s+)
      | (?P<sign>.)"""


class Token(NamedTuple):
    """One piece of a statement: its kind and its bytes as they stand, with the place of its end."""

    kind: str
    text: bytes
    end: int


@lru_cache(maxsize=32)
def _pattern(dialect: str, delimiter: bytes) -> Pattern[bytes]:
    end = rb"(?P<end>" + re.escape(delimiter) + rb")|"
    return re.compile(end + _PARTS[dialect] + _REST, re.VERBOSE | re.DOTALL)


def tokens(data: bytes, start: int, dialect: str, delimiter: bytes = b";") -> Iterator[Token]:
    """Yield the tokens from `start` on, without blanks and comments; kind is string, name, word, number, sign, end, open."""
    for match in _pattern(dialect, delimiter).finditer(data, start):
        kind = match.lastgroup or "sign"
        if kind == "tag":
            kind = "string"
        if kind not in ("space", "comment", "conditional"):
            yield Token(kind, match.group(), match.end())


def statement_end(data: bytes, start: int, dialect: str, delimiter: bytes = b";") -> int:
    """Return the place just behind the statement that begins at `start`, or -1 where these bytes do not hold its end.

    A SQLite trigger ends at `; END ;` only. *Source*: `sqlite3_complete()`'s rule; mysql's client for DELIMITER.
    """
    before = (b"", b"")  # the two significant tokens before this one
    head: "list[bytes]" = []
    for token in tokens(data, start, dialect, delimiter):
        if token.kind == "open":
            return -1
        if token.kind == "end" and (
            len(head) < 3 or not _in_trigger(dialect, head) or before == (b";", b"END")
        ):
            return token.end
        if len(head) < 3:
            head.append(token.text.upper())
        before = (before[1], token.text.upper())
    return -1


def _in_trigger(dialect: str, head: "list[bytes]") -> bool:
    """Say whether the statement's first words make it a SQLite trigger, whose body holds semicolons."""
    if dialect != SQLITE or head[:1] != [b"CREATE"]:
        return False
    return head[1] == b"TRIGGER" or (head[1] in (b"TEMP", b"TEMPORARY") and head[2] == b"TRIGGER")


def unquoted(text: bytes) -> str:
    """Return a name as a person writes it: without its quotes, doubled quotes made single."""
    quote, last = text[:1], text[-1:]
    if len(text) >= 2 and quote in (b'"', b"`", b"'") and last == quote:
        text = text[1:-1].replace(quote * 2, quote)
    elif len(text) >= 2 and quote == b"[" and last == b"]":
        text = text[1:-1]
    return text.decode("utf-8", "replace")
