"""Decompress a stream of blocks, and know whether it was whole."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import Callable, Iterable, Iterator, Protocol

# A block of zeros grows a thousandfold; what leaves at once is bounded so that memory stays flat.
PIECE_BYTES = 1 << 19


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

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        """Return up to `max_length` decompressed bytes."""


class _Gzip:
    """zlib's gzip decoder with the same face as bz2's and lzma's."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


_DECODERS: "dict[str, Callable[[], _Decoder]]" = {
    "gzip": _Gzip,
    "bzip2": bz2.BZ2Decompressor,
    "xz": lzma.LZMADecompressor,
}


def decompressed(blocks: Iterable[bytes], compression: str) -> Iterator[bytes]:
    """Yield the content of a gzip, bzip2 or xz stream; several streams one after another count as one.

    *Raises* DamagedError when a checksum is wrong, the stream is cut short, or other bytes follow it.
    """
    start = _DECODERS[compression]
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


def _pieces(decoder: _Decoder, data: bytes, compression: str) -> Iterator[bytes]:
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
