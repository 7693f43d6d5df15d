"""What the tests of the MariaDB loader share: a hostile database, its dumps, and loads as the application's own user."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.host_reader.mysql.load import load_dump
from adapters.host_reader.mysql.server import MysqlServer, open_server
from tests.servers.login import Login
from tests.servers.mariadb import MariadbServer

_NUMBERS = itertools.count(1)

HOSTILE = r"""
CREATE TABLE `users` (`id` bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, `email` varchar(120) NOT NULL,
    `is_admin` tinyint(1) NOT NULL DEFAULT 0, UNIQUE KEY `users_email_unique` (`email`)) ENGINE=InnoDB AUTO_INCREMENT=900;
CREATE TABLE `odd ``name; --` (`id` int NOT NULL, `part` int NOT NULL AUTO_INCREMENT, `we"ird` text, `raw` blob,
    `doc` json, `kind` enum('a','b''c') DEFAULT 'a', `bits` bit(5), `money` decimal(20,6), `f` double, `at` timestamp NULL,
    `twice` varchar(50) GENERATED ALWAYS AS (concat(`kind`, '-', `id`)) STORED,
    PRIMARY KEY (`id`, `part`), KEY `by_part` (`part`), KEY `by_twice` (`twice`), FULLTEXT KEY `words` (`we"ird`));
CREATE TABLE `remarks` (`id` bigint unsigned NOT NULL AUTO_INCREMENT, `user_id` bigint unsigned DEFAULT NULL,
    `answer_to` bigint unsigned DEFAULT NULL, `body` longtext, PRIMARY KEY (`id`), KEY `remarks_user` (`user_id`),
    KEY `remarks_answer` (`answer_to`), CONSTRAINT `c1` CHECK (`body` <> 'KEY `x` (`y`)'),
    CONSTRAINT `remarks_user_foreign` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE,
    CONSTRAINT `remarks_answer_foreign` FOREIGN KEY (`answer_to`) REFERENCES `remarks` (`id`) ON DELETE SET NULL);
CREATE TABLE `keyless` (`a` int NOT NULL, `b` varchar(20), UNIQUE KEY `a` (`a`), KEY `b` (`b`));
CREATE TABLE `bare` (`a` int, `b` varchar(20));
CREATE TABLE `old` (`id` int NOT NULL PRIMARY KEY, `v` varchar(30), KEY `v` (`v`)) ENGINE=MyISAM;
CREATE TABLE `empty` (`id` int NOT NULL PRIMARY KEY, `v` varchar(30), KEY `v` (`v`));
CREATE TABLE `migrations` (`id` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, `migration` varchar(255) NOT NULL,
    `batch` int NOT NULL);
INSERT INTO `users` (`id`, `email`) SELECT seq, concat('p', seq, '@example.org') FROM seq_1_to_400;
INSERT INTO `odd ``name; --` (`id`, `part`, `we"ird`, `raw`, `doc`, `kind`, `bits`, `money`, `f`, `at`) VALUES
    (1, 1, 'it''s "quoted"; -- not /* the end */ # `tick`', 0x00FF275C1A0A0D, '{"a": "b\\"c"}', 'b''c', b'10101',
        -1234.500000, -1e300, '2025-03-30 02:30:00'),
    (1, 2, 'line\n-- Dump completed on 2025-01-01\n\n', '', NULL, 'a', NULL, 0, 0.1, NULL),
    (-2, 1, '\\! touch /tmp/never\n\\. /etc/passwd\nsource /etc/passwd\nDELIMITER x\nuse mysql;\n', NULL, '[]', 'a', 0, -0.5, 5, NULL),
    (3, 1, 'ends with a backslash \\', '\\', '""', NULL, NULL, NULL, NULL, NULL),
    (4, 1, '),(9,9,''x''', '),\n(', NULL, 'a', NULL, NULL, NULL, NULL),
    (5, 1, ';\nINSERT INTO `users` VALUES (1)', 'ünï 😀 next value for --', NULL, 'a', NULL, NULL, NULL, NULL);
INSERT INTO `remarks` (`user_id`, `answer_to`, `body`) SELECT seq % 400 + 1, IF(seq % 3 = 0, 1, NULL),
    concat('remark ', seq, ' it''s (a) "word"; ', repeat('light river stone ', seq % 7)) FROM seq_1_to_3000;
INSERT INTO `keyless` SELECT seq, concat('b', seq % 5) FROM seq_1_to_50;
INSERT INTO `bare` SELECT seq % 7, 'twin' FROM seq_1_to_50;
INSERT INTO `old` SELECT seq, concat('v', seq) FROM seq_1_to_60;
INSERT INTO `migrations` (`migration`, `batch`) VALUES ('2024_01_01_000000_create', 1), ('2024_02_01_000000_second', 2);
CREATE VIEW `a_view` AS SELECT `id`, `z_view`.`email` AS `mail` FROM `z_view`;
CREATE OR REPLACE VIEW `z_view` AS SELECT `id`, `email` FROM `users` WHERE `is_admin` = 0;
""".replace("CREATE VIEW `a_view`", "CREATE VIEW `z_view` AS SELECT `id`, `email` FROM `users`;\nCREATE VIEW `a_view`")  # fmt: skip

PROGRAMS = r"""
DELIMITER ;;
CREATE TRIGGER `seen` BEFORE INSERT ON `remarks` FOR EACH ROW BEGIN
    -- a comment; with a semicolon
    SET NEW.`body` = concat(NEW.`body`, ' seen;'); END;;
CREATE PROCEDURE `tidy`(IN `n` int) BEGIN DELETE FROM `bare` WHERE `a` = n; SELECT ';;' ; END;;
CREATE FUNCTION `twice`(`n` int) RETURNS int DETERMINISTIC RETURN n * 2;;
CREATE EVENT `nightly` ON SCHEDULE EVERY 1 SECOND ENABLE COMMENT 'DO it; ENABLE' DO DELETE FROM `bare`;;
DELIMITER ;
"""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A database of a test's own and ways to dump and load it."""

    server: MariadbServer
    login: Login
    reader: MysqlServer
    folder: Path

    def dump(self, *options: str, tables: tuple[str, ...] = ()) -> bytes:
        """Return what mariadb-dump writes with these options, as the superuser; all tables where none is named."""
        words = ["--no-defaults", f"--socket={self.server.socket}", "--user=root", *options]
        program = self.server.bin / "mariadb-dump"
        command = [str(program), *words, self.login.database, *tables]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def file(self, content: bytes, name: str = "backup.sql") -> Path:
        """Write a backup and return its path."""
        path = self.folder / name
        path.write_bytes(content)
        return path

    def scratch(self) -> str:
        """Return a new name of a scratch database."""
        return f"backout_load_20250101000000_{next(_NUMBERS):08x}"

    def load(self, content: bytes, **more: Any) -> tuple[str, dict[str, Any]]:
        """Load a dump into a new scratch database and return its name and the answer."""
        name = self.scratch()
        path = self.file(content)
        return name, load_dump(self.reader, str(path), name, like=self.login.database, **more)

    def content(self, database: str) -> dict[str, tuple[str, str]]:
        """Return each table's checksum and definition."""
        root = self.server.superuser
        names = [
            row[0] for row in root.rows("SHOW FULL TABLES WHERE Table_type <> 'VIEW'", database=database)
        ]
        found = {}
        for name in names:
            quoted = "`" + name.replace("`", "``") + "`"
            total = root.rows(f"CHECKSUM TABLE {quoted} EXTENDED", database=database)[0][1]
            made = root.rows(f"SHOW CREATE TABLE {quoted}", database=database)[0][1]
            found[name] = (total, made)
        return found

    def backouts(self) -> set[str]:
        """Return the names of the scratch databases that there are."""
        return {name for name in self.server.databases() if name.startswith("backout_load")}


def make_scene(server: MariadbServer, folder: Path, *, sql: str = HOSTILE) -> Scene:
    """Make a database with this content and a reader that runs as its limited user."""
    login = server.make(f"album{next(_NUMBERS)}")
    server.superuser.run("SET NAMES utf8mb4; " + sql, database=login.database)
    reader = open_server({"access": login.access(), "workspace": str(folder / "workspace")})
    return Scene(server=server, login=login, reader=reader, folder=folder)


@contextmanager
def opened_scene(server: MariadbServer, folder: Path, *, sql: str = HOSTILE) -> Iterator[Scene]:
    """Make a scene, and remove its databases at the end."""
    scene = make_scene(server, folder, sql=sql)
    try:
        yield scene
    finally:
        scene.reader.close()
        server.drop(scene.login)
