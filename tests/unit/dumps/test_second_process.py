"""What a second process unpacks arrives whole, with what was wrong with it."""

from __future__ import annotations

import gzip
import os
import random
import zipfile
from pathlib import Path

import pytest

from adapters.host_reader.inspect import inspect_file
from adapters.host_reader.opening import content_blocks
from adapters.host_reader.second_process import LEAST_PACKED_BYTES, SecondProcess, Unpacking, processors
from adapters.host_reader.slots import SLOTS, Slots, decoder_into
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
def test_several_streams_arrive(content: bytes, packed: Path) -> None:
    """Streams one after another, short ones too, are one content, whoever unpacks them."""
    half = len(content) // 2
    parts = [content[:half], b"", content[half : half + 10], content[half + 10 :]]
    packed.write_bytes(b"".join(gzip.compress(part, 1) for part in parts) + bytes(100))
    assert b"".join(Unpacking(packed, "unpacking").blocks()) == content


@TWO
def test_what_python_unpacks_arrives_too(content: bytes, tmp_path: Path) -> None:
    """A file that is packed in another way arrives whole."""
    path = tmp_path / "d.sql.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("d.sql", content)
    unpacking = Unpacking(path, "unpacking")
    assert unpacking.process is not None
    assert b"".join(unpacking.blocks()) == content


@TWO
@pytest.mark.parametrize("place", [1_000_000, -8, -1])
def test_a_changed_byte_is_damage(packed: Path, place: int) -> None:
    """A byte that was changed, in the content or in what stands behind it, is damage in both ways of reading."""
    changed = bytearray(packed.read_bytes())
    changed[place] ^= 0x10
    packed.write_bytes(changed)
    with pytest.raises(DamagedError) as here:
        list(content_blocks(packed))
    with pytest.raises(DamagedError) as there:
        list(Unpacking(packed, "unpacking").blocks())
    assert str(there.value) == str(here.value)


def test_it_ends_with_the_process_that_reads() -> None:
    """Who fills the slots is told that nobody empties them any more."""
    slots = Slots()
    slots.fill_here()
    for _ in range(SLOTS):
        slots.put(b"piece")
    with pytest.raises(BrokenPipeError):
        slots.put(b"piece")


def test_a_host_without_a_zlib_of_its_own() -> None:
    """Where the host's zlib cannot be called, Python's own module unpacks; where it can, it does."""
    slots = Slots()
    assert decoder_into(slots, "libz-of-nobody.so.1") is None
    assert decoder_into(slots) is not None
    slots.close()


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
