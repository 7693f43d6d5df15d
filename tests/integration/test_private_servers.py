"""The private servers of the tests: real, limited users, every statement seen, nothing left behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.servers.fixtures import Postgreses
from tests.servers.mariadb import MariadbServer, start_mariadb
from tests.servers.postgres import PostgresServer, start_postgres
from tests.site.servers import is_alive

AWKWARD = 'it\'s a `back\\slash`; "two"\nlines\tand 🌅'


def test_a_mariadb_user_has_its_own_database_and_no_other(mariadb_server: MariadbServer) -> None:
    """As hosting firms have it: all rights on one database and on `backout_…`, none on others'."""
    login = mariadb_server.make("own_album")
    login.run("create table t (a text); create database backout_scratch_1")
    assert {"own_album", "backout_scratch_1"} <= mariadb_server.databases()
    for refused in ("create database other", "create database ownXalbum", "select * from mysql.user"):
        with pytest.raises(RuntimeError, match=r"ERROR 10(44|45)|ERROR 1142"):
            login.run(refused)
    mariadb_server.drop(login)
    assert not {"own_album", "backout_scratch_1"} & mariadb_server.databases()


def test_a_mariadb_user_may_be_made_with_just_some_grants(mariadb_server: MariadbServer) -> None:
    """Grants that are given are the only ones."""
    login = mariadb_server.make("few_rights", grants=("SELECT, LOCK TABLES ON `few_rights`.*",))
    with pytest.raises(RuntimeError, match="ERROR 1142"):
        login.run("create table t (a int)")
    mariadb_server.drop(login)


def test_a_postgres_role_owns_its_database(postgres_servers: Postgreses) -> None:
    """On each version: it may make databases where it has CREATEDB, and nowhere else."""
    for version in postgres_servers.versions:
        server = postgres_servers[version]
        assert server.version.startswith(f"{version}.") or "BACKOUT_TEST_PG_BIN" in os.environ
        login = server.make("own_album")
        login.run("create table t (a text); create database backout_scratch_1")
        assert {"own_album", "backout_scratch_1"} <= server.databases()
        server.drop(login)
        poor = server.make("poor", may_create=False)
        with pytest.raises(RuntimeError, match="permission denied to create database"):
            poor.run("create database backout_scratch_1")
        server.drop(poor)
        assert not {"own_album", "poor", "backout_scratch_1"} & server.databases()


def test_text_comes_through_both_clients(
    mariadb_server: MariadbServer, postgres_server: PostgresServer
) -> None:
    """Quotes, backslashes and letters beyond the first plane are read back as they are."""
    for server in (mariadb_server, postgres_server):
        login = server.make("awkward")
        written = AWKWARD.replace("\n", " ").replace("\t", " ") if login.driver == "pgsql" else AWKWARD
        quoted = written.replace("'", "''")
        quoted = quoted.replace("\\", "\\\\") if login.driver == "mysql" else quoted
        assert login.rows(f"select '{quoted}', 2") == [(written, "2")]
        server.drop(login)


def test_every_statement_is_seen(mariadb_server: MariadbServer, postgres_server: PostgresServer) -> None:
    """The log since a position holds what ran since then, and not what ran before."""
    for server in (mariadb_server, postgres_server):
        login = server.make("logged")
        login.run("select 4711")
        position = server.log_position()
        login.run("select 4712")
        seen = server.log_since(position)
        assert "select 4712" in seen
        assert "4711" not in seen
        server.drop(login)


def test_servers_run_as_an_ordinary_user_and_end_with_their_sockets(tmp_path: Path) -> None:
    """Neither server is root's; a killed one comes back on its folder and port with its rows; a stopped one is gone."""
    maria, pg = start_mariadb(tmp_path / "m"), start_postgres(tmp_path / "p")
    for server in (maria, pg):
        assert Path(f"/proc/{server.process.pid}").stat().st_uid != 0
        login = server.make("kept")
        login.run("create table t (a int); insert into t values (1)")
        server.kill()
        assert not is_alive(server.process)
        assert not server.socket.exists()
    again = (start_mariadb(tmp_path / "m", port=maria.port), start_postgres(tmp_path / "p", port=pg.port))
    try:
        counted = [server.login("kept", "kept").number("select count(*) from t") for server in again]
    finally:
        for server in again:
            server.stop()
    assert counted == [1, 1]
    assert not any(is_alive(server.process) for server in again)
