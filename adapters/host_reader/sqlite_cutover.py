"""The moment in which production's data change: a proven copy goes into the live file, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from pathlib import Path
from typing import Any, Dict, Iterator, Tuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_copy import back_up
from adapters.host_reader.sqlite_facts import user_name
from adapters.host_reader.sqlite_fingerprint import fingerprint_of
from adapters.host_reader.sqlite_open import (
    existing_file,
    journal_mode,
    pragma,
    quick_check,
    reading,
    told_plainly,
    writing,
)
from adapters.host_reader.sqlite_request import Answer, Request, number, optional_text, text
from adapters.host_reader.stopwatch import Stopwatch

_JOURNAL_MODES = {"delete", "truncate", "persist", "wal"}
_MARKS = ("user_version", "application_id")


def sqlite_cutover(request: Request) -> Answer:
    """Put the source's content into the live file, and prove that it is there; the same call is the undo.

    Before anything is written the source and the live file must have the fingerprints that the plan names. In
    rollback-journal mode the live file stays locked from that proof to the end, so no write can fall between; in WAL
    mode, where idle readers forbid that lock, there are some milliseconds, guarded by a check of `data_version`.
    A process killed on the way leaves the old content (SQLite rolls it back) or the new, never a mixture.

    *Changes*: the content of `target`; its inode, owner, rights, journal mode, user_version and application_id stay.
    Returns `already: true` when the content was there before (a resumed job); `proof_s` is the part of `duration_s` in
    which only fingerprints were read. *Raises* Refusal: changed, busy, refused (nothing was changed), damaged (the
    message says what was changed).
    """
    began, proofs = time.monotonic(), Stopwatch()
    source, target = text(request, "source"), text(request, "target")
    before = _identity(target)
    _refuse_wrong_owner(request, before)
    busy_s = number(request, "busy_timeout_s", 20)
    with reading(source) as new, writing(target, busy_s) as live:
        _lock(live, target)
        _refuse_other_layout(new, live)
        with proofs.running():
            wanted = _expected(new, text(request, "expect_source_fingerprint"), source)
        kept = _to_keep(request, live)
        version = pragma(live, "data_version")
        with proofs.running():
            found = fingerprint_of(live)["fingerprint"]
        already = found == wanted
        if not already:
            _refuse_changed(found, text(request, "expect_target_fingerprint"), target)
            _refuse_changed(version, pragma(live, "data_version"), target)
            back_up(new, live, busy_s)
        with _told_as_written(target):
            _restore_marks(live, kept)
            with proofs.running():
                answer = _proven(live, wanted)
            _unlock(live, kept[0])
    after = _identity(target)
    answer.update(
        already=already,
        inode_kept=after == before,
        duration_s=round(time.monotonic() - began, 3),
        proof_s=round(proofs.seconds, 3),
    )
    if after != before:
        raise Refusal(
            "damaged", f"{target} has the new content, but its inode, owner or rights are others now."
        )
    return answer


@contextlib.contextmanager
def _told_as_written(target: str) -> Iterator[None]:
    """Say of any failure from here on that the live file has been written."""
    try:
        with told_plainly(target):
            yield
    except Refusal as refusal:
        raise Refusal(
            "damaged",
            f"{target} was written, and then this failed: {refusal.kind}. Keep the site frozen, look at the"
            " fingerprint, and call the DBA; the safety backup is untouched.",
        ) from None


def _identity(path: str) -> Tuple[int, int, int, int, int]:
    found = Path(existing_file(path)).stat()
    return (found.st_dev, found.st_ino, found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))


def _refuse_wrong_owner(request: Request, identity: Tuple[int, int, int, int, int]) -> None:
    owner = optional_text(request, "owner")
    if owner is not None and owner != user_name(identity[2]):
        raise Refusal(
            "refused", f"The live file belongs to {user_name(identity[2])}, not to {owner}. Nothing changed."
        )
    if not os.access(text(request, "target"), os.W_OK):
        raise Refusal("refused", "The live file may not be written by this user. Nothing was changed.")


def _lock(live: sqlite3.Connection, target: str) -> None:
    """Take the write lock, and keep it where the journal mode allows; waits as long as the connection's time-out."""
    rollback_journal = journal_mode(live) != "wal"
    if rollback_journal:
        live.execute("PRAGMA locking_mode=EXCLUSIVE").fetchone()
    try:
        live.execute("BEGIN EXCLUSIVE" if rollback_journal else "BEGIN IMMEDIATE")
        live.execute("COMMIT")
    except sqlite3.OperationalError:
        raise Refusal(
            "busy",
            f"{target} was locked by another process the whole time. Nothing was changed; look who holds it.",
        ) from None


def _unlock(live: sqlite3.Connection, mode: str) -> None:
    live.execute("PRAGMA locking_mode=NORMAL").fetchone()
    live.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if mode == "wal":
        # A passive checkpoint takes what no reader needs and waits for nobody.
        live.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _refuse_other_layout(new: sqlite3.Connection, live: sqlite3.Connection) -> None:
    for name in ("page_size", "encoding"):
        ours, theirs = (str(each.execute(f"PRAGMA {name}").fetchone()[0]) for each in (new, live))
        if ours != theirs:
            raise Refusal(
                "refused",
                f"The copy's {name} is {ours}, the live file's {theirs}. Nothing was changed; load the copy again.",
            )


def _expected(new: sqlite3.Connection, expected: str, source: str) -> str:
    found = str(fingerprint_of(new)["fingerprint"])
    _refuse_changed(found, expected, source)
    return found


def _refuse_changed(found: Any, expected: Any, path: str) -> None:
    if found != expected:
        raise Refusal(
            "changed", f"{path} is not as it was when the plan was made. Nothing was changed; plan again."
        )


def _to_keep(request: Request, live: sqlite3.Connection) -> Tuple[str, Dict[str, int]]:
    """Return the journal mode and the marks the live file is to have afterwards: as asked for, else as now."""
    mode = optional_text(request, "journal_mode") or journal_mode(live)
    if mode not in _JOURNAL_MODES:
        raise Refusal("bad_request", f"There is no lasting journal mode {mode!r}. Nothing was changed.")
    marks = {mark: int(number(request, mark, pragma(live, mark))) for mark in _MARKS}
    return mode, marks


def _restore_marks(live: sqlite3.Connection, kept: Tuple[str, Dict[str, int]]) -> None:
    """Give the live file back what belongs to it and not to its content. *Changes*: header fields, journal mode."""
    mode, marks = kept
    for mark, value in marks.items():
        if pragma(live, mark) != value:
            live.execute(f"PRAGMA {mark}={value}")
    if journal_mode(live) != mode:
        live.execute(f"PRAGMA journal_mode={mode}").fetchone()


def _proven(live: sqlite3.Connection, wanted: str) -> Answer:
    found = fingerprint_of(live)["fingerprint"]
    if found != wanted or not quick_check(live):
        raise Refusal("not proven equal to the copy", "")
    return {
        "fingerprint": found,
        "journal_mode": journal_mode(live),
        "user_version": pragma(live, "user_version"),
    }
