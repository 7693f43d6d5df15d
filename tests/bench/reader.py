"""How fast the row reader answers: `python -m tests.bench.reader [QUESTIONS]`.

A look at a small SQLite site over a private sshd, asked one after another: of the process that stays, as Backout asks, and
of a process of its own for each question, as a plain script would. Prints the milliseconds of both and their ratio.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from adapters.host_reader_pack import pack_reader
from adapters.ssh_host.hosts import SshHosts
from bot.ports.host import Command
from tests.integration.sshd import private_sshd

QUESTIONS = 40
RUNS = 3
_TABLES = 20
_LIMIT = timedelta(seconds=30)


def make_database(path: Path) -> None:
    """Write a database of some tables, as a small application has."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        for number in range(_TABLES):
            database.execute(f"CREATE TABLE t{number} (id INTEGER PRIMARY KEY, name TEXT, other INTEGER)")
            database.executemany(
                f"INSERT INTO t{number} (name, other) VALUES (?, ?)", [(f"row {n}", n) for n in range(200)]
            )
        database.commit()


async def timed_ms(question: Callable[[], Awaitable[object]], count: int) -> float:
    """Return the median milliseconds of a question; the first one, which starts things, is not counted."""
    await question()
    times = []
    for _ in range(count):
        began = time.perf_counter()
        await question()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


async def measure(folder: Path, count: int) -> None:
    """Ask both ways in turn, three times, and print."""
    reader, database = folder / "reader.pyz", folder / "site.sqlite"
    make_database(database)
    sha256 = pack_reader(reader)
    request: dict[str, object] = {"path": str(database), "database": str(database)}
    alone = Command(
        argv=["python3", "-I", "-S", str(reader), "sqlite_facts"], stdin=json.dumps(request), timeout=_LIMIT
    )
    with private_sshd(folder / "sshd") as sshd:
        hosts = SshHosts({"site": sshd.settings}, reader, sha256)
        host = hosts.of_site("site")
        said = json.loads((await host.run(alone)).stdout)
        if said["file"] != (await host.reader("sqlite_facts", request))["file"]:
            raise SystemExit("the two ways do not answer alike")
        for run in range(1, RUNS + 1):
            plain = await timed_ms(lambda: host.run(alone), count)
            ours = await timed_ms(lambda: host.reader("sqlite_facts", request), count)
            print(
                f"run {run}   a process each {plain:6.1f} ms   the process that stays {ours:6.1f} ms   ratio {ours / plain:4.2f}"
            )
        await hosts.close()


def main() -> None:
    """Measure in a folder of its own."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else QUESTIONS
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), count))


if __name__ == "__main__":
    main()
