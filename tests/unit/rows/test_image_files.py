"""An image holds what the server's database holds, is made once for each content, and is never made of a moving one."""

from __future__ import annotations

import itertools
import json
import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.images.image import make_image
from adapters.host_reader.images.shelf import note_of
from adapters.host_reader.server.notes import make_safety_file
from adapters.host_reader.sqlite_schema import read_schema
from tests.fakes.server_fake import FakeServer
from tests.unit.rows.shapes import rows, run, value

HOSTILE = """
CREATE TABLE "we""ird `t` $x; --" ("id" INTEGER PRIMARY KEY AUTOINCREMENT, "se'l""ect" TEXT NOT NULL DEFAULT 'it''s',
    "raw" BLOB, "number" INTEGER DEFAULT 7);
CREATE TABLE "parent" (a TEXT NOT NULL, b INTEGER NOT NULL, mail TEXT UNIQUE, PRIMARY KEY (a, b));
CREATE TABLE "child" (id INTEGER PRIMARY KEY AUTOINCREMENT, pa TEXT, pb INTEGER,
    FOREIGN KEY (pa, pb) REFERENCES parent (a, b) ON DELETE CASCADE);
CREATE TABLE "loose" (a TEXT, b TEXT);
CREATE VIEW "seen" AS SELECT 1;
"""
VALUES = [
    "007",
    " padded ",
    "line\nand\ttab\\N",
    "",
    "nul\0inside",
    "ü€😀",
    "1e5",
    "'; drop table x; --",
    "NULL",
]


@pytest.fixture
def server(tmp_path: Path) -> FakeServer:
    """Return a server with one database `shop` of hostile names and values."""
    found = FakeServer(tmp_path)
    run(found.path("shop"), HOSTILE)
    with closing(sqlite3.connect(found.path("shop"))) as connection:
        many = [(n, text, text.encode() + b"\xff\x00", n) for n, text in enumerate(VALUES, 1)]
        connection.executemany('INSERT INTO "we""ird `t` $x; --" VALUES (?, ?, ?, ?)', many)
        connection.execute('INSERT INTO "we""ird `t` $x; --" VALUES (99, \'x\', NULL, -9223372036854775808)')
        connection.execute("INSERT INTO parent VALUES ('A', 9223372036854775807, 'x')")
        connection.execute("INSERT INTO child VALUES (1, 'A', 9223372036854775807)")
        connection.execute("INSERT INTO loose VALUES (CAST(x'ff41' AS TEXT), 'after it')")
        connection.executemany("INSERT INTO loose VALUES (?, ?)", [(None, "12"), (None, "12"), ("", None)])
        connection.commit()
    return found


def image(server: FakeServer) -> Path:
    return Path(make_image(server, "shop", str(server.folder / "work")))


def test_every_value_is_as_on_the_server(server: FakeServer) -> None:
    """Numbers, bytes, text of any kind and NULLs keep type and value; text that looks like a number stays text."""
    made = image(server)
    for table in ('we"ird `t` $x; --', "parent", "child", "loose"):
        name = '"' + table.replace('"', '""') + '"'
        with closing(sqlite3.connect(made)) as one, closing(sqlite3.connect(server.path("shop"))) as other:
            for connection in (one, other):
                connection.text_factory = bytes
            found, expected = (
                connection.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall()
                for connection in (one, other)
            )
        assert found == expected


def test_keys_defaults_and_counters_are_declared(server: FakeServer) -> None:
    """Primary keys, foreign keys with what they do, unique indexes, defaults and counters are as the server has them."""
    run(server.path("shop"), "INSERT INTO child VALUES (500, NULL, NULL)", "DELETE FROM child WHERE id = 500")
    made = image(server)
    with closing(sqlite3.connect(made)) as connection:
        schema = read_schema(connection)
        child, weird = schema.table("child"), schema.table('we"ird `t` $x; --')
        assert child is not None
        assert weird is not None
        key = child.foreign_keys[0]
        assert (key.parent, key.parent_columns, key.on_delete) == ("parent", ("a", "b"), "CASCADE")
        assert [column.default for column in weird.columns] == [None, "'it''s'", None, "7"]
        assert [(table.key, table.autoincrement) for table in (child, weird)] == [
            (("id",), True),
            (("id",), True),
        ]
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("INSERT INTO parent VALUES ('B', 1, 'X')")
    assert value(made, "SELECT seq FROM sqlite_sequence WHERE name = 'child'") == 500
    assert note_of(str(made))["views"] == ["seen"]


def test_the_same_content_is_read_once(server: FakeServer) -> None:
    """A second image of the same content is the first one; another content is another image."""
    first = image(server)
    streamed = server.streams
    assert (image(server), server.streams) == (first, streamed)
    run(server.path("shop"), "DELETE FROM loose")
    assert image(server) != first


def test_a_kept_image_learns_of_new_counters(server: FakeServer) -> None:
    """A counter that was raised without a change of rows stands in the image too."""
    made = image(server)
    run(server.path("shop"), "UPDATE sqlite_sequence SET seq = 7000 WHERE name = 'child'")
    assert image(server) == made
    assert value(made, "SELECT seq FROM sqlite_sequence WHERE name = 'child'") == 7000


def test_only_the_owner_can_read_it(server: FakeServer) -> None:
    """The image and its folder are private."""
    made = image(server)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (made, made.parent)]
    assert modes == [0o600, 0o700]


def test_a_write_while_reading_is_noticed(server: FakeServer) -> None:
    """A database that was written once meanwhile is read again; the image holds the write."""
    server.meanwhile = writes(server, at_most=1)
    assert value(image(server), "SELECT count(*) FROM child") == 2


def test_a_database_that_never_stands_still_is_refused(server: FakeServer) -> None:
    """After two readings with writes in between it is refused, and no image is left."""
    server.meanwhile = writes(server, at_most=1000)
    with pytest.raises(Refusal, match="written while it was read") as refused:
        image(server)
    assert refused.value.kind == "busy"
    assert not list((server.folder / "work" / "images").iterdir())


def writes(server: FakeServer, at_most: int) -> Callable[[], None]:
    """Return a writer that writes a row of its own each time it is called, so many times."""
    run(server.path("shop"), "PRAGMA journal_mode=WAL")
    left = iter(range(at_most))

    def write() -> None:
        for number in itertools.islice(left, 1):
            run(server.path("shop"), f"INSERT INTO child VALUES ({1000 + number}, NULL, NULL)")

    return write


def test_at_most_six_are_kept(server: FakeServer) -> None:
    """The least recently used image goes when a seventh is made; one that was asked for again stays."""
    first = image(server)
    for number in range(6):
        run(server.path("shop"), f"UPDATE loose SET b = 'content {number}'")
        image(server)
        if number == 2:
            first.touch()
        time.sleep(0.01)
    kept = sorted(path.name for path in first.parent.glob("*.sqlite"))
    assert len(kept) == 6
    assert first.name in kept
    assert len(list(first.parent.glob("*.json"))) == 6


def test_a_safety_file_has_the_image_of_its_database(server: FakeServer) -> None:
    """The place of a safety file stands for the rows it was made of, after its bytes were proven."""
    made = image(server)
    target = str(server.folder / "safety.sql")

    def build(part: str) -> object:
        Path(part).write_text("dump")
        return server.fingerprint("shop")

    make_safety_file(target, server.engine, "shop", build)  # type: ignore[arg-type]
    workspace = str(server.folder / "work")
    assert make_image(server, target, workspace) == str(made)
    made.unlink()
    with pytest.raises(Refusal, match="take a new safety backup"):
        make_image(server, target, workspace)
    note = json.loads(Path(target + ".json").read_text())
    Path(target).write_text("dumq")
    assert note["engine"] == server.engine
    with pytest.raises(Refusal, match="not as it was"):
        make_image(server, target, workspace)


def test_a_disk_without_room_is_told_before(server: FakeServer) -> None:
    """Where the data cannot fit nothing is begun."""

    class Large(FakeServer):
        def number(self, database: str, select: str) -> int:
            return 1 << 62 if "DATA_LENGTH" in select else super().number(database, select)

    large = Large(server.folder)
    with pytest.raises(Refusal) as refused:
        image(large)
    assert (refused.value.kind, large.streams) == ("no_space", 0)
    assert rows(server.path("shop"), "SELECT count(*) FROM loose") == [(4,)]
