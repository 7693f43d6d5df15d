"""Write the tables and rows of a server database into a new SQLite file, without a change to any value."""

from __future__ import annotations

import sqlite3
from typing import Callable, Dict, Iterable, List, Sequence, Set, Tuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.server.port import Row, ServerColumn, ServerKey, ServerSchema, ServerTable
from adapters.host_reader.sqlite_open import quoted, text_literal
from adapters.host_reader.sqlite_schema import GIVEN, STAMPED

# After so many rows progress is told and the free space looked at.
_ROWS_BETWEEN = 5_000
_TYPES = {"integer": "INTEGER", "binary": "BLOB", "text": "TEXT"}

Told = Callable[[int], None]


def refuse_unnameable(schema: ServerSchema) -> None:
    """Do nothing where SQLite can have all tables and columns under their own names. *Raises* Refusal (refused)."""
    _refuse_equals([table.name for table in schema.tables.values()], "Tables")
    for table in schema.tables.values():
        _refuse_equals(table.column_names, f"Columns of table {table.name!r}")
        if table.name.lower().startswith("sqlite_"):
            raise Refusal(
                "refused",
                f"The table {table.name!r} has a name that SQLite keeps for itself, so the rows cannot be compared"
                " on this host. Nothing was changed; call the DBA.",
            )


def _refuse_equals(names: Sequence[str], what: str) -> None:
    known: Dict[str, str] = {}
    for name in names:
        # SQLite folds A to Z only, and so does its comparison of names.
        other = known.setdefault(name.lower(), name)
        if other != name:
            raise Refusal(
                "refused",
                f"{what} {other!r} and {name!r} differ only by case, so the rows cannot be compared on this host."
                " Nothing was changed; call the DBA.",
            )


def create_tables(connection: sqlite3.Connection, schema: ServerSchema) -> List[str]:
    """Make empty tables as the server has them; return the foreign keys that SQLite cannot have, by name.

    *Changes*: the new file.
    """
    left_out = []
    for table in schema.tables.values():
        usable = [key for key in table.foreign_keys if _has_parent(schema, key)]
        left_out += [
            f"{table.name}({', '.join(key.columns)}) -> {key.parent}"
            for key in table.foreign_keys
            if key not in usable
        ]
        parts = [_column(table, column) for column in table.columns]
        if table.key and not _is_row_number(table):
            parts.append(f"PRIMARY KEY ({_names(table.key)})")
        parts += [_foreign_key(key) for key in usable]
        if not parts:
            raise Refusal("refused", f"Table {table.name!r} has no column. Nothing was changed.")
        connection.execute(f"CREATE TABLE {quoted(table.name)} ({', '.join(parts)})")
    return left_out


def _names(names: Iterable[str]) -> str:
    return ", ".join(quoted(name) for name in names)


def _has_parent(schema: ServerSchema, key: ServerKey) -> bool:
    """Return whether the parent's columns are a key of its own, without which SQLite takes no foreign key."""
    parent = schema.tables.get(key.parent)
    if parent is None:
        return False
    wanted = set(key.parent_columns)
    return any(set(columns) == wanted for columns in (parent.key, *parent.uniques) if columns)


def _is_row_number(table: ServerTable) -> bool:
    kinds = {column.name: column.kind for column in table.columns}
    return len(table.key) == 1 and kinds.get(table.key[0]) == "integer"


def _column(table: ServerTable, column: ServerColumn) -> str:
    if _is_row_number(table) and column.name == table.key[0]:
        counted = " AUTOINCREMENT" if table.numbered == column.name else ""
        return f"{quoted(column.name)} INTEGER PRIMARY KEY{counted}"
    notnull = " NOT NULL" if column.notnull or column.name in table.key else ""
    return f"{quoted(column.name)} {_TYPES[column.kind]}{_given(column)}{notnull}{_default(column)}"


def _given(column: ServerColumn) -> str:
    if column.stamped:
        return f" {STAMPED}"
    return "" if column.given is None else f" {GIVEN}{column.given.encode().hex()}"


def _default(column: ServerColumn) -> str:
    if column.default is None or column.kind == "binary":
        return ""
    if column.kind == "integer":
        try:
            return f" DEFAULT {int(column.default)}"
        except ValueError:
            return ""
    return f" DEFAULT {text_literal(str(column.default))}"


def _foreign_key(key: ServerKey) -> str:
    acts = key.on_delete.upper()
    on_delete = f" ON DELETE {acts}" if acts in ("CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT") else ""
    return (
        f"FOREIGN KEY ({_names(key.columns)}) REFERENCES {quoted(key.parent)} ({_names(key.parent_columns)})"
        f"{on_delete}"
    )


class _Feed:
    """The rows of one table on their way: only one is held at a time, however large its values are."""

    def __init__(self, rows: Iterable[Row], told: Told) -> None:
        self._rows = iter(rows)
        self._told = told
        self.count = 0
        self.last: Row = ()

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> Row:
        self.last = next(self._rows)
        self.count += 1
        if self.count % _ROWS_BETWEEN == 0:
            self._told(_ROWS_BETWEEN)
        return self.last


def load_rows(connection: sqlite3.Connection, table: ServerTable, rows: Iterable[Row], told: Told) -> int:
    """Put all rows of a table into its image and return how many; `told` gets how many more are in, from time to time.

    *Changes*: the new file. *Raises* Refusal (damaged) where the server gave what its own table cannot hold.
    """
    marks = ", ".join("?" for _ in table.columns)
    insert = f"INSERT INTO {quoted(table.name)} ({_names(table.column_names)}) VALUES ({marks})"
    feed = _Feed(rows, told)
    try:
        while not _all_in(connection, insert, feed):
            # The rows before this one are in; its text is no UTF-8 and goes in with its bytes kept.
            _insert_bytes(connection, insert, feed.last)
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, OverflowError) as error:
        raise Refusal(
            "damaged",
            f"Rows of table {table.name!r} do not fit what the server says of it ({type(error).__name__})."
            " Nothing was changed; call the DBA.",
        ) from None
    told(feed.count % _ROWS_BETWEEN)
    return feed.count


def _all_in(connection: sqlite3.Connection, insert: str, feed: _Feed) -> bool:
    try:
        connection.executemany(insert, feed)
    except UnicodeEncodeError:
        return False
    return True


def _insert_bytes(connection: sqlite3.Connection, insert: str, row: Row) -> None:
    marks = ", ".join("CAST(? AS TEXT)" if isinstance(value, str) else "?" for value in row)
    values = [value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value for value in row]
    connection.execute(f"{insert[: insert.rindex('(')]}({marks})", values)


def create_indexes(connection: sqlite3.Connection, schema: ServerSchema) -> List[str]:
    """Make the unique indexes, after the rows are in; return those that SQLite cannot have, by table and columns.

    Where the server takes texts that differ by case for equal, an index without case finds such equals.

    *Changes*: the new file.
    """
    referred = {
        (key.parent, frozenset(key.parent_columns))
        for table in schema.tables.values()
        for key in table.foreign_keys
    }
    left_out = []
    for table in schema.tables.values():
        texts = {column.name for column in table.columns if column.folds_case}
        for columns in table.uniques:
            is_parent = (table.name, frozenset(columns)) in referred
            folded = texts if not is_parent else set()
            if not _create_unique(connection, table, columns, folded):
                left_out.append(f"{table.name}({', '.join(columns)})")
    return left_out


def _create_unique(
    connection: sqlite3.Connection, table: ServerTable, columns: Tuple[str, ...], folded: Set[str]
) -> bool:
    forms = [folded, set()] if folded & set(columns) else [set()]
    # The same index has the same name in each image, so that a missing one is told by name.
    name = quoted(f"unique {table.name} ({', '.join(columns)})")
    for form in forms:
        listed = ", ".join(quoted(each) + (" COLLATE NOCASE" if each in form else "") for each in columns)
        try:
            connection.execute(f"CREATE UNIQUE INDEX {name} ON {quoted(table.name)} ({listed})")
        except sqlite3.IntegrityError:
            continue  # Unique by another rule of the server (a prefix, a collation): the server still holds it.
        return True
    return False
