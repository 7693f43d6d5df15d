"""A copy holds what the database holds, where `cp` does not (HAZARDS S4, S6)."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_verbs import sqlite_copy, sqlite_facts, sqlite_fingerprint
from tests.unit.rows.shapes import build_before, run, value


def wal_database(path: Path) -> sqlite3.Connection:
    """Return the open connection of an application that has 5,000 rows in its -wal."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.executemany("INSERT INTO t (v) VALUES (?)", [(f"row {n}",) for n in range(5000)])
    connection.commit()
    return connection


def test_cp_of_a_wal_database_loses_its_rows_and_the_copy_does_not(tmp_path: Path) -> None:
    """The literal `cp` gives 0 of 5,000 rows and says ok; the copy has all of them, in one file."""
    live = tmp_path / "live.sqlite"
    with closing(wal_database(live)):
        shutil.copy(live, tmp_path / "by_cp.sqlite")
        answer = sqlite_copy({"source": str(live), "target": str(tmp_path / "ours.sqlite")})
    assert value(tmp_path / "by_cp.sqlite", "SELECT count(*) FROM t") == 0
    assert value(tmp_path / "by_cp.sqlite", "PRAGMA integrity_check") == "ok"
    assert answer["tables"]["t"]["rows"] == 5000
    assert sqlite_facts({"path": answer["target"]})["journal_mode"] == "delete"


def test_cp_under_a_writer_takes_half_a_transaction_and_the_copy_does_not(tmp_path: Path) -> None:
    """Of a transaction that was never committed `cp` keeps rows; the copy is refused as busy, and whole afterwards."""
    live = tmp_path / "live.sqlite"
    run(live, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);")
    with closing(sqlite3.connect(live)) as writer:
        writer.executemany("INSERT INTO t (v) VALUES (?)", [("x" * 500,) for _ in range(2000)])
        writer.commit()
        writer.execute("PRAGMA cache_size=2")
        writer.execute("UPDATE t SET v = upper(v)")
        shutil.copy(live, tmp_path / "by_cp.sqlite")
        with pytest.raises(Refusal) as refused:
            sqlite_copy({"source": str(live), "target": str(tmp_path / "ours.sqlite"), "busy_timeout_s": 0.2})
        writer.rollback()
    ours = sqlite_copy({"source": str(live), "target": str(tmp_path / "ours.sqlite")})["target"]
    never_committed = "SELECT count(*) FROM t WHERE v <> lower(v)"
    assert refused.value.kind == "busy"
    assert value(tmp_path / "by_cp.sqlite", never_committed) > 0
    assert value(Path(ours), never_committed) == 0


def test_the_copy_is_private_and_equal(tmp_path: Path) -> None:
    """The copy has the source's fingerprint, mode 0600, and nothing else is left in the folder."""
    live, target = tmp_path / "live.sqlite", tmp_path / "out" / "safe.sqlite"
    target.parent.mkdir()
    build_before(live)
    answer = sqlite_copy({"source": str(live), "target": str(target)})
    assert answer["fingerprint"] == sqlite_fingerprint({"path": str(live)})["fingerprint"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(path.name for path in target.parent.iterdir()) == ["safe.sqlite", "safe.sqlite.json"]


def test_the_same_request_again_gives_the_same_answer(tmp_path: Path) -> None:
    """After a lost link the answer is read back and nothing is copied again."""
    live, target = tmp_path / "live.sqlite", tmp_path / "safe.sqlite"
    build_before(live)
    request = {"source": str(live), "target": str(target)}
    first = sqlite_copy(request)
    run(live, "DELETE FROM remarks")
    again = sqlite_copy(request)
    assert again == {**first, "attached": True}


def test_another_file_of_that_name_is_left_alone(tmp_path: Path) -> None:
    """A file that Backout did not make by this request is not overwritten."""
    live, target = tmp_path / "live.sqlite", tmp_path / "safe.sqlite"
    build_before(live)
    target.write_text("somebody's")
    with pytest.raises(Refusal) as refused:
        sqlite_copy({"source": str(live), "target": str(target)})
    assert (refused.value.kind, target.read_text()) == ("refused", "somebody's")


def test_a_copy_that_was_changed_afterwards_is_noticed(tmp_path: Path) -> None:
    """A safety copy in which one byte was changed is not taken for the one that was made."""
    live, target = tmp_path / "live.sqlite", tmp_path / "safe.sqlite"
    build_before(live)
    request = {"source": str(live), "target": str(target)}
    sqlite_copy(request)
    run(target, "UPDATE users SET email = 'x' WHERE id = 1")
    with pytest.raises(Refusal) as refused:
        sqlite_copy(request)
    assert refused.value.kind == "changed"


@pytest.mark.parametrize(
    ("more", "kind"),
    [({"expect_fingerprint": "0" * 32}, "changed"), ({"reserve_bytes": 1 << 60}, "no_space")],
)
def test_a_refused_copy_leaves_nothing(tmp_path: Path, more: dict[str, object], kind: str) -> None:
    """An unexpected source or a full disk ends it before anything has a name."""
    live, target = tmp_path / "live.sqlite", tmp_path / "out" / "safe.sqlite"
    target.parent.mkdir()
    build_before(live)
    with pytest.raises(Refusal) as refused:
        sqlite_copy({"source": str(live), "target": str(target), **more})
    assert refused.value.kind == kind
    assert os.listdir(target.parent) == []  # noqa: PTH208


def test_a_part_left_by_a_killed_copy_is_replaced(tmp_path: Path) -> None:
    """A `.part` that a killed process left does not stand in the way."""
    live, target = tmp_path / "live.sqlite", tmp_path / "safe.sqlite"
    build_before(live)
    Path(f"{target}.part").write_bytes(b"half a file")
    assert sqlite_copy({"source": str(live), "target": str(target)})["tables"]["pictures"]["rows"] == 60
    assert not Path(f"{target}.part").exists()
