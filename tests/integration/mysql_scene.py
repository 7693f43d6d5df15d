"""What the tests of the MySQL engine share: a database with every type and hostile names, and its application's user."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.host_reader.__main__ import answer as reader_answer
from adapters.host_reader.answers import Refusal
from tests.servers.login import Login
from tests.servers.mariadb import MariadbServer

_NUMBERS = itertools.count(1)

TYPES = r"""
CREATE TABLE everything (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, txt text, data blob, big bigint unsigned, b bit(5),
    b64 bit(64), j json, de decimal(30,10) DEFAULT 1.50, f float, d double, en enum('a','b','') DEFAULT 'b',
    st set('x','y'), y year, t time(6), dt datetime(6), da date, ts timestamp NULL, gen int AS (char_length(txt)) STORED,
    inv int INVISIBLE DEFAULT 7, geo point, lt longtext, lb longblob, ch char(10),
    l1 varchar(50) CHARACTER SET latin1, vb varbinary(20), neg int, `we``ird "na'me $(x)
new` int);
SET sql_mode = '';
INSERT INTO everything (txt, data, big, b, b64, j, de, f, d, en, st, y, t, dt, da, ts, geo, lt, lb, ch, l1, vb, neg) VALUES
    ('NULL', 'NULL', 18446744073709551615, b'10101', x'ffffffffffffffff', '{"a": 1}', 12345678901234567890.1234567891,
     16777217, 0.1, 'a', 'x,y', 2020, '-12:00:00.123456', '2020-01-01 00:00:00.000001', '0000-00-00',
     '2020-06-01 12:00:00', point(1,2), 'NULL', 'NULL', 'a ', 'é€', x'00010a09005c0d', -2147483648),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL),
    ('', '', 0, 0, 0, '[]', 0, 0.1, 1e-300, '', '', 0, 0, '2020-01-01', 20200101, '1970-01-02', point(0,0), '', '', '', '',
     '', 0),
    ('tab\t line\nend back\\slash nul\0 🚲 \r', 'tab\t line\nend back\\slash nul\0', 9223372036854775808, 1, 1, '"x"',
     -0.0000000001, 3.1415927, 1.7976931348623157e308, 'b', 'x', 1999, '838:59:59', '9999-12-31 23:59:59.999999',
     '2020-02-30', NULL, NULL, repeat('long\n', 30000), repeat(x'00ff0a', 30000), 'a', 'ÿ', '', 1);
"""

SHOP = r"""
CREATE TABLE migrations (id int unsigned AUTO_INCREMENT PRIMARY KEY, migration varchar(255) NOT NULL, batch int NOT NULL);
CREATE TABLE users (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, email varchar(191) NOT NULL UNIQUE,
    created_at timestamp NULL, updated_at timestamp NOT NULL DEFAULT current_timestamp ON UPDATE current_timestamp);
CREATE TABLE orders (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, user_id bigint unsigned NOT NULL,
    parent_id bigint unsigned NULL, state varchar(30) NOT NULL DEFAULT 'new', note text, KEY (user_id),
    CONSTRAINT orders_user_foreign FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT orders_parent_foreign FOREIGN KEY (parent_id) REFERENCES orders (id) ON DELETE SET NULL);
CREATE TABLE pairs (a int NOT NULL, b varchar(20) NOT NULL, v int, PRIMARY KEY (a, b));
CREATE TABLE `-dash ``tab $(touch x)` (a int, b varchar(20));
CREATE TABLE log (id int AUTO_INCREMENT PRIMARY KEY, told varchar(50));
INSERT INTO migrations (migration, batch) VALUES ('2024_01_01_000000_create', 1), ('2024_02_01_000000_second', 2);
INSERT INTO users (email, created_at) VALUES ('one@example.org', '2024-01-01'), ('NULL', NULL), ('x\ty\nz\\q', now());
INSERT INTO orders (user_id, parent_id, note) VALUES (1, NULL, 'first; -- note'), (2, 1, NULL), (3, 2, '');
INSERT INTO pairs VALUES (1, 'a', 1), (1, 'b', 2), (2, 'a', NULL);
INSERT INTO `-dash ``tab $(touch x)` VALUES (1, 'x'), (1, 'x'), (NULL, NULL);
CREATE VIEW z_orders AS SELECT id, note FROM orders WHERE id > 0;
CREATE VIEW a_first AS SELECT id FROM z_orders;
DELIMITER ;;
CREATE TRIGGER users_added AFTER INSERT ON users FOR EACH ROW BEGIN
    -- a comment; with a semicolon
    INSERT INTO log (told) VALUES (NEW.email);
END;;
CREATE FUNCTION plus(a int) RETURNS int DETERMINISTIC RETURN a + 1;;
CREATE PROCEDURE nothing() BEGIN SELECT 1; END;;
CREATE EVENT tidy ON SCHEDULE EVERY 1 DAY DO DELETE FROM log;;
DELIMITER ;
"""


@dataclass(frozen=True)
class Scene:
    """One application's database on the server, its user's way in, and Backout's folder on the host."""

    server: MariadbServer
    login: Login
    workspace: Path

    def request(self, **more: Any) -> dict[str, Any]:
        """Return a request to the row reader on this database."""
        base = {
            "database": self.login.database,
            "access": self.login.access(),
            "workspace": str(self.workspace),
        }
        return {**base, **more}

    def ask(self, verb: str, **more: Any) -> dict[str, Any]:
        """Return the answer of a verb, as the row reader's command gives it. *Raises* Refusal for its error."""
        told = reader_answer(f"mysql_{verb}", json.dumps(self.request(**more)))
        if not told["ok"]:
            raise Refusal(told["error"]["kind"], told["error"]["message"])
        return told

    def fingerprint(self, database: str | None = None) -> str:
        """Return the fingerprint of a database, live by default."""
        return str(self.ask("fingerprint", database=database or self.login.database)["fingerprint"])

    def safety(self, name: str = "safety.sql") -> Path:
        """Return a safety backup of live."""
        target = self.workspace / name
        self.ask("copy", source=self.login.database, target=str(target))
        return target

    def scratch(self, source: str | Path | None = None, purpose: str = "repair") -> str:
        """Return the name of a scratch database that is a copy of live, or of a backup."""
        name = f"backout_{purpose}_20260101000000_{next(_NUMBERS):08x}"
        self.ask("copy", source=str(source or self.login.database), target=name)
        return name

    def cut_over(self, source: str | Path, **more: Any) -> dict[str, Any]:
        """Return the answer of a cut-over from a place to live, with the fingerprints as they are now."""
        wanted = more.pop("wanted", None) or self.fingerprint(str(source))
        expected = more.pop("expected", None) or self.fingerprint()
        return self.ask(
            "cutover",
            source=str(source),
            target=self.login.database,
            expect_source_fingerprint=wanted,
            expect_target_fingerprint=expected,
            **more,
        )


@contextmanager
def opened_scene(server: MariadbServer, folder: Path, sql: str = SHOP, **make: Any) -> Iterator[Scene]:
    """Give an application's database made of `sql` by its own user, and remove it and all scratch databases after."""
    login = server.make(f"shop_{next(_NUMBERS)}_{folder.name[-20:]}", **make)
    try:
        if sql:
            login.run(sql)
        yield Scene(server, login, folder)
    finally:
        server.drop(login)
