"""Build a scratch database from a backup, and prove that it holds what the backup's manifest says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

from adapters.host_reader.answers import Refusal
from adapters.host_reader.opening import ProgramMissingError, content_blocks, content_head
from adapters.host_reader.postgresql.archive import restore_archive
from adapters.host_reader.postgresql.fingerprint import wrong_counts
from adapters.host_reader.postgresql.foreign_keys import violation_counts
from adapters.host_reader.postgresql.migrations import read_migrations
from adapters.host_reader.postgresql.plain import load_plain
from adapters.host_reader.postgresql.scratch import make_scratch
from adapters.host_reader.postgresql.server import PostgresqlServer
from adapters.host_reader.server.access import workspace_folder
from adapters.host_reader.sqlite_files import private_files, prove_space
from adapters.host_reader.sqlite_request import Answer, Request, mapping, number, optional_text
from bot.dumps import formats
from bot.dumps.compression import DamagedError


def load(server: PostgresqlServer, backup: str, target: str, request: Request) -> Answer:
    """Load a backup into a new scratch database; return row counts, migrations, violated foreign keys, hashes, notes.

    `expect` is the manifest's `{tables: {name: rows}}` or null; `notes` names what was left out of the dump.
    *Changes*: the target, or nothing. *Raises* Refusal: damaged (cut short, other counts), no_space, refused.
    """
    like = optional_text(request, "like") or server.login.database
    return make_scratch(server, target, like, request, lambda part: _fill(server, backup, part, request))


def _fill(server: PostgresqlServer, backup: str, part: str, request: Request) -> Answer:
    notes = _load(server, Path(backup), part, request)
    _analyze(server, part)
    content = server.content(part)
    expected: Dict[str, Any] = mapping(request, "expect").get("tables") or {}
    # Partitions count by themselves in a dump, and the table they belong to holds nothing of its own.
    wrong = wrong_counts(
        {name: rows for name, rows in expected.items() if rows is not None}, content.stored_rows
    )
    if wrong:
        raise Refusal(
            "damaged", f"The load is not what the backup holds: {'; '.join(wrong[:10])}. Nothing was kept."
        )
    with server.session(part, path=True) as session:
        violations = violation_counts(session, content.catalogue)
        migrations = read_migrations(session, content.catalogue, request)
    return {
        "tables": content.fingerprint.rows,
        "foreign_key_violations": violations,
        "fingerprint": content.fingerprint.hash,
        "schema_hash": content.fingerprint.schema_hash,
        "migrations": migrations,
        "page_size": 0,
        "notes": notes,
    }


def _analyze(server: PostgresqlServer, part: str) -> None:
    """Let the server look at the new tables, so that it plans well. *Changes*: statistics of that place only."""
    with server.session(part) as session:
        if server.side(part) is None:
            session.run("ANALYZE")
            return
        for relation in server.shape(session, part).relations.values():
            session.run(f"ANALYZE {relation.sql}")


def _load(server: PostgresqlServer, backup: Path, part: str, request: Request) -> List[str]:
    try:
        head = content_head(backup)
        kind = formats.format_of(head)
        if kind == formats.PG_PLAIN:
            return load_plain(server, content_blocks(backup, "loading the backup"), part, request)
        if kind == formats.PG_CUSTOM:
            with backup.open("rb") as file:
                packed = formats.compression_of(file.read(formats.HEAD_BYTES)) is not None
            if packed:
                return _unpacked(server, backup, part, request)
            return restore_archive(server, str(backup), part, request)
    except OSError as error:
        raise Refusal(
            "unreadable", f"{backup} cannot be read ({error.strerror}). Nothing was kept."
        ) from None
    except DamagedError as error:
        raise Refusal("damaged", f"{backup} is damaged or cut short ({error}). Nothing was kept.") from None
    except ProgramMissingError as error:
        raise Refusal("unreadable", f"{backup}: {error}. Nothing was kept.") from None
    raise Refusal("refused", f"{backup} is no dump of PostgreSQL that can be loaded. Nothing was kept.")


def _unpacked(server: PostgresqlServer, backup: Path, part: str, request: Request) -> List[str]:
    """Load a compressed archive; pg_restore must move about in the file, so it is unpacked first."""
    folder = workspace_folder(request, "tmp")
    prove_space(str(folder), backup.stat().st_size, number(request, "reserve_bytes", 0))
    # In the folder that goes with this reader, also with a killed one: the file holds all rows.
    path = server.login.folder / f"{part}.dump"
    try:
        with private_files(), path.open("wb") as file:
            file.writelines(content_blocks(backup, "unpacking the backup"))
        return restore_archive(server, str(path), part, request)
    finally:
        path.unlink(missing_ok=True)
