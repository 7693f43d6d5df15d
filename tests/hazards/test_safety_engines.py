"""The safety backup on MariaDB and PostgreSQL (S1–S3, S6, S7): what the literal commands leave, and what Backout keeps."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.inspect import inspect
from tests.hazards.by_client import client, dumper, environment, typed
from tests.hazards.typed import eventually
from tests.integration.mysql_scene import Scene, opened_scene
from tests.integration.postgresql_shop import Shop, a_shop
from tests.servers.fixtures import Postgreses
from tests.servers.login import Login
from tests.servers.mariadb import MariadbServer

ENGINES = ("mariadb", "postgresql")


@pytest.fixture(scope="module")
def on_mariadb(mariadb_server: MariadbServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Return a shop on MariaDB, which no test of this module changes."""
    with opened_scene(mariadb_server, tmp_path_factory.mktemp("s_mariadb")) as scene:
        yield scene


@pytest.fixture(scope="module")
def on_postgresql(postgres_servers: Postgreses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Return a shop on PostgreSQL, which no test of this module changes."""
    with a_shop(postgres_servers[15], tmp_path_factory.mktemp("s_postgresql")) as shop:
        yield shop


@pytest.fixture(params=ENGINES)
def login(request: pytest.FixtureRequest) -> Login:
    """Return the application's way in, on each engine."""
    scene: Scene | Shop = request.getfixturevalue(f"on_{request.param}")
    return scene.login


def word(path: Path, login: Login) -> str:
    """Return Backout's word on a file."""
    expect = {
        "engine": "pgsql" if login.driver == "pgsql" else "mariadb",
        "tables": ["migrations", "orders", "users"],
        "database": login.database,
        "migrations": [],
        "version": "",
    }
    return str(inspect({"path": str(path), "before": "none", "expect": expect})["verdict"]["word"])


def test_s1_the_password_prompt_eats_the_dump(on_mariadb: Scene, tmp_path: Path) -> None:
    """`mariadb -p db < file` without a terminal takes the first line for the password, loses what is behind it, and says 0."""
    login = on_mariadb.login
    file = tmp_path / "dump.sql"
    file.write_text(f"{login.password}\nCREATE TABLE loaded (id int);\n")
    done = typed(login, f"{client(login)} -p {login.database} < {file}", password=False)
    assert done.returncode == 0
    assert ("loaded",) not in login.rows("SHOW TABLES")
    file.write_text("-- MariaDB dump 10.19\nCREATE TABLE loaded (id int);\n")
    done = typed(login, f"{client(login)} -p {login.database} < {file}", password=False)
    assert "1045" in done.stderr


def test_s1_backout_needs_no_prompt(on_mariadb: Scene) -> None:
    """Backout's reader has no terminal and no input to lose: its clients find the password in a private file."""
    position = on_mariadb.server.log_position()
    path = on_mariadb.safety("s1.sql")
    assert on_mariadb.fingerprint(str(path)) == on_mariadb.fingerprint()
    assert "Access denied" not in on_mariadb.server.log_since(position)


def test_s2_a_killed_dumper_behind_a_pipe_ends_with_success(login: Login, tmp_path: Path) -> None:
    """`dumper | gzip` says 0 though the dumper was killed in the middle, `gzip -t` is content; Backout refuses the file."""
    half = tmp_path / "half.sql.gz"
    line = f"({dumper(login)} {login.database} | head -c 1500; kill -9 $BASHPID) | gzip > {half}"
    assert typed(login, line).returncode == 0
    assert typed(login, f"gzip -t {half}").returncode == 0
    assert len(gzip.decompress(half.read_bytes())) == 1500
    assert word(half, login) == "REFUSED"


def test_s3_the_defaults_leave_out_routines_and_events(on_mariadb: Scene, tmp_path: Path) -> None:
    """`mariadb-dump db` says 0 and holds no function, procedure or event; Backout's safety backup holds them."""
    login, dump = on_mariadb.login, tmp_path / "dump.sql"
    assert typed(login, f"{dumper(login)} {login.database} > {dump}").returncode == 0
    assert "plus" not in dump.read_text()
    assert "tidy" not in dump.read_text()
    ours = on_mariadb.safety("s3.sql").read_text()
    assert "plus" in ours
    assert "tidy" in ours


def test_s3_an_older_pg_dump_leaves_a_file_of_nothing(postgres_servers: Postgreses, tmp_path: Path) -> None:
    """pg_dump 15 of a server 17 refuses and leaves 0 bytes under the backup's name; Backout names the reason and leaves no file."""
    with a_shop(postgres_servers[17], tmp_path / "newer") as shop:
        file = tmp_path / "pre-restore.sql"
        old = postgres_servers[15].login(shop.name, shop.name)
        place = f"-h {shop.login.host} -p {shop.login.port} -U {shop.login.username}"
        done = typed(old, f"pg_dump {place} {shop.name} > {file}")
        assert done.returncode == 1
        assert "server version mismatch" in done.stderr
        assert file.stat().st_size == 0
        with pytest.raises(Refusal, match="pg_dump"):
            shop.ask("copy", source=shop.name, target=shop.safety())
        assert list(Path(shop.safety()).parent.iterdir()) == []


def test_s6_a_failed_dumper_leaves_a_file_of_nothing(login: Login, tmp_path: Path) -> None:
    """Without its password the dumper leaves 0 bytes, and through gzip 20 bytes with status 0; Backout refuses both."""
    bare, packed = tmp_path / "pre-restore.sql", tmp_path / "pre-restore.sql.gz"
    ask = "" if login.driver == "pgsql" else "-p "
    typed(login, f"{dumper(login)} {ask}{login.database} > {bare}", password=False)
    done = typed(login, f"{dumper(login)} {ask}{login.database} | gzip > {packed}", password=False)
    assert (done.returncode, bare.stat().st_size, packed.stat().st_size) == (0, 0, 20)
    assert (word(bare, login), word(packed, login)) == ("REFUSED", "REFUSED")


def test_s7_a_password_before_the_command_shows_in_ps(login: Login) -> None:
    """`MYSQL_PWD=… mariadb` (PGPASSWORD=… psql) in a remote line stands in the list of processes while it runs."""
    name = "PGPASSWORD" if login.driver == "pgsql" else "MYSQL_PWD"
    sleep = "-c 'select pg_sleep(20)'" if login.driver == "pgsql" else "-e 'select sleep(20)'"
    database = f"-d {login.database}" if login.driver == "pgsql" else login.database
    line = f"{name}='{login.password}' {client(login)} {database} {sleep}; true"
    running = subprocess.Popen(
        ["bash", "-c", line],
        env=environment(login, password=False),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        asked = "select pid from pg_stat_activity where query like 'select pg_sleep%'"
        if login.driver == "mysql":
            asked = "select id from information_schema.processlist where info like 'select sleep%'"
        sessions = eventually(lambda: login.rows(asked))
        assert login.password in Path(f"/proc/{running.pid}/cmdline").read_bytes().decode()
    finally:
        running.kill()
        running.wait()
    for (session,) in sessions:
        login.run(f"KILL {session}" if login.driver == "mysql" else f"select pg_terminate_backend({session})")
