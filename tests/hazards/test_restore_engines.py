"""The restore on MariaDB and PostgreSQL (R1, R6, R7, R9–R11): what is typed does its harm; Backout's side is in the table."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from tests.hazards.by_client import client, dumper, environment, typed
from tests.hazards.typed import eventually
from tests.integration.mysql_scene import Scene, opened_scene
from tests.integration.postgresql_shop import Shop, a_shop
from tests.servers.login import Login
from tests.servers.mariadb import MariadbServer
from tests.servers.postgres import PostgresServer

ROWS = 40_000


@pytest.fixture
def shop(mariadb_server: MariadbServer, tmp_path: Path) -> Iterator[Scene]:
    """Return a shop's database on MariaDB, of the test's own."""
    with opened_scene(mariadb_server, tmp_path) as scene:
        yield scene


@pytest.fixture
def pg_shop(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Shop]:
    """Return a shop's database on PostgreSQL, of the test's own."""
    with a_shop(postgres_server, tmp_path) as made:
        yield made


def dumped(login: Login, path: Path, options: str = "") -> Path:
    """Dump the whole database with the engine's own program."""
    done = typed(login, f"{dumper(login)} {options} {login.database} > {path}")
    assert done.returncode == 0, done.stderr
    return path


def restore(
    login: Login, path: Path, *, limit_s: float = 60, stop: str = ""
) -> subprocess.CompletedProcess[str]:
    """Type the runbook's restore onto the live database; `stop` is a program before it, such as a time limit."""
    return typed(login, f"{stop} {client(login)} {login.database} < {path}", limit_s=limit_s)


def test_r1_a_restore_killed_in_the_middle_leaves_a_mix(shop: Scene, tmp_path: Path) -> None:
    """`kill -9` of `mariadb db < dump`: one table half full, others as broken as before; Backout's target is never live."""
    login = shop.login
    login.run(
        f"CREATE TABLE bulk (id int PRIMARY KEY, v char(200)); INSERT INTO bulk SELECT seq, seq FROM seq_1_to_{ROWS}"
    )
    dump = dumped(login, tmp_path / "dump.sql", "--skip-extended-insert --skip-add-locks --skip-disable-keys")
    login.run("UPDATE users SET email = concat('broken ', id)")
    with dump.open() as file:
        killed = subprocess.Popen(
            [*client(login).split(), login.database], stdin=file, env=environment(login)
        )
    eventually(lambda: 10 < count_or_none(login, "bulk") < ROWS)
    killed.kill()
    killed.wait()
    assert 0 < login.number("SELECT count(*) FROM bulk") < ROWS
    assert login.number("SELECT count(*) FROM users WHERE email LIKE 'broken %'") == 3
    with pytest.raises(Refusal) as refused:
        shop.ask("load", backup=str(dump), target=login.database, like=login.database)
    assert refused.value.kind == "bad_request"


def count_or_none(login: Login, table: str) -> int:
    """Return how many rows a table has, 0 while it is not there."""
    try:
        return login.number(f"SELECT count(*) FROM {table}")
    except RuntimeError:
        return 0


def test_r6_source_skips_errors_and_says_success(shop: Scene, tmp_path: Path) -> None:
    """`-e "SET …; SOURCE f; SET …"` goes on behind an error and ends with 0; Backout ends at the error and keeps nothing."""
    login, script = shop.login, tmp_path / "dump.sql"
    script.write_text(
        "INSERT INTO nowhere VALUES (1);\nINSERT INTO log (told) VALUES ('behind the error');\n"
    )
    line = f"SET foreign_key_checks=0; SOURCE {script}; SET foreign_key_checks=1"
    done = typed(login, f"{client(login)} {login.database} -e '{line}'")
    assert done.returncode == 0
    assert login.number("SELECT count(*) FROM log WHERE told = 'behind the error'") == 1
    name = "backout_load_20260101000000_0000abcd"
    with pytest.raises(Refusal):
        shop.ask("load", backup=str(script), target=name, like=login.database)
    assert name not in shop.server.databases()


QUEUE = "CREATE TABLE jobs (id bigint PRIMARY KEY, payload text); INSERT INTO jobs VALUES (1, 'charge 9.99'), (2, 'mail')"


def test_r7_a_restore_queues_what_was_done_on_mariadb(shop: Scene, tmp_path: Path) -> None:
    """A job that ran since the backup is queued again by the restore; a swap made ready by Backout has live's queue."""
    login = shop.login
    login.run(QUEUE)
    dump, backup = dumped(login, tmp_path / "dump.sql"), shop.scratch(purpose="baseline")
    login.run("DELETE FROM jobs WHERE id = 1; INSERT INTO jobs VALUES (3, 'since')")
    request = {"scratch": backup, "live_copy": login.database, "runtime_tables": ["jobs"]}
    shop.ask("swap_prepare", lists_folder=str(tmp_path), **request)
    assert login.rows("SELECT id FROM jobs ORDER BY id", database=backup) == [("2",), ("3",)]
    assert restore(login, dump).returncode == 0
    assert login.rows("SELECT id FROM jobs ORDER BY id") == [("1",), ("2",)]


def test_r7_a_restore_queues_what_was_done_on_postgresql(pg_shop: Shop, tmp_path: Path) -> None:
    """The same with `psql < dump --clean`; a swap made ready by Backout has live's queue."""
    login = pg_shop.login
    login.run(QUEUE)
    dump, backup = dumped(login, tmp_path / "dump.sql", "--clean --if-exists"), pg_shop.twin()
    login.run("DELETE FROM jobs WHERE id = 1; INSERT INTO jobs VALUES (3, 'since')")
    request = {"scratch": backup, "live_copy": login.database, "runtime_tables": ["jobs"]}
    pg_shop.ask("swap_prepare", lists_folder=str(tmp_path), **request)
    assert login.rows("SELECT id FROM jobs ORDER BY id", database=backup) == [("2",), ("3",)]
    assert restore(login, dump).returncode == 0
    assert login.rows("SELECT id FROM jobs ORDER BY id") == [("1",), ("2",)]


def test_r9_a_hosted_user_makes_no_database_on_mariadb(mariadb_server: MariadbServer, tmp_path: Path) -> None:
    """`CREATE DATABASE`, with which a restore beside production begins, ends with 1044."""
    with opened_scene(mariadb_server, tmp_path, may_create=False) as scene:
        done = typed(scene.login, f"{client(scene.login)} -e 'CREATE DATABASE r9_restored'")
        assert "ERROR 1044" in done.stderr


def test_r9_a_hosted_user_makes_no_database_on_postgresql(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """`CREATE DATABASE`, with which a restore beside production begins, is denied."""
    with a_shop(postgres_server, tmp_path, may_create=False) as scene:
        done = typed(scene.login, f"{client(scene.login)} -d {scene.name} -c 'CREATE DATABASE r9_restored'")
        assert "permission denied to create database" in done.stderr


def test_r10_a_rename_fails_at_a_trigger_and_at_a_constraints_name(shop: Scene) -> None:
    """`RENAME TABLE` out of the database ends with 1435, a second foreign key of one name with errno 121."""
    login = shop.login
    login.run("CREATE DATABASE backout_r10")
    moved = typed(login, f"{client(login)} -e 'RENAME TABLE {login.database}.users TO backout_r10.users'")
    assert "ERROR 1435" in moved.stderr
    twin = (
        "CREATE TABLE orders_restored (user_id bigint unsigned, "
        "CONSTRAINT orders_user_foreign FOREIGN KEY (user_id) REFERENCES users (id))"
    )
    assert "errno: 121" in typed(login, f"{client(login)} {login.database} -e '{twin}'").stderr


def test_r10_a_renamed_schema_takes_the_extensions_types_along(pg_shop: Shop, tmp_path: Path) -> None:
    """After `ALTER SCHEMA public RENAME` the load ends at the first column of an extension's type."""
    login, superuser = pg_shop.login, pg_shop.server.superuser
    superuser.run("CREATE EXTENSION citext", database=pg_shop.name)
    login.run("CREATE TABLE letters (id serial, mail citext); INSERT INTO letters (mail) VALUES ('a@b')")
    dump = dumped(login, tmp_path / "dump.sql", "--no-comments")
    owner = f'CREATE SCHEMA public AUTHORIZATION "{login.username}"'
    superuser.run(f"ALTER SCHEMA public RENAME TO before; {owner}", database=pg_shop.name)
    done = typed(login, f"{client(login)} -v ON_ERROR_STOP=1 {login.database} -f {dump}")
    assert done.returncode == 3
    assert 'type "public.citext" does not exist' in done.stderr


@contextmanager
def idle_in_a_transaction(login: Login, statement: str) -> Iterator[None]:
    """Keep a session open that has read a table and does nothing more."""
    words = [*client(login).split(), login.database, *(["--unbuffered"] if login.driver == "mysql" else [])]
    session = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(login))
    assert session.stdin is not None
    assert session.stdout is not None
    session.stdin.write(f"BEGIN; {statement};\n".encode())
    session.stdin.flush()
    session.stdout.readline()
    try:
        yield
    finally:
        session.kill()
        session.communicate()


def test_r11_an_idle_transaction_hangs_the_restore_and_leaves_a_mix(shop: Scene, tmp_path: Path) -> None:
    """The typed restore hangs on the one table that was read; ended there, tables before it are old and those behind are new."""
    login = shop.login
    dump = dumped(login, tmp_path / "dump.sql", "--skip-lock-tables")
    login.run("INSERT INTO log (told) VALUES ('since'); INSERT INTO users (email) VALUES ('since')")
    with idle_in_a_transaction(login, "SELECT count(*) FROM orders"):
        done = restore(login, dump, stop="timeout -s KILL 2")
        assert done.returncode == 137
    assert login.number("SELECT count(*) FROM log WHERE told = 'since'") == 0
    assert login.number("SELECT count(*) FROM users WHERE email = 'since'") == 1


def test_r11_on_postgresql_the_restore_hangs_too(pg_shop: Shop, tmp_path: Path) -> None:
    """`psql < dump --clean` waits without end for the session that has read a table."""
    login = pg_shop.login
    dump = dumped(login, tmp_path / "dump.sql", "--clean --if-exists")
    with idle_in_a_transaction(login, "SELECT count(*) FROM orders"):
        assert restore(login, dump, stop="timeout -s KILL 2").returncode == 137
