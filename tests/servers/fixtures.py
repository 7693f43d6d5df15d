"""Pytest fixtures: real servers, one of each for a whole session; tests make databases of their own on them.

What makes a server slow to begin with, its first data folder, is made once for all processes of a test run and copied.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers import mariadb, postgres
from tests.servers.mariadb import MariadbServer, start_mariadb
from tests.servers.postgres import DEBIAN_VERSION, WHEELS, PostgresServer, postgres_bin, start_postgres

__all__ = ["Postgreses", "made_once", "mariadb_server", "postgres_server", "postgres_servers"]


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that `make` fills, once for all processes of this test run. Nobody changes it afterwards."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, ready = shared / name, shared / f"{name}.ready"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            make(folder)
            ready.touch()
    return folder


class Postgreses:
    """A server of each version, started when it is first asked for: `postgres_servers[17]`."""

    versions = (DEBIAN_VERSION, *WHEELS)

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._running: dict[int, PostgresServer] = {}

    def __getitem__(self, version: int) -> PostgresServer:
        """Return the running server of that version."""
        if version not in self._running:
            programs = postgres_bin(version)
            template = made_once(
                self._factory,
                f"data-of-postgres-{version}",
                lambda folder: postgres.make_data(folder, programs),
            )
            folder = self._factory.mktemp(f"postgres-{version}")
            self._running[version] = start_postgres(folder, programs=programs, template=template)
        return self._running[version]

    def end(self) -> None:
        """Stop all that were started."""
        while self._running:
            self._running.popitem()[1].kill()


@pytest.fixture(scope="session")
def mariadb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariadbServer]:
    """Return the session's MariaDB (or the MySQL of BACKOUT_TEST_MYSQL_BIN)."""
    template = made_once(tmp_path_factory, "data-of-mariadb", mariadb.make_data)
    server = start_mariadb(tmp_path_factory.mktemp("mariadb"), template=template)
    yield server
    server.kill()


@pytest.fixture(scope="session")
def postgres_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgreses]:
    """Return the session's PostgreSQL servers by version: 15, 17, 18."""
    servers = Postgreses(tmp_path_factory)
    yield servers
    servers.end()


@pytest.fixture(scope="session")
def postgres_server(postgres_servers: Postgreses) -> PostgresServer:
    """Return the session's PostgreSQL of Debian (or that of BACKOUT_TEST_PG_BIN)."""
    return postgres_servers[DEBIAN_VERSION]
