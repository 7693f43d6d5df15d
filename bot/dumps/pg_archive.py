"""The layout of pg_dump's custom format (`-Fc`): numbers, texts, head, entries of the contents, chunks of data.

*Source*: PostgreSQL 15's pg_backup_archiver.c and pg_backup_custom.c; archive versions 1.12 (PostgreSQL 9.0) to 1.16
(17).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Iterator, List, NamedTuple, Optional, Tuple

NO_COMPRESSION, GZIP = 0, 1
_OFFSET_NO_DATA = 3
# Sane limits, so that a damaged length is told from a long one: a view's definition, a chunk of data.
_LONGEST_TEXT_BYTES = 1 << 24
_LONGEST_CHUNK_BYTES = 1 << 26


class ArchiveDamagedError(Exception):
    """The archive ends early or holds what its format does not allow."""


class Entry(NamedTuple):
    """One entry of the table of contents."""

    number: int
    kind: str
    tag: str
    schema: str
    copy_statement: str
    has_data: bool


@dataclass(frozen=True)
class Head:
    """What an archive says about itself before its table of contents. `compression`: 0 none, 1 gzip, others unread."""

    version: Tuple[int, int]
    int_size: int
    offset_size: int
    archive_format: int
    compression: int
    created: Optional[str]
    database: Optional[str]
    server_version: Optional[str]
    tool_version: Optional[str]
    entries: int


class Source:
    """Reads exact numbers of bytes from a stream of blocks."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks: Iterator[bytes] = iter(blocks)
        self._data = b""
        self._place = 0

    def take(self, size: int) -> bytes:
        """Return exactly `size` bytes. *Raises* ArchiveDamagedError where the archive ends before."""
        while len(self._data) - self._place < size:
            block = next(self._blocks, None)
            if block is None:
                raise ArchiveDamagedError("the archive is cut short")
            self._data = self._data[self._place :] + block
            self._place = 0
        self._place += size
        return self._data[self._place - size : self._place]

    def at_end(self) -> bool:
        """Say whether no byte is left."""
        while len(self._data) == self._place:
            block = next(self._blocks, None)
            if block is None:
                return True
            self._data, self._place = block, 0
        return False


class Reader:
    """Reads the archive's own numbers and texts."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.int_size = 4
        self.offset_size = 8

    def byte(self) -> int:
        """Return the next byte as a number."""
        return self.source.take(1)[0]

    def number(self) -> int:
        """Return the next whole number: a sign, then its bytes, the lowest first."""
        negative = self.byte()
        value = int.from_bytes(self.source.take(self.int_size), "little")
        return -value if negative else value

    def text(self) -> Optional[str]:
        """Return the next text, or None where the archive has a null. *Raises* ArchiveDamagedError."""
        size = self.number()
        if size < 0:
            return None
        if size > _LONGEST_TEXT_BYTES:
            raise ArchiveDamagedError("a text in the archive's table of contents is impossibly long")
        return self.source.take(size).decode("utf-8", "replace")


def read_head(reader: Reader) -> Head:
    """Return the archive's head and leave the reader at its first entry. *Raises* ArchiveDamagedError."""
    if reader.source.take(5) != b"PGDMP":
        raise ArchiveDamagedError("the archive does not begin with PGDMP")
    version = (reader.byte(), reader.byte())
    reader.byte()  # the revision changes nothing in the layout
    reader.int_size, reader.offset_size = reader.byte(), reader.byte()
    archive_format = reader.byte()
    if not 1 <= reader.int_size <= 8 or not 1 <= reader.offset_size <= 8:
        raise ArchiveDamagedError("the archive's head is damaged")
    compression = reader.byte() if version >= (1, 15) else GZIP if reader.number() else NO_COMPRESSION
    created = _time([reader.number() for _ in range(7)])
    return Head(
        version=version,
        int_size=reader.int_size,
        offset_size=reader.offset_size,
        archive_format=archive_format,
        compression=compression,
        created=created,
        database=reader.text(),
        server_version=reader.text(),
        tool_version=_named(reader.text()),
        entries=reader.number(),
    )


def _named(version: Optional[str]) -> Optional[str]:
    return f"pg_dump version {version}" if version else None


def _time(parts: List[int]) -> Optional[str]:
    """Return C's broken-down local time (second first, month from 0, year from 1900) as text."""
    second, minute, hour, day, month, year = parts[:6]
    if not (0 <= month < 12 and 0 < day < 32 and 0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 61):
        return None
    return f"{year + 1900:04d}-{month + 1:02d}-{day:02d} {hour:02d}:{minute:02d}:{second:02d}"


def read_entry(reader: Reader, version: Tuple[int, int]) -> Entry:
    """Return the next entry of the table of contents. *Raises* ArchiveDamagedError."""
    number = reader.number()
    reader.number()  # whether there was a dumper of data
    reader.text(), reader.text()  # the catalogue's table and object numbers
    tag, kind = reader.text() or "", reader.text() or ""
    reader.number()  # section
    reader.text(), reader.text()  # the definition and its drop statement
    copy_statement, schema = reader.text() or "", reader.text() or ""
    reader.text()  # tablespace
    if version >= (1, 14):
        reader.text()  # table access method
    if version >= (1, 16):
        reader.number()  # kind of relation
    reader.text(), reader.text()  # owner, and whether it had OIDs
    while reader.text() is not None:
        pass  # what it depends on
    state = reader.byte()
    reader.source.take(reader.offset_size)
    return Entry(number, kind, tag, schema, copy_statement, state != _OFFSET_NO_DATA)


def chunks(reader: Reader) -> Iterator[bytes]:
    """Yield the chunks of one data block; an empty one ends it."""
    while True:
        size = reader.number()
        if size == 0:
            return
        if not 0 < size <= _LONGEST_CHUNK_BYTES:
            raise ArchiveDamagedError("a data block of the archive has an impossible length")
        yield reader.source.take(size)
