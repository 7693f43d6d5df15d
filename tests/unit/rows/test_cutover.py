"""The live file gets the new content whole or keeps the old, whatever happens (HAZARDS R4)."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_verbs import sqlite_copy, sqlite_cutover, sqlite_fingerprint, sqlite_sample
from tests.unit.rows.shapes import run, value


def build(path: Path, word: str, mode: str = "DELETE", rows: int = 500, page_size: int = 4096) -> str:
    """Make a database whose rows hold a word, and return its fingerprint."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA page_size={page_size}")
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
        connection.executemany(
            "INSERT INTO t (v) VALUES (?)", [(f"{word} {n}" + "x" * 300,) for n in range(rows)]
        )
        connection.commit()
    return fingerprint(path)


def fingerprint(path: Path) -> str:
    return str(sqlite_fingerprint({"path": str(path), "settle": True})["fingerprint"])


def request(source: Path, target: Path, **more: Any) -> dict[str, Any]:
    return {
        "source": str(source),
        "target": str(target),
        "expect_source_fingerprint": fingerprint(source),
        "expect_target_fingerprint": fingerprint(target),
        "busy_timeout_s": 0.3,
        **more,
    }


def test_cp_over_a_database_with_a_wal_restores_nothing(tmp_path: Path) -> None:
    """The literal `cp` leaves the broken state and says ok; the cut-over does not, while the application has it open."""
    live, backup = tmp_path / "live.sqlite", tmp_path / "backup.sqlite"
    build(backup, "good", rows=5)
    with closing(sqlite3.connect(live)) as application:
        application.execute("PRAGMA journal_mode=WAL")
        application.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
        application.executemany("INSERT INTO t (v) VALUES (?)", [("broken",)] * 5)
        application.commit()
        shutil.copy(backup, live)
        assert value(live, "SELECT count(*) FROM t WHERE v LIKE 'good%'") == 0
        assert value(live, "PRAGMA integrity_check") == "ok"
        assert sqlite_cutover(request(backup, live))["journal_mode"] == "wal"
        assert application.execute("SELECT count(*) FROM t WHERE v LIKE 'good%'").fetchone() == (5,)


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_content_changes_and_nothing_else(tmp_path: Path, mode: str) -> None:
    """Inode, rights, journal mode and user_version stay; the content is the source's."""
    live, source = tmp_path / "live.sqlite", tmp_path / "source.sqlite"
    build(live, "old", mode)
    build(source, "new", rows=900)
    run(live, "PRAGMA user_version=42; PRAGMA application_id=7;")
    live.chmod(0o640)
    inode = live.stat().st_ino
    answer = sqlite_cutover(request(source, live))
    assert (answer["inode_kept"], answer["already"], answer["fingerprint"]) == (
        True,
        False,
        fingerprint(source),
    )
    assert (live.stat().st_ino, live.stat().st_mode & 0o777) == (inode, 0o640)
    assert [value(live, f"PRAGMA {name}") for name in ("journal_mode", "user_version", "application_id")] == [
        mode.lower(),
        42,
        7,
    ]


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_the_sources_own_journal_mode_is_not_taken_over(tmp_path: Path, mode: str) -> None:
    """A source in the other mode gives its content and not its mode, with the application's connection open."""
    live, source = tmp_path / "live", tmp_path / "source"
    build(live, "old", mode)
    build(source, "new", "WAL" if mode == "DELETE" else "DELETE")
    with closing(sqlite3.connect(live)) as application:
        application.execute("SELECT count(*) FROM t").fetchone()
        answer = sqlite_cutover(request(source, live))
        assert application.execute("SELECT count(*) FROM t WHERE v LIKE 'new%'").fetchone() == (500,)
    assert (answer["journal_mode"], value(live, "PRAGMA journal_mode")) == (mode.lower(), mode.lower())


def test_undo_is_the_same_way_back(tmp_path: Path) -> None:
    """From the safety copy the live file has its content of before."""
    live, source, safe = tmp_path / "live", tmp_path / "source", tmp_path / "safe"
    before = build(live, "old", "WAL")
    build(source, "new")
    sqlite_copy({"source": str(live), "target": str(safe)})
    sqlite_cutover(request(source, live))
    sqlite_cutover(request(safe, live))
    assert fingerprint(live) == before


def test_a_resumed_cutover_says_that_it_is_done(tmp_path: Path) -> None:
    """The same request a second time changes nothing and succeeds."""
    live, source = tmp_path / "live", tmp_path / "source"
    build(live, "old")
    build(source, "new")
    asked = request(source, live)
    sqlite_cutover(asked)
    sample = sqlite_sample({"path": str(live)})
    assert sqlite_cutover(asked)["already"]
    assert sqlite_sample({"path": str(live)}) == sample


@pytest.mark.parametrize("which", ["expect_source_fingerprint", "expect_target_fingerprint"])
def test_a_database_that_is_not_as_planned_is_left_alone(tmp_path: Path, which: str) -> None:
    """One row more in live, or another source, and nothing is written."""
    live, source = tmp_path / "live", tmp_path / "source"
    build(live, "old")
    build(source, "new")
    sample = sqlite_sample({"path": str(live)})
    with pytest.raises(Refusal) as refused:
        sqlite_cutover(request(source, live, **{which: "0" * 32}))
    assert (refused.value.kind, sqlite_sample({"path": str(live)})) == ("changed", sample)


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_busy_file_is_waited_for_and_then_refused(tmp_path: Path, mode: str) -> None:
    """A writer that does not end makes it refuse in about the time given, with nothing changed."""
    live, source = tmp_path / "live", tmp_path / "source"
    before = build(live, "old", mode)
    build(source, "new")
    asked = request(source, live)
    with closing(sqlite3.connect(live)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM t")
        began = time.monotonic()
        with pytest.raises(Refusal) as refused:
            sqlite_cutover(asked)
        writer.rollback()
    assert (refused.value.kind, fingerprint(live)) == ("busy", before)
    assert time.monotonic() - began < 3


def test_other_page_sizes_missing_files_and_wrong_owners_are_refused(tmp_path: Path) -> None:
    """None of them is written to or created."""
    live, source = tmp_path / "live", tmp_path / "source"
    before = build(live, "old")
    build(source, "new", page_size=8192)
    with pytest.raises(Refusal, match="page_size"):
        sqlite_cutover(request(source, live))
    with pytest.raises(Refusal, match="belongs to"):
        sqlite_cutover(request(source, live, owner="somebody-else"))
    missing = {**request(source, live), "target": str(tmp_path / "none")}
    with pytest.raises(Refusal, match="no file"):
        sqlite_cutover(missing)
    assert fingerprint(live) == before
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_kill_in_mid_cutover_leaves_the_old_or_the_new(tmp_path: Path, mode: str) -> None:
    """kill -9 while pages are written: the fingerprint tells which of the two it is, and the resumed job ends it."""
    live, source = tmp_path / "live", tmp_path / "source"
    old = build(live, "old", mode, rows=15_000)
    new = build(source, "new", rows=15_000)
    asked = request(source, live)
    program = (
        "import json, sys; from adapters.host_reader.sqlite_verbs import sqlite_cutover;"
        "print('go', flush=True); sqlite_cutover(json.loads(sys.argv[1]))"
    )
    torn = 0
    for _ in range(10):
        with subprocess.Popen(
            [sys.executable, "-c", program, json.dumps(asked)], stdout=subprocess.PIPE
        ) as worker:
            assert worker.stdout is not None
            worker.stdout.readline()
            _wait_for_writing(live, worker)
            worker.kill()
        torn += sqlite_sample({"path": str(live)})["hot_journal"] or Path(f"{live}-wal").exists()
        assert fingerprint(live) in (old, new)
        if torn >= 3:
            break
    assert torn, "no kill came while the file was written"
    assert sqlite_cutover(asked)["fingerprint"] == new
    assert value(live, "PRAGMA integrity_check") == "ok"


def _wait_for_writing(live: Path, worker: subprocess.Popen[bytes]) -> None:
    """Return once pages are written: the live file is new, or a -wal has grown; or when the process ended."""
    written = live.stat().st_mtime_ns
    while worker.poll() is None:
        if live.stat().st_mtime_ns != written or _size_bytes(Path(f"{live}-wal")) > 1_000_000:
            return


def _size_bytes(file: Path) -> int:
    """Return a file's size, 0 where it is not there; a -wal goes away at any moment."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize("linked", [False, True])
def test_a_journal_of_a_killed_writer_is_told_and_settled(linked: bool, tmp_path: Path) -> None:
    """Reading says hot_journal instead of half a transaction; with `settle` the old content is told. So through a link."""
    live = tmp_path / "live"
    if linked:
        (tmp_path / "shared").mkdir()
        live.symlink_to(tmp_path / "shared/live.sqlite")
    before = build(live, "old", rows=3000)
    program = (
        "import os, signal, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('PRAGMA cache_size=2'); c.execute('BEGIN IMMEDIATE'); c.execute('UPDATE t SET v = upper(v)');"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(live)], check=False)
    assert sqlite_sample({"path": str(live)})["hot_journal"]
    with pytest.raises(Refusal) as refused:
        sqlite_fingerprint({"path": str(live)})
    assert refused.value.kind == "hot_journal"
    assert fingerprint(live) == before
    assert not sqlite_sample({"path": str(live)})["hot_journal"]
