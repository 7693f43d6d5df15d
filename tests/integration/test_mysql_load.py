"""A mysqldump file becomes a scratch database with the same content, whatever its options, or nothing at all."""

from __future__ import annotations

import bz2
import gzip
import json
import re
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.load import load_dump
from tests.integration.mysql_load_scene import HOSTILE, PROGRAMS, Scene, opened_scene
from tests.servers.mariadb import MariadbServer


@pytest.fixture(scope="module")
def scene(mariadb_server: MariadbServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Return a database with hostile rows and names."""
    with opened_scene(mariadb_server, tmp_path_factory.mktemp("load")) as made:
        yield made


@pytest.fixture(scope="module")
def whole(scene: Scene) -> bytes:
    """Return its dump with mysqldump's defaults."""
    return scene.dump()


@pytest.fixture(scope="module")
def small(scene: Scene) -> bytes:
    """Return the dump of three of its tables."""
    return scene.dump(tables=("migrations", "remarks", "users"))


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--compact",),
        pytest.param(("--skip-extended-insert",), marks=pytest.mark.long),
        ("--complete-insert", "--skip-extended-insert"),
        pytest.param(("--complete-insert",), marks=pytest.mark.long),
        ("--skip-opt",),
        pytest.param(("--skip-comments",), marks=pytest.mark.long),
        ("--replace",),
        pytest.param(("--insert-ignore", "--skip-add-locks"), marks=pytest.mark.long),
        ("--hex-blob", "--single-transaction", "--quick", "--no-tablespaces"),
        ("--no-autocommit", "--skip-quote-names", "--ignore-table=any.odd `name; --"),
        pytest.param(("--tz-utc=0",), marks=pytest.mark.long),
        ("--order-by-primary", "--net-buffer-length=4096"),
        pytest.param(("--default-character-set=utf8mb4", "--skip-set-charset"), marks=pytest.mark.long),
        ("--add-drop-trigger", "--skip-add-drop-table"),
    ],
    ids=lambda options: " ".join(options) or "plain",
)
def test_every_form_of_a_dump_gives_back_the_same_content(scene: Scene, options: tuple[str, ...]) -> None:
    """Rows and definitions of every table are those of the source."""
    if "--skip-quote-names" in options:  # names that need quotes cannot be dumped so
        options = (*options[:-1], f"--ignore-table={scene.login.database}.odd `name; --")
    name, answer = scene.load(scene.dump(*options))
    source, loaded = scene.content(scene.login.database), scene.content(name)
    if "--skip-quote-names" in options:
        del source["odd `name; --"]
    if "--skip-opt" in options:  # leaves out engines and AUTO_INCREMENT: the rows only
        source, loaded = ({n: (c[0], "") for n, c in each.items()} for each in (source, loaded))
    assert loaded == source
    assert answer["tables"]["remarks"] == 3000
    assert answer["foreign_key_violations"] == {}
    assert [row["migration"] for row in answer["migrations"]] == [
        "2024_01_01_000000_create",
        "2024_02_01_000000_second",
    ]


@pytest.mark.parametrize("packing", ["gz", "bz2", "zip", "zst"])
def test_packed_dumps_load(scene: Scene, whole: bytes, packing: str, tmp_path: Path) -> None:
    """Gzip, bzip2, zip and zstd give the same content."""
    if packing == "zip":
        with zipfile.ZipFile(tmp_path / "z", "w") as archive:
            archive.writestr("dump.sql", whole)
        packed = (tmp_path / "z").read_bytes()
    elif packing == "zst":
        packed = subprocess.run(["zstd", "-q"], input=whole, check=True, capture_output=True).stdout
    else:
        packed = {"gz": gzip.compress, "bz2": bz2.compress}[packing](whole)
    name, _ = scene.load(packed)
    assert scene.content(name) == scene.content(scene.login.database)


@pytest.mark.parametrize("connections", [1, 3])
def test_any_number_of_connections_gives_the_same(scene: Scene, whole: bytes, connections: int) -> None:
    """One connection or three: the same content."""
    name, _ = scene.load(whole, connections=connections)
    assert scene.content(name) == scene.content(scene.login.database)


def test_views_triggers_routines_and_events_come_back(mariadb_server: MariadbServer, tmp_path: Path) -> None:
    """They are there as in the source, belong to the application's user, and the event does not run."""
    with opened_scene(mariadb_server, tmp_path, sql=HOSTILE + PROGRAMS) as own:
        dump = own.dump("--routines", "--triggers", "--events")
        dump = dump.replace(b"BEGIN\n    \n", b"BEGIN\n    -- a comment; with a semicolon\n")
        mariadb_server.superuser.run("SET GLOBAL event_scheduler = ON")
        try:
            name, answer = own.load(dump)
        finally:
            mariadb_server.superuser.run("SET GLOBAL event_scheduler = OFF")
        root = mariadb_server.superuser
        assert root.number(f"SELECT count(*) FROM `{name}`.a_view") == 400
        assert root.number(f"SELECT `{name}`.twice(21)") == 42
        body = root.rows(f"SHOW CREATE TRIGGER `{name}`.seen")[0][2]
        assert "-- a comment; with a semicolon\n" in body
        states = root.rows(
            f"SELECT status, definer FROM information_schema.events WHERE event_schema = '{name}'"
        )
        assert states == [("DISABLED", f"{own.login.username}@%")]
        assert answer["tables"]["bare"] == 50
        assert root.number(f"SELECT count(*) FROM `{name}`.remarks WHERE body LIKE '%seen;%'") == 0
        notes = "\n".join(answer["notes"])
        assert "event 'nightly' was made DISABLED" in notes
        assert "trigger 'seen': its definer root@localhost is another user" in notes


def test_sequences_come_back(mariadb_server: MariadbServer, tmp_path: Path) -> None:
    """A MariaDB sequence goes on above every number it gave, the ones kept ready included."""
    sql = "CREATE SEQUENCE `numbers` START WITH 10; SELECT NEXTVAL(`numbers`); CREATE TABLE t (id int PRIMARY KEY);"
    with opened_scene(mariadb_server, tmp_path, sql=sql) as own:
        name, _ = own.load(own.dump())
        there = mariadb_server.superuser.number(f"SELECT NEXTVAL(`{own.login.database}`.`numbers`)")
        assert mariadb_server.superuser.number(f"SELECT NEXTVAL(`{name}`.`numbers`)") > there


def test_numbers_go_on_above_every_one_ever_given(scene: Scene, small: bytes) -> None:
    """AUTO_INCREMENT is that of the dump, although the highest row is lower (R2)."""
    name, _ = scene.load(small)
    sql = f"SELECT auto_increment FROM information_schema.tables WHERE table_schema = '{name}' AND table_name = 'users'"
    assert scene.server.superuser.number(sql) == 900


@pytest.mark.parametrize("part", range(1, 12, 2))
def test_a_dump_cut_anywhere_leaves_nothing(scene: Scene, small: bytes, part: int) -> None:
    """Cut at any twelfth, or at the statement's end before it, no scratch is left."""
    before, cut = scene.backouts(), len(small) * part // 12
    for place in (cut, small.rfind(b";\n", 0, cut) + 2):
        with pytest.raises(Refusal) as refused:
            scene.load(small[:place])
        assert refused.value.kind == "damaged"
        assert "was thrown away" in refused.value.message
    assert scene.backouts() == before


def test_damaged_packing_leaves_nothing(scene: Scene, small: bytes) -> None:
    """A gzip file cut short is refused, although a part of it could be loaded."""
    before = scene.backouts()
    with pytest.raises(Refusal) as refused:
        scene.load(gzip.compress(small)[:-30])
    assert refused.value.kind == "damaged"
    assert scene.backouts() == before


def test_other_counts_than_the_manifest_are_refused(scene: Scene, small: bytes) -> None:
    """A load that has one row less than the manifest says is not kept."""
    before = scene.backouts()
    with pytest.raises(Refusal, match="users has 400 rows, the manifest says 401"):
        scene.load(small, expect={"tables": {"users": 401}})
    assert scene.backouts() == before
    assert scene.load(small, expect={"tables": {"users": 400, "remarks": None}})[1]["tables"]["users"] == 400


def test_a_scratch_that_is_there_is_left_alone(scene: Scene, small: bytes) -> None:
    """A second load into the same name is refused and does not drop the first."""
    name, _ = scene.load(small)
    for like in (scene.login.database, None):
        with pytest.raises(Refusal) as refused:
            load_dump(scene.reader, str(scene.file(small)), name, like=like)
        assert refused.value.kind == "changed"
    assert len(scene.content(name)) == 3


def test_rows_without_a_parent_are_counted(scene: Scene) -> None:
    """Rows of the backup that pointed nowhere already load, and are told per foreign key (R6)."""
    text = scene.dump().replace(b"INSERT INTO `users` VALUES\n(1,", b"INSERT INTO `users` VALUES\n(70001,")
    _, answer = scene.load(text)
    assert answer["foreign_key_violations"] == {"remarks(user_id) -> users": 7}


REFUSED = {
    "USE": b"USE `album1`;",
    "CREATE DATABASE": b"CREATE DATABASE /*!32312 IF NOT EXISTS*/ `album1`;",
    "DROP DATABASE": b"/*!40000 DROP DATABASE IF EXISTS `album1`*/;",
    "ALTER DATABASE": b"ALTER DATABASE `album1` CHARACTER SET utf8mb4;",
    "GRANT": b"GRANT ALL ON *.* TO x;",
    "LOAD DATA": b"LOAD DATA INFILE '/etc/passwd' INTO TABLE users;",
    "SET GLOBAL": b"SET GLOBAL general_log = 0;",
    "SOURCE": b"source /etc/group;",
    "SYSTEM": b"system touch /tmp/x;",
    "DELETE FROM": b"DELETE FROM users;",
    "UPDATE": b"/*!50003 UPDATE users SET is_admin = 1 */;",
    "TRUNCATE": b"TRUNCATE users;",
    "CALL": b"CALL mysql.x();",
    "RENAME TABLE": b"RENAME TABLE users TO album1.users;",
    "INSERT INTO": b"INSERT INTO album1.users VALUES (1,'x',1);",
    "users": b"INSERT INTO users VALUES (9001,(SELECT 1),1);",
    "remarks": b"INSERT INTO `remarks` VALUES (9001,1,NULL,sleep(9));",
    "nowhere": b"INSERT INTO nowhere VALUES (1);",
    "names another database": b"CREATE TABLE `album1`.`x` (id int);",
    "refers to another database": b"CREATE TABLE x (id int, FOREIGN KEY (id) REFERENCES `album1`.`users` (id));",
    "FEDERATED": b"CREATE TABLE x (id int) ENGINE=FEDERATED;",
    "option DATA": b"CREATE TABLE x (id int) DATA DIRECTORY='/tmp';",
    "a query": b"CREATE TABLE x AS SELECT * FROM users;",
    "CREATE USER": b"CREATE USER x;",
    "SONAME": b"CREATE FUNCTION f RETURNS STRING SONAME 'x.so';",
    "quotes mean": b"SET sql_mode = 'NO_BACKSLASH_ESCAPES';",
    "half a letter": b"SET NAMES gbk;",
    "SELECT": b"SELECT 1 INTO OUTFILE '/tmp/x';",
    "ALTER TABLE": b"ALTER TABLE users RENAME TO album1.users;",
    "client command": b"\\! touch /tmp/x\n;",
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_a_dump_has_no_need_of_is_refused_by_name(scene: Scene, small: bytes, told: str) -> None:
    """Such a statement in the middle of a dump ends the load; the server never sees it, and nothing is left."""
    at = small.rindex(b"UNLOCK TABLES;\n") + len(b"UNLOCK TABLES;\n")
    before, position = scene.backouts(), scene.server.log_position()
    with pytest.raises(Refusal, match=re.escape(told)) as refused:
        scene.load(small[:at] + REFUSED[told] + b"\n" + small[at:])
    assert refused.value.kind in ("refused", "damaged")
    assert REFUSED[told].decode().rstrip(";\n") not in scene.server.log_since(position)
    assert scene.backouts() == before


def test_an_unknown_collation_is_named_and_never_mapped(scene: Scene, small: bytes) -> None:
    """MySQL 8's default collation stops the load with its name (B5)."""
    with pytest.raises(Refusal, match="utf8mb4_0900_ai_ci") as refused:
        scene.load(small.replace(b"utf8mb4_unicode_ci", b"utf8mb4_0900_ai_ci"))
    assert refused.value.kind == "refused"


def test_what_needs_rights_of_administrators_is_left_out_and_told(scene: Scene, whole: bytes) -> None:
    """The lines that MySQL 8's dump has for replication (hand-made here) are left out; the rest loads."""
    head = (
        b"SET @MYSQLDUMP_TEMP_LOG_BIN = @@SESSION.SQL_LOG_BIN;\nSET @@SESSION.SQL_LOG_BIN= 0;\n"
        b"SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5';\n"
        b"CHANGE MASTER TO MASTER_LOG_FILE='x', MASTER_LOG_POS=4;\n"
    )
    at = whole.index(b"--\n-- Table structure")
    end = whole.rindex(b"-- Dump completed")
    tail = b"SET @@SESSION.SQL_LOG_BIN = @MYSQLDUMP_TEMP_LOG_BIN;\n"
    text = whole[:at] + head + whole[at:end] + tail + whole[end:]
    name, answer = scene.load(text)
    notes = "\n".join(answer["notes"])
    assert "GTID_PURGED" in notes
    assert "SQL_LOG_BIN" in notes
    assert "replication" in notes
    assert scene.content(name) == scene.content(scene.login.database)


def test_stand_ins_that_are_tables_give_way_to_their_views(scene: Scene) -> None:
    """The form of mysqldump before 5.7 (hand-made here): a table stands in for the view until it can be made."""
    text = (
        b"CREATE TABLE `t` (`id` int NOT NULL, PRIMARY KEY (`id`));\nINSERT INTO `t` VALUES (1),(2);\n"
        b"/*!50001 DROP VIEW IF EXISTS `v`*/;\n/*!50001 CREATE TABLE `v` (\n  `id` tinyint NOT NULL\n) ENGINE=MyISAM */;\n"
        b"/*!50001 DROP TABLE IF EXISTS `v`*/;\n"
        b"/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`gone`@`%` SQL SECURITY DEFINER */\n"
        b"/*!50001 VIEW `v` AS select `t`.`id` AS `id` from `t` */;\n"
    )
    name, answer = scene.load(text)
    assert scene.server.superuser.number(f"SELECT count(*) FROM `{name}`.v") == 2
    assert answer["tables"] == {"t": 2}
    assert any("gone@%" in note for note in answer["notes"])


def test_a_statement_longer_than_the_packet_is_refused(scene: Scene) -> None:
    """Rows that the server would not take in one piece are refused with its limit, and little is read of them."""
    limit = scene.server.superuser.number("SELECT @@max_allowed_packet")
    text = (
        b"CREATE TABLE `t` (`id` int PRIMARY KEY, `v` longtext);\nINSERT INTO `t` VALUES (1,'"
        + b"x" * limit
        + b"');\n"
    )
    with pytest.raises(Refusal, match=f"max_allowed_packet of {limit} bytes"):
        scene.load(text)


def test_progress_is_told_in_bytes(scene: Scene, small: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that the job names says what is done of the backup's bytes, or of the proofs behind it."""
    path = scene.folder / "progress.json"
    monkeypatch.setenv("BACKOUT_PROGRESS", str(path))
    scene.load(small)
    told = json.loads(path.read_text())
    assert told["unit"] in ("bytes", "tables", "databases")
