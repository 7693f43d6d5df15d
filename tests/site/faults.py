"""Faults that are put into a playing incident; each must be noticed and named, and the play must not end well."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable

from tests.site.production import Production

_WRITER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
for second in range(600):
    connection.execute("update users set updated_at = datetime('now') where id = (select min(id) from users)")
    time.sleep(0.2)
"""

_writers: list[subprocess.Popen[bytes]] = []


def cut_backup(site: Production) -> None:
    """Cut the good backup in the middle, as a full disk does."""
    data = site.good_backup.read_bytes()
    site.good_backup.write_bytes(data[: len(data) // 2])


def wrong_target(site: Production) -> None:
    """Point the application to another database after the plan was approved of one."""
    other = site.folder / "other.sqlite"
    with sqlite3.connect(site.database_path) as source, sqlite3.connect(other) as target:
        source.backup(target)
    env = site.app_path / ".env"
    env.write_text(env.read_text().replace(str(site.database_path), str(other)))


def writer(site: Production) -> None:
    """Start a program that writes to the database although the application is down."""
    _writers.append(subprocess.Popen([sys.executable, "-c", _WRITER, str(site.database_path)]))


def lost_comment(site: Production) -> None:
    """Remove one comment behind everyone's back after the cut-over."""
    with sqlite3.connect(site.database_path) as connection:
        connection.execute("delete from comments where id = (select min(id) from comments)")
    connection.close()


FAULTS: dict[str, tuple[str, Callable[[Production], None]]] = {
    "cut-backup": ("start", cut_backup),
    "wrong-target": ("cutover", wrong_target),
    "writer": ("safety", writer),
    "lost-comment": ("check", lost_comment),
}
"""Each fault by name: before which step it is put in, and what does it."""


def hook(name: str, site: Production) -> Callable[[str], None]:
    """Return what puts the fault in when its step comes."""
    step, act = FAULTS[name]

    def before(coming: str) -> None:
        if coming == step:
            act(site)

    return before


def clean_up(site: Production) -> None:
    """End the programs that a fault has started."""
    del site
    while _writers:
        process = _writers.pop()
        process.kill()
        process.wait()
