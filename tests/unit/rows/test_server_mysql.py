"""What MySQL and MariaDB are asked by version, and how names, values, rights and checks are read (no server needed)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.check import why_not_a_question
from adapters.host_reader.mysql.client import Programs, Session, SqlRefusal, option_file, unescaped
from adapters.host_reader.mysql.definitions import views
from adapters.host_reader.mysql.dumping import dump_options
from adapters.host_reader.mysql.fitness import crash_words
from adapters.host_reader.mysql.names import quoted, text_literal
from adapters.host_reader.mysql.rights import _covers, _parsed, refuse_unseen_triggers
from adapters.host_reader.mysql.rows import writer_of
from adapters.host_reader.mysql.schema import (
    Definition,
    _mariadb_default,
    _mysql_default,
    refuse_self_named,
    schema_hash,
)
from adapters.host_reader.server.access import Credentials
from adapters.host_reader.server.port import ServerColumn

# Of the programs' own `--version`, recorded (MariaDB 10.11) and from their documentation (the others).
VERSIONS = [
    ("mariadb-dump  Ver 10.19 Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)", []),
    ("mariadb-dump from 11.4.2-MariaDB, client 10.19 for Linux (x86_64)", []),
    ("mysqldump  Ver 10.13 Distrib 5.7.44, for Linux (x86_64)", ["--set-gtid-purged=OFF"]),
    (
        "mysqldump  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)",
        ["--set-gtid-purged=OFF", "--column-statistics=0"],
    ),
    (
        "mysqldump  Ver 9.1.0 for Linux on x86_64 (MySQL Community Server - GPL)",
        ["--set-gtid-purged=OFF", "--column-statistics=0"],
    ),
]


@pytest.mark.parametrize(("said", "more"), VERSIONS)
def test_the_dump_program_gets_the_options_of_its_vendor(tmp_path: Path, said: str, more: list[str]) -> None:
    """MariaDB's knows neither GTID nor column statistics; MySQL's needs both turned off, 5.7's only the first (S3)."""
    program = tmp_path / "dump"
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    options = dump_options(Programs("/usr/bin/mysql", str(program), "MariaDB" in said, ""))
    assert [each for each in options if "gtid" in each or "statistics" in each] == more
    assert {"--single-transaction", "--routines", "--triggers", "--events", "--hex-blob"} <= set(options)


def credentials(password: str | None) -> Credentials:
    return Credentials("mysql", "127.0.0.1", 3307, None, "us'er", password, "shop", None, None, None)


@pytest.mark.parametrize(
    "password",
    ["plain", "with # sign", 'qu"ote', "back\\slash\\n", "'single'", " blanks ", "ünï😀", "tab\there", ""],
)
def test_the_option_file_gives_the_password_back_exactly(tmp_path: Path, password: str) -> None:
    """MariaDB's own reader of option files prints what was written, whatever signs are in it."""
    path = tmp_path / "client.cnf"
    path.write_text(option_file(credentials(password)), encoding="utf-8")
    command = ["my_print_defaults", f"--defaults-file={path}", "client"]
    shown = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert f"--password={password}\n" in shown
    assert "--user=us'er\n" in shown
    assert "--port=3307\n" in shown


def test_a_socket_is_used_alone() -> None:
    """Where the application reaches its server by a socket, host and port are not told to the client."""
    text = option_file(
        Credentials("mysql", "db.example.org", 3306, "/run/m.sock", "u", "p", "d", None, None, None)
    )
    assert 'socket="/run/m.sock"' in text
    assert "example.org" not in text


def test_names_and_texts_cannot_become_sql() -> None:
    """A backtick in a name is doubled, a text is digits only."""
    assert quoted("a`b; --") == "`a``b; --`"
    assert text_literal("'; DROP TABLE x; --") == "_utf8mb4 0x" + b"'; DROP TABLE x; --".hex()
    with pytest.raises(Refusal):
        quoted("a\0b")


@pytest.mark.parametrize("value", ["1); DROP TABLE x", "0x10", "1 OR 1", "nan", "", "1e", b"12; x"])
def test_a_number_column_takes_numbers_only(value: str | bytes) -> None:
    """What is no number is refused before it becomes SQL."""
    for told in ("bigint(20) unsigned", "decimal(10,2)", "double"):
        kind = "integer" if told.startswith("bigint") else "text"
        with pytest.raises(Refusal, match="must be a number"):
            writer_of(ServerColumn("a", told, kind, False, None))(value)


def test_the_clients_escapes_are_read_once() -> None:
    """A backslash followed by n in the value stays that."""
    assert unescaped(rb"a\\nb\nc\td\0\\") == "a\\nb\nc\td\0\\"


@pytest.mark.parametrize(
    ("mariadb", "mysql", "kind", "meant"),
    [
        ("'it''s \\\\ x'", "it's \\ x", "text", "it's \\ x"),
        ("NULL", None, "text", None),
        (None, None, "text", None),
        ("0", "0", "integer", 0),
        ("-1.50", "-1.50", "text", "-1.50"),
        ("current_timestamp()", "CURRENT_TIMESTAMP", "text", None),
        ("'NULL'", "NULL", "text", "NULL"),
        ("b'101'", "b'101'", "integer", 5),
        ("uuid()", None, "text", None),
    ],
)
def test_literal_defaults_are_read(mariadb: str | None, mysql: str | None, kind: str, meant: object) -> None:
    """MariaDB tells a default as SQL, MySQL as bare text; a computed one is none."""
    assert _mariadb_default(mariadb, kind) == meant
    assert _mysql_default(mysql, kind, "") == meant


@pytest.mark.parametrize(
    ("grant", "database", "covers"),
    [
        (r"GRANT ALL PRIVILEGES ON `backout\_%`.* TO `u`@`%`", "backout_x", True),
        (r"GRANT ALL PRIVILEGES ON `backout\_%`.* TO `u`@`%`", "backoutx", False),
        ("GRANT ALL PRIVILEGES ON `backout_%`.* TO `u`@`%`", "backoutxx", True),
        ("GRANT SELECT, CREATE ON *.* TO `u`@`%`", "anything", True),
        ("GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*x'", "anything", True),
        ("GRANT `role` TO `u`@`%`", "anything", False),
        ("GRANT ALL PRIVILEGES ON `od``d.*`.* TO `u`@`%`", "od`d.*", True),
    ],
)
def test_grants_cover_names_by_their_pattern(grant: str, database: str, covers: bool) -> None:
    """`%` and `_` are wildcards in a grant, with a backslash before them they are not."""
    assert _covers(_parsed(grant)[1], database) == covers


class Grants(Session):
    """A session of which only the user's grants are asked."""

    def __init__(self, *grants: str) -> None:
        self._grants = grants

    def rows(self, sql: str, doing: str) -> list[list[str | None]]:
        """Return the lines of SHOW GRANTS."""
        del doing
        assert sql == "SHOW GRANTS"
        return [[grant] for grant in self._grants]


@pytest.mark.parametrize(
    ("grants", "is_mariadb", "is_refused"),
    [
        ([r"GRANT ALL PRIVILEGES ON `shop`.* TO `u`@`%`"], False, False),
        (["GRANT USAGE ON *.* TO `u`@`%`", "GRANT SELECT, TRIGGER ON `shop`.* TO `u`@`%`"], False, False),
        (["GRANT USAGE ON *.* TO `u`@`%`", "GRANT SELECT, UPDATE ON `shop`.* TO `u`@`%`"], False, True),
        (["GRANT SELECT, UPDATE ON `shop`.* TO `u`@`%`"], True, False),
        (["GRANT SELECT ON `shop`.* TO `u`@`%`", "GRANT `writers`@`%` TO `u`@`%`"], False, False),
    ],
)
def test_triggers_that_mysql_does_not_list_are_thought_of(
    grants: list[str], is_mariadb: bool, is_refused: bool
) -> None:
    """Without TRIGGER a backup of MySQL could miss triggers and look whole; MariaDB lists them, and a role may give it.

    The lines are as MySQL 8.0's manual shows them (SHOW GRANTS); MySQL was not run.
    """
    if is_refused:
        with pytest.raises(Refusal, match="GRANT TRIGGER ON `shop`"):
            refuse_unseen_triggers(Grants(*grants), "shop", is_mariadb=is_mariadb)
    else:
        refuse_unseen_triggers(Grants(*grants), "shop", is_mariadb=is_mariadb)


def test_views_are_made_after_those_they_name() -> None:
    """A view whose name sorts first but reads another is made second; a circle does not hang."""
    a = Definition("VIEW", "a", "", "", "utf8mb4", "x", "CREATE VIEW `a` AS select 1 from `z`")
    z = Definition("VIEW", "z", "", "", "utf8mb4", "x", "CREATE VIEW `z` AS select 1 from `t`")
    assert [each.name for each in views([a, z])] == ["z", "a"]
    circle = Definition("VIEW", "z", "", "", "utf8mb4", "x", "CREATE VIEW `z` AS select 1 from `a`")
    assert {each.name for each in views([a, circle])} == {"a", "z"}


@pytest.mark.parametrize(
    ("sql", "refused"),
    [
        ("CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW INSERT INTO shop.log VALUES (1)", True),
        ("CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW INSERT INTO `shop` . log VALUES (1)", True),
        ("CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.v = 'shop.log'", False),
        ("CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.shop = workshop.x", False),
    ],
)
def test_a_trigger_that_names_production_is_not_copied(sql: str, refused: bool) -> None:
    """In scratch it would write into the live database; the name inside a text does no harm."""
    found = [Definition("TRIGGER", "t", "a", "", "utf8mb4", "x", sql)]
    if refused:
        with pytest.raises(Refusal, match="names the database shop"):
            refuse_self_named(found, "shop")
    else:
        refuse_self_named(found, "shop")


def test_the_schema_hash_takes_indexes_in_any_order_and_columns_in_theirs() -> None:
    """Keys made in another order are the same table; columns in another order are not."""
    head, options = "CREATE TABLE `t` (\n  `a` int,\n  `b` int,\n", ") ENGINE=InnoDB"
    one = head + "  KEY `x` (`a`),\n  KEY `y` (`b`)\n" + options
    two = head + "  KEY `y` (`b`),\n  KEY `x` (`a`)\n" + options
    other = one.replace("  `a` int,\n  `b` int,", "  `b` int,\n  `a` int,")
    hashes = [schema_hash({"t": sql}, (), ()) for sql in (one, two, other)]
    assert (hashes[0] == hashes[1], hashes[0] == hashes[2]) == (True, False)


@pytest.mark.parametrize(
    ("sql", "is_question"),
    [
        ("SELECT COUNT(*) FROM users", True),
        ("select count(*) from `into` where a = 'x; delete'", True),
        ("(SELECT 1)", True),
        ("SELECT 1;", True),
        ("SELECT replace(a, 'x', 'y') = 1 FROM t", True),
        ("SELECT 1 FROM t LOCK IN SHARE MODE", False),
        ("SELECT 1 INTO @x", False),
        ("SELECT 1 -- x", False),
        ("SELECT /*! 1 */ 1", False),
        ("SHOW TABLES", False),
        ("SET @a = 1", False),
        ("", False),
    ],
)
def test_a_check_is_one_question(sql: str, is_question: bool) -> None:
    """One SELECT without comments, locks and files; a semicolon inside a text is text."""
    assert (why_not_a_question(sql) is None) == is_question


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1045, "unreadable"),
        (1205, "busy"),
        (1114, "no_space"),
        (2002, "unreadable"),
        (0, "unreadable"),
        (1062, "refused"),
    ],
)
def test_errors_are_told_by_their_number(code: int, kind: str) -> None:
    """Each number has its kind, and words of our own."""
    refusal = SqlRefusal(code, "trying")
    assert refusal.kind == kind
    assert refusal.message.startswith("Failed while trying: ")


@pytest.mark.parametrize(
    ("version", "is_safe"),
    [("10.5.29-MariaDB", False), ("10.11.19-MariaDB-deb12", True), ("5.7.44-log", False), ("8.0.36", True)],
)
def test_an_old_server_is_told_of_in_the_plan(version: str, is_safe: bool) -> None:
    """Where a crash of the server could leave a RENAME half done, the plan says so; elsewhere it says nothing."""
    assert (crash_words(version) == "") == is_safe
