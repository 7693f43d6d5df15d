"""How fast a backup is back: `python -m tests.bench.restore [--rows N] [--folder F] [--keep] [--only PART] [--runs N] [--pool-mb N]`.

It makes its own servers and data below the folder (a temporary one where none is given), runs both sides of each job
in turn, prints every run, and writes the table into tests/bench/RESULTS.md where all parts were run or `--write` is said.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import restore_mariadb, restore_postgresql
from tests.bench.manifest import counted_s
from tests.bench.restore_report import RESULTS, Measured, document, table

ROWS = 5_000_000
# PostgreSQL's is 700 MB where MariaDB's is 1 GB.
POSTGRESQL_SHARE = 0.7
SWAPS = 200
# What a hosting firm gives a database of a gigabyte; with the program's own 128 MB the plain way is far slower.
POOL_MB = 1024
PARTS = ("mariadb", "postgresql", "manifest")
_INSPECT = """
import json, resource, sys
from adapters.host_reader.inspect import inspect_file
answer = inspect_file(sys.argv[1])
peaks = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps([answer["verdict"]["word"], sum(peaks)]))
"""


def arguments() -> argparse.Namespace:
    """Return what was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="rows on MariaDB")
    parser.add_argument("--folder", type=Path, help="where the data lie; removed at the end unless --keep")
    parser.add_argument("--keep", action="store_true", help="keep the data")
    parser.add_argument("--only", choices=PARTS, action="append", help="only this part; may be given again")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--swaps", type=int, default=SWAPS)
    parser.add_argument("--pool-mb", type=int, default=POOL_MB, help="MariaDB's buffer pool")
    parser.add_argument("--write", action="store_true", help="write RESULTS.md also for a part or a try")
    return parser.parse_args()


def mariadb(folder: Path, asked: argparse.Namespace, parts: list[str], settings: list[str]) -> list[Measured]:
    """Measure on MariaDB; its dump is what the manifest is taken of. *Changes*: adds to the settings."""
    measured: list[Measured] = []
    with restore_mariadb.running(folder / "mariadb", asked.pool_mb) as server:
        settings.append(restore_mariadb.settings(server))
        login, dump = restore_mariadb.prepared(server, folder, asked.rows)
        if "mariadb" in parts:
            measured += told(restore_mariadb.loads(server, login, dump, folder, asked.runs))
            measured += told(restore_mariadb.refills(server, login, folder, asked.rows, asked.runs))
            measured += told(restore_mariadb.swaps(server, folder, asked.swaps))
    if "manifest" in parts:
        measured += told(manifests(dump, asked.runs))
    dump.unlink()
    return measured


def postgresql(folder: Path, asked: argparse.Namespace, settings: list[str]) -> list[Measured]:
    """Measure on PostgreSQL. *Changes*: adds to the settings."""
    with restore_postgresql.running(folder / "postgresql") as server:
        settings.append(restore_postgresql.settings(server))
        made = restore_postgresql.prepared(server, folder, int(asked.rows * POSTGRESQL_SHARE))
        return told(restore_postgresql.loads(server, *made, folder, asked.runs))


def manifests(dump: Path, runs: int) -> list[Measured]:
    """Return the manifest, SHA-256 included, against `cat` through the simplest Python line counter, plain and gzipped."""
    packed = Path(f"{dump}.gz")
    with packed.open("wb") as file:
        subprocess.run(["gzip", "-c", str(dump)], stdout=file, check=True)
    measured = []
    for path, bound, what in ((dump, 1.5, "plain"), (packed, 3.0, "gzipped")):
        # One after the other, so that what else the machine does falls on both sides alike.
        pairs = [(counted_s(dump), *_inspected(path)) for _ in range(runs)]
        counter, ours, memory = (list(each) for each in zip(*pairs, strict=True))
        note = f"peak {max(memory):.0f} MB of memory (bound 100)"
        size = f"{dump.stat().st_size / 1e6:.0f} MB"
        line = f"manifest of {size}, {what}, against `cat` through a line counter"
        measured.append(Measured(what=line, plain=counter, ours=ours, bound=bound, faster=False, note=note))
    packed.unlink()
    return measured


def _inspected(path: Path) -> tuple[float, float]:
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", _INSPECT, str(path)], check=True, capture_output=True)
    seconds = time.perf_counter() - began
    word, memory_mb = json.loads(done.stdout)
    if word != "VERIFIED":
        raise SystemExit(f"the manifest says {word}")
    return seconds, memory_mb


def told(measured: list[Measured]) -> list[Measured]:
    """Print rows as soon as they are there, and return them."""
    for each in measured:
        print(each.row(), flush=True)
    return measured


def programs() -> str:
    """Return the versions of the programs that were run."""
    commands = (["mariadbd", "--version"], ["psql", "--version"])
    said = [
        subprocess.run(command, capture_output=True, text=True, check=True)
        .stdout.split("for debian")[0]
        .strip()
        for command in commands
    ]
    return "; ".join(said)


def measure(folder: Path, asked: argparse.Namespace, settings: list[str]) -> list[Measured]:
    """Run the parts that were asked for. *Changes*: adds the servers' settings to `settings`."""
    parts = asked.only or list(PARTS)
    measured: list[Measured] = []
    if {"mariadb", "manifest"} & set(parts):
        measured += mariadb(folder, asked, parts, settings)
    if "postgresql" in parts:
        measured += postgresql(folder, asked, settings)
    return measured


def main() -> None:
    """Measure, print, write the table, remove the data."""
    asked = arguments()
    parent = asked.folder
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="restore-bench-", dir=parent))
    settings: list[str] = []
    try:
        measured = measure(folder, asked, settings)
    finally:
        if not asked.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(table(measured))
    if asked.write or not asked.only:
        command = "python -m tests.bench.restore" + (f" --rows {asked.rows}" if asked.rows != ROWS else "")
        RESULTS.write_text(document(measured, command, programs(), settings), encoding="utf-8")
    if not all(each.holds for each in measured):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
