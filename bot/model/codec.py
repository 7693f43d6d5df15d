"""Turns the frozen dataclasses of the model into JSON values and back, checked by type."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Hashable
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter

T = TypeVar("T")


@functools.lru_cache(maxsize=256)
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast(Any, kind))


def to_json(value: object) -> Any:
    """Return a value as plain JSON data (dict, list, str, int, float, bool, None); times become ISO 8601 text."""
    return _adapter(cast(Hashable, type(value))).dump_python(value, mode="json")


def from_json(kind: type[T], data: object) -> T:
    """Return the model object that `to_json` wrote. *Raises* pydantic.ValidationError when it does not fit."""
    return cast(T, _adapter(cast(Hashable, kind)).validate_python(data))


def canonical(data: object) -> bytes:
    """Return JSON data as one unambiguous byte string: sorted keys, no spaces, UTF-8."""
    return json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest(data: object) -> str:
    """Return the SHA-256 of JSON data in canonical form, 64 hex digits."""
    return hashlib.sha256(canonical(data)).hexdigest()
