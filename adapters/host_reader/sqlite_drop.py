"""Remove a scratch database that nobody needs any more, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_request import Answer, Request, text

# Backout's own scratch, as the adapter names it (`purpose-yyyymmddhhmmss-8 hex digits.sqlite`), in a folder named so.
_SCRATCH = re.compile(r"[a-z]+-\d{14}-[0-9a-f]{8}\.sqlite")
_FOLDER = "scratch"


def sqlite_drop(request: Request) -> Answer:
    """Remove a scratch file with its sidecars and the notes about it. *Changes*: only these; one that is gone is no error.

    *Raises* Refusal (bad_request) for a path that is no scratch of Backout's own.
    """
    path = Path(text(request, "path"))
    is_ours = path.is_absolute() and _SCRATCH.fullmatch(path.name) and path.parent.name == _FOLDER
    if not is_ours or path.is_symlink() or ".." in path.parts:
        raise Refusal("bad_request", f"{path} is no scratch database of Backout's own. Nothing was removed.")
    # Each scratch has a name of its own, so whatever begins with it belongs to it.
    for file in sorted(path.parent.glob(f"{path.name}*")):
        file.unlink(missing_ok=True)
    return {"dropped": True}
