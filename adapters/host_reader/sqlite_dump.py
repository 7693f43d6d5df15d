"""Load the text of a SQLite `.dump` into an empty database, in one transaction that ends only with the dump's own COMMIT."""

from __future__ import annotations

import codecs
import re
import sqlite3
from typing import Iterable, Iterator

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_splitter import statements

_NOT_UTF8 = re.compile("[\ud800-\udfff]")
_STRING = re.compile(r"'(?:[^']|'')*'")
_ESCAPE = re.compile(r"\\(\\|[0-9a-fA-F]{4}|\+[0-9a-fA-F]{6}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})")
_ALLOWED_PRAGMAS = {"foreign_keys", "user_version", "application_id", "encoding"}
_FORBIDDEN = {
    sqlite3.SQLITE_ATTACH,
    sqlite3.SQLITE_DETACH,
    sqlite3.SQLITE_CREATE_VTABLE,
    sqlite3.SQLITE_CREATE_TEMP_TABLE,
    sqlite3.SQLITE_CREATE_TEMP_TRIGGER,
}
# How `.dump` writes a virtual table: into the schema itself, so that a program without its module can load it. Only the
# modules of SQLite's own search and map indexes; nothing else reaches the schema. *Source*: sqlite3 3.40, shell.c, run_schema_dump_query.
_VIRTUAL = re.compile(
    r"insert\s+into\s+sqlite_(?:schema|master)\(type,name,tbl_name,rootpage,sql\)\s*"
    r"values\('table','((?:[^']|'')+)','\1',0,'(create\s+virtual\s+table\s(?:[^']|'')+)'\)",
    re.IGNORECASE,
)
_MODULE = re.compile(
    r"""create\s+virtual\s+table\s+(?:if\s+not\s+exists\s+)?(?:"(?:[^"]|"")+"|'(?:[^']|'')+'|`(?:[^`]|``)+`|\[[^\]]+\]|[^\s"'`\[(]+)"""
    r"\s+using\s+(?:fts[345]|rtree|rtree_i32)\s*\(",
    re.IGNORECASE,
)
_FORBIDDEN_FUNCTIONS = {"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"}


def load_dump(connection: sqlite3.Connection, blocks: Iterable[bytes]) -> None:
    """Run a dump's statements in one transaction. *Changes*: the connection's main database, which must be new.

    *Raises* Refusal: cut short (no COMMIT at the end), a dump that says of itself that it failed, a statement that is
    wrong or reaches outside its database. No message holds a statement's text.
    """
    _offer_unistr(connection)
    connection.execute("PRAGMA foreign_keys=OFF")
    connection.execute("BEGIN IMMEDIATE")
    connection.set_authorizer(_judge)
    complete = False
    for count, statement in enumerate(statements(_decoded(blocks)), start=1):
        if complete:
            raise _refused(f"goes on after its COMMIT (statement {count})")
        word = statement[:20].split(None, 1)[0].upper()
        if word == "ROLLBACK":
            raise _refused("ends with ROLLBACK: the program that wrote it met errors")
        if word in ("COMMIT", "END"):
            complete = True
        elif found := _VIRTUAL.fullmatch(statement):
            name, sql = (part.replace("''", "'") for part in found.groups())
            _make_virtual(connection, name, sql, count)
        elif word not in ("BEGIN", "PRAGMA"):
            _run(connection, statement, count)
    if not complete:
        raise _refused("is cut short: its last COMMIT is missing")
    connection.execute("COMMIT")


def _run(connection: sqlite3.Connection, statement: str, count: int) -> None:
    if "\0" in statement:
        raise _refused(f"holds a NUL byte in statement {count}")
    if not statement.isascii() and _NOT_UTF8.search(statement):
        statement = _STRING.sub(_bytes_kept, statement)
    try:
        connection.execute(statement)
    except (sqlite3.Error, sqlite3.Warning) as error:
        if "disk is full" in str(error):
            raise Refusal("no_space", "The disk is full. Nothing was kept and nothing was changed.") from None
        # SQLite's message may quote the statement, which holds rows.
        raise _refused(f"cannot be run at statement {count} ({type(error).__name__})") from None


def _make_virtual(connection: sqlite3.Connection, name: str, sql: str, count: int) -> None:
    """Write a virtual table into the schema. *Changes*: one row of it, with the schema writable for that moment alone."""
    if not _MODULE.match(sql):
        raise _refused(f"makes a virtual table of an unknown kind in statement {count}")
    connection.set_authorizer(None)
    try:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute(
            "INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) VALUES ('table', ?, ?, 0, ?)",
            (name, name, sql),
        )
    finally:
        connection.execute("PRAGMA writable_schema=OFF")
        connection.set_authorizer(_judge)


def _refused(what: str) -> Refusal:
    return Refusal(
        "damaged", f"The dump {what}. Nothing was kept and nothing was changed; choose another backup."
    )


def _decoded(blocks: Iterable[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    first = True
    for block in blocks:
        text = decoder.decode(block)
        yield text.lstrip("\ufeff") if first else text
        first = False
    yield decoder.decode(b"", final=True)


def _bytes_kept(found: re.Match[str]) -> str:
    """Return a string literal of bytes that are no UTF-8 in a form Python can hand to SQLite."""
    if not _NOT_UTF8.search(found.group()):
        return found.group()
    raw = found.group()[1:-1].replace("''", "'").encode("utf-8", "surrogateescape")
    return f"CAST(X'{raw.hex()}' AS TEXT)"


def _judge(action: int, first: str | None, second: str | None, _database: str | None, _by: str | None) -> int:
    """Allow what a dump needs inside its own database and nothing else."""
    if action in _FORBIDDEN:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA and (first or "").lower() not in _ALLOWED_PRAGMAS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _offer_unistr(connection: sqlite3.Connection) -> None:
    """Have `unistr()`, which dumps of sqlite3 3.50 and later call and older libraries do not know."""
    try:
        connection.execute("SELECT unistr('')").fetchone()
    except sqlite3.OperationalError:
        connection.create_function("unistr", 1, _unistr, deterministic=True)


def _unistr(text: str) -> str:
    """Return the text with its escapes resolved. *Source*: sqlite.org/lang_corefunc.html, unistr."""
    return _ESCAPE.sub(lambda found: _character(found.group(1)), text)


def _character(escape: str) -> str:
    return "\\" if escape == "\\" else chr(int(escape.lstrip("uU+"), 16))
