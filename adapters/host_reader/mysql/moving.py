"""Move the tables of a cut-over, once it is decided, and settle what a killed one left: forward or back, never half."""

from __future__ import annotations

import contextlib
import hashlib
import time
from typing import Iterator

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.client import Session, SqlRefusal
from adapters.host_reader.mysql.definitions import (
    drop_definitions,
    in_order_of_making,
    make_definition,
    routines,
    send_definition,
    triggers,
    views,
)
from adapters.host_reader.mysql.fingerprint import content_of, fingerprint_with
from adapters.host_reader.mysql.lent import Parked
from adapters.host_reader.mysql.lodging import rename_keys, turned
from adapters.host_reader.mysql.names import at, quoted
from adapters.host_reader.mysql.server import MysqlServer
from adapters.host_reader.mysql.swaps import (
    ASIDE_PREFIX,
    DONE,
    GIVEN_UP,
    Swap,
    Swaps,
    has_moved,
    still_to_move,
)
from adapters.host_reader.mysql.writers import other_sessions, own_id
from adapters.host_reader.sqlite_request import Answer, Request, number

# While a RENAME waits for a lock, all new readers wait behind it; so it does not wait long.
_LOCK_WAIT_S = 4
_BLOCKED = 1205


@contextlib.contextmanager
def _moving(server: MysqlServer, live: str, request: Request) -> Iterator[Session]:
    """Give the one session that moves tables of live; it has short lock waits, and no other reader has one like it.

    The server keeps the lock until the session's statement has ended, also when its client was killed.
    """
    waits = int(min(number(request, "busy_timeout_s", _LOCK_WAIT_S), _LOCK_WAIT_S)) or 1
    session = server.session(live, (f"lock_wait_timeout = {waits}", f"innodb_lock_wait_timeout = {waits}"))
    name = "backout_" + hashlib.sha256(live.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    if session.one(f"SELECT GET_LOCK('{name}', {2 * waits + 2})", "waiting for another cut-over") != "1":
        raise Refusal(
            "busy",
            f"Another cut-over of {live} is still running on the server. Nothing was changed; try again.",
        )
    try:
        yield session
    finally:
        session.end()


def settle_what_was_begun(server: MysqlServer, swaps: Swaps, live: str, request: Request) -> None:
    """Finish a swap whose tables have moved, and take one back whose tables have not. *Changes*: live, in that case."""
    if swaps.unfinished() is None:
        return
    with _moving(server, live, request) as session:
        begun = swaps.unfinished()
        if begun is not None:
            _settle(server, session, swaps, begun)


def _settle(server: MysqlServer, session: Session, swaps: Swaps, swap: Swap) -> None:
    if has_moved(server, swap):
        _move(server, session, swap)
        swaps.settle(swap, DONE)
    else:
        _put_back(server, session, swap)
        swaps.settle(swap, GIVEN_UP)


def _put_back(server: MysqlServer, session: Session, swap: Swap) -> None:
    """Make again what was removed before the tables were to move. *Changes*: live and the source."""
    _name_keys_rightly(server, session, swap)
    for database, definitions in ((swap.live, swap.live_definitions), (swap.source, swap.source_definitions)):
        if server.exists(database) and not database.startswith(ASIDE_PREFIX):
            session.run(f"USE {quoted(server.physical(database))}", f"opening {database}")
            there = {(each.kind, each.name) for each in server.structure(database).definitions}
            for each in in_order_of_making(definitions):
                if (each.kind, each.name) not in there:
                    make_definition(session, each)
    if server.exists(swap.aside):
        server.drop_empty(swap.aside)


def carry_out(server: MysqlServer, swaps: Swaps, swap: Swap, request: Request) -> Answer:
    """Carry a swap out and return how long live was not whole. *Raises* Refusal when it was not or not rightly done."""
    with _moving(server, swap.live, request) as session:
        if request.get("end_sessions") is True:
            _end_others(server, session, swap.live)
        _refuse_blocked(server, session, swap)
    with _moving(server, swap.live, request) as session:
        swaps.intend(swap)
        try:
            _make_aside(server, swap)
            closed_s = _move(server, session, swap)
        except Refusal as refusal:
            session.end()
            settle_what_was_begun(server, swaps, swap.live, request)
            if isinstance(refusal, SqlRefusal) and refusal.code == _BLOCKED:
                raise _blocked(server, swap.live) from None
            raise Refusal(refusal.kind, f"{refusal.message} {_how_it_ended(swaps, swap)}") from None
        _refuse_written(server, session, swaps, swap)
        swaps.settle(swap, DONE)
    server.drop_empty(swap.source)
    return {"closed_s": closed_s, "aside": swap.aside}


def _how_it_ended(swaps: Swaps, swap: Swap) -> str:
    state = next(each.state for each in swaps.all() if each.aside == swap.aside)
    return f"{swap.live} is as it was." if state == GIVEN_UP else f"{swap.live} was cut over after that."


def _end_others(server: MysqlServer, session: Session, live: str) -> None:
    """End the other sessions on live, by a person's yes (HAZARDS R11). *Changes*: these sessions only."""
    own = {own_id(session), own_id(server.asking())}
    for each in other_sessions(session, live, own):
        # One that has just ended by itself is as good.
        with contextlib.suppress(SqlRefusal):
            killing = server.session()
            killing.run(f"KILL {each.id}", f"ending {each.told}")
            killing.end()


def _refuse_blocked(server: MysqlServer, session: Session, swap: Swap) -> None:
    """Do nothing where all of live's tables can be locked now. *Raises* Refusal (busy) with who is in the way (R11)."""
    tables = ", ".join(f"{at(swap.live, name)} WRITE" for name in swap.live_tables)
    if not tables:
        return
    try:
        session.run(f"LOCK TABLES {tables}", "looking whether a session is in the way")
    except SqlRefusal as refusal:
        # Without the right to lock tables it is seen later, when they are to move.
        if refusal.code == _BLOCKED:
            raise _blocked(server, swap.live) from None
        if refusal.kind != "refused":
            raise
    else:
        session.run("UNLOCK TABLES", "looking whether a session is in the way")


def _blocked(server: MysqlServer, live: str) -> Refusal:
    asking = server.session()
    others = other_sessions(asking, live, {own_id(asking), own_id(server.asking())})
    asking.end()
    told = "; ".join(each.told for each in others[:5]) or "a session that this user may not see"
    return Refusal(
        "busy",
        f"Another session keeps tables of {live} locked: {told}. Nothing was changed; end that session, then try again.",
    )


def _move(server: MysqlServer, session: Session, swap: Swap) -> float:
    """Move all tables that are not in their new place, and give live the definitions it is to have.

    Done again after a kill it goes on where it was. What changes live is sent in one go, without a wait between; returns
    how many seconds that took. *Changes*: live, source and aside.
    """
    from_live, from_source = still_to_move(server, swap)
    doing = f"moving the tables of {swap.live}"
    if from_source and server.exists(swap.source):
        source = server.physical(swap.source)
        own = {name: keys for name, keys in swap.source_keys.items() if name in from_source}
        rename_keys(session, source, own, swap.source_names)
        session.run(f"USE {quoted(source)}", doing)
        drop_definitions(session, [*triggers(swap.source_definitions), *views(swap.source_definitions)])
    session.run(f"USE {quoted(swap.live)}", doing)
    began = time.monotonic()
    if from_live or from_source:
        drop_definitions(session, [*triggers(swap.live_definitions), *views(swap.live_definitions)])
        aside, source = server.physical(swap.aside), server.physical(swap.source)
        moves = [
            f"{at(swap.live, name)} TO {at(aside, swap.aside_names.get(name, name))}" for name in from_live
        ]
        moves += [
            f"{at(source, swap.source_names.get(name, name))} TO {at(swap.live, name)}"
            for name in from_source
        ]
        session.statement("RENAME TABLE " + ", ".join(moves))
    rename_keys(session, swap.live, turned(swap.source_keys), {})
    _send_routines(session, swap)
    for each in in_order_of_making([*views(swap.source_definitions), *triggers(swap.source_definitions)]):
        send_definition(session, each)
    session.run("DO 0", doing)
    closed_s = round(time.monotonic() - began, 3)
    if swap.live_keys:
        rename_keys(session, server.physical(swap.aside), swap.live_keys, swap.aside_names)
    return closed_s


def _make_aside(server: MysqlServer, swap: Swap) -> None:
    """Make the place to which live's tables go: a database of its own, or names beside the source's in a lent one."""
    if swap.aside_names:
        server.lent.park(swap.aside, Parked(swap.aside_names, swap.live_keys))
    else:
        server.create(swap.aside, swap.live)


def _name_keys_rightly(server: MysqlServer, session: Session, swap: Swap) -> None:
    """Give the foreign keys of live and of the source their right names, where no table has moved. *Changes*: names."""
    rename_keys(session, swap.live, turned(swap.live_keys), {})
    if swap.source_keys and server.exists(swap.source) and not swap.source_names:
        rename_keys(session, server.physical(swap.source), turned(swap.source_keys), {})


def _send_routines(session: Session, swap: Swap) -> None:
    """Give live the routines it is to have; those that are alike before and after stay untouched."""
    old, new = routines(swap.live_definitions), routines(swap.source_definitions)
    drop_definitions(session, [each for each in old if each not in new])
    for each in new:
        if each not in old:
            send_definition(session, each)


def _refuse_written(server: MysqlServer, session: Session, swaps: Swaps, swap: Swap) -> None:
    """Do nothing where the rows put aside are those that were proven before; else move all back at once."""
    with server.snapshot(swap.aside) as reading:
        found = content_of(reading, server.physical(swap.aside), server.structure(swap.aside, reading))[1]
    if found == swap.live_content:
        return
    _move(server, session, swap.back)
    _name_keys_rightly(server, session, swap)
    swaps.settle(swap, GIVEN_UP)
    told = "nothing is lost"
    # Whoever wrote before the tables changed places may have gone on after it.
    with server.snapshot(swap.source) as reading:
        source = server.structure(swap.source, reading)
        place, definitions = server.physical(swap.source), swap.source_definitions
        kept = fingerprint_with(reading, place, source, definitions).hash
    if kept != swap.source_fingerprint:
        told = f"what was written into the new ones for that moment is in {swap.source} alone; keep it"
    raise Refusal(
        "changed",
        f"{swap.live} was written to in the moment of the cut-over. All tables were moved back and {told}. Find who writes,"
        " then plan again.",
    )
