"""Proven copies: a live database into a safety backup, and a backup or a database into a scratch database."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, Callable, Dict, Optional

from adapters.host_reader.answers import Refusal
from adapters.host_reader.images.image import image_of_file, make_image
from adapters.host_reader.images.numbers import keep_numbers
from adapters.host_reader.mysql.client import Session
from adapters.host_reader.mysql.copy_progress import CopyProgress
from adapters.host_reader.mysql.definitions import in_order_of_making, make_definition
from adapters.host_reader.mysql.dumping import dump_proven
from adapters.host_reader.mysql.facts import read_migrations
from adapters.host_reader.mysql.fitness import (
    crash_words,
    definer_words,
    foreign_definers,
    refuse_foreign_definers,
    refuse_history,
    refuse_rows_elsewhere,
    refuse_writing_elsewhere,
)
from adapters.host_reader.mysql.load import load_dump
from adapters.host_reader.mysql.names import quoted
from adapters.host_reader.mysql.orphans import violation_counts
from adapters.host_reader.mysql.schema import Structure, refuse_hidden, refuse_self_named
from adapters.host_reader.mysql.server import MysqlServer
from adapters.host_reader.server.access import workspace_folder
from adapters.host_reader.server.notes import is_file, make_safety_file, refuse_foreign, verified_note
from adapters.host_reader.server.port import Fingerprint
from adapters.host_reader.sqlite_files import digest_of, read_note, write_note
from adapters.host_reader.sqlite_request import Answer, Request, mapping, number, optional_text, text


def copy_place(server: MysqlServer, request: Request) -> Answer:
    """Make a proven copy: name → file (the safety backup), file → scratch name, name → scratch name.

    *Changes*: `target` and its note, or nothing; with a safety backup also the image of its rows. *Raises* Refusal: no_space, changed, damaged, refused.
    """
    source, target = text(request, "source"), text(request, "target")
    if is_file(target):
        if is_file(source):
            raise Refusal(
                "bad_request", "A safety backup is made of a database, not of a file. Nothing was changed."
            )
        answer = make_safety_file(
            target, server.engine, source, lambda part: dump_proven(server, source, request, part)
        )
        # By its image the rows of the backup are compared later, row by row, without loading it.
        if not answer["attached"] or server.fingerprint(source).hash == answer["fingerprint"]:
            make_image(server, source, text(request, "workspace"))
        image_of_file(server.engine, target, text(request, "workspace"))
        keep_numbers(server, source, target, text(request, "workspace"))
        return answer
    if is_file(source):
        return make_database(server, request, lambda place: _from_file(server, source, place))
    return make_database(server, request, lambda place: _from_database(server, source, place))


def make_database(server: MysqlServer, request: Request, build: Callable[[str], Answer]) -> Answer:
    """Build a scratch database once, and tell the same answer again for the same request (a resumed job).

    `build` is given its place, which is the answer's `target`: a database of the request's name, or a lent one.
    What a killed process left of it is removed and built again. *Changes*: `target`, or nothing.
    *Raises* Refusal (refused) when a database of that name was not made by this request.
    """
    target = text(request, "target")
    refuse_foreign(target)
    note_at = str(workspace_folder(request, "tmp") / f"{target}.made.json")
    digest = digest_of(
        {name: value for name, value in request.items() if name not in ("access", "workspace")}
    )
    note = read_note(note_at) or {}
    place = str(note.get("place") or target)
    if server.exists(place):
        if note.get("request") != digest:
            raise Refusal(
                "refused",
                f"The database {place} is there already and was not made by this request. It was left as it is.",
            )
        if note.get("answer"):
            return _made_before(server, place, note["answer"])
        server.drop(place)
    live = str(server.credentials.database)
    place = server.lending.place_for(target, live)
    write_note(note_at, {"request": digest, "place": place})
    try:
        answer = build(place)
    except BaseException:
        # The reason it failed is what is told, also where what it left cannot be removed.
        with contextlib.suppress(Refusal):
            if server.exists(place):
                server.drop(place)
        raise
    server.lending.made(place)
    answer.update(target=place, sha256=answer["fingerprint"], attached=False)
    answer.update(database=server.physical(place), way=_way(server, place, live))
    write_note(note_at, {"request": digest, "place": place, "answer": answer})
    return answer


def _way(server: MysqlServer, place: str, live: str) -> str:
    """Return in words where a scratch lies, and what would stand in the way of a cut-over to it, for the plan."""
    told = [server.lending.way(place, live), crash_words(server.version)]
    if server.exists(live):
        found = foreign_definers(server.asking(), server.structure(live).definitions)
        told += [f"The cut-over would be refused. {definer_words(server.asking(), found)}"] if found else []
    return " ".join(each for each in told if each)


def _made_before(server: MysqlServer, target: str, answer: Answer) -> Answer:
    if server.fingerprint(target).hash != answer["fingerprint"]:
        raise Refusal(
            "changed",
            f"The database {target} is not as it was when it was made. It was left as it is; make another.",
        )
    return {**answer, "attached": True}


def _answer(server: MysqlServer, target: str, found: Fingerprint) -> Answer:
    session = server.session(target)
    select = "SELECT SUM(DATA_LENGTH + INDEX_LENGTH) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
    size = int(float(session.one(select, "asking for the size") or 0))
    session.end()
    return {**found.as_answer(), "size_bytes": size}


def _from_file(server: MysqlServer, path: str, target: str) -> Answer:
    note = verified_note(path, server.engine)
    if server.exists(note.database):
        # A load leaves other users' names out, and what was loaded would not be what was backed up.
        refuse_foreign_definers(server.asking(), server.structure(note.database).definitions)
    if _dump_is_inexact(server, note.database) and server.fingerprint(note.database).hash == note.fingerprint:
        # The database is still what was backed up; its own values are more exact than their text in a dump.
        return _from_database(server, note.database, target)
    load_dump(server, path, target, like=note.database, expect={"tables": dict(note.rows)})
    found = server.fingerprint(target)
    _refuse_unequal(found, note.as_fingerprint(), path, target)
    return _answer(server, target, found)


def _dump_is_inexact(server: MysqlServer, database: str) -> bool:
    """Return whether a column is of type `float`, which every dump program writes with six digits only."""
    if not server.exists(database):
        return False
    tables = server.schema(database).tables.values()
    return any(column.type.lower().startswith("float") for table in tables for column in table.columns)


def _from_database(server: MysqlServer, source: str, target: str) -> Answer:
    """Copy a database inside the server: no file, no row through the client."""
    structure = server.structure(source)
    refuse_hidden(structure.definitions)
    own = {source, server.credentials.database or source}
    for name in own:
        refuse_self_named(structure.definitions, name)
    looking = server.session(source)
    refuse_history(looking)
    refuse_rows_elsewhere(looking)
    refuse_writing_elsewhere(looking, structure.definitions, sorted(own))
    refuse_foreign_definers(looking, structure.definitions)
    looking.end()
    if structure.sequences:
        raise Refusal(
            "refused",
            f"{source} has the sequence {structure.sequences[0]!r}, which is not copied. Nothing was changed.",
        )
    before = server.fingerprint(source)
    server.create(target, source)
    _copy_inside(server, source, target, structure, before.rows)
    _refuse_unequal(server.fingerprint(source), before, source, source)
    found = server.fingerprint(target)
    _refuse_unequal(found, before, source, target)
    return _answer(server, target, found)


def _copy_inside(
    server: MysqlServer, source: str, target: str, structure: Structure, rows: Dict[str, int]
) -> None:
    session = server.session(target, (*server.unchecked, "unique_checks = 0"))
    session.run("SET SESSION TRANSACTION ISOLATION LEVEL " + _isolation(session), f"copying {source}")
    for name, sql in structure.creates.items():
        session.run(sql, f"making {target}.{name}")
    tables = structure.schema.tables
    told = CopyProgress(lambda: server.session(target), sum(rows.values()))
    for name in sorted(tables):
        with told.of(name, rows.get(name, 0)):
            server.copy_rows(session, source, target, tables[name])
        if name in structure.counters:
            counter = structure.counters[name]
            session.run(
                f"ALTER TABLE {quoted(name)} AUTO_INCREMENT = {counter}", f"numbering {target}.{name}"
            )
    for each in in_order_of_making(structure.definitions):
        make_definition(session, each)
    told.end()
    session.end()


def _isolation(session: Session) -> str:
    """Return the isolation in which reading locks no row of the source; a log of statements does not allow it."""
    asked = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin', 'binlog_format')"
    told = {row[0]: row[1] for row in session.rows(asked, "asking how changes are logged")}
    by_statement = told.get("log_bin") == "ON" and told.get("binlog_format") == "STATEMENT"
    return "REPEATABLE READ" if by_statement else "READ COMMITTED"


def _refuse_unequal(found: Fingerprint, wanted: Fingerprint, source: str, target: str) -> None:
    if found.hash == wanted.hash:
        return
    if source == target:
        raise Refusal(
            "changed", f"{source} was changed while it was copied. No copy was kept; look who writes."
        )
    tables = [name for name in {**found.rows, **wanted.rows} if found.rows.get(name) != wanted.rows.get(name)]
    why = (
        f"other row counts in {', '.join(sorted(tables)[:5])}"
        if tables
        else "equal row counts, but other values"
    )
    if found.schema_hash != wanted.schema_hash:
        why += ", and other definitions"
    raise Refusal(
        "damaged", f"The copy of {source} is not equal to it: {why}. No copy was kept; call the DBA."
    )


def load_backup(server: MysqlServer, request: Request) -> Answer:
    """Load a backup into a new scratch database and return what it holds, in the shape of `sqlite_load`.

    *Changes*: `target` and its note, or nothing. *Raises* Refusal: damaged, no_space, refused.
    """
    return make_database(server, request, lambda place: _loaded(server, request, place))


def _loaded(server: MysqlServer, request: Request, target: str) -> Answer:
    backup = os.path.expanduser(text(request, "backup"))  # noqa: PTH111
    if not Path(backup).is_file():
        raise Refusal("not_found", f"There is no file {backup}. Nothing was changed.")
    like = optional_text(request, "like") or str(server.credentials.database)
    expected: Optional[Dict[str, Any]] = mapping(request, "expect").get("tables")
    connections = int(number(request, "connections", 2))
    told = load_dump(
        server, backup, target, like=like, connections=connections, expect={"tables": expected or {}}
    )
    structure = server.structure(target)
    refuse_self_named(structure.definitions, like)
    session = server.session(target)
    refuse_writing_elsewhere(session, structure.definitions, [like])
    found = server.fingerprint(target)
    violations = violation_counts(session, server.physical(target), structure.schema)
    migrations = read_migrations(session, structure, str(request.get("migrations_table") or "migrations"))
    session.end()
    return {
        **_answer(server, target, found),
        "tables": dict(found.rows),
        "foreign_key_violations": violations,
        "migrations": migrations,
        "page_size": 0,
        "notes": told.get("notes", []) if isinstance(told, dict) else [],
    }
