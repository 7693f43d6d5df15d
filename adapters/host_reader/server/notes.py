"""Safety backups of a server's database: files that are whole or not there, known again by the note beside them."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Dict, Optional

from adapters.host_reader.answers import Refusal
from adapters.host_reader.server.port import Fingerprint
from adapters.host_reader.sqlite_files import (
    private_files,
    read_note,
    sha256_of,
    sync_file,
    sync_folder,
    write_note,
)

OWN_PREFIX = "backout_"


@dataclass(frozen=True)
class SafetyNote:
    """What the note `<file>.json` beside a safety backup says. `rows` counts by table; `made_at` is ISO time in UTC."""

    engine: str
    database: str
    fingerprint: str
    schema_hash: str
    sha256: str
    size_bytes: int
    rows: Dict[str, int]
    made_at: str

    def as_answer(self, target: str, attached: bool) -> Dict[str, Any]:
        """Return it as the answer of a copy: the shape of `sqlite_copy`'s."""
        return {
            "target": target,
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            "fingerprint": self.fingerprint,
            "schema_hash": self.schema_hash,
            "tables": {name: {"rows": rows} for name, rows in self.rows.items()},
            "attached": attached,
        }

    def as_fingerprint(self) -> Fingerprint:
        """Return the fingerprint of the database of which this is the backup, as it was then."""
        return Fingerprint(self.fingerprint, self.schema_hash, dict(self.rows))


def is_file(place: str) -> bool:
    """Return whether a place is a safety backup's path; every other place is the name of a database."""
    return place.startswith("/")


def refuse_foreign(database: str) -> None:
    """Do nothing for the name of one of Backout's own databases. *Raises* Refusal (bad_request) for any other."""
    if is_file(database) or not database.startswith(OWN_PREFIX):
        raise Refusal(
            "bad_request", f"{database!r} is no database of Backout's own. Nothing was created or changed."
        )


def note_path(path: str) -> str:
    """Return the path of the note beside a safety backup."""
    return path + ".json"


def known_note(path: str) -> Optional[SafetyNote]:
    """Return the note beside a safety backup as it stands there, None where there is none that can be read."""
    note = read_note(note_path(path))
    try:
        return None if note is None else SafetyNote(**note)
    except TypeError:
        return None


def verified_note(path: str, engine: Optional[str] = None) -> SafetyNote:
    """Return the note of a safety backup, after its SHA-256 was computed again and agrees; reads only.

    *Raises* Refusal: not_found (no file, no note), changed (other bytes), refused (another engine's).
    """
    note = known_note(path)
    if not Path(path).is_file() or note is None:
        raise Refusal("not_found", f"There is no safety backup {path} with its note. Nothing was changed.")
    if engine is not None and note.engine != engine:
        raise Refusal("refused", f"{path} is a backup of {note.engine}, not {engine}. Nothing was changed.")
    if Path(path).stat().st_size != note.size_bytes or sha256_of(path) != note.sha256:
        raise Refusal(
            "changed", f"{path} is not as it was when it was made. Nothing was changed; make another."
        )
    return note


def make_safety_file(
    target: str, engine: str, database: str, build: Callable[[str], Fingerprint]
) -> Dict[str, Any]:
    """Build a safety backup under `target + ".part"`, give it its name when it is proven, and return a copy's answer.

    `build` fills the part, proves it, and returns the fingerprint that the database had. The same target again, of the
    same database, gives the same answer after the file's SHA-256 was proven again (a resumed job).
    *Changes*: the target and its note, or nothing: a part that failed or was left by a killed process is removed.
    *Raises* Refusal (refused) when another file has the name, and what `build` raises.
    """
    if not is_file(target) or not Path(target).parent.is_dir():
        raise Refusal("not_found", f"There is no folder for {target}. Nothing was changed.")
    with private_files():
        if os.path.lexists(target):
            return _made_before(target, engine, database).as_answer(target, attached=True)
        part = target + ".part"
        Path(part).unlink(missing_ok=True)
        try:
            found = build(part)
            sync_file(part)
            note = SafetyNote(
                engine,
                database,
                found.hash,
                found.schema_hash,
                sha256_of(part),
                Path(part).stat().st_size,
                dict(found.rows),
                datetime.now(timezone.utc).isoformat(timespec="seconds"),
            )
            write_note(note_path(target), asdict(note))
            Path(part).rename(target)
            sync_folder(target)
        finally:
            Path(part).unlink(missing_ok=True)
    return note.as_answer(target, attached=False)


def _made_before(target: str, engine: str, database: str) -> SafetyNote:
    note = known_note(target)
    if note is None or note.database != database:
        raise Refusal(
            "refused", f"{target} is there already and is no backup of {database}. It was left as it is."
        )
    return verified_note(target, engine)
