"""Backout's own database on SQLAlchemy: SQLite in one file, or PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.sql_store import database
from adapters.sql_store.chat_rows import ChatRows
from adapters.sql_store.deadline_rows import DeadlineRows
from adapters.sql_store.file_lock import FileLock
from adapters.sql_store.folds import Folds
from adapters.sql_store.incident_rows import IncidentRows
from adapters.sql_store.operation_rows import OperationRows
from adapters.sql_store.room_rows import RoomRows
from bot.model.errors import NotStartedError, StoreUnavailableError
from bot.ports.clock import Clock
from bot.ports.store import Transaction

T = TypeVar("T")

# What says that the database is gone, full, locked or damaged. Broken rules (IntegrityError and the like) are faults of
# the program and go through as they are.
UNAVAILABLE = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError)


class SqlTransaction(IncidentRows, ChatRows, RoomRows, OperationRows, DeadlineRows):
    """One transaction: every room of the port on one connection."""


class SqlStore:
    """The store. Made by `open`; `address` names it in messages, without a password."""

    def __init__(
        self, engine: AsyncEngine, readers: AsyncEngine | None, lock: FileLock | None, clock: Clock | None
    ) -> None:
        self._engine = engine
        self._readers = readers or engine
        self._lock = lock
        self._clock = clock
        self._closed = False
        self._callbacks: list[Callable[[str], None]] = []
        self._folds = Folds()
        self.address = engine.url.render_as_string(hide_password=True)

    @classmethod
    async def open(cls, url: str, *, read_only: bool = False, clock: Clock | None = None) -> SqlStore:
        """Return the store at a URL (`sqlite:////path/store.db`, `sqlite://` for memory), its schema up to date.

        `read_only` neither locks nor migrates nor writes: it may be opened beside a running Backout. `clock` stands in
        for the database's own clock. *Raises* NotStartedError when another process uses the file, when it cannot be
        created, or when a newer Backout wrote it; SettingsError for an address that is none; StoreUnavailableError.
        """
        parsed = database.parsed_url(url)
        lock = claim_file(database.sqlite_file(parsed), read_only=read_only)
        readers = None if read_only else database.connect_readers(parsed)
        store = cls(database.connect(parsed, read_only=read_only), readers, lock, clock)
        if not read_only:
            try:
                await whole(store._migrate())
            except BaseException:
                await store.close()
                raise
        return store

    @property
    def sole(self) -> bool:
        """Return whether this process is known to be the only one that uses the store."""
        return self._engine.dialect.name == "sqlite"

    async def transact(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `body` in one transaction, committed when it returns, rolled back when it raises.

        Shielded: a cancel of the caller lets the transaction end first. `body` must not call `transact` again.
        *Raises* StoreUnavailableError when the database cannot be reached or written; a commit that failed so may yet
        have been done. Repeats nothing by itself.
        """
        return await whole(self._transact(body))

    async def read(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `body`, which only reads, on one committed state of the database, beside whatever is written meanwhile.

        Shielded as `transact` is. *Raises* StoreUnavailableError, also where `body` tries to write to a SQLite file.
        """
        return await whole(self._read(body))

    def on_change(self, callback: Callable[[str], None]) -> None:
        """Call back with an incident id after each commit that changed its timeline, decisions, messages or operations."""
        self._callbacks.append(callback)

    async def close(self) -> None:
        """Close all connections and let go of the file's lock; transactions after this raise StoreUnavailableError."""
        self._closed = True
        await whole(self._engine.dispose())
        await whole(self._readers.dispose())
        if self._lock is not None:
            self._lock.release()

    async def _transact(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        async with self.begin() as connection:
            transaction = SqlTransaction(connection, self._clock, self._folds)
            result = await body(transaction)
        self._announce(transaction.touched)
        return result

    async def _read(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        async with self.begin(self._readers) as connection:
            return await body(SqlTransaction(connection, self._clock, self._folds))

    async def _migrate(self) -> None:
        async with self.begin() as connection:
            await connection.run_sync(database.migrate)

    @contextlib.asynccontextmanager
    async def begin(self, engine: AsyncEngine | None = None) -> AsyncIterator[AsyncConnection]:
        """Give a connection in one transaction, for this adapter's own parts. *Raises* StoreUnavailableError."""
        connection = await self._connection(engine or self._engine)
        try:
            async with contextlib.aclosing(connection), connection.begin():
                yield connection
        except sa.exc.DBAPIError as error:
            raise self._translated(error) from error

    async def _connection(self, engine: AsyncEngine) -> AsyncConnection:
        if self._closed:
            raise StoreUnavailableError(f"Backout's own database ({self.address}) is closed")
        try:
            return await engine.connect()
        except (sa.exc.DBAPIError, sa.exc.TimeoutError, OSError) as error:
            raise self._unavailable(error) from error

    def _announce(self, incident_ids: list[str]) -> None:
        # As callbacks of the loop: what a listener does wrong cannot make a committed transaction look failed.
        loop = asyncio.get_running_loop()
        for incident_id in incident_ids:
            for callback in self._callbacks:
                loop.call_soon(callback, incident_id)

    def _translated(self, error: sa.exc.DBAPIError) -> Exception:
        damaged = type(error) is sa.exc.DatabaseError
        lost = damaged or error.connection_invalidated or isinstance(error, UNAVAILABLE)
        return self._unavailable(error) if lost else error

    def _unavailable(self, error: Exception) -> StoreUnavailableError:
        cause = getattr(error, "orig", None) or error
        return StoreUnavailableError(
            f"Backout's own database ({self.address}) cannot be read or written: {cause}. "
            "Nothing was changed on any site by this. Check its disk space, rights and server."
        )


def claim_file(file: Path | None, *, read_only: bool) -> FileLock | None:
    """Return the lock on a SQLite store's file, made if it is not there; None where there is nothing to lock."""
    if file is None:
        return None
    if read_only:
        if not file.is_file():
            raise NotStartedError(f"there is no store at {file}. Check the address in the settings.")
        return None
    database.create_sqlite_file(file)
    lock = FileLock(file)
    lock.take()
    return lock


async def whole(work: Coroutine[object, object, T]) -> T:
    """Run `work` to its end even when the caller is cancelled meanwhile, then raise the cancel.

    A task cancelled inside an aiosqlite transaction leaves the write lock held for the life of the connection.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            await ended_or_cancelled(task)
        if not task.cancelled():
            task.exception()  # Fetched, so that the loop does not report it: the cancel is what the caller hears.
        raise


async def ended_or_cancelled(task: asyncio.Task[T]) -> None:
    """Wait for a task; a further cancel of the caller ends the wait only (the first one is raised when all is done)."""
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        return
