"""How fast a manifest is taken, against `cat` through the simplest Python line counter: `python -m tests.bench.manifest [MB] [LAYOUT…]`.

It makes a dump of the size asked for (1000 MB where none is given) in each layout, inspects it plain and packed, and
prints for each of three runs the seconds of both sides, their ratio (and that of their CPU seconds, which other work on
the machine disturbs less) and the peak memory (of both processes, what they share counted twice). The counter reads the plain
text of the same rows in the same run. The bound: 1.5 times the counter, SHA-256 included; packed at most twice that;
100 MB of memory. PostgreSQL's custom format is made by a real server's pg_dump.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.servers.postgres import PostgresServer, start_postgres

RUNS = 3
PLAIN_BOUND, PACKED_BOUND, MEMORY_MB = 1.5, 3.0, 100
_COUNTER = "import sys\nn = 0\nfor line in sys.stdin.buffer:\n    n += 1\nprint(n)"
_INSPECT = """
import json, resource, sys
from adapters.host_reader.inspect import inspect_file
answer = inspect_file(sys.argv[1])
tables = answer["manifest"]["tables"]
peaks = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps([answer["verdict"]["word"], tables["pictures"]["rows"], sum(peaks)]))
"""
_MYSQL_HEAD = """-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)
--
-- Host: localhost    Database: album
-- ------------------------------------------------------
-- Server version\t8.0.36

CREATE TABLE `migrations` (
  `id` int,
  `migration` varchar(255),
  `batch` int
);
INSERT INTO `migrations` VALUES (1,'2024_01_01_000000_create',1);
CREATE TABLE `pictures` (
  `id` int,
  `album_id` int,
  `text` text,
  `created_at` datetime,
  `deleted_at` datetime
);
"""
_MYSQL_END = "\n-- Dump completed on 2026-11-22 15:53:01\n"
_SQLITE_HEAD = """PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE migrations(id, migration, batch);
INSERT INTO migrations VALUES(1,'2024_01_01_000000_create',1);
CREATE TABLE pictures(id, album_id, text, created_at, deleted_at);
"""
_PG_HEAD = """--
-- PostgreSQL database dump
--

CREATE TABLE public.migrations (
    id integer,
    migration text,
    batch integer
);
CREATE TABLE public.pictures (
    id integer,
    album_id integer,
    text text,
    created_at text,
    deleted_at text
);
COPY public.migrations (id, migration, batch) FROM stdin;
1\t2024_01_01_000000_create\t1
\\.

COPY public.pictures (id, album_id, text, created_at, deleted_at) FROM stdin;
"""
_PG_END = "\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n"
# mysqldump's statements are about a megabyte (net_buffer_length).
_ROWS_A_STATEMENT = 10_000


@dataclass(frozen=True)
class Layout:
    """How a tool writes rows: around the dump, around a statement's rows, between rows, and how a quote is written."""

    head: str
    end: str
    row: str
    before: str = ""
    between: str = ""
    after: str = ""
    quote: str = "\\'"
    text: str = "'{}'"
    two_lines: str = "'{}'"


_VALUES = "({0},{1},{2},'2025-01-01 10:00:00',NULL)"
LAYOUTS = {
    "sqlite": Layout(
        _SQLITE_HEAD,
        "COMMIT;\n",
        f"INSERT INTO pictures VALUES{_VALUES};\n",
        quote="''",
        two_lines="replace('{}','\\n',char(10))",
    ),
    "mysqldump": Layout(_MYSQL_HEAD, _MYSQL_END, _VALUES, "INSERT INTO `pictures` VALUES ", ",", ";\n"),
    "mariadb-dump": Layout(_MYSQL_HEAD, _MYSQL_END, _VALUES, "INSERT INTO `pictures` VALUES\n", ",\n", ";\n"),
    "skip-extended-insert": Layout(_MYSQL_HEAD, _MYSQL_END, f"INSERT INTO `pictures` VALUES {_VALUES};\n"),
    "pg_dump": Layout(
        _PG_HEAD,
        _PG_END,
        "{0}\t{1}\t{2}\t2025-01-01 10:00:00\t\\N\n",
        quote="'",
        text="{}",
        two_lines="{}",
    ),
}


def texts(layout: Layout) -> list[str]:
    """Return captions as people write them: a quote in one of five, brackets in one of ten, two lines in one of ten."""
    words = [
        "a",
        "day",
        "at",
        "the",
        "lake",
        "with",
        "friends",
        "and",
        "a",
        "long",
        "walk",
        "home",
        "afterwards",
    ]
    found = []
    for number in range(100):
        text = "# " + " ".join(words[(number + place) % len(words)] for place in range(9))
        text += f" it{layout.quote}s" if number % 5 == 0 else ""
        text += " (the second one)" if number % 10 == 1 else ""
        two = number % 10 == 2
        found.append((layout.two_lines if two else layout.text).format(text + ("\\nand more" if two else "")))
    return found


def statements(layout: Layout, first: int) -> Iterator[str]:
    """Yield one statement's worth of rows after another, without end."""
    captions = texts(layout)
    while True:
        rows = (
            layout.row.format(number, number % 97, captions[number % 100].replace("#", str(number)))
            for number in range(first, first + _ROWS_A_STATEMENT)
        )
        yield layout.before + layout.between.join(rows) + layout.after
        first += _ROWS_A_STATEMENT


def make_dump(path: Path, layout: Layout, megabytes: int) -> int:
    """Write a dump of about this size; return its number of rows."""
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        file.write(layout.head)
        for text in statements(layout, 0):
            file.write(text)
            rows += _ROWS_A_STATEMENT
            if file.tell() >= megabytes * 1_000_000:
                break
        file.write(layout.end)
    return rows


def counted_s(path: Path) -> float:
    """Return how many seconds `cat | line counter` takes."""
    began = time.perf_counter()
    with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE) as cat:
        subprocess.run(
            [sys.executable, "-c", _COUNTER], stdin=cat.stdout, check=True, stdout=subprocess.DEVNULL
        )
    return time.perf_counter() - began


def inspected_s(path: Path, rows: int) -> tuple[float, float]:
    """Return seconds and peak MB of one inspection in a process of its own; its row count must be right."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", _INSPECT, str(path)], check=True, capture_output=True)
    seconds = time.perf_counter() - began
    word, counted, memory_mb = json.loads(done.stdout)
    if (word, counted) != ("VERIFIED", rows):
        raise SystemExit(f"wrong answer for {path.name}: {word}, {counted} rows where {rows} are")
    return seconds, memory_mb


def _children_cpu_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def compare(name: str, plain: Path, dump: Path, rows: int, bound: float) -> None:
    """Measure both sides one after the other, three times, and print."""
    for run in range(1, RUNS + 1):
        before = _children_cpu_s()
        base = counted_s(plain)
        between = _children_cpu_s()
        seconds, memory_mb = inspected_s(dump, rows)
        cpu_ratio = (_children_cpu_s() - between) / (between - before)
        ratio = seconds / base
        good = ratio <= bound and memory_mb <= MEMORY_MB
        print(
            f"{name:<26} run {run}   counter {base:6.2f} s   manifest {seconds:6.2f} s   ratio {ratio:5.2f} "
            f"(at most {bound:.1f})   CPU {cpu_ratio:5.2f}   peak {memory_mb:4.0f} MB   {'ok' if good else 'TOO MUCH'}",
            flush=True,
        )


def _packed(plain: Path) -> Iterator[tuple[str, Path]]:
    """Yield the dump packed by gzip and by zstd, one at a time."""
    for suffix, command in (("gz", ["gzip", "-k"]), ("zst", ["zstd", "-q", "-1", "-k"])):
        packed = Path(f"{plain}.{suffix}")
        subprocess.run([*command, str(plain)], check=True)
        yield suffix, packed
        packed.unlink()


def pg_custom(server: PostgresServer, plain: Path, target: Path) -> None:
    """Load the plain dump and write it again in pg_dump's custom format."""
    login = server.make("bench_manifest")
    environment = {"PGPASSWORD": login.password, "PATH": "/usr/bin:/bin"}
    address = ["-h", login.host, "-p", str(login.port), "-U", login.username]
    load = [f"{server.bin}/psql", "-X", "-q", *address, "-d", login.database, "-f", str(plain)]
    subprocess.run(load, check=True, env=environment, stdout=subprocess.DEVNULL)
    dump = [f"{server.bin}/pg_dump", "-Fc", *address, "-f", str(target), login.database]
    subprocess.run(dump, check=True, env=environment)
    server.drop(login)


def measure(folder: Path, name: str, megabytes: int, custom: Callable[[Path, Path], None]) -> None:
    """Make one layout's files, measure each, and remove them."""
    plain = folder / f"{name}.sql"
    rows = make_dump(plain, LAYOUTS[name], megabytes)
    compare(name, plain, plain, rows, PLAIN_BOUND)
    for suffix, packed in _packed(plain):
        compare(f"{name} .{suffix}", plain, packed, rows, PACKED_BOUND)
    if name == "pg_dump":
        archive = folder / "pg.dump"
        custom(plain, archive)
        compare("pg_dump -Fc", plain, archive, rows, PACKED_BOUND)
        archive.unlink()
    plain.unlink()


def main() -> None:
    """Make the files, measure, print."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    names = sys.argv[2:] or list(LAYOUTS)
    with tempfile.TemporaryDirectory() as folder:

        def custom(plain: Path, target: Path) -> None:
            server = start_postgres(Path(folder) / "server")
            try:
                pg_custom(server, plain, target)
            finally:
                server.stop()

        for name in names:
            measure(Path(folder), name, megabytes, custom)


if __name__ == "__main__":
    main()
