"""Choosing a backup on MariaDB and PostgreSQL (B1–B6, B8): what the literal commands load, and what Backout says."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.host_reader.inspect import inspect
from tests.servers.fixtures import Postgreses
from tests.servers.login import Login
from tests.servers.mariadb import MariadbServer
from tests.servers.postgres import PostgresServer

BAD = "2025_11_25_120000_convert_pictures"
GOOD = "2024_01_01_000000_create_albums"
ROWS = 1000
_TABLES = (
    "create table albums (id integer primary key, name varchar(200));"
    "create table migrations (id integer primary key, migration varchar(200), batch integer);"
    f"insert into migrations values (1, '{GOOD}', 1);"
)


def rows(first: int = 1) -> str:
    values = ", ".join(f"({number}, 'album {number} of {ROWS}')" for number in range(first, ROWS + 1))
    return f"insert into albums values {values};"


def typed(line: str, login: Login) -> subprocess.CompletedProcess[str]:
    """Type a line as the person who works by hand does; the clients find their way in by the environment."""
    environment = {**login.environment(), "PATH": f"{login.bin}:/usr/bin:/bin"}
    return subprocess.run(
        ["bash", "-c", line],
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=60,
    )


def way(login: Login) -> str:
    """Return the options with which a client of this engine reaches the server."""
    if login.driver == "pgsql":
        return f"-h {login.host} -p {login.port} -U {login.username}"
    return f"--host={login.host} --port={login.port} --protocol=tcp --user={login.username}"


def judged(path: Path, login: Login, engine: str, version: str = "") -> dict[str, Any]:
    """Return what Backout's reader says of the file, for the site of this login."""
    expect = {
        "engine": engine,
        "tables": ["albums", "migrations"],
        "database": login.database,
        "migrations": [GOOD, BAD],
        "version": version,
    }
    return inspect({"path": str(path), "before": BAD, "expect": expect})


def codes(answer: dict[str, Any]) -> set[str]:
    return {found["code"] for found in answer["hazards"]}


@pytest.fixture
def album(mariadb_server: MariadbServer) -> Iterator[Login]:
    """Return the site's own user of a MariaDB database with 1,000 albums."""
    login = mariadb_server.make("b_album")
    login.run(_TABLES + rows())
    yield login
    mariadb_server.drop(login)


@pytest.fixture
def empty(mariadb_server: MariadbServer) -> Iterator[Login]:
    """Return the user of another, empty MariaDB database."""
    login = mariadb_server.make("b_empty")
    yield login
    mariadb_server.drop(login)


@pytest.fixture
def pg_album(postgres_server: PostgresServer) -> Iterator[Login]:
    """Return the owner of a PostgreSQL database with 1,000 albums, and of the empty database backout_b_empty."""
    login = postgres_server.make("b_album")
    login.run(_TABLES + rows())
    login.run("create database backout_b_empty")
    yield login
    postgres_server.drop(login)


def mariadb_dump(login: Login, target: Path, options: str = "") -> Path:
    done = typed(f"mariadb-dump --no-defaults {way(login)} {options} > {shlex.quote(str(target))}", login)
    assert done.returncode == 0, done.stderr
    return target


@pytest.mark.parametrize("engine", ["mariadb", "pgsql"])
def test_b2_looking_into_a_dump_shows_rows(
    request: pytest.FixtureRequest, engine: str, tmp_path: Path
) -> None:
    """`zcat dump | head` and `grep` print what people wrote; Backout's answer holds no row."""
    site: Login = request.getfixturevalue("album" if engine == "mariadb" else "pg_album")
    dump = tmp_path / "dump.sql"
    program = f"pg_dump {way(site)}" if engine == "pgsql" else f"mariadb-dump --no-defaults {way(site)}"
    assert typed(f"{program} b_album > {dump} && gzip -k {dump}", site).returncode == 0
    assert "album 1 of" in typed(f"zcat {dump}.gz | head -n 60", site).stdout
    answer = judged(Path(f"{dump}.gz"), site, engine)
    assert answer["verdict"]["word"] == "VERIFIED"
    assert "album 1 of" not in json.dumps(answer)


def test_b1_b4_the_newest_sql_file_is_not_the_backup(pg_album: Login, tmp_path: Path) -> None:
    """`find … -name '*.sql' | sort` gives the newest, from after the migration, and no archive; Backout judges by content."""
    site, good, later = pg_album, tmp_path / "nightly.dump", tmp_path / "later.sql"
    assert typed(f"pg_dump -Fc {way(site)} b_album > {good}", site).returncode == 0
    site.run(f"insert into migrations values (2, '{BAD}', 2)")
    assert typed(f"pg_dump {way(site)} b_album > {later}", site).returncode == 0
    found = typed(f"find {tmp_path} -name '*.sql' -printf '%T@ %p\\n' | sort -n | tail -n 1", site).stdout
    assert found.split()[1:] == [str(later)]
    assert judged(later, site, "pgsql")["verdict"]["word"] == "REFUSED"
    assert judged(good, site, "pgsql")["verdict"]["word"] != "REFUSED"


def test_b3_a_mariadb_dump_cut_at_a_statement_restores_with_success(
    album: Login, empty: Login, tmp_path: Path
) -> None:
    """`mariadb db < cut.sql` ends with 0 and restores a part of the rows; Backout refuses the file."""
    dump = mariadb_dump(album, tmp_path / "dump.sql", "--net-buffer-length=4096 b_album").read_bytes()
    cut = tmp_path / "cut.sql"
    third = [match.end() for match in re.finditer(rb";\n(?=INSERT INTO `albums`)", dump)][2]
    cut.write_bytes(dump[:third])

    done = typed(f"mariadb --no-defaults {way(empty)} b_empty < {cut}", empty)

    assert done.returncode == 0
    assert 0 < empty.number("select count(*) from albums") < ROWS
    assert judged(cut, album, "mariadb")["verdict"]["word"] == "REFUSED"
    assert judged(tmp_path / "dump.sql", album, "mariadb")["verdict"]["word"] == "VERIFIED"


def test_b3_zcat_of_a_cut_archive_restores_with_success(album: Login, empty: Login, tmp_path: Path) -> None:
    """`zcat cut.gz | mariadb` ends with 0, whatever was cut off; Backout refuses the archive, cut after or before packing."""
    dump = mariadb_dump(album, tmp_path / "dump.sql", "--skip-extended-insert b_album")
    typed(f"gzip -9 -k {dump}; head -c 3000 {dump}.gz > {tmp_path}/cut.gz", album)
    lines = typed(f"zcat {tmp_path}/cut.gz 2>/dev/null | head -n -1 | gzip > {tmp_path}/before.gz", album)
    assert lines.returncode == 0
    assert typed(f"gzip -t {tmp_path}/before.gz", album).returncode == 0

    done = typed(f"zcat {tmp_path}/before.gz | mariadb --no-defaults {way(empty)} b_empty", empty)

    assert done.returncode == 0
    assert empty.number("select count(*) from albums") < ROWS
    for name in ("cut.gz", "before.gz"):
        assert judged(tmp_path / name, album, "mariadb")["verdict"]["word"] == "REFUSED"


def test_b3_psql_commits_a_part_of_the_rows(pg_album: Login, tmp_path: Path) -> None:
    """`psql -1 -v ON_ERROR_STOP=1` commits 300 of 1000 rows of a cut dump, with status 0; Backout refuses it."""
    site, target = pg_album, pg_album.to("backout_b_empty")
    dump = tmp_path / "dump.sql"
    assert typed(f"pg_dump {way(site)} b_album > {dump}", site).returncode == 0
    text = dump.read_bytes()
    cut = tmp_path / "cut.sql"
    cut.write_bytes(text[: text.index(b"\n301\talbum") + 1])

    done = typed(f"psql -X -q -1 -v ON_ERROR_STOP=1 {way(target)} -d backout_b_empty -f {cut}", target)

    assert done.returncode == 0
    assert target.number("select count(*) from albums") == 300
    assert judged(cut, site, "pgsql")["verdict"]["word"] == "REFUSED"
    assert judged(dump, site, "pgsql")["verdict"]["word"] == "VERIFIED"


def test_b5_a_definer_stops_the_load_and_is_named(
    mariadb_server: MariadbServer, album: Login, empty: Login, tmp_path: Path
) -> None:
    """A view of another user ends the load with error 1227 and what follows is not restored; Backout names it before."""
    mariadb_server.superuser.run("create view b_album.all_albums as select id from b_album.albums")
    mariadb_server.superuser.run("create procedure b_album.tidy() delete from albums where id = 0")
    superuser = mariadb_server.superuser
    dump = tmp_path / "dump.sql"
    typed(
        f"mariadb-dump --no-defaults --socket={superuser.socket} -uroot --routines b_album > {dump}",
        superuser,
    )

    done = typed(f"mariadb --no-defaults {way(empty)} b_empty < {dump}", empty)

    assert done.returncode != 0
    assert "1227" in done.stderr
    assert (
        empty.number("select count(*) from information_schema.routines where routine_schema = 'b_empty'") == 0
    )
    assert "definer" in codes(judged(dump, album, "mariadb"))


def test_b5_the_sandbox_line_is_named(album: Login, tmp_path: Path) -> None:
    """MariaDB's first line, which older clients refuse (recorded, mysql 8.0: "Unknown command '\\-'"), is named."""
    dump = mariadb_dump(album, tmp_path / "dump.sql", "b_album")
    assert dump.read_bytes().startswith(rb"/*M!999999\- enable the sandbox mode */")
    assert "sandbox_line" in codes(judged(dump, album, "mariadb"))


def test_b5_an_unknown_collation_stops_the_load_and_is_named(
    album: Login, empty: Login, tmp_path: Path
) -> None:
    """A collation of MySQL 8 or MariaDB 11 is unknown to the server: error 1273; Backout names it before."""
    dump = mariadb_dump(album, tmp_path / "dump.sql", "b_album")
    newer = tmp_path / "newer.sql"
    newer.write_bytes(dump.read_bytes().replace(b"utf8mb4_unicode_ci", b"utf8mb4_0900_ai_ci"))

    done = typed(f"mariadb --no-defaults {way(empty)} b_empty < {newer}", empty)

    assert "1273" in done.stderr
    assert "collation" in codes(judged(newer, album, "mariadb"))


def test_b5_a_newer_pg_dump_stops_the_load_and_is_named(
    postgres_servers: Postgreses, pg_album: Login, tmp_path: Path
) -> None:
    """pg_dump 17's `SET transaction_timeout` ends a load into PostgreSQL 15; Backout names it, and the newer version."""
    site, target = postgres_servers[17].make("b_album"), pg_album.to("backout_b_empty")
    site.run(_TABLES + rows())
    dump = tmp_path / "dump.sql"
    assert typed(f"pg_dump {way(site)} b_album > {dump}", site).returncode == 0

    done = typed(f"psql -X -q -1 -v ON_ERROR_STOP=1 {way(target)} -d backout_b_empty -f {dump}", target)

    answer = judged(dump, pg_album, "pgsql", postgres_servers[15].version)
    assert done.returncode != 0
    assert "transaction_timeout" in done.stderr
    assert "transaction_timeout" in codes(answer)
    assert any("newer than the live server" in note for note in answer["verdict"]["notes"])
    postgres_servers[17].drop(site)


def test_b6_a_dump_with_databases_writes_into_production(album: Login, empty: Login, tmp_path: Path) -> None:
    """Loaded "into" another database, a dump made with --databases goes back into production; Backout refuses it."""
    dump = mariadb_dump(album, tmp_path / "dump.sql", "--databases b_album")
    album.run("insert into albums values (5000, 'written since')")

    done = typed(f"mariadb --no-defaults {way(album)} --database=backout_b_test < {dump}", album)
    assert done.returncode != 0  # that database is not there yet; a person makes it and tries again
    album.run("create database backout_b_test")
    done = typed(f"mariadb --no-defaults {way(album)} --database=backout_b_test < {dump}", album)

    assert done.returncode == 0
    assert album.number("select count(*) from albums where id = 5000") == 0
    answer = judged(dump, album, "mariadb")
    assert answer["verdict"]["word"] == "REFUSED"
    assert {"create_database", "use_database"} <= codes(answer)


def test_b6_a_dump_with_create_connects_to_production(pg_album: Login, tmp_path: Path) -> None:
    """`psql -d scratch -f dump` of `pg_dump -C --clean` drops production and connects to it; Backout refuses it."""
    site = pg_album
    dump = tmp_path / "dump.sql"
    assert typed(f"pg_dump -C --clean --if-exists {way(site)} b_album > {dump}", site).returncode == 0
    site.run("insert into albums values (5000, 'written since')")

    typed(f"psql -X -q {way(site)} -d backout_b_empty -f {dump}", site)

    assert site.number("select count(*) from albums where id = 5000") == 0
    tables = "select count(*) from information_schema.tables where table_schema = 'public'"
    assert site.to("backout_b_empty").number(tables) == 0
    answer = judged(dump, site, "pgsql")
    assert answer["verdict"]["word"] == "REFUSED"
    assert {"create_database", "use_database"} <= codes(answer)


def test_b8_the_end_markers_text_in_a_value_is_no_end(album: Login, empty: Login, tmp_path: Path) -> None:
    """A dump cut behind an album that is named like the end marker looks whole to `tail`, and restores; Backout refuses it."""
    album.run("insert into albums values (2000, '-- Dump completed on 2026-11-22 15:53:01')")
    whole = mariadb_dump(album, tmp_path / "dump.sql", "--skip-extended-insert b_album").read_bytes()
    cut = tmp_path / "cut.sql"
    cut.write_bytes(whole[: whole.index(b"\n", whole.index(b"(2000,")) + 1])

    assert typed(f"tail -n 1 {cut} | grep -c 'Dump completed on'", album).stdout == "1\n"
    assert typed(f"mariadb --no-defaults {way(empty)} b_empty < {cut}", empty).returncode == 0
    assert "migrations" not in {row[0] for row in empty.rows("show tables")}
    assert judged(cut, album, "mariadb")["verdict"]["word"] == "REFUSED"
