"""A scratch database opened for one change that happens as a whole or not at all."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Set

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_files import digest_of, private_files, read_note, sync_file, write_note
from adapters.host_reader.sqlite_fingerprint import fingerprint_of
from adapters.host_reader.sqlite_lists import KeyLists
from adapters.host_reader.sqlite_open import attach, existing_file, quick_check, quoted, writing
from adapters.host_reader.sqlite_request import Answer, Request
from adapters.host_reader.sqlite_rows import at, columns_of
from adapters.host_reader.sqlite_schema import Schema, Table, read_schema


@dataclass(frozen=True)
class Bench:
    """An open scratch database (`main`) with others attached for reading, inside one transaction.

    `schemas` is by attached name; `aside` are the lower-case names of tables that are not recovered row by row.
    """

    connection: sqlite3.Connection
    schemas: Dict[str, Schema]
    lists: KeyLists
    aside: Set[str]

    def table(self, schema: str, name: str) -> Table | None:
        """Return a table of one of the databases, or None."""
        return self.schemas[schema].table(name)

    def count(self, select: str) -> int:
        """Return the number that a SELECT gives; reads only."""
        return int(self.connection.execute(select).fetchone()[0] or 0)

    def change(self, statement: str) -> int:
        """Run one INSERT, UPDATE or DELETE and return how many rows it changed. *Changes*: scratch."""
        return max(0, self.connection.execute(statement).rowcount)


def change_once(
    scratch: str,
    verb: str,
    request: Request,
    others: Dict[str, str],
    work: Callable[[sqlite3.Connection], Answer],
) -> Answer:
    """Change a scratch database in one transaction and return the answer; the second time tell it again.

    Before the commit the answer and the fingerprint it leads to are written to `scratch.<verb>.json`. So after a kill
    it is known on which side of the commit it came: the same request gives the same answer, and works again only on
    the content it once found. Triggers are taken out while rows are put in, and put back as they were.
    *Raises* Refusal: changed (scratch is neither as before nor as after), refused, and what `work` raises; then
    nothing was changed.
    """
    note_path = f"{scratch}.{verb}.json"
    with private_files(), writing(scratch) as connection:
        known = _known(note_path, request, str(fingerprint_of(connection)["fingerprint"]))
        if known is not None:
            return known
        for schema, path in others.items():
            attach(connection, schema, path)
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("BEGIN IMMEDIATE")
        before = fingerprint_of(connection)["fingerprint"]
        with _without_triggers(connection):
            answer = work(connection)
        if not quick_check(connection):
            raise Refusal(
                "damaged", "Scratch failed SQLite's quick check. It was left as it was; call the DBA."
            )
        after = fingerprint_of(connection)
        answer.update(
            fingerprint=after["fingerprint"],
            schema_hash=after["schema_hash"],
            tables={name: value["rows"] for name, value in after["tables"].items()},
        )
        write_note(note_path, {"request": digest_of(request), "before": before, "answer": answer})
        connection.execute("COMMIT")
    sync_file(scratch)
    return {**answer, "attached": False}


def _known(note_path: str, request: Request, found: str) -> Answer | None:
    note = read_note(note_path)
    if note is None or note.get("before") == found != note["answer"]["fingerprint"]:
        return None
    if note["answer"]["fingerprint"] != found:
        raise Refusal(
            "changed", "Scratch was changed since it was worked on. It was left as it is; make it anew."
        )
    if note["request"] != digest_of(request):
        if note.get("before") == found:
            return None
        raise Refusal(
            "refused", "Scratch was worked on by another request. It was left as it is; make it anew."
        )
    answer: Dict[str, Any] = note["answer"]
    return {**answer, "attached": True}


@contextlib.contextmanager
def _without_triggers(connection: sqlite3.Connection) -> Iterator[None]:
    listed = connection.execute("SELECT name, sql FROM main.sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in listed:
        connection.execute(f"DROP TRIGGER main.{quoted(name)}")
    yield
    for _, sql in listed:
        connection.execute(sql)


def open_schemas(connection: sqlite3.Connection, names: List[str]) -> Dict[str, Schema]:
    """Return what each attached database is made of, where rows are to be matched by key.

    *Raises* Refusal where scratch holds virtual tables.
    """
    schemas = {name: read_schema(connection, name) for name in names}
    if schemas["main"].virtual:
        raise Refusal(
            "refused",
            "The database has virtual tables (a search index), whose rows cannot be matched by key."
            " Nothing was changed; choose a swap: /restore plan --swap",
        )
    return schemas


def take_over_table(bench: Bench, source: str, name: str) -> int:
    """Make a table's rows in scratch those of another database; return how many there are. *Changes*: that table."""
    mine, theirs = bench.table("main", name), bench.table(source, name)
    if mine is None or theirs is None:
        return 0
    columns = ", ".join(quoted(column) for column in theirs.common(mine))
    selected = columns_of("t", theirs.common(mine))
    bench.change(f"DELETE FROM {at('main', mine.name)}")
    return bench.change(
        f"INSERT INTO {at('main', mine.name)} ({columns}) SELECT {selected} FROM {at(source, theirs.name)} AS t"
    )


def refuse_same_file(scratch: str, *others: str) -> None:
    """Do nothing when scratch is a file of its own. *Raises* Refusal (bad_request) when a source is named as scratch."""
    for other in others:
        if Path(existing_file(scratch)).samefile(existing_file(other)):
            raise Refusal("bad_request", "Scratch and a source are the same file. Nothing was changed.")
