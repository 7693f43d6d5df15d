"""What cut-overs did, in a file on the host written before the change, and where a database's tables are now."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Dict, List, Optional, Set, Tuple

from adapters.host_reader.mysql.schema import Definition
from adapters.host_reader.mysql.server import MysqlServer
from adapters.host_reader.server.access import workspace_folder
from adapters.host_reader.sqlite_files import private_files, read_note, write_note
from adapters.host_reader.sqlite_request import Request

ASIDE_PREFIX = "backout_aside_"
INTENDED, DONE, GIVEN_UP = "intended", "done", "given up"


@dataclass(frozen=True)
class Swap:
    """One swap of tables, intended, done or given up.

    The tables of `live` go to the database `aside`, those of `source` to `live`. `live_content` is the hash of live's
    rows before; the definitions are those of live before, and those it is to have after.

    In a lent database both lie side by side: `aside_names` and `source_names` tell under which name a table lies there,
    where that is not its own; `live_keys` and `source_keys`, by table, which other name a foreign key has meanwhile.
    """

    live: str
    source: str
    aside: str
    live_fingerprint: str
    source_fingerprint: str
    live_content: str
    live_tables: Tuple[str, ...]
    source_tables: Tuple[str, ...]
    live_definitions: Tuple[Definition, ...]
    source_definitions: Tuple[Definition, ...]
    state: str
    live_keys: Dict[str, Dict[str, str]] = field(default_factory=dict)
    source_keys: Dict[str, Dict[str, str]] = field(default_factory=dict)
    aside_names: Dict[str, str] = field(default_factory=dict)
    source_names: Dict[str, str] = field(default_factory=dict)

    @property
    def back(self) -> Swap:
        """Return the swap that undoes this one at once: live's tables come back, the source's go where they were."""
        return replace(
            self,
            source=self.aside,
            aside=self.source,
            live_tables=self.source_tables,
            source_tables=self.live_tables,
            live_definitions=self.source_definitions,
            source_definitions=self.live_definitions,
            live_keys=self.source_keys,
            source_keys=self.live_keys,
            aside_names=self.source_names,
            source_names=self.aside_names,
        )


class Swaps:
    """The swaps of one live database, the oldest first, in `<workspace>/cutovers`."""

    def __init__(self, request: Request, live: str) -> None:
        name = hashlib.sha256(live.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self._path = str(workspace_folder(request, "cutovers") / f"mysql-{name}.json")

    def all(self) -> List[Swap]:
        """Return what is noted; reads only."""
        return [_swap(each) for each in (read_note(self._path) or {}).get("swaps", [])]

    def unfinished(self) -> Optional[Swap]:
        """Return the swap that was intended and is neither done nor given up, None where there is none."""
        return next((each for each in self.all() if each.state == INTENDED), None)

    def intend(self, swap: Swap) -> None:
        """Note a swap before it begins. *Changes*: the file."""
        self._write([*self.all(), swap])

    def settle(self, swap: Swap, state: str) -> None:
        """Note how a swap ended. *Changes*: the file."""
        self._write([replace(each, state=state) if each.aside == swap.aside else each for each in self.all()])

    def put_aside_as(self, fingerprint: str) -> List[Swap]:
        """Return the swaps that put a content of that fingerprint aside, the newest first."""
        return [
            each
            for each in reversed(self.all())
            if each.state == DONE and each.live_fingerprint == fingerprint
        ]

    def _write(self, swaps: List[Swap]) -> None:
        with private_files():
            write_note(self._path, {"swaps": [asdict(each) for each in swaps]})


def _swap(told: Dict[str, Any]) -> Swap:
    values = dict(told)
    for name in ("live_definitions", "source_definitions"):
        values[name] = tuple(Definition(**each) for each in told[name])
    for name in ("live_tables", "source_tables"):
        values[name] = tuple(told[name])
    return Swap(**values)


def new_aside_name() -> str:
    """Return a name for the database into which live's tables go."""
    return f"{ASIDE_PREFIX}{datetime.now(timezone.utc):%Y%m%d%H%M%S}_{secrets.token_hex(4)}"


def tables_in(server: MysqlServer, database: str) -> Set[str]:
    """Return the names of what a RENAME TABLE has moved into a database; none where there is no such database."""
    return set(server.structure(database).movable) if server.exists(database) else set()


def still_to_move(server: MysqlServer, swap: Swap) -> Tuple[List[str], List[str]]:
    """Return which tables of live are not aside yet, and which of the source are not in live; reads only.

    Each table is in one of two places. So where a server that was not safe against crashes stopped in the middle can
    be told table by table.
    """
    aside, source = tables_in(server, swap.aside), tables_in(server, swap.source)
    return (
        [name for name in swap.live_tables if name not in aside],
        [name for name in swap.source_tables if name in source],
    )


def has_moved(server: MysqlServer, swap: Swap) -> bool:
    """Return whether any table has left its place; reads only."""
    from_live, from_source = still_to_move(server, swap)
    return len(from_live) < len(swap.live_tables) or len(from_source) < len(swap.source_tables)
