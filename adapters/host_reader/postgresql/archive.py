"""Load a custom-format archive into an empty scratch database, without what only its own server could take."""

from __future__ import annotations

import contextlib
import re
import subprocess
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple

from adapters.host_reader.answers import Refusal, progress
from adapters.host_reader.opening import raw_blocks
from adapters.host_reader.postgresql.names import literal
from adapters.host_reader.postgresql.plain import load_plain
from adapters.host_reader.postgresql.programs import all_beside_server, major_of
from adapters.host_reader.postgresql.server import PostgresqlServer
from adapters.host_reader.postgresql.session import ServerRefusal
from adapters.host_reader.postgresql.tools import failed, kept_errors, run_tool
from adapters.host_reader.sqlite_request import Request

# One more than the two connections of a small server: a job that unpacks rows lets another's indexes be built.
_JOBS = 3
# pg_restore from 17 on sets transaction_timeout, which servers before 17 refuse.
_TIMEOUT_SINCE = 17
_ENTRY = re.compile(r"\d+; \d+ \d+ (.*)")
_EXTENSION = re.compile(r"\d+; \d+ \d+ EXTENSION - (\S+)")
# What a user without a superuser's rights cannot install; nothing for a superuser.
_NOT_TRUSTED = """
SELECT e.name FROM pg_available_extensions e
JOIN pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version
WHERE v.superuser AND NOT v.trusted AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
"""
# Entries of the table of contents that are left out, by how they begin, and what is said of them.
_LEFT_OUT = (
    ("COMMENT - EXTENSION ", "comments on extensions, which only their owner may write"),
    ("EXTENSION - plpgsql", "the language plpgsql, which each new database has"),
    ("COMMENT - SCHEMA public", "the comment on the schema public"),
    ("SCHEMA - public ", "the schema public, which each new database has"),
    ("ACL ", "rights of named roles"),
    ("DEFAULT ACL ", "default rights of named roles"),
    ("EVENT TRIGGER ", "event triggers, which only a superuser may make"),
    ("COMMENT - EVENT TRIGGER ", "comments on event triggers"),
    ("COMMENT - PUBLICATION ", "comments on publications"),
    ("COMMENT - SUBSCRIPTION ", "comments on subscriptions"),
    ("PUBLICATION", "publications"),
    ("SUBSCRIPTION", "subscriptions, which would begin to replicate into scratch"),
    ("DATABASE ", "the database's own settings"),
)
# A side schema is in the live database, whose large objects these would be.
_LEFT_OUT_OF_SIDE = (
    ("BLOB", "large objects, which the live database keeps"),
    ("ACL LARGE OBJECT", "rights on large objects"),
)


class _Way(NamedTuple):
    """The pg_restore that can read the archive, and the archive's table of contents as it lists it."""

    program: str
    contents: List[str]


def restore_archive(server: PostgresqlServer, path: str, database: str, request: Request) -> List[str]:
    """Load an archive into an empty scratch database; return in words what was left out. *Changes*: that database.

    *Raises* Refusal; the caller throws the database away then.
    """
    way = _find_way(server, path)
    notes: Dict[str, int] = {}
    in_side = server.side(database) is not None
    kept = [line for line in way.contents if not _is_left_out(line, notes, in_side=in_side)]
    list_path = server.login.folder / f"{database}.list"
    list_path.write_text("\n".join(kept) + "\n", encoding="utf-8", errors="surrogateescape")
    options = ["--no-owner", "--no-acl", "-L", str(list_path)]
    told = [f"left out: {what} ({count})" for what, count in notes.items()]
    if in_side or major_of(way.program) >= _TIMEOUT_SINCE > server.major:
        return told + _through_psql(server, [way.program, *options, "-f", "-", path], database, request)
    argv = [way.program, "-j", str(_JOBS), *options, "--exit-on-error", "--no-password"]
    argv += ["-d", server.connected(database), path]
    try:
        with _looking(server, database) as look:
            run_tool(server.login, argv, request, database, database, look)
    except Refusal:
        _refuse_unmakeable(server, way.contents)
        raise
    return told


@contextlib.contextmanager
def _looking(server: PostgresqlServer, database: str) -> Iterator[Callable[[], None]]:
    """Give what tells how much a database has grown, against the size of the live one, which is about what it becomes."""
    try:
        asking = server.session(server.home)
    except ServerRefusal:
        # As where the user may have so many sessions and no more: the restore goes before its progress.
        yield lambda: None
        return
    with asking as session:

        def size(name: str) -> int:
            # A size that the server does not tell is no reason to end the restore.
            with contextlib.suppress(ServerRefusal):
                return session.number(f"SELECT pg_catalog.pg_database_size({literal(name)})")
            return 0

        live, empty = size(server.login.database), size(database)
        whole = max(live - empty, 0)
        yield lambda: progress("restoring", min(max(size(database) - empty, 0), whole), whole, "bytes")


def _find_way(server: PostgresqlServer, path: str) -> _Way:
    """Return the oldest program, not older than the server, that can read the archive. *Raises* Refusal (refused)."""
    for program in all_beside_server("pg_restore", server.major):
        listed = subprocess.run(
            [program, "-l", path],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=server.login.environment(),
            check=False,
        )
        if listed.returncode == 0:
            return _Way(program, listed.stdout.decode("utf-8", "surrogateescape").splitlines())
    raise Refusal(
        "refused",
        f"No pg_restore on this host can read {Path(path).name}: it is damaged, or made by a newer version. Nothing"
        " was kept; install a newer PostgreSQL client.",
    )


def _refuse_unmakeable(server: PostgresqlServer, contents: List[str]) -> None:
    """Do nothing where the user may make each extension of the archive. *Raises* Refusal (refused) with the others.

    Asked after a failure only: a hosting firm's server may let its users make more than its catalogue says.
    """
    found = [_EXTENSION.match(line) for line in contents]
    wanted = sorted({match.group(1) for match in found if match})
    with server.session(server.home) as session:
        rows = session.rows(_NOT_TRUSTED)
    others = [name for name in wanted if (name,) in {tuple(row) for row in rows}]
    if others:
        raise Refusal(
            "refused",
            f"The extension {', '.join(others)} may be made by a superuser only, so the application's user can make no copy of"
            " this database. Nothing was kept and nothing was changed. Have an administrator take the right CREATEDB from"
            " that user for the time of the recovery: then the copies are schemas beside the live tables, which use the"
            " extension that is there.",
        )


def _is_left_out(line: str, notes: Dict[str, int], *, in_side: bool) -> bool:
    entry = _ENTRY.match(line)
    for begins, what in (*_LEFT_OUT, *(_LEFT_OUT_OF_SIDE if in_side else ())):
        if entry and entry.group(1).startswith(begins):
            notes[what] = notes.get(what, 0) + 1
            return True
    return False


def _through_psql(server: PostgresqlServer, argv: List[str], database: str, request: Request) -> List[str]:
    """Have pg_restore write SQL and load that through psql; return in words what was left out on the way."""
    with kept_errors(request, f"{database}.restore") as (errors, path):
        program = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=server.login.environment(),
        )

        def blocks() -> Iterator[bytes]:
            if program.stdout is not None:
                yield from raw_blocks(program.stdout, "restoring")
            if program.wait() != 0:
                raise failed("pg_restore", program.returncode, errors, path, database)

        try:
            return load_plain(server, blocks(), database, request)
        finally:
            if program.poll() is None:
                program.kill()
                program.wait()
            if program.stdout is not None:
                program.stdout.close()
