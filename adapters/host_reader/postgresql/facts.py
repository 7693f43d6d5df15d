"""What a live PostgreSQL database is and holds, in names and counts; and a cheap token of its state."""

from __future__ import annotations

import contextlib
import hashlib
import platform
import shutil
import time
from pathlib import Path
from typing import Any, Dict

from adapters.host_reader.answers import progress
from adapters.host_reader.postgresql.catalogue import Catalogue
from adapters.host_reader.postgresql.definitions import read_definitions
from adapters.host_reader.postgresql.left_behind import left_behind
from adapters.host_reader.postgresql.migrations import read_migrations
from adapters.host_reader.postgresql.names import literal, quoted
from adapters.host_reader.postgresql.server import PostgresqlServer
from adapters.host_reader.postgresql.session import ServerRefusal, Session
from adapters.host_reader.server.access import workspace_folder
from adapters.host_reader.server.port import ServerTable
from adapters.host_reader.sqlite_request import Answer, Request, number

# Before 15 a separate process writes the counters to a file, which a session takes for new while it is this old.
# Source: the manual of 14, 28.2.2, and PGSTAT_STAT_INTERVAL of its pgstat.c (500 ms).
_COUNTERS_AT_ONCE = 15
_COUNTERS_LATE_S = 0.6
# Up to this size the content itself is the token: hashing it takes less than the pause between two samples.
_SMALL_BYTES = 64 << 20

_ABOUT = """
SELECT pg_database_size(d.oid), pg_encoding_to_char(d.encoding), pg_get_userbyid(d.datdba), d.oid::text
FROM pg_database d WHERE d.datname = current_database()
"""
# What any write changes: the counters of each table, the catalogues for definitions included, and the files of a table
# that was rewritten. Where side schemas are, the catalogues tell of Backout's own work and are left out. Statistics are written by the server itself, and shared catalogues by other databases.
_COUNTERS = """
SELECT md5(coalesce(string_agg(concat_ws(' ', s.relid, s.n_tup_ins, s.n_tup_upd, s.n_tup_del, c.relfilenode), ','
    ORDER BY s.relid), '')) FROM pg_stat_all_tables s JOIN pg_class c ON c.oid = s.relid
WHERE NOT c.relisshared AND c.oid NOT IN ('pg_statistic'::regclass, 'pg_statistic_ext_data'::regclass)
    AND (s.schemaname !~ '^(pg_|backout_)' OR NOT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname ~ '^backout_'))
"""
# A session tells its counts only when it has been idle for a while: until then its own last change of state tells.
_SESSIONS = """
SELECT md5(coalesce(string_agg(concat_ws(' ', pid, backend_start, state_change, backend_xid), ',' ORDER BY pid), ''))
FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
    AND pid <> pg_backend_pid() AND application_name <> 'backout'
"""


def facts(server: PostgresqlServer, database: str, request: Request) -> Answer:
    """Return identity, schema, row and NULL counts and the `migrations` rows of a database; reads only.

    `time_limit_s` (default 600) ends each count. `file` names the server and the database, so that the two together are
    the identity of what was seen. *Raises* Refusal.
    """
    with server.session(database) as session:
        session.run(f"SET statement_timeout = {int(number(request, 'time_limit_s', 600) * 1000)}")
        session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        size, encoding, owner, _ = session.rows(_ABOUT)[0]
        shape = server.shape(session, database)
        found = read_definitions(session, server.path_schema(database))
        return {
            "engine": server.engine,
            "version": server.version,
            "python_version": platform.python_version(),
            "file": {
                "real_path": database,
                "device": _server_identity(server, database),
                "inode": database,
                "owner": owner,
                "mode": "",
                "size_bytes": int(size or 0),
            },
            "page_size": 0,
            "encoding": encoding,
            "journal_mode": "",
            "user_version": 0,
            "application_id": 0,
            "free_bytes": _free_bytes(server, request),
            "tables": _tables(session, shape),
            "indexes": list(found.indexes),
            "triggers": list(found.triggers),
            "views": list(found.views),
            "routines": list(found.routines),
            "virtual_tables": [],
            "migrations": read_migrations(session, shape, request),
            "schema_hash": found.hash,
            "notes": left_behind(session),
        }


def _server_identity(server: PostgresqlServer, database: str) -> str:
    """Return what tells this server from every other: the number it was given when it was made, where it is told."""
    with server.session(database) as session:
        try:
            return str(session.value("SELECT system_identifier FROM pg_control_system()"))
        except ServerRefusal:
            pass
    with server.session(database) as session:
        # Without that right: where it listens, and since when it has had this very database.
        return str(
            session.value(f"SELECT concat_ws(':', inet_server_addr(), inet_server_port(), ({_ABOUT_OID}))")
        )


_ABOUT_OID = "SELECT oid FROM pg_database WHERE datname = 'template1'"


def _free_bytes(server: PostgresqlServer, request: Request) -> int:
    """Return the room on the workspace's disk, or on the server's own where that is on this host and has less."""
    free = shutil.disk_usage(str(workspace_folder(request, "tmp"))).free
    folder = ""
    with contextlib.suppress(ServerRefusal), server.session(server.home) as session:
        folder = session.value("SELECT current_setting('data_directory')") or ""
    if folder:
        with contextlib.suppress(OSError):
            # A folder of that name on this host is the server's only where the server runs here.
            if (Path(folder) / "PG_VERSION").exists():
                free = min(free, shutil.disk_usage(folder).free)
    return free


def _tables(session: Session, shape: Catalogue) -> Dict[str, Any]:
    told = {}
    for done, table in enumerate(shape.tables.values()):
        progress("counting rows", done, len(shape.tables), "tables")
        told[table.name] = _table_facts(session, table, shape.relations[table.name].source)
    progress("counting rows", len(shape.tables), len(shape.tables), "tables")
    return told


def _table_facts(session: Session, table: ServerTable, source: str) -> Dict[str, Any]:
    counted = ", ".join(["count(*)", *(f"count(t.{quoted(name)})" for name in table.column_names)])
    rows, *set_values = [int(value or 0) for value in session.rows(f"SELECT {counted} FROM {source} AS t")[0]]
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
        "nulls": {name: rows - set_values[place] for place, name in enumerate(table.column_names)},
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


def sample(server: PostgresqlServer, database: str, request: Request) -> Answer:
    """Return a token that changes with every committed write of that database, and of no other; reads only.

    Of a small database it is the fingerprint. Of a large one it is made of the tables' counters, their files, and the
    last change of state of each session: a session that wrote tells its counts late, but has changed its state. There a
    session that only reads changes the token too. `small_bytes` (default 64 MB) parts the two.
    """
    with server.session(database) as session:
        size = session.number(f"SELECT pg_database_size({literal(database)})")
        if size > number(request, "small_bytes", _SMALL_BYTES):
            if server.major < _COUNTERS_AT_ONCE:
                time.sleep(_COUNTERS_LATE_S)
            parts = [session.value(_COUNTERS), session.value(_SESSIONS)]
            token = hashlib.blake2b("|".join(map(str, parts)).encode("utf-8"), digest_size=16).hexdigest()
            return {"sample": token, "hot_journal": False}
    return {"sample": server.fingerprint(database).hash, "hot_journal": False}
