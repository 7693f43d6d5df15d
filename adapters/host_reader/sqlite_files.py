"""Files that Backout makes on the host: private, proven to fit, whole or not there, and known again by a note."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_request import Answer, Request

# What a copy may need beyond its own size: a journal, sidecars, the file system's own blocks.
_SPACE_FACTOR = 1.2
_BLOCK_BYTES = 1 << 20


@contextlib.contextmanager
def private_files() -> Iterator[None]:
    """Make every file of the block readable by its owner only."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def make_once(target: str, request: Request, build: Callable[[str], Answer]) -> Answer:
    """Build a file under `target + ".part"`, and give it its name when it is whole; the second time tell it again.

    `build` fills the part and returns the answer. The answer is kept in `target + ".json"`, so that the same request
    after a crash or a lost link gives the same answer, after the file's SHA-256 was proven again.
    *Raises* Refusal (refused) when another file has the name. *Changes*: the target, its note; a part that failed or
    was left by a killed process is removed.
    """
    with private_files():
        known = _made_before(target, request)
        if known is not None:
            return known
        part = target + ".part"
        remove_database(part)
        try:
            answer = build(part)
            sync_file(part)
            answer.update(
                target=target, size_bytes=Path(part).stat().st_size, sha256=sha256_of(part), attached=False
            )
            _forget_work_on(target)
            write_note(target + ".json", {"request": digest_of(request), "answer": answer})
            Path(part).rename(target)
            sync_folder(target)
        finally:
            remove_database(part)
    return answer


def _forget_work_on(target: str) -> None:
    """Remove the notes about work on an older file of this name. *Changes*: only these."""
    for verb in ("repair", "swap"):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{target}.{verb}.json").unlink()


def _made_before(target: str, request: Request) -> Optional[Answer]:
    if not os.path.lexists(target):
        return None
    note = read_note(target + ".json")
    if not note or note.get("request") != digest_of(request):
        raise Refusal(
            "refused", f"{target} is there already and was not made by this request. It was left as it is."
        )
    answer: Answer = note["answer"]
    if sha256_of(target) != answer["sha256"]:
        raise Refusal(
            "changed", f"{target} is not as it was when it was made. It was left as it is; make another."
        )
    return {**answer, "attached": True}


def digest_of(request: Request) -> str:
    """Return a hash of a request, to know the same one again."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode("utf-8")).hexdigest()


def read_note(path: str) -> Optional[Dict[str, Any]]:
    """Return the note beside a file, or None where there is none that can be read."""
    try:
        note = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return note if isinstance(note, dict) else None


def write_note(path: str, note: Dict[str, Any]) -> None:
    """Write the note beside a file so that it is there as a whole or not at all. *Changes*: that note."""
    part = Path(path + ".part")
    part.write_text(json.dumps(note), encoding="utf-8")
    sync_file(str(part))
    part.rename(path)
    sync_folder(path)


def prove_space(folder: str, size_bytes: int, reserve_bytes: float) -> None:
    """Do nothing when the folder's disk has room for a file of that size, a fifth more, and the reserve.

    *Raises* Refusal (no_space, not_found).
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise Refusal(
            "not_found", f"There is no folder {folder} ({error.strerror}). Nothing was changed."
        ) from None
    needed = int(size_bytes * _SPACE_FACTOR + reserve_bytes)
    if free < needed:
        raise Refusal(
            "no_space",
            f"{folder} has {free:,} bytes free, {needed:,} are needed. Nothing was changed; make room and try again.",
        )


def remove_database(path: str) -> None:
    """Remove a file of ours and the sidecars SQLite may have left beside it. *Changes*: only these."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            Path(path + suffix).unlink()


def sha256_of(path: str) -> str:
    """Return the SHA-256 of a file as it lies there; reads only."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        for block in iter(lambda: file.read(_BLOCK_BYTES), b""):
            digest.update(block)
    return digest.hexdigest()


def sync_file(path: str) -> None:
    """Have the file's bytes on the disk before going on."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: str) -> None:
    """Have the name of a file on the disk before going on."""
    _sync(str(Path(path).parent), os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: str, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
