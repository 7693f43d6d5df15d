"""The moment in which production's data change: one RENAME TABLE moves all tables out of live and the new ones in.

Readers see the old tables or the new ones, never a mix. Triggers and views do not move (HAZARDS R10): they are removed
before and made again after, from definitions that are in a file before anything is changed.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from typing import Any, Dict, Sequence, Tuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.copy import copy_place
from adapters.host_reader.mysql.fingerprint import content_of, fingerprint_with
from adapters.host_reader.mysql.fitness import refuse_foreign_definers
from adapters.host_reader.mysql.lent import parts_of, place_in, stored_names
from adapters.host_reader.mysql.lodging import key_names
from adapters.host_reader.mysql.moving import carry_out, settle_what_was_begun
from adapters.host_reader.mysql.names import at, quoted
from adapters.host_reader.mysql.schema import Definition, Structure, refuse_hidden
from adapters.host_reader.mysql.server import MysqlServer
from adapters.host_reader.mysql.swaps import INTENDED, Swap, Swaps, new_aside_name
from adapters.host_reader.server.notes import OWN_PREFIX, is_file, refuse_foreign, verified_note
from adapters.host_reader.sqlite_request import Answer, Request, text


def cut_over(server: MysqlServer, request: Request) -> Answer:
    """Put the source's tables in the place of live's, and prove that they are there; the same call is the undo.

    The source is a scratch database, or for an undo a safety file: then the tables that were put aside come back, or,
    where they are gone, those of a database that is loaded from the file. Before anything is changed source and live
    must have the fingerprints that the plan names; after it the rows put aside are proven to be those of the plan too,
    else all is moved back. A process or server killed on the way leaves the old tables or the new; the same request
    again, or the next one, first finishes or takes back what was begun.

    *Changes*: the tables, views, triggers and routines of `target`; events stay as they are. Returns `already: true`
    when the content was there before. *Raises* Refusal: changed, busy (another session holds a lock: which), refused
    (nothing was changed), damaged (the message says what was changed).
    """
    began = time.monotonic()
    target, wanted = text(request, "target"), text(request, "expect_source_fingerprint")
    if is_file(target) or target.startswith(OWN_PREFIX) or target != server.credentials.database:
        raise Refusal("bad_request", f"{target!r} is not the application's database. Nothing was changed.")
    swaps = Swaps(request, target)
    settle_what_was_begun(server, swaps, target, request)
    found = server.fingerprint(target).hash
    answer: Dict[str, Any] = {"already": found == wanted, "closed_s": 0.0, "aside": None}
    if not answer["already"]:
        _refuse_changed(found, text(request, "expect_target_fingerprint"), target)
        source, definitions = _source(server, swaps, request, wanted)
        # No other reader may take the lent database for another copy now.
        with server.lent.held() if parts_of(source)[1] else contextlib.nullcontext():
            swap = _intended(server, source, definitions, request)
            answer.update(carry_out(server, swaps, swap, request))
        found = server.fingerprint(target).hash
        if found != wanted:
            raise Refusal(
                "damaged",
                f"{target} was cut over, and does not have the content that was expected. Keep the site frozen and call"
                f" the DBA; the tables from before are in {swap.aside}, the safety backup is untouched.",
            )
    return {
        **answer,
        "fingerprint": found,
        "notes": [],
        "inode_kept": True,
        "journal_mode": "",
        "user_version": 0,
        "duration_s": round(time.monotonic() - began, 3),
    }


def _refuse_changed(found: str, expected: str, place: str) -> None:
    if found != expected:
        raise Refusal(
            "changed", f"{place} is not as it was when the plan was made. Nothing was changed; plan again."
        )


def _source(
    server: MysqlServer, swaps: Swaps, request: Request, wanted: str
) -> Tuple[str, Sequence[Definition]]:
    """Return the database whose tables are to go live, and the definitions that belong to them; proven by `wanted`."""
    source = text(request, "source")
    if not is_file(source):
        refuse_foreign(source)
        structure = server.structure(source)
        _refuse_changed(server.fingerprint(source).hash, wanted, source)
        return source, structure.definitions
    note = verified_note(source, server.engine)
    _refuse_changed(note.fingerprint, wanted, source)
    for swap in swaps.put_aside_as(wanted):
        if server.lent.parked(swap.aside) is not None:
            server.lending.unpark(swap.aside)
        if (
            server.exists(swap.aside)
            and _fingerprint_with(server, swap.aside, swap.live_definitions) == wanted
        ):
            return swap.aside, swap.live_definitions
    scratch = new_aside_name().replace("_aside_", "_undo_")
    made = copy_place(server, {**request, "source": source, "target": scratch})
    _refuse_changed(str(made["fingerprint"]), wanted, source)
    return str(made["target"]), server.structure(str(made["target"])).definitions


def _fingerprint_with(server: MysqlServer, database: str, definitions: Sequence[Definition]) -> str:
    with server.snapshot(database) as session:
        structure = server.structure(database, session)
        return fingerprint_with(session, server.physical(database), structure, definitions).hash


def _intended(server: MysqlServer, source: str, definitions: Sequence[Definition], request: Request) -> Swap:
    """Return the swap as it is intended, once all that could be in its way was looked at; changes counters of the source."""
    target = text(request, "target")
    with server.snapshot(target) as session:
        live = server.structure(target, session)
        content = content_of(session, target, live)[1]
    refuse_hidden([*live.definitions, *definitions])
    refuse_foreign_definers(server.asking(), live.definitions)
    new = server.structure(source)
    _raise_counters(server, target, source, live, new, request)
    token, lent = secrets.token_hex(4), parts_of(source)[1]
    return Swap(
        live=target,
        source=source,
        aside=new_aside_name() if lent is None else place_in(new_aside_name(), lent),
        live_fingerprint=text(request, "expect_target_fingerprint"),
        source_fingerprint=text(request, "expect_source_fingerprint"),
        live_content=content,
        live_tables=tuple(live.movable),
        source_tables=tuple(new.movable),
        live_definitions=tuple(live.definitions),
        source_definitions=tuple(definitions),
        state=INTENDED,
        live_keys={} if lent is None else key_names(live, token),
        source_keys={} if lent is None else key_names(new, token + "s"),
        aside_names={} if lent is None else stored_names(live.movable, token),
    )


def _raise_counters(
    server: MysqlServer, target: str, source: str, live: Structure, new: Structure, request: Request
) -> None:
    """Raise the source's counters and sequences above all that live or a database put aside ever issued (HAZARDS R2)."""
    highest = dict(live.counters)
    for swap in Swaps(request, target).all():
        if swap.aside != source and server.exists(swap.aside):
            for name, counter in server.structure(swap.aside).counters.items():
                highest[name] = max(counter, highest.get(name, 0))
    session = server.session(source)
    for name, counter in new.counters.items():
        if highest.get(name, 0) > counter:
            session.run(
                f"ALTER TABLE {quoted(name)} AUTO_INCREMENT = {highest[name]}", f"numbering {source}.{name}"
            )
    for name in sorted(set(live.sequences) & set(new.sequences)):
        doing = f"numbering {source}.{name}"
        following = int(session.one(f"SELECT next_not_cached_value FROM {at(target, name)}", doing) or 0)
        # A sequence is never set back by this: it then stays where it is. *Source*: MariaDB manual, SETVAL.
        session.run(f"DO SETVAL({quoted(name)}, {following}, 0)", doing)
    session.end()
