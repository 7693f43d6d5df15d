"""What a migration's source does, act by act, read from its syntax tree and never run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from tree_sitter import Node

from bot.laravel.reading.acts import Event, MigrationSource
from bot.laravel.reading.facades import Names
from bot.laravel.reading.tree import (
    FUNCTIONS,
    descendants,
    field,
    first_error,
    line_of,
    named,
    parse_php,
    short_name,
    text_of,
)
from bot.laravel.reading.walk import Walk

_CLASSES: Final = frozenset({"class_declaration", "anonymous_class", "object_creation_expression"})
_TABLE: Final = re.compile(r"\$table\s*=\s*['\"](\w+)['\"]")


def read_migration(source: str, driver: str = "") -> MigrationSource:
    """Return the acts of a migration's `up` and `down`, methods of its own called by them included.

    Branches that ask for another `driver` than this one are left out.
    """
    root = parse_php(source)
    classes = [node for node in descendants(root) if _body(node) is not None and node.type in _CLASSES]
    migration = _migration_class(classes)
    methods = _methods(root, migration)
    broken = first_error(root)
    body = _body(migration) if migration is not None else None
    names = Names(
        imports=dict(_imports(root)),
        models=_models(classes, migration),
        own=frozenset(short_name(field(node, "name")) for node in classes if node.type == "class_declaration")
        - set(_models(classes, migration)),
    )
    constants = dict(_constants(root, migration))
    up, down = methods.get("up"), methods.get("down")
    return MigrationSource(
        up=_events("up", methods, constants, names, driver),
        down=_events("down", methods, constants, names, driver),
        up_line=_place(up),
        down_line=_place(down),
        down_is_empty=down is None or not _says_something(down),
        own_connection_line=_property_line(body, "$connection"),
        error_line=None if broken is None else line_of(broken),
        is_in_transaction=_property_line(body, "$withinTransaction", "false") is None,
    )


def _events(
    name: str, methods: Mapping[str, Node], constants: Mapping[str, Node], names: Names, driver: str
) -> tuple[Event, ...] | None:
    if name not in methods:
        return None
    walk = Walk(methods, constants, names, driver)
    walk.run(name)
    return tuple(walk.record.events)


def _place(method: Node | None) -> int:
    if method is None:
        return 1
    name = field(method, "name")
    return line_of(name if name is not None else method)


def _body(node: Node) -> Node | None:
    return next((child for child in node.children if child.type == "declaration_list"), None)


def _migration_class(classes: list[Node]) -> Node | None:
    """Return the class that extends Migration, else the first with an `up`."""
    for node in classes:
        base = next((child for child in node.children if child.type == "base_clause"), None)
        if base is not None and short_name(named(base)[0]).endswith("Migration"):
            return node
    return next((node for node in classes if "up" in dict(_methods_of(node))), None)


def _methods_of(node: Node) -> Iterator[tuple[str, Node]]:
    body = _body(node)
    for child in named(body) if body is not None else []:
        if child.type == "method_declaration":
            yield text_of(field(child, "name")), child


def _methods(root: Node, migration: Node | None) -> dict[str, Node]:
    """Return the migration's methods, those of traits in its file, and the file's functions, by name."""
    found = {
        text_of(field(node, "name")): node for node in descendants(root) if node.type == "function_definition"
    }
    for node in descendants(root):
        if node.type == "trait_declaration":
            found |= dict(_methods_of(node))
    return found | (dict(_methods_of(migration)) if migration is not None else {})


def _constants(root: Node, migration: Node | None) -> Iterator[tuple[str, Node]]:
    """Yield the values of constants and of properties' defaults by name; other classes' as `Class::NAME`."""
    for node in descendants(root):
        if node.type in ("const_element", "property_element", "enum_case"):
            parts = named(node)
            if len(parts) < 2:
                continue
            owner = _owner(node)
            name = text_of(parts[0]).lstrip("$")
            if owner is None or owner == migration:
                yield name, parts[-1]
            else:
                yield f"{text_of(field(owner, 'name'))}::{name}", parts[-1]


def _owner(node: Node) -> Node | None:
    current = node.parent
    while current is not None and _body(current) is None:
        current = current.parent
    return current


def _imports(root: Node) -> Iterator[tuple[str, str]]:
    for node in descendants(root):
        if node.type == "namespace_use_clause":
            parts = named(node)
            full = text_of(parts[0]).lstrip("\\")
            prefix = _group_prefix(node)
            yield text_of(parts[-1]).rpartition("\\")[2], f"{prefix}{full}"


def _group_prefix(node: Node) -> str:
    group = node.parent
    if group is None or group.type != "namespace_use_group" or group.parent is None:
        return ""
    return text_of(named(group.parent)[0]).strip("\\") + "\\"


def _models(classes: list[Node], migration: Node | None) -> dict[str, str]:
    """Return the tables of the models that the file declares for itself."""
    found = {}
    for node in classes:
        body = _body(node)
        table = _TABLE.search(text_of(body)) if body is not None and node != migration else None
        if table is not None and node.type == "class_declaration":
            found[text_of(field(node, "name"))] = table.group(1)
    return found


def _property_line(body: Node | None, name: str, value: str | None = None) -> int | None:
    for member in named(body) if body is not None else []:
        for element in named(member) if member.type == "property_declaration" else []:
            parts = named(element)
            is_named = element.type == "property_element" and text_of(parts[0]) == name
            if is_named and (value is None or text_of(parts[-1]).lower() == value):
                return line_of(element)
    return None


def _says_something(method: Node) -> bool:
    """Return True where a method has a statement other than a bare return or a note in the log."""
    body = field(method, "body")
    statements = named(body) if body is not None else []
    return any(not _is_idle(statement) for statement in statements)


def _is_idle(statement: Node) -> bool:
    if statement.type == "return_statement":
        return not named(statement)
    if statement.type == "empty_statement":
        return True
    calls = [node for node in descendants(statement) if node.type == "scoped_call_expression"]
    return (
        statement.type == "expression_statement"
        and bool(calls)
        and all(short_name(field(call, "scope")) == "Log" for call in calls)
        and not any(node.type in FUNCTIONS for node in descendants(statement))
    )
