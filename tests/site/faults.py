"""Faults that are put into a playing incident; each must be noticed and named, and the play must not end well."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import closing

from tests.site.forked import REPOSITORY
from tests.site.production import Production, session

_WRITER = """
import sys, time
from pathlib import Path
from tests.site.production import load, session
live = session(load(Path(sys.argv[1])))
for turn in range(3000):
    live.query(f"update users set updated_at = '2026-01-01 00:00:{turn % 60:02d}' where id = 1")
    if turn == 0:
        print("wrote", flush=True)
    time.sleep(0.2)
"""

_writers: list[subprocess.Popen[bytes]] = []


def cut_backup(site: Production) -> None:
    """Cut the good backup in the middle, as a full disk does."""
    data = site.good_backup.read_bytes()
    site.good_backup.write_bytes(data[: len(data) // 2])


def wrong_target(site: Production) -> None:
    """Point the application to another database after the plan was approved of one."""
    here, other = site.engine.second_database(site)
    env = site.app_path / ".env"
    env.write_text(env.read_text().replace(f"DB_DATABASE={here}", f"DB_DATABASE={other}"))


def writer(site: Production) -> None:
    """Start a program that writes to the database although the application is down, and wait for its first write."""
    command = [sys.executable, "-c", _WRITER, str(site.folder)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE)
    _writers.append(process)
    assert process.stdout is not None
    assert process.stdout.readline() == b"wrote\n"


def lost_comment(site: Production) -> None:
    """Remove one comment behind everyone's back after the cut-over."""
    with closing(session(site)) as live:
        live.query("delete from comments where id = ?", live.number("select min(id) from comments"))


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
        process.communicate()
