"""Who may still write: processes that hold the database open, workers of the application, and the scheduler's cron line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Set, Tuple

from adapters.host_reader.processes import all_processes, cron_files, cron_mentions, told_process
from adapters.host_reader.sqlite_open import existing_file
from adapters.host_reader.sqlite_request import Answer, Request, optional_text, text


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
    processes, unseen = all_processes()
    told = [
        told_process(each, app_path, bool(each.files & wanted))
        for each in processes
        if each.pid not in ignored
    ]
    return {
        "processes": [each for each in told if each is not None],
        "unseen": unseen,
        "cron": cron_mentions(cron_files(), app_path) if app_path else [],
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
