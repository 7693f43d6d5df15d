"""Cut a mysqldump or mariadb-dump stream into statements, fast where rows are and exact everywhere.

Rows are read in big pieces with the C speed of `bytes.find`, `translate` and `replace`: whether a place is inside a string
is the parity of the quotes before it, and parity is kept when pairs of quotes that stand together are taken away. What
is left outside of strings must be nothing but flat row lists; anything else is read token by token, and refused where
a row is computed (a function, a query) instead of given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterable, Iterator, Optional, Union

from adapters.host_reader.answers import Refusal
from bot.dumps.tokens import MYSQL, statement_end, tokens, unquoted

_NAME = rb"(?:`(?:[^`]|``)+`|[^\s`'\"().;,]+)"
_HEAD = re.compile(
    rb"(?:INSERT|REPLACE)(?:\s+(?:IGNORE|DELAYED|LOW_PRIORITY|HIGH_PRIORITY))*\s+INTO\s+(?P<table>" + _NAME + rb")"
    rb"\s*(?P<columns>\(\s*" + _NAME + rb"(?:\s*,\s*" + _NAME + rb")*\s*\))?\s*VALUES?\s*(?=\()",
    re.IGNORECASE,
)  # fmt: skip
_COMMENT = re.compile(
    rb"--(?:[ \t\r][^\n]*)?(?:\n|\Z)|#[^\n]*(?:\n|\Z)|/\*(?!M?!)(?:(?!\*/).)*\*/", re.DOTALL
)
_OPEN_COMMENT = re.compile(rb"--[ \t\r\n]|--\Z|#|/\*(?!M?!)|/\Z|-\Z")
_SANDBOX = re.compile(rb"/\*M?!999999\\- [^*\n]*\*/[ \t]*;?")
_DELIMITER = re.compile(rb"DELIMITER[ \t]+(\S{1,40})[ \t\r]*\n", re.IGNORECASE)
_SPACE = re.compile(rb"\s*")

# Outside of strings only brackets, ends, lines and signs that belong to a comment or another kind of quote count; an x
# stands there in hexadecimal values, and in NEXT VALUE FOR, the one call that needs no brackets.
_KEPT = b"'();\n\"`#\\*xX"
_DROPPED = bytes(code for code in range(256) if code not in _KEPT)
_ESCAPED_MARK = re.compile(rb"\\[\\']")
# One whole row list at the very end of a statement.
_LAST_ROW = re.compile(rb"\([^'()]*(?:'[^'\\]*(?:\\.[^'\\]*)*'[^'()]*)*\);", re.DOTALL)
_NEXT_VALUE = re.compile(rb"next\s+value", re.IGNORECASE)
_WORDS_OF_VALUES = {b"NULL", b"TRUE", b"FALSE", b"DEFAULT", b"X", b"B", b"N"}

# Single-row statements are joined up to this size: what mysqldump itself writes at once.
_JOINED_BYTES = 1 << 20
_BETWEEN_ROWS = (b"),(", b"),\n(")
# So many `;` in a row that do not end a line mean that values are full of them.
_LONE_ENDS = 64
# Rows are shorter than that as a rule; the last one is looked for in a longer and longer end.
_END_BYTES = 1 << 14
# A head with a long column list must lie in the buffer as a whole before it is looked at.
_AHEAD_BYTES = 1 << 16


@dataclass(frozen=True)
class Rows:
    """An INSERT of plain values into one table. `head` is our own (`INSERT INTO … VALUES`), `body` ends with `;`."""

    table: str
    head: bytes
    body: bytes


@dataclass(frozen=True)
class Plain:
    """Any other statement, as it stands, without the delimiter behind it."""

    text: bytes


Statement = Union[Rows, Plain]


class Splitter:
    """Reads one dump: iterate over `statements()`, and look at `whole` and `sandbox` afterwards.

    `limit_bytes` is the server's max_allowed_packet: a longer statement is refused, so memory stays flat.
    """

    def __init__(self, blocks: Iterable[bytes], limit_bytes: int) -> None:
        self._blocks = iter(blocks)
        self._limit = limit_bytes
        self._data = b""
        self._place = 0
        self._ended = False
        self._delimiter = b";"
        self._alone = 0
        self._first_comment: Optional[bytes] = None
        self._last_comment = b""
        self.sandbox = False

    @property
    def marked(self) -> bool:
        """Whether the dump begins with its program's own words; such a dump has an end marker too."""
        return bool(re.match(rb"-- (?:MySQL|MariaDB) dump ", self._first_comment or b""))

    @property
    def whole(self) -> bool:
        """Whether the end marker was the last thing in the dump, or none can be expected (`--compact`)."""
        return not self.marked or self._last_comment.startswith(b"-- Dump completed")

    def statements(self) -> Iterator[Statement]:
        """Give the statements in their order. *Raises* Refusal: damaged (cut short), refused (computed rows, too long)."""
        while self._to_statement():
            self._last_comment = b""
            change = _DELIMITER.match(self._data, self._place)
            if change:
                self._delimiter = change.group(1)
                self._place = change.end()
                continue
            rows = self._rows() if self._delimiter == b";" else None
            yield rows or self._exact()

    def _more(self, wanted: int = 1) -> bool:
        """Take in more of the stream, `wanted` bytes at least; False at its end."""
        parts, size = [self._data[self._place :]], 0
        while size < wanted and not self._ended:
            block = next(self._blocks, None)
            if block is None:
                self._ended = True
            else:
                parts.append(block)
                size += len(block)
        self._data, self._place = b"".join(parts), 0
        return size > 0

    def _to_statement(self) -> bool:
        """Go to the next statement, over blanks and comments; False at the end of the dump."""
        while True:
            space = _SPACE.match(self._data, self._place)
            self._place = space.end() if space else self._place
            if len(self._data) - self._place < _AHEAD_BYTES and not self._ended:
                self._more(_AHEAD_BYTES)
                continue
            if self._place == len(self._data):
                return False
            if not self._skip_comment():
                return True

    def _skip_comment(self) -> bool:
        sandbox = _SANDBOX.match(self._data, self._place)
        if sandbox:
            self.sandbox, self._place = True, sandbox.end()
            return True
        comment = _COMMENT.match(self._data, self._place)
        while not comment and _OPEN_COMMENT.match(self._data, self._place) and self._more(1 << 20):
            if len(self._data) > self._limit:
                raise _too_long(self._limit)
            comment = _COMMENT.match(self._data, self._place)
        if not comment:
            return False
        # The lines of a header are one comment each; a bare `--` frames them.
        if len(comment.group()) > 4:
            self._first_comment = self._first_comment or comment.group()[:200]
            self._last_comment = comment.group()[:200]
        self._place = comment.end()
        return True

    def _rows(self) -> Optional[Rows]:
        """Return the rows that begin here, single statements of one table joined; None where they are not plain."""
        found = _HEAD.match(self._data, self._place)
        if not found:
            return None
        raw, start = found.group(), len(found.group())
        end = self._line_end(found.end())
        while end < 0:
            searched = len(self._data) - self._place
            if searched > self._limit:
                raise _too_long(self._limit)
            if not self._more(1 << 20):
                return None
            end = self._line_end(max(searched - 1, start))
        first = self._place + start
        last, count = self._joined(first, end, raw)
        body = self._data[first : last + 1]
        if count > 1 and not flat(body, b";\n" + raw, count):
            # Something in these is not plain: they are read one by one, and joined again behind them.
            self._alone, last, count, body = count, end, 1, self._data[first : end + 1]
        if count == 1 and not flat(body, b"", 1):
            return None
        if count > 1:
            body = body.replace(b";\n" + raw, b",\n")
        self._place = last + 2
        return self._checked(Rows(unquoted(found.group("table")), _head(found), body))

    def _line_end(self, start: int) -> int:
        """Return the place of the next `;` that ends its line, -1 where there is none yet.

        One sign is looked for ten times as fast as two; most values hold few of them.
        """
        place = self._data.find(b";", start)
        for _ in range(_LONE_ENDS):
            if place < 0 or self._data.startswith(b"\n", place + 1):
                return place
            place = self._data.find(b";", place + 1)
        return self._data.find(b";\n", place) if place >= 0 else -1

    def _joined(self, first: int, end: int, raw: bytes) -> "tuple[int, int]":
        """Return the end of the last of the small statements with the same head, and how many they are."""
        count = 1
        if self._alone:
            self._alone -= 1
            return end, count
        while end - first < _JOINED_BYTES and self._data.startswith(raw, end + 2):
            following = self._line_end(end + 2 + len(raw))
            if following < 0 or following - first > min(_JOINED_BYTES, self._limit // 2):
                break
            end, count = following, count + 1
        return end, count

    def _exact(self) -> Statement:
        """Return the statement that begins here, read token by token."""
        end, wanted = -1, 1 << 20
        while True:
            end = statement_end(self._data, self._place, MYSQL, self._delimiter)
            if end >= 0:
                break
            if len(self._data) - self._place > self._limit:
                raise _too_long(self._limit)
            if not self._more(wanted):
                raise Refusal(
                    "damaged", "The dump is cut short: its last statement has no end. Nothing was kept."
                )
            wanted *= 2
        text = self._data[self._place : end - len(self._delimiter)]
        self._place = end
        found = _HEAD.match(text)
        if not found:
            return Plain(text)
        if not only_values(text[found.end() :]):
            raise Refusal(
                "refused",
                f"The dump computes rows of {unquoted(found.group('table'))} (a function or a query stands among the "
                "values), which no dump program writes. Nothing was kept.",
            )
        body = text[found.end() :].rstrip() + b";"
        return self._checked(Rows(unquoted(found.group("table")), _head(found), body))

    def _checked(self, rows: Rows) -> Rows:
        if len(rows.head) + len(rows.body) > self._limit:
            raise _too_long(self._limit, rows.table)
        return rows


def _head(found: "re.Match[bytes]") -> bytes:
    """Return the head of an INSERT: a REPLACE or IGNORE would hide a row that is there twice."""
    columns = found.group("columns")
    return b"INSERT INTO " + found.group("table") + (b" " + columns if columns else b"") + b" VALUES\n"


def _too_long(limit: int, table: str = "") -> Refusal:
    where = f" (rows of {table})" if table else ""
    return Refusal(
        "refused",
        f"The dump holds a statement{where} longer than the server's max_allowed_packet of {limit} bytes. "
        "Nothing was kept. Raise max_allowed_packet on the server, or choose another backup.",
    )


def flat(body: bytes, again: bytes, count: int) -> bool:
    """Return whether `body` is `count` statements (the heads of all but the first are `again`) of plain rows only."""
    bare = body.replace(again, b";\n") if count > 1 else body
    if b"\\" in bare:
        bare = _ESCAPED_MARK.sub(b"", bare)
    if b"--" in bare and b"--" in b" ".join(bare.split(b"'")[::2]):
        return False
    kept = bare.translate(None, _DROPPED).replace(b"''", b"")
    if b"'" in kept:
        parts = kept.split(b"'")
        if len(parts) % 2 == 0 or (count > 1 and b"\n" in b"".join(parts[1::2])):
            return False
        kept = b"".join(parts[::2])
    if kept.translate(None, b"\nxX").replace(b"()", b"") != b";" * count:
        return False
    if (b"x" in kept or b"X" in kept) and _NEXT_VALUE.search(body):
        return False
    # Behind any but the last an ON DUPLICATE KEY would be an error once they are joined.
    return _ends_with_row(body[body.rfind(again) + len(again) :] if count > 1 else body)


def _ends_with_row(body: bytes) -> bool:
    """Return whether the last thing is a whole row list, not an ON DUPLICATE KEY or the like.

    A piece that begins inside a string has an odd number of quotes, and so never matches.
    """
    stop = len(body)
    for _ in range(8):
        before = _last_start(body, stop)
        if _LAST_ROW.fullmatch(body, body.find(b"(", before + 1)):
            return True
        if before < 0:
            return False
        stop = before
    return False


def _last_start(body: bytes, stop: int) -> int:
    """Return the last place before `stop` that looks like one between two rows, -1 where there is none."""
    span = _END_BYTES
    while True:
        begin = max(0, stop - span)
        place = max(body.rfind(mark, begin, stop) for mark in _BETWEEN_ROWS)
        if place >= 0 or begin == 0:
            return place
        span *= 8


def only_values(text: bytes) -> bool:
    """Return whether the tokens are row lists of literals and nothing else."""
    depth = rows = 0
    for token in tokens(text, 0, MYSQL):
        sign = token.text
        if sign in (b"(", b")"):
            depth += 1 if sign == b"(" else -1
            rows += sign == b")"
            if depth not in (0, 1):
                return False
        elif depth == 0:
            if sign != b",":
                return False
        elif token.kind == "word":
            if sign.upper() not in _WORDS_OF_VALUES and not sign.startswith(b"_"):
                return False
        elif token.kind not in ("string", "number") and sign not in (b",", b"-", b"+", b"."):
            return False
    return depth == 0 and rows > 0
