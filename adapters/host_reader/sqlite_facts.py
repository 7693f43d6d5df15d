"""What a live SQLite database is and holds, in names and counts; and a cheap token of its state."""

from __future__ import annotations

import hashlib
import platform
import pwd
import shutil
import sqlite3
import stat
from pathlib import Path
from typing import Any, Dict, List

from adapters.host_reader.answers import Refusal, progress
from adapters.host_reader.sqlite_open import (
    existing_file,
    journal_mode,
    journal_written,
    pragma,
    quoted,
    reading,
)
from adapters.host_reader.sqlite_request import Answer, Request, number, text
from adapters.host_reader.sqlite_schema import Table, read_migrations, read_schema

_PAGE_COUNTER_AT = 24  # the file change counter. Source: sqlite.org/fileformat2.html, 1.3
_WAL_HEADER_BYTES = 32  # holds the salts, new after every reset. Source: the same page, 4.1


def sqlite_facts(request: Request) -> Answer:
    """Return identity, schema, row and NULL counts and the `migrations` rows of a database; reads only.

    Each table is counted in one statement of its own, so that a writer never waits for more than one table.
    `time_limit_s` (default 600) ends it. *Raises* Refusal as `reading` does.
    """
    path = text(request, "path")
    with reading(path, number(request, "time_limit_s", 600)) as connection:
        schema = read_schema(connection)
        migrations = schema.table(str(request.get("migrations_table") or "migrations"))
        return {
            "sqlite_version": sqlite3.sqlite_version,
            "python_version": platform.python_version(),
            "file": _file_facts(path),
            "page_size": pragma(connection, "page_size"),
            "encoding": str(connection.execute("PRAGMA encoding").fetchone()[0]),
            "journal_mode": journal_mode(connection),
            "user_version": pragma(connection, "user_version"),
            "application_id": pragma(connection, "application_id"),
            "free_bytes": shutil.disk_usage(str(Path(existing_file(path)).parent)).free,
            "tables": _tables(connection, list(schema.tables.values())),
            "indexes": schema.indexes,
            "triggers": schema.triggers,
            "views": schema.views,
            "virtual_tables": schema.virtual,
            "migrations": read_migrations(connection, "main", migrations),
            "schema_hash": schema.hash,
        }


def _file_facts(path: str) -> Dict[str, Any]:
    real = existing_file(path)
    found = Path(real).stat()
    return {
        "real_path": real,
        "inode": found.st_ino,
        "device": found.st_dev,
        "owner": user_name(found.st_uid),
        "mode": f"{stat.S_IMODE(found.st_mode):04o}",
        "size_bytes": found.st_size,
    }


def user_name(uid: int) -> str:
    """Return a user's name, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _tables(connection: sqlite3.Connection, tables: List[Table]) -> Dict[str, Any]:
    facts = {}
    for done, table in enumerate(tables):
        progress("counting rows", done, len(tables), "tables")
        facts[table.name] = _table_facts(connection, table)
    progress("counting rows", len(tables), len(tables), "tables")
    return facts


def _table_facts(connection: sqlite3.Connection, table: Table) -> Dict[str, Any]:
    counted = ", ".join(["count(*)", *(f"count({quoted(name)})" for name in table.column_names)])
    rows, *set_values = connection.execute(f"SELECT {counted} FROM {quoted(table.name)}").fetchone()
    return {
        "columns": [
            {
                "name": column.name,
                "type": column.type,
                "notnull": column.notnull,
                "default_set": column.default is not None,
                "pk": column.pk,
            }
            for column in table.columns
        ],
        "key": list(table.key),
        "rows": rows,
        "nulls": {name: rows - set_values[place] for place, name in enumerate(table.column_names)},
        "foreign_keys": [
            {
                "columns": list(each.columns),
                "parent": each.parent,
                "parent_columns": list(each.parent_columns),
                "on_delete": each.on_delete,
            }
            for each in table.foreign_keys
        ],
    }


def sqlite_sample(request: Request) -> Answer:
    """Return a token that changes with any committed write, and whether a killed writer left a journal; reads only.

    No lock is taken and no row is read, so that it may be asked every second: sizes, times, the header's change
    counter and the salts of the `-wal`.
    """
    real = existing_file(text(request, "path"))
    parts = [_head(real, _PAGE_COUNTER_AT, 4), _head(real + "-wal", 0, _WAL_HEADER_BYTES)]
    parts += [_size_and_time(real), _size_and_time(real + "-wal")]
    parts.append(repr(journal_written(real)))
    sample = hashlib.blake2b("|".join(parts).encode("ascii"), digest_size=16).hexdigest()
    return {"sample": sample, "hot_journal": journal_written(real) and _left_by_a_killed_writer(real)}


def _head(path: str, offset: int, length: int) -> str:
    try:
        with Path(path).open("rb") as file:
            file.seek(offset)
            return file.read(length).hex() or "none"
    except OSError:
        return "none"


def _size_and_time(path: str) -> str:
    try:
        found = Path(path).stat()
    except OSError:
        return "none"
    # An empty `-wal` comes and goes with any reader.
    return f"{found.st_size}:{found.st_mtime_ns}" if found.st_size else "none"


def _left_by_a_killed_writer(path: str) -> bool:
    """Return whether SQLite itself takes the journal for one to be rolled back: no live writer holds its lock."""
    try:
        with reading(path):
            return False
    except Refusal as refusal:
        return refusal.kind == "hot_journal"
