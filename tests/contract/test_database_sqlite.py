"""SQLite behind the Database port."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.sqlite_database.database import SqliteDatabase
from tests.contract.database_contract import SHAPE, DatabaseContract, Scene
from tests.contract.database_hosts import host_below


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A file on a fake host."""
    host = host_below(tmp_path)
    live = tmp_path / "live.sqlite"

    def run(sql: str) -> None:
        with closing(sqlite3.connect(live)) as connection, connection:
            connection.execute(sql)

    def put_back(file: str) -> None:
        with closing(sqlite3.connect(live)) as connection:
            connection.executescript(Path(file).read_text(encoding="utf-8"))

    for statement in SHAPE:
        run(statement)
    yield Scene(
        database=SqliteDatabase(),
        live=str(live),
        host=host,
        run=run,
        secret="there is none",
        put_back=put_back,
    )
    await host.close()
    await host.close()


class TestSqlite(DatabaseContract):
    """See the contract."""
