"""Where images lie: `<workspace>/images`, private, each with a note beside it, the least recently used thrown away."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path
from typing import Any, Dict, List

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_files import read_note, remove_database, write_note

# A recovery works with live, the backup, and scratch before and after each change of it.
_KEPT = 6
_SAFE_NAME = re.compile(r"[0-9A-Za-z_.-]{1,128}")


def expanded(path: str) -> str:
    """Return a path of the request as an absolute one; `~/` is the home of the site's user on this host."""
    whole = os.path.expanduser(path)  # noqa: PTH111 - Path.expanduser raises where there is no home
    if not whole.startswith("/"):
        raise Refusal("bad_request", "The workspace must be an absolute path. Nothing was changed.")
    return whole


def private_folder(workspace: str, name: str) -> Path:
    """Return a folder of the workspace that only its owner can read. *Changes*: makes it where it is not there."""
    folder = Path(expanded(workspace)) / name
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    except OSError as error:
        raise Refusal(
            "unreadable",
            f"{folder} cannot be made ({error.strerror}). Nothing was changed; check its rights.",
        ) from None
    return folder


def image_path(workspace: str, engine: str, fingerprint: str) -> str:
    """Return where the image of that content lies, or would lie."""
    if not _SAFE_NAME.fullmatch(fingerprint) or not _SAFE_NAME.fullmatch(engine):
        raise Refusal("bad_request", "A fingerprint or engine is not written as one. Nothing was changed.")
    return str(private_folder(workspace, "images") / f"{engine}-{fingerprint}.sqlite")


def is_kept(path: str) -> bool:
    """Return whether an image and its note are there, and count it as used. *Changes*: its time only."""
    if read_note(path + ".json") is None:
        return False
    with contextlib.suppress(FileNotFoundError):
        os.utime(path)
        return True
    return False


def note_of(path: str) -> Dict[str, Any]:
    """Return an image's note: `{database, fingerprint, schema_hash, rows, views, triggers, routines, …}`."""
    note = read_note(path + ".json")
    if note is None:
        raise Refusal("changed", "An image was removed while it was in use. Nothing was changed; try again.")
    return note


def own_part(path: str) -> str:
    """Return where this process builds an image. *Changes*: what killed processes left half-built is removed."""
    for left in Path(path).parent.glob("*.part"):
        number = left.name.split(".")[-2]
        if not number.isdigit() or not Path(f"/proc/{number}").exists():
            remove_database(str(left))
    part = f"{path}.{os.getpid()}.part"
    remove_database(part)
    return part


def keep(part: str, path: str, note: Dict[str, Any]) -> None:
    """Give a finished image its name, and remove the least recently used beyond six. *Changes*: the images folder."""
    write_note(path + ".json", note)
    Path(part).rename(path)
    for old in _by_use(Path(path).parent)[_KEPT:]:
        remove_database(str(old))
        with contextlib.suppress(FileNotFoundError):
            Path(f"{old}.json").unlink()


def _by_use(folder: Path) -> List[Path]:
    """Return the images, the most recently used first."""
    found = []
    for path in folder.glob("*.sqlite"):
        with contextlib.suppress(FileNotFoundError):
            found.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(found, reverse=True)]


def free_bytes(path: str) -> int:
    """Return how much room the disk of a path's folder has; reads only."""
    return shutil.disk_usage(str(Path(path).parent)).free
