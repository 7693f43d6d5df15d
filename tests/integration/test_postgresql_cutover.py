"""Two databases change names in one moment, or nothing does; and back again (HAZARDS R1, R2, R10, R11)."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql.journal import Journal
from tests.integration.postgresql_shop import Shop, a_shop
from tests.servers.fixtures import Postgreses
from tests.servers.login import Login


@pytest.fixture
def shop(postgres_servers: Postgreses, tmp_path: Path) -> Iterator[Shop]:
    """Return a small shop of the test's own, with a safety backup and a scratch copy that differ from live."""
    with a_shop(postgres_servers[15], tmp_path) as shop:
        yield shop


def broken(shop: Shop) -> tuple[str, dict[str, Any]]:
    """Keep the good state in scratch, break live, and return scratch and the cut-over that puts the good one back."""
    scratch = shop.twin()
    shop.login.run("UPDATE users SET name = 'broken'; CREATE TABLE leftover (id serial PRIMARY KEY)")
    return scratch, shop.cut_over_request(scratch)


def names_of(shop: Shop) -> set[tuple[str, ...]]:
    return set(
        shop.server.superuser.rows(
            f"SELECT datname, datallowconn, datconnlimit FROM pg_database WHERE datdba = '{shop.login.username}'::regrole"
        )
    )


def open_session(login: Login, sql: str) -> subprocess.Popen[bytes]:
    """Start a session of another program, and wait until its first statement has run."""
    psql = subprocess.Popen(
        login.client(),
        env=login.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert psql.stdin is not None
    assert psql.stdout is not None
    psql.stdin.write(f"{sql};\n\\echo there\n".encode())
    psql.stdin.flush()
    while psql.stdout.readline() not in (b"there\n", b""):
        pass
    return psql


def end_session(psql: subprocess.Popen[bytes]) -> None:
    psql.kill()
    psql.wait()
    for pipe in (psql.stdin, psql.stdout):
        if pipe is not None:
            pipe.close()


def test_cut_over_and_undo_are_one_swap_each(shop: Shop) -> None:
    """The good state goes live, a second run attaches, and the undo brings the broken state back as it was."""
    _, request = broken(shop)
    safety = shop.ask("copy", source=shop.name, target=shop.safety())
    done = shop.ask("cutover", **request)
    again = shop.ask("cutover", **request)
    assert (done["already"], again["already"]) == (False, True)
    assert (
        done["fingerprint"]
        == again["fingerprint"]
        == shop.fingerprint()
        == request["expect_source_fingerprint"]
    )
    assert done["closed_s"] < 1
    assert shop.login.number("SELECT count(*) FROM users WHERE name = 'broken'") == 0
    assert shop.login.number("SELECT count(*) FROM pg_tables WHERE tablename = 'leftover'") == 0
    assert shop.fingerprint(done["aside"]) == safety["fingerprint"]
    undone = shop.ask(
        "cutover",
        source=shop.safety(),
        target=shop.name,
        expect_source_fingerprint=safety["fingerprint"],
        expect_target_fingerprint=done["fingerprint"],
    )
    assert undone["fingerprint"] == shop.fingerprint() == safety["fingerprint"]
    assert shop.fingerprint(undone["aside"]) == done["fingerprint"]


@pytest.mark.long
def test_undo_loads_the_safety_file_where_the_old_database_is_gone(shop: Shop) -> None:
    """Without the database put aside, the undo takes the rows from the file itself."""
    _, request = broken(shop)
    safety = shop.ask("copy", source=shop.name, target=shop.safety())
    done = shop.ask("cutover", **request)
    shop.server.superuser.run(f'DROP DATABASE "{done["aside"]}"')
    undone = shop.ask(
        "cutover",
        source=shop.safety(),
        target=shop.name,
        expect_source_fingerprint=safety["fingerprint"],
        expect_target_fingerprint=done["fingerprint"],
    )
    assert undone["fingerprint"] == shop.fingerprint() == safety["fingerprint"]


def test_no_id_is_ever_given_twice(shop: Shop) -> None:
    """After the cut-over and after the undo the next id is above every one that either state gave (R2, R3)."""
    _, request = broken(shop)
    shop.login.run("SELECT setval('users_id_seq', 9000)")
    done = shop.ask("cutover", **request)
    assert shop.login.number("SELECT nextval('users_id_seq')") == 9001
    back = shop.cut_over_request(done["aside"])
    shop.ask("cutover", **back)
    assert shop.login.number("SELECT nextval('users_id_seq')") == 9002


def test_rights_and_settings_are_carried_over(shop: Shop) -> None:
    """Grants on tables and columns, default rights, the database's settings, rights and limit are live's own."""
    superuser = shop.server.superuser
    reader = f"reader_of_{shop.name}"
    superuser.run(f"CREATE ROLE {reader}")
    try:
        shop.login.run(
            f"""CREATE SCHEMA app; CREATE TABLE app.t (id int); GRANT USAGE ON SCHEMA app TO {reader};
            GRANT SELECT ON users TO {reader} WITH GRANT OPTION; GRANT SELECT (note), UPDATE (id) ON orders TO {reader};
            ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO {reader};
            CREATE FUNCTION secret() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE ALL ON FUNCTION secret() FROM PUBLIC;
            ALTER DATABASE {shop.name} SET search_path = app, public; ALTER DATABASE {shop.name} SET work_mem = '7MB';
            ALTER DATABASE {shop.name} CONNECTION LIMIT 21; REVOKE ALL ON DATABASE {shop.name} FROM PUBLIC;
            GRANT CONNECT ON DATABASE {shop.name} TO {reader}"""
        )
        before = rights(shop)
        scratch = shop.scratch()
        shop.ask("copy", source=shop.name, target=scratch)
        shop.login.run("UPDATE users SET name = 'broken'")
        request = shop.cut_over_request(scratch)
        answer = shop.ask("cutover", **request)
        assert answer["notes"] == []
        assert rights(shop) == before
    finally:
        for name in shop.server.databases():
            if "backout" in name or name == shop.name:
                superuser.run(f"DROP OWNED BY {reader}", database=name)
        superuser.run(f"DROP OWNED BY {reader}; DROP ROLE {reader}")


def rights(shop: Shop) -> list[list[tuple[str, ...]]]:
    """Return all rights and settings of the live database, as the server keeps them."""
    own = "SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'app')"
    return [
        shop.login.rows(
            f"SELECT relname, relacl, relowner FROM pg_class WHERE relnamespace IN ({own}) ORDER BY 1"
        ),
        shop.login.rows("SELECT nspname, nspacl FROM pg_namespace WHERE nspname = 'app'"),
        shop.login.rows("SELECT attname, attacl FROM pg_attribute WHERE attacl IS NOT NULL ORDER BY 1"),
        shop.login.rows("SELECT proname, proacl FROM pg_proc WHERE proname = 'secret'"),
        shop.login.rows("SELECT defaclobjtype, defaclacl FROM pg_default_acl"),
        shop.login.rows(
            "SELECT datacl, datconnlimit, datdba, datallowconn FROM pg_database WHERE datname = current_database()"
        ),
        shop.login.rows(
            "SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()"
        ),
    ]


def test_a_foreign_session_is_named_and_nothing_changes(shop: Shop) -> None:
    """An idle transaction of another program makes the cut-over refuse at once; ended only when asked for (R11)."""
    _, request = broken(shop)
    names = names_of(shop)
    psql = open_session(
        shop.login, "SET application_name = 'a forgotten console'; BEGIN; SELECT count(*) FROM users"
    )
    try:
        began = time.monotonic()
        with pytest.raises(Refusal) as refused:
            shop.ask("cutover", **request)
        assert (refused.value.kind, time.monotonic() - began < 4) == ("busy", True)
        assert "a forgotten console" in refused.value.message
        assert shop.fingerprint() == request["expect_target_fingerprint"]
        assert names_of(shop) == names
        done = shop.ask("cutover", **request, end_sessions=True)
        assert done["fingerprint"] == request["expect_source_fingerprint"]
    finally:
        end_session(psql)


def test_an_autovacuum_worker_keeps_nobody_out(shop: Shop) -> None:
    """A vacuum of the server's own that takes long is no session of another program; the server ends it at the rename."""
    shop.login.run(
        "CREATE TABLE bulky AS SELECT g AS id, repeat('x', 400) AS v FROM generate_series(1, 30000) g;"
        "ALTER TABLE bulky SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0,"
        " autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)"
    )
    _, request = broken(shop)
    worker = f"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND datname = '{shop.name}'"
    superuser = shop.server.superuser
    superuser.run("ALTER SYSTEM SET autovacuum_naptime = '1s'")
    superuser.run("SELECT pg_reload_conf()")
    try:
        shop.login.run(
            "DELETE FROM bulky WHERE id % 2 = 0; INSERT INTO bulky SELECT 2 * g, repeat('x', 400) FROM generate_series(1, 15000) g"
        )
        request = {**request, "expect_target_fingerprint": shop.fingerprint()}
        deadline = time.monotonic() + 60
        while superuser.number(worker) == 0:
            assert time.monotonic() < deadline, "no autovacuum worker came"
            time.sleep(0.1)
        done = shop.ask("cutover", **request)
    finally:
        superuser.run("ALTER SYSTEM RESET autovacuum_naptime")
        superuser.run("SELECT pg_reload_conf()")
    assert done["fingerprint"] == shop.fingerprint() == request["expect_source_fingerprint"]


def test_a_write_after_the_plan_is_refused(shop: Shop) -> None:
    """A row written since, in live or in scratch, makes the plan void; live is open as before."""
    scratch, request = broken(shop)
    shop.login.run("INSERT INTO users (name) VALUES ('late')")
    with pytest.raises(Refusal) as refused:
        shop.ask("cutover", **request)
    assert refused.value.kind == "changed"
    request["expect_target_fingerprint"] = shop.fingerprint()
    shop.login.run("DELETE FROM orders", database=scratch)
    with pytest.raises(Refusal) as refused:
        shop.ask("cutover", **request)
    assert refused.value.kind == "changed"
    assert shop.login.number("SELECT count(*) FROM users WHERE name = 'late'") == 1


def test_only_the_applications_own_database_is_cut_over(shop: Shop) -> None:
    """Another database of the server is refused as a target, and production as a source (D3)."""
    scratch, request = broken(shop)
    for fields in (
        {"target": "postgres"},
        {"target": scratch},
        {"source": "postgres"},
        {"target": shop.safety()},
    ):
        with pytest.raises(Refusal):
            shop.ask("cutover", **{**request, **fields})
    assert shop.fingerprint() == request["expect_target_fingerprint"]


@pytest.mark.long
def test_without_the_right_to_rename_nothing_is_changed(postgres_servers: Postgreses, tmp_path: Path) -> None:
    """A user with neither CREATEDB nor CREATE on the database is told what it lacks, by copy and by cut-over (R9)."""
    server = postgres_servers[15]
    with a_shop(server, tmp_path, may_create=False) as shop:
        shop.login.run(f"REVOKE CREATE ON DATABASE {shop.name} FROM {shop.login.username}")
        mark = server.log_position()
        with pytest.raises(Refusal, match="CREATEDB"):
            shop.ask("copy", source=shop.name, target=shop.scratch())
        assert "CREATE DATABASE" not in server.log_since(mark)
        scratch = shop.twin()
        shop.login.run("UPDATE users SET name = 'broken'")
        with pytest.raises(Refusal, match="CREATEDB"):
            shop.ask("cutover", **shop.cut_over_request(scratch))
        assert "RENAME" not in server.log_since(mark)


@pytest.mark.long
def test_tables_of_another_owner_are_told(shop: Shop) -> None:
    """A table that the user could not give back to its owner stops the cut-over before anything is changed."""
    _, request = broken(shop)
    shop.server.superuser.run(
        "CREATE TABLE of_postgres (); GRANT SELECT ON of_postgres TO PUBLIC", database=shop.name
    )
    request["expect_target_fingerprint"] = shop.fingerprint()
    with pytest.raises(Refusal, match="belong to postgres"):
        shop.ask("cutover", **request)
    assert shop.fingerprint() == request["expect_target_fingerprint"]


@pytest.mark.long
def test_readers_never_see_a_mix(shop: Shop) -> None:
    """Readers at a high rate over swaps there and back see the one state or the other, in both tables; errors are allowed."""
    shop.login.run("UPDATE users SET name = 'A'; UPDATE orders SET note = 'A'")
    scratch = shop.twin()
    shop.login.run("UPDATE users SET name = 'B'; UPDATE orders SET note = 'B'")
    seen: set[str] = set()
    stop = threading.Event()

    def read() -> None:
        select = (
            "SELECT (SELECT min(name) || max(name) FROM users) || (SELECT min(note) || max(note) FROM orders)"
        )
        while not stop.is_set():
            try:
                seen.add(shop.login.rows(select)[0][0])
            except RuntimeError:
                continue

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(2):
            request = shop.cut_over_request(scratch, busy_timeout_s=10)
            scratch = cut_over_between_readers(shop, request)["aside"]
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert seen == {"AAAA", "BBBB"}


def cut_over_between_readers(shop: Shop, request: dict[str, Any]) -> dict[str, Any]:
    """Try until no reader was there in the moment of closing."""
    while True:
        try:
            return shop.ask("cutover", **request)
        except Refusal as refusal:
            if refusal.kind != "busy":
                raise


def test_killed_anywhere_it_is_whole_and_goes_on(shop: Shop) -> None:
    """After `kill -9` at any moment live has one of the two contents, and the same request again finishes it."""
    _, request = broken(shop)
    contents = {request["expect_source_fingerprint"], request["expect_target_fingerprint"]}
    clock = random.Random(7)
    for _ in range(3):
        reader = shop.start("cutover", **request)
        time.sleep(clock.uniform(0.2, 0.7))
        os.kill(reader.pid, signal.SIGKILL)
        assert reader.stdout is not None
        reader.stdout.close()
        reader.wait()
        answer = shop.ask("fingerprint", database=shop.name)
        assert answer["fingerprint"] in contents
        assert shop.login.number("SELECT 1") == 1
    done = shop.ask("cutover", **{**request, "busy_timeout_s": 5})
    assert done["fingerprint"] == request["expect_source_fingerprint"] == shop.fingerprint()


@pytest.mark.long
def test_a_database_left_closed_is_opened_by_the_next_run(shop: Shop) -> None:
    """Killed between closing and renaming, live is closed to all; the same request finds that in its note and goes on."""
    scratch, request = broken(shop)
    rows = shop.server.superuser.rows
    oids = dict(rows(f"SELECT datname, oid FROM pg_database WHERE datname IN ('{shop.name}', '{scratch}')"))
    swap = {
        "live": shop.name,
        "source": scratch,
        "aside": shop.scratch("aside"),
        "live_oid": int(oids[shop.name]),
        "source_oid": int(oids[scratch]),
        "live_fingerprint": request["expect_target_fingerprint"],
        "source_fingerprint": request["expect_source_fingerprint"],
        "connection_limit": -1,
        "done": False,
    }
    shop.ask("cutover", **{**request, "expect_source_fingerprint": request["expect_target_fingerprint"]})
    assert not list((shop.workspace / "cutovers").glob("*.json"))
    write_note(shop, swap)
    shop.server.superuser.run(f"ALTER DATABASE {shop.name} ALLOW_CONNECTIONS false")
    assert shop.ask("exists", database=shop.name)["exists"]
    assert shop.ask("fingerprint", database=shop.name)["fingerprint"] == swap["live_fingerprint"]
    write_note(shop, swap)
    shop.server.superuser.run(f"ALTER DATABASE {shop.name} ALLOW_CONNECTIONS false")
    done = shop.ask("cutover", **request)
    assert done["fingerprint"] == shop.fingerprint() == request["expect_source_fingerprint"]


def write_note(shop: Shop, swap: dict[str, Any]) -> None:
    """Write the journal as a cut-over leaves it that was killed after its note."""
    Journal(shop.request(), shop.name).path.write_text(json.dumps({"swaps": [swap]}), encoding="utf-8")
