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
from tests.bench.cpu import spent_s, told
from tests.bench.restore_data import POSTGRESQL, write_sql
from tests.bench.restore_report import Measured, tell
from tests.servers.login import Login
from tests.servers.postgres import PostgresServer, start_postgres

DATABASE = "bench"
PLAIN = "backout_bench_plain"
SCRATCH = "backout_load_20250101000000_0000000b"

_TOLD = ", ".join(
    f"'{name}'"
    for name in (
        "autovacuum",
        "shared_buffers",
        "fsync",
        "wal_level",
        "max_wal_size",
        "synchronous_commit",
        "work_mem",
        "maintenance_work_mem",
        "max_parallel_maintenance_workers",
    )
)


@contextmanager
def running(folder: Path) -> Iterator[PostgresServer]:
    """Start a server that nobody has tuned; stop it at the end.

    Its autovacuum is off: a minute after a load it would look through all that was loaded, in the time of the next side.
    """
    server = start_postgres(folder, logged=False, small=False)
    server.superuser.run("ALTER SYSTEM SET autovacuum = off")
    server.superuser.run("SELECT pg_reload_conf()")
    try:
        yield server
    finally:
        server.kill()


def settings(server: PostgresServer) -> str:
    """Return in words what the server is set to, as it tells by itself."""
    told = server.superuser.rows(
        f"SELECT name, current_setting(name) FROM pg_settings WHERE name IN ({_TOLD}) ORDER BY 1"
    )
    return "PostgreSQL " + ", ".join(f"`{name} = {value}`" for name, value in told)


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


def loads(
    server: PostgresServer, login: Login, plain: Path, custom: Path, folder: Path, runs: int
) -> list[Measured]:
    """Return the loads of both forms into scratch against `psql -X -1`, each into a new database."""
    request = {"access": login.access(), "workspace": str(folder / "workspace")}
    ways: dict[str, Callable[[Any], object]] = {
        "custom": lambda reader: restore_archive(reader, str(custom), SCRATCH, request),
        "plain": lambda reader: load_plain(reader, content_blocks(plain), SCRATCH, request),
    }
    taken: dict[str, list[float]] = {name: [] for name in ("psql", *ways)}
    used: dict[str, list[float]] = {name: [] for name in taken}
    for run in range(runs):
        for name, seconds in taken.items():
            way = ways.get(name)
            before = spent_s(server.process.pid)
            seconds.append(_ours(server, request, way) if way else _by_psql(server, login, plain))
            used[name].append(spent_s(server.process.pid) - before)
        tell(f"load {run + 1}: " + ", ".join(f"{name} {each[-1]:.2f} s" for name, each in taken.items()))
    size = f"{plain.stat().st_size / 1e6:.0f} MB"
    what = {
        "custom": f"PostgreSQL, custom format against `psql -X -1` of the plain one ({size})",
        "plain": f"PostgreSQL, plain against `psql -X -1` ({size})",
    }
    bounds = {"custom": 1.3, "plain": 0.95}
    return [
        Measured(
            what=what[name],
            plain=taken["psql"],
            ours=taken[name],
            bound=bounds[name],
            faster=True,
            note=told(used["psql"], used[name]),
        )
        for name in ways
    ]


def _by_psql(server: PostgresServer, login: Login, plain: Path) -> float:
    for statement in (f"DROP DATABASE IF EXISTS {PLAIN}", f"CREATE DATABASE {PLAIN}"):
        login.run(statement)
    server.superuser.run("CHECKPOINT")
    began = time.perf_counter()
    command = [*login.client(PLAIN), "-1", "-f", str(plain)]
    subprocess.run(command, env=login.environment(), stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _ours(server: PostgresServer, request: dict[str, Any], load: Callable[[Any], object]) -> float:
    reader = open_server(request)
    try:
        reader.drop(SCRATCH)
        reader.create(SCRATCH, DATABASE)
        server.superuser.run("CHECKPOINT")
        began = time.perf_counter()
        load(reader)
        return time.perf_counter() - began
    finally:
        reader.close()
