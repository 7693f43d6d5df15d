"""Read a long plain dump with two processes, which share its parts, where two processors are there for it.

Whoever is done with a part takes the next one that nobody has taken; so it does not matter that the first process takes
the hash besides. The second process reads its parts ahead, taking for granted that each begins behind a statement's end; the first one
takes a part over only where that turns out to be so, and reads it itself where it does not: what the second process does
changes how long the reading takes, never what it says.
"""

from __future__ import annotations

import os
import pickle
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Iterator, List, Optional, Tuple, Type

from adapters.host_reader.answers import progress
from adapters.host_reader.opening import BLOCK_BYTES
from adapters.host_reader.second_process import SecondProcess, is_of_use
from bot.dumps.manifest import Reading
from bot.dumps.scanner import DIALECTS, DumpScanner
from bot.dumps.tokens import PGSQL

# Many statements of mysqldump (1 MB each, net_buffer_length); short enough that neither process waits long at the end.
PART_BYTES = 1 << 24
# With fewer parts the second process costs more than it saves.
LEAST_PARTS = 3
# A statement longer than this is not looked through for its end; the part before it goes on.
_LOOKED_THROUGH_BYTES = 1 << 21
_BEGIN = b";\nINSERT INTO "
_BEHIND_END = 2


def part_places(file: int, size_bytes: int, part_bytes: int = PART_BYTES) -> Iterator[Tuple[int, int]]:
    """Yield where each part of an open dump begins and ends: all but the first begin where an INSERT seems to."""
    begin = 0
    for about in range(part_bytes, size_bytes, part_bytes):
        place = _statement_place(file, about)
        if place > begin:
            yield begin, place
            begin = place
    yield begin, size_bytes


def _statement_place(file: int, about: int) -> int:
    """Return the first place behind `about` where an INSERT seems to begin, or 0."""
    tail = b""
    for block in _blocks(file, about, about + _LOOKED_THROUGH_BYTES):
        found = (tail + block).find(_BEGIN)
        if found >= 0:
            return about - len(tail) + found + _BEHIND_END
        about += len(block)
        tail = (tail + block)[1 - len(_BEGIN) :]
    return 0


def _blocks(file: int, begin: int, end: int) -> Iterator[bytes]:
    """Yield the bytes between two places; fewer where the file was cut meanwhile."""
    while begin < end:
        block = os.pread(file, min(BLOCK_BYTES, end - begin), begin)
        if not block:
            return
        begin += len(block)
        yield block


class PartsReader:
    """Reads one plain dump, with a second process where that helps; made before any other thread is (`fork`)."""

    def __init__(
        self, path: Path, kind: str, migrations_table: str, head: bytes, part_bytes: int = PART_BYTES
    ) -> None:
        self._part_bytes = part_bytes
        self._scanner = DumpScanner(kind, migrations_table)
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._size_bytes = os.fstat(self._file).st_size
        self.parts_joined = 0
        self.second: Optional[SecondProcess] = None
        self._beginning = DumpScanner(kind, migrations_table)
        self._own = self._take_part()  # The first one, which begins with the dump's own header.
        # PostgreSQL's rows are no INSERTs, and are counted twice as fast as theirs.
        is_long = self._size_bytes >= LEAST_PARTS * part_bytes and DIALECTS[kind] != PGSQL
        if is_long and is_of_use():
            self._beginning.feed(head)
            with suppress(OSError):
                self.second = SecondProcess(self._read_others)

    def __enter__(self) -> PartsReader:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._end_second()
        os.close(self._file)

    def read(self, what: str) -> Reading:
        """Read the whole dump, telling the progress by the name of the work. *Raises* OSError."""
        places = self._places() if self.second else iter([(0, self._size_bytes)])
        theirs: List[Tuple[int, int]] = []
        for number, (begin, end) in enumerate(places):
            if number < self._own:
                theirs.append((begin, end))
                continue
            # Read before the second process's parts are taken over, so that it is not waited for meanwhile.
            own = self._read_later(begin, end) if theirs else None
            self._join_others(theirs, what)
            if own is None or not self._scanner.join(own):
                self._read_part(begin, end, what)
            progress(what, end, self._size_bytes, "bytes")
            theirs, self._own = [], self._take_part()
        self._join_others(theirs, what)
        return self._scanner.finish()

    def _take_part(self) -> int:
        """Return the number of the next part that neither process has taken.

        The count is the place in the open file, which both processes share and the system moves in one step; the reading
        goes by places of its own and does not move it.
        """
        return os.lseek(self._file, 1, os.SEEK_CUR) - 1

    def _places(self) -> Iterator[Tuple[int, int]]:
        return part_places(self._file, self._size_bytes, self._part_bytes)

    def _read_part(self, begin: int, end: int, what: str) -> None:
        for block in _blocks(self._file, begin, end):
            self._scanner.feed(block)
            begin += len(block)
            progress(what, begin, self._size_bytes, "bytes")

    def _read_later(self, begin: int, end: int) -> DumpScanner:
        """Return what a part holds that begins behind a statement's end, if it does."""
        later = self._beginning.later()
        for block in _blocks(self._file, begin, end):
            later.feed(block)
        return later

    def _join_others(self, places: List[Tuple[int, int]], what: str) -> None:
        """Take over the parts that the second process took, or read them here."""
        for begin, end in places:
            if not self._join_next():
                self._read_part(begin, end, what)
            progress(what, end, self._size_bytes, "bytes")

    def _join_next(self) -> bool:
        """Take over the second process's next part; at the first that cannot be, it is ended and all is read here."""
        if self.second is None:
            return False
        if (
            self._scanner.is_between_statements()
        ):  # Else the next part was read in vain, and is not waited for.
            with suppress(EOFError, pickle.UnpicklingError):
                later: DumpScanner = pickle.load(self.second.results)  # noqa: S301 - from our own second process only
                if self._scanner.join(later):
                    self.parts_joined += 1
                    return True
        self._end_second()
        return False

    def _end_second(self) -> None:
        if self.second is not None:
            self.second.end()
            self.second = None

    def _read_others(self, results: IO[bytes]) -> None:
        own = self._take_part()
        for number, (begin, end) in enumerate(self._places()):
            if number == own:
                pickle.dump(self._read_later(begin, end), results)
                results.flush()
                own = self._take_part()
