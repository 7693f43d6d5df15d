"""Find what stands outside the strings of a block of rows by arithmetic on one long number, without looking at any row.

Of a block only quotes, brackets, semicolons and line ends are kept, each as one digit of base 32: so the block becomes
a number with five bits a sign, one bit for each kind of sign. Whether a sign is inside a string is the parity of the
quotes before it, and the parities of all places at once are a handful of shifts.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Callable, NamedTuple, Tuple

_SIGNS = b"'();\n"
# Digits of base 32 with one bit set: 1, 2, 4, 8 and 16.
_DIGITS = b"1248g"
_DROPPED = bytes(code for code in range(256) if code not in _SIGNS)
_TO_DIGITS = bytes.maketrans(_SIGNS, _DIGITS)
_TO_BRACKETS = bytes.maketrans(_DIGITS, _SIGNS)
_STRING, _PAIR_WITHIN, _CLOSE = b"11", b"244", b"4"
_LANE_BITS = 5
_ESCAPED = re.compile(rb"\\[\\']")
_NESTED = re.compile(rb"\((?:\(\))+\)")
_LEVEL = re.compile(rb"(?:\(\))*")


def _ones_by_text(number: int) -> int:
    return bin(number).count("1")  # noqa: FURB161 - Python 3.9 has no int.bit_count


_ones: Callable[[int], int] = getattr(int, "bit_count", _ones_by_text)


class Outline(NamedTuple):
    """What a block of rows holds outside its strings.

    `rows` are the row lists that open on the outermost level, `depth` the open brackets at its end, `ends` the
    semicolons outside strings, `inside` whether it ends within a string. `end_in_string` is True where a string may hold
    what looks like the end of a statement: a semicolon with a line end behind it. `broken_line` is True where a line
    ends within a string or a row, or holds no row, which the tools of MySQL and MariaDB never write.
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
    if backslash and b"\\" in data:
        data = _ESCAPED.sub(b"", data)
    digits = _bare(data.translate(_TO_DIGITS, _DROPPED))
    if not digits:
        return Outline(0, depth, 0, inside, False, False)
    signs, lanes = int(digits, 32), _all_lanes(len(digits))
    within = _parity(signs & lanes, len(digits)) ^ (lanes if inside else 0)
    outside = within ^ lanes
    opens, closes = (signs >> 1) & outside, (signs >> 2) & outside
    lines, ends = (signs >> 4) & lanes, (signs >> 3) & outside
    rows, open_at_end, between = _level(opens, closes, depth, len(digits))
    if rows is None:
        brackets = b"".join(digits.split(b"1")[int(inside) :: 2])
        rows, open_at_end = count_tuples(brackets.translate(_TO_BRACKETS, b"8g"), depth)
    return Outline(
        rows=rows,
        depth=open_at_end,
        ends=_ones(ends),
        inside=bool(within & 1),
        end_in_string=bool((signs >> 3) & within & (signs << 1)),
        broken_line=bool(lines)
        and (bool(lines & (within | between)) or _has_bare_line(lines & outside, ends)),
    )


def _bare(digits: bytes) -> bytes:
    """Return the digits without strings that hold no sign and without pairs of brackets in a row's own brackets.

    Both leave every other sign where it is, inside a string or not and as deep as before: two quotes side by side keep
    the parity, and a pair of brackets side by side with a closing one behind it is within the brackets that this closes
    (or all three are within a string).
    """
    digits = digits.replace(_STRING, b"")
    while _PAIR_WITHIN in digits:
        digits = digits.replace(_PAIR_WITHIN, _CLOSE)
    return digits


def _has_bare_line(lines: int, ends: int) -> bool:
    """Say whether a line ends without a row: two line ends together, but for a statement's head; or one before an end."""
    double = lines & (lines >> _LANE_BITS) & ~(ends >> (2 * _LANE_BITS))
    return bool(double | (lines & (ends << _LANE_BITS)))


def _level(opens: int, closes: int, depth: int, size: int) -> "Tuple[int | None, int, int]":
    """Return how many brackets open, the depth at the end and the mask of what is between brackets.

    The count is None where brackets stand within brackets.

    Proof: with the signs of `+` for opens and `-` for closes, the difference of the two numbers is the mask of what
    lies between each bracket and the next exactly when the signs alternate, for a sum of distinct powers of two has one
    way only to be written. The edges of that mask (itself, shifted by one, exclusive or) are then the brackets.
    """
    rows = _ones(opens)
    open_at_end = depth + rows - _ones(closes)
    if depth > 1 or open_at_end not in (0, 1):
        return None, 0, 0
    # One lane more on both sides, for a bracket that was open before and one that is closed later.
    opens, closes = opens << _LANE_BITS, closes << _LANE_BITS
    opens |= depth << (_LANE_BITS * (size + 1))
    closes |= open_at_end
    between = opens - closes
    if between < 0 or between ^ (between >> 1) != (opens | closes) >> 1:
        return None, 0, 0
    return rows, open_at_end, between >> _LANE_BITS


@lru_cache(maxsize=16)
def _lanes_of(power: int) -> int:
    return int(b"1" * (1 << power), 32)


def _all_lanes(size: int) -> int:
    """Return the number that has the lowest bit of each of `size` lanes set."""
    power = (size - 1).bit_length()
    return _lanes_of(power) >> (_LANE_BITS * ((1 << power) - size))


def _parity(bits: int, size: int) -> int:
    """Return in each lane the parity of all bits up to it, itself included; the first sign is the highest lane."""
    shift = _LANE_BITS
    while shift < _LANE_BITS * size:
        bits ^= bits >> shift
        shift *= 2
    return bits


def count_tuples(brackets: bytes, depth: int) -> Tuple[int, int]:
    """Return how many row lists open on the outermost level, and the depth at the end, when it was `depth` before."""
    text = b"(" * depth + brackets
    while b"((" in text:
        shorter = _NESTED.sub(b"()", text)
        if len(shorter) == len(text):
            break
        text = shorter
    level = _LEVEL.match(text)
    closed = level.end() if level else 0
    rest = text[closed:]
    open_depth = rest.count(b"(") - rest.count(b")")
    return closed // 2 + (1 if rest else 0) - (1 if depth else 0), max(open_depth, 0)
