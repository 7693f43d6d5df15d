"""The restore on MariaDB (R1, R5, R6, B5, B6, D8): what `mariadb < dump` does, and that Backout's load does not."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from tests.integration.mysql_load_scene import Scene, make_scene, opened_scene
from tests.servers.fixtures import made_once
from tests.servers.mariadb import MariadbServer, make_data, start_mariadb

SECRET = "p7@example.org"
DOUBLED = b"(7,'p7@example.org',0)"


@pytest.fixture(scope="module")
def scene(mariadb_server: MariadbServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Return a database with hostile rows and names."""
    with opened_scene(mariadb_server, tmp_path_factory.mktemp("hazards")) as made:
        yield made


def typed(scene: Scene, dump: bytes, database: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    """Run `mariadb database < dump` as an engineer types it."""
    command = [*scene.login.client(database), *options]
    return subprocess.run(
        command, input=dump, env=scene.login.environment(), capture_output=True, check=False
    )


def empty(scene: Scene) -> str:
    """Make an empty database for what is typed by hand."""
    name = scene.scratch()
    scene.login.run(f"CREATE DATABASE `{name}`")
    return name


def with_a_row_twice(scene: Scene) -> bytes:
    """Return a dump in which one user is there twice."""
    dump = scene.dump()
    assert DOUBLED in dump
    return dump.replace(DOUBLED, DOUBLED + b",\n" + DOUBLED)


def test_mariadb_r5_the_client_prints_the_failing_rows(scene: Scene) -> None:
    """On an error the client's stderr holds users' data; in Backout's answer are the error, its state and the table only."""
    dump = with_a_row_twice(scene)
    assert SECRET in typed(scene, dump, empty(scene), "-v").stderr.decode() + "".join(
        typed(scene, dump, empty(scene)).stderr.decode()
    )
    with pytest.raises(Refusal) as refused:
        scene.load(dump)
    assert "ERROR 1062 (23000)" in refused.value.message
    assert "rows of 'users'" in refused.value.message
    assert "example.org" not in refused.value.message
    left = [path for path in (scene.folder / "workspace").rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in path.read_bytes() for path in left)


def test_mariadb_r1_production_sees_no_statement_of_a_load(scene: Scene) -> None:
    """While a dump is loaded, nothing is written outside scratch: the server's log has each session in scratch only."""
    before = scene.content(scene.login.database)
    position = scene.server.log_position()
    name, _ = scene.load(scene.dump())
    log = scene.server.log_since(position)
    assert set(re.findall(r"(?i)\bUSE `([^`]+)`", log)) == {name}
    assert not re.search(
        r"(?i)\b(INSERT INTO|ALTER TABLE|CREATE TABLE|DROP TABLE|UPDATE|DELETE FROM)\s+`?\w+`?\s*\.", log
    )
    assert scene.content(scene.login.database) == before


def test_mariadb_b6_a_dump_with_its_own_database_writes_into_it(scene: Scene) -> None:
    """`mariadb scratch < dump --databases` drops and fills production's tables; Backout refuses at that statement."""
    database = scene.login.database
    dump = scene.dump("--databases")
    scene.login.run("UPDATE users SET is_admin = 1", database=database)
    typed(scene, dump, empty(scene))
    assert scene.login.number("SELECT sum(is_admin) FROM users", database=database) == 0
    scene.login.run("UPDATE users SET is_admin = 1", database=database)
    with pytest.raises(Refusal, match="CREATE DATABASE"):
        scene.load(dump)
    assert scene.login.number("SELECT sum(is_admin) FROM users", database=database) == 400
    scene.login.run("UPDATE users SET is_admin = 0", database=database)


def test_mariadb_b5_a_definer_of_another_user_ends_a_typed_restore(
    mariadb_server: MariadbServer, tmp_path: Path
) -> None:
    """Typed: error 1227, and the tables after it are missing; Backout makes the trigger as the site's user and says so."""
    sql = (
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.id = NEW.id;"
        "CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b VALUES (1);"
    )
    with opened_scene(mariadb_server, tmp_path, sql=sql) as own:
        dump, name = own.dump(), empty(own)
        assert b"ERROR 1227" in typed(own, dump, name).stderr
        assert own.login.rows("SHOW TABLES", database=name) == [("a",)]
        _, answer = own.load(dump)
        assert answer["tables"] == {"a": 0, "b": 1}
        assert any("root@localhost is another user" in note for note in answer["notes"])


def test_mariadb_r6_orphans_stay_after_a_load_with_checks_off(scene: Scene) -> None:
    """Typed, a dump whose parents are missing loads with exit 0 and is checked never again; Backout counts them."""
    dump = re.sub(rb"INSERT INTO `users` VALUES\n.*?;\n", b"", scene.dump(), flags=re.DOTALL)
    assert typed(scene, dump, empty(scene)).returncode == 0
    _, answer = scene.load(dump)
    assert answer["foreign_key_violations"] == {"remarks(user_id) -> users": 3000}


def test_mariadb_r10_two_typed_restores_side_by_side_hit_lock_tables(scene: Scene) -> None:
    """Rows fed over two connections as the dump has them fail with 1100 under its LOCK TABLES; Backout leaves it out."""
    name = empty(scene)
    done = typed(
        scene,
        b"CREATE TABLE a (id int); CREATE TABLE b (id int); LOCK TABLES a WRITE; INSERT INTO b VALUES (1);",
        name,
    )
    assert b"ERROR 1100" in done.stderr
    dump, position = scene.dump(), scene.server.log_position()
    scene.load(dump)
    assert "LOCK TABLES" not in scene.server.log_since(position)


def test_mariadb_hostile_rows_never_become_commands(scene: Scene, tmp_path: Path) -> None:
    """Rows that hold `\\!`, `source`, `DELIMITER` and line ends, raw as some programs write them, come back as they were."""
    marker = tmp_path / "ran"
    value = f"x\n\\\\! touch {marker}\nsystem touch {marker}\nsource /etc/passwd\nDELIMITER //\nuse mysql;\nDROP TABLE t;\n"
    dump = f"CREATE TABLE t (id int PRIMARY KEY, v text);\nINSERT INTO t VALUES (1,'{value}'),\n(2,'y');\n"
    name, answer = scene.load(dump.encode())
    assert answer["tables"] == {"t": 2}
    stored = scene.login.rows("SELECT hex(v) FROM t WHERE id = 1", database=name)[0][0]
    assert bytes.fromhex(stored).decode() == value.replace("\\\\", "\\")
    assert not marker.exists()


def big_dump(scene: Scene, megabytes: int) -> bytes:
    """Return a dump that takes some seconds to load."""
    row = "'" + "light river stone " * 50 + "'"
    rows = [f"({n},{row})" for n in range(megabytes * 1100)]
    made = "CREATE TABLE t (id int PRIMARY KEY, v text, KEY v (v(40)));\n"
    chunks = (",".join(rows[start : start + 500]) for start in range(0, len(rows), 500))
    return (made + "".join(f"INSERT INTO t VALUES {chunk};\n" for chunk in chunks)).encode()


def load_while(scene: Scene, dump: bytes, act: Callable[[], None]) -> Refusal:
    """Load, act as soon as rows are in scratch, and return the refusal."""
    thread = threading.Thread(target=act)
    thread.start()
    try:
        with pytest.raises(Refusal) as refused:
            scene.load(dump)
    finally:
        thread.join()
    return refused.value


def feeding_clients() -> list[int]:
    """Return the pids of this process's clients that load."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"--disable-tee" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except (OSError, IndexError):
            continue
    return sorted(found)


def wait_for(condition: Callable[[], object], limit_s: float = 30) -> None:
    """Wait until something holds."""
    ends = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


def rows_of(scene: Scene) -> dict[str, str]:
    """Return the checksums of production's rows."""
    return {name: total for name, (total, _) in scene.content(scene.login.database).items()}


def test_mariadb_a_killed_feeder_ends_the_load_whole(scene: Scene) -> None:
    """`kill -9` of one client in the middle: a plain refusal, scratch gone, no session of the load left on the server."""
    before, production = scene.backouts(), scene.content(scene.login.database)

    def kill() -> None:
        wait_for(lambda: len(feeding_clients()) >= 3)
        os.kill(feeding_clients()[-1], signal.SIGKILL)

    refusal = load_while(scene, big_dump(scene, 12), kill)
    assert refusal.kind == "unreadable"
    assert "was thrown away" in refusal.message
    assert scene.backouts() == before
    assert feeding_clients() == []
    assert scene.content(scene.login.database) == production
    sessions = "SELECT db FROM information_schema.processlist WHERE db LIKE 'backout_load%'"
    wait_for(lambda: {name for (name,) in scene.server.superuser.rows(sessions)} <= before)


def test_mariadb_a_session_ended_on_the_server_ends_the_load(scene: Scene) -> None:
    """KILL of one of its connections by an administrator: the same."""
    before = scene.backouts()
    root = scene.server.superuser

    def kill() -> None:
        sql = "SELECT id FROM information_schema.processlist WHERE db LIKE 'backout_load%' ORDER BY id DESC LIMIT 1"
        wait_for(lambda: len(feeding_clients()) >= 3 and root.rows(sql))
        root.run(f"KILL {root.number(sql)}")

    refusal = load_while(scene, big_dump(scene, 12), kill)
    assert refusal.kind == "unreadable"
    assert scene.backouts() == before


def test_mariadb_a_server_killed_in_the_middle_leaves_production_as_it_was(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After `kill -9` of the server the refusal says that scratch may be left; production has its content after a restart."""
    server = start_mariadb(
        tmp_path / "own", template=made_once(tmp_path_factory, "data-of-mariadb", make_data)
    )
    own = make_scene(server, tmp_path)
    try:
        production = rows_of(own)

        def kill() -> None:
            wait_for(lambda: len(feeding_clients()) >= 3)
            server.kill()

        refusal = load_while(own, big_dump(own, 12), kill)
        assert refusal.kind == "unreadable"
        assert "could not be removed" in refusal.message
        server = start_mariadb(tmp_path / "own")
        assert rows_of(replace(own, server=server)) == production
    finally:
        own.reader.close()
        server.kill()
