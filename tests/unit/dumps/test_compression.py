"""A packed stream is read to the last byte, or what is wrong with it is told; zlib's own gzip reader is the measure."""

from __future__ import annotations

import bz2
import copy
import gzip
import lzma
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.host_reader.slots import Slots, decoder_into
from bot.dumps.compression import PIECE_BYTES, DamagedError, decompressed, pieces

TEXT = b"".join(b"INSERT INTO t VALUES (%d,'it\\'s');\n" % number for number in range(40))


def full_head(content: bytes) -> bytes:
    """Return a gzip stream with all that a head may hold: further fields, a name, a remark and a checksum."""
    head = b"\x1f\x8b\x08\x1e\x01\x02\x03\x04\x00\x03" + b"\x04\x00ABCD" + b"d.sql\x00" + b"a remark\x00"
    head += (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
    return head + gzip.compress(content)[10:]


def blocks(data: bytes, size: int) -> Iterator[bytes]:
    """Yield the data in blocks of so many bytes."""
    return (data[place : place + size] for place in range(0, len(data), size))


def ours(data: bytes, size: int) -> bytes | None:
    """Return the content, or None where the stream is told to be damaged."""
    try:
        return b"".join(decompressed(blocks(data, size), "gzip"))
    except DamagedError:
        return None


def by_slots(data: bytes, size: int) -> bytes | None:
    """Return the same, unpacked by the host's zlib into slots, which are emptied here."""
    slots = Slots()
    other = copy.copy(slots)  # what the other process has
    decoder = decoder_into(slots)
    assert decoder is not None
    try:
        found = [other.take(len(piece)) for piece in pieces(blocks(data, size), "gzip", decoder)]
    except DamagedError:
        return None
    finally:
        slots.close()
    return b"".join(found)


def zlibs(data: bytes) -> bytes | None:
    """Return the content as zlib's own gzip reader gives it, or None."""
    decoder = zlib.decompressobj(wbits=31)
    try:
        content = decoder.decompress(data)
    except zlib.error:
        return None
    return content if decoder.eof and not decoder.unused_data.strip(b"\x00") else None


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
@pytest.mark.parametrize("kind", ["plain", "full head", "empty"])
def test_a_changed_byte_is_told_where_zlib_tells_it(kind: str, size: int) -> None:
    """Whichever byte of a stream is changed, or wherever it is cut: it is refused just where zlib refuses it."""
    packed = full_head(TEXT) if kind == "full head" else gzip.compress(TEXT if kind == "plain" else b"")
    assert ours(packed, size) == by_slots(packed, size) == zlibs(packed) is not None
    damaged = [packed[:place] for place in range(1, len(packed))]
    for place, byte in enumerate(packed):
        damaged += [packed[:place] + bytes([byte ^ mask]) + packed[place + 1 :] for mask in (1, 0x20, 0xFF)]
    for each in damaged:
        assert ours(each, size) == by_slots(each, size) == zlibs(each)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 60), st.integers(0, 9))
def test_streams_one_after_another_are_one_content(contents: list[bytes], size: int, zeros: int) -> None:
    """Several streams are read as one, whatever blocks they come in; zeros behind the last are nothing."""
    packed = b"".join(full_head(each) for each in contents)
    assert ours(packed + bytes(zeros), size) == b"".join(contents)
    assert by_slots(packed + bytes(zeros), size) == b"".join(contents)
    assert ours(packed + bytes(zeros) + b"x", len(packed) + zeros + 1) is None


def test_what_grows_a_thousandfold_leaves_in_bounded_pieces() -> None:
    """A small block that becomes long text leaves in pieces, and all of it leaves."""
    packed = gzip.compress(bytes(40 * PIECE_BYTES))
    sizes = [len(piece) for piece in decompressed(blocks(packed, 1 << 16), "gzip")]
    assert max(sizes) <= PIECE_BYTES
    assert sum(sizes) == 40 * PIECE_BYTES
    assert by_slots(packed, 1 << 16) == bytes(40 * PIECE_BYTES)


@pytest.mark.parametrize(("compress", "name"), [(bz2.compress, "bzip2"), (lzma.compress, "xz")])
def test_others_are_read_whole_too(compress: object, name: str) -> None:
    """The streams of bzip2 and xz are read whole, and a cut one is told."""
    packed = compress(TEXT)  # type: ignore[operator]
    assert b"".join(decompressed(blocks(packed, 100), name)) == TEXT
    with pytest.raises(DamagedError, match=f"the {name} stream is"):
        list(decompressed(blocks(packed[:-5], 100), name))
