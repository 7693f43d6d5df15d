"""What a refusal of the row reader is called decides who is called: damage and foreign keys have names of their own."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.client import SqlRefusal
from adapters.host_reader.sqlite_facts import sqlite_facts
from adapters.host_reader.sqlite_open import writing


def test_a_damaged_file_is_called_damaged(tmp_path: Path) -> None:
    """A live file with torn pages is no sound database, and no table of it is guessed at."""
    path = tmp_path / "live.sqlite"
    with sqlite3.connect(path) as live:
        live.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, text TEXT)")
        live.executemany("INSERT INTO things VALUES (?, ?)", [(n, "x" * 400) for n in range(2000)])
    live.close()
    content = bytearray(path.read_bytes())
    content[4096 : len(content)] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(Refusal) as refused:
        sqlite_facts({"path": str(path)})
    assert refused.value.kind == "damaged"


def refusal_of(path: Path, sql: str) -> str:
    """Return what the refusal is called that a statement is answered with."""
    try:
        with writing(str(path)) as connection:
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute(sql)
    except Refusal as refusal:
        return refusal.kind
    return "taken"


def test_a_foreign_key_in_the_way_is_called_so(tmp_path: Path) -> None:
    """SQLite's own no to a row without its parent; a unique value that is there twice is another thing."""
    path = tmp_path / "scratch.sqlite"
    with sqlite3.connect(path) as made:
        made.executescript(
            "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a REFERENCES a (id), u UNIQUE)"
        )
    made.close()
    kinds = [
        refusal_of(path, sql)
        for sql in ("INSERT INTO b VALUES (7, 1)", "INSERT INTO b VALUES (NULL, 2), (NULL, 2)")
    ]
    assert kinds == ["foreign_keys", "refused"]


@pytest.mark.parametrize(
    ("code", "kind"), [(1452, "foreign_keys"), (1194, "damaged"), (1712, "damaged"), (1062, "refused")]
)
def test_numbers_of_mysql_that_decide_who_is_called(code: int, kind: str) -> None:
    """A row without its parent, a crashed table, a damaged index; a value that is there twice is none of them."""
    assert SqlRefusal(code, "asking").kind == kind
