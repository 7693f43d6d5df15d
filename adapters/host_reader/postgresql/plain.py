"""Load a plain dump into an empty scratch database through psql, in one transaction (HAZARDS R3)."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
from typing import Dict, Iterable, List

from adapters.host_reader.answers import Refusal
from adapters.host_reader.pipes import widen
from adapters.host_reader.postgresql.names import literal, quoted
from adapters.host_reader.postgresql.place import Side
from adapters.host_reader.postgresql.plain_filter import PlainFilter
from adapters.host_reader.postgresql.programs import knows_restrict, major_of
from adapters.host_reader.postgresql.server import PostgresqlServer
from adapters.host_reader.postgresql.side import extension_names, extensions, refuse_needing
from adapters.host_reader.postgresql.side_filter import Renaming, SideFilter
from adapters.host_reader.postgresql.tools import failed, kept_errors
from adapters.host_reader.sqlite_request import Request

# Before 15, psql -1 commits what was loaded when it stops at an error; there the whole scratch is thrown away instead.
_ONE_TRANSACTION_SINCE = 15
_TABLES = (
    "SELECT count(*) FROM pg_catalog.pg_class WHERE relnamespace = {}::pg_catalog.regnamespace"
    " AND relkind IN ('r', 'p', 'v', 'm', 'S')"
)


def load_plain(
    server: PostgresqlServer, blocks: Iterable[bytes], database: str, request: Request
) -> List[str]:
    """Load the text of a dump; return in words what was left out. *Changes*: that database.

    *Raises* Refusal: changed (it is not empty), and what the dump or the server refuses; nothing is committed then, and
    the caller throws the database away.
    """
    side = server.side(database)
    empty = "public" if side is None else side.schema
    if server.number(database, _TABLES.format(literal(quoted(empty)))):
        raise Refusal("changed", f"The database {database} is not empty. Nothing was loaded.")
    server.leave(database)
    filtered = (
        PlainFilter(server.major) if side is None else SideFilter(server.major, _renaming(server, side))
    )
    argv = [server.psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-w"]
    if major_of(server.psql) >= _ONE_TRANSACTION_SINCE:
        argv.append("-1")
    argv += ["-d", server.connected(database)]
    with kept_errors(request, f"{database}.load") as (errors, path):
        psql = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=server.login.environment(),
        )
        try:
            begins = b"" if side is None else f"SET search_path = {quoted(side.schema)};".encode()
            _feed(psql, filtered, blocks, begins, restrict=knows_restrict(server.psql))
            status = psql.wait()
        finally:
            if psql.poll() is None:
                # Killed before the input's end: nothing is committed.
                psql.kill()
                psql.wait()
            if psql.stdin is not None:
                # What was not sent yet has nobody who would read it.
                with contextlib.suppress(OSError):
                    psql.stdin.close()
        if status != 0:
            raise failed("psql", status, errors, path, database)
    if side is not None:
        with server.session(server.home) as session:
            refuse_needing(session, side.schema)
    return _told(filtered.left_out)


def _renaming(server: PostgresqlServer, side: Side) -> Renaming:
    with server.session(server.home) as session:
        return Renaming(
            side.stands_for,
            side.schema,
            frozenset(extension_names(session)),
            frozenset(extensions(session)),
        )


def _feed(
    psql: "subprocess.Popen[bytes]",
    filtered: PlainFilter,
    blocks: Iterable[bytes],
    begins: bytes,
    *,
    restrict: bool,
) -> None:
    """Give the dump to psql; when psql ends early its exit status tells why."""
    stdin = psql.stdin
    if stdin is None:
        return
    widen(stdin.fileno())
    key = secrets.token_hex(16).encode("ascii")
    try:
        if restrict:
            # On the first line of the dump, so that psql's line numbers are the dump's own plus one.
            stdin.write(b"\\restrict " + key + b"\n")
        stdin.write(begins)
        for block in blocks:
            for piece in filtered.feed(block):
                stdin.write(piece)
        for piece in filtered.finish():
            stdin.write(piece)
        if restrict:
            stdin.write(b"\n\\unrestrict " + key + b"\n")
        stdin.close()
    except BrokenPipeError:
        pass
    except BaseException:
        psql.kill()
        raise


def _told(left_out: Dict[str, int]) -> List[str]:
    return [f"left out: {what} ({count})" for what, count in sorted(left_out.items())]
