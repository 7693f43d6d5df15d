"""Decompress a stream of blocks, and know whether it was whole."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import Callable, Iterable, Iterator, Protocol, Union

# A block of zeros grows a thousandfold; what leaves at once is bounded so that memory stays flat, and is still in the
# processor's cache when it is read.
PIECE_BYTES = 1 << 18

# What leaves: a decoder may have its own memory to unpack into.
Piece = Union[bytes, memoryview]


class DamagedError(Exception):
    """The bytes are not what the format promises: cut short, changed, or followed by something else."""


class _Decoder(Protocol):
    """What bz2 and lzma share."""

    @property
    def eof(self) -> bool:
        """Whether the stream's end was reached."""

    @property
    def needs_input(self) -> bool:
        """Whether more bytes are needed to go on."""

    @property
    def unused_data(self) -> bytes:
        """Return what stood behind the stream's end."""

    def decompress(self, data: bytes, max_length: int = -1, /) -> Piece:
        """Return up to `max_length` decompressed bytes."""


class GzipDecoder(Protocol):
    """What zlib's decoder of gzip has."""

    @property
    def eof(self) -> bool:
        """Whether the stream's end was reached, and its checksum was right."""

    @property
    def unused_data(self) -> bytes:
        """Return what stood behind the stream's end."""

    @property
    def unconsumed_tail(self) -> bytes:
        """Return what was not read for want of room."""

    def decompress(self, data: bytes, max_length: int, /) -> Piece:
        """Return up to `max_length` decompressed bytes. *Raises* zlib.error."""


def _zlibs() -> GzipDecoder:
    return zlib.decompressobj(wbits=31)


class _Gzip:
    """A gzip decoder with the same face as bz2's and lzma's."""

    def __init__(self, inner: GzipDecoder) -> None:
        self._inner = inner

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1, /) -> Piece:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def decompressed(blocks: Iterable[bytes], compression: str) -> Iterator[bytes]:
    """Yield the content of a gzip, bzip2 or xz stream; several streams one after another count as one.

    *Raises* DamagedError when a checksum is wrong, the stream is cut short, or other bytes follow it.
    """
    return (bytes(piece) for piece in pieces(blocks, compression, _zlibs))


def pieces(
    blocks: Iterable[bytes], compression: str, gzip_decoder: Callable[[], GzipDecoder]
) -> Iterator[Piece]:
    """Yield and raise the same, with each gzip stream unpacked by a decoder of the caller's."""

    def start() -> _Decoder:
        if compression == "gzip":
            return _Gzip(gzip_decoder())
        return bz2.BZ2Decompressor() if compression == "bzip2" else lzma.LZMADecompressor()

    decoder = start()
    fresh = True
    for block in blocks:
        pending = block
        while pending:
            if decoder.eof:
                decoder, fresh = start(), True
            if fresh and not pending.strip(b"\x00"):
                break  # Tapes and some tools fill up with zeros; gzip ignores them too.
            fresh = False
            yield from _pieces(decoder, pending, compression)
            pending = decoder.unused_data if decoder.eof else b""
    if not decoder.eof and not fresh:
        raise DamagedError(f"the {compression} stream is cut short")


def _pieces(decoder: _Decoder, data: bytes, compression: str) -> Iterator[Piece]:
    """Yield what one block of compressed bytes holds, in bounded pieces."""
    try:
        piece = decoder.decompress(data, PIECE_BYTES)
        while piece or not (decoder.eof or decoder.needs_input):
            if piece:
                yield piece
            if decoder.eof:
                return
            piece = decoder.decompress(b"", PIECE_BYTES)
    except (zlib.error, OSError, lzma.LZMAError, EOFError) as error:
        raise DamagedError(f"the {compression} stream is damaged ({type(error).__name__})") from None
