"""The verbs of the row reader for PostgreSQL, one function each: a request in, an answer out, or a Refusal.

What only some verbs need is imported where it is used: each call is a process of its own, and most of them are asked
while the site is down.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Iterator

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql.server import PostgresqlServer, open_server
from adapters.host_reader.server.notes import is_file, verified_note
from adapters.host_reader.sqlite_request import Answer, Request, names, text


@contextlib.contextmanager
def opened(request: Request) -> Iterator[PostgresqlServer]:
    """Open the request's server and close it at the end; a live database that a killed cut-over left closed is opened."""
    with open_server(request) as server:
        if server.home != server.login.database:
            from adapters.host_reader.postgresql.cutover import settle_database

            settle_database(server, server.login.database, request)
        yield server


def facts(request: Request) -> Answer:
    """Return identity, schema, row and NULL counts and the `migrations` rows of a database; reads only."""
    from adapters.host_reader.postgresql.facts import facts as facts_of

    with opened(request) as server:
        return facts_of(server, text(request, "database"), request)


def sample(request: Request) -> Answer:
    """Return a token that changes with every committed write of the database; reads only."""
    from adapters.host_reader.postgresql.facts import sample as sample_of

    with opened(request) as server:
        return sample_of(server, text(request, "database"), request)


def fingerprint(request: Request) -> Answer:
    """Return the fingerprint of a database or safety file, with the rows of each table; reads only.

    Rows of `except_tables` are left out, their definition is not. Of a file it is its note's, after its SHA-256 was
    proven again.
    """
    began = time.monotonic()
    place = text(request, "database")
    if is_file(place):
        answer = verified_note(place, PostgresqlServer.engine).as_fingerprint().as_answer()
    else:
        with opened(request) as server:
            answer = server.content(place, names(request, "except_tables")).fingerprint.as_answer()
    answer["duration_s"] = round(time.monotonic() - began, 3)
    return answer


def writers(request: Request) -> Answer:
    """Return the sessions and processes that could write, and where cron runs the scheduler; reads only."""
    from adapters.host_reader.postgresql.writers import writers as writers_of

    with opened(request) as server:
        return writers_of(server, text(request, "database"), request)


def exists(request: Request) -> Answer:
    """Return whether a place is there; reads only."""
    place = text(request, "database")
    if is_file(place):
        return {"exists": Path(place).is_file()}
    with opened(request) as server:
        return {"exists": server.exists(place)}


def drop(request: Request) -> Answer:
    """Remove one of Backout's own databases. *Changes*: only that; a name not of Backout's own is refused."""
    with opened(request) as server:
        server.drop(text(request, "database"))
    return {"dropped": True}


def rights(request: Request) -> Answer:
    """Return whether the user may make databases of Backout's own and rename live; reads only."""
    from adapters.host_reader.postgresql.rights import read_rights

    with opened(request) as server, server.session(server.home) as session:
        return read_rights(session, text(request, "database"))


def sessions_end(request: Request) -> Answer:
    """End the sessions of `database` whose numbers are in `sessions`, by a person's decision (HAZARDS R11)."""
    from adapters.host_reader.postgresql.writers import end_sessions

    numbers = request.get("sessions")
    if not isinstance(numbers, list) or not all(isinstance(each, int) for each in numbers):
        raise Refusal(
            "bad_request", "The request's field 'sessions' must be a list of numbers. Nothing was changed."
        )
    with opened(request) as server:
        return end_sessions(server, text(request, "database"), numbers)


def copy(request: Request) -> Answer:
    """Copy a place to another, proven equal: database to safety file, file to scratch, database to scratch.

    With a safety file the image of its rows is made, by which later verbs compare. *Changes*: `target`, or nothing.
    """
    from adapters.host_reader.images.image import image_of_file, make_image
    from adapters.host_reader.images.numbers import keep_numbers
    from adapters.host_reader.postgresql.copying import copy as copy_place

    source, target = text(request, "source"), text(request, "target")
    with opened(request) as server:
        answer = _with_way(server, target, copy_place(server, source, target, request))
        if is_file(target):
            make_image(server, source, text(request, "workspace"))
            image_of_file(server.engine, target, text(request, "workspace"))
            keep_numbers(server, source, target, text(request, "workspace"))
    return answer


def load(request: Request) -> Answer:
    """Load a backup into a new scratch database and return what it holds. *Changes*: `target`, or nothing."""
    from adapters.host_reader.postgresql.load import load as load_backup

    with opened(request) as server:
        target = text(request, "target")
        return _with_way(server, target, load_backup(server, text(request, "backup"), target, request))


def _with_way(server: PostgresqlServer, target: str, answer: Answer) -> Answer:
    """Add in words why scratch is none of a database's own, and what a cut-over to it would leave behind; for the plan."""
    if is_file(target):
        return answer
    from adapters.host_reader.postgresql.left_behind import left_behind, missing_settings, other_place
    from adapters.host_reader.postgresql.making import database_settings
    from adapters.host_reader.postgresql.side import SIDE_WAY

    with server.session(server.login.database) as session:
        told = left_behind(session, in_side=server.side(target) is not None)
        if server.side(target) is None:
            settings = [database_settings(session, name, "0") for name in (server.login.database, target)]
            told += [*missing_settings(*settings), *other_place(session, server.login.database, target)]
    database = target
    if server.side(target) is not None:
        told.insert(0, SIDE_WAY)
        # As the application's own process is told to find it.
        database = f"{server.login.database}.{target}"
    return {**answer, "way": "; ".join(told), "database": database}


def cutover(request: Request) -> Answer:
    """Put the source's content under the live database's name, in one moment. *Changes*: production."""
    from adapters.host_reader.postgresql.cutover import cutover as cut_over

    with opened(request) as server:
        return cut_over(server, text(request, "source"), text(request, "target"), request)


def orphans(request: Request) -> Answer:
    """Return for each foreign key how many child rows have no parent; reads only."""
    from adapters.host_reader.postgresql.foreign_keys import orphans as orphans_of

    with opened(request) as server:
        return orphans_of(server, text(request, "database"), request)


def check(request: Request) -> Answer:
    """Return for each of the site's checks its value and whether it is as expected; reads only."""
    from adapters.host_reader.postgresql.check import check as checks_of

    with opened(request) as server:
        return checks_of(server, text(request, "database"), request)


def set_aside(request: Request) -> Answer:
    """Keep rows of Laravel's own tables in files, and take them out of live. *Changes*: those rows, or nothing."""
    from adapters.host_reader.postgresql.set_aside import set_aside as set_rows_aside

    with opened(request) as server:
        return set_rows_aside(server, text(request, "database"), request)


def compare(request: Request) -> Answer:
    """Return the loss table between two places; reads only."""
    from adapters.host_reader.images import verbs as on_images

    return on_images.compare(request, opened)


def repair(request: Request) -> Answer:
    """Put back in scratch what is missing. *Changes*: `scratch`."""
    from adapters.host_reader.images import verbs as on_images

    return on_images.repair(request, opened)


def prove(request: Request) -> Answer:
    """Account for every row and value of scratch; reads only."""
    from adapters.host_reader.images import verbs as on_images

    return on_images.prove(request, opened)


def salvage(request: Request) -> Answer:
    """Put what was written since into a loaded backup. *Changes*: `scratch`."""
    from adapters.host_reader.images import verbs as on_images

    return on_images.salvage(request, opened)


def swap_prepare(request: Request) -> Answer:
    """Make a loaded backup ready to be swapped in. *Changes*: `scratch`."""
    from adapters.host_reader.images import verbs as on_images

    return on_images.swap_prepare(request, opened)


def raise_numbers(request: Request) -> Answer:
    """Raise each table's next number above all that the safety backup's database gave. *Changes*: counters, also live's."""
    from adapters.host_reader.images import numbers

    return numbers.raise_numbers(request, opened)
