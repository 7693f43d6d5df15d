"""MariaDB: the cut-over is all or nothing, can be undone, blocks nobody, and lives through a kill (HAZARDS R1, R2, R10, R11)."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from tests.integration.mysql_dying_reader import kill_reader
from tests.integration.mysql_scene import SHOP, Scene, opened_scene
from tests.servers.mariadb import MariadbServer, start_mariadb

BROKEN = """
ALTER TABLE orders DROP COLUMN note;
DROP VIEW a_first; DROP VIEW z_orders;
CREATE TABLE entries (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, text text);
INSERT INTO entries (text) VALUES ('a'), ('b');
DROP FUNCTION plus; CREATE FUNCTION plus(a int) RETURNS int DETERMINISTIC RETURN a + 100;
INSERT INTO users (email) VALUES ('late@example.org'); DELETE FROM users WHERE email = 'late@example.org';
INSERT INTO migrations (migration, batch) VALUES ('2024_03_01_000000_bad', 3);
"""


@pytest.fixture
def shop(mariadb_server: MariadbServer, tmp_path: Path) -> Iterator[Scene]:
    """Return a small shop's database of the test's own."""
    with opened_scene(mariadb_server, tmp_path) as made:
        yield made


@pytest.fixture
def broken(shop: Scene) -> tuple[Scene, str, Path]:
    """Return the shop after a bad migration, a scratch database with the state before, and a safety backup of now."""
    scratch = shop.scratch()
    shop.login.run(BROKEN)
    return shop, scratch, shop.safety()


def asides(shop: Scene) -> list[str]:
    return sorted(name for name in shop.server.databases() if name.startswith("backout_aside_"))


def test_live_has_the_whole_of_scratch_afterwards(broken: tuple[Scene, str, Path]) -> None:
    """Tables, views, triggers, routines and foreign keys are scratch's; what the bad migration made has left live."""
    shop, scratch, _ = broken
    wanted = shop.fingerprint(scratch)
    made = shop.cut_over(scratch)
    assert (made["already"], made["fingerprint"], shop.fingerprint()) == (False, wanted, wanted)
    assert shop.login.rows("SELECT id FROM a_first ORDER BY id") == [("1",), ("2",), ("3",)]
    assert shop.login.rows("SELECT plus(1)") == [("2",)]
    assert shop.login.rows(
        "SELECT event_name FROM information_schema.events WHERE event_schema = DATABASE()"
    ) == [("tidy",)]
    assert not shop.login.rows("SHOW TABLES LIKE 'entries'")
    shop.login.run("INSERT INTO users (email) VALUES ('trigger@example.org')")
    assert shop.login.rows("SELECT COUNT(*) FROM log WHERE told = 'trigger@example.org'") == [("1",)]
    shop.login.run("DELETE FROM users WHERE id = 1")
    assert shop.login.rows("SELECT id, parent_id FROM orders ORDER BY id") == [("2", "NULL"), ("3", "2")]
    assert shop.login.rows("SHOW TABLES LIKE 'entries'", database=asides(shop)[0]) == [("entries",)]


def test_no_number_is_given_twice(broken: tuple[Scene, str, Path]) -> None:
    """An id that live gave to a row since deleted is not given again, nor one of the tables put aside before (R2)."""
    shop, scratch, _ = broken
    shop.cut_over(scratch)
    shop.login.run("INSERT INTO users (email) VALUES ('next@example.org')")
    assert shop.login.number("SELECT id FROM users WHERE email = 'next@example.org'") == 5
    other = shop.scratch()
    shop.login.run("INSERT INTO users (email) VALUES ('x'), ('y'); DELETE FROM users WHERE id > 5")
    shop.cut_over(other)
    shop.login.run("INSERT INTO users (email) VALUES ('z')")
    assert shop.login.number("SELECT MAX(id) FROM users") == 8


def test_the_undo_brings_the_state_of_before(broken: tuple[Scene, str, Path]) -> None:
    """The safety backup's content is live again, from the tables put aside; and the other way once more."""
    shop, scratch, safety = broken
    before, repaired = shop.fingerprint(), shop.fingerprint(scratch)
    shop.cut_over(scratch)
    back = shop.cut_over(safety)
    assert (back["fingerprint"], shop.fingerprint()) == (before, before)
    assert shop.login.rows("SELECT plus(1)") == [("101",)]
    assert shop.cut_over(safety, wanted=before)["already"]
    assert len(asides(shop)) == 1
    assert repaired != before


def test_the_undo_works_from_the_file_alone(broken: tuple[Scene, str, Path]) -> None:
    """Where the tables put aside are gone, the safety backup is loaded and cut over to."""
    shop, scratch, safety = broken
    before = shop.fingerprint()
    shop.cut_over(scratch)
    shop.ask("drop", database=asides(shop)[0])
    assert shop.cut_over(safety)["fingerprint"] == before == shop.fingerprint()


def test_the_same_request_again_changes_nothing(broken: tuple[Scene, str, Path]) -> None:
    """A resumed job is told `already`, though its scratch database is not there any more."""
    shop, scratch, _ = broken
    wanted, expected = shop.fingerprint(scratch), shop.fingerprint()
    shop.cut_over(scratch)
    again = shop.cut_over(scratch, wanted=wanted, expected=expected)
    assert (again["already"], len(asides(shop))) == (True, 1)


def test_another_live_or_scratch_than_planned_is_refused(broken: tuple[Scene, str, Path]) -> None:
    """When live or scratch was changed since the plan nothing is done."""
    shop, scratch, _ = broken
    wanted, expected = shop.fingerprint(scratch), shop.fingerprint()
    position = shop.server.log_position()
    with pytest.raises(Refusal, match="not as it was when the plan was made"):
        shop.cut_over(scratch, wanted="0" * 32)
    shop.login.run("UPDATE pairs SET v = 7")
    with pytest.raises(Refusal, match="not as it was when the plan was made"):
        shop.cut_over(scratch, wanted=wanted, expected=expected)
    assert "RENAME TABLE" not in shop.server.log_since(position)
    with pytest.raises(Refusal, match="not the application's database"):
        shop.ask(
            "cutover",
            source=scratch,
            target="mysql",
            expect_source_fingerprint="x",
            expect_target_fingerprint="y",
        )


@pytest.mark.long
def test_another_users_trigger_stops_it_before_anything_is_done(
    broken: tuple[Scene, str, Path], mariadb_server: MariadbServer
) -> None:
    """A trigger that the application's user could not make again for the undo is named with what helps; nothing is changed."""
    shop, scratch, safety = broken
    mariadb_server.superuser.run(
        "CREATE TRIGGER theirs BEFORE INSERT ON pairs FOR EACH ROW SET NEW.v = 1",
        database=shop.login.database,
    )
    before = shop.fingerprint()
    with pytest.raises(Refusal, match="trigger 'theirs' of root@localhost") as refused:
        shop.cut_over(scratch)
    assert shop.fingerprint() == before
    with pytest.raises(Refusal, match="trigger 'theirs' of root@localhost"):
        shop.scratch()
    told = shop.ask("load", backup=str(safety), target="backout_load_20260101000000_cccccccc")
    assert "The cut-over would be refused." in told["way"]
    # What the message says is what helps; the undo makes the trigger again as it was.
    mariadb_server.superuser.run(str(re.findall(r"GRANT .*'@'[^']*'", str(refused.value))[0]))
    late = shop.safety("late.sql")
    shop.cut_over(scratch)
    assert shop.cut_over(late)["fingerprint"] == before
    assert "root" in str(shop.login.rows("SHOW CREATE TRIGGER theirs"))


@contextmanager
def held(shop: Scene, sql: str) -> Iterator[None]:
    """Keep a session of the application open that has run these statements and does nothing more."""
    session = subprocess.Popen(
        [*shop.login.client(), "--unbuffered"],
        env=shop.login.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert session.stdin is not None
    assert session.stdout is not None
    session.stdin.write(f"{sql};\nSELECT 'ready';\n".encode())
    session.stdin.flush()
    while session.stdout.readline().strip() != b"ready":
        pass
    try:
        yield
    finally:
        session.kill()
        session.wait()
        session.stdin.close()
        session.stdout.close()


@pytest.mark.long
def test_an_idle_transaction_makes_it_refuse_soon_and_is_named(broken: tuple[Scene, str, Path]) -> None:
    """A session that read one table and does nothing more is told by its number within seconds; it is ended only by a yes (R11)."""
    shop, scratch, _ = broken
    before, wanted = shop.fingerprint(), shop.fingerprint(scratch)
    with held(shop, "START TRANSACTION; SELECT COUNT(*) FROM users"):
        began = time.monotonic()
        with pytest.raises(Refusal, match=rf"session \d+ of {shop.login.username}@") as said:
            shop.cut_over(scratch, wanted=wanted, expected=before)
        took = time.monotonic() - began
        assert (said.value.kind, took < 15) == ("busy", True)
        assert (shop.fingerprint(), shop.fingerprint(scratch), asides(shop)) == (before, wanted, [])
    with held(shop, "START TRANSACTION; SELECT COUNT(*) FROM users"):
        assert shop.cut_over(scratch, end_sessions=True)["fingerprint"] == wanted


@pytest.mark.long
def test_readers_never_see_a_mix(shop: Scene) -> None:
    """A statement over two tables, run all the while, sees both of before or both of after (an error is allowed)."""
    shop.login.run(
        "CREATE TABLE m1 (v int); CREATE TABLE m2 (v int); INSERT INTO m1 VALUES (1); INSERT INTO m2 VALUES (1)"
    )
    scratch = shop.scratch()
    shop.login.run("UPDATE m1 SET v = 2; UPDATE m2 SET v = 2", database=scratch)
    safety = shop.safety()
    question = "SELECT (SELECT v FROM m1), (SELECT v FROM m2);\n"
    reader = subprocess.Popen(
        [*shop.login.client(), "--unbuffered", "--force"],
        env=shop.login.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    seen: dict[str, int] = {}
    stop = threading.Event()

    def ask() -> None:
        assert reader.stdin is not None
        while not stop.is_set():
            reader.stdin.write(question)
            reader.stdin.flush()
            time.sleep(0.002)
        reader.stdin.close()

    def listen() -> None:
        assert reader.stdout is not None
        for line in reader.stdout:
            seen[line.strip()] = seen.get(line.strip(), 0) + 1

    threads = [threading.Thread(target=work, name=work.__name__) for work in (ask, listen)]
    for thread in threads:
        thread.start()
    slowest = shop.cut_over(scratch)["closed_s"]
    second = shop.safety("second.sql")
    slowest = max(slowest, *(shop.cut_over(source)["closed_s"] for source in (safety, second)))
    stop.set()
    for thread in threads:
        thread.join()
    reader.wait()
    assert reader.stdout is not None
    reader.stdout.close()
    assert set(seen) == {"1\t1", "2\t2"}
    assert slowest < 1.0


# The statement before which the reader is killed: the first that begins so, behind one that begins as those before it.
BEFORE_THE_MOVE = [("CREATE DATABASE",), ("DROP VIEW",), ("RENAME TABLE",)]
# Before the last of them all is moved, and not noted as done.
BEHIND_THE_MOVE = [("CREATE ALGORITHM",), ("CREATE DEFINER",), ("RENAME TABLE", "START TRANSACTION")]


def kill_cut_over(shop: Scene, place: tuple[str, ...], **request: object) -> None:
    """Run a cut-over in a reader that is killed before a statement; it is then noted as intended, not as done."""
    kill_reader(shop.server, shop.workspace, place, "mysql_cutover", shop.request(**request))
    (note,) = (shop.workspace / "cutovers").glob("mysql-*.json")
    assert json.loads(note.read_text())["swaps"][-1]["state"] == "intended"


# One behind the move and one before it, in the normal suite.
NORMAL = (BEFORE_THE_MOVE[2], BEHIND_THE_MOVE[0])


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(place, marks=() if place in NORMAL else pytest.mark.long)
        for place in (*BEFORE_THE_MOVE, *BEHIND_THE_MOVE)
    ],
    ids=" then ".join,
)
def test_a_killed_cut_over_is_finished_or_taken_back(
    broken: tuple[Scene, str, Path], place: tuple[str, ...]
) -> None:
    """Killed before any of its steps, live has all the old tables or all the new; the same request again ends it well."""
    shop, scratch, safety = broken
    wanted, expected = shop.fingerprint(scratch), shop.fingerprint()
    request = {
        "source": scratch,
        "target": shop.login.database,
        "expect_source_fingerprint": wanted,
        "expect_target_fingerprint": expected,
    }
    kill_cut_over(shop, place, **request)
    tables = {row[0] for row in shop.login.rows("SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'")}
    assert ("entries" in tables) == (place in BEFORE_THE_MOVE)
    assert tables - {"entries"} == {"-dash `tab $(touch x)", "log", "migrations", "orders", "pairs", "users"}
    made = shop.ask("cutover", **request)
    assert made["fingerprint"] == wanted == shop.fingerprint()
    assert shop.cut_over(safety)["fingerprint"] == expected == shop.fingerprint()


@pytest.mark.long
def test_a_plan_that_is_given_up_after_a_kill_leaves_live_as_it_was(broken: tuple[Scene, str, Path]) -> None:
    """After a kill before the tables moved, another request first gives live its views and triggers back."""
    shop, scratch, _ = broken
    expected = shop.fingerprint()
    wanted = shop.fingerprint(scratch)
    kill_cut_over(
        shop,
        ("RENAME TABLE",),
        source=scratch,
        target=shop.login.database,
        expect_source_fingerprint=wanted,
        expect_target_fingerprint=expected,
    )
    assert shop.fingerprint() != expected
    with pytest.raises(Refusal, match="not as it was when the plan was made"):
        shop.cut_over(scratch, wanted="0" * 32, expected=expected)
    assert (shop.fingerprint(), shop.fingerprint(scratch), asides(shop)) == (expected, wanted, [])


def test_a_client_killed_while_it_waits_is_not_overtaken(broken: tuple[Scene, str, Path]) -> None:
    """The server goes on with a dead client's RENAME; the next request waits for its end and tells the truth (D8)."""
    shop, scratch, _ = broken
    wanted, expected = shop.fingerprint(scratch), shop.fingerprint()
    request = shop.request(
        source=scratch,
        target=shop.login.database,
        expect_source_fingerprint=wanted,
        expect_target_fingerprint=expected,
    )
    command = [sys.executable, "-m", "adapters.host_reader", "mysql_cutover"]
    position = shop.server.log_position()
    reader = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True
    )
    assert reader.stdin is not None
    reader.stdin.write(json.dumps(request))
    reader.stdin.close()
    while "RENAME TABLE" not in shop.server.log_since(position):
        time.sleep(0.005)
    os.killpg(reader.pid, signal.SIGKILL)
    reader.wait()
    made = shop.ask(
        "cutover",
        **{
            name: request[name]
            for name in request
            if name.startswith("expect") or name in ("source", "target")
        },
    )
    assert made["fingerprint"] == wanted == shop.fingerprint()
    assert not list((shop.workspace / "tmp").glob("access-*"))


@pytest.mark.long
@pytest.mark.parametrize("word", ["RENAME TABLE", "CREATE ALGORITHM"])
def test_a_killed_server_has_the_old_tables_or_the_new(tmp_path: Path, word: str) -> None:
    """The database server itself killed around the RENAME: once it is back the same request ends it well."""
    server = start_mariadb(tmp_path / "server")
    (tmp_path / "work").mkdir()
    try:
        login = server.make("shop")
        login.run(SHOP)
        shop = Scene(server, login, tmp_path / "work")
        scratch = shop.scratch()
        login.run(BROKEN)
        wanted, expected = shop.fingerprint(scratch), shop.fingerprint()
        request = {
            "source": scratch,
            "target": login.database,
            "expect_source_fingerprint": wanted,
            "expect_target_fingerprint": expected,
        }
        kill_cut_over(shop, (word,), **request)
        server.kill()
        server = start_mariadb(tmp_path / "server", port=server.port)
        assert shop.ask("cutover", **request)["fingerprint"] == wanted == shop.fingerprint()
    finally:
        server.kill()
