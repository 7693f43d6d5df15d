"""What the scanner says of whole and hostile dumps in the layouts of each tool."""

from __future__ import annotations

import tracemalloc

import pytest

from bot.dumps.manifest import ABSENT, FAILED, IMPOSSIBLE, PRESENT, Reading
from bot.dumps.scanner import DumpScanner
from tests.zoo import texts


def read(text: bytes, dump_format: str, block_bytes: int = 64) -> Reading:
    scanner = DumpScanner(dump_format)
    for place in range(0, len(text), block_bytes):
        scanner.feed(text[place : place + block_bytes])
    return scanner.finish()


@pytest.mark.parametrize("block_bytes", [1, 17, 1 << 20])
def test_a_mariadb_dump_tells_all_it_holds(block_bytes: int) -> None:
    """Tables, rows, columns, versions, database, objects and end time are read from a MariaDB dump."""
    manifest = read(texts.mariadb_dump(), "mariadb_dump", block_bytes).manifest

    assert {name: entry.rows for name, entry in manifest.tables.items()} == {
        "albums": 2,
        "migrations": 3,
        "pictures": 3,
    }
    assert manifest.tables["albums"].columns == ["id", "name"]
    assert (manifest.database, manifest.completed) == ("album", "2026-11-22 15:53:01")
    assert manifest.tool_version == "MariaDB dump 10.19  Distrib 10.11.19-MariaDB"
    assert manifest.server_version == "10.11.19-MariaDB"
    assert manifest.schema_objects == {"triggers": 1, "views": 0, "indexes": 1, "routines": 0, "events": 0}
    assert [row["name"] for row in manifest.migrations or []][-1] == "2025_02_01_000000_add_notes"
    assert manifest.end_marker == PRESENT


def test_a_mariadb_dump_names_its_hazards() -> None:
    """The sandbox line and a DEFINER are found, and neither blocks."""
    hazards = read(texts.mariadb_dump(), "mariadb_dump").hazards

    assert {(hazard.code, hazard.severity) for hazard in hazards} == {
        ("sandbox_line", "note"),
        ("definer", "note"),
    }


@pytest.mark.parametrize("block_bytes", [1, 17, 1 << 20])
def test_a_postgresql_dump_tells_all_it_holds(block_bytes: int) -> None:
    """COPY rows, columns and versions are read from pg_dump's plain text; a function's body is no statement."""
    reading = read(texts.pg_dump(), "pg_plain", block_bytes)

    assert {name: entry.rows for name, entry in reading.manifest.tables.items()} == {
        "albums": 3,
        "migrations": 3,
        "pictures": 1,
    }
    assert reading.manifest.tool_version == "pg_dump version 15.18"
    assert reading.manifest.schema_objects["indexes"] == 1
    assert [row["batch"] for row in reading.manifest.migrations or []] == [1, 1, 1]
    assert {hazard.code for hazard in reading.hazards} == {"restrict", "owner_to"}


def test_a_marker_within_a_value_is_no_marker() -> None:
    """A dump cut right behind the end marker's text inside a value is cut."""
    dump = texts.mysql_dump()
    cut = dump[: dump.index(b"-- Dump completed on 2026-11-22 15:53:01") + 40]

    assert read(cut, "mysql_dump").manifest.end_marker == ABSENT


@pytest.mark.parametrize(
    ("tail", "marker"),
    [
        (b"COMMIT;\n", PRESENT),
        (b"COMMIT;", PRESENT),
        (b"COMMIT", ABSENT),
        (b"", ABSENT),
        (b"ROLLBACK; -- due to errors\n", FAILED),
        (b"COMMIT;\nCREATE TABLE u(x);\n", ABSENT),
        (b"COMMIT;\nCREATE TABLE u('", ABSENT),
    ],
)
def test_a_sqlite_dump_ends_with_its_commit(tail: bytes, marker: str) -> None:
    """Only COMMIT as the last statement is the end of a SQLite dump; ROLLBACK is a failed one."""
    text = (
        b"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t(x);\nINSERT INTO t VALUES(1);\n" + tail
    )

    assert read(text, "sqlite_dump").manifest.end_marker == marker


def test_a_dump_without_comments_can_have_no_marker() -> None:
    """A dump made with --compact has no end marker, and is not called cut."""
    assert (
        read(
            b"CREATE TABLE `t` (\n  `a` int\n);\nINSERT INTO `t` VALUES (1);\n", "mysql_dump"
        ).manifest.end_marker
        == IMPOSSIBLE
    )


@pytest.mark.parametrize(
    ("dump_format", "statement", "code"),
    [
        ("mysql_dump", b"USE `album`;\n", "use_database"),
        ("mysql_dump", b"CREATE DATABASE /*!32312 IF NOT EXISTS*/ `album`;\n", "create_database"),
        ("mysql_dump", b"/*!40000 DROP DATABASE IF EXISTS `album`*/;\n", "create_database"),
        ("mysql_dump", b"system touch x;\n", "client_command"),
        ("pg_plain", b"\\connect album\n", "use_database"),
        ("pg_plain", b"\\! touch x\n", "client_command"),
        ("pg_plain", b"CREATE DATABASE album;\n", "create_database"),
        ("sqlite_dump", b"ATTACH 'x' AS y;\n", "attach_database"),
        ("sqlite_dump", b".shell touch x\n", "client_command"),
        ("sqlite_dump", b"SELECT load_extension('x');\n", "load_extension"),
        ("sqlite_dump", b"CREATE TABLE t(x);\nCREATE TABLE t(x);\n", "table_twice"),
    ],
)
def test_what_leaves_the_scratch_database_blocks(dump_format: str, statement: bytes, code: str) -> None:
    """A dump that names a database, runs programs or holds two dumps is blocked, by name."""
    reading = read(b"-- a comment\n" + statement + b"CREATE TABLE u(x int);\n", dump_format)

    assert [(hazard.code, hazard.severity) for hazard in reading.hazards] == [(code, "block")]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        (b"SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '';\n", "gtid_purged"),
        (b"SET @@SESSION.SQL_LOG_BIN= 0;\n", "sql_log_bin"),
        (b"CREATE TABLE `t` (`a` int) COLLATE=utf8mb4_0900_ai_ci;\n", "collation"),
        (b"CREATE TABLE `t` (`a` int) COLLATE=utf8mb4_uca1400_ai_ci;\n", "collation"),
    ],
)
def test_what_another_server_may_not_know_is_noted(statement: bytes, code: str) -> None:
    """Rights and collations that another server may lack are named, and do not block."""
    assert [(found.code, found.severity) for found in read(statement, "mysql_dump").hazards] == [
        (code, "note")
    ]


def test_hazard_words_inside_values_are_values() -> None:
    """A value that reads like USE, ATTACH or load_extension is no hazard."""
    text = b"BEGIN TRANSACTION;\nCREATE TABLE t(x);\nINSERT INTO t VALUES('\nATTACH y;\n.shell x\nload_extension(');\nCOMMIT;\n"

    reading = read(text, "sqlite_dump")

    assert reading.hazards == []
    assert reading.manifest.tables["t"].rows == 1


def test_damage_is_carried_into_the_manifest() -> None:
    """The reason for which a stream ended early stands in the manifest."""
    scanner = DumpScanner("sqlite_dump")
    scanner.feed(b"BEGIN TRANSACTION;\n")

    assert scanner.finish("the gzip stream is cut short").manifest.damage == "the gzip stream is cut short"


def test_rows_of_copy_are_never_read_as_statements() -> None:
    """Wherever a block ends, COPY's rows stay rows: a value that reads like a command is neither hazard nor table."""
    rows = b"CREATE DATABASE x;\n\\\\! touch x\n\\\\.\nCREATE TABLE y(a int);\n"
    text = b"--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE public.t (a text);\nCOPY public.t (a) FROM stdin;\n"
    text += rows + b"\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n"

    for block_bytes in range(1, 60):
        reading = read(text, "pg_plain", block_bytes)
        assert {name: entry.rows for name, entry in reading.manifest.tables.items()} == {"t": 4}
        assert (reading.hazards, reading.manifest.end_marker) == ([], PRESENT)


MESSAGE = b"mysqldump: Error 2013: Lost connection to server during query when dumping table `x` at row: 17\n"


def test_a_programs_message_anywhere_in_a_mariadb_dump_is_found() -> None:
    """Wherever standard error was written into the dump, between lines or within one, it blocks."""
    dump = texts.mariadb_dump()
    begin, end = dump.index(b"\n") + 1, dump.index(b"-- Dump completed on", dump.index(b"OLD_SQL_NOTES"))

    for place in range(begin, end, 2):
        reading = read(dump[:place] + MESSAGE + dump[place:], "mariadb_dump", 1 << 20)
        whole = reading.manifest.end_marker == PRESENT and not reading.manifest.damage
        assert not whole or "foreign_text" in {hazard.code for hazard in reading.hazards}, dump[:place][-60:]


def test_a_row_of_copy_with_another_number_of_values_blocks() -> None:
    """A program's message among COPY's rows has too few tabs for a row."""
    dump = texts.pg_dump().replace(b"2\t\\\\.\n", b"2\t\\\\.\npg_dump: error: query failed\n")

    assert "foreign_text" in {hazard.code for hazard in read(dump, "pg_plain").hazards}


def test_rows_without_their_tables_block() -> None:
    """A dump made with --no-create-info cannot be loaded into an empty database."""
    dump = b"-- MySQL dump 10.13  Distrib 8.0.36\nINSERT INTO `t` VALUES (1);\n-- Dump completed\n"

    assert [found.code for found in read(dump, "mysql_dump").hazards] == ["no_structure"]


def test_a_lost_beginning_is_damage() -> None:
    """A dump whose first bytes are lost has an end marker and is not whole."""
    dump = texts.mysql_dump()

    reading = read(dump[dump.index(b"DROP TABLE") :], "mysql_dump")

    assert reading.manifest.damage == "its beginning is missing"


def test_zero_bytes_are_damage() -> None:
    """A hole of zero bytes, as a crash leaves it, is damage."""
    dump = texts.pg_dump()

    assert "zero bytes" in str(read(dump[:900] + b"\0" * 64 + dump[964:], "pg_plain").manifest.damage)


def test_nothing_is_kept_of_what_follows_damage() -> None:
    """However much follows a hole of zero bytes, memory stays flat."""
    block = b"INSERT INTO t VALUES (1);\n" * 20_000
    scanner = DumpScanner("mysql_dump")
    scanner.feed(texts.mysql_dump() + b"\0")
    tracemalloc.start()
    for _ in range(20):
        scanner.feed(block)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 3 * len(block)
    assert "zero bytes" in str(scanner.finish().manifest.damage)


def test_a_restrict_key_that_is_cut_is_no_end() -> None:
    """The last line repeats the key of the first; a part of it is a cut dump."""
    dump = texts.pg_dump().rstrip()

    assert read(dump, "pg_plain").manifest.end_marker == PRESENT
    assert read(dump[:-3], "pg_plain").manifest.end_marker == ABSENT


def test_a_row_without_columns_is_counted() -> None:
    """pg_dump --inserts writes `DEFAULT VALUES` for a table without columns."""
    text = b"CREATE TABLE public.t (\n);\nINSERT INTO public.t DEFAULT VALUES;\nINSERT INTO public.t DEFAULT VALUES;\n"

    assert read(text, "pg_plain").manifest.tables["t"].rows == 2


def test_rows_in_a_character_set_with_backslashes_in_its_signs_are_not_counted() -> None:
    """In gbk and its kin a sign's second byte may be a backslash, so quotes cannot be told; no count is given."""
    dump = texts.mysql_dump().replace(b"DROP TABLE", b"/*!40101 SET NAMES gbk */;\nDROP TABLE", 1)

    assert {entry.rows for entry in read(dump, "mysql_dump").manifest.tables.values()} == {None}
