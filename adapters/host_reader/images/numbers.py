"""The last number each table ever gave, kept beside a safety backup: no later table of that name gives one again (R2)."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from typing import Any, Callable, Dict

from adapters.host_reader.answers import Refusal
from adapters.host_reader.images.image import image_of_file
from adapters.host_reader.images.questions import last_number
from adapters.host_reader.server.notes import is_file, known_note
from adapters.host_reader.server.port import Server, ServerTable
from adapters.host_reader.sqlite_files import private_files, read_note, write_note
from adapters.host_reader.sqlite_open import quoted, reading
from adapters.host_reader.sqlite_request import Answer, Request, text

OpenServer = Callable[[Request], AbstractContextManager[Server]]


def keep_numbers(server: Server, source: str, safety: str, workspace: str) -> None:
    """Write down, beside a safety backup just made, the last number of each table. *Changes*: `<file>.numbers.json`.

    The image of its rows may be thrown away before the corrected migration makes such a table again; this file stays.
    """
    fingerprint = _fingerprint_of(safety)
    known: Dict[str, Any] = read_note(_path(safety)) or {}
    if known.get("fingerprint") == fingerprint:
        return
    image = image_of_file(server.engine, safety, workspace)
    numbers = {
        table.name: max(highest_number(image, table), last_number(server, source, table))
        for table in server.schema(source).tables.values()
        if table.numbered is not None
    }
    with private_files():
        write_note(_path(safety), {"fingerprint": fingerprint, "numbers": numbers})


def highest_number(image: str, table: ServerTable) -> int:
    """Return the largest number an image has of a table, or knows to have been given; reads only."""
    numbered = table.numbered or ""
    with reading(image) as connection:
        if numbered not in _columns(connection, table.name):
            return 0
        largest = connection.execute(f"SELECT max({quoted(numbered)}) FROM {quoted(table.name)}").fetchone()
        counter = None
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone():
            select = "SELECT max(seq) FROM sqlite_sequence WHERE name = ?"
            counter = connection.execute(select, (table.name,)).fetchone()[0]
    return max(each if isinstance(each, int) else 0 for each in (largest[0], counter, 0))


def raise_numbers(request: Request, open_server: OpenServer) -> Answer:
    """Have each table of `database` give numbers above all that the `safety` backup's database ever gave.

    `database` may be the live one: nothing but its counters is changed, and none is ever set back. Done twice it
    changes nothing more. Returns `raised`, the counters changed now, and `given`, those that had to stand so high, by
    table. *Raises* Refusal: not_found, changed (the backup's numbers are not at hand), busy, refused.
    """
    place, safety = text(request, "database"), text(request, "safety")
    raised: Dict[str, int] = {}
    given: Dict[str, int] = {}
    with open_server(request) as server:
        known = _Given(server.engine, safety, text(request, "workspace"))
        for table in server.schema(place).tables.values():
            above = known.of(table)
            if above <= 0:
                continue
            given[table.name] = above
            if last_number(server, place, table) < above:
                server.raise_numbers(place, table, above, live=True)
                raised[table.name] = above
        low = sorted(set(raised) - _standing(server, place, raised))
    if low:
        raise Refusal(
            "refused",
            f"The next number of {', '.join(low)} did not rise above those that were given before. Nothing else was"
            " changed; call the DBA.",
        )
    return {"raised": raised, "given": given}


def _standing(server: Server, place: str, wanted: Dict[str, int]) -> "set[str]":
    tables = server.schema(place).tables
    return {name for name, above in wanted.items() if last_number(server, place, tables[name]) >= above}


class _Given:
    """The last numbers of one safety backup's database, from its file; of one without that file, from its image."""

    def __init__(self, engine: str, safety: str, workspace: str) -> None:
        if not is_file(safety):
            raise Refusal("bad_request", "The safety backup is no file. Nothing was changed.")
        note = read_note(_path(safety)) or {}
        self._numbers = note.get("numbers") if note.get("fingerprint") == _fingerprint_of(safety) else None
        self._image = "" if self._numbers is not None else image_of_file(engine, safety, workspace)

    def of(self, table: ServerTable) -> int:
        """Return the last number a table of that name gave, 0 where there was none."""
        if table.numbered is None:
            return 0
        if self._numbers is None:
            return highest_number(self._image, table)
        return int(self._numbers.get(table.name, 0))


def _path(safety: str) -> str:
    return safety + ".numbers.json"


def _fingerprint_of(safety: str) -> str:
    note = known_note(safety)
    if note is None:
        raise Refusal("not_found", f"There is no safety backup {safety} with its note. Nothing was changed.")
    return note.fingerprint


def _columns(connection: sqlite3.Connection, table: str) -> "set[str]":
    return {row[1] for row in connection.execute(f"PRAGMA main.table_info({quoted(table)})").fetchall()}
