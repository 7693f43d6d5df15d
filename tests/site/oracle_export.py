"""Copies a production's server database into a neutral SQLite file for the oracle. It shares no code with the product.

    python tests/site/oracle_export.py FOLDER TARGET

Standard library and the engine's own client only. Each table becomes a table of the same columns, keys, foreign keys
and indexes; numbers stay numbers, everything else is the engine's exact text. `sqlite_sequence` holds the highest id
ever given; the table `~details` each column's type, default and collation as the engine names them.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NULL = "\\N"
WHOLE = {"tinyint", "smallint", "mediumint", "int", "integer", "bigint"}


@dataclass(kw_only=True)
class Table:
    """What a table is made of. `numbered` is the column whose ids the server gives, `highest` the highest one given."""

    columns: dict[str, str] = field(default_factory=dict)  # name: INTEGER or TEXT
    details: list[str] = field(default_factory=list)
    key: list[str] = field(default_factory=list)
    indexes: dict[str, tuple[bool, list[str]]] = field(default_factory=dict)  # name: unique, columns
    foreign_keys: list[tuple[str, str, str, str]] = field(default_factory=list)
    numbered: str = ""
    highest: int = 0


class Client:
    """The engine's client, as the superuser over the private socket."""

    def __init__(self, place: dict[str, Any]) -> None:
        self.pg = place["driver"] == "pgsql"
        self._place = place

    def rows(self, sql: str) -> Iterator[list[str | None]]:
        """Give the rows of a SELECT whose texts are in hex; None is NULL. Reads only."""
        done = subprocess.run(
            self._command(), input=self._asked(sql).encode(), capture_output=True, check=False
        )
        if done.returncode != 0:
            raise SystemExit(
                f"the export's client ended with {done.returncode}: {done.stderr.decode()[-400:]}"
            )
        null = NULL if self.pg else "NULL"
        for line in done.stdout.decode().splitlines():
            yield [None if value == null else value for value in line.split("\t")]

    def texts(self, sql: str) -> list[list[str]]:
        """Return the rows of a SELECT whose values are all texts in hex, as texts; NULL is empty."""
        return [[bytes.fromhex(value or "").decode() for value in row] for row in self.rows(sql)]

    def hex(self, expression: str) -> str:
        """Return the expression that gives a value's text in hex."""
        return (
            f"encode(convert_to(({expression})::text, 'UTF8'), 'hex')"
            if self.pg
            else f"hex(concat({expression}, ''))"
        )

    def name(self, text: str) -> str:
        """Return a name as the engine quotes it."""
        mark = '"' if self.pg else "`"
        return mark + text.replace(mark, mark * 2) + mark

    def _asked(self, sql: str) -> str:
        return f"copy ({sql}) to stdout;\n" if self.pg else f"{sql};\n"

    def _command(self) -> list[str]:
        programs = Path(self._place["bin"])
        if self.pg:
            where = ["-h", self._place["socket"], "-p", str(self._place["port"]), "-U", "postgres"]
            words = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self._place["name"]]
            return [str(programs / "psql"), *where, *words]
        client = next(path for path in (programs / "mariadb", programs / "mysql") if path.exists())
        words = [
            "--no-defaults",
            "--batch",
            "--skip-column-names",
            "--default-character-set=utf8mb4",
            "--quick",
        ]
        return [str(client), *words, f"--socket={self._place['socket']}", "--user=root", self._place["name"]]


def mariadb_tables(client: Client) -> dict[str, Table]:
    """Return the tables of a MariaDB database, by name."""

    def ask(columns: str, rest: str) -> list[list[str]]:
        return client.texts(
            f"select {', '.join(client.hex(column) for column in columns.split(', '))} from {rest}"
        )

    here = "table_schema = database()"
    tables = {
        row[0]: Table()
        for row in ask("table_name", f"information_schema.tables where {here} and table_type = 'BASE TABLE'")
    }
    columns = (
        "table_name, column_name, data_type, column_type, is_nullable, collation_name, column_default, extra"
    )
    for table, column, kind, *details in ask(
        columns, f"information_schema.columns where {here} order by table_name, ordinal_position"
    ):
        if table in tables:
            add_column(tables[table], column, kind, details)
            if "auto_increment" in details[-1]:
                tables[table].numbered = column
    for table, index, plain, column in ask(
        "table_name, index_name, non_unique, column_name",
        f"information_schema.statistics where {here} order by table_name, index_name, seq_in_index",
    ):
        add_index(tables[table], index, column, unique=plain == "0", primary=index == "PRIMARY")
    keys = "k.table_name, k.column_name, k.referenced_table_name, k.referenced_column_name, r.delete_rule"
    joined = "information_schema.key_column_usage k join information_schema.referential_constraints r on r.constraint_schema = k.table_schema and r.constraint_name = k.constraint_name and r.table_name = k.table_name where k.table_schema = database()"
    for table, column, parent, parent_column, rule in ask(keys, joined):
        tables[table].foreign_keys.append((column, parent, parent_column, rule))
    for table, following in ask(
        "table_name, auto_increment", f"information_schema.tables where {here} and auto_increment is not null"
    ):
        tables[table].highest = int(following) - 1
    return tables


def postgresql_tables(client: Client) -> dict[str, Table]:
    """Return the tables of a PostgreSQL database's schema public, by name."""

    def ask(columns: str, rest: str) -> list[list[str]]:
        return client.texts(
            f"select {', '.join(client.hex(column) for column in columns.split(', '))} from {rest}"
        )

    of_public = "pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public' and c.relkind = 'r'"
    tables = {row[0]: Table() for row in ask("c.relname", of_public)}
    attributes = f"{of_public} join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped join pg_type t on t.oid = a.atttypid left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum order by c.relname, a.attnum"
    whole = "case when t.typname in ('int2', 'int4', 'int8') then 'int' else 'text' end"
    columns = [
        whole,
        "format_type(a.atttypid, a.atttypmod)",
        "a.attnotnull",
        "pg_get_expr(d.adbin, d.adrelid)",
    ]
    asked = ", ".join(client.hex(column) for column in ("c.relname", "a.attname", *columns))
    for table, column, kind, *details in client.texts(f"select {asked} from {attributes}"):
        add_column(tables[table], column, kind, details)
        if details[-1].startswith("nextval("):
            tables[table].numbered = column
    numbered = f"{of_public} join pg_index i on i.indrelid = c.oid join pg_class x on x.oid = i.indexrelid cross join unnest(i.indkey) with ordinality k(attnum, place) join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum order by c.relname, x.relname, k.place"
    for table, index, unique, primary, column in ask(
        "c.relname, x.relname, i.indisunique, i.indisprimary, a.attname", numbered
    ):
        add_index(tables[table], index, column, unique=unique == "true", primary=primary == "true")
    keys = f"{of_public} join pg_constraint f on f.conrelid = c.oid and f.contype = 'f' join pg_class p on p.oid = f.confrelid join pg_attribute a on a.attrelid = c.oid and a.attnum = f.conkey[1] join pg_attribute b on b.attrelid = p.oid and b.attnum = f.confkey[1]"
    for table, column, parent, parent_column, rule in ask(
        "c.relname, a.attname, p.relname, b.attname, f.confdeltype", keys
    ):
        rules = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
        tables[table].foreign_keys.append((column, parent, parent_column, rules[rule]))
    for name, table in tables.items():
        if table.numbered:
            (row,) = client.texts(
                f"select {client.hex('pg_get_serial_sequence(' + literal(client.name(name)) + ', ' + literal(table.numbered) + ')')}"
            )
            ((value,),) = client.rows(
                f"select case when is_called then last_value else last_value - 1 end from {row[0]}"
            )
            table.highest = int(value or 0)
    return tables


def literal(text: str) -> str:
    """Return a text as PostgreSQL quotes it."""
    return "'" + text.replace("'", "''") + "'"


def add_column(table: Table, column: str, kind: str, details: list[str]) -> None:
    """Add one column with its engine's own words."""
    table.columns[column] = "INTEGER" if kind in WHOLE else "TEXT"
    table.details.append(" ".join([column, *(word for word in details if word)]))


def add_index(table: Table, index: str, column: str, *, unique: bool, primary: bool) -> None:
    """Add one column of an index, in the index's order."""
    if primary:
        table.key.append(column)
    else:
        table.indexes.setdefault(index, (unique, []))[1].append(column)


def quoted(name: str) -> str:
    """Return a name as SQLite quotes it."""
    return '"' + name.replace('"', '""') + '"'


def create(file: sqlite3.Connection, name: str, table: Table) -> None:
    """Make one table in the neutral file. *Changes* the file."""
    parts = []
    for column, kind in table.columns.items():
        own_number = column == table.numbered and table.key == [column]
        parts.append(f"{quoted(column)} {kind}" + (" primary key autoincrement" if own_number else ""))
    if table.key and table.key != [table.numbered]:
        parts.append(f"primary key ({', '.join(map(quoted, table.key))})")
    for column, parent, parent_column, rule in table.foreign_keys:
        refers = f"references {quoted(parent)} ({quoted(parent_column)}) on delete {rule}"
        parts.append(f"foreign key ({quoted(column)}) {refers}")
    file.execute(f"create table {quoted(name)} ({', '.join(parts)})")
    for index, (unique, columns) in table.indexes.items():
        kind = "unique index" if unique else "index"
        made = f"{quoted(f'{name}.{index}')} on {quoted(name)} ({', '.join(map(quoted, columns))})"
        file.execute(f"create {kind} {made}")
    file.executemany('insert into "~details" values (?, ?)', [(name, detail) for detail in table.details])


def fill(file: sqlite3.Connection, client: Client, name: str, table: Table) -> None:
    """Copy a table's rows into the neutral file. *Changes* the file."""
    numbers = [kind == "INTEGER" for kind in table.columns.values()]
    asked = [
        client.name(column) if number else client.hex(client.name(column))
        for column, number in zip(table.columns, numbers, strict=True)
    ]
    rows = (
        [value_of(value, number) for value, number in zip(row, numbers, strict=True)]
        for row in client.rows(f"select {', '.join(asked)} from {client.name(name)}")
    )
    marks = ", ".join("?" * len(numbers))
    file.executemany(f"insert into {quoted(name)} values ({marks})", rows)
    if table.numbered:
        file.execute("delete from sqlite_sequence where name = ?", (name,))
        file.execute("insert into sqlite_sequence values (?, ?)", (name, table.highest))


def value_of(value: str | None, number: bool) -> int | str | None:
    """Return a value as it stands in the neutral file."""
    if value is None:
        return None
    return int(value) if number else bytes.fromhex(value).decode()


def export(folder: Path, target: Path) -> None:
    """Copy the live database of the production below `folder` into the new file `target`. *Changes*: makes the file."""
    place = json.loads((folder / "production.json").read_text(encoding="utf-8"))["server"]
    client = Client(place)
    tables = postgresql_tables(client) if client.pg else mariadb_tables(client)
    with closing(sqlite3.connect(target)) as file, file:
        file.execute('create table "~details" (table_name text, detail text)')
        for name, table in tables.items():
            create(file, name, table)
        for name, table in tables.items():
            fill(file, client, name, table)


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
