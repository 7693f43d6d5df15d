"""How far a copy inside the server, and a dump of PostgreSQL, say that they are (no server needed)."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from adapters.host_reader.mysql.client import Session, SqlRefusal
from adapters.host_reader.mysql.copy_progress import CopyProgress
from adapters.host_reader.postgresql.dump_progress import RowsRead


class Growing(Session):
    """A session that is asked for a table's rows, and sees more at each look; it is refused from the look `refused_at` on."""

    def __init__(self, told: Path, refused_at: int = 1000) -> None:
        self._told = told
        self._refused_at = refused_at
        self.said: list[dict[str, object]] = []
        self.looks = 0

    def one(self, sql: str, doing: str) -> str | None:
        """Return the rows of this look, after noting what the look before led to."""
        assert "TABLE_ROWS" in sql
        if self._told.exists():
            self.said.append(json.loads(self._told.read_text()))
        self.looks += 1
        if self.looks >= self._refused_at:
            raise SqlRefusal(1226, doing)
        return str(40 * self.looks)

    def end(self) -> None:
        """There is no process to end."""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file in which the progress is told."""
    path = tmp_path / "progress"
    monkeypatch.setenv("BACKOUT_PROGRESS", str(path))
    return path


def test_a_copy_tells_the_rows_of_the_table_on_its_way(told: Path) -> None:
    """Looks tell more and more rows of all, never a table's last one before its copy is over; then all of them."""
    session = Growing(told)
    copying = CopyProgress(lambda: session, 150, look_s=0.3)
    with copying.of("users", 50):
        pass
    assert json.loads(told.read_text()) == {"what": "copying", "done": 50, "total": 150, "unit": "rows"}
    assert session.looks == 0
    with copying.of("orders", 100):
        deadline = time.monotonic() + 20
        while session.looks < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
    copying.end()
    seen = [said["done"] for said in session.said]
    assert seen == sorted(seen, key=lambda each: int(str(each)))
    assert seen[0] == 50
    assert {90, 149} & set(seen)
    assert max(int(str(each)) for each in seen) == 149
    assert json.loads(told.read_text()) == {"what": "copying", "done": 150, "total": 150, "unit": "rows"}


def test_a_look_that_is_refused_ends_the_looks_and_not_the_copy(told: Path) -> None:
    """Where the user may have no more sessions the copy goes on, and its end is told."""
    session = Growing(told, refused_at=1)
    copying = CopyProgress(lambda: session, 10, look_s=0.01)
    with copying.of("users", 10):
        time.sleep(0.2)
    assert session.looks == 1
    assert json.loads(told.read_text())["done"] == 10


def test_a_copy_that_fails_is_not_told_as_done(told: Path) -> None:
    """When a table's copy fails no row of it is told as copied."""
    copying = CopyProgress(lambda: Growing(told), 10, look_s=5)
    with pytest.raises(SqlRefusal), copying.of("users", 10):
        raise SqlRefusal(1114, "copying")
    assert not told.exists()


def test_a_dump_counts_the_tables_it_is_done_with() -> None:
    """A table counts whole once another is read, or none; the one that is read never more than it has."""
    read = RowsRead({"users": 100, "app.orders": 50, "empty": 0})
    assert read.total == 150
    assert [
        read.after(None),
        read.after(("users", 10)),
        read.after(("users", 70)),
        read.after(("app.orders", 5)),
        read.after(("app.orders", 60)),
        read.after(None),
    ] == [0, 10, 70, 105, 150, 150]


def test_another_sessions_copy_counts_nothing_twice() -> None:
    """A table that is not of the dump counts nothing, nor does one that was read before."""
    read = RowsRead({"users": 100, "orders": 50})
    assert [read.after(("users", 10)), read.after(("theirs", 1000)), read.after(("users", 40))] == [
        10,
        100,
        100,
    ]
