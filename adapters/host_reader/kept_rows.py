"""Rows that are taken out of the live database: first kept in a file that puts them back, then removed."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple, Optional, Set

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_files import private_files, sync_folder
from adapters.host_reader.sqlite_request import Answer, Request, objects, optional_text, text

# A part of a cache's key, as Laravel itself makes it; it becomes a part of a LIKE, so it holds no sign of SQL.
_PART_OF_KEY = re.compile(r"[a-z/-]+")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


class Wanted(NamedTuple):
    """The rows of one table that are to be taken out: all of them, or those whose `key` holds a text. `file` keeps them."""

    table: str
    key_holds: Optional[str]
    file: str


def wanted_rows(request: Request) -> List[Wanted]:
    """Return what a request wants taken out. *Raises* Refusal (bad_request, refused); reads only."""
    folder, tag = text(request, "folder"), text(request, "tag")
    found = []
    for one in objects(request, "tables"):
        name, part = text(one, "table"), optional_text(one, "key_holds")
        if part is not None and not _PART_OF_KEY.fullmatch(part):
            raise Refusal(
                "bad_request", "A part of a key holds other signs than a-z, / and -. Nothing was changed."
            )
        file = f"{folder}/{_NOT_IN_A_NAME.sub('-', name)}-{_NOT_IN_A_NAME.sub('-', tag)}.sql"
        if os.path.lexists(file):
            raise Refusal(
                "refused", f"{file} is there already. It was left as it is, and nothing was removed."
            )
        found.append(Wanted(name, part, file))
    if not found:
        raise Refusal("bad_request", "No table is named. Nothing was changed.")
    return found


def refuse_hanging(wanted: Wanted, children: Iterable[str]) -> None:
    """Refuse where other tables refer to this one: with its rows theirs might go, and those are kept by nobody."""
    names = sorted(set(children) - {wanted.table})
    if names:
        raise Refusal("refused", f"Rows of {', '.join(names)} hang on {wanted.table}. Nothing was changed.")


def keep_rows(file: str, before: bytes, rows: Iterable[bytes], after: bytes = b"") -> Answer:
    """Write rows to a new private file and return it with their number; it lies whole on the disk when this returns.

    `before` and `after` frame them, so that the engine's own client puts them back from the file.
    """
    hashed, count, size = hashlib.sha256(), 0, 0
    with private_files():
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        part = f"{file}.part"
        Path(part).unlink(missing_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as kept:
            for place, line in enumerate(_framed(before, rows, after)):
                kept.write(line)
                hashed.update(line)
                count, size = place, size + len(line)
            kept.flush()
            os.fsync(kept.fileno())
        Path(part).rename(file)
        sync_folder(file)
    return {"file": file, "rows": count - 1, "size_bytes": size, "sha256": hashed.hexdigest()}


def _framed(before: bytes, rows: Iterable[bytes], after: bytes) -> Iterable[bytes]:
    yield before
    yield from rows
    yield after


def refuse_others(wanted: Wanted, kept: Answer, removed: int) -> Answer:
    """Return the answer for one table. *Raises* Refusal (changed) where not just the kept rows would be removed."""
    if kept["rows"] != removed:
        raise Refusal(
            "changed",
            f"{wanted.table} was written meanwhile: {kept['rows']} rows were kept and {removed} would be removed."
            " Nothing was removed; find out who writes.",
        )
    return {"table": wanted.table, **kept}


def children_of(parents: Dict[str, Set[str]], table: str) -> Set[str]:
    """Return the tables that refer to one, `parents` being what each table refers to."""
    return {name for name, found in parents.items() if table in found}
