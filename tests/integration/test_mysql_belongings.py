"""MariaDB: what belongs to a database beside plain rows goes through a recovery unchanged, or is refused by name."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from tests.integration.mysql_scene import SHOP, TYPES, Scene, opened_scene
from tests.servers.mariadb import MariadbServer

BASE = """
CREATE TABLE migrations (id int unsigned AUTO_INCREMENT PRIMARY KEY, migration varchar(255) NOT NULL, batch int NOT NULL);
CREATE TABLE users (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, name varchar(50));
INSERT INTO migrations (migration, batch) VALUES ('2024_01_01_000000_create', 1);
INSERT INTO users (name) VALUES ('one'), ('two');
"""


@pytest.fixture
def shop(mariadb_server: MariadbServer, tmp_path: Path) -> Iterator[Scene]:
    """Return a small database of the test's own."""
    with opened_scene(mariadb_server, tmp_path, BASE) as made:
        yield made


def repaired(shop: Scene, baseline: str, **decisions: str) -> str:
    """Repair a copy of live with what the backup has, by these decisions, and return the copy's name."""
    safety = shop.safety(f"safety-{len(list(shop.workspace.glob('safety-*')))}.sql")
    scratch = shop.scratch(safety)
    given = {"decisions": decisions, "mappings": [], "runtime_tables": []}
    shop.ask("repair", scratch=scratch, baseline=baseline, live_copy=str(safety), **given)
    return scratch


def test_line_ends_of_another_system_stay_in_definitions(shop: Scene) -> None:
    """A trigger and a procedure typed on Windows are the same after a copy and after a cut-over."""
    shop.login.run(WINDOWS)
    assert "\\r" in repr(shop.login.rows("SHOW CREATE TRIGGER t"))
    scratch = shop.scratch()
    shop.login.run("DELETE FROM users")
    wanted = shop.fingerprint(scratch)
    assert shop.cut_over(scratch)["fingerprint"] == wanted


WINDOWS = """SET @a = 'CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW BEGIN\\r\\n SET NEW.name = NEW.name;\\r\\nEND';
EXECUTE IMMEDIATE @a;
"""


def test_history_rows_are_not_lost_silently(shop: Scene) -> None:
    """A table that keeps its history has rows that no dump and no copy holds: it is refused by name."""
    shop.login.run(
        "CREATE TABLE prices (id int PRIMARY KEY, v int) WITH SYSTEM VERSIONING; INSERT INTO prices VALUES (1, 1);"
        "UPDATE prices SET v = 2"
    )
    with pytest.raises(Refusal, match="prices"):
        shop.scratch()
    with pytest.raises(Refusal, match="prices"):
        shop.safety()


def test_rows_that_lie_elsewhere_are_not_written_to_by_a_copy(shop: Scene) -> None:
    """A table whose rows are another table's is refused before a copy puts rows into it."""
    shop.login.run(
        "CREATE TABLE a (id int) ENGINE=MyISAM; CREATE TABLE b (id int) ENGINE=MyISAM; INSERT INTO a VALUES (1);"
        f"CREATE TABLE both_of (id int) ENGINE=MERGE UNION=({shop.login.database}.a, b) INSERT_METHOD=LAST"
    )
    with pytest.raises(Refusal, match=r"both_of .MRG_MyISAM"):
        shop.scratch()
    assert shop.login.number("SELECT COUNT(*) FROM a") == 1
    assert shop.login.number("SELECT COUNT(*) FROM b") == 0


def test_rows_of_a_table_without_transactions_are_not_set_aside(shop: Scene) -> None:
    """What is removed from it comes back by no rollback: it is refused by name, before a row is kept or gone."""
    shop.login.run("CREATE TABLE jobs (id int PRIMARY KEY) ENGINE=MyISAM; INSERT INTO jobs VALUES (1)")
    kept = shop.workspace / "kept"
    with pytest.raises(Refusal, match=r"jobs .MyISAM.: a table without transactions"):
        shop.ask("set_aside", tables=[{"table": "jobs"}], folder=str(kept), tag="t")
    assert shop.login.number("SELECT COUNT(*) FROM jobs") == 1
    assert not kept.exists()


def test_a_trigger_that_writes_into_another_database_is_refused(shop: Scene) -> None:
    """In a copy such a trigger would write into that database when the corrected migration is rehearsed."""
    shop.server.superuser.run("CREATE DATABASE audit; CREATE TABLE audit.log (told varchar(50))")
    shop.server.superuser.run(f"GRANT ALL ON audit.* TO `{shop.login.username}`")
    try:
        shop.login.run(
            "CREATE TRIGGER t AFTER UPDATE ON users FOR EACH ROW INSERT INTO audit.log VALUES ('x')"
        )
        with pytest.raises(Refusal, match=r"trigger 't' .*audit"):
            shop.scratch()
        dump = shop.safety()
        with pytest.raises(Refusal, match=r"trigger 't' .*audit"):
            shop.ask("load", backup=str(dump), target="backout_load_20260101000000_aaaaaaaa")
    finally:
        shop.server.superuser.run("DROP DATABASE audit")


@pytest.mark.long
def test_bad_enum_values_and_old_dates_go_through(shop: Scene) -> None:
    """Values that a strict server would not take today are copied, repaired and cut over as they are."""
    shop.login.run(
        "CREATE TABLE odd (id int PRIMARY KEY, e enum('a','b'), s set('x','y'), d datetime, y year, j json, v int);"
        "SET sql_mode = ''; INSERT INTO odd VALUES (1, 'zzz', '', '0000-00-00', 0, '{}', 1), (2, 'a', 'x', '2020-00-00', 1901, NULL, 1);"
    )
    baseline = shop.scratch()
    shop.login.run("DELETE FROM odd")
    scratch = repaired(shop, baseline, odd="restore")
    assert shop.login.rows("SELECT id, e + 0, d, y FROM odd ORDER BY id", database=scratch) == [
        ("1", "0", "0000-00-00 00:00:00", "0000"),
        ("2", "1", "2020-00-00 00:00:00", "1901"),
    ]


def test_unique_values_that_differ_by_case_come_back(shop: Scene) -> None:
    """Where a collation tells A from a, both come back; where it does not, keys that differ by case are the same row."""
    shop.login.run(
        "CREATE TABLE exact (id int PRIMARY KEY, c varchar(10) COLLATE utf8mb4_bin UNIQUE);"
        "INSERT INTO exact VALUES (1, 'a'), (2, 'b')"
    )
    baseline = shop.scratch()
    shop.login.run("DELETE FROM exact WHERE id = 1; INSERT INTO exact VALUES (3, 'A')")
    scratch = repaired(shop, baseline, exact="restore")
    assert shop.login.rows("SELECT id, c FROM exact ORDER BY id", database=scratch) == [
        ("1", "a"),
        ("2", "b"),
        ("3", "A"),
    ]


def test_keys_that_the_collation_takes_for_the_same(shop: Scene) -> None:
    """Where a key was written in capitals since, no row of the two is taken for the other: it is refused by name."""
    shop.login.run(
        "CREATE TABLE codes (c varchar(10) COLLATE utf8mb4_general_ci PRIMARY KEY, v int); INSERT INTO codes VALUES ('abc', 1), ('x', 2)"
    )
    baseline = shop.scratch()
    shop.login.run("UPDATE codes SET c = 'ABC' WHERE c = 'abc'; DELETE FROM codes WHERE c = 'x'")
    with pytest.raises(Refusal, match=r"Keys of table 'codes' .* differ only by case"):
        repaired(shop, baseline, codes="restore")


@pytest.mark.long
def test_types_of_mariadb_alone_go_through(shop: Scene) -> None:
    """UUIDs, addresses and points are filled back as they were."""
    shop.login.run(
        "CREATE TABLE typed (id uuid PRIMARY KEY, a inet6, b inet4, g geometry, p point, j json, ch char(5), bi binary(4));"
        "INSERT INTO typed VALUES ('123e4567-e89b-12d3-a456-426655440000', '::1', '10.0.0.1', ST_GeomFromText('POINT(1 2)', 4326),"
        " point(1, 2), '[]', 'a ', 'ab')"
    )
    baseline = shop.scratch()
    shop.login.run("DELETE FROM typed")
    scratch = repaired(shop, baseline, typed="restore")
    assert shop.login.rows("SELECT id, a, b, ST_SRID(g), HEX(bi) FROM typed", database=scratch) == [
        ("123e4567-e89b-12d3-a456-426655440000", "::1", "10.0.0.1", "4326", "61620000")
    ]


@pytest.mark.long
def test_checks_that_rows_do_not_meet_stop_no_copy(shop: Scene) -> None:
    """Rows that were there before a CHECK, and columns that are computed, are copied and repaired as they are."""
    shop.login.run(
        "CREATE TABLE checked (id int PRIMARY KEY, v int, w int AS (v * 2) VIRTUAL, u int AS (v + 1) STORED UNIQUE, CHECK (v > 0));"
        "SET check_constraint_checks = 0; INSERT INTO checked (id, v) VALUES (1, -1), (2, 5)"
    )
    baseline = shop.scratch()
    shop.login.run("DELETE FROM checked")
    scratch = repaired(shop, baseline, checked="restore")
    assert shop.login.rows("SELECT id, v, w, u FROM checked ORDER BY id", database=scratch) == [
        ("1", "-1", "-2", "0"),
        ("2", "5", "10", "6"),
    ]


def test_databases_whose_names_differ_only_by_case_are_told_apart(shop: Scene) -> None:
    """The next number is that of the right database."""
    twin = shop.login.database.upper()
    shop.server.superuser.run(
        f"CREATE DATABASE `{twin}`; CREATE TABLE `{twin}`.users (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, name varchar(50)) AUTO_INCREMENT = 3"
    )
    shop.server.superuser.run(f"GRANT ALL ON `{twin}`.* TO `{shop.login.username}`")
    try:
        shop.login.run("INSERT INTO users (name) VALUES ('x'), ('y'), ('z'); DELETE FROM users WHERE id > 2")
        safety = shop.safety()
        shop.login.run(
            "DROP TABLE users; CREATE TABLE users (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, name varchar(50))"
        )
        assert shop.ask("raise_numbers", safety=str(safety))["given"]["users"] == 5
    finally:
        shop.server.superuser.run(f"DROP DATABASE `{twin}`")


def test_a_sequence_gives_no_number_twice(shop: Scene) -> None:
    """A sequence of its own goes on above what live gave since the backup (R2)."""
    shop.login.run("CREATE SEQUENCE tickets NOCACHE; DO NEXTVAL(tickets)")
    dump = shop.safety()
    name = "backout_load_20260101000000_bbbbbbbb"
    shop.ask("load", backup=str(dump), target=name)
    shop.login.run("DELETE FROM users; DO NEXTVAL(tickets); DO NEXTVAL(tickets)")
    shop.cut_over(name)
    assert shop.login.rows("SELECT NEXTVAL(tickets)") == [("4",)]


@pytest.mark.long
def test_partitions_indexes_and_computed_columns_go_live_as_they_were(shop: Scene) -> None:
    """A partitioned table, one with full-text and spatial indexes and computed columns, and a composite key of two."""
    shop.login.run(
        "CREATE TABLE parts (id int, at date, v int, PRIMARY KEY (id, at)) PARTITION BY RANGE (YEAR(at))"
        " (PARTITION a VALUES LESS THAN (2025), PARTITION b VALUES LESS THAN MAXVALUE);"
        "CREATE TABLE texts (id int PRIMARY KEY, t text, p point NOT NULL, w int AS (CHAR_LENGTH(t)) STORED, FULLTEXT (t), SPATIAL (p));"
        "INSERT INTO parts VALUES (1, '2024-01-01', 1), (1, '2025-01-01', 2); INSERT INTO texts (id, t, p) VALUES (1, 'some words', point(1, 2))"
    )
    wanted = shop.fingerprint()
    baseline = shop.scratch()
    shop.login.run("DELETE FROM parts WHERE v = 2; DELETE FROM texts")
    scratch = repaired(shop, baseline, parts="restore", texts="restore")
    assert shop.cut_over(scratch)["fingerprint"] == wanted
    assert shop.login.rows("SELECT w FROM texts WHERE MATCH (t) AGAINST ('words')") == [("10",)]


def test_rows_written_in_the_very_moment_are_told_where_they_are(shop: Scene) -> None:
    """A program that writes while the tables change places: all is moved back, and its rows in the new ones are named."""
    scratch = shop.scratch()
    shop.login.run("DELETE FROM users WHERE id = 1")
    writer = subprocess.Popen(shop.login.client(), env=shop.login.environment(), stdin=subprocess.PIPE)
    stop = threading.Event()
    watcher = threading.Thread(target=write_from_then_on, args=(shop, writer, stop))
    began = shop.server.log_position()
    watcher.start()
    try:
        with pytest.raises(Refusal, match="moved back") as refused:
            shop.cut_over(scratch)
    finally:
        stop.set()
        watcher.join()
        writer.communicate()
    written = shop.server.log_since(began).count("INSERT INTO users (name) VALUES ('during')")
    count = "SELECT COUNT(*) FROM users WHERE name = 'during'"
    live, kept = shop.login.number(count), shop.login.number(count, database=scratch)
    assert live + kept == written
    assert live > 0
    assert (f"is in {scratch} alone" in str(refused.value)) == (kept > 0)


def write_from_then_on(shop: Scene, writer: subprocess.Popen[bytes], stop: threading.Event) -> None:
    """Write a row every few milliseconds as soon as the cut-over has looked whether anybody is in the way."""
    assert writer.stdin is not None
    began = shop.server.log_position()
    while "UNLOCK TABLES" not in shop.server.log_since(began) and not stop.is_set():
        time.sleep(0.001)
    while not stop.is_set():
        writer.stdin.write(b"INSERT INTO users (name) VALUES ('during');\n")
        writer.stdin.flush()
        time.sleep(0.003)


EVERYTHING = r"""
CREATE TABLE wide (id int NOT NULL COMMENT 'the id', a varchar(20) CHARACTER SET latin1 COLLATE latin1_german1_ci DEFAULT 'it''s',
    b text, c timestamp(3) NOT NULL DEFAULT current_timestamp(3) ON UPDATE current_timestamp(3), d int UNSIGNED ZEROFILL,
    e varchar(40) AS (CONCAT(a, '!')) VIRTUAL, f decimal(65,30), g char(3) DEFAULT (UPPER('x')), h double(8,2), i float(7,3),
    PRIMARY KEY (id), UNIQUE KEY pre (b(10)), KEY late (a, d DESC), FULLTEXT KEY words (b), CONSTRAINT small CHECK (id < 1000))
    ENGINE=InnoDB ROW_FORMAT=DYNAMIC COMMENT='wide; -- one' AUTO_INCREMENT=7 STATS_PERSISTENT=1;
CREATE TABLE old (a int, b varchar(10), KEY (b)) ENGINE=MyISAM DEFAULT CHARSET=latin1; CREATE TABLE aria (a int) ENGINE=Aria;
INSERT INTO wide (id, a, b, d, f, h, i) VALUES (1, 'ü', '😀 emoji', 42, 1.000000000000000000000000000001, 1.25, 3.142), (-1, 'trail ', 'Ä', 0, -0.5, -0.0, 0.1);
INSERT INTO old VALUES (1, 'ü'), (1, 'ü'), (NULL, NULL); INSERT INTO aria VALUES (1);
CREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW odd AS SELECT id, a AS `we``ird "x"` FROM wide WHERE id > 0 WITH CASCADED CHECK OPTION;
CREATE OR REPLACE FUNCTION told(a varchar(10)) RETURNS varchar(20) CHARSET latin1 READS SQL DATA COMMENT 'says' RETURN CONCAT(a, '?');
CREATE TRIGGER w1 BEFORE UPDATE ON wide FOR EACH ROW SET NEW.b = CONCAT(NEW.b, ' by trigger');
CREATE TRIGGER w2 BEFORE UPDATE ON wide FOR EACH ROW PRECEDES w1 SET NEW.d = 0;
"""


def whole_text(shop: Scene, database: str) -> list[str]:
    """Return all that a superuser's dump tells of a database, without what differs anyway."""
    words = [
        "--no-defaults",
        "--hex-blob",
        "--routines",
        "--triggers",
        "--skip-comments",
        "--order-by-primary",
    ]
    dump = [
        str(shop.server.bin / "mariadb-dump"),
        *words,
        f"--socket={shop.server.socket}",
        "-uroot",
        database,
    ]
    done = subprocess.run(dump, capture_output=True, check=True)
    # Rows without a key come in another order; the last one of a table ends otherwise.
    return [line.rstrip(",;") for line in done.stdout.decode(errors="surrogateescape").splitlines()]


def test_a_dump_of_all_there_is_tells_the_same_after(mariadb_server: MariadbServer, tmp_path: Path) -> None:
    """Each type, option, trigger order and comment: rows lost and repaired through an image, and the dump is the same."""
    with opened_scene(mariadb_server, tmp_path, SHOP + TYPES + EVERYTHING) as shop:
        before = whole_text(shop, shop.login.database)
        baseline = shop.scratch()
        shop.login.run(
            "DELETE FROM everything; DELETE FROM wide; DELETE FROM pairs; DELETE FROM old WHERE a = 1"
        )
        tables = ("everything", "wide", "pairs", "old")
        scratch = repaired(shop, baseline, **dict.fromkeys(tables, "restore"))
        shop.cut_over(scratch)
        after = whole_text(shop, shop.login.database)
        assert sorted(set(before) - set(after)) == sorted(set(after) - set(before)) == []
