"""Memory that two processes share: one fills it slot by slot, the other one empties it; and zlib unpacking right into it.

Through Python's own zlib module and a pipe each unpacked byte is copied four more times, which takes a third of the time
that unpacking takes; so the C library writes where the other process reads.
"""

from __future__ import annotations

import mmap
import os
import zlib
from typing import Callable, Optional

from bot.dumps.compression import PIECE_BYTES, GzipDecoder, Piece

# Few enough to stay in the processor's cache from one process to the other, enough that neither waits at each step.
SLOTS = 6
_OK, _STREAM_END, _NEEDS_MORE, _DAMAGED, _WANTS_DICTIONARY = 0, 1, -5, -3, 2
# gzip's head and checksum, as `zlib.decompressobj(wbits=31)`.
_GZIP = 31


class Slots:
    """Slots that go round, each with room for one piece; made before the second process is."""

    def __init__(self) -> None:
        """*Raises* OSError where the system gives no memory or no pipe."""
        self._memory = memoryview(mmap.mmap(-1, PIECE_BYTES * SLOTS))
        # One byte for each slot that is empty.
        self._empty, self._emptied = os.pipe()
        os.write(self._emptied, bytes(SLOTS))
        self._number = 0
        self._room: Optional[memoryview] = None

    def _next(self) -> memoryview:
        begin = self._number % SLOTS * PIECE_BYTES
        self._number += 1
        return self._memory[begin : begin + PIECE_BYTES]

    def fill_here(self) -> None:
        """Say that this process fills them. *Changes*: from now on it is told when the other process is gone."""
        os.close(self._emptied)

    def room(self) -> memoryview:
        """Return the slot to be filled, once it is empty. *Raises* OSError where the other process is gone."""
        if self._room is None:
            if not os.read(self._empty, 1):
                raise BrokenPipeError
            self._room = self._next()
        return self._room

    def filled(self, size_bytes: int) -> memoryview:
        """Return what was put into that slot, which is full now."""
        piece, self._room = self.room()[:size_bytes], None
        return piece

    def put(self, piece: bytes) -> None:
        """Fill a slot with a piece."""
        self.room()[: len(piece)] = piece
        self.filled(len(piece))

    def take(self, size_bytes: int) -> bytes:
        """Return what stands in the next slot, and give the slot back."""
        piece = bytes(self._next()[:size_bytes])
        os.write(self._emptied, b"\x00")
        return piece

    def close(self) -> None:
        """*Changes*: gives the memory and the pipe back."""
        self._memory.release()
        os.close(self._empty)
        os.close(self._emptied)


def decoder_into(slots: Slots, zlib_name: str = "libz.so.1") -> Optional[Callable[[], GzipDecoder]]:
    """Return what begins to unpack a gzip stream into the slots; None where this Python has no way to the host's zlib."""
    try:
        import ctypes  # Only here, as all other work does without it.

        library = ctypes.CDLL(zlib_name)
        library.zlibVersion.restype = ctypes.c_char_p
        version = library.zlibVersion()
    except (ImportError, OSError, AttributeError, MemoryError):
        return None

    class Stream(ctypes.Structure):
        """zlib's `z_stream`; *Source*: zlib.h."""

        _fields_ = (
            ("next_in", ctypes.c_char_p),
            ("avail_in", ctypes.c_uint),
            ("total_in", ctypes.c_ulong),
            ("next_out", ctypes.c_void_p),
            ("avail_out", ctypes.c_uint),
            ("total_out", ctypes.c_ulong),
            ("msg", ctypes.c_char_p),
            ("state", ctypes.c_void_p),
            ("zalloc", ctypes.c_void_p),
            ("zfree", ctypes.c_void_p),
            ("opaque", ctypes.c_void_p),
            ("data_type", ctypes.c_int),
            ("adler", ctypes.c_ulong),
            ("reserved", ctypes.c_ulong),
        )

    class IntoSlots:
        """As `zlib.decompressobj`, MemoryError included; what `decompress` returns lies in a slot, which is full then."""

        def __init__(self) -> None:
            self._stream = Stream()
            self._by_reference = ctypes.byref(self._stream)
            begun = library.inflateInit2_(self._by_reference, _GZIP, version, ctypes.sizeof(self._stream))
            if begun != _OK:
                raise MemoryError(f"zlib's inflateInit2 gave {begun}")
            self.eof = False
            self.unused_data = b""
            self.unconsumed_tail = b""

        def decompress(self, data: bytes, max_length: int, /) -> Piece:
            room = slots.room()
            size = min(max_length, len(room))
            stream = self._stream
            stream.next_in, stream.avail_in = data, len(data)
            stream.next_out, stream.avail_out = ctypes.addressof(ctypes.c_char.from_buffer(room)), size
            said = library.inflate(self._by_reference, 0)
            if said in {_DAMAGED, _WANTS_DICTIONARY}:
                raise zlib.error(f"zlib's inflate gave {said}")
            if said not in {_OK, _STREAM_END, _NEEDS_MORE}:
                raise MemoryError(f"zlib's inflate gave {said}")  # Nothing that speaks against the file.
            rest = data[len(data) - stream.avail_in :]
            if said == _STREAM_END:
                self.eof, self.unused_data, self.unconsumed_tail = True, rest, b""
                library.inflateEnd(self._by_reference)
            else:
                self.unconsumed_tail = rest
            size -= stream.avail_out
            return slots.filled(size) if size else b""

    return IntoSlots
