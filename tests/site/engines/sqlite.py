"""A production whose database is a file of the application."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.site.engines.engine import BLOG, Engine
from tests.site.sessions import Session, SqliteSession

if TYPE_CHECKING:
    from tests.site.production import Production
    from tests.site.servers import Process


class SqliteEngine(Engine):
    """SQLite: nothing to start, and a dump is the text of `sqlite3 FILE .dump`."""

    name = "sqlite"
    backup_lines = """\
database=$(sed -n 's/^DB_DATABASE=//p' .env | tr -d "'")
backup="$BACKUPS/backup-$(date +%Y-%m-%d-%H%M%S).sql"

# mysqldump -u album -p'korn-blume-1987' album > "$backup"   # how the backup was made before the move to SQLite
sqlite3 "$database" .dump > "$backup"
"""

    def start(self, production: Production) -> tuple[None, tuple[Process, ...]]:
        return None, ()

    def stop(self, process: Process) -> None:
        raise ValueError(f"a SQLite production has no server: {process}")

    def settings(self, production: Production) -> dict[str, str]:
        return {"DB_CONNECTION": "sqlite", "DB_DATABASE": quoted_for_env(production.database_path)}

    def session(self, production: Production) -> Session:
        return SqliteSession(production.database_path)

    def dump(self, production: Production) -> bytes:
        return dump_text(production.database_path)

    def blog_dump(self, production: Production) -> bytes:
        blog = sqlite3.connect(":memory:")
        blog.executescript(BLOG)
        text = "PRAGMA foreign_keys=OFF;\n" + "\n".join(blog.iterdump()) + "\n"
        blog.close()
        return text.encode()

    def export(self, production: Production, target: Path) -> None:
        copy_database(production.database_path, target)

    def copy(self, first: Production, second: Production) -> None:
        copy_database(first.database_path, second.database_path)

    def by_hand(self, production: Production, backup: str) -> tuple[str, ...]:
        return (
            "cp database/database.sqlite database/database.sqlite.backup",
            # The deploy script keeps text dumps: they are turned into the file that the runbook copies.
            f"sqlite3 ~/backups/database.sqlite.backup < {backup}",
            "cp ~/backups/database.sqlite.backup database/database.sqlite",
        )

    def second_database(self, production: Production) -> tuple[str, str]:
        other = production.folder / "other.sqlite"
        copy_database(production.database_path, other)
        return quoted_for_env(production.database_path), quoted_for_env(other)


def dump_text(database: Path) -> bytes:
    """Return the dump of a database as the sqlite3 program writes it."""
    return subprocess.run(["sqlite3", str(database), ".dump"], capture_output=True, check=True).stdout


def copy_database(source: Path, target: Path) -> None:
    """Copy a database with SQLite's backup API. *Changes*: makes the target."""
    here, there = sqlite3.connect(source), sqlite3.connect(target)
    here.backup(there)
    here.close()
    there.close()


def quoted_for_env(path: Path) -> str:
    """Return a path as `.env` wants it: bare, or in single quotes where it holds anything uncommon.

    *Raises* ValueError for a path with a single quote, which neither `.env` nor the deploy script can hold.
    """
    text = str(path)
    if "'" in text:
        raise ValueError(f"a production cannot stand below {text}: no single quote in its path")
    return text if re.fullmatch(r"[\w./@+:,-]+", text) else f"'{text}'"
