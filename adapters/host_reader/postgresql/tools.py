"""Run pg_dump, pg_restore and psql as whole programs; what they say stays in a private file on the host."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path
from typing import IO, Callable, Iterator, List, Tuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql.login import Login
from adapters.host_reader.postgresql.session import refusal_of
from adapters.host_reader.server.access import workspace_folder
from adapters.host_reader.sqlite_files import private_files
from adapters.host_reader.sqlite_request import Request

_SAID_BYTES = 1 << 16
_LOOK_S = 0.5
# What the programs themselves say of the usual failures; the words around them may name values and are not told.
_REASONS = (
    ("No space left on device", "no_space", "the disk is full"),
    ("could not extend file", "no_space", "the server's disk is full"),
    ("permission denied", "refused", "the user lacks a right"),
    ("lock timeout", "busy", "a lock was held by another session the whole time"),
    ("server version mismatch", "refused", "the program is older than the server"),
    ("unsupported version", "refused", "the archive was made by a newer version"),
    ("terminating connection", "busy", "the server ended the session"),
    ("server closed the connection", "unreadable", "the server went away"),
)


@contextlib.contextmanager
def kept_errors(request: Request, name: str) -> Iterator[Tuple[IO[bytes], Path]]:
    """Give a private file for what a program says; it is removed when nothing failed, kept for the DBA otherwise."""
    path = workspace_folder(request, "tmp") / f"{name}.stderr"
    with private_files():
        path.unlink(missing_ok=True)
        file = path.open("w+b")
    with file:
        yield file, path
    path.unlink(missing_ok=True)


def run_tool(
    login: Login, argv: List[str], request: Request, name: str, database: str, look: Callable[[], None]
) -> None:
    """Run a program to its end, and `look` at what it does again and again; its words stay in `name`'s file.

    *Raises* Refusal when its exit status is not 0.
    """
    with kept_errors(request, name) as (errors, path):
        try:
            program = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=login.environment(),
            )
        except OSError as error:
            raise Refusal(
                "refused",
                f"{Path(argv[0]).name} could not be started ({error.strerror}). Nothing was changed.",
            ) from None
        try:
            while not _has_ended(program):
                look()
        finally:
            if program.poll() is None:
                program.kill()
                program.wait()
        if program.returncode != 0:
            raise failed(Path(argv[0]).name, program.returncode, errors, path, database)


def _has_ended(program: "subprocess.Popen[bytes]") -> bool:
    try:
        program.wait(_LOOK_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def failed(program: str, status: int, errors: IO[bytes], path: Path, database: str) -> Refusal:
    """Return the refusal for a program that failed: its exit status and a reason that names no content."""
    errors.seek(0)
    said = errors.read(_SAID_BYTES).decode("utf-8", "replace")
    where = f"What it said is in {path} on the host, which only its owner can read."
    for words, kind, reason in _REASONS:
        if words in said:
            return Refusal(kind, f"{program} ended with exit status {status}: {reason}. {where}")
    if program == "psql":
        refusal = refusal_of(said, status, database, lines=True)
        return Refusal(refusal.kind, f"{refusal.message} {where}")
    return Refusal("refused", f"{program} ended with exit status {status} on {database!r}. {where}")
