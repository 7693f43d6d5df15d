"""Find what stands outside the strings of a block of rows without looking at any row by itself.

Of a block only quotes, brackets, semicolons and line ends are kept. Split at its quotes, what is left lies by turns
outside and within strings; so a few passes of the interpreter's own loops tell both apart, whatever the strings hold.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Tuple

_DROPPED = bytes(code for code in range(256) if code not in b"'();\n")
_DROPPED_BUT_ESCAPES = _DROPPED.replace(b"\\", b"")
_ESCAPES_AS_QUOTES = bytes.maketrans(b"\\", b"'")
_ESCAPED = re.compile(rb"\\[\\']")
_OTHER_ESCAPE = re.compile(rb"\\(?![\\'])")
# How the tools write a row behind a row: each in a statement, each on a line, all on one line; so many of each that a
# block is compared with them at once.
_MANY_ROWS = tuple((row, row * (1 << 14)) for row in (b"();\n", b"()\n", b"()"))
_OPEN, _CLOSE, _END = b"();"


class Outline(NamedTuple):
    """What a block of rows holds outside its strings.

    `rows` are the row lists that open on the outermost level, `depth` the open brackets at its end, `ends` the
    semicolons outside strings, `inside` whether it ends within a string. `end_in_string` is True where a string may hold
    what looks like the end of a statement: a semicolon with a line end behind it. `broken_line` is True for what the
    tools of MySQL and MariaDB never write: a line ends within a string or a row or holds no row, a statement ends within
    a row, a bracket closes that was not opened.
    """

    rows: int
    depth: int
    ends: int
    inside: bool
    end_in_string: bool
    broken_line: bool


def outline(data: bytes, *, inside: bool, depth: int, backslash: bool) -> Outline:
    """Return the outline of `data`, which begins inside a string or not and with `depth` open brackets.

    `backslash` says whether `\\'` is an escape; then `data` must not end between a backslash and its sign.
    """
    # Two quotes side by side, as an empty string or a doubled quote, leave all others as they are: inside or not.
    parts = _kept(data, backslash=backslash).replace(b"''", b"").split(b"'")
    outside = b"".join(parts[int(inside) :: 2])
    within = b"'".join(parts[1 - int(inside) :: 2])
    rows, open_at_end, is_broken = _level(outside, depth)
    return Outline(
        rows=rows,
        depth=open_at_end,
        ends=outside.count(b";"),
        inside=inside ^ (len(parts) % 2 == 0),
        end_in_string=b";\n" in within,
        broken_line=is_broken or b"\n" in within,
    )


def _kept(data: bytes, *, backslash: bool) -> bytes:
    """Return the quotes, brackets, semicolons and line ends of `data`, without quotes that are escaped.

    Where only quotes and backslashes are escaped, as in most texts, each backslash is read as a quote: that makes two of
    an escaped sign, which change nothing. Finding out that this is so takes a third of the time of taking them away.
    """
    if not backslash or b"\\" not in data:
        return data.translate(None, _DROPPED)
    if not _OTHER_ESCAPE.search(data):
        return data.translate(_ESCAPES_AS_QUOTES, _DROPPED_BUT_ESCAPES)
    # The same as `sub`, which goes through twice as long a list.
    return b"".join(_ESCAPED.split(data)).translate(None, _DROPPED)


def _has_bare_line(outside: bytes) -> bool:
    """Say whether a line ends without a row: two line ends together, but for a statement's head; or one before an end."""
    return b"\n;" in outside or b"\n\n" in outside.replace(b";\n", b"")


def _level(outside: bytes, depth: int) -> Tuple[int, int, bool]:
    """Return how many brackets open on the outermost level, how many are open at the end, and if a line is broken."""
    open_at_end = depth + outside.count(b"(") - outside.count(b")")
    if open_at_end < 0:
        return _by_sign(outside, depth)
    text = b"(" * depth + outside + b")" * open_at_end
    rows = _rows_alone(text) or _rows_alone(_without_pairs_within(text))
    if rows:
        return rows - (depth > 0), open_at_end, False
    pairs, is_flat = _pairs(text)
    if is_flat:
        return pairs - (depth > 0), open_at_end, _has_bare_line(outside)
    pairs, is_flat = _pairs(text.translate(None, b"\n"))
    if is_flat:
        return pairs - (depth > 0), open_at_end, True
    return _by_sign(outside, depth)


def _by_sign(outside: bytes, depth: int) -> Tuple[int, int, bool]:
    """Return the same for what no tool writes: a statement ends within a row, or a bracket closes that was not opened."""
    rows = 0
    for sign in outside:
        if sign == _OPEN:
            rows, depth = rows + (depth == 0), depth + 1
        elif sign == _CLOSE:
            depth = max(depth - 1, 0)
        elif sign == _END:
            depth = 0
    return rows, depth, True


def _rows_alone(text: bytes) -> int:
    """Return how many rows there are where all are written alike, with nothing else between them; else 0."""
    for row, many in _MANY_ROWS:
        if text.startswith(row):
            return len(text) // len(row) if many.startswith(text) and not len(text) % len(row) else 0
    return 0


def _without_pairs_within(text: bytes) -> bytes:
    """Return the text without pairs of brackets that have a closing one behind them: they lie within its brackets."""
    while b"())" in text:
        text = text.replace(b"())", b")")
    return text


def _pairs(text: bytes) -> Tuple[int, bool]:
    """Return the number of outermost pairs of brackets, and whether nothing but brackets stands within any of them."""
    text = _without_pairs_within(text)
    rest = text.replace(b"()", b"")
    return (len(text) - len(rest)) // 2, b"(" not in rest and b")" not in rest
