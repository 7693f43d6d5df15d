"""A second process beside this one, where a second processor is there for it: it writes what it finds into a pipe.

Threads do not help here: reading a dump holds the interpreter's lock nearly all the time.
"""

from __future__ import annotations

import errno
import os
import signal
import struct
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Callable, Iterator, Optional

from adapters.host_reader.opening import ProgramMissingError, compression, content_blocks, gzip_pieces
from adapters.host_reader.pipes import widen
from adapters.host_reader.slots import Slots, decoder_into
from bot.dumps.compression import DamagedError, Piece

# A packed file that is shorter is unpacked before a second process has begun.
LEAST_PACKED_BYTES = 1 << 22
# How a piece of the pipe begins: what it is, and how many bytes of it follow, or lie in the next slot.
_HEAD = struct.Struct(">cI")
_BLOCK, _DAMAGED, _MISSING, _UNREADABLE, _END = b"B", b"D", b"M", b"O", b"E"


def processors() -> int:
    """Return how many processors this process may use."""
    with suppress(AttributeError, OSError):  # Only Linux knows which ones are allowed.
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_of_use() -> bool:
    """Say whether a second process can be begun and has a processor of its own.

    Beside other threads none is begun: a fork copies one thread only, and what another one holds at that moment stays
    locked for ever in the copy.
    """
    return threading.active_count() == 1 and processors() > 1


class SecondProcess:
    """Runs one piece of work, which only reads, in a copy of this process; `results` is what it writes."""

    def __init__(self, work: Callable[[IO[bytes]], None]) -> None:
        """*Raises* OSError where no more processes are allowed."""
        ours, theirs = os.pipe()
        try:
            self.pid = os.fork()
        except OSError:
            os.close(ours)
            os.close(theirs)
            raise
        if self.pid == 0:
            try:
                os.close(ours)  # So that this process ends when the first one does.
                with os.fdopen(theirs, "wb") as results:
                    work(results)
            finally:
                os._exit(0)  # Nothing of the first process's is cleaned up twice.
        os.close(theirs)
        widen(ours)
        self.results = os.fdopen(ours, "rb")

    def end(self) -> None:
        """*Changes*: ends the process and waits for it."""
        self.results.close()
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


class Unpacking:
    """A packed file's content, unpacked by a second process where one is of use, else by `content_blocks`."""

    def __init__(self, path: Path, what: str) -> None:
        self._path = path
        self._what = what
        self.process: Optional[SecondProcess] = None
        # zstd's own program is a second process already.
        is_long = path.stat().st_size >= LEAST_PACKED_BYTES and compression(path) != "zstd"
        if is_long and is_of_use():
            with suppress(OSError):
                self._slots = Slots()
                try:
                    self.process = SecondProcess(self._write)
                except OSError:
                    self._slots.close()

    def blocks(self) -> Iterator[bytes]:
        """Yield the content in blocks. *Raises* as `content_blocks`; OSError also where the second process was ended."""
        if self.process is None:
            yield from content_blocks(self._path, self._what)
            return
        try:
            yield from _read_pieces(self.process.results, self._slots)
        finally:
            self.process.end()
            self._slots.close()

    def _write(self, results: IO[bytes]) -> None:
        self._slots.fill_here()
        try:
            for piece in self._pieces():
                if isinstance(piece, bytes):
                    self._slots.put(piece)
                results.write(_HEAD.pack(_BLOCK, len(piece)))
                results.flush()
        except (DamagedError, ProgramMissingError, OSError) as error:
            kind = {DamagedError: _DAMAGED, ProgramMissingError: _MISSING}.get(type(error), _UNREADABLE)
            said = (error.strerror or "" if isinstance(error, OSError) else str(error)).encode()
            results.write(_HEAD.pack(kind, len(said)) + said)
        else:
            results.write(_HEAD.pack(_END, 0))

    def _pieces(self) -> Iterator[Piece]:
        """Yield the content; what is no bytes lies in a slot already."""
        decoder = decoder_into(self._slots) if compression(self._path) == "gzip" else None
        if decoder is None:
            return content_blocks(self._path, self._what, ahead=False)
        return gzip_pieces(self._path, self._what, decoder)


def _read_pieces(results: IO[bytes], slots: Slots) -> Iterator[bytes]:
    while True:
        head = results.read(_HEAD.size)
        kind, size = _HEAD.unpack(head) if len(head) == _HEAD.size else (_UNREADABLE, 0)
        piece = slots.take(size) if kind == _BLOCK else results.read(size)
        if kind == _END:
            return
        if kind == _DAMAGED:
            raise DamagedError(piece.decode())
        if kind == _MISSING:
            raise ProgramMissingError(piece.decode())
        if kind == _UNREADABLE or len(piece) < size:
            raise OSError(
                errno.EIO, piece.decode("utf-8", "replace") or "unpacking it was ended from outside"
            )
        yield piece
