"""PostgreSQL's COPY text format, read and written exactly.

*Source*: the manual's page of COPY, "Text Format": NULL is `\\N`, columns part at tabs, `\\b \\f \\n \\r \\t \\v \\\\`.
"""

from __future__ import annotations

import re
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence

from adapters.host_reader.server.port import Row, Value

_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_MEANT: Dict[bytes, bytes] = {
    b"b": b"\b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"v": b"\v",
}
_WRITTEN = {92: "\\\\", 8: "\\b", 12: "\\f", 10: "\\n", 13: "\\r", 9: "\\t", 11: "\\v"}

_Reader = Callable[[bytes], Value]


def plain(field: bytes) -> Optional[bytes]:
    """Return a field's bytes as they were in the database, None for NULL."""
    if field == b"\\N":
        return None
    return _ESCAPE.sub(_meant, field) if b"\\" in field else field


def _meant(match: "re.Match[bytes]") -> bytes:
    sign = match.group(1)
    return _MEANT.get(sign, sign)


def texts(line: bytes) -> List[Optional[str]]:
    """Return one line's fields as texts; bytes that are no UTF-8 are kept by `surrogateescape`."""
    fields = [plain(field) for field in line.split(b"\t")]
    return [None if field is None else field.decode("utf-8", "surrogateescape") for field in fields]


def _integer(field: bytes) -> Value:
    return None if field == b"\\N" else int(field)


def _binary(field: bytes) -> Value:
    # The output is always hexadecimal: `\x` with its backslash written twice.
    return None if field == b"\\N" else bytes.fromhex(field[3:].decode("ascii"))


def _text(field: bytes) -> Value:
    if b"\\" in field:
        found = plain(field)
        return None if found is None else found.decode("utf-8", "surrogateescape")
    return field.decode("utf-8", "surrogateescape")


_READERS: Dict[str, _Reader] = {"integer": _integer, "binary": _binary, "text": _text}


def rows(lines: Iterable[bytes], kinds: Sequence[str]) -> Iterator[Row]:
    """Yield each line as a row of values, by the kinds of its columns (`integer`, `binary`, `text`)."""
    readers = [_READERS[kind] for kind in kinds]
    if not readers:
        for _ in lines:
            yield ()
        return
    for line in lines:
        fields = zip(readers, line.split(b"\t"))  # noqa: B905 - strict= needs Python 3.10
        yield tuple([read(field) for read, field in fields])


def line_of(row: Sequence[Value]) -> bytes:
    """Return a row as one line of COPY's input, its line end included."""
    return b"\t".join([_field(value) for value in row]) + b"\n"


def _field(value: Value) -> bytes:
    if value is None:
        return b"\\N"
    if isinstance(value, bytes):
        return b"\\\\x" + value.hex().encode("ascii")
    if isinstance(value, int):
        return str(int(value)).encode("ascii")
    return value.translate(_WRITTEN).encode("utf-8", "surrogateescape")
