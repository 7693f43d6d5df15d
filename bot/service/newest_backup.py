"""The newest backup that is worth something: found without reading every file that there is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.laravel.facts import AppFacts
from bot.service.backup_search import LiveShape, find_files, inspect
from bot.service.site_work import SiteWork

LOOKED_AT = 10
"""How many files at most are read to their end; a job that has failed so often in a row needs no more proof."""


@dataclass(frozen=True, kw_only=True)
class Newest:
    """What was found, each backup as its line (see `Found`). `good` is None where no backup that was read is VERIFIED.

    `bad` are the files that are newer than it and no use, newest first; `files` counts all that there are, `unread`
    those that were not read: older than the good one, or beyond the limit.
    """

    good: dict[str, Any] | None
    bad: tuple[dict[str, Any], ...]
    files: int
    unread: int
    skipped: tuple[str, ...] = ()


async def newest_backup(
    work: SiteWork, facts: AppFacts, live: LiveShape, *, not_before: datetime | None = None
) -> Newest:
    """Return the newest VERIFIED backup, and what lies before it; reads only.

    Files are read newest first, by the file's time. One that is older than `not_before` is not read: no backup can be
    newer than its file, as a copy only makes the file's time later.
    """
    found = await find_files(work, facts)
    files = [f for f in found["files"] if not_before is None or file_time(f) >= not_before]
    skipped = tuple(f"{s['path']}: {s['reason']}" for s in found.get("skipped", ()))
    bad: list[dict[str, Any]] = []
    good = None
    for file in files[:LOOKED_AT]:
        line = await inspect(work, facts, None, file["path"], live)
        line = {**line, "mtime": line["mtime"] or file["mtime"], "size_bytes": file["size_bytes"]}
        if line["word"] == "VERIFIED":
            good = line
            break
        bad.append(line)
    read = len(bad) + (good is not None)
    return Newest(
        good=good,
        bad=tuple(bad),
        files=len(found["files"]),
        unread=len(found["files"]) - read,
        skipped=skipped,
    )


def file_time(line: dict[str, Any]) -> datetime:
    """Return a file's time, aware UTC."""
    return _aware(str(line["mtime"]))


def made_at(line: dict[str, Any]) -> datetime:
    """Return when a backup was made: by its own end time, else by its file's."""
    return _aware(str(line["completed"] or line["mtime"]))


def _aware(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
