"""Open SQLite databases: the live one read-only and never created, scratch files for writing."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from pathlib import Path
from typing import Iterator, List, Optional, Tuple
from urllib.parse import quote

from adapters.host_reader.answers import Refusal

Parameters = Tuple[object, ...]

# How long a reader waits for a lock that the application holds.
BUSY_S = 5.0
# The progress handler is asked after so many virtual machine steps: some thousand times a second.
_STEPS = 20_000
# The first bytes of a rollback journal that was written and not finished. Source: sqlite.org/fileformat2.html, 3.
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")


def quoted(name: str) -> str:
    """Return an identifier as SQLite takes it whatever it holds: the one place in which names become SQL."""
    if "\0" in name:
        raise Refusal("bad_request", "A table or column name holds a NUL byte. Nothing was changed.")
    return '"' + name.replace('"', '""') + '"'


def text_literal(value: str) -> str:
    """Return a text as a literal of SQLite's SQL."""
    return "'" + value.replace("'", "''") + "'"


def existing_file(path: str) -> str:
    """Return the real path of a regular file; reads only. *Raises* Refusal when there is none."""
    real = os.path.realpath(path)
    try:
        found = Path(real).stat()
    except OSError as error:
        raise Refusal(
            "not_found", f"There is no file {path} ({error.strerror}). Nothing was created or changed."
        ) from None
    if not stat.S_ISREG(found.st_mode):
        raise Refusal("not_found", f"{path} is no regular file. Nothing was changed.")
    return real


def file_uri(path: str, mode: str) -> str:
    """Return the URI by which SQLite opens an existing file; `mode` is ro or rw, so it is never created."""
    return "file:" + quote(os.fsencode(existing_file(path)), safe="/") + "?mode=" + mode


@contextlib.contextmanager
def reading(
    path: str, time_limit_s: Optional[float] = None, busy_s: float = BUSY_S
) -> Iterator[sqlite3.Connection]:
    """Open a database for reading only; committed rows in a `-wal` are seen.

    *Raises* Refusal: not_found, damaged, busy, hot_journal (an interrupted write waits to be rolled back, which a
    reader may not do), time_limit.
    """
    connection = _connect(file_uri(path, "ro"), path, busy_s)
    try:
        with told_plainly(path):
            connection.execute("PRAGMA query_only=ON")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            with time_limit(connection, time_limit_s):
                yield connection
    finally:
        connection.close()


@contextlib.contextmanager
def writing(path: str, busy_s: float = BUSY_S) -> Iterator[sqlite3.Connection]:
    """Open an existing database for writing; an unfinished transaction on the connection is rolled back at the end.

    *Changes*: an interrupted write of another process is rolled back by SQLite itself, as by any next reader.
    """
    connection = _connect(file_uri(path, "rw"), path, busy_s)
    try:
        with told_plainly(path):
            yield connection
    finally:
        connection.close()


@contextlib.contextmanager
def reading_together(**paths: str) -> Iterator[sqlite3.Connection]:
    """Open several databases for reading in one connection, each under the schema name given as keyword."""
    connection = _connect("file::memory:", "memory")
    try:
        for schema, path in paths.items():
            attach(connection, schema, path)
        with told_plainly(", ".join(paths.values())):
            yield connection
    finally:
        connection.close()


def attach(connection: sqlite3.Connection, schema: str, path: str) -> None:
    """Add a database to a connection for reading only, under a schema name."""
    with told_plainly(path):
        connection.execute(f"ATTACH ? AS {quoted(schema)}", (file_uri(path, "ro"),))
        connection.execute(f"SELECT count(*) FROM {quoted(schema)}.sqlite_master").fetchone()


def _connect(uri: str, path: str, busy_s: float = BUSY_S) -> sqlite3.Connection:
    with told_plainly(path):
        connection = sqlite3.connect(
            uri, uri=True, timeout=busy_s, isolation_level=None, cached_statements=64
        )
    connection.execute("PRAGMA trusted_schema=OFF")
    return connection


@contextlib.contextmanager
def told_plainly(path: str) -> Iterator[None]:
    """Turn SQLite's errors into refusals that say what failed; texts that could hold row content are left out."""
    try:
        yield
    except sqlite3.Error as error:
        raise _refusal(error, path) from None


def _refusal(error: sqlite3.Error, path: str) -> Refusal:
    said = str(error)
    # SQLite's own words begin the message; a table or column may be named like one of them (`blocked_users.full_name`).
    if said.startswith(("database is locked", "database table is locked", "database schema is locked")):
        return Refusal("busy", f"{path} is locked by another process. Nothing was changed; look who writes.")
    if said.startswith(
        (
            "database disk image is malformed",
            "malformed database",
            "file is not a database",
            "file is encrypted",
        )
    ):
        return Refusal("damaged", f"{path} is no sound SQLite database. Nothing was changed; call the DBA.")
    if said.startswith(("attempt to write a readonly database", "unable to open database")):
        return _refusal_to_open(path)
    if said.startswith("interrupted"):
        return Refusal(
            "time_limit", f"Reading {path} took longer than allowed and was ended. Nothing was changed."
        )
    if said.startswith("database or disk is full"):
        return Refusal("no_space", f"The disk of {path} is full. The change was rolled back.")
    if "constraint failed" in said or said.startswith("foreign key mismatch"):
        # Such a message names a table and its columns, never a value.
        kind = "foreign_keys" if said.lower().startswith("foreign key") else "refused"
        return Refusal(kind, f"{path}: {said}. The change was rolled back.")
    return Refusal(
        "damaged", f"{path}: SQLite said {type(error).__name__}. Nothing was changed; call the DBA."
    )


def _refusal_to_open(path: str) -> Refusal:
    if journal_written(path):
        return Refusal(
            "hot_journal",
            f"{path} has a journal of an interrupted write beside it; whoever opens it next for writing rolls it back."
            " Nothing was changed.",
        )
    return Refusal(
        "unreadable", f"{path} cannot be opened by this user. Nothing was changed; check its rights."
    )


def journal_written(path: str) -> bool:
    """Return whether a rollback journal that is in use, or was left by a killed writer, lies beside the file itself.

    A link to the file has none: SQLite follows the link first.
    """
    try:
        with Path(os.path.realpath(path) + "-journal").open("rb") as journal:
            return journal.read(len(_JOURNAL_MAGIC)) == _JOURNAL_MAGIC
    except OSError:
        return False


@contextlib.contextmanager
def time_limit(connection: sqlite3.Connection, seconds: Optional[float]) -> Iterator[None]:
    """End any statement on the connection that still runs after so many seconds; None is no limit."""
    if seconds is None:
        yield
        return
    ends = time.monotonic() + seconds
    connection.set_progress_handler(lambda: int(time.monotonic() > ends), _STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


def pragma(connection: sqlite3.Connection, name: str, schema: str = "main") -> int:
    """Return a numeric pragma of one schema; reads only."""
    return int(connection.execute(f"PRAGMA {quoted(schema)}.{name}").fetchone()[0])


def journal_mode(connection: sqlite3.Connection) -> str:
    """Return the journal mode of the main database: delete, wal, …; reads only."""
    return str(connection.execute("PRAGMA main.journal_mode").fetchone()[0])


def quick_check(connection: sqlite3.Connection, schema: str = "main") -> bool:
    """Return whether SQLite's own quick check of the file finds nothing; its findings may hold names, so none is told."""
    found: List[Tuple[str]] = connection.execute(f"PRAGMA {quoted(schema)}.quick_check(1)").fetchall()
    return found == [("ok",)]
