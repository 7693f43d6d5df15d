"""The backup folder as it is found on a bad day: one good dump among those that must not be taken."""

from __future__ import annotations

import gzip
import os
import sqlite3
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

DAY_S = 86_400


def dump_text(database: Path) -> bytes:
    """Return the dump of a database as the sqlite3 program writes it."""
    return subprocess.run(["sqlite3", str(database), ".dump"], capture_output=True, check=True).stdout


def day(ago: int = 0) -> str:
    """Return the date so many days ago, as it stands in the names of backups."""
    return (datetime.now(UTC) - timedelta(days=ago)).strftime("%Y-%m-%d")


def age(path: Path, days: int) -> None:
    """Set a file's times so many days back. *Changes* its times."""
    moment = time.time() - days * DAY_S
    os.utime(path, (moment, moment))


def keep_older_backup(database: Path, backups: Path) -> Path:
    """Keep a good dump from before the location came, compressed. *Changes* the backup folder."""
    path = backups / f"backup-{day(6)}-030001.sql.gz"
    path.write_bytes(gzip.compress(dump_text(database), compresslevel=1))
    age(path, 6)
    return path


def add_decoys(good: Path, live: Path, backups: Path) -> None:
    """Put beside the good dump what a careless search would take. *Changes* the backup folder.

    A dump cut short, an empty file of a failed job, another site's dump, and, newest of all, the nightly dump that
    was taken after the migration had done its harm.
    """
    cut_short(good, backups / f"backup-{day(1)}-030001.sql.zst")
    (backups / f"database-{day()}.sql").touch()
    other_site(backups / f"blog-{day()}.sql")
    nightly = backups / f"nightly-{day()}.sql"
    nightly.write_bytes(dump_text(live))
    newest = max(path.stat().st_mtime for path in backups.iterdir()) + 0.01
    os.utime(nightly, (newest, newest))


def cut_short(good: Path, target: Path) -> None:
    """Compress the first part of a dump, cut after a whole line: the compressed file itself is sound."""
    text = good.read_bytes()
    part = text[: text.rindex(b"\n", 0, len(text) * 6 // 10) + 1]
    target.write_bytes(
        subprocess.run(["zstd", "-q", "-3"], input=part, capture_output=True, check=True).stdout
    )
    age(target, 1)


def other_site(target: Path) -> None:
    """Write the dump of a blog that lives under the same account."""
    blog = sqlite3.connect(":memory:")
    blog.executescript(
        """
        create table migrations (id integer primary key autoincrement not null, migration varchar not null,
                                 batch integer not null);
        insert into migrations (migration, batch) values ('2023_05_01_100000_create_articles_table', 1);
        create table articles (id integer primary key autoincrement not null, title varchar not null, body text);
        insert into articles (title, body) values ('On dumps', 'It ends with -- Dump completed on, mostly.');
        """
    )
    target.write_text("PRAGMA foreign_keys=OFF;\n" + "\n".join(blog.iterdump()) + "\n", encoding="utf-8")
    blog.close()
