"""Read the fields of a request; a field that is missing or of another type is refused by name."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from adapters.host_reader.answers import Refusal

Request = Dict[str, Any]
Answer = Dict[str, Any]


def text(request: Request, name: str) -> str:
    """Return a required text field. *Raises* Refusal (bad_request)."""
    value = request.get(name)
    if not isinstance(value, str) or not value:
        raise _wrong(name, "a text")
    return value


def optional_text(request: Request, name: str) -> Optional[str]:
    """Return a text field, or None where it is missing or null. *Raises* Refusal (bad_request)."""
    return None if request.get(name) is None else text(request, name)


def number(request: Request, name: str, default: float) -> float:
    """Return a number field, or its default where it is missing. *Raises* Refusal (bad_request)."""
    value = request.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise _wrong(name, "a number that is not negative")
    return value


def names(request: Request, name: str) -> List[str]:
    """Return a list of texts; empty where the field is missing. *Raises* Refusal (bad_request)."""
    value = request.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong(name, "a list of texts")
    return list(value)


def mapping(request: Request, name: str) -> Dict[str, Any]:
    """Return an object field; empty where it is missing. *Raises* Refusal (bad_request)."""
    value = request.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(name, "an object")
    return value


def objects(request: Request, name: str) -> List[Dict[str, Any]]:
    """Return a list of objects; empty where the field is missing. *Raises* Refusal (bad_request)."""
    value = request.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _wrong(name, "a list of objects")
    return list(value)


def _wrong(name: str, wanted: str) -> Refusal:
    return Refusal("bad_request", f"The request's field {name!r} must be {wanted}. Nothing was changed.")
