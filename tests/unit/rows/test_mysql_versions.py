"""What clients and servers of MySQL 5.7 to 9 and MariaDB 10.5 to 12 print, and what is made of it (no server needed).

MariaDB 10.11's lines are recorded from the program; the others are as their documentation, and people's published
outputs and dumps of these versions, show them. Those versions were not run.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.allowed import Kind, judged
from adapters.host_reader.mysql.client import SqlRefusal, find_programs, programs_for
from adapters.host_reader.mysql.ddl import unknown_collation
from adapters.host_reader.mysql.dumping import _dump_failed
from adapters.host_reader.mysql.rights import _missing, _parsed, _rights_on

CLIENTS = [
    ("mysql  Ver 14.14 Distrib 5.7.44, for Linux (x86_64) using  EditLine wrapper", False, "5.7.44"),
    ("mysql  Ver 8.0.36-0ubuntu0.22.04.1 for Linux on x86_64 ((Ubuntu))", False, "8.0.36"),
    ("mysql  Ver 8.4.11 for Linux on x86_64 (MySQL Community Server - GPL)", False, "8.4.11"),
    ("mysql  Ver 9.1.0 for Linux on x86_64 (MySQL Community Server - GPL)", False, "9.1.0"),
    (
        "mysql  Ver 15.1 Distrib 10.5.15-MariaDB, for debian-linux-gnu (x86_64) using  EditLine wrapper",
        True,
        "10.5.15",
    ),
    ("mariadb  Ver 15.1 Distrib 10.6.18-MariaDB, for debian-linux-gnu (x86_64)", True, "10.6.18"),
    (
        "mariadb  Ver 15.1 Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64) using  EditLine wrapper",
        True,
        "10.11.19",
    ),
    ("mysql from 11.8.8-MariaDB, client 15.2 for Linux (x86_64)", True, "11.8.8"),
    ("mariadb from 12.3.3-MariaDB, client 15.2 for Linux (x86_64)", True, "12.3.3"),
]


def program(folder: Path, name: str, said: str) -> Path:
    """Write a program that prints one line."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{said}'\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(("said", "is_mariadb", "version"), CLIENTS, ids=[each[2] for each in CLIENTS])
def test_a_client_is_told_by_what_it_says(tmp_path: Path, said: str, is_mariadb: bool, version: str) -> None:
    """Its vendor and number are read from its one line, not from its name; MariaDB's number is not that of the protocol."""
    program(tmp_path, said.split(maxsplit=1)[0], said)
    (found,) = find_programs(str(tmp_path))
    assert (found.is_mariadb, found.version, found.dumper) == (is_mariadb, version, None)


def test_each_server_gets_the_clients_of_its_vendor(tmp_path: Path) -> None:
    """Where both are there MySQL's server is asked by MySQL's client, and dumped by MySQL's program."""
    for name in ("mysql", "mysqldump"):
        program(tmp_path, name, CLIENTS[2][0])
    for name in ("mariadb", "mariadb-dump"):
        program(tmp_path, name, CLIENTS[8][0])
    found = find_programs(str(tmp_path))
    for is_mariadb, names in ((False, ("mysql", "mysqldump")), (True, ("mariadb", "mariadb-dump"))):
        chosen = programs_for(found, is_mariadb)
        assert (chosen.client, chosen.dumper) == tuple(str(tmp_path / name) for name in names)


# What stands around the tables in each version's dumps, beside what all of them share.
SETTINGS = [
    ("MySQL 5.7", b"/*!40101 SET NAMES utf8 */"),
    ("MySQL 5.7", b"SET @MYSQLDUMP_TEMP_LOG_BIN = @@SESSION.SQL_LOG_BIN"),
    ("MySQL 5.7", b"SET @@SESSION.SQL_LOG_BIN= 0"),
    ("MySQL 5.7", b"SET @@GLOBAL.GTID_PURGED='3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5'"),
    ("MySQL 8.0", b"SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5'"),
    ("MySQL 8.0", b"/*!50503 SET NAMES utf8mb4 */"),
    ("MySQL 8.0", b"/*!50503 SET character_set_client = utf8mb4 */"),
    ("MySQL 9", b"SET @@SESSION.SQL_LOG_BIN = @MYSQLDUMP_TEMP_LOG_BIN"),
    (
        "Percona 8.0",
        b"/*!50717 SELECT COUNT(*) INTO @rocksdb_has_p_s_session_variables FROM x WHERE y = 'z' */",
    ),
    (
        "Percona 8.0",
        b"/*!50717 SET @rocksdb_enable_bulk_load = IF (@x, 'SET SESSION y = 1', 'SET @z = 0') */",
    ),
    ("Percona 8.0", b"/*!50717 PREPARE s FROM @rocksdb_enable_bulk_load */"),
    ("Percona 8.0", b"/*!50717 EXECUTE s */"),
    (
        "Percona 5.7",
        b"/*!50112 SET @disable_bulk_load = IF (@is_rocksdb_supported, 'SET x = 1', 'SET y = 0') */",
    ),
    ("Percona 5.7", b"/*!50112 PREPARE s FROM @disable_bulk_load */"),
    ("Percona 5.7", b"/*!50112 DEALLOCATE PREPARE s */"),
    ("MariaDB 10.11", b"/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */"),
    ("MariaDB 11", b"/*M!100616 SET @OLD_NOTE_VERBOSITY=@@NOTE_VERBOSITY, NOTE_VERBOSITY=0 */"),
    ("MariaDB 12", b"/*M!100616 SET NOTE_VERBOSITY=@OLD_NOTE_VERBOSITY */"),
    ("MariaDB 11", b"/*M!100101 SET LOCAL SQL_LOG_OFF=0, LOCAL LOG_SLOW_QUERY=0 */"),
]


@pytest.mark.parametrize(("version", "sql"), SETTINGS, ids=str)
def test_what_a_version_sets_around_its_tables_is_known(version: str, sql: bytes) -> None:
    """No version's own settings keep its dump from being loaded; those that need an administrator's rights are left out."""
    del version
    assert judged(sql).kind in (Kind.SKIP, Kind.LATE)


@pytest.mark.parametrize(
    "sql",
    [
        b"SET GLOBAL NOTE_VERBOSITY=0",
        b"SET SESSION max_connections=1",
        b"SET @x = IF (1, 'DROP TABLE t', '')",
        b"PREPARE s FROM 'DROP TABLE rocksdb'",
        b"PREPARE s FROM @rocksdb, @x",
        b"PREPARE other FROM @rocksdb_x",
        b"EXECUTE other",
        b"SELECT COUNT(*) INTO OUTFILE 'rocksdb' FROM t",
    ],
)
def test_what_no_version_writes_is_refused(sql: bytes) -> None:
    """A setting of the whole server, and what only looks like a known statement, are not let through with the known ones."""
    with pytest.raises(Refusal, match="that a load has no need of"):
        judged(sql)


@pytest.mark.parametrize(
    ("status", "said", "kind", "words"),
    [
        (2, b"mysqldump: Got error: 1045: Access denied for user 'u'@'localhost'", "unreadable", "1045"),
        (2, b"mariadb-dump: Got error: 1045: \"Access denied for user 'u'@'h'\"", "unreadable", "1045"),
        (2, b'mariadb-dump: Got error: 2026: "TLS/SSL error: self-signed certificate"', "unreadable", "2026"),
        (3, b"mysqldump: Error 2013: Lost connection to MySQL server during query", "unreadable", "2013"),
        (3, b"mysqldump: Error 2013: Lost connection to server during query when dum", "unreadable", "2013"),
        (2, b"mysqldump: Couldn't execute 'SHOW FIELDS FROM `v`': View 'd.v' (1356)", "refused", "1356"),
        (5, b"mysqldump: Got errno 28 on write", "no_space", "disk is full"),
        (1, b"mariadb-dump: Got errno 122 on write", "no_space", "quota"),
        (
            2,
            b"mysqldump: Deprecated program name. It will be removed, use 'mariadb-dump'",
            "damaged",
            "status 2",
        ),
    ],
)
def test_a_dump_programs_failure_is_told_by_its_number(
    status: int, said: bytes, kind: str, words: str
) -> None:
    """Each version's words give the same kind and number; none of the words is told."""
    told = _dump_failed(status, said + b" when dumping table `secret` at row: 1\n")
    assert (told.kind, words in told.message, "secret" in told.message) == (kind, True, False)


def test_an_encryption_that_cannot_be_had_is_named() -> None:
    """MariaDB's clients from 11.4 on refuse a server without a certificate they can prove: error 2026."""
    assert "encryption that this host's client asks for" in SqlRefusal(2026, "connecting").message


@pytest.mark.parametrize(
    "said",
    [
        b"ERROR 1273 (HY000) at line 9: Unknown collation: 'utf8mb4_0900_ai_ci'\n",
        b"ERROR 1273 (HY000) at line 9: Collation inconnue: 'utf8mb4_0900_ai_ci'\n",
        b"ERROR 1115 (42000) at line 9: Unbekannter Zeichensatz: 'utf8mb4_0900_ai_ci'\n",
    ],
)
def test_an_unknown_collation_is_named_in_any_language(said: bytes) -> None:
    """A server whose lc_messages is another language names the collation all the same."""
    assert unknown_collation(said) == "utf8mb4_0900_ai_ci"


# As SHOW GRANTS prints them. Source: the manuals of MySQL 5.7, 8.0 (partial_revokes: from 8.0.16 on) and MariaDB.
_ALL_BUT_NAMED = (
    "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, CREATE TEMPORARY TABLES, LOCK TABLES,"
    " CREATE VIEW, SHOW VIEW, TRIGGER ON *.* TO `u`@`%`"
)
_ALL = "GRANT ALL PRIVILEGES ON *.* TO `u`@`%` WITH GRANT OPTION"
_DROP = "REVOKE DROP, ALTER ON `shop`.* FROM `u`@`%`"
GRANTS = [
    (["GRANT ALL PRIVILEGES ON *.* TO 'u'@'%'"], []),
    (
        [
            "GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*X'",
            "GRANT ALL PRIVILEGES ON `shop`.* TO `u`@`%`",
        ],
        [],
    ),
    (
        [
            _ALL_BUT_NAMED,
            "GRANT BACKUP_ADMIN,SHOW_ROUTINE ON *.* TO `u`@`%`",
            "REVOKE TRIGGER ON `shop`.* FROM `u`@`%`",
        ],
        ["TRIGGER"],
    ),
    ([_ALL, _DROP, "REVOKE SELECT ON `other`.* FROM `u`@`%`"], ["DROP", "ALTER"]),
    ([_ALL, _DROP, "GRANT DROP ON `shop`.* TO `u`@`%`"], ["ALTER"]),
]


@pytest.mark.parametrize(("lines", "missing"), GRANTS, ids=["5.7", "MariaDB", "8 partly", "8 all", "8 again"])
def test_rights_that_were_taken_from_one_database_are_missing(lines: list[str], missing: list[str]) -> None:
    """A right given on all databases and taken from this one is none: a backup without triggers would look whole."""
    assert _missing(_rights_on([_parsed(line) for line in lines], "shop")) == missing
