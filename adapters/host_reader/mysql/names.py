"""How names, texts and bytes become SQL for MySQL and MariaDB: the one place in which they do."""

from __future__ import annotations

from typing import Iterable

from adapters.host_reader.answers import Refusal


def quoted(name: str) -> str:
    """Return an identifier as the server takes it whatever it holds."""
    if "\0" in name:
        raise Refusal("bad_request", "A table or column name holds a NUL byte. Nothing was changed.")
    return "`" + name.replace("`", "``") + "`"


def listed(names: Iterable[str], before: str = "") -> str:
    """Return identifiers with commas between them, each with a prefix like `a.` before it."""
    return ", ".join(before + quoted(name) for name in names)


def at(database: str, table: str) -> str:
    """Return a table of a database as the server takes it."""
    return f"{quoted(database)}.{quoted(table)}"


def text_literal(value: str) -> str:
    """Return a text as a literal that holds hexadecimal digits only, so that nothing in it can become SQL."""
    return "_utf8mb4 0x" + value.encode("utf-8", "surrogateescape").hex() if value else "_utf8mb4 ''"


def bytes_literal(value: bytes) -> str:
    """Return bytes as a literal."""
    return "0x" + value.hex() if value else "''"
