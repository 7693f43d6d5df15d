"""Rows of MySQL and MariaDB: how each type is asked for, read back and written again without losing anything.

The client prints NULL and the text NULL alike. So nullable text is asked for with a sign before it, and what may be
long or binary, with a column beside it that says whether it is NULL.
"""

from __future__ import annotations

import re
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.client import Session, unescaped, unescaped_bytes
from adapters.host_reader.mysql.names import at, bytes_literal, quoted, text_literal
from adapters.host_reader.server.port import Row, ServerColumn, ServerTable, Value

Read = Callable[[bytes], Value]

# CONCAT gives NULL for what is longer than max_allowed_packet; these may be.
_LONG = re.compile(r"^(?:mediumtext|longtext|json)\b", re.IGNORECASE)
_FLOAT = re.compile(r"^float\b", re.IGNORECASE)
_BIT = re.compile(r"^bit\b", re.IGNORECASE)
# A number of fewer digits needs no look at its size.
_SHORTER_THAN_63_BITS = 19
_TOO_BIG = 1 << 63
_NUMERIC = re.compile(r"^(?:decimal|numeric|float|double|real)\b", re.IGNORECASE)
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?", re.IGNORECASE)
_APPROXIMATE = re.compile(r"^(?:float|double|real)\b", re.IGNORECASE)


def is_long(column: ServerColumn) -> bool:
    """Return whether one value of the column may be longer than the server's packet."""
    return bool(_LONG.match(column.type))


def asked(column: ServerColumn, before: str = "") -> str:
    """Return the SQL expression by which a column's value is asked for in its exact form.

    A `float` is shown with six digits only; as a double it is shown whole.
    """
    name = before + quoted(column.name)
    if _FLOAT.match(column.type):
        return f"({name} + 0e0)"
    return f"CAST({name} AS UNSIGNED)" if _BIT.match(column.type) else name


def _fields(column: ServerColumn) -> List[str]:
    value = asked(column)
    if column.kind == "integer" or column.notnull:
        return [value]
    if column.kind == "binary" or is_long(column):
        return [value, f"{quoted(column.name)} IS NULL"]
    return [f"CONCAT('=', {value})"]


def _integer(part: bytes) -> Value:
    if len(part) < _SHORTER_THAN_63_BITS and part != b"NULL":
        return int(part)
    if part == b"NULL":
        return None
    number = int(part)
    return number if number < _TOO_BIG else part


def _signed_text(part: bytes) -> Optional[str]:
    return None if part == b"NULL" else unescaped(part[1:])


def _reader(column: ServerColumn) -> Tuple[Read, bool]:
    """Return how a column's value is read, and whether the next field says that it is NULL."""
    if column.kind == "integer":
        return _integer, False
    plain: Read = unescaped_bytes if column.kind == "binary" else unescaped
    if column.notnull:
        return plain, False
    return (plain, True) if column.kind == "binary" or is_long(column) else (_signed_text, False)


def select_rows(database: str, table: ServerTable) -> str:
    """Return the SELECT of all rows of a table."""
    fields = [field for column in table.columns for field in _fields(column)]
    return f"SELECT {', '.join(fields)} FROM {at(database, table.name)}"


def stream_rows(session: Session, database: str, table: ServerTable, rest: str = "") -> Iterator[Row]:
    """Give all rows of a table as values in the table's order of columns; constant memory; reads only.

    `rest` is what stands behind the SELECT: a WHERE, a FOR UPDATE.
    """
    readers = [_reader(column) for column in table.columns]
    lines = session.stream(f"{select_rows(database, table)}{rest}", f"reading {database}.{table.name}")
    if any(flagged for _, flagged in readers):
        for line in lines:
            yield _flagged_row(line.split(b"\t"), readers)
    else:
        reads = [read for read, _ in readers]
        for line in lines:
            yield tuple([read(part) for read, part in zip(reads, line.split(b"\t"))])  # noqa: B905


def _flagged_row(parts: List[bytes], readers: Sequence[Tuple[Read, bool]]) -> Row:
    values: List[Value] = []
    place = 0
    for read, flagged in readers:
        is_null = flagged and parts[place + 1] == b"1"
        values.append(None if is_null else read(parts[place]))
        place += 2 if flagged else 1
    return tuple(values)


def writer_of(column: ServerColumn) -> Callable[[Value], str]:
    """Return how a value of a column is written as a literal of SQL. What it writes can never be more than one literal."""
    if column.kind == "integer":
        return _number_literal
    if column.kind == "binary":
        return _binary_literal
    if _NUMERIC.match(column.type):
        return _approximate_literal if _APPROXIMATE.match(column.type) else _number_literal
    return lambda value: "NULL" if value is None else text_literal(_as_text(value))


def _as_text(value: Value) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _binary_literal(value: Value) -> str:
    if value is None:
        return "NULL"
    return bytes_literal(value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape"))


def _number_literal(value: Value) -> str:
    if value is None:
        return "NULL"
    told = _as_text(value)
    if not _NUMBER.fullmatch(told):
        raise Refusal("bad_request", "A value that must be a number is none. Nothing was changed.")
    return told


def _approximate_literal(value: Value) -> str:
    told = _number_literal(value)
    # With an exponent it is read as a double at once, without a detour by a decimal.
    return told if told == "NULL" or "e" in told.lower() else told + "e0"
