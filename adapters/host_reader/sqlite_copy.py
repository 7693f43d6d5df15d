"""A safety copy or a scratch copy of a SQLite database, through SQLite's own backup and proven equal."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from adapters.host_reader.answers import Refusal, progress
from adapters.host_reader.sqlite_files import make_once, prove_space
from adapters.host_reader.sqlite_fingerprint import fingerprint_of, settle
from adapters.host_reader.sqlite_open import pragma, quick_check, reading, told_plainly
from adapters.host_reader.sqlite_request import Answer, Request, number, optional_text, text
from adapters.host_reader.stopwatch import Stopwatch

# The backup waits so long for a lock before it is refused; the wait between two tries is part of it.
_BUSY_S = 20.0
_RETRY_S = 0.1
_STILL_LOCKED = (5, 6)  # SQLITE_BUSY, SQLITE_LOCKED


def sqlite_copy(request: Request) -> Answer:
    """Make a copy of a database and return its size, SHA-256, fingerprint and row counts.

    `proof_s` of the answer are the seconds in which both were only read. The copy is one file in rollback-journal mode, whatever the source's mode, so that nothing stands in sidecars.
    *Changes*: `target` and its note, or nothing. *Raises* Refusal: no_space, changed, busy, damaged, refused.
    """
    source, target = text(request, "source"), text(request, "target")
    expected = optional_text(request, "expect_fingerprint")
    if request.get("settle") is True:
        settle(source)
    return make_once(target, request, lambda part: _copy(request, source, part, expected))


def _copy(request: Request, source: str, part: str, expected: str | None) -> Answer:
    busy_s, proofs = number(request, "busy_timeout_s", _BUSY_S), Stopwatch()
    with reading(source, busy_s=busy_s) as connection:
        size = pragma(connection, "page_count") * pragma(connection, "page_size")
        prove_space(str(Path(part).parent), size, number(request, "reserve_bytes", 0))
        version = pragma(connection, "data_version")
        with proofs.running():
            before = fingerprint_of(connection)
        _refuse_unless(expected in (None, before["fingerprint"]), "changed", f"{source} is not as expected.")
        copy_into_new_file(connection, part, busy_s)
        with proofs.running(), reading(part) as copied:
            _refuse_unless(quick_check(copied), "damaged", "The copy failed SQLite's quick check.")
            after = fingerprint_of(copied)
        same = after["fingerprint"] == before["fingerprint"] and pragma(connection, "data_version") == version
        _refuse_unless(same, "changed", f"{source} was changed while copying.")
    return {
        "fingerprint": after["fingerprint"],
        "schema_hash": after["schema_hash"],
        "tables": after["tables"],
        "proof_s": round(proofs.seconds, 3),
    }


def _refuse_unless(holds: bool, kind: str, message: str) -> None:
    if not holds:
        raise Refusal(
            kind, f"{message} No copy was kept and nothing was changed; look who writes and try again."
        )


def copy_into_new_file(source: sqlite3.Connection, part: str, busy_s: float = _BUSY_S) -> None:
    """Copy a whole database into a file that is not there yet, in one step. *Changes*: that file."""
    with told_plainly(part):
        target = sqlite3.connect(part, isolation_level=None)
        try:
            back_up(source, target, busy_s)
            target.execute("PRAGMA journal_mode=DELETE").fetchone()
        finally:
            target.close()


def back_up(source: sqlite3.Connection, target: sqlite3.Connection, busy_s: float = _BUSY_S) -> None:
    """Copy all pages of a database into another in one step; a busy file is waited for a limited time.

    Python's own `backup` tries for ever. Its progress function is called after each try, also a failed one, and an
    exception there ends the backup and rolls the target back.
    *Source*: CPython 3.9 to 3.13, Modules/_sqlite/connection.c, pysqlite_connection_backup. *Raises* Refusal (busy).
    """
    ends = time.monotonic() + busy_s

    def told(status: int, remaining: int, total: int) -> None:
        progress("copying", total - remaining, total, "pages")
        if status in _STILL_LOCKED and time.monotonic() > ends:
            raise Refusal(
                "busy", "The database was locked by another process the whole time. Nothing was changed."
            )

    source.backup(target, pages=-1, progress=told, sleep=_RETRY_S)
