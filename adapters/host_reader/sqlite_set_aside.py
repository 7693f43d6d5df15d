"""Take rows of Laravel's own tables (jobs, sessions, locks) out of the live file; each is kept in a file first."""

from __future__ import annotations

import math
import sqlite3
from typing import Iterator, List

from adapters.host_reader.answers import Refusal
from adapters.host_reader.kept_rows import (
    Wanted,
    children_of,
    keep_rows,
    refuse_hanging,
    refuse_others,
    wanted_rows,
)
from adapters.host_reader.sqlite_open import quoted, text_literal, writing
from adapters.host_reader.sqlite_request import Answer, Request, number, text

_BUSY_S = 20


def sqlite_set_aside(request: Request) -> Answer:
    """Keep the rows of each table in `tables` in a file in `folder`, and remove them, all in one transaction.

    The write lock is held from before the first row is read, so just what was kept is removed. *Changes*: those rows,
    or nothing. *Raises* Refusal: busy, not_found, refused, changed (nothing was removed).
    """
    wanted = wanted_rows(request)
    with writing(text(request, "path"), number(request, "busy_timeout_s", _BUSY_S)) as live:
        live.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        live.execute("BEGIN IMMEDIATE")
        parents = {name: _parents(live, name) for name in _tables(live)}
        answers = []
        for one in wanted:
            if one.table not in parents:
                raise Refusal("not_found", f"There is no table {one.table}. Nothing was changed.")
            refuse_hanging(one, children_of(parents, one.table))
            answers.append(_taken(live, one))
        live.execute("COMMIT")
    return {"tables": answers}


def _tables(live: sqlite3.Connection) -> List[str]:
    return [name for (name,) in live.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def _parents(live: sqlite3.Connection, table: str) -> "set[str]":
    return {str(row[2]) for row in live.execute(f"PRAGMA foreign_key_list({quoted(table)})")}


def _taken(live: sqlite3.Connection, one: Wanted) -> Answer:
    table = quoted(one.table)
    rest = f"FROM {table}" + (f" WHERE {quoted('key')} LIKE '%{one.key_holds}%'" if one.key_holds else "")
    names = [str(row[1]) for row in live.execute(f"PRAGMA table_info({table})")]
    columns = ", ".join(quoted(name) for name in names)

    def rows() -> Iterator[bytes]:
        for row in live.execute(f"SELECT {columns} {rest}"):
            line = (
                f"INSERT INTO {table} ({columns}) VALUES ({', '.join(_literal(value) for value in row)});\n"
            )
            yield line.encode("utf-8", "surrogateescape")

    kept = keep_rows(one.file, b"BEGIN;\n", rows(), b"COMMIT;\n")
    return refuse_others(one, kept, live.execute(f"DELETE {rest}").rowcount)


def _literal(value: object) -> str:
    """Return a value as SQLite reads it back: exactly, and never as more than one value."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    if isinstance(value, str):
        if "\0" in value:
            return f"CAST(X'{value.encode('utf-8', 'surrogateescape').hex()}' AS TEXT)"
        return text_literal(value)
    if isinstance(value, float) and math.isinf(value):
        return "9e999" if value > 0 else "-9e999"
    return repr(value)
