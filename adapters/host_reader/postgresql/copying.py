"""A safety backup by pg_dump, proven against the live database; and scratch databases made from one."""

from __future__ import annotations

from pathlib import Path
from typing import Dict

from adapters.host_reader.answers import Refusal
from adapters.host_reader.opening import content_blocks
from adapters.host_reader.postgresql.archive import restore_archive
from adapters.host_reader.postgresql.dump_progress import looking
from adapters.host_reader.postgresql.fingerprint import Content, wrong_counts
from adapters.host_reader.postgresql.left_behind import left_behind
from adapters.host_reader.postgresql.names import literal
from adapters.host_reader.postgresql.programs import find_beside_server
from adapters.host_reader.postgresql.scratch import make_scratch
from adapters.host_reader.postgresql.server import PostgresqlServer
from adapters.host_reader.postgresql.tools import run_tool
from adapters.host_reader.server.notes import OWN_PREFIX, is_file, make_safety_file, verified_note
from adapters.host_reader.server.port import Fingerprint
from adapters.host_reader.sqlite_files import prove_space, sha256_of
from adapters.host_reader.sqlite_request import Answer, Request, number, optional_text
from bot.dumps.manifest import PRESENT
from bot.dumps.pg_custom import read_archive

# Compression costs time in which the site is down; the lowest level is a third of the time for a tenth more space.
_COMPRESSION = "1"


def make_safety(server: PostgresqlServer, source: str, target: str, request: Request) -> Answer:
    """Dump a database into a file and return its size, SHA-256, fingerprint and row counts.

    The dump and the fingerprint are of one snapshot; the whole archive is read again, and its rows are counted against
    the database's. *Changes*: the file and its note, or nothing. *Raises* Refusal: no_space, changed (it was written
    meanwhile), damaged, refused.
    """
    answer = make_safety_file(
        target, server.engine, source, lambda part: _dump(server, source, part, request)
    )
    with server.session(source) as session:
        return {**answer, "notes": left_behind(session)}


def _dump(server: PostgresqlServer, source: str, part: str, request: Request) -> Fingerprint:
    size = server.number(source, f"SELECT pg_catalog.pg_database_size({literal(source)})")
    prove_space(str(Path(part).parent), size, number(request, "reserve_bytes", 0))
    expected = optional_text(request, "expect_fingerprint")
    with server.reading(source):
        before = server.content(source)
        if expected not in (None, before.fingerprint.hash):
            raise Refusal(
                "changed", f"{source} is not as expected. No backup was kept and nothing was changed."
            )
        dump_to(server, source, part, request, before.stored_rows)
    _prove_archive(part, before)
    if server.fingerprint(source) != before.fingerprint:
        raise Refusal(
            "changed",
            f"{source} was changed while it was dumped. No backup was kept and nothing was changed; look who writes"
            " and try again.",
        )
    return before.fingerprint


def dump_to(server: PostgresqlServer, source: str, path: str, request: Request, rows: Dict[str, int]) -> None:
    """Write the snapshot that is being read into an archive; `rows` are its tables'. *Changes*: that file.

    *Raises* Refusal.
    """
    argv = [find_beside_server("pg_dump", server.major), "-Fc", f"--compress={_COMPRESSION}", "--no-owner"]
    argv += [
        "--no-acl",
        "--no-password",
        "--lock-wait-timeout=5s",
        f"--snapshot={server.snapshot_name(source)}",
    ]
    argv += [f"--exclude-schema={OWN_PREFIX}*", "-f", path, "-d", server.connected(source)]
    with looking(server, source, path, rows) as look:
        run_tool(server.login, argv, request, Path(path).name, source, look)


def _prove_archive(path: str, content: Content) -> None:
    """Read the archive to its end and count its rows. *Raises* Refusal (damaged)."""
    try:
        manifest = read_archive(content_blocks(Path(path), "proving the backup")).manifest
    except OSError as error:
        raise Refusal(
            "damaged",
            f"The backup cannot be read again ({error.strerror}). None was kept; nothing was changed.",
        ) from None
    if manifest.damage or manifest.end_marker != PRESENT:
        raise Refusal(
            "damaged",
            f"The backup is not whole ({manifest.damage or 'data are missing'}). None was kept; nothing was changed.",
        )
    found: Dict[str, int] = {name: entry.rows or 0 for name, entry in manifest.tables.items()}
    wrong = wrong_counts(content.stored_rows, found)
    if wrong:
        raise Refusal(
            "damaged", f"The backup is not what the database holds: {'; '.join(wrong[:10])}. None was kept."
        )


def restore_safety(server: PostgresqlServer, source: str, target: str, request: Request) -> Answer:
    """Make a scratch database from a safety file, proven equal to the database it was made of. *Changes*: the target."""
    note = verified_note(source, server.engine)

    def fill(part: str) -> Answer:
        notes = restore_archive(server, source, part, request)
        answer = _proven_equal(server, part, note.as_fingerprint())
        answer.update(size_bytes=note.size_bytes, sha256=note.sha256, notes=notes)
        return answer

    return make_scratch(server, target, server.login.database, request, fill)


def copy_database(server: PostgresqlServer, source: str, target: str, request: Request) -> Answer:
    """Make a scratch database from another database, by a dump that is removed after. *Changes*: the target."""
    if server.side(source) is not None:
        raise Refusal(
            "bad_request", f"{source} is a side schema; only databases are copied. Nothing was changed."
        )
    # In the folder that goes with this reader, also with a killed one: the dump holds all rows.
    path = server.login.folder / f"{target}.dump"

    def fill(part: str) -> Answer:
        try:
            before = _dump(server, source, str(path), request)
            sha256, size = sha256_of(str(path)), path.stat().st_size
            notes = restore_archive(server, str(path), part, request)
        finally:
            path.unlink(missing_ok=True)
        answer = _proven_equal(server, part, before)
        answer.update(size_bytes=size, sha256=sha256, notes=notes)
        return answer

    return make_scratch(server, target, source, request, fill)


def _proven_equal(server: PostgresqlServer, part: str, wanted: Fingerprint) -> Answer:
    found = server.fingerprint(part)
    if found.hash != wanted.hash:
        wrong = wrong_counts(wanted.rows, found.rows)
        what = "its definitions" if found.schema_hash != wanted.schema_hash else "its rows"
        told = "; ".join(wrong[:10]) or f"{what} differ"
        raise Refusal(
            "damaged",
            f"The copy is not equal to its source: {told}. It was removed; nothing else was changed.",
        )
    return found.as_answer()


def copy(server: PostgresqlServer, source: str, target: str, request: Request) -> Answer:
    """Copy a place to another: database to file, file to scratch, database to scratch. *Changes*: the target only."""
    if is_file(target):
        if is_file(source):
            raise Refusal("bad_request", "A file is not copied to a file. Nothing was changed.")
        return make_safety(server, source, target, request)
    return (restore_safety if is_file(source) else copy_database)(server, source, target, request)
