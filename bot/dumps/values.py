"""Read the migrations table's own rows out of a dump: names and batches, the only values Backout ever reads."""

from __future__ import annotations

import re
from typing import Dict, List, NamedTuple, Optional, Sequence

from bot.dumps.tokens import MYSQL, tokens

_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"0": b"\x00", b"Z": b"\x1a"}
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)

# What a migration is called when the columns are not known: Laravel's file name begins with a date.
_NAME = re.compile(r"\d{4}_\d\d_\d\d_\d{6}_")


class MigrationRow(NamedTuple):
    """One row of the migrations table. `batch` is None where the dump does not say it."""

    name: str
    batch: Optional[int]


def insert_tuples(text: bytes, dialect: str) -> List[List[str]]:
    """Return the row lists of INSERT statements as text values, in order; strings without their quotes."""
    rows: List[List[str]] = []
    depth, in_values = 0, True  # the text begins behind the first VALUES
    for token in tokens(text, 0, dialect):
        if depth == 0 and token.kind in ("end", "word"):
            in_values = token.text.upper() == b"VALUES"
        if not in_values:
            continue
        if token.text == b"(":
            depth += 1
            if depth == 1:
                rows.append([])
        elif token.text == b")":
            depth -= 1
        elif depth == 1 and rows and token.kind in ("string", "number", "word"):
            rows[-1].append(_value(token.text, dialect))
    return rows


def copy_rows(text: bytes) -> List[List[str]]:
    """Return the lines of a COPY block as text values. *Source*: PostgreSQL 15, COPY, text format."""
    lines = [line for line in text.split(b"\n") if line and line != b"\\."]
    return [[_unescaped(value).decode("utf-8", "replace") for value in line.split(b"\t")] for line in lines]


def migration_rows(rows: Sequence[Sequence[str]], columns: Optional[Sequence[str]]) -> List[MigrationRow]:
    """Return the migrations in the order in which they ran (batch, then name), from the table's rows."""
    found = [row for row in (_migration_row(values, columns) for values in rows) if row is not None]
    return sorted(found, key=lambda row: (row.batch if row.batch is not None else 0, row.name))


def _migration_row(values: Sequence[str], columns: Optional[Sequence[str]]) -> Optional[MigrationRow]:
    if columns and "migration" in columns and len(columns) == len(values):
        named: Dict[str, str] = {column: values[place] for place, column in enumerate(columns)}
        return MigrationRow(named["migration"], _number(named.get("batch")))
    names = [value for value in values if _NAME.match(value)]
    return MigrationRow(names[0], _number(values[-1])) if names else None


def _number(text: Optional[str]) -> Optional[int]:
    return int(text) if text and text.isdigit() else None


def _value(text: bytes, dialect: str) -> str:
    if text[-1:] == b"'" and text[:1] in (b"'", b"e", b"E"):
        text = text[text.index(b"'") + 1 : -1].replace(b"''", b"'")
        text = _unescaped(text) if dialect == MYSQL else text
    return text.decode("utf-8", "replace")


def _unescaped(text: bytes) -> bytes:
    if b"\\" not in text:
        return text
    return _ESCAPED.sub(lambda match: _ESCAPES.get(match.group(1), match.group(1)), text)
