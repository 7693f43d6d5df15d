"""MariaDB: every value is read and written exactly, and the fingerprint and the sample see every change of it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.server import MysqlServer, open_server
from tests.integration.mysql_scene import TYPES, Scene, opened_scene
from tests.servers.mariadb import MariadbServer


@pytest.fixture(scope="module")
def typed(mariadb_server: MariadbServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Return a database with a column of each type; only read by its tests."""
    with opened_scene(mariadb_server, tmp_path_factory.mktemp("typed"), TYPES) as made:
        yield made


@pytest.fixture
def shop(mariadb_server: MariadbServer, tmp_path: Path) -> Iterator[Scene]:
    """Return a small shop's database of the test's own."""
    with opened_scene(mariadb_server, tmp_path) as made:
        yield made


@pytest.fixture
def server(shop: Scene) -> Iterator[MysqlServer]:
    """Return the row reader's server, as the shop's user."""
    opened = open_server(shop.request())
    yield opened
    opened.close()


def test_each_value_is_read_exactly(typed: Scene) -> None:
    """NULL, the text NULL, NUL, tabs, line ends, numbers beyond 63 bits, floats and zero dates come as they are stored."""
    opened = open_server(typed.request())
    table = opened.schema(typed.login.database).tables["everything"]
    rows = {
        row[0]: dict(zip(table.column_names, row, strict=True))
        for row in opened.stream(typed.login.database, table)
    }
    opened.close()
    assert (rows[1]["txt"], rows[1]["data"], rows[1]["lt"], rows[1]["lb"]) == (
        "NULL",
        b"NULL",
        "NULL",
        b"NULL",
    )
    assert set(rows[2].values()) == {2, None, 7}
    assert (rows[3]["txt"], rows[3]["data"], rows[3]["lt"], rows[3]["en"]) == ("", b"", "", "")
    assert rows[4]["txt"] == "tab\t line\nend back\\slash nul\0 🚲 \r"
    assert rows[4]["data"] == b"tab\t line\nend back\\slash nul\0"
    assert (rows[4]["lt"], rows[4]["lb"]) == ("long\n" * 30000, b"\0\xff\n" * 30000)
    assert (rows[1]["big"], rows[4]["big"], rows[1]["b64"]) == (
        b"18446744073709551615",
        b"9223372036854775808",
        b"18446744073709551615",
    )
    assert (rows[1]["de"], rows[1]["f"], rows[3]["f"], rows[1]["d"]) == (
        "12345678901234567890.1234567891",
        "16777216",
        "0.10000000149011612",
        "0.1",
    )
    assert (rows[1]["t"], rows[1]["da"], rows[4]["da"]) == ("-12:00:00.123456", "0000-00-00", "0000-00-00")
    assert (rows[1]["l1"], rows[1]["vb"], rows[1]["ts"]) == ("é€", b"\0\x01\n\t\0\\\r", "2020-06-01 12:00:00")
    assert "gen" not in table.column_names
    assert rows[1]["we`ird \"na'me $(x)\nnew"] is None


def test_each_value_is_written_exactly(typed: Scene) -> None:
    """What `stream` gives and `insert_rows` writes again has the fingerprint of the original."""
    opened = open_server(typed.request())
    live, scratch = typed.login.database, "backout_written_20260101000000_00000001"
    opened.create(scratch, live)
    table = opened.schema(live).tables["everything"]
    session = opened.session(scratch)
    for sql in opened.structure(live).creates.values():
        session.run(sql, "making")
    with opened.filling(scratch):
        assert opened.insert_rows(scratch, table, table.column_names, opened.stream(live, table)) == 4
    same = opened.fingerprint(scratch) == opened.fingerprint(live)
    opened.drop(scratch)
    opened.close()
    assert same


CHANGES = [
    "UPDATE orders SET note = NULL WHERE id = 3",
    "UPDATE orders SET note = 'NULL' WHERE id = 2",
    "UPDATE pairs SET v = 0 WHERE v IS NULL",
    "UPDATE users SET email = 'One@example.org' WHERE id = 1",
    "UPDATE `-dash ``tab $(touch x)` SET b = 'x ' WHERE a = 1 LIMIT 1",
    "INSERT INTO `-dash ``tab $(touch x)` VALUES (NULL, NULL)",
    "DELETE FROM `-dash ``tab $(touch x)` WHERE a = 1 LIMIT 1",
    "ALTER TABLE pairs MODIFY v bigint",
    "ALTER TABLE orders DROP FOREIGN KEY orders_parent_foreign",
    "ALTER TABLE pairs ADD INDEX (v)",
    "DROP VIEW a_first",
    "DROP TRIGGER users_added",
    "DROP FUNCTION plus",
    "CREATE TABLE more (id int)",
]


def test_the_fingerprint_sees_each_change(shop: Scene) -> None:
    """A changed value, row, column, key, view, trigger or routine gives a fingerprint that was not there before."""
    seen = {shop.fingerprint()}
    for change in CHANGES:
        shop.login.run(change)
        found = shop.fingerprint()
        assert found not in seen, change
        seen.add(found)


def test_neighbouring_values_are_told_apart(shop: Scene) -> None:
    """'ab' beside 'c' is not 'a' beside 'bc', which CHECKSUM TABLE takes for equal; nor is a swap between two rows."""
    shop.login.run(
        "CREATE TABLE n (id int, a varchar(9), b varchar(9)); INSERT INTO n VALUES (1, 'ab', 'c'), (2, 'a', 'a')"
    )
    checksum = shop.login.rows("CHECKSUM TABLE n EXTENDED")
    first = shop.fingerprint()
    shop.login.run("UPDATE n SET a = 'a', b = 'bc' WHERE id = 1")
    assert shop.login.rows("CHECKSUM TABLE n EXTENDED") == checksum
    second = shop.fingerprint()
    shop.login.run("UPDATE n SET a = IF(id = 1, 'a', 'ab'), b = IF(id = 1, 'a', 'c')")
    assert len({first, second, shop.fingerprint()}) == 3


def test_the_fingerprint_sees_neither_order_nor_counters(shop: Scene) -> None:
    """Rows in another order, another AUTO_INCREMENT and indexes made in another order are the same content."""
    shop.login.run("ALTER TABLE pairs ADD INDEX one (v), ADD INDEX two (b)")
    before = shop.fingerprint()
    shop.login.run(
        "ALTER TABLE users AUTO_INCREMENT = 5000; ALTER TABLE pairs DROP INDEX one; ALTER TABLE pairs ADD INDEX one (v);"
        "CREATE TEMPORARY TABLE t SELECT * FROM `-dash ``tab $(touch x)`; DELETE FROM `-dash ``tab $(touch x)`;"
        "INSERT INTO `-dash ``tab $(touch x)` SELECT * FROM t ORDER BY a DESC"
    )
    assert shop.fingerprint() == before


def test_the_sample_sees_each_committed_write(shop: Scene) -> None:
    """Two samples agree while nobody writes; a write that is taken back at once, and one by cascade, change it."""
    first = shop.ask("sample")["sample"]
    assert shop.ask("sample")["sample"] == first
    shop.login.run("INSERT INTO pairs VALUES (9, 'z', 9); DELETE FROM pairs WHERE a = 9")
    second = shop.ask("sample")["sample"]
    shop.login.run("DELETE FROM users WHERE id = 3")
    assert len({first, second, shop.ask("sample")["sample"]}) == 3


def test_facts_tell_counts_nulls_and_migrations(shop: Scene) -> None:
    """Rows and NULLs are counted, the migrations are in order, keys and identity are told."""
    facts = shop.ask("facts")
    orders = facts["tables"]["orders"]
    assert (orders["rows"], orders["nulls"]["note"], orders["nulls"]["parent_id"], orders["key"]) == (
        3,
        1,
        1,
        ["id"],
    )
    assert [key["on_delete"] for key in orders["foreign_keys"]] == ["SET NULL", "CASCADE"]
    assert facts["migrations"] == [
        {"id": 1, "migration": "2024_01_01_000000_create", "batch": 1},
        {"id": 2, "migration": "2024_02_01_000000_second", "batch": 2},
    ]
    assert (facts["engine"], facts["file"]["real_path"], facts["views"]) == (
        shop.server.engine,
        shop.login.database,
        ["a_first", "z_orders"],
    )
    assert facts["file"]["device"] == shop.ask("facts")["file"]["device"] != ""
    assert facts["free_bytes"] > 0


def test_orphans_are_counted_with_a_time_limit(shop: Scene) -> None:
    """A row whose parent is missing is counted; where there is no time, the count is None and not complete."""
    shop.login.run("SET foreign_key_checks = 0; INSERT INTO orders (user_id, parent_id) VALUES (77, 78)")
    found = shop.ask("orphans")
    assert {(each["columns"][0], each["violations"]) for each in found["foreign_keys"]} == {
        ("user_id", 1),
        ("parent_id", 1),
    }
    hurried = shop.ask("orphans", time_limit_s=0)
    assert not hurried["complete"]
    assert {each["violations"] for each in hurried["foreign_keys"]} == {None}


CHECKS = [
    ("SELECT COUNT(*) FROM users", None),
    ("SELECT COUNT(*) FROM orders WHERE note LIKE '%; -- note%'", None),
    ("DELETE FROM users", "only read"),
    ("SELECT 1; DELETE FROM users", "without comments"),
    ("SELECT id FROM users FOR UPDATE", "only read"),
    ("SELECT sleep(9)", "only read"),
    ("SELECT 1 INTO OUTFILE '/tmp/never'", "only read"),
    ("SELECT email FROM users LIMIT 1", "whole number"),
    ("SELECT nope FROM users", "no such column"),
    (
        "SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b, information_schema.columns c",
        "longer",
    ),
    ("WITH x AS (SELECT 1) SELECT COUNT(*) FROM x", None),
    ("SELECT 1 \\! touch never", "only read"),
]


def test_a_check_only_reads(shop: Scene) -> None:
    """A check is one SELECT that gives a number; all else is told as its error, and nothing is changed."""
    before = shop.fingerprint()
    checks = [{"name": sql, "sql": sql, "expect": ">= 0"} for sql, _ in CHECKS]
    told = shop.ask("check", checks=checks, time_limit_s=0.5)["checks"]
    for (sql, error), each in zip(CHECKS, told, strict=True):
        assert each["passed"] == (error is None), sql
        assert (error or "") in (each["error"] or ""), sql
    assert shop.fingerprint() == before


def test_a_function_that_writes_does_not_write_in_a_check(shop: Scene) -> None:
    """A stored function with an INSERT in it fails in the read-only transaction of a check."""
    shop.login.run(
        "DELIMITER ;;\nCREATE FUNCTION sly() RETURNS int MODIFIES SQL DATA BEGIN INSERT INTO log (told) VALUES ('x'); RETURN 1; END;;"
    )
    told = shop.ask("check", checks=[{"name": "c", "sql": "SELECT sly()", "expect": 1}])["checks"][0]
    assert (told["passed"], told["error"]) == (False, "a check may only read")


def test_rows_are_changed_by_key_with_triggers_and_keys_still(shop: Scene, server: MysqlServer) -> None:
    """In scratch rows are replaced, set, filled and removed by key; no trigger acts, ON UPDATE columns keep their value."""
    scratch = shop.scratch()
    tables = server.schema(scratch).tables
    users, pairs = tables["users"], tables["pairs"]
    stamps = shop.login.rows("SELECT updated_at FROM users", database=scratch)
    with server.filling(scratch):
        server.insert_rows(
            scratch,
            users,
            ["id", "email", "updated_at"],
            [(3, "three", "2020-01-01 00:00:00"), (8, "x" * 99, "2020-01-01 00:00:00")],
        )
        assert server.update_rows(scratch, users, ["email"], [(1, "it's"), (99, "nobody")]) == 1
        assert server.fill_columns(scratch, shop.login.database, users, ["created_at"], (1,), (2,)) == 0
        server.update_rows(scratch, users, ["created_at"], [(1, None)])
        assert server.fill_columns(scratch, shop.login.database, users, ["created_at"], (1,), (2,)) == 1
        assert server.fill_columns(scratch, shop.login.database, pairs, ["v"], (1, "a"), (2, "a")) is None
        assert server.delete_rows(scratch, pairs, [(1, "a"), (7, "a")]) == 1
    assert shop.login.rows("SELECT COUNT(*) FROM log", database=scratch) == [("0",)]
    assert shop.login.rows("SELECT updated_at FROM users WHERE id < 3", database=scratch) == stamps[:2]
    assert server.schema(scratch).triggers == ("users_added",)


def test_filling_ends_with_a_proof_of_the_foreign_keys(shop: Scene, server: MysqlServer) -> None:
    """A row without its parent is found at the end, by the name of its foreign key; the triggers are back all the same."""
    scratch = shop.scratch()
    orders = server.schema(scratch).tables["orders"]
    with pytest.raises(Refusal, match=re.escape("orders(user_id) -> users: 1 rows")), server.filling(scratch):
        server.insert_rows(scratch, orders, ["user_id"], [(4711,)])
    assert server.schema(scratch).triggers == ("users_added",)


def test_triggers_survive_a_killed_filling(shop: Scene, server: MysqlServer) -> None:
    """Triggers that a killed process had taken away are put back at the end of the next filling."""
    scratch = shop.scratch()
    before = shop.fingerprint(scratch)
    filling = server.filling(scratch)
    filling.__enter__()
    shop.login.run("DROP TRIGGER IF EXISTS users_added", database=scratch)
    again = open_server(shop.request())
    with again.filling(scratch):
        pass
    again.close()
    assert shop.fingerprint(scratch) == before


def test_counters_are_only_raised(shop: Scene, server: MysqlServer) -> None:
    """The next number is greater than the one given, and a counter that is greater stays."""
    scratch = shop.scratch()
    users = server.schema(scratch).tables["users"]
    server.raise_numbers(scratch, users, 100)
    server.raise_numbers(scratch, users, 50)
    assert server.structure(scratch).counters["users"] == 101


def test_no_other_database_is_ever_written(server: MysqlServer) -> None:
    """Making, dropping and filling are refused for every name that is not Backout's own."""
    users = server.schema(str(server.credentials.database)).tables["users"]
    works: list[Callable[[str], object]] = [
        lambda name: server.create(name, "mysql"),
        server.drop,
        lambda name: server.insert_rows(name, users, ["id"], [(1,)]),
        lambda name: server.raise_numbers(name, users, 1),
    ]
    for name in (str(server.credentials.database), "mysql", "/tmp/x", "Backout_x"):
        for work in works:
            with pytest.raises(Refusal, match="Backout's own"):
                work(name)


def test_without_the_right_to_create_it_is_said_before_anything_is_done(
    mariadb_server: MariadbServer, tmp_path: Path
) -> None:
    """A user of one database only is told which rights are missing on which name (HAZARDS R9)."""
    with opened_scene(mariadb_server, tmp_path, may_create=False) as shop:
        rights = shop.ask("rights")
        assert (rights["create"], rights["live"], "CREATE" in rights["missing_own"]) == (False, True, True)
        with pytest.raises(Refusal, match=r"lacks SELECT, .*CREATE"):
            shop.scratch()
    assert not [name for name in mariadb_server.databases() if name.startswith("backout_")]


def test_other_sessions_are_writers_and_never_their_statements(shop: Scene) -> None:
    """A session of the application is told by its number and program-less name; its statement is not."""
    held = subprocess.Popen(
        [*shop.login.client(), "--execute", "SELECT 'my secret row', sleep(5)"],
        env=shop.login.environment(),
        stdout=subprocess.DEVNULL,
    )
    try:
        found = next(p for _ in range(50) for p in shop.ask("writers")["processes"] if p["kind"] == "session")
        assert (found["writer"], found["pid"] > 1 << 22) == (True, True)
        assert "secret" not in str(found)
        assert shop.ask("sessions_end", sessions=[found["session"], 1])["ended"] == [found["session"]]
        assert held.wait(5) != 0
    finally:
        held.kill()
        held.wait()
