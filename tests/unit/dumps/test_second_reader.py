"""Two processes that read one dump say what one says, whatever becomes of the second."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from adapters.host_reader.inspect import inspect_file
from adapters.host_reader.second_process import processors
from adapters.host_reader.second_reader import LEAST_PARTS, PART_BYTES, PartsReader, part_places
from bot.dumps.manifest import Reading
from bot.dumps.scanner import DumpScanner

HEAD = (
    b"-- MySQL dump 10.13  Distrib 8.0.36\nCREATE TABLE `migrations` (\n  `id` int,\n  `migration` text,\n  `batch` int\n);\n"
    b"INSERT INTO `migrations` VALUES (1,'2024_01_01_000000_a',1);\nCREATE TABLE `t` (\n  `a` int,\n  `b` text\n);\n"
)
END = b"-- Dump completed on 2026-11-22 15:53:01\n"
TEXT = b"it\\'s a (day); at the lake\\n"
PART = 1 << 18
STATEMENTS = 2 * LEAST_PARTS * PART // 50_000
TWO = pytest.mark.skipif(processors() < 2, reason="this machine has one processor only")


def statement(number: int, text: bytes = TEXT) -> bytes:
    """Return one INSERT of 50 kB."""
    row = b"(%d,'%s')" % (number, text)
    return b"INSERT INTO `t` VALUES " + b",".join([row] * (50_000 // len(row))) + b";\n"


def sequential(path: Path, kind: str = "mysql_dump") -> Reading:
    scanner = DumpScanner(kind)
    scanner.feed(path.read_bytes())
    return scanner.finish()


def parts(path: Path) -> list[tuple[int, int]]:
    """Return where the parts of a dump begin and end."""
    with path.open("rb") as file:
        return list(part_places(file.fileno(), path.stat().st_size, PART))


def read(path: Path) -> tuple[Reading, int]:
    """Return the reading by two processes, and how many parts were taken over from the second."""
    with PartsReader(path, "mysql_dump", "migrations", path.read_bytes()[:8192], PART) as reader:
        return reader.read("reading"), reader.parts_joined


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    path = tmp_path / "d.sql"
    path.write_bytes(HEAD + b"".join(map(statement, range(STATEMENTS))) + END)
    return path


@TWO
def test_two_processes_say_what_one_says(dump: Path) -> None:
    """A long dump is read in parts by whoever is free, and the manifest and the hazards are those of one process."""
    reading, _ = read(dump)

    assert reading == sequential(dump)


@TWO
def test_who_is_free_takes_the_next_part(dump: Path) -> None:
    """While the first process has not begun, the second one reads all parts but the first, and these are taken over."""
    with PartsReader(dump, "mysql_dump", "migrations", HEAD, PART) as reader:
        assert reader.second is not None
        os.waitid(os.P_PID, reader.second.pid, os.WEXITED | os.WNOWAIT)

        assert reader.read("reading") == sequential(dump)
        assert reader.parts_joined == len(parts(dump)) - 1


@TWO
def test_a_long_dump_is_inspected_whole(tmp_path: Path) -> None:
    """A dump that is long enough for two processes is VERIFIED with all its rows and its hash."""
    path = tmp_path / "d.sql"
    text = HEAD + statement(1) * (LEAST_PARTS * PART_BYTES // 50_000 + 20) + END
    path.write_bytes(text)
    answer = inspect_file(str(path))

    assert answer["verdict"]["word"] == "VERIFIED"
    assert answer["manifest"]["tables"]["t"]["rows"] == text.count(b"(1,'it")
    assert answer["manifest"]["sha256"] == hashlib.sha256(text).hexdigest()


@TWO
def test_a_place_that_only_looks_like_a_beginning_is_not_believed(tmp_path: Path) -> None:
    """Where a value holds what looks like statements, as of a tool that escapes no line ends, the first process reads on."""
    path = tmp_path / "d.sql"
    value = b"a;\nINSERT INTO `t` VALUES (1,2),(3,4);\n" * 30
    path.write_bytes(HEAD + b"".join(statement(number, value) for number in range(STATEMENTS)) + END)

    reading, joined = read(path)

    assert reading == sequential(path)
    assert joined == 0


@TWO
def test_a_second_process_that_dies_changes_nothing(dump: Path) -> None:
    """The first process reads what the second one cannot."""
    with PartsReader(dump, "mysql_dump", "migrations", HEAD, PART) as reader:
        assert reader.second is not None
        os.kill(reader.second.pid, 9)

        assert reader.read("reading") == sequential(dump)


@TWO
def test_no_second_process_is_left(dump: Path) -> None:
    """Also where the reading is broken off, the second process has ended and was waited for."""
    with PartsReader(dump, "mysql_dump", "migrations", HEAD, PART) as reader:
        second = reader.second
    assert second is not None

    with pytest.raises(ChildProcessError):
        os.waitpid(second.pid, 0)


def test_beside_other_threads_one_process_reads(dump: Path) -> None:
    """Where this process has another thread, there is no second process, and the answer is the same."""
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    try:
        with PartsReader(dump, "mysql_dump", "migrations", HEAD, PART) as reader:
            assert reader.second is None
            assert reader.read("reading") == sequential(dump)
    finally:
        done.set()
        other.join()


def test_a_short_dump_is_read_by_one_process(tmp_path: Path) -> None:
    """A dump of two statements needs no second process."""
    path = tmp_path / "d.sql"
    path.write_bytes(HEAD + statement(1) + statement(2) + END)

    with PartsReader(path, "mysql_dump", "migrations", HEAD, PART) as reader:
        assert reader.second is None
        assert reader.read("reading") == sequential(path)


def test_parts_follow_one_another(dump: Path) -> None:
    """The parts are the whole file, each but the first begins with an INSERT, and none is far from its size."""
    content, places = dump.read_bytes(), parts(dump)

    assert [begin for begin, _ in places] == [0, *(end for _, end in places[:-1])]
    assert places[-1][1] == len(content)
    assert all(content.startswith(b"INSERT INTO", begin) for begin, _ in places[1:])
    assert all(end - begin < PART + (1 << 17) for begin, end in places)


def test_a_dump_without_a_beginning_in_sight_is_one_part(tmp_path: Path) -> None:
    """A dump of one endless statement is not cut."""
    path = tmp_path / "d.sql"
    path.write_bytes(HEAD + b"INSERT INTO `t` VALUES (1,'" + b"x" * (5 * PART + (1 << 21)) + b"');\n" + END)

    assert parts(path) == [(0, path.stat().st_size)]
