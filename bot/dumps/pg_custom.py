"""Read pg_dump's custom format (`-Fc`): its table of contents and the rows of each data block."""

from __future__ import annotations

import zlib
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

from bot.dumps.hazards import NO_STRUCTURE
from bot.dumps.manifest import ABSENT, IMPOSSIBLE, PRESENT, Manifest, Reading, TableEntry
from bot.dumps.pg_archive import (
    GZIP,
    NO_COMPRESSION,
    ArchiveDamagedError,
    Entry,
    Head,
    Reader,
    Source,
    chunks,
    read_entry,
    read_head,
)
from bot.dumps.statements import COPY_HEAD, column_list, plain_name
from bot.dumps.values import copy_rows, migration_rows

# Archives outside these versions are named, and not read further.
_OLDEST = (1, 12)
_NEWEST = (1, 16)
_CUSTOM = 1  # the format byte: 1 custom, 3 tar, 5 directory
_DATA, _LARGE_OBJECTS = 1, 3  # kinds of data blocks
_KEPT_BYTES = 1 << 22
_PIECE_BYTES = 1 << 20


def read_archive(blocks: Iterable[bytes], migrations_table: str = "migrations") -> Reading:
    """Return what a custom-format archive holds; every data block is read to its end, which is its end marker."""
    reader = Reader(Source(blocks))
    manifest = Manifest(format="pg_custom")
    try:
        head = read_head(reader)
    except ArchiveDamagedError as error:
        return Reading(Manifest(format="pg_custom", damage=str(error)), [])
    manifest = Manifest(
        format="pg_custom",
        tool_version=head.tool_version,
        server_version=head.server_version,
        database=head.database,
        started=head.created,
        end_marker=IMPOSSIBLE,
    )
    if head.archive_format != _CUSTOM or not _OLDEST <= head.version <= _NEWEST:
        return Reading(manifest, [])
    return _read_body(reader, head, manifest, migrations_table)


def _read_body(reader: Reader, head: Head, manifest: Manifest, migrations_table: str) -> Reading:
    tables: Dict[str, TableEntry] = {}
    kept: Dict[str, bytes] = {}
    entries: List[Entry] = []
    damage: Optional[str] = None
    marker = ABSENT
    try:
        entries = [read_entry(reader, head.version) for _ in range(head.entries)]
        tables.update(_empty_tables(entries))
        missing = _read_data(reader, head, entries, tables, kept, migrations_table)
        marker = (
            IMPOSSIBLE if head.compression not in (NO_COMPRESSION, GZIP) else ABSENT if missing else PRESENT
        )
    except ArchiveDamagedError as error:
        damage = str(error)
    return Reading(
        Manifest(
            format=manifest.format,
            tool_version=manifest.tool_version,
            server_version=manifest.server_version,
            database=manifest.database,
            started=manifest.started,
            end_marker=marker,
            tables=tables,
            migrations=_migrations(tables, kept, migrations_table),
            schema_objects=_object_counts(entries),
            damage=damage,
        ),
        [] if damage or set(tables) <= set(_created_tables(entries)) else [NO_STRUCTURE],
    )


def _table_name(entry: Entry) -> str:
    return entry.tag if entry.schema in ("", "public") else f"{entry.schema}.{entry.tag}"


def _created_tables(entries: List[Entry]) -> Dict[str, TableEntry]:
    return {_table_name(entry): TableEntry(rows=0) for entry in entries if entry.kind == "TABLE"}


def _empty_tables(entries: List[Entry]) -> Dict[str, TableEntry]:
    tables = _created_tables(entries)
    for entry in entries:
        match = COPY_HEAD.match(entry.copy_statement.encode())
        if entry.kind == "TABLE DATA" and match:
            tables[plain_name(match.group("table"))] = TableEntry(
                columns=column_list(match.group("columns")), rows=0
            )
    return tables


def _read_data(
    reader: Reader,
    head: Head,
    entries: List[Entry],
    tables: Dict[str, TableEntry],
    kept: Dict[str, bytes],
    migrations_table: str,
) -> List[Entry]:
    """Read every data block to the archive's end and fill in the row counts; return the entries without their block."""
    waiting = {entry.number: entry for entry in entries if entry.has_data}
    while not reader.source.at_end():
        kind, number = reader.byte(), reader.number()
        if kind not in (_DATA, _LARGE_OBJECTS) or number not in waiting:
            raise ArchiveDamagedError("the archive's data do not fit its table of contents")
        entry = waiting.pop(number)
        if kind == _LARGE_OBJECTS:
            _skip_large_objects(reader)
            continue
        readable = head.compression in (NO_COMPRESSION, GZIP)
        keep = readable and entry.kind == "TABLE DATA" and entry.tag == migrations_table
        rows, size_bytes, text = _count_rows(reader, head.compression, keep)
        if entry.kind == "TABLE DATA":
            name = _table_name(entry)
            # With --inserts the data are statements, which only a load can count.
            countable = readable and bool(entry.copy_statement)
            columns = tables[name].columns if name in tables else None
            tables[name] = TableEntry(
                columns=columns, rows=rows if countable else None, size_bytes=size_bytes
            )
            if keep:
                kept[name] = text
    return list(waiting.values())


def _skip_large_objects(reader: Reader) -> None:
    while reader.number() != 0:
        for _ in chunks(reader):
            pass


def _count_rows(reader: Reader, compression: int, keep: bool) -> Tuple[int, int, bytes]:
    """Return rows, size and (where asked) the text of one table's data. Each line is a row; `\\.` ends them."""
    rows, size_bytes, text, tail = 0, 0, b"", b""
    for piece in _plain_chunks(reader, compression):
        rows += piece.count(b"\n")
        size_bytes += len(piece)
        tail = (tail + piece)[-8:]
        if keep and len(text) < _KEPT_BYTES:
            text += piece
    # COPY's end line is written into the data: `\.` and two blank lines behind it.
    if tail.endswith(b"\\.\n\n\n"):
        rows -= 3
    return rows, size_bytes, text


def _plain_chunks(reader: Reader, compression: int) -> Iterator[bytes]:
    if compression != GZIP:
        yield from chunks(reader)
        return
    decoder = zlib.decompressobj()
    try:
        for chunk in chunks(reader):
            piece = decoder.decompress(chunk, _PIECE_BYTES)
            while piece:
                yield piece
                piece = decoder.decompress(decoder.unconsumed_tail, _PIECE_BYTES)
    except zlib.error:
        raise ArchiveDamagedError("a data block of the archive is damaged (zlib)") from None
    if not decoder.eof:
        raise ArchiveDamagedError("a data block of the archive is cut short (zlib)")


def _migrations(
    tables: Dict[str, TableEntry], kept: Dict[str, bytes], migrations_table: str
) -> Optional[List[Dict[str, Any]]]:
    names = [name for name in tables if name.rpartition(".")[2] == migrations_table]
    if not names:
        return None
    return [
        row._asdict() for row in migration_rows(copy_rows(kept.get(names[0], b"")), tables[names[0]].columns)
    ]


def _object_counts(entries: List[Entry]) -> Dict[str, int]:
    kinds = {
        "indexes": ("INDEX",),
        "triggers": ("TRIGGER",),
        "views": ("VIEW", "MATERIALIZED VIEW"),
        "routines": ("FUNCTION", "PROCEDURE", "AGGREGATE"),
    }
    return {name: sum(1 for entry in entries if entry.kind in those) for name, those in kinds.items()}
