"""Reads what a caller sent, and refuses what does not fit before anything is done with it."""

from __future__ import annotations

import json
import uuid
from typing import Any

from aiohttp import web

BODY_LIMIT_BYTES = 64 * 1024  # a slash command with a long note fits many times over
TEXT_LIMIT = 8_000  # characters of one command or one query value
WAIT_LIMIT_S = 30  # shorter than the patience of proxies
ID_LIMIT = 200  # characters of an id; the same limit as a job key


class MalformedError(Exception):
    """The request does not have the documented form. The message says what is wrong with it."""


async def body_fields(request: web.Request, *, required: set[str], optional: set[str]) -> dict[str, str]:
    """Return the fields of a JSON object body; every value is text, and an absent or null one is left out.

    *Raises* MalformedError for anything else; aiohttp raises its own 413 for a body over the limit.
    """
    raw = await request.read()
    # A form or text/plain body is what a page of another site could send without asking; JSON it could not.
    if request.content_type != "application/json":
        raise MalformedError("the body must be JSON (Content-Type: application/json)")
    fields = _object(raw)
    unknown = sorted(set(fields) - required - optional)
    if unknown:
        raise MalformedError(f"unknown field: {', '.join(unknown)}")
    given = {name: _text(name, value) for name, value in fields.items() if value is not None}
    missing = sorted(required - set(given))
    if missing:
        raise MalformedError(f"missing field: {', '.join(missing)}")
    return given


def _object(raw: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise MalformedError("the body is not JSON") from error
    if not isinstance(fields, dict):
        raise MalformedError("the body must be a JSON object")
    return fields


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise MalformedError(f"{name} must be text")
    if len(value) > TEXT_LIMIT:
        raise MalformedError(f"{name} is longer than {TEXT_LIMIT} characters")
    return value


def after_of(request: web.Request) -> int:
    """Return the sequence number from `?after=`, 0 when it is not given. *Raises* MalformedError when it is no number."""
    text = request.query.get("after", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(2**53))):
        raise MalformedError("after must be a whole number, 0 or more")
    return int(text)


def wants_ack(request: web.Request) -> bool:
    """Return whether the caller asks for an acknowledgement at once instead of the reply. *Source*: RFC 7240, 4.1."""
    preferences = ",".join(request.headers.getall("Prefer", [])).split(",")
    return any(one.split(";")[0].strip().lower() == "respond-async" for one in preferences)


def wait_of(request: web.Request) -> float:
    """Return the seconds from `?wait=`, 0 when it is not given, at most 30. *Raises* MalformedError when it is no number."""
    text = request.query.get("wait", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise MalformedError("wait must be a whole number of seconds, 0 or more")
    return float(min(int(text), WAIT_LIMIT_S))


def query_text(request: web.Request, name: str) -> str:
    """Return a query value, empty when it is not given. *Raises* MalformedError when it is too long."""
    return _text(name, request.query.get(name, ""))


def own_id_of(given: dict[str, str]) -> str:
    """Return the caller's delivery id.

    Without one it is made up here: such a request has no protection against being sent twice.
    """
    own = given.get("delivery_id") or uuid.uuid4().hex
    if len(own) > ID_LIMIT:
        raise MalformedError(f"delivery_id is longer than {ID_LIMIT} characters")
    return own


def delivery_of(own_id: str, account: str) -> str:
    """Return a delivery id bound to the account, so that one person's id never swallows another's command."""
    return f"web:{account}:{own_id}"
