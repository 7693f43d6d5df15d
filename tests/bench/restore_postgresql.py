"""The restore bench on PostgreSQL: custom and plain dumps into scratch against psql."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.host_reader.opening import content_blocks
from adapters.host_reader.postgresql.archive import restore_archive
from adapters.host_reader.postgresql.plain import load_plain
from adapters.host_reader.postgresql.server import open_server
from tests.bench.restore_data import POSTGRESQL, write_sql
from tests.bench.restore_report import Measured
from tests.servers.login import Login
from tests.servers.postgres import PostgresServer, start_postgres

DATABASE = "bench"
PLAIN = "backout_bench_plain"
SCRATCH = "backout_load_20250101000000_0000000b"


@contextmanager
def running(folder: Path) -> Iterator[PostgresServer]:
    """Start a server; stop it at the end."""
    server = start_postgres(folder)
    try:
        server.superuser.run("ALTER SYSTEM SET log_statement = 'none'; SELECT pg_reload_conf()")
        yield server
    finally:
        server.kill()


def prepared(server: PostgresServer, folder: Path, rows: int) -> tuple[Login, Path, Path]:
    """Make the database with its rows, and its dumps: plain and custom. *Changes*: makes them."""
    login = server.make(DATABASE)
    source, plain, custom = folder / "source.sql", folder / "plain.sql", folder / "custom.dump"
    write_sql(source, rows, POSTGRESQL)
    with source.open("rb") as file:
        subprocess.run(
            login.client(), stdin=file, stdout=subprocess.DEVNULL, env=login.environment(), check=True
        )
    source.unlink()
    place = ["-h", login.host, "-p", str(login.port), "-U", login.username, "-d", login.database]
    for form, path in (("p", plain), ("c", custom)):
        command = [str(login.bin / "pg_dump"), *place, "--no-owner", "--no-acl", "-F", form, "-f", str(path)]
        subprocess.run(command, env=login.environment(), check=True)
    return login, plain, custom


def loads(login: Login, plain: Path, custom: Path, folder: Path, runs: int) -> list[Measured]:
    """Return the loads of both forms into scratch against `psql -X -1`, each into a new database."""
    request = {"access": login.access(), "workspace": str(folder / "workspace")}
    psql: list[float] = []
    of_custom: list[float] = []
    of_plain: list[float] = []
    for _ in range(runs):
        psql.append(_by_psql(login, plain))
        of_custom.append(
            _ours(request, lambda reader: restore_archive(reader, str(custom), SCRATCH, request))
        )
        of_plain.append(
            _ours(request, lambda reader: load_plain(reader, content_blocks(plain), SCRATCH, request))
        )
    size = f"{plain.stat().st_size / 1e6:.0f} MB"
    return [
        Measured(
            what=f"PostgreSQL, custom format against `psql -X -1` of the plain one ({size})",
            plain=psql, ours=of_custom, bound=1.3, faster=True,
        ),
        Measured(
            what=f"PostgreSQL, plain against `psql -X -1` ({size})", plain=psql, ours=of_plain, bound=0.95, faster=True
        ),
    ]  # fmt: skip


def _by_psql(login: Login, plain: Path) -> float:
    for statement in (f"DROP DATABASE IF EXISTS {PLAIN}", f"CREATE DATABASE {PLAIN}"):
        login.run(statement)
    began = time.perf_counter()
    command = [*login.client(PLAIN), "-1", "-f", str(plain)]
    subprocess.run(command, env=login.environment(), stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _ours(request: dict[str, Any], load: Callable[[Any], object]) -> float:
    reader = open_server(request)
    try:
        reader.drop(SCRATCH)
        reader.create(SCRATCH, DATABASE)
        began = time.perf_counter()
        load(reader)
        return time.perf_counter() - began
    finally:
        reader.close()
