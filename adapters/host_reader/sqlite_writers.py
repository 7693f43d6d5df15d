"""Who may still write: processes that hold the database open, workers of the application, and the scheduler's cron line."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, List, Set, Tuple

from adapters.host_reader.sqlite_facts import user_name
from adapters.host_reader.sqlite_open import existing_file
from adapters.host_reader.sqlite_request import Answer, Request, optional_text, text

_SECRET_OPTION = re.compile(r"(?i)^(.*(?:pass|pwd|secret|token|auth|key|credential)[^=]*=).*$", re.DOTALL)
_SECRET_SHORT = re.compile(r"^-p.+$", re.DOTALL)
_USER_IN_ADDRESS = re.compile(r"//[^/@\s]+@")
_WORKERS = ("queue:work", "queue:listen", "horizon", "horizon:work", "horizon:supervisor")
_SCHEDULERS = ("schedule:work", "schedule:run")
_FRONTS = re.compile(r"^(php-fpm.*|php-cgi.*|lsphp.*|frankenphp)$")
_PHP = re.compile(r"^php[0-9.]*$")
_CRON_PLACES = ("/etc/crontab", "/etc/cron.d", "/var/spool/cron/crontabs", "/var/spool/cron")
_CRON_TIMEOUT_S = 5


@dataclass(frozen=True)
class Process:
    """One process as /proc tells it; `files` are the (device, inode) pairs it holds open."""

    pid: int
    argv: List[str]
    cwd: str
    user: str
    files: Set[Tuple[int, int]]


def sqlite_writers(request: Request) -> Answer:
    """Return the processes that hold the database open or work for the application, and where cron runs its scheduler.

    `writer` is True where the file is open or the process is a worker, scheduler or artisan command of `app_path`; a
    web front that does not hold the file is none. Processes of other users cannot be looked into; `unseen` counts
    them. Reads only; of a crontab only its place is told, never a line.
    """
    path = text(request, "path")
    app_path = optional_text(request, "app_path")
    ignored = {int(pid) for pid in request.get("ignore_pids") or []} | {os.getpid()}
    wanted = _identities(existing_file(path))
    processes, unseen = _all_processes()
    told = [_told(each, app_path, bool(each.files & wanted)) for each in processes if each.pid not in ignored]
    return {
        "processes": [each for each in told if each is not None],
        "unseen": unseen,
        "cron": cron_mentions(_cron_files(), app_path) if app_path else [],
    }


def _identities(path: str) -> Set[Tuple[int, int]]:
    found = set()
    for suffix in ("", "-wal", "-shm", "-journal"):
        try:
            status = Path(path + suffix).stat()
        except OSError:
            continue
        found.add((status.st_dev, status.st_ino))
    return found


def _all_processes() -> Tuple[List[Process], int]:
    processes, unseen = [], 0
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            processes.append(_process(folder))
        except PermissionError:
            unseen += 1
        except OSError:
            continue  # It ended while we looked.
    return sorted(processes, key=lambda each: each.pid), unseen


def _process(folder: Path) -> Process:
    raw = (folder / "cmdline").read_bytes()
    argv = [part.decode("utf-8", "replace") for part in raw.rstrip(b"\0").split(b"\0")] if raw else []
    files = set()
    for entry in (folder / "fd").iterdir():
        try:
            status = entry.stat()
        except OSError:
            continue
        files.add((status.st_dev, status.st_ino))
    return Process(
        int(folder.name), argv, str((folder / "cwd").readlink()), user_name(folder.stat().st_uid), files
    )


def _told(process: Process, app_path: str | None, has_open: bool) -> Dict[str, Any] | None:
    kind = kind_of(process.argv)
    ours = app_path is not None and _belongs_to(process, os.path.realpath(app_path), app_path)
    if not has_open and (kind == "other" or not ours):
        return None
    return {
        "pid": process.pid,
        "command": [*map(program_shown, process.argv[:1]), *map(masked, process.argv[1:3])],
        "user": process.user,
        "has_open": has_open,
        "kind": kind,
        "writer": has_open or kind in ("queue_worker", "scheduler", "artisan"),
    }


def _belongs_to(process: Process, real: str, written: str) -> bool:
    if process.cwd == real or process.cwd.startswith(real + "/"):
        return True
    return any(place in part for part in process.argv for place in (real + "/", written.rstrip("/") + "/"))


def kind_of(argv: List[str]) -> str:
    """Return what a process does for the application: queue_worker, scheduler, artisan, php_front or other."""
    words = [word for part in argv for word in part.split()]
    program = Path(words[0]).name.rstrip(":") if words else ""
    if any(Path(word).name == "artisan" for word in words):
        if any(word in _WORKERS for word in words):
            return "queue_worker"
        return "scheduler" if any(word in _SCHEDULERS for word in words) else "artisan"
    if _FRONTS.match(program) or (_PHP.match(program) and "-S" in words):
        return "php_front"
    return "other"


def program_shown(part: str) -> str:
    """Return a program as it is named: of an absolute path, which may hold blanks, the last part."""
    return masked(part.rsplit("/", 1)[-1] if part.startswith("/") else part)


def masked(part: str) -> str:
    """Return one word of a command line as it may be shown: without secrets, and without a script's text."""
    if any(space in part for space in " \t\n"):
        return "(script)"
    if _SECRET_SHORT.match(part):
        return "-p***"
    return _SECRET_OPTION.sub(r"\1***", _USER_IN_ADDRESS.sub("//***@", part))[:200]


def _cron_files() -> List[Tuple[str, str]]:
    """Return the place and text of each crontab that can be read."""
    found = []
    try:
        listed = subprocess.run(
            ["crontab", "-l"],
            capture_output=True,
            timeout=_CRON_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        found.append(("crontab", listed.stdout.decode("utf-8", "replace")))
    except (OSError, subprocess.TimeoutExpired):
        pass  # No cron here, or one that does not answer; the files below are still read.
    for place in _CRON_PLACES:
        path = Path(place)
        try:
            files = sorted(path.iterdir()) if path.is_dir() else [path]
            found += [
                (str(file), file.read_text(encoding="utf-8", errors="replace"))
                for file in files
                if file.is_file()
            ]
        except OSError:
            continue
    return found


def cron_mentions(files: Iterable[Tuple[str, str]], app_path: str) -> List[str]:
    """Return the places whose active lines run the application's scheduler."""
    home = str(Path.home())
    places = {app_path.rstrip("/"), os.path.realpath(app_path)}
    places |= {
        place.replace(home, short, 1) for place in set(places) for short in ("~", "$HOME") if home in place
    }
    return [
        where
        for where, content in files
        if any(_runs_scheduler(line, places) for line in content.splitlines())
    ]


def _runs_scheduler(line: str, places: Set[str]) -> bool:
    active = not line.lstrip().startswith("#")
    return active and any(word in line for word in _SCHEDULERS) and any(place in line for place in places)
