"""How fast the log watch filters on the host, against `grep -c`: `python -m tests.bench.log_watch [MB] [KIND…]`.

It writes a log of the size asked for (300 MB where none is given) of each kind, has the row reader count it in a process of
its own, look by look to the end, and `grep -c` the errors of the same file in the same run, three times each. Both must
count the same. Printed: MB a second, the ratio of the times, and how many bytes left the host in all. The bound: 100 MB a
second. A warm file is measured: what is filtered was written a moment ago.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

RUNS = 3
BOUND_MB_S = 100.0
BLOCK_RECORDS = 2_000
FRAMES = "".join(
    f"#{number} /srv/album/vendor/laravel/framework/src/Illuminate/Pipeline/Pipeline.php({100 + number}): "
    "Illuminate\\\\Pipeline\\\\Pipeline->Illuminate\\\\Pipeline\\\\{{closure}}(Object(Illuminate\\\\Http\\\\Request))\n"
    for number in range(58)
)
ERROR = (
    "[2026-11-22 16:51:53] production.ERROR: SQLSTATE[42S02]: Base table or view not found: 1146 Table 'album.gone' doesn't exist "
    '(SQL: select * from gone) {{"exception":"[object] (Illuminate\\\\Database\\\\QueryException(code: 42S02): SQLSTATE[42S02] at '
    "/srv/album/vendor/laravel/framework/src/Illuminate/Database/Connection.php:712)\n[stacktrace]\n"
    "#0 /srv/album/app/Http/Controllers/PhotoController.php({line}): Illuminate\\\\Database\\\\Query\\\\Builder->get()\n"
    f'{FRAMES}#58 {{{{main}}}}\n"}}}} \n'
)
INFO = "[2026-11-22 16:51:5{digit}] production.INFO: photo {number} was looked at by somebody from somewhere with a browser {{}} \n"
JSON_INFO = (
    '{{"message":"photo {number} was looked at","context":{{}},"level":200,"level_name":"INFO","channel":"production",'
    '"datetime":"2026-11-22T16:51:5{digit}.123456+00:00","extra":{{}}}}\n'
)
JSON_ERROR = (
    '{{"message":"gone","context":{{"exception":{{"class":"ErrorException","message":"gone","code":0,"file":"/srv/album/app/Photo.php:{line}",'
    '"trace":["/srv/album/vendor/laravel/framework/src/Illuminate/Pipeline/Pipeline.php:100"]}}}},"level":400,"level_name":"ERROR",'
    '"channel":"production","datetime":"2026-11-22T16:51:53.123456+00:00","extra":{{}}}}\n'
)
# One error in so many records; the text of an error and of another record; what grep looks for.
KINDS = {
    "mostly traces": (2, ERROR, INFO, r"^\[.*\.ERROR: "),
    "mostly info": (500, ERROR, INFO, r"^\[.*\.ERROR: "),
    "json": (500, JSON_ERROR, JSON_INFO, '"level_name":"ERROR"'),
}


def blocks(kind: str) -> Iterator[tuple[str, int]]:
    """Yield text for the log without end, each time with the number of its errors."""
    every, error, info, _ = KINDS[kind]
    number = 0
    while True:
        texts = []
        for _unused in range(BLOCK_RECORDS):
            number += 1
            values = {"number": number, "digit": number % 10, "line": number % 40}
            texts.append((info if number % every else error).format(**values))
        yield "".join(texts), sum(not (number - place) % every for place in range(BLOCK_RECORDS))


def write_log(path: Path, kind: str, megabytes: int) -> int:
    """Write a log of about this size; return its number of errors."""
    errors = 0
    with path.open("w", encoding="utf-8") as file:
        for text, more in blocks(kind):
            file.write(text)
            errors += more
            if file.tell() >= megabytes * 1_000_000:
                return errors
    return errors


def grepped(path: Path, pattern: str) -> tuple[float, int]:
    """Return how many seconds `grep -c` takes, and what it counts."""
    began = time.perf_counter()
    done = subprocess.run(
        ["grep", "-c", pattern, str(path)], check=True, capture_output=True, text=True, env={"LC_ALL": "C"}
    )
    return time.perf_counter() - began, int(done.stdout)


def counted(path: Path) -> tuple[float, int, int]:
    """Return how many seconds the reader takes over all looks, the errors it counts, and the bytes of its answers."""
    logs = [{"path": str(path), "inode": 0, "offset": 0, "mark": ""}]
    seconds, errors, travelled, more = 0.0, 0, 0, True
    while more:
        request = json.dumps({"logs": logs, "is_end": True})
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "adapters.host_reader", "log_count"],
            input=request,
            check=True,
            capture_output=True,
            text=True,
        )
        seconds += time.perf_counter() - began
        answer = json.loads(done.stdout)
        errors += answer["levels"].get("ERROR", 0)
        travelled += len(done.stdout)
        logs = [{key: log[key] for key in ("path", "inode", "offset", "mark")} for log in answer["logs"]]
        more = answer["more"]
    return seconds, errors, travelled


def main() -> None:
    """Write the logs, measure, print."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    with tempfile.TemporaryDirectory() as folder:
        for kind in sys.argv[2:] or list(KINDS):
            path = Path(folder) / "laravel.log"
            errors = write_log(path, kind, megabytes)
            size_mb = path.stat().st_size / 1e6
            for run in range(1, RUNS + 1):
                plain_s, found = grepped(path, KINDS[kind][3])
                own_s, own, travelled = counted(path)
                if (found, own) != (errors, errors):
                    raise SystemExit(f"wrong count: grep {found}, ours {own}, written {errors}")
                good = size_mb / own_s >= BOUND_MB_S
                print(
                    f"{kind:<14} run {run}   {size_mb:5.0f} MB   grep -c {size_mb / plain_s:6.0f} MB/s   watch {size_mb / own_s:6.0f} MB/s "
                    f"(at least {BOUND_MB_S:.0f})   ratio {own_s / plain_s:5.2f}   {travelled:,} bytes travelled   "
                    f"{'ok' if good else 'TOO SLOW'}",
                    flush=True,
                )
            path.unlink()


if __name__ == "__main__":
    main()
