"""What in a dump would go wrong when it is loaded, found statement by statement and never inside a value (B5, B6)."""

from __future__ import annotations

import re
from typing import Dict, List, NamedTuple, Pattern

from bot.dumps.manifest import BLOCK, NOTE, Hazard
from bot.dumps.tokens import MYSQL, PGSQL, SQLITE

_OTHER_DATABASE = "it names the database it writes into, so it would write there whatever database is chosen"
_RUNS_PROGRAMS = (
    "it holds a command for the client program (one that can run other programs or read other files)"
)


class _Sign(NamedTuple):
    """One thing to look for in a statement."""

    code: str
    severity: str
    pattern: Pattern[bytes]
    message: str


def _sign(code: str, severity: str, pattern: bytes, message: str) -> _Sign:
    return _Sign(code, severity, re.compile(pattern, re.IGNORECASE), message)


_COMMENT = rb"\s*(?:/\*!\d*\s*)?"
_SIGNS: Dict[str, List[_Sign]] = {
    MYSQL: [
        _sign("use_database", BLOCK, _COMMENT + rb"USE\s", _OTHER_DATABASE),
        _sign("create_database", BLOCK, _COMMENT + rb"(?:CREATE|DROP|ALTER)\s+(?:DATABASE|SCHEMA)\b", _OTHER_DATABASE),
        _sign("client_command", BLOCK, rb"\s*(?:\\[!.]|(?:SOURCE|SYSTEM|TEE|PAGER)\s)", _RUNS_PROGRAMS),
        _sign("definer", NOTE, rb"(?s).{0,400}?DEFINER\s*=", "it names a DEFINER; loading as another user fails at that point (error 1227), so the clause is taken out"),
        _sign("gtid_purged", NOTE, _COMMENT + rb"SET\s+@@(?:GLOBAL|SESSION)\.GTID_PURGED", "it sets GTID_PURGED, which needs rights the site's user has not; that statement is left out"),
        _sign("sql_log_bin", NOTE, _COMMENT + rb"SET\s+@@SESSION\.SQL_LOG_BIN", "it sets SQL_LOG_BIN, which needs rights the site's user has not; that statement is left out"),
        _sign("collation", NOTE, rb"(?s).*?utf8mb[34]_(?:0900|uca1400)_", "it uses collations that only newer servers know (utf8mb4_0900, or uca1400 of utf8mb3 and utf8mb4); they are never mapped silently"),
    ],
    PGSQL: [
        _sign("create_database", BLOCK, rb"\s*(?:CREATE|DROP|ALTER)\s+DATABASE\b", _OTHER_DATABASE),
        _sign("transaction_timeout", NOTE, rb"\s*SET\s+transaction_timeout", "it sets transaction_timeout, which servers before PostgreSQL 17 do not know; that statement is left out there"),
        _sign("owner_to", NOTE, rb"\s*ALTER\s[^;]*\sOWNER\s+TO\s", "it gives tables to a named role; where the role is missing that statement fails, so it is left out"),
        _sign("grant", NOTE, rb"\s*(?:GRANT|REVOKE|ALTER\s+DEFAULT\s+PRIVILEGES)\s", "it grants rights to named roles; where a role is missing that fails, so it is left out"),
        _sign("comment_on_extension", NOTE, rb"\s*COMMENT\s+ON\s+EXTENSION\s", "it comments on an extension, which only its owner may do; that statement is left out"),
    ],
    SQLITE: [
        _sign("attach_database", BLOCK, rb"\s*(?:ATTACH|DETACH)\b", _OTHER_DATABASE),
        _sign("load_extension", BLOCK, rb"(?s).*?\bload_extension\s*\(", _RUNS_PROGRAMS),
        _sign("writable_schema", NOTE, rb"\s*PRAGMA\s+writable_schema", "it writes SQLite's own schema table (as .dump does for virtual tables)"),
    ],
}  # fmt: skip

SANDBOX = Hazard(
    "sandbox_line",
    NOTE,
    "it begins with MariaDB's sandbox line, which MySQL's and older clients refuse; that line is left out",
)
RESTRICT = Hazard(
    "restrict",
    NOTE,
    "it holds \\restrict, which psql before August 2025 does not know; those two lines are left out there",
)
CLIENT_COMMAND = Hazard("client_command", BLOCK, _RUNS_PROGRAMS)
OTHER_DATABASE = Hazard("use_database", BLOCK, _OTHER_DATABASE)
TWICE = Hazard(
    "table_twice", BLOCK, "it creates the same table twice, as when two dumps were written into one file"
)
FOREIGN_TEXT = Hazard(
    "foreign_text",
    BLOCK,
    "it holds text that is no SQL, such as a program's message written among the rows; loading stops there or goes wrong",
)
NO_STRUCTURE = Hazard(
    "no_structure",
    BLOCK,
    "it holds rows of tables that it does not create (as with --no-create-info or --data-only): it cannot be loaded alone",
)
LONG_STATEMENT = Hazard(
    "long_statement",
    NOTE,
    "one of its statements is longer than 16 MB, more than many servers take at once (max_allowed_packet)",
)

# What the first words of an ordinary statement are read for; a DEFINER or a collation stands near the beginning or in
# a CREATE, and rows never come here.
_READ_BYTES = 1 << 16


# What a statement of a dump begins with; each tool writes some of these, and people's own scripts the others.
_FIRST_WORDS = frozenset(
    b"ALTER ANALYZE ATTACH BEGIN CALL CHANGE CHECK CLUSTER COMMENT COMMIT COPY CREATE DEALLOCATE DELETE DETACH DISCARD "
    b"DO DROP END EXECUTE FLUSH GRANT IMPORT INSERT LOAD LOCK MERGE NOTIFY OPTIMIZE PRAGMA PREPARE REFRESH REINDEX "
    b"PAGER RELEASE RENAME REPLACE RESET REVOKE ROLLBACK SAVEPOINT SECURITY SELECT SET SHOW SOURCE START STOP SYSTEM TEE TRUNCATE UNLOCK "
    b"UPDATE USE VACUUM VALUES WITH XA".split()
)
_FIRST_WORD = re.compile(rb"[\s(]*(?:/\*M?!\d*\s*)?(\w+)(?=[\s;(*/\"`'@]|\Z)")


# How the dump programs begin their messages; a message may stand in the middle of a line.
_PROGRAM_SAYS = re.compile(
    rb"(?:mysqldump|mariadb-dump|pg_dump|pg_dumpall)(?:\.exe)?: (?:\[|Deprecated|Got error|Error|Couldn't|error:|warning:|detail:|hint:)"
)


def holds_message(text: bytes) -> bool:
    """Say whether a dump program's warning or error was written into this comment or statement."""
    return b"dump" in text and bool(_PROGRAM_SAYS.search(text))


def is_foreign(statement: bytes) -> bool:
    """Say whether the statement begins with a word that no SQL begins with, or holds a dump program's message."""
    if holds_message(statement):
        return True
    if not statement.strip(b" \t\r\n;"):
        return False
    if statement.lstrip().startswith((b"/*!", b"/*M!")) and b"*/" in statement:
        return False  # What is conditional may begin anywhere in a statement, as in a view's definition.
    match = _FIRST_WORD.match(statement)
    return match is None or match.group(1).upper() not in _FIRST_WORDS


def statement_hazards(statement: bytes, dialect: str) -> List[Hazard]:
    """Return what the statement (never rows) would do wrong when loaded."""
    text = statement[:_READ_BYTES]
    return [
        Hazard(sign.code, sign.severity, sign.message) for sign in _SIGNS[dialect] if sign.pattern.match(text)
    ]
