"""Processes of this host that work for the application, and the crontabs that run its scheduler; nothing of a database."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, List, Set, Tuple

from adapters.host_reader.sqlite_facts import user_name

_SECRET_OPTION = re.compile(r"(?i)^(.*(?:pass|pwd|secret|token|auth|key|credential)[^=]*=).*$", re.DOTALL)
_SECRET_SHORT = re.compile(r"^-p.+$", re.DOTALL)
_USER_IN_ADDRESS = re.compile(r"//[^/@\s]+@")
_WORKERS = ("queue:work", "queue:listen", "horizon", "horizon:work", "horizon:supervisor")
_SCHEDULERS = ("schedule:work", "schedule:run")
# Artisan commands that are the web front itself: they answer by the maintenance flag, and the site is not closed by their end.
_FRONT_COMMANDS = ("octane:start", "octane:swoole", "octane:roadrunner", "octane:frankenphp", "serve")
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


def all_processes() -> Tuple[List[Process], int]:
    """Return the processes that can be looked into, by number, and how many cannot: other users'; reads only."""
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


def told_process(process: Process, app_path: str | None, has_open: bool) -> Dict[str, Any] | None:
    """Return a process as an answer tells it, None for one that is no business of the application.

    `has_open`: it holds the database's file open, and counts as a writer whatever it is.
    """
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
        if any(word in _FRONT_COMMANDS for word in words):
            return "php_front"
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


def cron_files() -> List[Tuple[str, str]]:
    """Return the place and text of each crontab that can be read; reads only."""
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
