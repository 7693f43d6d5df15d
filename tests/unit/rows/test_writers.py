"""Who holds the database open or works for the application is seen, and no secret or cron line is told (HAZARDS M2)."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from adapters.host_reader.processes import cron_mentions, kind_of, masked
from adapters.host_reader.sqlite_verbs import sqlite_writers
from tests.unit.rows.shapes import build_before

WAIT = "import sys; print('go', flush=True); sys.stdin.read()"


@contextmanager
def process(*argv: str, cwd: Path) -> Iterator[int]:
    """Run a real process that says go and waits until its input ends; give its pid."""
    worker = subprocess.Popen(argv, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert worker.stdout is not None
    worker.stdout.readline()
    try:
        yield worker.pid
    finally:
        worker.communicate()


def test_a_process_that_holds_the_file_open_is_a_writer(tmp_path: Path) -> None:
    """Whatever it is, it is seen by the file and not by its name."""
    live = tmp_path / "live.sqlite"
    build_before(live)
    program = (
        f"import sqlite3; c = sqlite3.connect({str(live)!r}); c.execute('SELECT * FROM users').fetchone();"
        + WAIT
    )
    with process(sys.executable, "-c", program, cwd=tmp_path) as pid:
        found = sqlite_writers({"path": str(live), "app_path": str(tmp_path / "app")})
        ignored = sqlite_writers({"path": str(live), "ignore_pids": [pid]})
    seen = next(each for each in found["processes"] if each["pid"] == pid)
    assert (seen["has_open"], seen["writer"], seen["kind"]) == (True, True, "other")
    assert ignored["processes"] == []


def test_a_worker_is_seen_without_the_file(tmp_path: Path) -> None:
    """A queue worker in the application's folder may write at any moment; a secret among its words is masked."""
    live, app = tmp_path / "live.sqlite", tmp_path / "app"
    app.mkdir()
    build_before(live)
    (app / "artisan").write_text(WAIT)
    with process(sys.executable, "artisan", "queue:work", "--token=hush", cwd=app) as pid:
        found = sqlite_writers({"path": str(live), "app_path": str(app)})["processes"]
    assert [(each["pid"], each["kind"], each["writer"], each["has_open"]) for each in found] == [
        (pid, "queue_worker", True, False)
    ]
    assert "hush" not in json.dumps(found)


def test_ones_own_process_and_other_applications_are_left_out(tmp_path: Path) -> None:
    """The reader itself and a worker of another folder are not listed."""
    live, other = tmp_path / "live.sqlite", tmp_path / "other"
    other.mkdir()
    build_before(live)
    (other / "artisan").write_text(WAIT)
    with closing(sqlite3.connect(live)), process(sys.executable, "artisan", "queue:work", cwd=other):
        found = sqlite_writers({"path": str(live), "app_path": str(tmp_path / "app")})["processes"]
    assert os.getpid() not in [each["pid"] for each in found]
    assert found == []


@pytest.mark.parametrize(
    ("argv", "kind"),
    [
        (["php", "artisan", "queue:work", "--sleep=3"], "queue_worker"),
        (["/usr/bin/php8.2", "/srv/app/artisan", "horizon"], "queue_worker"),
        (["sh", "-c", "cd /srv/app && php artisan schedule:run"], "scheduler"),
        (["php", "artisan", "tinker"], "artisan"),
        (["php-fpm: pool www"], "php_front"),
        (["php", "-S", "127.0.0.1:8000", "-t", "public"], "php_front"),
        (["php", "artisan", "octane:start", "--server=swoole"], "php_front"),
        (["php", "/srv/app/artisan", "serve"], "php_front"),
        (["sqlite3", "live.sqlite"], "other"),
        ([], "other"),
    ],
)
def test_kinds_of_processes(argv: list[str], kind: str) -> None:
    """A process is named by what it does for the application."""
    assert kind_of(argv) == kind


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        ("--password=hush", "--password=***"),
        ("DB_PASSWORD=hush\n", "(script)"),
        ("-phush", "-p***"),
        ("mysql://me:hush@host/db", "mysql://***@host/db"),
        ("cd x && TOKEN=hush run", "(script)"),
        ("queue:work", "queue:work"),
    ],
)
def test_secrets_on_a_command_line_are_masked(part: str, shown: str) -> None:
    """A secret is not told, and neither is a whole script."""
    assert masked(part) == shown


def test_cron_lines_of_this_application_are_found_by_place_only() -> None:
    """Only places are told; comments and other applications do not count."""
    line = "* * * * * cd /srv/app && php artisan schedule:run # TOKEN=hush"
    files = [
        ("crontab", line),
        ("/etc/crontab", "# " + line),
        ("/etc/cron.d/x", line.replace("/srv/app", "/srv/b")),
    ]
    assert cron_mentions(files, "/srv/app/") == ["crontab"]
