"""The calls on Laravel's facades (Schema, DB, …) and on classes, as acts and as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bot.laravel.reading import words
from bot.laravel.reading.acts import EVERY_COLUMN, UNKNOWN, Act, Check, Origin
from bot.laravel.reading.queries import call_on_query, query_on
from bot.laravel.reading.record import Record
from bot.laravel.reading.sql import asks_catalog, sql_reads
from bot.laravel.reading.values import NOTHING, Query, Value, plural, table_word, word_of, words_of

CATALOG = Value(checks=frozenset({Check(table=UNKNOWN, is_any=True)}))


@dataclass(frozen=True, kw_only=True)
class Names:
    """What a file's own declarations tell: the full names of imported classes, and tables of models written in it."""

    imports: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    own: frozenset[str] = frozenset()

    def table_of(self, model: str) -> str:
        """Return the table of a model: its own where the file tells it, else by Laravel's convention."""
        return self.models.get(model) or plural(model)


def call_on_schema(record: Record, called: str, args: list[Value], line: int, driver: str) -> Value:
    """Record what a call on the schema builder does. Blueprint closures are the caller's to walk."""
    first = args[0] if args else NOTHING
    table = table_word(first)
    if called == "connection" and args:
        record.add(Act.OTHER_CONNECTION, line, name=word_of(first))
        return Value(stands_for="Schema")
    if called == "create":
        record.add(Act.CREATE_TABLE, line, table=table)
    elif called in words.SCHEMA_DROPS:
        checks = CATALOG.checks if called == "dropIfExists" else frozenset()
        record.add(Act.DROP_TABLE, line, table=table, checks=checks)
    elif called == "rename":
        record.add(Act.RENAME_TABLE, line, table=table, to=table_word(args[1]) if len(args) > 1 else UNKNOWN)
    elif called == "dropColumns":
        for name in [word for arg in args[1:] for word in words_of(arg)] or [""]:
            record.add(Act.DROP_COLUMN, line, table=table, name="" if UNKNOWN in name else name)
    elif called in words.KEYS_OFF:
        record.add(Act.KEYS_OFF, line)
    elif called in words.WIPES:
        record.add(Act.WIPE, line, name=f"Schema::{called}")
    elif called == "getConnection":
        return Value(stands_for="DB")
    else:
        return _schema_question(called, args, table, driver, line)
    return NOTHING


def _schema_question(called: str, args: list[Value], table: str, driver: str, line: int) -> Value:
    if called in ("hasTable", "hasView"):
        return Value(checks=frozenset({Check(table=table, line=line)}))
    if called in ("hasColumn", "hasColumns"):
        names = words_of(args[1]) if len(args) > 1 else []
        known = [name if UNKNOWN not in name else UNKNOWN for name in names] or [UNKNOWN]
        return Value(checks=frozenset(Check(table=table, column=name, line=line) for name in known))
    if called in ("getColumnListing", "getColumns"):
        return Value(listed=table)
    if called in ("getTables", "getTableListing", "getAllTables"):
        return Value(listed="tables")
    if called in ("hasIndex", "getIndexes", "getForeignKeys", "getColumnType", "getIndexListing"):
        return CATALOG
    if called == "getDriverName":
        return Value(text=driver, is_text=True)
    return NOTHING


def call_on_database(record: Record, called: str, args: list[Value], line: int, driver: str) -> Value:
    """Record what a call on the DB facade or a connection does."""
    first = args[0] if args else NOTHING
    if called == "connection":
        if args and first.text != "null":
            record.add(Act.OTHER_CONNECTION, line, name=word_of(first))
        return Value(stands_for="DB")
    if called in ("getDriverName", "getDriverTitle"):
        return Value(text=driver, is_text=True)
    if called == "getAttribute" or (called == "getConfig" and first.text == "driver"):
        return Value(text=driver, is_text=True)
    if called == "getSchemaBuilder":
        return Value(stands_for="Schema")
    if called in ("getPdo", "getDoctrineSchemaManager", "getDoctrineConnection"):
        return Value(stands_for="DB" if called == "getPdo" else "catalog")
    if called in ("raw", "expr"):
        text = first.text or ""
        return Value(text=text, stands_for="raw", origins=sql_reads(text) | first.origins)
    if called == "table":
        text = word_of(first)
        parts = text.replace(" AS ", " as ").split(" as ")
        return query_on(table_word(first), alias=parts[1].strip() if len(parts) > 1 else "")
    if called in words.RAW_CALLS or (called == "exec" and args):
        record.add_sql(first.text or "", line, called, first.origins)
        return NOTHING
    if called in words.RAW_QUESTIONS:
        return _asked(first.text or "", called, line)
    return NOTHING


def _asked(sql: str, called: str, line: int) -> Value:
    if asks_catalog(sql):
        return CATALOG
    origins = sql_reads(sql)
    lower = f" {sql.lower()} "
    tables = [
        after.split()[0].strip("`\"'(),;")
        for after in lower.replace("\n", " ").split(" from ")[1:]
        if after.split()
    ]
    table = tables[0] if tables else UNKNOWN
    query = Query(
        table=table,
        tables=frozenset(tables) or frozenset({UNKNOWN}),
        state="rows" if called == "select" else "lazy" if called == "cursor" else "row",
        where=frozenset({UNKNOWN}) if " where " in lower.replace("\n", " ") else None,
        is_bounded=" limit " in lower.replace("\n", " "),
        is_grouped=" group by " in lower.replace("\n", " ") or " distinct " in lower or "count(" in lower,
        loaded_line=line,
    )
    rows = frozenset(Origin(table=name, column=EVERY_COLUMN) for name in query.tables)
    return Value(query=query, origins=rows | origins)


def call_on_class(
    record: Record, scope: str, called: str, args: list[Value], line: int, names: Names
) -> Value:
    """Record what a static call on any other class does; a model is known by what is called on it."""
    if scope in words.OUTSIDE_CLASSES or called in ("dispatch", "dispatchSync", "dispatchNow"):
        command = word_of(args[0]) if args else ""
        if scope == "Artisan" and command.split(" ")[0] in words.WIPING_COMMANDS:
            record.add(Act.WIPE, line, name=f"artisan {command}")
        else:
            record.add(Act.OUTSIDE, line, name=f"{scope}::{called}")
        return NOTHING
    full = names.imports.get(scope, scope)
    is_known = scope in words.KNOWN_CLASSES or scope in names.own
    if scope in names.models or (not is_known and scope[:1].isupper() and called in words.STARTS):
        if scope not in names.models and not full.startswith("Illuminate\\"):
            record.add(Act.MODEL, line, name=scope)
        model = query_on(names.table_of(scope), is_model=True)
        return call_on_query(record, model, called, args, line)
    if full.startswith("App\\") and not is_known:
        record.add(Act.OUTSIDE, line, name=f"{scope}::{called}")
    return NOTHING


def new_object(record: Record, scope: str, args: list[Value], line: int, names: Names) -> Value:
    """Return what `new X` makes: a row of its table where X is a model."""
    full = names.imports.get(scope, scope)
    is_model = scope in names.models or full.startswith("App\\Models\\")
    if not is_model:
        return Value(stands_for=f"new:{full}", pending=(args[0].items or ()) if args else ())
    if scope not in names.models:
        record.add(Act.MODEL, line, name=scope)
    made = query_on(names.table_of(scope), is_model=True, state="row")
    return replace(made, origins=frozenset(), pending=(args[0].items or ()) if args else ())
