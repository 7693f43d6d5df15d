"""Connections to the store's database: made, set up, migrated. Knows what differs between SQLite and PostgreSQL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from bot.model.errors import NotStartedError, SettingsError

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST = "0002"
"""The newest revision in `MIGRATIONS`. A store that has it is opened without alembic, which takes longer to import."""
# How long SQLite itself waits for a lock of another process (a backup tool, a person's sqlite3) before it says busy.
BUSY_TIMEOUT_MS = 10_000
# Pages that are open and people who ask; each reader is a thread.
READERS = 2


def parsed_url(text: str) -> sa.URL:
    """Return the store's address with the driver filled in. *Raises* SettingsError when it is none."""
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError:
        raise SettingsError(
            "the store's address is not a URL like sqlite:////var/lib/backout/store.db"
        ) from None
    engine = url.get_backend_name()
    if engine not in DRIVERS:
        raise SettingsError(f"the store cannot be on {engine}: use sqlite or postgresql")
    return url.set(drivername=DRIVERS[engine])


def sqlite_file(url: sa.URL) -> Path | None:
    """Return the file of a SQLite store, or None for one in memory or on a server."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def create_sqlite_file(file: Path) -> None:
    """Create an empty store that only its owner can read, and its folder; a store that is there is left alone."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise NotStartedError(
            f"the store {file} cannot be created or written: {error.strerror}. Nothing was started. "
            "Give Backout's user the right to write there, or name another file in the settings."
        ) from error


def connect_readers(url: sa.URL) -> AsyncEngine | None:
    """Return an engine for looking at a SQLite file beside the one connection that writes; None where one is no use.

    With its write-ahead log, SQLite lets readers see the last committed state while a transaction writes. Each
    connection is asked not to write, so that nothing but the one in `connect` ever waits for the file's lock.
    """
    if sqlite_file(url) is None:
        return None
    engine = create_async_engine(
        url, hide_parameters=True, poolclass=AsyncAdaptedQueuePool, pool_size=READERS, max_overflow=0
    )
    prepare_sqlite(engine, read_only=True)
    return engine


def connect(url: sa.URL, *, read_only: bool) -> AsyncEngine:
    """Return the engine of a store; connects at the first transaction only.

    SQLite gets exactly one connection: its transactions stand in line in the order they came, instead of polling for
    the file's lock.
    """
    # Parameters hold what people wrote; they stay out of messages and logs.
    options: dict[str, Any] = {"hide_parameters": True}
    if url.get_backend_name() != "sqlite":
        return create_async_engine(url, pool_pre_ping=True, **options)
    file = sqlite_file(url)
    if file is not None and read_only:
        url = url.set(database=f"file:{file.absolute()}", query={"mode": "ro", "uri": "true"})
    options |= {"poolclass": AsyncAdaptedQueuePool, "pool_size": 1, "max_overflow": 0}
    engine = create_async_engine(url, **options)
    prepare_sqlite(engine, read_only=read_only)
    return engine


def prepare_sqlite(engine: AsyncEngine, *, read_only: bool) -> None:
    """Make each connection durable and strict, and each transaction take the write lock at its start."""
    pragmas = ["foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}"]
    pragmas += ["query_only=ON"] if read_only else ["journal_mode=WAL", "synchronous=FULL"]

    def on_connect(connection: Any, _record: object) -> None:
        # None: the driver begins no transactions of its own.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def on_begin(connection: sa.Connection) -> None:
        # With a plain BEGIN, two transactions that read and then write deadlock, and SQLite ends one with "busy".
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    sa.event.listen(engine.sync_engine, "connect", on_connect)
    sa.event.listen(engine.sync_engine, "begin", on_begin)


def migrate(connection: sa.Connection) -> None:
    """Bring the schema to the newest revision. *Raises* NotStartedError when a newer Backout has written it."""
    if _revisions(connection) == [NEWEST]:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise NotStartedError(
            f"the store has a schema that this Backout does not know ({error}). Nothing was changed. "
            "It was written by a newer version: run that one."
        ) from error


def _revisions(connection: sa.Connection) -> list[str]:
    """Return what alembic has noted of the schema; nothing where it was never at work."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return []
    return list(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars())
