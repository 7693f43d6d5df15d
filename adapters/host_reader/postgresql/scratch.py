"""Scratch databases that are there as a whole or not at all, and are known again by a note."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from typing import Any, Callable, Dict, Optional

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql.names import literal
from adapters.host_reader.postgresql.server import PostgresqlServer
from adapters.host_reader.server.access import workspace_folder
from adapters.host_reader.server.notes import refuse_foreign
from adapters.host_reader.sqlite_files import digest_of, private_files, read_note, write_note
from adapters.host_reader.sqlite_request import Answer, Request

# A name longer than this is cut by the server without a word.
_NAME_BYTES = 63


def make_scratch(
    server: PostgresqlServer, target: str, like: str, request: Request, fill: Callable[[str], Answer]
) -> Answer:
    """Fill a new database under another name, and give it the name `target` when it is whole; then tell it again.

    `fill` gets the name, loads and proves the content, and returns the answer with its `fingerprint`. A database that
    a killed process left half filled is removed. *Raises* Refusal: changed (the target is there and is not what this
    request made), and what `fill` raises. *Changes*: makes the target, or nothing.
    """
    refuse_foreign(target)
    if len(target.encode("utf-8")) > _NAME_BYTES:
        raise Refusal("bad_request", f"The name {target!r} is too long for the server. Nothing was made.")
    note_path = str(workspace_folder(request, "scratch") / f"{target}.json")
    if server.exists(target):
        return _made_before(server, target, note_path, request)
    _drop_parts(server, target)
    # A name that no process uses yet: the programs of a killed reader may live on for a moment.
    part = part_prefix(target) + secrets.token_hex(4)
    server.create(part, like)
    try:
        answer = fill(part)
        answer.update(target=target, attached=False)
        with private_files():
            write_note(note_path, {"request": _digest(request), "answer": answer})
        server.rename(part, target)
        _drop_parts(server, target)
    except BaseException:
        # The reason it failed is what is told, also where what it left cannot be removed.
        with contextlib.suppress(Refusal):
            server.drop(part)
        raise
    return answer


def part_prefix(target: str) -> str:
    """Return how the names of a scratch database begin while it is not whole."""
    return "backout_part_" + hashlib.sha256(target.encode("utf-8")).hexdigest()[:20] + "_"


def _drop_parts(server: PostgresqlServer, target: str) -> None:
    """Remove what a killed reader left half filled. *Changes*: only databases of that name's own parts."""
    prefix = part_prefix(target)
    with server.session(server.home) as session:
        left = session.rows(
            f"SELECT datname FROM pg_database WHERE starts_with(datname, {literal(prefix)})"
            f" UNION ALL SELECT nspname FROM pg_namespace WHERE starts_with(nspname, {literal(prefix)})"
        )
    for row in left:
        server.drop(str(row[0]))


def _made_before(server: PostgresqlServer, target: str, note_path: str, request: Request) -> Answer:
    note: Optional[Dict[str, Any]] = read_note(note_path)
    if not note or note.get("request") != _digest(request):
        raise Refusal(
            "changed",
            f"The database {target} is there already and was not made by this request. It was left as it is.",
        )
    answer: Answer = note["answer"]
    if server.fingerprint(target).hash != answer["fingerprint"]:
        raise Refusal(
            "changed", f"The database {target} is not as it was when it was made. It was left as it is."
        )
    return {**answer, "attached": True}


def _digest(request: Request) -> str:
    """Return a hash of what was asked for; how the credentials are read is no part of it."""
    return digest_of({name: value for name, value in request.items() if name not in ("access", "workspace")})
