"""An image: a SQLite file with the tables and rows of one server database, as of one moment."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any, Dict, List, Optional

from adapters.host_reader.answers import Refusal, progress
from adapters.host_reader.images.building import create_indexes, create_tables, load_rows, refuse_unnameable
from adapters.host_reader.images.questions import last_number, size_bytes
from adapters.host_reader.images.shelf import free_bytes, image_path, is_kept, keep, own_part
from adapters.host_reader.server.notes import OWN_PREFIX, is_file, verified_note
from adapters.host_reader.server.port import Fingerprint, Server, ServerSchema
from adapters.host_reader.sqlite_files import private_files, prove_space, remove_database, sync_file
from adapters.host_reader.sqlite_open import told_plainly, writing

# A database that changes while it is read is read once more; after that its writers must be stopped.
_TRIES = 2
# Less than this left on the disk ends the work before the disk is full for the application too.
_RESERVE_BYTES = 64 << 20


def make_image(server: Server, place: str, workspace: str) -> str:
    """Return the path of the image of a database, or of the one a safety file was made from; reads only the server.

    It is made once for each content: the same fingerprint is the same image. *Changes*: `<workspace>/images`, where at
    most six are kept. *Raises* Refusal: busy (the database is being written), no_space, refused (names SQLite cannot
    have), changed (a safety file's image is not there any more).
    """
    with private_files():
        if is_file(place):
            return image_of_file(server.engine, place, workspace)
        for _ in range(_TRIES):
            path = _kept_or_made(server, place, workspace)
            if path is not None:
                return path
    raise Refusal(
        "busy",
        f"The database {place} was written while it was read, twice. Nothing was changed; look who writes.",
    )


def image_of_file(engine: str, place: str, workspace: str) -> str:
    """Return the image of the database a safety file was made from, which was made with the file; reads only.

    *Raises* Refusal (changed) where the file is not as its note says, or its image is not there any more.
    """
    note = verified_note(place, engine)
    path = image_path(workspace, engine, note.fingerprint)
    if not is_kept(path):
        raise Refusal(
            "changed",
            f"The rows of the safety backup {place} are not at hand any more (their image was removed). Nothing was"
            " changed; take a new safety backup.",
        )
    return path


def _kept_or_made(server: Server, place: str, workspace: str) -> Optional[str]:
    """Return the image of a database, or None where it was written meanwhile."""
    with contextlib.ExitStack() as snapshot:
        # The rows are read in the snapshot of their fingerprint: the image is of this content, whoever writes.
        snapshot.enter_context(server.reading(place))
        found = server.fingerprint(place)
        path = image_path(workspace, server.engine, found.hash)
        if is_kept(path):
            _renew_counters(server, place, path)
            return path
        part = own_part(path)
        try:
            note = _build(server, place, found, part)
            sync_file(part)
            snapshot.close()
            if not _stands_still(server, place, found):
                return None
            keep(part, path, note)
        finally:
            remove_database(part)
    return path


def _stands_still(server: Server, place: str, found: Fingerprint) -> bool:
    """Return whether nobody wrote meanwhile. Into a database of Backout's own nobody else writes, so none is asked."""
    return place.startswith(OWN_PREFIX) or server.fingerprint(place).hash == found.hash


def _build(server: Server, place: str, found: Fingerprint, part: str) -> Dict[str, Any]:
    schema = server.schema(place)
    refuse_unnameable(schema)
    prove_space(str(Path(part).parent), size_bytes(server, place), _RESERVE_BYTES)
    with told_plainly(part):
        connection = sqlite3.connect(part, isolation_level=None)
        try:
            for pragma in (
                "journal_mode=OFF",
                "synchronous=OFF",
                "locking_mode=EXCLUSIVE",
                "cache_size=-32000",
            ):
                connection.execute(f"PRAGMA {pragma}").fetchone()
            connection.execute("BEGIN")
            keys_left_out = create_tables(connection, schema)
            _load(server, place, schema, found, connection, part)
            indexes_left_out = create_indexes(connection, schema)
            _write_counters(connection, _counters(server, place, schema))
            connection.execute("COMMIT")
        finally:
            connection.close()
    return {
        "database": place,
        "fingerprint": found.hash,
        "schema_hash": schema.hash,
        "rows": dict(found.rows),
        "views": list(schema.views),
        "triggers": list(schema.triggers),
        "routines": list(schema.routines),
        "foreign_keys_left_out": keys_left_out,
        "indexes_left_out": indexes_left_out,
    }


def _load(
    server: Server,
    place: str,
    schema: ServerSchema,
    found: Fingerprint,
    connection: sqlite3.Connection,
    part: str,
) -> None:
    done, total = 0, sum(found.rows.values())

    def told(rows: int) -> None:
        nonlocal done
        done += rows
        progress("reading rows", min(done, total), total, "rows")
        if free_bytes(part) < _RESERVE_BYTES:
            raise Refusal(
                "no_space",
                "The disk of the workspace is nearly full. Nothing was changed; make room and try again.",
            )

    for table in schema.tables.values():
        load_rows(connection, table, server.stream(place, table), told)
    progress("reading rows", total, total, "rows")


def _counters(server: Server, place: str, schema: ServerSchema) -> Dict[str, int]:
    """Return the last number of each table whose image counts too, by table."""
    counted = [table for table in schema.tables.values() if table.numbered and table.key == (table.numbered,)]
    return {table.name: last_number(server, place, table) for table in counted}


def _write_counters(connection: sqlite3.Connection, counters: Dict[str, int]) -> None:
    """Raise the image's counters to those of the server; a server that never counted stands at its largest id."""
    for name, number in counters.items():
        known = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (name,)).fetchone()
        if number > (known[0] if known else 0):
            connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, number))


def _renew_counters(server: Server, place: str, path: str) -> None:
    """Bring the counters of a kept image up to date: a fingerprint does not tell them. *Changes*: the image."""
    counters = _counters(server, place, server.schema(place))
    with writing(path) as connection:
        known = _known_counters(connection) if counters else {}
        if any(number > known.get(name, 0) for name, number in counters.items()):
            connection.execute("BEGIN IMMEDIATE")
            _write_counters(connection, counters)
            connection.execute("COMMIT")


def _known_counters(connection: sqlite3.Connection) -> Dict[str, int]:
    rows: List[Any] = connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
    return {row[0]: row[1] for row in rows}
