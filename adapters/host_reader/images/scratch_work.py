"""Change a server's scratch database as a change of its image was worked out: once, resumable, and proven after."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from adapters.host_reader.answers import Refusal, progress
from adapters.host_reader.images.delta import Change, Delta, open_delta
from adapters.host_reader.images.image import make_image
from adapters.host_reader.images.journal import Journal
from adapters.host_reader.images.numbers import highest_number
from adapters.host_reader.images.questions import last_number
from adapters.host_reader.images.shelf import expanded, is_kept, note_of
from adapters.host_reader.server.notes import is_file, refuse_foreign
from adapters.host_reader.server.port import Fingerprint, Server, ServerSchema
from adapters.host_reader.sqlite_files import private_files, prove_space
from adapters.host_reader.sqlite_fingerprint import fingerprint_of
from adapters.host_reader.sqlite_open import quoted, reading, reading_together
from adapters.host_reader.sqlite_request import Answer, Request, number, optional_text, text

# One transaction on the server: long enough to be fast, short enough to be done again after a kill.
_CHUNK_ROWS = 20_000
_OTHERS = ("baseline", "live_copy")


def change_scratch(
    request: Request, server: Server, verb: str, change: Callable[[Request], Answer]
) -> Answer:
    """Have `change` work on a copy of scratch's image, then make the scratch database so; return its answer.

    `change` gets the request with images in the places of databases. The difference goes to the server by key in
    chunks, each committed and then journalled. After a kill anywhere the same request looks what scratch holds, goes
    on from there and gives the same answer; done twice it tells the answer again. At the end scratch is imaged anew:
    it must hold just what the changed image holds. *Changes*: scratch, `<workspace>/work`, `<workspace>/images`.
    *Raises* Refusal: changed (scratch is not as before, not as after, and not on the way), busy, refused, and what
    `change` raises, when nothing was changed.
    """
    scratch, workspace = text(request, "scratch"), text(request, "workspace")
    _refuse_no_scratch(request, scratch)
    journal = Journal(workspace, verb, request, scratch)
    with private_files(), journal.held():
        journal.forget_dropped(server.exists)
        found = server.fingerprint(scratch)
        note = journal.note
        if note is not None and "fingerprint" in note:
            return _known(note, found, journal)
        _refuse_worked_on(journal, found)
        images = {
            name: make_image(server, place, workspace) for name, place in _other_places(request).items()
        }
        if note is None:
            note = _worked_out(request, server, journal, images, change)
            now = note["before_image"]
        else:
            now = make_image(server, scratch, workspace)
        _carry_out(request, server, journal, note, images, now)
        return _finished(server, journal, note, workspace)


def _refuse_no_scratch(request: Request, scratch: str) -> None:
    refuse_foreign(scratch)
    if scratch in _other_places(request).values():
        raise Refusal("bad_request", "Scratch and a source are the same database. Nothing was changed.")


def _other_places(request: Request) -> Dict[str, str]:
    places = {name: optional_text(request, name) for name in _OTHERS}
    return {name: place for name, place in places.items() if place is not None}


def _known(note: Dict[str, Any], found: Fingerprint, journal: Journal) -> Answer:
    if note["fingerprint"] != found.hash:
        raise Refusal(
            "changed", "Scratch was changed since it was worked on. It was left as it is; make it anew."
        )
    journal.forget_wanted()
    return {**note["answer"], "attached": True}


def _refuse_worked_on(journal: Journal, found: Fingerprint) -> None:
    """Do nothing unless another request has changed scratch, or has begun to. *Raises* Refusal (refused)."""
    for other in journal.others():
        if found.hash != other["before"]:
            raise Refusal(
                "refused", "Scratch was worked on by another request. It was left as it is; make it anew."
            )


def _worked_out(
    request: Request,
    server: Server,
    journal: Journal,
    images: Dict[str, str],
    change: Callable[[Request], Answer],
) -> Dict[str, Any]:
    """Return the record of what shall be done; nothing was changed on the server by now."""
    journal.begin_anew()
    scratch = text(request, "scratch")
    before = make_image(server, scratch, text(request, "workspace"))
    prove_space(str(Path(journal.wanted).parent), Path(before).stat().st_size, 0)
    shutil.copyfile(before, journal.wanted)
    on_images = {name: value for name, value in request.items() if name not in ("access", "workspace")}
    answer = change({**on_images, **images, "scratch": journal.wanted, **_lists_folder(request)})
    note = {
        "scratch": scratch,
        "before": note_of(before)["fingerprint"],
        "before_image": before,
        "schema_hash": server.schema(scratch).hash,
        "answer": answer,
    }
    journal.record(note)
    return note


def _lists_folder(request: Request) -> Dict[str, str]:
    folder = optional_text(request, "lists_folder")
    return {} if folder is None else {"lists_folder": expanded(folder)}


def _carry_out(
    request: Request,
    server: Server,
    journal: Journal,
    note: Dict[str, Any],
    images: Dict[str, str],
    now: str,
) -> None:
    scratch, baseline = text(request, "scratch"), optional_text(request, "baseline")
    schema = server.schema(scratch)
    chunk_rows = max(1, int(number(request, "chunk_rows", _CHUNK_ROWS)))
    if now != note["before_image"]:
        _refuse_stray(note["before_image"], journal.wanted, now)
    fillable = _fillable(server, baseline, schema)
    with open_delta(schema, now, journal.wanted, images.get("baseline"), fillable, chunk_rows) as delta:
        _apply(server, scratch, baseline, delta, journal)
    _raise_numbers(server, scratch, schema, [journal.wanted, now, *images.values()])


def _refuse_stray(before: str, wanted: str, now: str) -> None:
    """Do nothing when scratch is somewhere on the way from `before` to `wanted`. *Raises* Refusal (changed)."""
    if not is_kept(before):
        raise Refusal(
            "changed",
            "What scratch was before is not at hand any more. Scratch was left as it is; make it anew.",
        )
    with reading_together(before=before, wanted=wanted, now=now) as connection:
        tables = {schema: _columns(connection, schema) for schema in ("before", "wanted", "now")}
        same = tables["before"] == tables["wanted"] == tables["now"]
        stray = [
            name for name, found in tables["wanted"].items() if same and _is_stray(connection, name, *found)
        ]
    if stray or not same:
        told = f" ({', '.join(map(quoted, stray))})" if stray else ", other tables or columns"
        raise Refusal(
            "changed",
            f"Scratch holds what neither it was nor it shall be{told}: somebody else wrote into it. It was left as it"
            " is; make it anew.",
        )


def _columns(connection: sqlite3.Connection, schema: str) -> Dict[str, Tuple[List[str], bool]]:
    """Return each table's column names and whether it has a key."""
    names = connection.execute(
        f"SELECT name FROM {schema}.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    ).fetchall()
    found = {}
    for (name,) in names:
        info = connection.execute(f"PRAGMA {schema}.table_info({quoted(name)})").fetchall()
        found[name] = ([row[1] for row in info], any(row[5] for row in info))
    return found


def _is_stray(connection: sqlite3.Connection, table: str, columns: List[str], has_key: bool) -> bool:
    """Return whether a table has a row that neither image has, or lacks one that both have."""
    listed = ", ".join(quoted(name) for name in columns)
    of = {schema: f"SELECT {listed} FROM {schema}.{quoted(table)}" for schema in ("before", "wanted", "now")}
    strange = f"{of['now']} EXCEPT {of['before']} EXCEPT {of['wanted']}"
    gone = f"{of['before']} INTERSECT {of['wanted']} EXCEPT {of['now']}"
    # Rows without a key are taken out in groups and come back later; only strange ones can be told.
    selects = [strange, gone] if has_key else [strange]
    return any(connection.execute(f"SELECT EXISTS ({select})").fetchone()[0] for select in selects)


def _fillable(server: Server, baseline: Optional[str], schema: ServerSchema) -> Dict[str, Set[str]]:
    """Return per table the columns that the backup's database on this server has alike; none where it is a file."""
    if baseline is None or is_file(baseline):
        return {}
    theirs = server.schema(baseline).tables
    found = {}
    for name, table in schema.tables.items():
        other = theirs.get(name)
        if other is not None and other.key == table.key:
            types = {column.name: column.type for column in other.columns}
            found[name] = {column.name for column in table.columns if types.get(column.name) == column.type}
    return found


def _apply(server: Server, scratch: str, baseline: Optional[str], delta: Delta, journal: Journal) -> None:
    done = 0
    # Also where no row is left to change: triggers and foreign keys that a killed reader took out come back at the end.
    with server.filling(scratch):
        for change in delta.changes():
            if change.kind == "fill" and not _fill(server, scratch, baseline, change, delta):
                continue
            _write(server, scratch, change)
            journal.chunk_is_in(change.kind, change.table.name, len(change.rows))
            done += len(change.rows)
            progress("writing rows", min(done, delta.rows), delta.rows, "rows")
    progress("writing rows", delta.rows, delta.rows, "rows")


def _fill(server: Server, scratch: str, baseline: Optional[str], change: Change, delta: Delta) -> bool:
    low, high = change.rows
    if (
        baseline is None
        or server.fill_columns(scratch, baseline, change.table, change.columns, low, high) is None
    ):
        delta.not_filled(change.table)
        return False
    return True


def _write(server: Server, scratch: str, change: Change) -> None:
    if change.kind == "delete":
        server.delete_rows(scratch, change.table, change.rows)
    elif change.kind == "update":
        server.update_rows(scratch, change.table, change.columns, change.rows)
    elif change.kind == "insert":
        server.insert_rows(scratch, change.table, change.columns, change.rows)


def _raise_numbers(server: Server, scratch: str, schema: ServerSchema, images: List[str]) -> None:
    """Have no number given again that the backup, live or scratch ever gave (HAZARDS R2)."""
    for table in schema.tables.values():
        if table.numbered is not None:
            above = max(highest_number(image, table) for image in images)
            if last_number(server, scratch, table) < above:
                server.raise_numbers(scratch, table, above)


def _finished(server: Server, journal: Journal, note: Dict[str, Any], workspace: str) -> Answer:
    """Prove that scratch holds what was worked out, record it and return the answer."""
    after = make_image(server, note["scratch"], workspace)
    schema = server.schema(note["scratch"])
    wrong = _different_tables(journal.wanted, after)
    if wrong or schema.hash != note["schema_hash"]:
        raise Refusal(
            "refused",
            "Scratch does not hold what was worked out for it: "
            + (", ".join(map(quoted, wrong)) or "its definitions changed")
            + ". Production was not touched; drop this scratch, make it anew, and call the DBA if it happens again.",
        )
    found = note_of(after)
    answer = {
        **note["answer"],
        "fingerprint": found["fingerprint"],
        "schema_hash": found["schema_hash"],
        "tables": found["rows"],
        "chunks": len(journal.chunks()),
    }
    names = set(schema.tables)
    raised = answer.get("sequences_raised", {})
    answer["sequences_raised"] = {name: number for name, number in raised.items() if name in names}
    journal.record({**note, "answer": answer, "fingerprint": found["fingerprint"]})
    journal.forget_wanted()
    return {**answer, "attached": False}


def _different_tables(wanted: str, found: str) -> List[str]:
    sums = []
    for path in (wanted, found):
        with reading(path) as connection:
            sums.append(fingerprint_of(connection)["tables"])
    return sorted(name for name in {*sums[0], *sums[1]} if sums[0].get(name) != sums[1].get(name))
