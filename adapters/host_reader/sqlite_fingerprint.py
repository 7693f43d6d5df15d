"""A hash of what a database holds, whatever the order of its rows and the layout of its pages."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from typing import Any, Dict, List, Tuple

from adapters.host_reader.answers import progress
from adapters.host_reader.sqlite_open import quoted, reading, writing
from adapters.host_reader.sqlite_request import Answer, Request, names, text
from adapters.host_reader.sqlite_schema import Schema, read_schema

_MODULUS = 1 << 128
_ROWS_AT_ONCE = 2000


def sqlite_fingerprint(request: Request) -> Answer:
    """Return the fingerprint of a database file, with count and checksum per table; reads only.

    Rows of `except_tables` are left out, their definition is not. With `settle` true an interrupted write of a killed
    process is first rolled back, as the application's next access would do it (a *change* SQLite itself makes).
    While it reads a database that is not in WAL mode, writers wait.
    """
    began = time.monotonic()
    path = text(request, "path")
    if request.get("settle") is True:
        settle(path)
    with reading(path) as connection:
        answer = fingerprint_of(connection, except_tables=names(request, "except_tables"))
    answer["duration_s"] = round(time.monotonic() - began, 3)
    return answer


def settle(path: str) -> None:
    """Let SQLite roll back what a killed writer left in a journal. *Changes*: only that."""
    with writing(path) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def fingerprint_of(
    connection: sqlite3.Connection, schema: str = "main", except_tables: Tuple[str, ...] | List[str] = ()
) -> Answer:
    """Return `{fingerprint, schema_hash, tables: {name: {rows, checksum}}}` as of one moment; reads only."""
    own_transaction = not connection.in_transaction
    if own_transaction:
        connection.execute("BEGIN")
    try:
        found = read_schema(connection, schema)
        tables = _checksums(connection, schema, found, {name.lower() for name in except_tables})
    finally:
        if own_transaction:
            connection.execute("ROLLBACK")
    return {
        "fingerprint": _together(found.hash, tables),
        "schema_hash": found.hash,
        "tables": {name: value for name, value in tables.items() if name != "sqlite_sequence"},
    }


def _checksums(
    connection: sqlite3.Connection, schema: str, found: Schema, left_out: set[str]
) -> Dict[str, Dict[str, Any]]:
    listed = found.without(list(left_out))
    tables = {}
    for done, table in enumerate(listed):
        progress("fingerprint", done, len(listed), "tables")
        columns = ", ".join(quoted(name) for name in table.column_names)
        rows, total = table_checksum(
            connection, f"SELECT {columns} FROM {quoted(schema)}.{quoted(table.name)}"
        )
        tables[table.name] = {"rows": rows, "checksum": f"{total:032x}"}
    progress("fingerprint", len(listed), len(listed), "tables")
    tables["sqlite_sequence"] = _sequences(connection, schema, left_out)
    return tables


def table_checksum(connection: sqlite3.Connection, select: str) -> Tuple[int, int]:
    """Return the number of rows a SELECT gives and the sum of their hashes modulo 2**128.

    `ascii()` of a row tells 1, '1', 1.0, NULL, '' and X'' apart and is the same in every version of Python. Text that
    is no UTF-8 is read a second time with its bytes kept; valid text is encoded alike in both ways.
    """
    try:
        return _sum_of_hashes(connection.execute(select))
    except sqlite3.OperationalError as error:
        if "UTF-8" not in str(error):
            raise
    connection.text_factory = _any_text
    try:
        return _sum_of_hashes(connection.execute(select))
    finally:
        connection.text_factory = str


def _any_text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _sum_of_hashes(cursor: sqlite3.Cursor) -> Tuple[int, int]:
    blake2b, from_bytes = hashlib.blake2b, int.from_bytes
    count, total = 0, 0
    while True:
        rows = cursor.fetchmany(_ROWS_AT_ONCE)
        if not rows:
            return count, total % _MODULUS
        count += len(rows)
        for row in rows:
            total += from_bytes(blake2b(ascii(row).encode("ascii"), digest_size=16).digest(), "big")


def _sequences(connection: sqlite3.Connection, schema: str, left_out: set[str]) -> Dict[str, Any]:
    exists = connection.execute(
        f"SELECT count(*) FROM {quoted(schema)}.sqlite_master WHERE name = 'sqlite_sequence'"
    ).fetchone()[0]
    rows = []
    if exists:
        rows = connection.execute(f"SELECT name, seq FROM {quoted(schema)}.sqlite_sequence").fetchall()
    kept = sorted(ascii(row) for row in rows if row[0].lower() not in left_out)
    digest = hashlib.blake2b("\n".join(kept).encode("ascii"), digest_size=16)
    return {"rows": len(kept), "checksum": digest.hexdigest()}


def _together(schema_hash: str, tables: Dict[str, Dict[str, Any]]) -> str:
    digest = hashlib.blake2b(schema_hash.encode("ascii"), digest_size=16)
    for name in sorted(tables):
        digest.update(ascii((name, tables[name]["rows"], tables[name]["checksum"])).encode("ascii"))
    return digest.hexdigest()
