"""The calls in PHP's expressions: of the file's own methods, of Laravel, of PHP's functions."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tree_sitter import Node

from bot.laravel.reading import words
from bot.laravel.reading.acts import UNKNOWN, Act, Check
from bot.laravel.reading.blueprint import call_on_blueprint, call_on_column
from bot.laravel.reading.facades import (
    CATALOG,
    Names,
    call_on_class,
    call_on_database,
    call_on_schema,
    new_object,
)
from bot.laravel.reading.queries import (
    call_on_query,
    checks_of_listing,
    chunk_act,
    close_chunk,
    load_if_whole,
    query_on,
)
from bot.laravel.reading.record import Record
from bot.laravel.reading.tree import descendants, field, line_of, named, short_name, text_of
from bot.laravel.reading.values import (
    NOTHING,
    Value,
    all_origins,
    data_of,
    either,
    flipped,
    table_word,
    word_of,
    words_of,
)

_SAME_ITEMS: Final = frozenset(
    {"collect", "array_values", "array_unique", "iterator_to_array", "array_reverse", "array_keys"}
)


class Calls(ABC):
    """Records what calls do, and finds what they give back."""

    def __init__(self, record: Record, names: Names, driver: str) -> None:
        self.record = record
        self.variables: dict[str, Value] = {}
        self._names = names
        self._driver = driver

    @abstractmethod
    def call_method(self, name: str, args: Sequence[Value], line: int = 0) -> Value:
        """Walk a method of the file that is called in that line."""

    @abstractmethod
    def has_method(self, name: str) -> bool:
        """Return True where the file declares that method."""

    @abstractmethod
    def call_function(self, function: Value, args: Sequence[Value]) -> Value:
        """Walk a closure."""

    @abstractmethod
    def constant(self, name: str) -> Value:
        """Return the value of a constant of the class."""

    @abstractmethod
    def assign(self, name: str, value: Value) -> None:
        """Give a variable its value."""

    @abstractmethod
    def set_attribute(self, target: Node, name: str, value: Value) -> None:
        """Have a model keep an attribute."""

    @abstractmethod
    def value(self, node: Node) -> Value:
        """Return the value of an expression."""

    def row_of(self, value: Value) -> Value:
        """Return one of the rows or items that a value holds."""
        if value.items is not None and value.query is None:
            return either([item for _, item in value.items]) if value.items else NOTHING
        if value.query is not None:
            state = "rows" if value.query.state == "groups" else "row"
            return replace(value, query=replace(value.query, state=state, loaded_line=0))
        return value

    def arguments(self, node: Node) -> list[Value]:
        """Return the values of a call's arguments, named ones in the order of the text."""
        found = field(node, "arguments") or next(
            (c for c in node.named_children if c.type == "arguments"), None
        )
        return [self.value(child) for child in named(found)] if found is not None else []

    def _line(self, node: Node) -> int:
        name = field(node, "name")
        return line_of(name if name is not None else node)

    def static_call(self, node: Node) -> Value:
        """Return what a call on a class gives back."""
        scope_node = field(node, "scope")
        scope, called = short_name(scope_node), text_of(field(node, "name"))
        if scope in ("self", "static", "parent") or (
            scope_node is not None and scope_node.type == "relative_scope"
        ):
            if _is_reference(node):
                return Value(method=called)
            return self.call_method(called, self.arguments(node), self._line(node))
        args = self.arguments(node)
        return self._on_facade(scope, called, args, self._line(node), scope_node)

    def _on_facade(
        self, scope: str, called: str, args: list[Value], line: int, scope_node: Node | None = None
    ) -> Value:
        if scope == "Schema":
            return self._schema(called, args, line)
        if scope == "DB":
            result = call_on_database(self.record, called, args, line, self._driver)
            return self._closures(args, [NOTHING], result)
        if scope_node is not None and scope_node.type in ("variable_name", "member_access_expression"):
            scope = self.value(scope_node).stands_for.removeprefix("class:").rpartition("\\")[2] or UNKNOWN
        if scope in ("Arr", "Collection", "LazyCollection"):
            return self._on_list(args[0] if args else NOTHING, called, args[1:])
        before = len(self.record.events)
        result = call_on_class(self.record, scope, called, args, line, self._names)
        query = query_on(self._names.table_of(scope), is_model=True)
        if called in words.CHUNKS | words.LAZIES and len(self.record.events) >= before:
            return self._chunks(query, called, args, line)
        if result is NOTHING:
            result = data_of(args)
        params = [query] if called in words.STARTS else [data_of(args)]
        return self._closures(args, params, result)

    def _schema(self, called: str, args: list[Value], line: int) -> Value:
        blueprint = Value(blueprint=table_word(args[0] if args else None))
        checks: frozenset[Check] = frozenset()
        if called.startswith("whenTable"):
            checks = _asked_when(called, args)
        with self.record.group(line), self.record.under(checks):
            result = call_on_schema(self.record, called, args, line, self._driver)
            self._closures(args, [blueprint], NOTHING)
        return result

    def member_call(self, node: Node) -> Value:
        """Return what a call on a value gives back."""
        target, called = field(node, "object"), text_of(field(node, "name"))
        if target is None:
            return NOTHING
        if text_of(target) == "$this" and self.has_method(called):
            if _is_reference(node):
                return Value(method=called)
            return self.call_method(called, self.arguments(node), self._line(node))
        held = self.value(target)
        args = self.arguments(node)
        line = self._line(node)
        if held.stands_for in ("Schema", "DB"):
            return self._on_facade(held.stands_for, called, args, line)
        if held.blueprint is not None:
            result = call_on_blueprint(self.record, held.blueprint, called, args, line)
            self._closures(args, [held], NOTHING)
            return result
        if held.column_event is not None:
            return call_on_column(self.record, held, called, args, line)
        if called in ("call", "callSilent") and held.stands_for == "this":
            self.record.add(Act.OUTSIDE, line, name=f"$this->{called}")
        return self._on_value(held, target, called, args, line)

    def _on_value(self, held: Value, target: Node, called: str, args: list[Value], line: int) -> Value:
        if held.stands_for == "catalog":
            return replace(CATALOG, stands_for="catalog")
        if held.function is not None or held.method:
            return self.call_function(held, args)
        query = held.query
        if query is not None:
            if query.state == "builder" and called in words.CHUNKS | words.LAZIES:
                return self._chunks(held, called, args, line)
            if query.state in ("rows", "lazy", "groups") or called not in (*words.WRITES, *words.DELETES):
                return self._on_rows(held, called, args, line)
            result = call_on_query(self.record, held, called, args, line)
            if called in ("fill", "forceFill"):
                return result
            self._closures(args, [replace(held, query=replace(query, state="row"))], NOTHING)
            return result
        if called in ("fill", "forceFill", "setAttribute"):
            return self._filled(held, target, called, args)
        if held.items is not None or held.listed or held.checks:
            return self._on_list(held, called, args)
        if held.stands_for.startswith("new:App\\") or held.stands_for.startswith("made:App\\"):
            self.record.add(Act.OUTSIDE, line, name=f"{held.stands_for.rpartition(chr(92))[2]}->{called}")
        if held.stands_for.startswith("new:") and called in words.SAVES:
            made = query_on(
                self._names.table_of(held.stands_for[4:].rpartition("\\")[2]), is_model=True, state="row"
            )
            return call_on_query(self.record, replace(made, pending=held.pending), called, args, line)
        if called in words.NO_DATA:
            return NOTHING
        return self._closures(args, [held], data_of([held, *args]))

    def _filled(self, held: Value, target: Node, called: str, args: list[Value]) -> Value:
        items = (args[0].items or ()) if args and called != "setAttribute" else ()
        if called == "setAttribute" and len(args) > 1:
            items = ((word_of(args[0]), args[1]),)
        for key, item in items:
            self.set_attribute(target, key, item)
        return replace(held, pending=(*held.pending, *items))

    def _on_rows(self, held: Value, called: str, args: list[Value], line: int) -> Value:
        """Call on a builder, or on rows that were read."""
        query = held.query
        if query is None:
            return NOTHING
        if called in ("fill", "forceFill", "setAttribute"):
            items = (args[0].items or ()) if args and called != "setAttribute" else ()
            return replace(held, pending=(*held.pending, *items))
        has_closure = any(arg.function is not None or arg.method for arg in args)
        if query.state == "builder":
            result = call_on_query(self.record, held, called, args, line)
            inner = query_on(UNKNOWN) if called in words.JOINS or called in words.OPAQUE_WHERES else held
            self._closures(args, [inner], NOTHING)
            return result
        if query.state in ("rows", "lazy", "groups") and called in words.ON_EACH:
            return self._each_row(held, called, args, has_closure=has_closure)
        return call_on_query(self.record, held, called, args, line)

    def _each_row(self, held: Value, called: str, args: list[Value], *, has_closure: bool) -> Value:
        query = held.query
        if query is None:
            return NOTHING
        if called in ("chunk", "groupBy", "chunkWhile", "partition") and not has_closure:
            return replace(held, query=replace(query, state="groups"))
        if called in ("tap", "pipe"):
            return self._closures(args, [held], held)
        if has_closure:
            load_if_whole(self.record, held)
        row = self.row_of(held)
        with self.record.loop():
            given = self._closures(args, [row, NOTHING], NOTHING)
        if query.chunk_event is not None:
            close_chunk(self.record, query.chunk_event)
        if called in ("map", "mapWithKeys", "flatMap", "transform", "reduce") and has_closure:
            mapped = Value(items=(("", given),), origins=all_origins(given))
            return replace(mapped, query=None)
        if called == "groupBy":
            return replace(held, query=replace(query, state="groups"))
        if called == "first":
            return row
        return held

    def _chunks(self, held: Value, called: str, args: list[Value], line: int) -> Value:
        query = held.query
        if query is None:
            return NOTHING
        place = chunk_act(self.record, query, called, line)
        if called in words.LAZIES:
            return replace(held, query=replace(query, state="lazy", chunk_event=place))
        state = "row" if called in ("each", "eachById", "chunkMap") else "rows"
        given = replace(held, query=replace(query, state=state, loaded_line=0))
        with self.record.loop():
            result = self._closures(args, [given, NOTHING], NOTHING)
        close_chunk(self.record, place)
        return result if called == "chunkMap" else NOTHING

    def _on_list(self, held: Value, called: str, args: list[Value]) -> Value:
        """Call on a list, a collection of fixed items, or a listing of what is there."""
        if held.listed:
            return Value(
                checks=checks_of_listing(held, [w for arg in args for w in words_of(arg)]), listed=held.listed
            )
        if called in ("isEmpty", "doesntContain", "missing"):
            return Value(checks=flipped(held.checks))
        if called in ("isNotEmpty", "contains", "count", "has", "exists", "first"):
            return Value(checks=held.checks, origins=held.origins)
        if called in ("filter", "reject", "where", "whereNotIn"):
            checks = self._filter_checks(held, args)
            return replace(held, checks=held.checks | (flipped(checks) if called == "reject" else checks))
        if called in ("each", "map", "flatMap", "mapWithKeys"):
            found = []
            for _, item in held.items or ():
                with self.record.under(held.checks):
                    found.append(self._closures(args, [item, NOTHING], NOTHING))
            return held if called == "each" else Value(items=tuple(("", one) for one in found))
        if called in ("diff", "intersect"):
            return self._difference([held, *args], is_there=called == "intersect")
        if held.items is not None and called == "chunk":
            return Value(items=(("", held),))
        self._closures(args, [held], NOTHING)
        return held

    def _filter_checks(self, held: Value, args: list[Value]) -> frozenset[Check]:
        found: frozenset[Check] = frozenset()
        for _, item in held.items or ():
            found |= self._closures(args, [item, NOTHING], NOTHING).checks
        return found

    def _difference(self, args: list[Value], *, is_there: bool) -> Value:
        listed = next((arg for arg in args[1:] if arg.listed), NOTHING)
        names = words_of(args[0]) if args else []
        checks = checks_of_listing(listed, names)
        items = args[0].items if args else None
        return Value(items=items, checks=checks if is_there else flipped(checks))

    def _closures(self, args: Sequence[Value], params: Sequence[Value], result: Value) -> Value:
        """Walk the closures among a call's arguments; return their value where the call itself has none."""
        found = [self.call_function(arg, params) for arg in args if arg.function is not None or arg.method]
        return result if result is not NOTHING or not found else either(found)

    def function_call(self, node: Node) -> Value:
        """Return what a function gives back."""
        function = field(node, "function")
        name = text_of(function).lstrip("\\")
        line = line_of(node)
        if function is not None and function.type not in ("name", "qualified_name"):
            return self.call_function(self.value(function), self.arguments(node))
        if self.has_method(name):
            return self.call_method(name, self.arguments(node), line)
        args = self.arguments(node)
        if name in words.OUTSIDE_FUNCTIONS:
            self.record.add(Act.OUTSIDE, line, name=name)
        elif name in words.ENDS_PHP:
            self.record.add(Act.EXIT, line, name=name)
        return self._known_function(name, args)

    def _known_function(self, name: str, args: list[Value]) -> Value:
        """Return what a function of PHP or a helper of Laravel gives back."""
        first = args[0] if args else NOTHING
        if name == "in_array":
            return _in_array(args)
        if name in ("empty", "is_null"):
            return Value(checks=flipped(first.checks))
        if name in ("app", "resolve"):
            scope = first.stands_for.removeprefix("class:")
            full = self._names.imports.get(scope, scope)
            return Value(stands_for={"db": "DB", "db.schema": "Schema"}.get(word_of(first), f"made:{full}"))
        if name in words.ANSWERS_ONLY:
            return Value(checks=frozenset().union(*(arg.checks for arg in args)))
        found = self._list_function(name, args, first)
        if found is None:
            found = _text_function(name, args, first)
        if found is not None:
            return found
        if name == "tap":
            return self._closures(args[1:], [first], first)
        return self._closures(args, [self.row_of(first)], data_of(args) if args else NOTHING)

    def _list_function(self, name: str, args: list[Value], first: Value) -> Value | None:
        if name in ("array_diff", "array_intersect"):
            return self._difference(args, is_there=name == "array_intersect")
        if name == "array_filter":
            return replace(first, checks=first.checks | self._filter_checks(first, args[1:]))
        if name == "array_map":
            return self._on_mapped(args)
        if name in _SAME_ITEMS:
            return first
        if name == "array_merge":
            return Value(items=tuple(item for arg in args for item in (arg.items or (("", arg),))))
        if name == "array_chunk":
            return Value(items=(("", first),))
        if name == "compact":
            names = words_of(Value(items=tuple(("", arg) for arg in args)))
            return Value(items=tuple((one, self.variables.get(f"${one}", NOTHING)) for one in names))
        return None

    def _on_mapped(self, args: list[Value]) -> Value:
        over = args[1] if len(args) > 1 else NOTHING
        if over.query is not None:
            load_if_whole(self.record, over)
            with self.record.loop():
                return Value(items=(("", self._closures(args[:1], [self.row_of(over)], NOTHING)),))
        return self._on_list(over, "map", args[:1])

    def new(self, node: Node) -> Value:
        """Return what `new` makes."""
        inner = [child for child in node.named_children if child.type not in ("arguments", "comment")]
        holder = inner[0] if inner else None
        if holder is not None and holder.type == "anonymous_class":
            table = next(
                (
                    text_of(one).split("'")[1] if "'" in text_of(one) else UNKNOWN
                    for one in descendants(holder)
                    if one.type == "property_element" and text_of(one).startswith("$table")
                ),
                UNKNOWN,
            )
            return query_on(table, is_model=True, state="row")
        full = text_of(holder).lstrip("\\")
        if full.startswith("App\\Models\\"):
            names = replace(self._names, imports={**self._names.imports, short_name(holder): full})
            return new_object(self.record, short_name(holder), self.arguments(node), line_of(node), names)
        return new_object(self.record, short_name(holder), self.arguments(node), line_of(node), self._names)


def _is_reference(node: Node) -> bool:
    """Return True for `method(...)`, which calls nothing yet."""
    arguments = field(node, "arguments")
    return arguments is not None and any(c.type == "variadic_placeholder" for c in arguments.named_children)


def _in_array(args: list[Value]) -> Value:
    if len(args) < 2:
        return NOTHING
    if args[1].listed:
        return Value(checks=checks_of_listing(args[1], words_of(args[0])))
    items = args[1].items
    if args[0].is_text and items is not None and all(item.is_text for _, item in items):
        return Value(truth=args[0].text in words_of(args[1]))
    return Value(checks=args[1].checks)


def _asked_when(called: str, args: list[Value]) -> frozenset[Check]:
    """Return the question that `whenTableHasColumn` and its like ask before they call their closure."""
    table = table_word(args[0] if args else None)
    if "Index" in called:
        return CATALOG.checks
    column = word_of(args[1]) if len(args) > 1 else ""
    return frozenset({Check(table=table, column=column or UNKNOWN, is_there="Doesnt" not in called)})


def _text_function(name: str, args: list[Value], first: Value) -> Value | None:
    if name == "sprintf":
        return _formatted(args)
    if name in ("implode", "join") and len(args) > 1:
        joined = (first.text or ", ").join(words_of(args[1])) if args[1].items else UNKNOWN
        return Value(text=joined, origins=all_origins(args[1]))
    if name in ("trim", "strtolower", "strtoupper", "str", "strval") and first.text is not None:
        return replace(first, is_text=False)
    return None


def _formatted(args: list[Value]) -> Value:
    texts = iter([arg.text if arg.text is not None else UNKNOWN for arg in args[1:]])
    text = (
        re.sub(r"%(?:\d+\$)?[-+0-9.]*[a-zA-Z]", lambda _: next(texts, UNKNOWN), args[0].text or "")
        if args
        else ""
    )
    return Value(text=text, origins=frozenset().union(*(all_origins(arg) for arg in args[1:])))
