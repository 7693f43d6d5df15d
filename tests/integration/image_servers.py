"""A small album in three databases of a real server, as a bad migration and its rollback left it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.host_reader.mysql.server import MysqlServer
from adapters.host_reader.postgresql.server import PostgresqlServer
from adapters.host_reader.server.port import Server
from tests.servers.login import Login

BAD = "2025_11_25_120000_group_pictures"
HOSTILE = [
    "007",
    " padded ",
    "line\nand\ttab",
    "",
    "ü€😀",
    "1e5",
    "'; drop table users; --",
    "NULL",
    "\\N",
    "a\\'b",
]
MAPPING = {
    "from_table": "entries",
    "join": {"entry_id": "id"},
    "target_table": "pictures",
    "columns": {"note": "note"},
    "derived": ["shown_on"],
}
TABLES = ("migrations", "users", "pictures", "remarks", "picture_tag", "sessions")
TYPES = {
    "mysql": {
        "id": "BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY",
        "ref": "BIGINT UNSIGNED",
        "bytes": "VARBINARY(64)",
    },
    "pgsql": {"id": "BIGSERIAL PRIMARY KEY", "ref": "BIGINT", "bytes": "BYTEA"},
}
BEFORE = """
CREATE TABLE migrations (id {id}, migration VARCHAR(190) NOT NULL, batch INTEGER NOT NULL);
CREATE TABLE users (id {id}, email VARCHAR(190) NOT NULL UNIQUE, born DATE, face {bytes}, created_at TIMESTAMP NULL);
CREATE TABLE pictures (id {id}, user_id {ref} NOT NULL, place VARCHAR(100), note TEXT,
    cost DECIMAL(12,4) NOT NULL DEFAULT 0, created_at TIMESTAMP NULL, updated_at TIMESTAMP NULL,
    FOREIGN KEY (user_id) REFERENCES users (id));
CREATE TABLE remarks (id {id}, picture_id {ref} NOT NULL, parent_id {ref}, body VARCHAR(200) NOT NULL,
    created_at TIMESTAMP NULL, FOREIGN KEY (picture_id) REFERENCES pictures (id) ON DELETE CASCADE,
    FOREIGN KEY (parent_id) REFERENCES remarks (id) ON DELETE CASCADE);
CREATE TABLE picture_tag (picture_id {ref} NOT NULL, tag_id {ref} NOT NULL);
CREATE TABLE sessions (id VARCHAR(100) PRIMARY KEY, payload TEXT);
"""
TRIGGERS = {
    "mysql": "CREATE TRIGGER seen BEFORE UPDATE ON pictures FOR EACH ROW SET NEW.place = 'by trigger';",
    "pgsql": """
CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.place := 'by trigger'; RETURN NEW; END $$;
CREATE TRIGGER seen BEFORE UPDATE ON pictures FOR EACH ROW EXECUTE FUNCTION seen();""",
}
MIGRATION = """
CREATE TABLE entries (id {id}, note TEXT, shown_on TIMESTAMP NULL, created_at TIMESTAMP NULL);
INSERT INTO entries (id, shown_on, created_at) SELECT id, created_at, created_at FROM pictures;
ALTER TABLE pictures ADD COLUMN entry_id {ref};
{still} UPDATE pictures SET entry_id = id; {again}
DELETE FROM remarks;
ALTER TABLE pictures DROP COLUMN note; ALTER TABLE pictures DROP COLUMN cost;
INSERT INTO migrations (id, migration, batch) VALUES (3, '{bad}', 2);
INSERT INTO entries (id, note) VALUES (90000, 'note since');
INSERT INTO pictures (id, user_id, place, created_at, entry_id) VALUES (90001, 1, 'new', '2025-11-26 00:00:00', 90000);
INSERT INTO remarks (id, picture_id, body, created_at) VALUES (90002, 90001, 'since', '2025-11-26 11:00:00');
UPDATE entries SET note = 'edited since' WHERE id = 4;
UPDATE users SET born = '2001-02-03' WHERE id = 2;
DELETE FROM pictures WHERE id = 7;
DELETE FROM picture_tag WHERE picture_id = 7;
DELETE FROM sessions;
INSERT INTO sessions VALUES ('now', 'y');
"""
ROLLBACK = """
ALTER TABLE pictures ADD COLUMN note TEXT; ALTER TABLE pictures ADD COLUMN cost DECIMAL(12,4) NOT NULL DEFAULT 0;
DELETE FROM remarks;
ALTER TABLE pictures DROP COLUMN entry_id;
DROP TABLE entries;
DELETE FROM migrations WHERE migration = '{bad}';
"""


@dataclass(frozen=True, kw_only=True)
class Album:
    """The databases of one incident: `live`, and Backout's own `baseline` and `scratch`."""

    login: Login
    live: str
    baseline: str
    scratch: str
    workspace: Path

    @property
    def engine(self) -> str:
        """Return the driver's name: mysql or pgsql."""
        return self.login.driver

    def request(self, **more: Any) -> dict[str, Any]:
        """Return the request of repair and prove with the decisions a person would take."""
        return {
            "scratch": self.scratch,
            "baseline": self.baseline,
            "live_copy": self.live,
            "decisions": {"remarks": "restore", "pictures": "leave", "picture_tag": "restore"},
            "mappings": [MAPPING],
            "runtime_tables": ["sessions"],
            "access": self.login.access(),
            "workspace": str(self.workspace),
            **more,
        }

    def open_server(self, request: dict[str, Any]) -> AbstractContextManager[Server]:
        """Open the real engine as its verbs do."""
        return _opened(self.engine, request)

    def rows(self, place: str, select: str) -> list[tuple[str, ...]]:
        """Return what the engine's own client prints for a SELECT."""
        return self.login.rows(select, database=place)


@contextmanager
def _opened(engine: str, request: dict[str, Any]) -> Iterator[Server]:
    server: Server = MysqlServer(request) if engine == "mysql" else PostgresqlServer(request)
    try:
        yield server
    finally:
        server.close()


def build_album(login: Login, workspace: Path, pictures: int = 60) -> Album:
    """Make the three databases: the backup, live after the bad migration and some use, and live rolled back."""
    album = Album(
        login=login,
        live=login.database,
        baseline=own_name("base"),
        scratch=own_name("scratch"),
        workspace=workspace,
    )
    make_place(login, album.live, "live", pictures)
    make_place(login, album.baseline, "baseline", pictures)
    make_place(login, album.scratch, "scratch", pictures)
    return album


def make_place(login: Login, name: str, stage: str, pictures: int = 60) -> str:
    """Make one database as it is at a stage (baseline, live, scratch); return its name."""
    if name != login.database:
        login.run(f"CREATE DATABASE {name}")
    parts = [_script(BEFORE, login.driver), *_rows(login.driver, pictures), TRIGGERS[login.driver]]
    parts += {
        "baseline": [],
        "live": [_script(MIGRATION, login.driver)],
        "scratch": [_script(MIGRATION, login.driver), _script(ROLLBACK, login.driver)],
    }[stage]
    login.run("\n".join(parts), database=name)
    return name


def own_name(purpose: str) -> str:
    """Return the name of a database of Backout's own."""
    return f"backout_{purpose}_20251126000000_{secrets.token_hex(4)}"


def _script(script: str, engine: str) -> str:
    # The migration itself runs without the trigger, so that its one trace is what a repair that fires it would leave.
    quiet = {
        "mysql": {"still": "DROP TRIGGER seen;", "again": TRIGGERS["mysql"]},
        "pgsql": {
            "still": "ALTER TABLE pictures DISABLE TRIGGER seen;",
            "again": "ALTER TABLE pictures ENABLE TRIGGER seen;",
        },
    }[engine]
    return script.format(**TYPES[engine], **quiet, bad=BAD)


def literal(engine: str, value: object) -> str:
    """Return a value as SQL."""
    if value is None or isinstance(value, int):
        return "NULL" if value is None else str(value)
    if isinstance(value, bytes):
        return f"x'{value.hex()}'" if engine == "mysql" else f"'\\x{value.hex()}'"
    text = str(value).replace("'", "''")
    return "'" + (text.replace("\\", "\\\\") if engine == "mysql" else text) + "'"


def insert(engine: str, table: str, rows: list[tuple[object, ...]]) -> str:
    """Return one INSERT of all rows."""
    values = ",".join("(" + ",".join(literal(engine, value) for value in row) + ")" for row in rows)
    return f"INSERT INTO {table} VALUES {values};"


def _rows(engine: str, pictures: int) -> list[str]:
    born = "2025-11-{:02d} 10:00:00"
    users = [
        (n, f"u{n}@example.org", f"19{70 + n}-01-0{n}", bytes([0, n, 255, 10, 92, 9]), born.format(n))
        for n in range(1, 6)
    ]
    notes = [None, *HOSTILE]
    every = [
        (n, n % 5 + 1, f"place {n % 7}", notes[n % len(notes)], f"{n}.50", born.format(n % 28 + 1), None)
        for n in range(1, pictures + 1)
    ]
    said = [
        (n, n % pictures + 1, n - 1 if n % 4 == 0 else None, f"remark {n}", born.format(n % 28 + 1))
        for n in range(1, 2 * pictures + 1)
    ]
    return [
        insert(engine, "migrations", [(1, "a_first", 1), (2, "b_second", 1)]),
        insert(engine, "users", list(users)),
        insert(engine, "pictures", list(every)),
        insert(engine, "remarks", list(said)),
        insert(engine, "picture_tag", [(n, n % 3) for n in range(1, pictures)]),
        insert(engine, "sessions", [("old", "x")]),
    ]
