"""What a second process unpacks arrives whole, with what was wrong with it."""

from __future__ import annotations

import gzip
import os
import random
from pathlib import Path

import pytest

from adapters.host_reader.inspect import inspect_file
from adapters.host_reader.opening import content_blocks
from adapters.host_reader.second_process import LEAST_PACKED_BYTES, SecondProcess, Unpacking, processors
from bot.dumps.compression import DamagedError

TWO = pytest.mark.skipif(processors() < 2, reason="this machine has one processor only")


@pytest.fixture(scope="module")
def content() -> bytes:
    """Return text that packs badly, so that what is packed is long."""
    letters = random.Random(7).randbytes(LEAST_PACKED_BYTES + 1000).hex()
    row = b"INSERT INTO t VALUES(1,'%s');\n"
    rows = b"".join(row % letters[place : place + 5000].encode() for place in range(0, len(letters), 5000))
    return b"BEGIN TRANSACTION;\nCREATE TABLE t(a, b);\n" + rows + b"COMMIT;\n"


@pytest.fixture
def packed(content: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "d.sql.gz"
    path.write_bytes(gzip.compress(content, 1))
    return path


@TWO
def test_all_arrives(content: bytes, packed: Path) -> None:
    """The blocks of the second process are the content, and the inspection verifies it."""
    assert b"".join(Unpacking(packed, "unpacking").blocks()) == content
    assert inspect_file(str(packed))["manifest"]["tables"]["t"]["rows"] == content.count(b"\nINSERT")


@TWO
def test_damage_arrives(packed: Path) -> None:
    """A packed file that was cut is damaged in the same words as without a second process."""
    packed.write_bytes(packed.read_bytes()[:-100])
    with pytest.raises(DamagedError) as here:
        list(content_blocks(packed))
    with pytest.raises(DamagedError) as there:
        list(Unpacking(packed, "unpacking").blocks())

    assert str(there.value) == str(here.value)
    assert inspect_file(str(packed))["manifest"]["damage"] == str(here.value)


@TWO
def test_a_process_that_is_ended_from_outside_is_no_damage(packed: Path) -> None:
    """Where the second process is killed the file could not be read; nothing is said against the backup."""
    unpacking = Unpacking(packed, "unpacking")
    assert unpacking.process is not None
    os.kill(unpacking.process.pid, 9)
    os.waitid(os.P_PID, unpacking.process.pid, os.WEXITED | os.WNOWAIT)

    with pytest.raises(OSError, match="ended from outside"):
        list(unpacking.blocks())


def test_a_second_process_that_fails_says_nothing_and_ends() -> None:
    """An error in the second process ends it; the first one sees the end of what it wrote."""

    def fail(_: object) -> None:
        raise ValueError

    process = SecondProcess(fail)

    assert process.results.read() == b""
    process.end()
    with pytest.raises(ChildProcessError):
        os.waitpid(process.pid, 0)
