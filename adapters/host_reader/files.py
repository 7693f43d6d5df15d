"""Find backups on the host: a bounded walk that tells a file by its first bytes (HAZARDS B4)."""

from __future__ import annotations

import os
import stat
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, FrozenSet, List, Optional, Set, Tuple

from adapters.host_reader.answers import Refusal, progress
from adapters.host_reader.opening import ProgramMissingError, content_head
from bot.dumps import formats
from bot.dumps.compression import DamagedError

# Folders that hold other people's code, downloads, Backout's own copies, or Laravel's schema dumps, which hold no rows.
SKIPPED_NAMES = frozenset(("vendor", "node_modules", ".git", ".cache", ".backout"))
SKIPPED_TAILS = (("database", "schema"), ("storage", "framework"))

_SUFFIXES_OF_DUMPS = (".sql", ".dump", ".sqlite", ".sqlite3", ".db", ".bak", ".backup", ".pgdump")
# Taken off in this order: a dump is packed first and encrypted then.
_PACKING_SUFFIXES = (".gpg", ".pgp", ".asc", ".enc", ".age", ".gz", ".zst", ".bz2", ".xz", ".zip", ".tar")


def find(request: Dict[str, Any]) -> Dict[str, Any]:
    """Return the backups below the request's `roots`, newest first; reads only.

    `skipped` names what was not looked at and why; `complete` is False where a limit ended the walk. With `is_guess` the
    roots are places where backups may be: one that is not there is none that was skipped.
    """
    roots = request.get("roots")
    if not isinstance(roots, list) or not roots:
        raise Refusal("bad_request", "find needs `roots`, the folders to search. Nothing was changed.")
    walk = _Walk(request)
    for root in roots:
        walk.search(Path(os.path.expanduser(str(root))))  # noqa: PTH111 - Path.expanduser raises for an unknown user
    walk.files.sort(key=lambda found: (found["mtime"], found["path"]), reverse=True)
    return {"files": walk.files, "skipped": walk.skipped, "complete": walk.complete}


def iso_time(seconds: float) -> str:
    """Return a file time as ISO text in UTC, to the second."""
    return datetime.fromtimestamp(int(seconds), tz=timezone.utc).isoformat()


class _Walk:
    """One walk and what it found."""

    def __init__(self, request: Dict[str, Any]) -> None:
        self.files: List[Dict[str, Any]] = []
        self.skipped: List[Dict[str, str]] = []
        self.complete = True
        self._max_depth = int(request.get("max_depth", 6))
        self._limit = int(request.get("limit", 500))
        self._ends_at = time.monotonic() + float(request.get("time_limit_s", 20))
        self._is_guess = bool(request.get("is_guess", False))
        self._web_root = _real(request.get("web_root"))
        self._live = _live_files(request.get("live"))
        self._seen: Set[Tuple[int, int]] = set()
        self._looked_at = 0

    def search(self, root: Path) -> None:
        """Look at a root: a folder with all below it, or one file."""
        if root.is_file():
            self._look_at(root)
        elif root.is_dir():
            self._walk(root)
        elif not self._is_guess:
            self._skip(root, "it is not there or not allowed to be read")

    def _walk(self, root: Path) -> None:
        depth_of_root = len(root.parts)
        for folder, folders, names in os.walk(root, onerror=self._not_readable):
            here = Path(folder)
            if len(here.parts) - depth_of_root >= self._max_depth:
                folders[:] = self._too_deep(here, folders)
            folders[:] = sorted(name for name in folders if not _is_skipped(here / name))
            for name in sorted(names):
                if self._over():
                    return
                self._look_at(here / name)

    def _too_deep(self, here: Path, folders: List[str]) -> List[str]:
        if folders:
            self.complete = False
            self._skip(here, f"its {len(folders)} subfolders are deeper than {self._max_depth} levels")
        return []

    def _over(self) -> bool:
        if len(self.files) >= self._limit or time.monotonic() > self._ends_at:
            if self.complete:
                reason = (
                    "enough files were found"
                    if len(self.files) >= self._limit
                    else "the time for the search was over"
                )
                self.skipped.append({"path": "", "reason": reason})
            self.complete = False
            return True
        return False

    def _not_readable(self, error: OSError) -> None:
        self._skip(Path(str(error.filename)), error.strerror or "it cannot be read")

    def _skip(self, path: Path, reason: str) -> None:
        if len(self.skipped) < self._limit:
            self.skipped.append({"path": _shown(path), "reason": reason})

    def _look_at(self, path: Path) -> None:
        self._looked_at += 1
        progress("searching for backups", self._looked_at, 0, "files")
        is_text = is_unicode(path)
        try:
            status = path.stat()
            identity = (status.st_dev, status.st_ino)
            if not stat.S_ISREG(status.st_mode) or identity in self._seen or identity in self._live:
                return
            self._seen.add(identity)
            entry = _entry(path, status)
        except OSError as error:
            self._skip(path, error.strerror or "it cannot be read")
            return
        if entry is None:
            return
        if not is_text:
            self._skip(path, "its name is no valid UTF-8, so it cannot be recorded: give it another name")
            return
        real = _real(path)
        entry["under_web_root"] = bool(self._web_root and real and Path(self._web_root) in Path(real).parents)
        self.files.append(entry)


def _entry(path: Path, status: os.stat_result) -> Optional[Dict[str, Any]]:
    """Return what is told of a backup file, or None where the file is none."""
    entry: Dict[str, Any] = {
        "path": str(path),
        "size_bytes": status.st_size,
        "mtime": iso_time(status.st_mtime),
        "format": None,
        "compression": None,
    }
    if status.st_size == 0:
        # Empty files of a failed job are named so that a person sees that the job fails.
        return entry if _named_like_a_dump(path) else None
    with path.open("rb") as file:
        head = file.read(formats.HEAD_BYTES)
    entry["compression"] = formats.compression_of(head)
    plain = _plain_head(path, head)
    entry["format"] = formats.format_of(plain)
    # What must be unpacked or decrypted first is told only by its name, and listed so that a person may do it.
    unread = entry["compression"] or formats.why_unread(head)
    if entry["format"] is None and not (unread and _named_like_a_dump(path)):
        return None
    return entry


def _plain_head(path: Path, head: bytes) -> bytes:
    """Return the first decompressed bytes; none where the compression is damaged or its program is missing."""
    if formats.compression_of(head) is None:
        return head
    try:
        return content_head(path)
    except (DamagedError, ProgramMissingError):
        return b""


def _named_like_a_dump(path: Path) -> bool:
    name = path.name.lower()
    for suffix in _PACKING_SUFFIXES:
        name = name.removesuffix(suffix)
    return name.endswith(_SUFFIXES_OF_DUMPS)


def _is_skipped(folder: Path) -> bool:
    return folder.name in SKIPPED_NAMES or folder.parts[-2:] in SKIPPED_TAILS


def _real(path: Any) -> Optional[str]:
    return os.path.realpath(os.path.expanduser(str(path))) if path else None  # noqa: PTH111


def _live_files(live: Any) -> FrozenSet[Tuple[int, int]]:
    """Return the live SQLite database and the files SQLite keeps beside it, by device and inode."""
    found: Set[Tuple[int, int]] = set()
    real = _real(live)
    for ending in ("", "-wal", "-shm", "-journal") if real else ():
        try:
            status = os.stat(f"{real}{ending}")  # noqa: PTH116 - the name may be no valid UTF-8
        except OSError:
            continue
        found.add((status.st_dev, status.st_ino))
    return frozenset(found)


def is_unicode(path: Path) -> bool:
    """Return whether a path is valid UTF-8: what is not could be sent, and neither stored nor shown."""
    try:
        os.fsencode(path).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _shown(path: Path) -> str:
    """Return a path to show; bytes in it that are no valid UTF-8 stand as `\\xff`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
