"""The commands of deploy/operating.md for an undo without the bot: run here as they stand there."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[3] / "deploy" / "operating.md"


def rows(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [text for (text,) in connection.execute("select name from items order by name")]


def make(path: Path, name: str, journal_mode: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"pragma journal_mode={journal_mode}")
        connection.execute("create table items (name text)")
        connection.execute("insert into items values (?)", (name,))


def the_commands(live: Path, safety: Path) -> str:
    block = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(block) == 1
    text = re.sub(r"(?m)^LIVE=.*$", f'LIVE="{live}"', block[0])
    return re.sub(r"(?m)^SAFETY=.*$", f'SAFETY="{safety}"', text)


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_the_written_commands_put_the_safety_backup_back(tmp_path: Path, journal_mode: str) -> None:
    """The live file has the safety backup's rows, its own inode and journal mode; the present state is kept aside."""
    folder = tmp_path / "my site"
    folder.mkdir()
    live, safety = folder / "live.sqlite", folder / "safety.sqlite"
    make(live, "after the cut-over", journal_mode)
    make(safety, "before the cut-over", "delete")
    inode, sha256 = live.stat().st_ino, hashlib.sha256(safety.read_bytes()).hexdigest()
    reader = sqlite3.connect(live)
    reader.execute("select count(*) from items").fetchone()
    done = subprocess.run(
        ["sh", "-e", "-c", the_commands(live, safety)],
        env={"HOME": str(folder), "PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stderr, done.stdout.split()[0], done.stdout.split()[-1]) == ("", sha256, "ok")
    assert rows(live) == ["before the cut-over"]
    assert rows(folder / "present.sqlite") == ["after the cut-over"]
    assert reader.execute("select name from items").fetchall() == [("before the cut-over",)]
    assert reader.execute("pragma journal_mode").fetchone() == (journal_mode,)
    assert live.stat().st_ino == inode
    assert hashlib.sha256(safety.read_bytes()).hexdigest() == sha256
    reader.close()
