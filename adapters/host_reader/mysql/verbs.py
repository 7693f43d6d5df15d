"""The verbs of the row reader for MySQL and MariaDB: a request in, an answer out, or a Refusal.

What only some verbs need is imported where it is used: each call is a process of its own, and most of them are asked
while the site is down.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Iterator

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.client import Session
from adapters.host_reader.mysql.lent import parts_of
from adapters.host_reader.mysql.orphans import TimeLimitedAsker, orphan_answer
from adapters.host_reader.mysql.rights import read_rights
from adapters.host_reader.mysql.server import MysqlServer, open_server
from adapters.host_reader.server.notes import is_file, verified_note
from adapters.host_reader.sqlite_request import Answer, Request, number, text


@contextlib.contextmanager
def opened(request: Request) -> Iterator[MysqlServer]:
    """Open the request's server and close it at the end, whatever happens."""
    server = open_server(request)
    try:
        yield server
    finally:
        server.close()


def facts(request: Request) -> Answer:
    """Return identity, schema, row and NULL counts and the `migrations` rows of a database; reads only."""
    from adapters.host_reader.mysql.facts import facts_of

    with opened(request) as server:
        return facts_of(server, text(request, "database"), request)


def sample(request: Request) -> Answer:
    """Return a token that changes with every committed write to the database; reads only."""
    from adapters.host_reader.mysql.facts import sample_of

    with opened(request) as server:
        return sample_of(server, text(request, "database"))


def fingerprint(request: Request) -> Answer:
    """Return the fingerprint of a place; of a safety backup that of its note, after its SHA-256 was proven again."""
    began = time.monotonic()
    place = text(request, "database")
    if is_file(place):
        answer = verified_note(place).as_fingerprint().as_answer()
    else:
        with opened(request) as server:
            answer = server.fingerprint(place).as_answer()
    answer["duration_s"] = round(time.monotonic() - began, 3)
    return answer


def exists(request: Request) -> Answer:
    """Return whether a place is there; reads only."""
    place = text(request, "database")
    if is_file(place):
        return {"exists": Path(place).is_file()}
    with opened(request) as server:
        return {"exists": server.exists(place) or server.lending.image_place(place) is not None}


def writers(request: Request) -> Answer:
    """Return the sessions on the database and the processes that work for the application; reads only."""
    from adapters.host_reader.mysql.writers import writers_of

    with opened(request) as server:
        return writers_of(server, text(request, "database"), request)


def sessions_end(request: Request) -> Answer:
    """End the sessions on `database` whose numbers are in `sessions`, by a person's decision (HAZARDS R11)."""
    from adapters.host_reader.mysql.writers import end_sessions

    ids = request.get("sessions")
    if not isinstance(ids, list) or not all(isinstance(each, int) for each in ids):
        raise Refusal(
            "bad_request", "The request's field 'sessions' must be a list of numbers. Nothing was changed."
        )
    with opened(request) as server:
        return end_sessions(server, text(request, "database"), ids)


def orphans(request: Request) -> Answer:
    """Return for each foreign key how many rows have no parent; reads only, on a copy rather than on live."""
    database = text(request, "database")
    with opened(request) as server:
        asker = TimeLimitedAsker(lambda: server.session(database), server.is_mariadb)
        return orphan_answer(
            asker, server.physical(database), server.schema(database), number(request, "time_limit_s", 60)
        )


def check(request: Request) -> Answer:
    """Run the site's own checks; reads only, and nothing but reading is allowed."""
    from adapters.host_reader.mysql.check import checks_of

    database = text(request, "database")
    with opened(request) as server:
        asker = TimeLimitedAsker(lambda: _read_only_session(server, database), server.is_mariadb)
        return checks_of(asker, request)


def copy(request: Request) -> Answer:
    """Make a proven copy of a place. *Changes*: `target` and its note, or nothing."""
    from adapters.host_reader.mysql.copy import copy_place

    with opened(request) as server:
        return copy_place(server, request)


def load(request: Request) -> Answer:
    """Load a backup into a new scratch database. *Changes*: `target` and its note, or nothing."""
    from adapters.host_reader.mysql.copy import load_backup

    with opened(request) as server:
        return load_backup(server, request)


def cutover(request: Request) -> Answer:
    """Put the source's tables in the place of live's; the same call is the undo. *Changes*: production's data."""
    from adapters.host_reader.mysql.cutover import cut_over

    with opened(request) as server:
        return cut_over(server, request)


def set_aside(request: Request) -> Answer:
    """Keep rows of Laravel's own tables in files, and take them out of live. *Changes*: those rows, or nothing."""
    from adapters.host_reader.mysql.set_aside import set_rows_aside

    with opened(request) as server:
        return set_rows_aside(server, text(request, "database"), request)


def rights(request: Request) -> Answer:
    """Return whether the user may make databases of Backout's own and move live's tables; reads only."""
    with opened(request) as server:
        found = read_rights(server.asking(), text(request, "database"))
        return {**found, "create": found["create"] or server.lending.has_usable()}


def drop(request: Request) -> Answer:
    """Remove one of Backout's own databases. *Changes*: only that; a name not of Backout's own is refused."""
    with opened(request) as server:
        server.drop(text(request, "database"))
    return {"dropped": True}


def compare(request: Request) -> Answer:
    """Return the loss table between two places; reads only (but for the key lists)."""
    from adapters.host_reader.images import verbs as images

    return images.compare(_with_images(request), opened)


def prove(request: Request) -> Answer:
    """Account for every row and value of a scratch database; reads only."""
    from adapters.host_reader.images import verbs as images

    return images.prove(_with_images(request), opened)


def repair(request: Request) -> Answer:
    """Put back in scratch what is missing. *Changes*: scratch only."""
    from adapters.host_reader.images import verbs as images

    return images.repair(_with_images(request), opened)


def swap_prepare(request: Request) -> Answer:
    """Carry runtime tables over and raise counters for a swap. *Changes*: scratch only."""
    from adapters.host_reader.images import verbs as images

    return images.swap_prepare(_with_images(request), opened)


def salvage(request: Request) -> Answer:
    """Put what was written since into a loaded backup. *Changes*: scratch only."""
    from adapters.host_reader.images import verbs as images

    return images.salvage(_with_images(request), opened)


def raise_numbers(request: Request) -> Answer:
    """Raise each table's next number above all that the safety backup's database gave. *Changes*: counters, also live's."""
    from adapters.host_reader.images import numbers

    return numbers.raise_numbers(request, opened)


def _with_images(request: Request) -> Request:
    """Return a request in which a scratch that had to make room is told by the image of its rows."""
    fields = ("before", "baseline", "live_copy")
    if not any(parts_of(str(request.get(name) or ""))[1] for name in fields):
        return request
    with opened(request) as server:
        found = {name: server.lending.image_place(str(request.get(name) or "")) for name in fields}
    return {**request, **{name: place for name, place in found.items() if place is not None}}


def _read_only_session(server: MysqlServer, database: str) -> Session:
    session = server.session(database)
    session.run("START TRANSACTION READ ONLY", "running checks")
    return session
