"""The moment in which production's data change: two databases change their names in one transaction, or nothing does."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Dict, Iterator, List

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql.copying import restore_safety
from adapters.host_reader.postgresql.fingerprint import read_content
from adapters.host_reader.postgresql.journal import Journal, Swap, new_name, oid_of_database
from adapters.host_reader.postgresql.left_behind import refuse_incoming
from adapters.host_reader.postgresql.names import literal, quoted
from adapters.host_reader.postgresql.rights import carry_database_over, carry_over, refuse_foreign_owners
from adapters.host_reader.postgresql.sequences import given_numbers, raise_to
from adapters.host_reader.postgresql.server import COMMON_DATABASES, PostgresqlServer
from adapters.host_reader.postgresql.session import ServerRefusal, Session
from adapters.host_reader.postgresql.side_cutover import exchange, is_exchange, settle_side
from adapters.host_reader.postgresql.writers import other_sessions
from adapters.host_reader.server.notes import OWN_PREFIX, is_file, refuse_foreign, verified_note
from adapters.host_reader.sqlite_request import Answer, Request, number, text

_PAUSE_S = 0.02
# How the session that renames is named, so that what is left of a killed one is known.
_NAME = "backout cut-over"
_LEFT_OVER = f"""
SELECT count(*) FROM pg_stat_activity
WHERE application_name = '{_NAME}' AND usename = current_user AND pid <> pg_backend_pid()
"""
# Ending a session takes the server some milliseconds, unless it is in the middle of something.
_END_LIMIT_S = 5.0
_MAY_RENAME = """
SELECT (SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user)
    AND pg_has_role(current_user, datdba, 'MEMBER') FROM pg_database WHERE datname = {}
"""
_PREPARED = "SELECT count(*) FROM pg_prepared_xacts WHERE database = {}"
_LIMIT = "SELECT datconnlimit FROM pg_database WHERE datname = {}"
_OURS = """
SELECT count(*) FROM pg_stat_activity WHERE datname IN ({}, {}) AND pid <> pg_backend_pid()
    AND application_name = 'backout'
"""


def cutover(server: PostgresqlServer, source: str, target: str, request: Request) -> Answer:
    """Give the live database's name to the source, and prove that its content is there; the same call is the undo.

    The source is a scratch database, or for an undo a safety file: then the database that was put aside comes back, or,
    where that is gone, one that is loaded from the file. Before anything is changed source and live must have the
    fingerprints that the plan names. Live is closed to new sessions first and its content proven after that, so no write
    can fall between. A process killed on the way leaves the old content or the new under live's name, never a mixture;
    the same request again finishes it, or tells `already`.

    *Changes*: the names of two databases; the sequences, rights and settings of the source. *Raises* Refusal: changed,
    busy (another session is there: which), refused (nothing was changed), damaged (the message says what was changed).
    """
    began = time.monotonic()
    if is_file(target) or target.startswith(OWN_PREFIX) or target != server.login.database:
        raise Refusal("bad_request", f"{target!r} is not the application's database. Nothing was changed.")
    wanted, expected = text(request, "expect_source_fingerprint"), text(request, "expect_target_fingerprint")
    journal = Journal(request, target)
    with journal.held() as alone:
        if not alone:
            raise Refusal(
                "busy", f"Another cut-over of {target} is at work. Nothing was changed; look at it first."
            )
        _settle_any(server, journal)
        found = server.fingerprint(target).hash
        answer: Dict[str, Any] = {"already": found == wanted, "closed_s": 0.0, "notes": []}
        if not answer["already"]:
            _refuse_changed(found, expected, target)
            answer.update(
                _changed(server, journal, _source(server, journal, source, request, wanted), request)
            )
            server.leave(target)
            found = server.fingerprint(target).hash
    if found != wanted:
        raise Refusal(
            "damaged",
            f"{target} has another database's content now, and that is not what was expected. Keep the site frozen and"
            " call the DBA; the database from before and the safety backup are untouched.",
        )
    done = [each for each in journal.swaps() if each.done]
    return {
        **answer,
        "fingerprint": found,
        "aside": done[-1].aside if done else None,
        "inode_kept": True,
        "journal_mode": "",
        "user_version": 0,
        "duration_s": round(time.monotonic() - began, 3),
    }


def _changed(server: PostgresqlServer, journal: Journal, source: str, request: Request) -> Dict[str, Any]:
    """Swap two databases, or exchange two schemas where the source is one. *Changes*: as `cutover` says."""
    if server.side(source) is not None:
        return exchange(server, journal, source, request)
    with _admin(server, text(request, "target")) as admin:
        return _swap(server, admin, journal, source, request)


def _settle_any(server: PostgresqlServer, journal: Journal) -> None:
    swap = journal.unfinished()
    if swap is None:
        return
    if is_exchange(swap):
        settle_side(server, journal)
        return
    with _admin(server, swap.live) as admin:
        settle(server, admin, journal)


def settle(server: PostgresqlServer, admin: Session, journal: Journal) -> None:
    """Find out what became of a swap that was killed, and open what it left closed. *Changes*: only that."""
    swap = journal.unfinished()
    if swap is None:
        return
    _wait_for_left_over(admin)
    done = oid_of_database(admin, swap.live) == swap.source_oid
    if not done:
        _open(admin, swap.live)
    journal.settle(done=done)
    server.leave(swap.live)


def settle_database(server: PostgresqlServer, database: str, request: Request) -> None:
    """As `settle`, for the live database of that name, unless its cut-over is at work just now.

    *Changes*: what a killed cut-over left closed.
    """
    journal = Journal(request, database)
    if journal.unfinished() is None:
        return
    with journal.held() as alone:
        if alone:
            with _admin(server, database) as admin:
                settle(server, admin, journal)


@contextlib.contextmanager
def _admin(server: PostgresqlServer, live: str) -> Iterator[Session]:
    """Give a session in a database that keeps its name. *Raises* Refusal (refused) where none lets the user in."""
    for name in COMMON_DATABASES:
        if name == live:
            continue
        try:
            session = server.session(name)
        except ServerRefusal:
            continue
        with session:
            session.run(f"SET application_name = '{_NAME}'")
            yield session
        return
    raise Refusal(
        "refused",
        f"A database is renamed from another one, and the user may connect to none of {', '.join(COMMON_DATABASES)}."
        " Nothing was changed; have an administrator allow it, or choose a way in one database.",
    )


def _source(server: PostgresqlServer, journal: Journal, source: str, request: Request, wanted: str) -> str:
    """Return the name of the database that is to become live, proven to have the wanted content."""
    name = source
    if is_file(source):
        _refuse_changed(verified_note(source, server.engine).fingerprint, wanted, source)
        swap = journal.aside_with(wanted)
        name = swap.aside if swap is not None and server.exists(swap.aside) else ""
        if not name:
            name = new_name("undo")
            restore_safety(server, source, name, {**request, "target": name})
    refuse_foreign(name)
    _refuse_changed(server.fingerprint(name).hash, wanted, name)
    return name


def _refuse_changed(found: str, expected: str, place: str) -> None:
    if found != expected:
        raise Refusal(
            "changed", f"{place} is not as it was when the plan was made. Nothing was changed; plan again."
        )


def _refuse_without_rights(admin: Session, database: str) -> None:
    if admin.value(_MAY_RENAME.format(literal(database))) != "t":
        raise Refusal(
            "refused",
            f"The application's user may not rename {database}: it must own it and have the right CREATEDB. Nothing was"
            " changed; have an administrator give it the right, or choose a way in one database.",
        )
    if admin.number(_PREPARED.format(literal(database))):
        raise Refusal(
            "refused",
            f"{database} has prepared transactions (two-phase commit). Nothing was changed; call the DBA.",
        )


def _swap(
    server: PostgresqlServer, admin: Session, journal: Journal, source: str, request: Request
) -> Dict[str, Any]:
    """Do the swap. *Changes*: as `cutover` says, or nothing when it raises a Refusal."""
    live = text(request, "target")
    for each in (live, source):
        _refuse_without_rights(admin, each)
    was_live = any(swap.aside == source for swap in journal.swaps())
    notes: List[str] = []
    with server.session(live) as old, server.session(source) as new:
        refuse_incoming(old)
        if not was_live:
            # What was live before has its own rights and settings.
            refuse_foreign_owners(old)
            notes += carry_over(old, new)
            notes += carry_database_over(admin, live, source)
        server.leave(live)
        server.leave(source)
        _wait_for_others(admin, live, source, request)
        swap = Swap(
            live=live,
            source=source,
            aside=new_name("aside"),
            live_oid=oid_of_database(admin, live),
            source_oid=oid_of_database(admin, source),
            live_fingerprint=text(request, "expect_target_fingerprint"),
            source_fingerprint=text(request, "expect_source_fingerprint"),
            connection_limit=admin.number(_LIMIT.format(literal(live))),
            done=False,
        )
        path_schema = server.path_schema(live)
        closed = time.monotonic()
        journal.intend(swap)
        try:
            admin.run_generated(f"ALTER DATABASE {quoted(live)} ALLOW_CONNECTIONS false")
            _refuse_others(admin, live, source)
            _refuse_changed(read_content(old, path_schema).fingerprint.hash, swap.live_fingerprint, live)
            raise_to(new, given_numbers(old))
            old.close()
            new.close()
            _wait_for_own(admin, live, source)
            _rename(admin, swap)
        except BaseException:
            admin.kill()
            _back_out(server, journal)
            raise
    journal.settle(done=True)
    return {"closed_s": round(time.monotonic() - closed, 3), "notes": notes}


def _rename(admin: Session, swap: Swap) -> None:
    """Change both names in one transaction. *Changes*: production."""
    live, source, aside = quoted(swap.live), quoted(swap.source), quoted(swap.aside)
    for statement in (
        "BEGIN",
        f"ALTER DATABASE {live} RENAME TO {aside}",
        f"ALTER DATABASE {source} RENAME TO {live}",
        f"ALTER DATABASE {aside} ALLOW_CONNECTIONS true",
        f"ALTER DATABASE {live} ALLOW_CONNECTIONS true CONNECTION LIMIT {swap.connection_limit}",
        "COMMIT",
    ):
        admin.run_generated(statement)


def _back_out(server: PostgresqlServer, journal: Journal) -> None:
    """After a failure, find out by the databases' numbers what holds, and open live again. *Changes*: only that."""
    swap = journal.unfinished()
    if swap is not None:
        with _admin(server, swap.live) as admin:
            settle(server, admin, journal)


def _wait_for_left_over(admin: Session) -> None:
    """Wait until the session of a killed cut-over has ended: its last statement may still be at work."""
    ends = time.monotonic() + _END_LIMIT_S
    while admin.number(_LEFT_OVER) and time.monotonic() < ends:
        time.sleep(_PAUSE_S)
    if admin.number(_LEFT_OVER):
        raise Refusal(
            "busy",
            "The session of a cut-over that was killed is still at work. Nothing was changed; try again, and call the"
            " DBA if it stays.",
        )


def _open(admin: Session, database: str) -> None:
    admin.run_generated(f"ALTER DATABASE {quoted(database)} ALLOW_CONNECTIONS true")


def _wait_for_others(admin: Session, live: str, source: str, request: Request) -> None:
    """Wait a limited time for other sessions to go, or end them where the request says so. *Raises* Refusal (busy)."""
    ends = time.monotonic() + number(request, "busy_timeout_s", 20)
    if request.get("end_sessions") is True:
        for each in [*other_sessions(admin, live), *other_sessions(admin, source)]:
            # A session of another role may not be ended; it is named below.
            admin.tried(f"SELECT pg_terminate_backend({each['pid']})")
        ends = max(ends, time.monotonic() + _END_LIMIT_S)
    while time.monotonic() < ends:
        if not other_sessions(admin, live) and not other_sessions(admin, source):
            return
        time.sleep(_PAUSE_S)
    _refuse_others(admin, live, source)


def _refuse_others(admin: Session, live: str, source: str) -> None:
    others = [*other_sessions(admin, live), *other_sessions(admin, source)]
    if others:
        told = ", ".join(
            f"pid {each['pid']} of {each['user']} ({each['program'] or 'no name'}, {each['state'] or 'state unknown'})"
            for each in others[:10]
        )
        raise Refusal(
            "busy",
            f"{len(others)} other sessions are in the database: {told}. Nothing was changed; stop these programs, or"
            " let Backout end the sessions.",
        )


def _wait_for_own(admin: Session, live: str, source: str) -> None:
    """Wait until the server has ended our own sessions; a rename that meets one sleeps for a tenth of a second."""
    ends = time.monotonic() + _END_LIMIT_S
    while admin.number(_OURS.format(literal(live), literal(source))) and time.monotonic() < ends:
        time.sleep(0.002)
