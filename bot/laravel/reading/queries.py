"""The calls on query builders, models and the rows they gave, as acts and as values."""

from __future__ import annotations

import re
from dataclasses import replace

from bot.laravel.reading import words
from bot.laravel.reading.acts import UNKNOWN, Act, Check, Event
from bot.laravel.reading.record import Record
from bot.laravel.reading.sql import sql_reads
from bot.laravel.reading.values import (
    NOTHING,
    Query,
    Value,
    all_origins,
    data_of,
    keys_of,
    table_word,
    word_of,
    words_of,
)

_ALIAS = re.compile(r"\bas\s+[`\"]?(\w+)", re.IGNORECASE)


def query_on(table: str, *, is_model: bool = False, alias: str = "", state: str = "builder") -> Value:
    """Return a query on a whole table, or one row of it."""
    query = Query(
        table=table,
        tables=frozenset({table}),
        is_model=is_model,
        state=state,
        names=((alias, table),) if alias else (),
    )
    return Value(query=query, origins=query.origins)


def call_on_query(record: Record, value: Value, called: str, args: list[Value], line: int) -> Value:
    """Record what a call on a query or on rows does, and return its result. Closures are the caller's to walk."""
    query = value.query
    if query is None:
        return NOTHING
    first = args[0] if args else NOTHING
    if called in words.NO_DATA:
        return NOTHING
    if query.state == "builder" or (query.is_model and query.state == "row"):
        if called in words.WRITES:
            return _write(record, value, query, called, args, line)
        if called in words.DELETES:
            where = query.where if query.state == "builder" else frozenset({"id"})
            record.add(Act.DELETE, line, table=query.table, name=called, where=where)
            return NOTHING
    if query.state == "builder":
        return _builder_call(record, query, value, called, args, first, line)
    if called in words.ONE_ROW:
        return _with_query(value, replace(query, state="row"))
    if called in ("pluck", "value", "get") and word_of(first):
        return replace(value, query=None, origins=query.column(word_of(first)))
    if query.state == "row" and query.is_model:
        return query_on(UNKNOWN, is_model=True)
    return value


def _builder_call(
    record: Record, query: Query, value: Value, called: str, args: list[Value], first: Value, line: int
) -> Value:
    if called in words.WHERES:
        return _with_query(
            value, replace(query, where=(query.where or frozenset()) | _where_names(called, args))
        )
    if called in words.ORDERS:
        return _with_query(value, replace(query, is_ordered=True))
    if called in words.BOUNDS:
        return _with_query(value, replace(query, is_bounded=True))
    if called in words.GROUPS:
        return _with_query(value, replace(query, is_grouped=True))
    if called in words.JOINS or called == "from":
        return _joined(query, first, is_from=called == "from")
    if called in words.SELECTS:
        return _selected(query, called, args)
    if called in words.LOADS:
        return _loaded(record, query, called, args, line)
    if called in ("value", "soleValue"):
        return Value(origins=query.column(word_of(first)) if word_of(first) else query.origins)
    if called in words.ONE_ROW:
        return _with_query(
            _selected(query, "select", args[-1:]), replace(query, state="row", is_bounded=True)
        )
    if called in words.LAZIES:
        return _with_query(value, replace(query, state="lazy"))
    return value


def _with_query(value: Value, query: Query) -> Value:
    return replace(value, query=query, origins=query.origins)


def _where_names(called: str, args: list[Value]) -> frozenset[str]:
    if called in words.OPAQUE_WHERES or not args:
        return frozenset({UNKNOWN})
    first = args[0]
    if first.items is not None:
        return keys_of(first) | frozenset(
            word_of(item.items[0][1]) for key, item in first.items if not key and item.items
        )
    if called in ("whereKey", "whereKeyNot"):
        return frozenset({"id"})
    return frozenset({word_of(first).rpartition(".")[2] or UNKNOWN})


def _joined(query: Query, first: Value, *, is_from: bool) -> Value:
    text = word_of(first)
    table = table_word(first)
    alias = re.split(r"\s+as\s+", text, flags=re.IGNORECASE)
    names = (*query.names, (alias[1].strip(), table)) if len(alias) > 1 else query.names
    changed = replace(
        query,
        table=table if is_from else query.table,
        tables=frozenset({table}) if is_from else query.tables | {table},
        names=names,
    )
    return Value(query=changed, origins=changed.origins)


def _selected(query: Query, called: str, args: list[Value]) -> Value:
    aliases, selected = dict(query.aliases), set(query.selected or ())
    for arg in args:
        for item in [one for _, one in arg.items] if arg.items is not None else [arg]:
            text = item.text or ""
            if item.stands_for == "raw" or called in ("selectRaw", "selectSub"):
                origins = item.origins or sql_reads(text)
                for found in _ALIAS.findall(text):
                    aliases[found] = origins
            elif word_of(item):
                parts = re.split(r"\s+as\s+", text, flags=re.IGNORECASE)
                origins = query.column(parts[0].strip())
                aliases[parts[-1].strip().rpartition(".")[2]] = origins
            else:
                origins = all_origins(item)
            selected |= origins
    changed = replace(query, aliases=tuple(aliases.items()), selected=frozenset(selected) or None)
    return Value(query=changed, origins=changed.origins)


def _loaded(record: Record, query: Query, called: str, args: list[Value], line: int) -> Value:
    record.add(Act.READ, line, table=query.table, name=called)
    if called == "pluck":
        origins = frozenset(one for arg in args for word in words_of(arg) for one in query.column(word))
        plucked = replace(query, state="rows", loaded_line=line)
        return Value(query=plucked, origins=origins, stands_for="plucked")
    chosen = _selected(query, "select", args) if args else Value(query=query, origins=query.origins)
    loaded = replace(chosen.query or query, state="rows", loaded_line=line)
    return Value(query=loaded, origins=loaded.origins)


def _write(record: Record, value: Value, query: Query, called: str, args: list[Value], line: int) -> Value:
    data = [*args]
    if called in ("updateOrInsert", "updateOrCreate", "firstOrCreate", "createOrFirst"):
        columns = frozenset().union(*(keys_of(arg) for arg in args[:2]))
    elif called in words.SAVES:
        data += [item for _, item in value.pending]
        columns = frozenset(key for key, _ in value.pending)
    elif called in ("insertUsing", "insertOrIgnoreUsing") or called in ("increment", "decrement"):
        columns = frozenset(words_of(args[0])) if args else frozenset()
    else:
        columns = keys_of(args[0]) if args else frozenset()
    for arg in args:
        load_if_whole(record, arg)
    where: frozenset[str] | None = frozenset({"id"})
    if query.state == "builder" and (called in words.UPDATES):
        where = query.where
    elif called in ("insertUsing", "insertOrIgnoreUsing") and len(args) > 1 and args[1].query is not None:
        where = args[1].query.where
    reads = frozenset().union(*(all_origins(item) for item in data)) if data else frozenset()
    record.add(
        Act.WRITE,
        line,
        table=query.table,
        name=called,
        columns=columns,
        reads=reads,
        where=where,
        traits=_write_traits(called, args),
    )
    made = replace(query, state="row")
    return Value(query=made, origins=data_of(data).origins) if query.is_model else NOTHING


def _write_traits(called: str, args: list[Value]) -> frozenset[str]:
    if called in words.UPDATES:
        items = args[0].items if args else None
        constant = bool(items) and all(item.text is not None and not item.origins for _, item in items or ())
        return frozenset({"update", "constant"} if constant else {"update"})
    if called in ("insertUsing", "insertOrIgnoreUsing"):
        return frozenset({"insert select"})
    return frozenset()


def load_if_whole(record: Record, value: Value) -> None:
    """Record that rows of a query were all loaded into memory, where a value holds them and they are gone through."""
    query = value.query
    if query is None or query.state != "rows" or not query.loaded_line:
        return
    is_few = query.is_bounded or query.is_grouped or (query.where is not None and query.where <= {"id"})
    if is_few or (record.loops and query.where is not None):
        return
    if any(one.act is Act.LOAD and one.line == query.loaded_line for one in record.events):
        return
    record.add(Act.LOAD, query.loaded_line, table=query.table, where=query.where, is_bounded=query.is_bounded)


def chunk_act(record: Record, query: Query, called: str, line: int) -> int:
    """Record a walk over rows in chunks, and return its place."""
    traits = {"ordered"} if query.is_ordered or query.is_model else set()
    return record.add(
        Act.CHUNK, line, table=query.table, name=called, where=query.where, traits=frozenset(traits)
    )


def close_chunk(record: Record, place: int) -> None:
    """Mark a walk whose own loop changes the rows that it has still to find: pages by offset skip some then."""
    walk = record.events[place]
    if walk.name not in words.LOSES_PLACE:
        return
    for event in record.events[place + 1 :]:
        same = event.table == walk.table or (event.table == UNKNOWN and event.name in words.SAVES)
        if same and _moves(event, walk):
            record.add_trait(place, "skips")


def _moves(event: Event, walk: Event) -> bool:
    if event.act is Act.DELETE:
        return True
    picked = walk.where or frozenset()
    return event.act is Act.WRITE and bool(event.columns & picked)


def checks_of_listing(value: Value, names: list[str]) -> frozenset[Check]:
    """Return the questions that looking for names in a listing of columns or tables asks."""
    if not value.listed:
        return frozenset(value.checks)
    if value.listed == "tables":
        return frozenset(Check(table=name) for name in names)
    return frozenset(Check(table=value.listed, column=name) for name in names)
