"""How names and values become SQL, in one place; nothing else in this package puts quotes around them."""

from __future__ import annotations

from typing import Iterable


def quoted(name: str) -> str:
    """Return a name as PostgreSQL reads it back, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """Return a text as a SQL literal that no setting and no program on the way reads otherwise."""
    if "\\" in value:
        return "E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
    return "'" + value.replace("'", "''") + "'"


def listed(names: Iterable[str], prefix: str = "") -> str:
    """Return names as a comma-separated list, each behind a prefix such as `t.`"""
    return ", ".join(prefix + quoted(name) for name in names)
