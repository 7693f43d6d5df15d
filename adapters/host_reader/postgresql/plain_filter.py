"""Leave out of a plain dump what this server or user cannot take: whole statements only, never inside rows (B5)."""

from __future__ import annotations

import re
from typing import Dict, Iterator, List, Optional, Pattern, Tuple

from adapters.host_reader.answers import Refusal
from bot.dumps.copy_block import CopyBlock
from bot.dumps.scanner import LONGEST_STATEMENT_BYTES
from bot.dumps.statements import COPY_HEAD
from bot.dumps.tokens import PGSQL, statement_end

_BLANK_OR_COMMENT = re.compile(rb"(?:\s+|--[^\n]*\n)+")
_COPY = re.compile(rb"COPY\s", re.IGNORECASE)
# Their psql commands are for restricted mode, which is set anew around the whole load.
_RESTRICT = re.compile(rb"\\(?:un)?restrict\s[^\n]*\n?")
_TIMEOUT_SINCE = 17

_Sign = Tuple[Pattern[bytes], str]


def _sign(pattern: bytes, what: str) -> _Sign:
    return re.compile(rb"\s*" + pattern, re.IGNORECASE), what


_TIMEOUT = _sign(
    rb"SET\s+transaction_timeout\b", "the setting transaction_timeout, which this server does not know"
)
_LEFT_OUT = (
    _sign(rb"ALTER\s[^;']*\sOWNER\s+TO\s", "owners, which may be missing here"),
    _sign(rb"(?:GRANT|REVOKE)\s", "rights of named roles"),
    _sign(rb"ALTER\s+DEFAULT\s+PRIVILEGES\b", "default rights of named roles"),
    _sign(rb"SET\s+SESSION\s+AUTHORIZATION\b", "changes of the user"),
    _sign(rb"COMMENT\s+ON\s+EXTENSION\s", "comments on extensions, which only their owner may write"),
    _sign(rb"COMMENT\s+ON\s+SCHEMA\s+public\s", "the comment on the schema public"),
    _sign(rb"CREATE\s+SCHEMA\s+public\s*;", "the schema public, which each new database has"),
    _sign(rb"(?:CREATE|ALTER)\s+EVENT\s+TRIGGER\b", "event triggers, which only a superuser may make"),
    _sign(rb"(?:CREATE|ALTER)\s+PUBLICATION\b", "publications"),
    _sign(
        rb"(?:CREATE|ALTER)\s+SUBSCRIPTION\b", "subscriptions, which would begin to replicate into scratch"
    ),
    _sign(rb"COMMENT\s+ON\s+EVENT\s+TRIGGER\b", "comments on event triggers"),
    _sign(rb"COMMENT\s+ON\s+(?:PUBLICATION|SUBSCRIPTION)\b", "comments on publications"),
)
# What lies beside all databases of a server would be changed for all of them, production first.
_BEYOND = re.compile(
    rb"\s*(?P<what>(?:CREATE|ALTER|DROP|COMMENT\s+ON|SECURITY\s+LABEL\s+ON)\s+(?:DATABASE|ROLE|USER(?!\s+MAPPING)|GROUP"
    rb"|TABLESPACE|SYSTEM)|(?:DROP|REASSIGN)\s+OWNED|DO)\b",
    re.IGNORECASE,
)


class PlainFilter:
    """Passes a plain dump on in pieces; `left_out` counts what was left out, by what it is.

    A statement that is left out leaves its line ends behind, so that a line number is that of the dump.
    """

    def __init__(self, server_major: int) -> None:
        self.left_out: Dict[str, int] = {}
        self._signs: List[_Sign] = [*_LEFT_OUT, *([_TIMEOUT] if server_major < _TIMEOUT_SINCE else [])]
        self._data = b""
        self._copy: Optional[CopyBlock] = None
        self._wanted_bytes = 0

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Take the next block and yield what is to be loaded of what is whole by now. *Raises* Refusal."""
        self._data += block
        if self._copy is None and len(self._data) < self._wanted_bytes:
            return
        yield from self._advance(last=False)
        # Twice as much before the next look at a long statement: it is then looked at a few times only.
        self._wanted_bytes = 2 * len(self._data) if self._copy is None else 0

    def finish(self) -> Iterator[bytes]:
        """Yield the rest. *Raises* Refusal (damaged) where the dump ends inside rows or a statement."""
        self._data += b"\n"
        yield from self._advance(last=True)
        if self._copy is not None or self._data.strip():
            raise Refusal("damaged", "The dump ends inside a statement or inside rows. Nothing was kept.")

    def _advance(self, *, last: bool) -> Iterator[bytes]:
        place = 0
        while True:
            step = self._step_copy(place) if self._copy is not None else self._step(place, last=last)
            if step is None:
                break
            stop, passed = step
            if passed:
                yield passed
            if stop == place and not passed:
                break
            place = stop
        self._data = self._data[place:]
        if self._copy is None and len(self._data) > LONGEST_STATEMENT_BYTES:
            raise Refusal("damaged", "A statement of the dump does not end within 16 MB. Nothing was kept.")

    def _step_copy(self, place: int) -> Optional[Tuple[int, bytes]]:
        block = self._copy
        if block is None or place >= len(self._data):
            return None
        size, over = block.take(self._data, place)
        if over:
            self._copy = None
        return (place + size, self._data[place : place + size]) if size else None

    def _step(self, place: int, *, last: bool) -> Optional[Tuple[int, bytes]]:
        """Return how far the next comment, command or statement goes and what of it is passed on; None: more is needed."""
        data = self._data
        blank = _BLANK_OR_COMMENT.match(data, place)
        if blank:
            return blank.end(), b"\n" * data.count(b"\n", place, blank.end())
        if place >= len(data):
            return None
        if data.startswith(b"\\", place):
            return self._step_command(place, last=last)
        if data.startswith(b"--", place):
            return None  # A comment whose line is not whole yet.
        if _COPY.match(data, place):
            head = COPY_HEAD.match(data, place)
            if head:
                self._copy = CopyBlock("", None, 0)
                return head.end(), head.group()
        stop = statement_end(data, place, PGSQL)
        if stop < 0 or (not last and stop + 2 > len(data)):
            return None
        statement = data[place:stop]
        return stop, self._passed(statement)

    def _step_command(self, place: int, *, last: bool) -> Optional[Tuple[int, bytes]]:
        end = self._data.find(b"\n", place)
        if end < 0 and not last:
            return None
        found = _RESTRICT.match(self._data, place)
        if found is None:
            raise Refusal(
                "refused",
                "The dump holds a command for psql itself, which can run programs on this host. Nothing was kept.",
            )
        self._count("the commands for psql's restricted mode, which is set anew")
        return found.end(), b"\n"

    def _passed(self, statement: bytes) -> bytes:
        if _COPY.match(statement):
            raise Refusal(
                "refused",
                "The dump holds a COPY that reads a file or a program of the server. Nothing was kept.",
            )
        for pattern, what in self._signs:
            if pattern.match(statement):
                self._count(what)
                return b"\n" * statement.count(b"\n")
        beyond = _BEYOND.match(statement)
        if beyond:
            words = " ".join(beyond.group("what").decode("ascii").upper().split())
            raise Refusal(
                "refused",
                f"The dump holds a statement ({words} …) that could reach beyond scratch, into the whole server. Nothing was kept"
                " and nothing was changed; choose another backup, or have the statement taken out of a copy of this one.",
            )
        return statement

    def _count(self, what: str) -> None:
        self.left_out[what] = self.left_out.get(what, 0) + 1
