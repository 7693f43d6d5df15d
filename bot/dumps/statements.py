"""What a statement other than rows means for the manifest: tables, columns, indexes, triggers, views."""

from __future__ import annotations

import re
from typing import List, NamedTuple, Optional, Pattern

from bot.dumps.tokens import MYSQL, Token, tokens, unquoted

NAME = rb"""(?:"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|'(?:[^']|'')*'|[^\s"`()\[\]';,.]+)"""
QUALIFIED = NAME + rb"(?:\s*\.\s*" + NAME + rb")?"
_LIST = rb"\(\s*" + NAME + rb"(?:\s*,\s*" + NAME + rb")*\s*\)"

INSERT_HEAD: Pattern[bytes] = re.compile(
    rb"(?:INSERT|REPLACE)(?:\s+IGNORE|\s+OR\s+\w+|\s+DELAYED)?\s+INTO\s+(?P<table>" + QUALIFIED + rb")\s*"
    rb"(?P<columns>" + _LIST + rb")?\s*(?:OVERRIDING\s+\w+\s+VALUE\s*)?VALUES(?=\s*\()",
    re.IGNORECASE,
)
DEFAULT_ROW: Pattern[bytes] = re.compile(
    rb"INSERT\s+INTO\s+(?P<table>" + QUALIFIED + rb")\s+DEFAULT\s+VALUES\s*;", re.IGNORECASE
)
COPY_HEAD: Pattern[bytes] = re.compile(
    rb"COPY\s+(?P<table>" + QUALIFIED + rb")\s*(?P<columns>" + _LIST + rb")?\s+FROM\s+stdin[^;\n]*;\r?\n",
    re.IGNORECASE,
)

_CREATE = re.compile(
    rb"\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?P<extra>(?:[A-Z]+\s*=\s*\S+\s+|SQL\s+SECURITY\s+\w+\s+|\*/\s*|/\*M?!\d+\s*)*)"
    rb"(?:(?:UNIQUE|FULLTEXT|SPATIAL|TEMP|TEMPORARY|UNLOGGED|VIRTUAL|MATERIALIZED|CONSTRAINT|AGGREGATE)\s+)*"
    rb"(?P<kind>TABLE|INDEX|TRIGGER|VIEW|PROCEDURE|FUNCTION|EVENT|SEQUENCE|DATABASE|SCHEMA)\s+"
    rb"(?:CONCURRENTLY\s+)?(?:IF\s+NOT\s+EXISTS\s+|/\*!\d+\s+IF\s+NOT\s+EXISTS\s*\*/\s*)?(?P<name>"
    + QUALIFIED
    + rb")",
    re.IGNORECASE,
)
_CONDITIONAL = re.compile(rb"/\*M?!\d*\s?")
_CONDITIONAL_VIEW = re.compile(rb"/\*!50001 VIEW\s+(?P<name>" + QUALIFIED + rb")", re.IGNORECASE)

# The first word of a table item that is no column.
_NO_COLUMN = {
    b"PRIMARY",
    b"KEY",
    b"UNIQUE",
    b"CONSTRAINT",
    b"INDEX",
    b"FOREIGN",
    b"CHECK",
    b"FULLTEXT",
    b"SPATIAL",
}
_NO_COLUMN |= {b"EXCLUDE", b"LIKE", b"PERIOD"}


class Created(NamedTuple):
    """Something a statement creates: kind in lower case, plain name; columns for tables, keys beside the primary one."""

    kind: str
    name: str
    columns: Optional[List[str]]
    indexes: int


def created(statement: bytes, dialect: str) -> Optional[Created]:
    """Return what the statement creates, or None where it creates nothing that counts."""
    if dialect == MYSQL and statement.lstrip().startswith(b"/*"):
        return _created_conditionally(statement)
    match = _CREATE.match(statement)
    if not match:
        return None
    kind = match.group("kind").decode().lower()
    name = plain_name(match.group("name"))
    if kind != "table":
        return Created(kind, name, None, 0)
    items = _items(statement, match.end(), dialect)
    return Created(kind, name, _columns(items), _index_count(items) if dialect == MYSQL else 0)


def _created_conditionally(statement: bytes) -> Optional[Created]:
    """Return the view, trigger, routine or event of MySQL's `/*!50003 CREATE*/ …`; a view's stand-in counts nothing."""
    view = _CONDITIONAL_VIEW.search(statement)
    if view:
        return Created("view", plain_name(view.group("name")), None, 0)
    bare = _CONDITIONAL.sub(b" ", statement).replace(b"*/", b" ")
    match = _CREATE.match(bare)
    if not match or match.group("kind").upper() in (b"TABLE", b"VIEW"):
        return (
            Created("database", "", None, 0)
            if re.match(rb"\s*CREATE\s+DATABASE", bare, re.IGNORECASE)
            else None
        )
    return Created(match.group("kind").decode().lower(), plain_name(match.group("name")), None, 0)


def plain_name(text: bytes) -> str:
    """Return a table's plain name; a schema in front is kept unless it is PostgreSQL's `public` or SQLite's `main`."""
    parts = [unquoted(part) for part in re.findall(NAME, text)]
    if len(parts) == 2 and parts[0] in ("public", "main"):
        return parts[1]
    return ".".join(parts)


def column_list(text: Optional[bytes]) -> Optional[List[str]]:
    """Return the names in `(a, "b", `c`)`, or None where there is no list."""
    if not text:
        return None
    return [unquoted(part) for part in re.findall(NAME, text[1:-1])]


def _items(statement: bytes, start: int, dialect: str) -> List[List[Token]]:
    """Return the comma-separated items of a CREATE TABLE, each as its tokens on the outermost level."""
    items: List[List[Token]] = [[]]
    depth = 0
    for token in tokens(statement, start, dialect):
        if token.text == b"(":
            depth += 1
        elif token.text == b")":
            depth -= 1
            if depth == 0:
                break
        elif depth == 1 and token.text == b",":
            items.append([])
        elif depth == 1:
            items[-1].append(token)
    return [item for item in items if item]


def _columns(items: List[List[Token]]) -> Optional[List[str]]:
    names = [unquoted(item[0].text) for item in items if _is_column(item)]
    return names or None


def _is_column(item: List[Token]) -> bool:
    return item[0].kind in ("name", "string") or (
        item[0].kind == "word" and item[0].text.upper() not in _NO_COLUMN
    )


def _index_count(items: List[List[Token]]) -> int:
    kinds = (b"KEY", b"UNIQUE", b"INDEX", b"FULLTEXT", b"SPATIAL")
    return sum(1 for item in items if item[0].kind == "word" and item[0].text.upper() in kinds)
