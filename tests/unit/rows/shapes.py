"""Small databases in which a bad migration dropped a column, emptied a child table by cascade and made a new table."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BEFORE = """
CREATE TABLE migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, migration TEXT NOT NULL, batch INTEGER NOT NULL);
CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL UNIQUE, created_at TEXT);
CREATE TABLE pictures (
    id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER NOT NULL REFERENCES users (id), place TEXT,
    note TEXT, created_at TEXT, updated_at TEXT);
CREATE TABLE remarks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, picture_id INTEGER NOT NULL REFERENCES pictures (id) ON DELETE CASCADE,
    parent_id INTEGER REFERENCES remarks (id), body TEXT NOT NULL, created_at TEXT);
CREATE TABLE picture_tag (picture_id INTEGER NOT NULL, tag_id INTEGER NOT NULL);
CREATE TABLE sessions (id TEXT PRIMARY KEY, payload TEXT);
CREATE INDEX remarks_picture ON remarks (picture_id);
"""
INDEXES = """
CREATE VIRTUAL TABLE searched USING fts5(place, content='pictures', content_rowid='id');
INSERT INTO searched (rowid, place) SELECT id, place FROM pictures;
CREATE TRIGGER searched_too AFTER INSERT ON pictures BEGIN
    INSERT INTO searched (rowid, place) VALUES (new.id, new.place); END;
CREATE VIRTUAL TABLE "a map's" USING rtree(id, x0, x1);
INSERT INTO "a map's" VALUES (1, 0, 1);
"""
"""A search index and a map index over the pictures: virtual tables, whose rows stand in tables of their own."""
BAD = "2025_11_25_120000_group_pictures"
MAPPING = {
    "from_table": "entries",
    "join": {"entry_id": "id"},
    "target_table": "pictures",
    "columns": {"note": "note"},
    "derived": ["shown_on"],
}


@dataclass(frozen=True)
class Case:
    """The files of one incident: the backup loaded, the live database after the migration and some use, and scratch."""

    folder: Path
    baseline: Path
    live: Path
    scratch: Path

    def request(self, **more: Any) -> dict[str, Any]:
        """Return a request of repair or prove with the decisions a person would take."""
        request: dict[str, Any] = {
            "scratch": str(self.scratch),
            "baseline": str(self.baseline),
            "live_copy": str(self.live),
            "decisions": {"remarks": "restore", "pictures": "leave", "picture_tag": "restore"},
            "mappings": [MAPPING],
            "runtime_tables": ["sessions"],
        }
        request.update(more)
        return request


def run(path: Path, *statements: str) -> None:
    """Run statements with foreign keys enforced and commit."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA foreign_keys=ON")
        for statement in statements:
            connection.executescript(statement)
        connection.commit()


def rows(path: Path, select: str) -> list[tuple[Any, ...]]:
    """Return what a SELECT gives."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(select).fetchall()


def value(path: Path, select: str) -> Any:
    """Return the one value a SELECT gives."""
    return rows(path, select)[0][0]


def build_before(path: Path, pictures: int = 60, remarks: int = 120) -> None:
    """Make the database as it was when the backup was taken."""
    run(path, BEFORE)
    born = "2025-11-%02d 10:00:00"
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany("INSERT INTO migrations VALUES (?, ?, 1)", [(1, "a_first"), (2, "b_second")])
        people = [(n, f"u{n}@example.org", born % n) for n in range(1, 6)]
        connection.executemany("INSERT INTO users VALUES (?, ?, ?)", people)
        every = [
            (n, n % 5 + 1, f"place {n % 7}", f"note {n}\n'; --" if n % 3 else None, born % (n % 28 + 1), None)
            for n in range(1, pictures + 1)
        ]
        connection.executemany("INSERT INTO pictures VALUES (?, ?, ?, ?, ?, ?)", every)
        said = [
            (n, n % pictures + 1, n - 1 if n % 4 == 0 else None, f"remark {n}", born % (n % 28 + 1))
            for n in range(1, remarks + 1)
        ]
        connection.executemany("INSERT INTO remarks VALUES (?, ?, ?, ?, ?)", said)
        connection.executemany(
            "INSERT INTO picture_tag VALUES (?, ?)", [(n, n % 3) for n in range(1, pictures)]
        )
        connection.execute("INSERT INTO sessions VALUES ('old', 'x')")
        connection.commit()


def migrate_badly(path: Path) -> None:
    """Do what the bad migration did: new table, column dropped by rebuilding, children gone by cascade."""
    run(
        path,
        """
        CREATE TABLE entries (id INTEGER PRIMARY KEY AUTOINCREMENT, note TEXT, shown_on TEXT, created_at TEXT);
        INSERT INTO entries (id, shown_on, created_at) SELECT id, created_at, created_at FROM pictures;
        ALTER TABLE pictures ADD COLUMN entry_id INTEGER;
        UPDATE pictures SET entry_id = id;
        DELETE FROM remarks;
        ALTER TABLE pictures DROP COLUMN note;
        """,
        f"INSERT INTO migrations (migration, batch) VALUES ('{BAD}', 2);",
    )


def use_since(path: Path) -> None:
    """Do what people did on the broken site: new rows, notes in the new shape, edits, a deletion."""
    run(
        path,
        """
        INSERT INTO entries (id, note, shown_on, created_at) VALUES (90000, 'note since', 'x', 'x');
        INSERT INTO pictures (id, user_id, place, created_at, entry_id) VALUES (90001, 1, 'new', '2025-11-26', 90000);
        INSERT INTO remarks (id, picture_id, body, created_at) VALUES (90002, 90001, 'since', '2025-11-26 11:00:00');
        UPDATE entries SET note = 'edited since' WHERE id = 4;
        UPDATE pictures SET place = 'edited place' WHERE id = 5;
        DELETE FROM pictures WHERE id = 7;
        DELETE FROM picture_tag WHERE picture_id = 7;
        DELETE FROM sessions;
        INSERT INTO sessions VALUES ('now', 'y');
        """,
    )


def roll_back(path: Path) -> None:
    """Do what the rollback does on Laravel 8 and SQLite: the rebuild empties the children once more (R12)."""
    run(
        path,
        """
        ALTER TABLE pictures ADD COLUMN note TEXT;
        DELETE FROM remarks;
        ALTER TABLE pictures DROP COLUMN entry_id;
        DROP TABLE entries;
        """,
        f"DELETE FROM migrations WHERE migration = '{BAD}';",
    )


def build_case(folder: Path, pictures: int = 60, remarks: int = 120) -> Case:
    """Make the whole incident: baseline, live, and a scratch copy of live on which the migration was rolled back."""
    case = Case(folder, folder / "baseline.sqlite", folder / "live.sqlite", folder / "scratch.sqlite")
    build_before(case.baseline, pictures, remarks)
    shutil.copy(case.baseline, case.live)
    migrate_badly(case.live)
    use_since(case.live)
    shutil.copy(case.live, case.scratch)
    roll_back(case.scratch)
    return case
