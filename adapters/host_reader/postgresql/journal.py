"""What cut-overs did, in a file on the host: written before the change, so that a kill at any point is told truly."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Iterator, List, Optional

from adapters.host_reader.postgresql.names import literal
from adapters.host_reader.postgresql.session import Session
from adapters.host_reader.server.access import workspace_folder
from adapters.host_reader.sqlite_files import private_files, read_note, write_note
from adapters.host_reader.sqlite_request import Request


@dataclass(frozen=True)
class Swap:
    """One swap of databases, intended or done. The numbers (OIDs) stay with a database when its name changes.

    `source` was the new content's name before and `aside` is the old one's after; `connection_limit` is live's own.
    """

    live: str
    source: str
    aside: str
    live_oid: int
    source_oid: int
    live_fingerprint: str
    source_fingerprint: str
    connection_limit: int
    done: bool


class Journal:
    """The swaps of one live database, the oldest first."""

    def __init__(self, request: Request, live: str) -> None:
        name = hashlib.sha256(live.encode("utf-8")).hexdigest()[:16]
        self._path = str(workspace_folder(request, "cutovers") / f"pgsql-{name}.json")

    @property
    def path(self) -> Path:
        """Return the path of the file."""
        return Path(self._path)

    @contextlib.contextmanager
    def held(self) -> Iterator[bool]:
        """Give whether this process alone works on the swaps of this database now; a killed one holds nothing."""
        with private_files(), Path(f"{self._path}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def swaps(self) -> List[Swap]:
        """Return what is noted; reads only."""
        return [Swap(**each) for each in (read_note(self._path) or {}).get("swaps", [])]

    def unfinished(self) -> Optional[Swap]:
        """Return the swap that was intended and not noted as done, None where there is none."""
        swaps = self.swaps()
        return swaps[-1] if swaps and not swaps[-1].done else None

    def intend(self, swap: Swap) -> None:
        """Note a swap before it begins. *Changes*: the file."""
        self._write([*self.swaps(), swap])

    def settle(self, *, done: bool) -> None:
        """Note that the last swap was done, or take it out as one that did not happen. *Changes*: the file."""
        swaps = self.swaps()
        self._write(swaps[:-1] + ([replace(swaps[-1], done=True)] if done else []))

    def aside_with(self, fingerprint: str) -> Optional[Swap]:
        """Return the last swap that put a database of that content aside, None where there is none."""
        return next(
            (each for each in reversed(self.swaps()) if each.done and each.live_fingerprint == fingerprint),
            None,
        )

    def _write(self, swaps: List[Swap]) -> None:
        with private_files():
            write_note(self._path, {"swaps": [asdict(each) for each in swaps]})


def oid_of_database(admin: Session, database: str) -> int:
    """Return a database's number, 0 where there is none of that name; reads only."""
    return admin.number(f"SELECT oid::bigint FROM pg_database WHERE datname = {literal(database)}")


def new_name(purpose: str) -> str:
    """Return a name for a database of Backout's own."""
    now = datetime.now(timezone.utc).strftime("%Y%m%d%H%M%S")
    return f"backout_{purpose}_{now}_{secrets.token_hex(4)}"
