"""A page is read as text whatever its server says of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.http_probe.probe import _text


@pytest.mark.parametrize(
    "charset", [None, "utf-8", "no-such", "punycode", "PUNYCODE", "idna", "unicode_escape"]
)
async def test_no_coding_that_is_none_of_pages_is_used(charset: str | None) -> None:
    """A server may name any: one that Python has for other ends, and works at for hours, is not taken."""

    async def parts() -> AsyncIterator[bytes]:
        yield "Sign in\\n — ".encode()
        yield b"here-abc"

    response: Any = SimpleNamespace(charset=charset, content=SimpleNamespace(iter_any=parts))
    assert await _text(response) == "Sign in\\n — here-abc"
