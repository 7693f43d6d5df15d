"""The backup folder as it is found on a bad day: one good dump among those that must not be taken."""

from __future__ import annotations

import gzip
import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.site.engines.sqlite import dump_text

__all__ = ["add_decoys", "dump_text", "keep_older_backup"]

DAY_S = 86_400


def day(ago: int = 0) -> str:
    """Return the date so many days ago, as it stands in the names of backups."""
    return (datetime.now(UTC) - timedelta(days=ago)).strftime("%Y-%m-%d")


def age(path: Path, days: int) -> None:
    """Set a file's times so many days back. *Changes* its times."""
    moment = time.time() - days * DAY_S
    os.utime(path, (moment, moment))


def keep_older_backup(dump: bytes, backups: Path) -> Path:
    """Keep a good dump from before the location came, compressed. *Changes* the backup folder."""
    path = backups / f"backup-{day(6)}-030001.sql.gz"
    path.write_bytes(gzip.compress(dump, compresslevel=1))
    age(path, 6)
    return path


def add_decoys(good: Path, live: bytes, blog: bytes, backups: Path) -> None:
    """Put beside the good dump what a careless search would take. *Changes* the backup folder.

    A dump cut short, an empty file of a failed job, the dump of another site (`blog`), and, newest of all, the nightly
    dump that was taken after the migration had done its harm (`live`).
    """
    cut_short(good, backups / f"backup-{day(1)}-030001.sql.zst")
    (backups / f"database-{day()}.sql").touch()
    (backups / f"blog-{day()}.sql").write_bytes(blog)
    nightly = backups / f"nightly-{day()}.sql"
    nightly.write_bytes(live)
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
