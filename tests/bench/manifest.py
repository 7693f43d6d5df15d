"""How fast a manifest is taken, against `cat` through the simplest Python line counter: `python -m tests.bench.manifest [MB]`.

It makes its own SQLite dump of the size asked for (200 MB where none is given), inspects it plain and gzipped, and
prints seconds, ratios and peak memory. The bound: 1.5 times the line counter, SHA-256 included; compressed at most
twice that; 100 MB of memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_COUNTER = "import sys\nn = 0\nfor line in sys.stdin:\n    n += 1\nprint(n)"
_INSPECT = """
import json, resource, sys
from adapters.host_reader.inspect import inspect_file
answer = inspect_file(sys.argv[1])
print(json.dumps([answer["verdict"]["word"], answer["manifest"]["tables"]["pictures"]["rows"],
                  resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""
_TEXT = "a text with words, (brackets) and it''s quotes"


def make_dump(path: Path, megabytes: int) -> int:
    """Write a SQLite dump of about this size; return its number of rows."""
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        file.write(
            "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE migrations(id, migration, batch);\n"
        )
        file.write("INSERT INTO migrations VALUES(1,'2024_01_01_000000_create',1);\n")
        file.write("CREATE TABLE pictures(id, album_id, text, created_at);\n")
        while file.tell() < megabytes * 1_000_000:
            lines = (
                f"INSERT INTO pictures VALUES({rows + n},{n % 97},'{_TEXT} {n}','2025-01-01 10:00:00');\n"
                for n in range(20_000)
            )
            file.write("".join(lines))
            rows += 20_000
        file.write("COMMIT;\n")
    return rows


def counted_s(command: str) -> float:
    """Return how many seconds `command | line counter` takes."""
    began = time.perf_counter()
    subprocess.run(
        ["/bin/sh", "-c", f"{command} | {sys.executable} -c '{_COUNTER}'"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


def inspected_s(path: Path, rows: int) -> tuple[float, float]:
    """Return seconds and peak MB of one inspection in a process of its own; its row count must be right."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", _INSPECT, str(path)], check=True, capture_output=True)
    seconds = time.perf_counter() - began
    word, counted, memory_mb = json.loads(done.stdout)
    if (word, counted) != ("VERIFIED", rows):
        raise SystemExit(f"wrong answer: {word}, {counted} rows where {rows} are")
    return seconds, memory_mb


def main() -> None:
    """Make the files, measure, print."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "dump.sql"
        rows = make_dump(plain, megabytes)
        subprocess.run(["gzip", "-1", "-k", str(plain)], check=True)
        for path in (plain, Path(f"{plain}.gz")):
            base = counted_s(f"cat '{plain}'")
            seconds, memory_mb = inspected_s(path, rows)
            print(
                f"{path.suffix:>4}  line counter {base:6.2f} s   manifest {seconds:6.2f} s   "
                f"ratio {seconds / base:5.2f}   peak {memory_mb:5.0f} MB"
            )


if __name__ == "__main__":
    main()
