"""Build a scratch database from a backup: a SQLite file or the text of a `.dump`, packed or not."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_copy import copy_into_new_file
from adapters.host_reader.sqlite_dump import load_dump
from adapters.host_reader.sqlite_files import make_once, prove_space, remove_database
from adapters.host_reader.sqlite_fingerprint import fingerprint_of
from adapters.host_reader.sqlite_open import existing_file, pragma, quick_check, quoted, reading, told_plainly
from adapters.host_reader.sqlite_orphans import violation_counts
from adapters.host_reader.sqlite_request import Answer, Request, mapping, number, text
from adapters.host_reader.sqlite_schema import read_migrations, read_schema
from adapters.host_reader.sqlite_unpack import unpacked

_MAGIC = b"SQLite format 3\0"
# SQLite takes the page size as a number in a PRAGMA, where no parameter is possible.
_PAGE_SIZES = {512 << power for power in range(8)}
_ENCODINGS = {"UTF-8", "UTF-16le", "UTF-16be"}


def sqlite_load(request: Request) -> Answer:
    """Load a backup into a new file and return what it holds: row counts, migrations, foreign key violations, hashes.

    `page_size` and `encoding` are the live file's, since a cut-over needs them equal; `user_version` and
    `application_id` likewise, which a `.dump` does not carry. `expect` is the manifest's `{tables: {name: rows}}` or null.
    *Changes*: `target` and its note, or nothing. *Raises* Refusal: damaged (cut short, quick check, other counts),
    no_space, refused.
    """
    backup, target = text(request, "backup"), text(request, "target")
    return make_once(target, request, lambda part: _load(request, backup, part))


def _load(request: Request, backup: str, part: str) -> Answer:
    page_size, encoding = _layout(request)
    size = Path(existing_file(backup)).stat().st_size
    prove_space(str(Path(part).parent), size, number(request, "reserve_bytes", 0))
    blocks = unpacked(backup)
    head = b""
    while len(head) < len(_MAGIC):
        block = next(blocks, None)
        if block is None:
            break
        head += block
    content = itertools.chain([head], blocks)
    if head.startswith(_MAGIC):
        _from_file(content, part, page_size, encoding)
    else:
        _from_dump(content, part, page_size, encoding)
    _take_over_marks(part, request)
    return _proven(request, part)


def _layout(request: Request) -> tuple[int, str]:
    page_size, encoding = int(number(request, "page_size", 4096)), request.get("encoding") or "UTF-8"
    if page_size not in _PAGE_SIZES or encoding not in _ENCODINGS:
        raise Refusal(
            "bad_request", "The page size or the encoding is none that SQLite has. Nothing was changed."
        )
    return page_size, encoding


def _from_dump(content: Iterator[bytes], part: str, page_size: int, encoding: str) -> None:
    with _new_database(part) as connection:
        connection.execute(f"PRAGMA page_size={page_size}")
        connection.execute(f"PRAGMA encoding='{encoding}'")
        # The part is thrown away when anything goes wrong, so nothing needs to be undone or synced on the way.
        connection.execute("PRAGMA journal_mode=OFF").fetchone()
        connection.execute("PRAGMA synchronous=OFF")
        load_dump(connection, content)


def _from_file(content: Iterator[bytes], part: str, page_size: int, encoding: str) -> None:
    """Copy a backup that is itself a database; another page size is changed by rebuilding the copy."""
    unpacked_path = part + ".unpacked"
    try:
        with Path(unpacked_path).open("wb") as file:
            file.writelines(content)
        with reading(unpacked_path) as source:
            copy_into_new_file(source, part)
    finally:
        remove_database(unpacked_path)
    with _new_database(part) as connection:
        if str(connection.execute("PRAGMA encoding").fetchone()[0]) != encoding:
            raise Refusal(
                "refused",
                f"The backup's text is not stored as {encoding}, as the live database's is. Nothing was changed.",
            )
        if pragma(connection, "page_size") != page_size:
            connection.execute(f"PRAGMA page_size={page_size}")
            connection.execute("VACUUM")


@contextlib.contextmanager
def _new_database(part: str) -> Iterator[sqlite3.Connection]:
    with told_plainly(part):
        connection = sqlite3.connect(part, isolation_level=None, cached_statements=4)
        try:
            yield connection
        finally:
            connection.close()


def _take_over_marks(part: str, request: Request) -> None:
    with _new_database(part) as connection:
        for mark in ("user_version", "application_id"):
            if request.get(mark) is not None:
                connection.execute(f"PRAGMA {mark}={int(number(request, mark, 0))}")


def _proven(request: Request, part: str) -> Answer:
    with reading(part) as connection:
        if not quick_check(connection):
            raise Refusal(
                "damaged", "The loaded backup failed SQLite's quick check. Nothing was kept or changed."
            )
        schema = read_schema(connection)
        prints = fingerprint_of(connection)
        rows = {name: value["rows"] for name, value in prints["tables"].items()}
        _refuse_other_counts(mapping(request, "expect").get("tables"), rows, schema.virtual)
        migrations = schema.table(str(request.get("migrations_table") or "migrations"))
        return {
            "tables": rows,
            "foreign_key_violations": violation_counts(connection, "main", schema),
            "fingerprint": prints["fingerprint"],
            "schema_hash": prints["schema_hash"],
            "migrations": read_migrations(connection, "main", migrations),
            "page_size": pragma(connection, "page_size"),
        }


def _refuse_other_counts(
    expected: Optional[Dict[str, Any]], rows: Dict[str, int], virtual: List[str]
) -> None:
    """Refuse another count than the manifest's. A virtual table's rows stand in tables of its own, which are counted."""
    if expected is None:
        return
    wrong = [
        f"{quoted(name)} has {rows.get(name, 'no')} rows, the manifest says {count}"
        for name, count in expected.items()
        if count is not None and name not in virtual and rows.get(name) != count
    ]
    if wrong:
        raise Refusal(
            "damaged", f"The load is not what the backup holds: {'; '.join(wrong[:10])}. Nothing was kept."
        )
