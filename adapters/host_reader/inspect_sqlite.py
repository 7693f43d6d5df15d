"""Inspect a SQLite database file as a backup, without changing a byte of it or of what lies beside it."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional
from urllib.parse import quote

from adapters.host_reader.answers import Refusal, progress
from adapters.host_reader.opening import content_blocks
from bot.dumps import formats
from bot.dumps.manifest import IMPOSSIBLE, NOTE, Hazard, Manifest, Reading, TableEntry
from bot.dumps.values import migration_rows

# Room that stays free on the disk when a compressed file is unpacked to be looked at.
_RESERVE_BYTES = 64 << 20
# SQLite calls back after this many of its steps; at some 10 million a second that is 10 times a second.
_STEPS_PER_PROGRESS = 1_000_000
_HEADER_BYTES = 100
_WAL_JOURNAL = 2  # the header's read and write version of a database in WAL mode

_WAL_MODE = Hazard(
    "wal_mode",
    NOTE,
    "it is in WAL mode; if it was copied with cp from a running site, its newest rows may be missing (its counts are shown)",
)


class SqliteContent(NamedTuple):
    """The reading of a SQLite file; `unread` says why it could not be judged, where that is so."""

    reading: Reading
    unread: Optional[str] = None


def read_sqlite_file(path: Path, migrations_table: str, work_folder: Optional[str]) -> SqliteContent:
    """Return what a SQLite file (compressed or not) holds; *Changes* only a private temporary file, removed after."""
    with path.open("rb") as file:
        compressed = formats.compression_of(file.read(16)) is not None
    if not compressed:
        beside = _unfinished_beside(path)
        if beside:
            return SqliteContent(Reading(_manifest(), []), beside)
        return SqliteContent(_read_plain(path, migrations_table))
    with tempfile.TemporaryDirectory(prefix="backout-inspect-", dir=work_folder) as folder:
        plain = Path(folder) / "unpacked.sqlite"
        _unpack(path, plain)
        return SqliteContent(_read_plain(plain, migrations_table))


def _manifest(**found: Any) -> Manifest:
    return Manifest(format=formats.SQLITE_FILE, end_marker=IMPOSSIBLE, **found)


def _unfinished_beside(path: Path) -> Optional[str]:
    """Say in words that a write-ahead file or journal beside the file holds part of it; None where there is none."""
    for ending, name in (("-wal", "write-ahead file"), ("-journal", "rollback journal")):
        other = path.with_name(path.name + ending)
        if other.is_file() and other.stat().st_size > 0:
            return f"a {name} ({other.name}) lies beside it and holds part of its content; loading both into scratch would prove it"
    return None


def _unpack(path: Path, target: Path) -> None:
    """Write the decompressed file, proving room before each piece."""
    with target.open("wb") as file:
        for block in content_blocks(path, f"unpacking {path.name}"):
            if shutil.disk_usage(target.parent).free < _RESERVE_BYTES + len(block):
                raise Refusal(
                    "no_space",
                    f"{path} cannot be inspected: {target.parent} has no room to unpack it. Nothing was changed; "
                    "make room or name another folder.",
                )
            file.write(block)


def _read_plain(path: Path, migrations_table: str) -> Reading:
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    damage = _short_file(path, head)
    if damage:
        return Reading(_manifest(damage=damage), [])
    hazards = [_WAL_MODE] if len(head) == _HEADER_BYTES and head[18] == _WAL_JOURNAL else []
    try:
        with closing(_connect(path)) as connection:
            integrity = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if integrity != "ok":
                return Reading(_manifest(integrity="failed"), hazards)
            return Reading(_read_content(connection, migrations_table), hazards)
    except sqlite3.DatabaseError as error:
        # The library's message names no rows ("database disk image is malformed", "file is not a database").
        return Reading(_manifest(damage=f"SQLite says: {error}", integrity="failed"), hazards)


def _short_file(path: Path, head: bytes) -> Optional[str]:
    """Say whether the file is shorter than its own header says. *Source*: the SQLite file format, offsets 16 and 28."""
    if len(head) < _HEADER_BYTES:
        return "the file is shorter than a SQLite header"
    page_size = int.from_bytes(head[16:18], "big")
    page_size = 65536 if page_size == 1 else page_size
    pages = int.from_bytes(head[28:32], "big")
    # The page count is valid only where it was written together with the change counter.
    if head[24:28] == head[92:96] and path.stat().st_size < pages * page_size:
        return f"it is cut short: {path.stat().st_size:,} of {pages * page_size:,} bytes"
    return None


def _connect(path: Path) -> sqlite3.Connection:
    """Open the file so that SQLite writes nothing, not even a -shm file beside it."""
    connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1", uri=True)
    connection.text_factory = lambda value: value.decode("utf-8", "replace")
    connection.execute("PRAGMA query_only=1")
    connection.execute("PRAGMA trusted_schema=0")
    steps = [0]

    def tell() -> int:
        steps[0] += 1
        progress(f"checking {path.name}", steps[0], 0, "steps")
        return 0

    connection.set_progress_handler(tell, _STEPS_PER_PROGRESS)
    return connection


def _read_content(connection: sqlite3.Connection, migrations_table: str) -> Manifest:
    objects = connection.execute("SELECT type, name, rootpage FROM sqlite_master").fetchall()
    names = [name for kind, name, _ in objects if kind == "table" and not name.startswith("sqlite_")]
    tables: Dict[str, TableEntry] = {}
    for name in names:
        tables[name] = TableEntry(columns=_columns(connection, name), rows=_rows(connection, name))
    counts = {kind + "s": sum(1 for row in objects if row[0] == kind) for kind in ("trigger", "view")}
    counts["indexes"] = sum(
        1 for row in objects if row[0] == "index" and not row[1].startswith("sqlite_autoindex")
    )
    return _manifest(
        tables=tables,
        migrations=_migrations(connection, migrations_table, tables),
        schema_objects=counts,
        integrity="ok",
        tool_version=None,
        server_version=None,
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _columns(connection: sqlite3.Connection, table: str) -> Optional[List[str]]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({_quoted(table)})")] or None


def _rows(connection: sqlite3.Connection, table: str) -> Optional[int]:
    """Return a table's row count; None for a virtual table whose module this host has not."""
    try:
        return int(connection.execute(f"SELECT count(*) FROM {_quoted(table)}").fetchone()[0])
    except sqlite3.OperationalError:
        return None


def _migrations(
    connection: sqlite3.Connection, table: str, tables: Dict[str, TableEntry]
) -> Optional[List[Dict[str, Any]]]:
    """Return the migrations in the order in which they ran, or None where the table is missing or another's."""
    columns = tables[table].columns if table in tables else None
    if columns is None or "migration" not in columns:
        return None
    batch = "batch" if "batch" in columns else "NULL"
    rows = connection.execute(f"SELECT migration, {batch} FROM {_quoted(table)}").fetchall()
    values = [[str(name), "" if number is None else str(number)] for name, number in rows]
    return [row._asdict() for row in migration_rows(values, ["migration", "batch"])]
