"""Databases that a hosting panel lends, where the user may make none of its own (HAZARDS R9): who lies in which.

A place in such a database is written `backout_<purpose>_<tag>@<database>`. A note in the workspace says whose the tables of
a lent database are; a place that is not in the note is not there. So no place is ever taken for another one's content.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import re
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.server.access import workspace_folder
from adapters.host_reader.server.notes import OWN_PREFIX
from adapters.host_reader.sqlite_files import private_files, read_note, write_note
from adapters.host_reader.sqlite_request import Request

_BETWEEN = "@"
PARKED = re.compile(r"backout_aside_[0-9a-f]{8}_")
# Among the tables seen: the scratch is on its way, and all that lies there is its own.
BEING_MADE = "*"
# The longest name of a table. Source: MySQL 8.0 manual, 11.2.1, and MariaDB's, Identifier Names.
_NAME_CHARACTERS = 64


@dataclass(frozen=True)
class Parked:
    """Tables of live that were put aside beside others: under which names, and how their foreign keys are named there.

    `tables` has the stored name of each table; `keys` by table the stored name of each foreign key that has a name of
    its own, since no two of one database may be named alike (errno 121).
    """

    tables: Dict[str, str]
    keys: Dict[str, Dict[str, str]]


@dataclass(frozen=True)
class Tenancy:
    """What lies in one lent database.

    `tenant` is the scratch whose tables have their own names there; `seen` are the tables it had, when last looked at;
    `parked` are the sets of tables put aside, by name of the set.
    """

    tenant: Optional[str] = None
    taken_at: float = 0.0
    seen: Tuple[str, ...] = ()
    parked: Dict[str, Parked] = field(default_factory=dict)

    @property
    def stored(self) -> List[str]:
        """Return the names under which parked tables lie there."""
        return [name for parked in self.parked.values() for name in parked.tables.values()]


def parts_of(place: str) -> Tuple[str, Optional[str]]:
    """Return a place as its own name and the lent database it lies in, None for a database by itself."""
    if not place.startswith(OWN_PREFIX) or _BETWEEN not in place:
        return place, None
    name, _, database = place.partition(_BETWEEN)
    return name, database


def place_in(name: str, database: str) -> str:
    """Return the place of a scratch in a lent database."""
    return f"{name}{_BETWEEN}{database}"


def stored_names(tables: List[str], token: str) -> Dict[str, str]:
    """Return under which name each table is put aside; one that would be too long has a hash for its name."""
    found = {}
    for name in tables:
        stored = f"backout_aside_{token}_{name}"
        if len(stored) > _NAME_CHARACTERS:
            digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:24]
            stored = f"backout_aside_{token}_{digest}"
        found[name] = stored
    return found


class LentDatabases:
    """The lent databases of one site, in the order of the settings, and the notes on them in `<workspace>/lent`."""

    def __init__(self, request: Request) -> None:
        told = request.get("scratch_databases") or []
        if not isinstance(told, list) or not all(isinstance(name, str) for name in told):
            raise Refusal("bad_request", "The lent databases must be a list of names. Nothing was changed.")
        self.names: Tuple[str, ...] = tuple(told)
        self._request = request

    @property
    def folder(self) -> Path:
        """Return the folder of the notes. *Changes*: makes it where it is missing."""
        return workspace_folder(self._request, "lent")

    def tenancy(self, database: str) -> Tenancy:
        """Return what lies in a lent database, as the note says; reads only."""
        told = read_note(self._path(database))
        if told is None:
            return Tenancy()
        parked = {name: Parked(**each) for name, each in told["parked"].items()}
        return Tenancy(told["tenant"], told["taken_at"], tuple(told["seen"]), parked)

    def note(self, database: str, tenancy: Tenancy) -> None:
        """Write what lies in a lent database. *Changes*: the note."""
        with private_files():
            write_note(self._path(database), asdict(tenancy))

    def begin(self, name: str, database: str) -> None:
        """Note that a scratch takes a lent database. *Changes*: the note."""
        self.note(
            database,
            replace(self.tenancy(database), tenant=name, taken_at=round(time.time(), 3), seen=(BEING_MADE,)),
        )

    def end(self, database: str) -> None:
        """Note that no scratch has the database any more. *Changes*: the note."""
        self.note(database, replace(self.tenancy(database), tenant=None, seen=()))

    def park(self, place: str, parked: Parked) -> None:
        """Note which tables are being put aside in a lent database. *Changes*: the note."""
        name, database = parts_of(place)
        found = self.tenancy(str(database))
        self.note(str(database), replace(found, parked={**found.parked, name: parked}))

    def forget_parked(self, place: str) -> None:
        """Note that a set of tables is not aside any more. *Changes*: the note."""
        name, database = parts_of(place)
        found = self.tenancy(str(database))
        left = {key: each for key, each in found.parked.items() if key != name}
        self.note(str(database), replace(found, parked=left))

    def made(self, place: str, tables: List[str]) -> None:
        """Note the tables of a scratch that is whole. *Changes*: the note."""
        database = str(parts_of(place)[1])
        self.note(database, replace(self.tenancy(database), seen=tuple(sorted(tables))))

    def saw(self, place: str, tables: List[str]) -> None:
        """Note the tables that a scratch has, so that they are known as its own. *Changes*: the note."""
        database = str(parts_of(place)[1])
        found = self.tenancy(database)
        if not set(tables) <= set(found.seen):
            self.note(database, replace(found, seen=tuple(sorted({*found.seen, *tables}))))

    def is_tenant(self, place: str) -> bool:
        """Return whether a place has its lent database now, its tables under their own names; reads only."""
        name, database = parts_of(place)
        return database is not None and self.tenancy(database).tenant == name

    def parked(self, place: str) -> Optional[Parked]:
        """Return the tables of a place that are put aside, None where none are; reads only."""
        name, database = parts_of(place)
        return None if database is None else self.tenancy(database).parked.get(name)

    def holds(self, place: str) -> bool:
        """Return whether a place is in its lent database; reads only."""
        return self.is_tenant(place) or self.parked(place) is not None

    def physical(self, place: str) -> str:
        """Return the database of a place as the server names it. *Raises* Refusal (not_found) for one that is gone."""
        database = parts_of(place)[1]
        if database is None:
            return place
        if not self.holds(place):
            raise Refusal(
                "not_found",
                f"{place} is not there any more: {database} was needed for another copy. Nothing was changed.",
            )
        return database

    def next_free(self) -> str:
        """Return the lent database that a new scratch takes: one that has none, else that of the oldest; reads only."""
        ranked = [(self.tenancy(name).tenant is not None, self.tenancy(name).taken_at) for name in self.names]
        return self.names[ranked.index(min(ranked))]

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep every other reader from changing who has which database, for the block."""
        with (self.folder / "lock").open("w", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _path(self, database: str) -> str:
        digest = hashlib.sha256(database.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return str(self.folder / f"{digest}.json")
