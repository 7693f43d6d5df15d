"""What a live database is and holds, in names and counts; and a token of its state."""

from __future__ import annotations

import hashlib
import platform
import shutil
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from adapters.host_reader.answers import progress
from adapters.host_reader.mysql.client import Session
from adapters.host_reader.mysql.fingerprint import content_of
from adapters.host_reader.mysql.names import at, quoted
from adapters.host_reader.mysql.schema import Structure, texts
from adapters.host_reader.mysql.server import MysqlServer
from adapters.host_reader.server.access import workspace_folder
from adapters.host_reader.server.port import ServerTable
from adapters.host_reader.sqlite_request import Answer, Request

_HERE = "TABLE_SCHEMA = DATABASE() AND CAST(TABLE_SCHEMA AS BINARY) = CAST(DATABASE() AS BINARY)"
_LOCAL_HOSTS = (None, "localhost", "127.0.0.1", "::1")
# So much is read and hashed in a second or two on a small host.
_SMALL_BYTES = 48 << 20
_LONGEST_WAIT_S = 5.0


def facts_of(server: MysqlServer, database: str, request: Request) -> Answer:
    """Return identity, schema, row and NULL counts and the `migrations` rows of a database; reads only.

    Each table is counted in one statement of its own. The shape is that of `sqlite_facts`.
    """
    structure = server.structure(database)
    session = server.session(database)
    size = _size_bytes(session)
    migrations = str(request.get("migrations_table") or "migrations")
    answer: Answer = {
        "engine": server.engine,
        "version": server.version,
        "sqlite_version": server.version,
        "python_version": platform.python_version(),
        "client_version": server.connector.programs.version,
        "file": {
            "real_path": database,
            "device": server_identity(session),
            "inode": database,
            "owner": str(session.one("SELECT CURRENT_USER()", "asking for the user")),
            "mode": "",
            "size_bytes": size,
        },
        "page_size": 0,
        "encoding": str(session.one("SELECT @@character_set_database", "asking for the character set")),
        "journal_mode": "",
        "user_version": 0,
        "application_id": 0,
        "free_bytes": free_bytes(server, session, request),
        "tables": _tables(session, server.physical(database), structure),
        "indexes": [],
        "triggers": list(structure.schema.triggers),
        "views": list(structure.schema.views),
        "routines": list(structure.schema.routines),
        "events": list(structure.events),
        "virtual_tables": [],
        "migrations": read_migrations(session, structure, migrations),
        "schema_hash": structure.schema.hash,
    }
    session.end()
    return answer


def _size_bytes(session: Session) -> int:
    select = f"SELECT SUM(DATA_LENGTH + INDEX_LENGTH) FROM information_schema.TABLES WHERE {_HERE}"
    return int(float(session.one(select, "asking for the size") or 0))


def server_identity(session: Session) -> str:
    """Return what tells this server from every other: its own id where it has one, else host name, port and folder."""
    rows = session.rows(
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uuid', 'server_uid')", "asking who it is"
    )
    if rows and rows[0][1]:
        return str(rows[0][1])
    place = session.rows("SELECT @@hostname, @@port, @@datadir", "asking who it is")[0]
    return ",".join(str(part) for part in place)


def free_bytes(server: MysqlServer, session: Session, request: Request) -> int:
    """Return what is free on the disk of the server's data where that is this host's, else on the workspace's."""
    folder: Optional[Path] = None
    if server.credentials.unix_socket or server.credentials.host in _LOCAL_HOSTS:
        folder = Path(str(session.one("SELECT @@datadir", "asking for the data's folder")))
    try:
        return shutil.disk_usage(folder or "").free
    except OSError:
        return shutil.disk_usage(workspace_folder(request, "tmp")).free


def _tables(session: Session, database: str, structure: Structure) -> Dict[str, Any]:
    tables = [structure.schema.tables[name] for name in sorted(structure.schema.tables)]
    found = {}
    for done, table in enumerate(tables):
        progress("counting rows", done, len(tables), "tables")
        found[table.name] = _table_facts(session, database, table)
    progress("counting rows", len(tables), len(tables), "tables")
    return found


def _table_facts(session: Session, database: str, table: ServerTable) -> Dict[str, Any]:
    nullable = [column.name for column in table.columns if not column.notnull]
    counted = ", ".join(["COUNT(*)", *(f"COUNT({quoted(name)})" for name in nullable)])
    row = session.rows(f"SELECT {counted} FROM {at(database, table.name)}", f"counting {table.name!r}")[0]
    rows = int(row[0] or 0)
    nulls = dict.fromkeys(table.column_names, 0)
    for name, value in zip(nullable, row[1:]):  # noqa: B905 - Python 3.9 has no strict
        nulls[name] = rows - int(value or 0)
    return {
        "columns": [
            {
                "name": column.name,
                "type": column.type,
                "notnull": column.notnull,
                "default_set": column.default is not None,
                "pk": table.key.index(column.name) + 1 if column.name in table.key else 0,
            }
            for column in table.columns
        ],
        "key": list(table.key),
        "rows": rows,
        "nulls": nulls,
        "foreign_keys": [
            {
                "columns": list(each.columns),
                "parent": each.parent,
                "parent_columns": list(each.parent_columns),
                "on_delete": each.on_delete,
            }
            for each in table.foreign_keys
        ],
    }


def read_migrations(session: Session, structure: Structure, name: str) -> Optional[List[Dict[str, Any]]]:
    """Return the rows of Laravel's `migrations` table in order, None where there is no such table; reads only."""
    table = structure.schema.tables.get(name)
    if table is None or "migration" not in table.column_names:
        return None
    known = set(table.column_names)
    wanted = [quoted(column) if column in known else "NULL" for column in ("id", "migration", "batch")]
    rest = f"FROM {quoted(name)} ORDER BY {wanted[0]}, {wanted[1]}"
    return [
        {"id": _whole(row[0]), "migration": row[1], "batch": _whole(row[2])}
        for row in texts(session, wanted, rest, f"reading {name!r}")
    ]


def _whole(value: Optional[str]) -> Optional[int]:
    return None if value is None else int(value)


def sample_of(server: MysqlServer, database: str) -> Answer:
    """Return a token that changes with every committed write to the database; reads only.

    It holds the time of each table's last committed change, which the server keeps in whole seconds: where that second
    is still running, it is waited for, so that no later change can hide in it. The rows of a small database are
    hashed too. (A server that has forgotten such a time, as after a restart, gives another token, never the same.)
    """
    session = server.session(database)
    seen, settled = _last_changes(session)
    structure = server.structure(database, session)
    parts = [structure.schema.hash, repr(sorted(structure.counters.items())), repr(seen), settled]
    if _size_bytes(session) <= _SMALL_BYTES:
        parts.append(content_of(session, server.physical(database), structure)[1])
    session.end()
    token = hashlib.blake2b("|".join(parts).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    return {"sample": token, "hot_journal": False}


def _last_changes(session: Session) -> Tuple[List[List[Optional[str]]], str]:
    """Return when each table was made and last changed, once the last of these seconds is over.

    Under steady writes it never is; then the server's own clock is told beside it, which makes every token another.
    """
    wanted = ["TABLE_NAME", "IFNULL(CREATE_TIME, 0)", "IFNULL(UPDATE_TIME, 0)"]
    ends = time.monotonic() + _LONGEST_WAIT_S
    while True:
        now = str(session.one("SELECT NOW()", "asking for the time"))
        rows = texts(
            session, wanted, f"FROM information_schema.TABLES WHERE {_HERE} ORDER BY 1", "asking for changes"
        )
        if all(str(row[2]) < now for row in rows):
            return rows, ""
        if time.monotonic() > ends:
            return rows, str(session.one("SELECT NOW(6)", "asking for the time"))
        time.sleep(0.2)
