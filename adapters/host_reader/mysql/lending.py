"""A server's scratch databases in those that a panel lends: which is taken for what, and how it is emptied (HAZARDS R9)."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, Optional, Protocol, Sequence

from adapters.host_reader.answers import Refusal
from adapters.host_reader.images.image import make_image
from adapters.host_reader.images.shelf import image_path, is_kept, note_of
from adapters.host_reader.mysql import lodging
from adapters.host_reader.mysql.client import Session
from adapters.host_reader.mysql.lent import LentDatabases, Parked, parts_of, place_in
from adapters.host_reader.mysql.names import quoted
from adapters.host_reader.mysql.rights import missing_on, read_rights
from adapters.host_reader.mysql.schema import Structure
from adapters.host_reader.server.access import Credentials
from adapters.host_reader.server.notes import SafetyNote, known_note, note_path
from adapters.host_reader.server.port import Server
from adapters.host_reader.sqlite_files import private_files, sha256_of, write_note
from adapters.host_reader.sqlite_request import Request, text

_BASELINE, _ASIDE = "backout_baseline_", "backout_aside_"
_GRANT = "GRANT ALL PRIVILEGES ON `backout\\_%`.* TO the application's user"


class LendingServer(Server, Protocol):
    """What lending needs of the server."""

    credentials: Credentials

    def session(self, database: Optional[str] = None, settings: Sequence[str] = ()) -> Session:
        """Open another session."""

    def asking(self) -> Session:
        """Return the session for short questions."""

    def structure(self, database: str, session: Optional[Session] = None) -> Structure:
        """Return what a database is made of."""


class Lending:
    """The lent databases of one server, as its user may use them."""

    def __init__(self, server: LendingServer, lent: LentDatabases, request: Request) -> None:
        self.lent = lent
        self._server = server
        self._request = request

    def place_for(self, name: str, live: str) -> str:
        """Return the place of a new scratch: a database of its own, or, where none may be made, a lent one; reads only."""
        if not self.lent.names or not read_rights(self._server.asking(), live)["missing_own"]:
            return name
        return place_in(name, self.lent.next_free())

    def has_usable(self) -> bool:
        """Return whether there is a lent database on which the user has all rights that a scratch needs; reads only."""
        return any(not missing_on(self._server.asking(), name) for name in self.lent.names)

    def way(self, place: str, live: str) -> str:
        """Return in words where a scratch lies and why, '' for a database of its own; reads only."""
        database = parts_of(place)[1]
        if database is None:
            return ""
        missing = ", ".join(read_rights(self._server.asking(), live)["missing_own"])
        one = ""
        if len(self.lent.names) == 1:
            one = " With one such database only one copy is whole at a time; the backup's is kept as an image of its rows."
        return (
            f"The application's user may make no database (on `backout\\_%`.* it lacks {missing}), so the copy lies in the"
            f" database {database} of the settings.{one} Better: an administrator runs {_GRANT}."
        )

    def take(self, place: str, charset: Sequence[Optional[str]]) -> None:
        """Take a lent database for a new scratch, with live's character set. *Changes*: the one who had it loses it.

        *Raises* Refusal (refused, not_found) where it is live, is not there, holds anything else, or rights are missing.
        """
        name, found = parts_of(place)
        database = str(found)
        if database == self._server.credentials.database:
            raise Refusal("bad_request", f"{database} is the live database. Nothing was changed.")
        missing = missing_on(self._server.asking(), database)
        if missing:
            raise Refusal(
                "refused",
                f"The application's user lacks the right {', '.join(missing)} on {database}, the database of the settings."
                " Nothing was changed; have all rights on it granted.",
            )
        if not self._server.exists(database):
            raise Refusal(
                "not_found", f"There is no database {database}, as the settings name it. Nothing was changed."
            )
        with self.lent.held():
            self._refuse_others(database)
            tenant = self.lent.tenancy(database).tenant
            if tenant is not None:
                self._evict(place_in(tenant, database))
            session = self._server.session(database)
            session.run(
                f"ALTER DATABASE CHARACTER SET {charset[0]} COLLATE {charset[1]}", f"preparing {database}"
            )
            session.end()
            self.lent.begin(name, database)

    def _refuse_others(self, database: str) -> None:
        live = self._server.credentials.database
        session = self._server.session(database)
        known = list(self._server.structure(live).creates) if live else []
        lodging.refuse_others(session, database, self.lent.tenancy(database), known)
        session.end()

    def _evict(self, place: str) -> None:
        """Make room: tables of live are put aside again, the backup's rows are kept as an image, the rest goes."""
        parked = self.lent.parked(place)
        database = self.lent.physical(place)
        if parked is not None:
            session = self._server.session(database)
            lodging.park_again(session, database, parked)
            session.end()
            self.lent.end(database)
            return
        if place.startswith(_BASELINE):
            self._keep_image(place)
        self.give_back(place)

    def _keep_image(self, place: str) -> None:
        workspace = text(self._request, "workspace")
        path = make_image(self._server, place, workspace)
        note, target = note_of(path), self._marker(place)
        with private_files():
            Path(target).write_text(str(note["fingerprint"]), encoding="ascii")
            found = SafetyNote(
                engine=self._server.engine,
                database=place,
                fingerprint=note["fingerprint"],
                schema_hash=note["schema_hash"],
                sha256=sha256_of(target),
                size_bytes=Path(target).stat().st_size,
                rows=note["rows"],
                made_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            )
            write_note(note_path(target), asdict(found))

    def _marker(self, place: str) -> str:
        digest = hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        return str(self.lent.folder / f"{digest}.image")

    def made(self, place: str) -> None:
        """Note the tables of a scratch that is whole now; nothing for a database of its own. *Changes*: the note."""
        if parts_of(place)[1] is not None:
            self.lent.made(place, self._server.structure(place).movable)

    def image_place(self, place: str) -> Optional[str]:
        """Return the place at which the rows of a scratch that had to go can still be read, None without; reads only."""
        if parts_of(place)[1] is None or self.lent.holds(place):
            return None
        note = known_note(self._marker(place))
        if note is None or not is_kept(
            image_path(text(self._request, "workspace"), note.engine, note.fingerprint)
        ):
            return None
        return self._marker(place)

    def give_back(self, place: str) -> None:
        """Empty a lent database of a scratch, or of one set of tables put aside. *Changes*: that; others' are kept."""
        name, found = parts_of(place)
        if found is None or not self.lent.holds(place):
            return
        tenancy = self.lent.tenancy(found)
        session = self._server.session(found)
        if tenancy.tenant == name:
            self._refuse_others(found)
            lodging.empty(session, found, tenancy)
            self.lent.end(found)
        elif (parked := self.lent.parked(place)) is not None:
            alone = replace(tenancy, tenant=None, parked={})
            stored = set(parked.tables.values())
            session.run("SET SESSION foreign_key_checks = 0", f"emptying {found}")
            for kind, each in lodging.objects_in(session, found, alone):
                if kind == "TABLE" and each in stored:
                    session.run(f"DROP TABLE {quoted(each)}", f"emptying {found}")
        self.lent.forget_parked(place)
        session.end()

    def unpark(self, place: str) -> None:
        """Give tables that were put aside their own names again, as a scratch that can be cut over to.

        *Changes*: who had the lent database loses it. Done again it goes on.
        """
        parked, database = self.lent.parked(place), self.lent.physical(place)
        if parked is None:
            return
        with self.lent.held():
            tenancy = self.lent.tenancy(database)
            if not self.lent.is_tenant(place):
                self._refuse_others(database)
                if tenancy.tenant is not None:
                    self._evict(place_in(tenancy.tenant, database))
                self.lent.begin(parts_of(place)[0], database)
            session = self._server.session(database)
            lodging.unpark(session, database, parked)
            session.end()
            self.lent.made(place, list(parked.tables))


def as_put_aside(structure: Structure, parked: Parked) -> Structure:
    """Return the structure of tables put aside, under their right names; each is read under its stored one."""
    stored: Dict[str, str] = {name: each for name, each in parked.tables.items() if each in structure.creates}

    def named(found: Dict[str, Any]) -> Dict[str, Any]:
        return {name: found[each] for name, each in stored.items() if each in found}

    return replace(
        structure,
        schema=replace(structure.schema, tables=named(structure.schema.tables), views=(), triggers=()),
        creates=named(structure.creates),
        definitions=(),
        counters=named(structure.counters),
        touched=named(structure.touched),
        collations=named(structure.collations),
        sequences=(),
    )
