"""What a database is made of: tables, columns, keys, foreign keys, its `migrations` rows, and a hash of all that."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from adapters.host_reader.sqlite_open import quoted

# A time of birth comes first; the other times count only where it is missing. These two change in normal use.
_CHANGING_TIMES = {"updated_at", "deleted_at"}
# White space outside quotes; quoted parts are matched first so that they stay as they are.
_QUOTED_OR_SPACE = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\[[^\]]*\]|(\s+)")
# In the image of a server's database these stand in a column's type: what it is given where it is added, with the value in
# hexadecimal digits of its UTF-8, and that its default is the time. A default there would let salvage make up values.
GIVEN = "GIVEN_"
STAMPED = "STAMPED"


@dataclass(frozen=True)
class Column:
    """One stored column. `default` is the SQL text of its default, None where there is none; `pk` counts from 1."""

    name: str
    type: str
    notnull: bool
    default: Optional[str]
    pk: int

    @property
    def given(self) -> Optional[str]:
        """Return what the server gives the rows there are where it adds this column, None where that is an empty value."""
        _, found, digits = self.type.rpartition(GIVEN)
        return bytes.fromhex(digits).decode() if found and self.notnull and self.default is None else None

    @property
    def is_stamped(self) -> bool:
        """Return whether its default is the time at which a row is written."""
        told = self.default or ""
        return told.strip("() ").upper() == "CURRENT_TIMESTAMP" or self.type.endswith(STAMPED)

    @property
    def affinity(self) -> str:
        """Return the type to which SQLite turns values. *Source*: sqlite.org/datatype3.html, 3.1."""
        said = self.type.upper()
        if "INT" in said:
            return "INTEGER"
        if any(part in said for part in ("CHAR", "CLOB", "TEXT")):
            return "TEXT"
        if "BLOB" in said or not said:
            return "BLOB"
        return "REAL" if any(part in said for part in ("REAL", "FLOA", "DOUB")) else "NUMERIC"


@dataclass(frozen=True)
class ForeignKey:
    """One declared foreign key; `columns[i]` refers to `parent_columns[i]`."""

    columns: Tuple[str, ...]
    parent: str
    parent_columns: Tuple[str, ...]
    on_delete: str


@dataclass(frozen=True)
class Table:
    """One table that holds rows of its own. Names are compared as SQLite does, without case."""

    name: str
    columns: Tuple[Column, ...]
    key: Tuple[str, ...]
    foreign_keys: Tuple[ForeignKey, ...]
    autoincrement: bool

    def column(self, name: str) -> Optional[Column]:
        """Return the column of that name, or None."""
        return next((each for each in self.columns if each.name.lower() == name.lower()), None)

    @property
    def column_names(self) -> List[str]:
        """Return the names of the stored columns in their order."""
        return [column.name for column in self.columns]

    def common(self, other: Table) -> List[str]:
        """Return this table's column names that the other has too, in this table's order."""
        return [name for name in self.column_names if other.column(name)]

    def without(self, other: Table) -> List[str]:
        """Return this table's column names that the other does not have."""
        return [name for name in self.column_names if not other.column(name)]


@dataclass(frozen=True)
class Schema:
    """All tables of one attached database, and the names of its other objects."""

    tables: Dict[str, Table]  # by lower-case name
    indexes: List[str]
    triggers: List[str]
    views: List[str]
    virtual: List[str]
    hash: str

    def table(self, name: str) -> Optional[Table]:
        """Return the table of that name, or None."""
        return self.tables.get(name.lower())

    def without(self, names: List[str]) -> List[Table]:
        """Return the tables but the named ones, by name."""
        left_out = {name.lower() for name in names}
        return [table for key, table in sorted(self.tables.items()) if key not in left_out]


def read_schema(connection: sqlite3.Connection, schema: str = "main") -> Schema:
    """Return what the database is made of; reads only. Virtual tables hold no rows of their own."""
    listed = connection.execute(
        f"SELECT type, name, tbl_name, sql FROM {quoted(schema)}.sqlite_master"
    ).fetchall()
    named: Dict[str, List[str]] = {"table": [], "index": [], "trigger": [], "view": [], "virtual": []}
    tables = {}
    for kind, name, _, sql in sorted(listed, key=lambda row: (row[0], row[1])):
        if name.startswith("sqlite_"):
            continue
        if kind == "table" and re.match(r"\s*create\s+virtual\s", sql or "", re.IGNORECASE):
            named["virtual"].append(name)
        elif kind == "table":
            tables[name.lower()] = read_table(connection, schema, name, sql or "")
        else:
            named[kind].append(name)
    return Schema(
        tables, named["index"], named["trigger"], named["view"], named["virtual"], _schema_hash(listed)
    )


def read_table(connection: sqlite3.Connection, schema: str, name: str, sql: str) -> Table:
    """Return one table's columns, key and foreign keys; generated columns are left out, they store nothing."""
    rows = connection.execute(f"PRAGMA {quoted(schema)}.table_xinfo({quoted(name)})").fetchall()
    columns = tuple(Column(row[1], row[2] or "", bool(row[3]), row[4], row[5]) for row in rows if row[6] == 0)
    key = tuple(column.name for column in sorted(columns, key=lambda each: each.pk) if column.pk)
    autoincrement = bool(re.search(r"\bAUTOINCREMENT\b", _outside_quotes(sql), re.IGNORECASE))
    return Table(name, columns, key, _foreign_keys(connection, schema, name), autoincrement)


def _outside_quotes(sql: str) -> str:
    return _QUOTED_OR_SPACE.sub(" ", sql)


def _foreign_keys(connection: sqlite3.Connection, schema: str, name: str) -> Tuple[ForeignKey, ...]:
    rows = connection.execute(f"PRAGMA {quoted(schema)}.foreign_key_list({quoted(name)})").fetchall()
    by_id: Dict[int, List[Any]] = {}
    for row in sorted(rows, key=lambda each: (each[0], each[1])):
        by_id.setdefault(row[0], []).append(row)
    return tuple(_foreign_key(connection, schema, parts) for parts in by_id.values())


def _foreign_key(connection: sqlite3.Connection, schema: str, parts: List[Any]) -> ForeignKey:
    parent = parts[0][2]
    targets = [part[4] for part in parts]
    if None in targets:  # REFERENCES parent without columns means the parent's primary key
        info = connection.execute(f"PRAGMA {quoted(schema)}.table_info({quoted(parent)})").fetchall()
        targets = [row[1] for row in sorted(info, key=lambda row: int(row[5])) if row[5]]
    return ForeignKey(tuple(part[3] for part in parts), parent, tuple(targets), parts[0][6])


def _schema_hash(listed: List[Any]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for kind, name, table, sql in sorted(listed, key=lambda row: (row[0], row[1])):
        if not name.startswith("sqlite_"):
            digest.update(ascii((kind, name, table, _one_spaced(sql or ""))).encode("ascii"))
    return digest.hexdigest()


def _one_spaced(sql: str) -> str:
    return _QUOTED_OR_SPACE.sub(lambda found: " " if found.group(1) else found.group(0), sql).strip()


def identity_columns(one: Table, other: Table) -> List[str]:
    """Return the columns that say whether two rows of one key are the same thing, the strongest first.

    `created_at` decides alone wherever it is set; the other times (`…_at`) count where it is missing.
    """
    times = [name for name in one.common(other) if name.lower().endswith("_at")]
    kept = [name for name in times if name.lower() not in _CHANGING_TIMES]
    return sorted(kept, key=lambda name: (name.lower() != "created_at", name))


def read_migrations(
    connection: sqlite3.Connection, schema: str, table: Optional[Table]
) -> Optional[List[Any]]:
    """Return the rows of Laravel's `migrations` table in order, or None where there is no such table; reads only."""
    if table is None or not table.column("migration"):
        return None
    wanted = [name if table.column(name) else "NULL" for name in ("id", "migration", "batch")]
    rows = connection.execute(
        f"SELECT {', '.join(wanted)} FROM {quoted(schema)}.{quoted(table.name)} ORDER BY 1, 2"
    ).fetchall()
    return [{"id": row[0], "migration": row[1], "batch": row[2]} for row in rows]
