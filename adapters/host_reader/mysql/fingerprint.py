"""A hash of what a database holds, whatever the order of its rows: counted and hashed by the server itself.

CHECKSUM TABLE is not enough: it takes neighbouring values together ('ab','c' and 'a','bc' are alike) and has 32 bits.
"""

from __future__ import annotations

import hashlib
from typing import Dict, Sequence, Tuple

from adapters.host_reader.answers import Refusal, progress
from adapters.host_reader.mysql.client import Session
from adapters.host_reader.mysql.names import at, quoted
from adapters.host_reader.mysql.rows import asked, is_long
from adapters.host_reader.mysql.schema import Definition, Structure, schema_hash
from adapters.host_reader.server.port import Fingerprint, ServerColumn, ServerTable

# Longer than any sum of 64-bit numbers, so that one row whose hash the server could not make is seen in the sum.
_UNHASHED = 10**30
# Where the bytes decide, not the text they are shown as.
_SHORT = (
    "int",
    "bigint",
    "tinyint",
    "smallint",
    "mediumint",
    "year",
    "date",
    "time",
    "bit",
    "dec",
    "num",
    "dou",
    "flo",
)


def fingerprint_of(session: Session, database: str, structure: Structure) -> Fingerprint:
    """Return the fingerprint of a database as of the session's snapshot; reads only.

    Counters (AUTO_INCREMENT), statistics and events are no part of it.
    """
    return fingerprint_with(session, database, structure, structure.definitions)


def fingerprint_with(
    session: Session, database: str, structure: Structure, definitions: Sequence[Definition]
) -> Fingerprint:
    """Return the fingerprint the database would have with these views, triggers and routines; reads only."""
    rows, together = content_of(session, database, structure)
    schema = schema_hash(structure.creates, structure.sequences, definitions)
    digest = hashlib.blake2b((schema + together).encode("ascii"), digest_size=16)
    return Fingerprint(digest.hexdigest(), schema, rows)


def content_of(session: Session, database: str, structure: Structure) -> Tuple[Dict[str, int], str]:
    """Return the row counts by table and a hash of all rows of all tables; reads only."""
    tables = structure.schema.tables
    counted: Dict[str, int] = {}
    digest = hashlib.blake2b(digest_size=16)
    for done, name in enumerate(sorted(tables)):
        progress("fingerprint", done, len(tables), "tables")
        rows, total = table_hash(session, database, tables[name])
        counted[name] = rows
        digest.update(ascii((name, rows, total)).encode("ascii"))
    progress("fingerprint", len(tables), len(tables), "tables")
    return counted, digest.hexdigest()


def table_hash(session: Session, database: str, table: ServerTable) -> Tuple[int, int]:
    """Return the number of rows of a table and the sum of their hashes, 64 bits each; reads only."""
    row = row_expression(table)
    number = f"CAST(CONV(LEFT(MD5({row}), 16), 16, 10) AS UNSIGNED)"
    found = session.rows(
        f"SELECT COUNT(*), IFNULL(SUM(IFNULL({number}, {_UNHASHED})), 0) FROM {at(database, table.name)}",
        f"reading {database}.{table.name}",
    )[0]
    rows, total = int(found[0] or 0), int(found[1] or 0)
    if total >= _UNHASHED:
        raise Refusal(
            "refused",
            f"A row of {table.name!r} is too long for the server to be hashed. Nothing was changed; call the DBA.",
        )
    return rows, total


def row_expression(table: ServerTable) -> str:
    """Return the SQL of the bytes that stand for a row: each value with its length, NULL told apart from all others."""
    parts = [_value_expression(column) for column in table.columns]
    return "CONCAT(" + ", ',', ".join(parts or ["''"]) + ", _binary '')"


def _value_expression(column: ServerColumn) -> str:
    name = quoted(column.name)
    if column.type.lower().startswith(_SHORT):
        value = asked(column)
        return value if column.notnull else f"IFNULL({value}, 'N')"
    # The hash of a long value stands for it, since CONCAT gives nothing longer than one packet.
    value = f"MD5({name})" if _may_be_long(column) else f"CONCAT(LENGTH({name}), ':', CAST({name} AS BINARY))"
    return value if column.notnull else f"IF({name} IS NULL, 'N', {value})"


def _may_be_long(column: ServerColumn) -> bool:
    return is_long(column) or column.type.lower().startswith(("mediumblob", "longblob"))
