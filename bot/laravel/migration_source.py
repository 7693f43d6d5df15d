"""What a migration's source does, statement by statement, read from its syntax tree and never run."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import tree_sitter_php
from tree_sitter import Language, Node, Parser


class Act(enum.Enum):
    """What one call in a migration does."""

    CREATE_TABLE = "creates a table"
    DROP_TABLE = "drops a table"
    RENAME_TABLE = "renames a table"
    ADD_COLUMN = "adds a column"
    DROP_COLUMN = "drops a column"
    RENAME_COLUMN = "renames a column"
    CHANGE_COLUMN = "changes a column"
    WRITE = "writes rows"
    DELETE = "deletes rows"
    RAW_SQL = "runs raw SQL"
    MODEL = "uses a model"
    OUTSIDE = "acts outside the database"
    OTHER_CONNECTION = "uses another connection"
    KEYS_OFF = "switches foreign keys off"
    THROW = "throws"


@dataclass(frozen=True, kw_only=True)
class Event:
    """One act, in the order in which the code would run.

    `name` is the column, model or function; `table` and `name` are '' where the code computes them. `is_guarded` tells
    that a `hasTable` or `hasColumn` check decides on it. `text` is the statement around a write, to search names in.
    """

    act: Act
    line: int
    table: str = ""
    name: str = ""
    is_guarded: bool = False
    is_native_sql: bool = False
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class MigrationSource:
    """The acts of `up` and `down`; None where the method is missing. `error_line` is where PHP's syntax breaks."""

    up: tuple[Event, ...] | None
    down: tuple[Event, ...] | None
    up_line: int
    down_line: int
    down_is_empty: bool
    own_connection_line: int | None
    error_line: int | None


_SCHEMA_ACTS: Final = {
    "create": Act.CREATE_TABLE,
    "drop": Act.DROP_TABLE,
    "dropIfExists": Act.DROP_TABLE,
    "rename": Act.RENAME_TABLE,
    "dropColumns": Act.DROP_COLUMN,
    "disableForeignKeyConstraints": Act.KEYS_OFF,
    "withoutForeignKeyConstraints": Act.KEYS_OFF,
}
_BLUEPRINT_ACTS: Final = {
    "dropColumn": Act.DROP_COLUMN,
    "dropConstrainedForeignId": Act.DROP_COLUMN,
    "renameColumn": Act.RENAME_COLUMN,
    "change": Act.CHANGE_COLUMN,
}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BLUEPRINT_NO_COLUMN: Final = _names(
    "index unique primary foreign fullText spatialIndex rawIndex dropIndex dropUnique dropPrimary dropForeign dropTimestamps "
    "dropSoftDeletes dropRememberToken dropMorphs renameIndex engine charset collation comment temporary"
)
_WRITES: Final = _names(
    "insert insertGetId insertOrIgnore insertUsing update updateOrInsert upsert increment decrement save saveQuietly "
    "create updateOrCreate firstOrCreate forceCreate attach sync associate fill"
)
_DELETES: Final = frozenset({"delete", "truncate", "forceDelete", "destroy", "detach"})
_RAW_CALLS: Final = frozenset({"statement", "unprepared", "update", "insert", "delete", "affectingStatement"})
_OUTSIDE_CLASSES: Final = _names(
    "Storage File Http Mail Notification Queue Bus Event Artisan Redis Cache Process Broadcast"
)
_OUTSIDE_FUNCTIONS: Final = _names(
    "unlink rename copy file_put_contents mkdir rmdir exec shell_exec system passthru proc_open mail dispatch event "
    "broadcast curl_exec move_uploaded_file"
)
_NO_MODELS: Final = frozenset(
    {"Schema", "DB", "Str", "Arr", "Carbon", "Log", "Config", "self", "static", "parent", "App", "Hash"}
)
_RAW_DROP_COLUMN: Final = re.compile(
    r"\balter\s+table\s+[`\"]?(\w+)[`\"]?\s+drop\s+(?:column\s+)?[`\"]?(\w+)", re.IGNORECASE
)
_RAW_DROP_TABLE: Final = re.compile(r"\bdrop\s+table\s+(?:if\s+exists\s+)?[`\"]?(\w+)", re.IGNORECASE)
_RAW_ADD_COLUMN: Final = re.compile(
    r"\balter\s+table\s+[`\"]?(\w+)[`\"]?\s+add\s+(?:column\s+)?[`\"]?(\w+)", re.IGNORECASE
)
_RAW_WRITE: Final = re.compile(
    r"\b(?:insert\s+into|replace\s+into|update\s+[`\"\w.]+\s+(?:\w+\s+)?(?:join|set))\b", re.IGNORECASE
)
_RAW_DELETE: Final = re.compile(r"\b(?:delete\s+from|truncate)\b", re.IGNORECASE)
_RAW_KEYS_OFF: Final = re.compile(r"foreign_key(?:s|_checks)\s*=\s*(?:0|off)", re.IGNORECASE)


def read_migration(source: str) -> MigrationSource:
    """Return the acts of a migration's `up` and `down`, methods of its own called by them included."""
    root = Parser(Language(tree_sitter_php.language_php())).parse(source.encode()).root_node
    methods = {
        _text(name): node
        for node in _descendants(root)
        if node.type == "method_declaration" and (name := node.child_by_field_name("name")) is not None
    }
    down = methods.get("down")
    return MigrationSource(
        up=_events(methods, "up"),
        down=_events(methods, "down"),
        up_line=_line(methods["up"]) if "up" in methods else 1,
        down_line=_line(down) if down is not None else 1,
        down_is_empty=down is None or not _statements(down),
        own_connection_line=_own_connection_line(root),
        error_line=next(
            (_line(node) for node in _descendants(root) if node.type == "ERROR" or node.is_missing), None
        ),
    )


def _events(methods: Mapping[str, Node], name: str) -> tuple[Event, ...] | None:
    if name not in methods:
        return None
    return tuple(_Walk(methods).method(name, seen=frozenset()))


class _Walk:
    """Walks a method in the order of its text, and into the class's own methods where it calls them."""

    def __init__(self, methods: Mapping[str, Node]) -> None:
        self._methods: Final = methods

    def method(self, name: str, *, seen: frozenset[str]) -> Iterator[Event]:
        body = self._methods[name].child_by_field_name("body")
        if body is not None and name not in seen:
            yield from self._node(body, "", seen | {name})

    def _node(self, node: Node, table: str, seen: frozenset[str]) -> Iterator[Event]:
        """Yield the acts below a node; `table` is the one whose blueprint is being written."""
        yield from self._here(node, table, seen)
        inner = _blueprint_table(node) if node.type == "scoped_call_expression" else None
        for child in node.children:
            yield from self._node(child, table if inner is None else inner, seen)

    def _here(self, node: Node, table: str, seen: frozenset[str]) -> Iterator[Event]:
        if node.type == "scoped_call_expression":
            yield from _static_call(node)
        elif node.type in ("member_call_expression", "nullsafe_member_call_expression"):
            called = _field(node, "name")
            if _field(node, "object") == "$this" and called in self._methods:
                yield from self.method(called, seen=seen)
            else:
                yield from _member_call(node, table)
        elif (
            node.type == "function_call_expression"
            and _field(node, "function").lstrip("\\") in _OUTSIDE_FUNCTIONS
        ):
            yield _event(node, Act.OUTSIDE, name=_field(node, "function"))
        elif node.type == "throw_expression":
            yield _event(node, Act.THROW)


def _static_call(node: Node) -> Iterator[Event]:
    scope, called = _field(node, "scope").rpartition("\\")[2], _field(node, "name")
    words = _words(node)
    if scope == "Schema":
        if called == "connection":
            yield _event(node, Act.OTHER_CONNECTION, name=words[0] if words else "")
        elif called in _SCHEMA_ACTS:
            names = words[1:] if called == "dropColumns" else [""]
            for name in names or [""]:
                yield _event(node, _SCHEMA_ACTS[called], table=words[0] if words else "", name=name)
    elif scope == "DB":
        yield from _database_call(node, called, words)
    elif scope in _OUTSIDE_CLASSES or called == "dispatch":
        yield _event(node, Act.OUTSIDE, name=f"{scope}::{called}")
    elif scope not in _NO_MODELS and scope[:1].isupper():
        yield _event(node, Act.MODEL, name=scope)
        yield from _row_call(node, called)


def _database_call(node: Node, called: str, words: list[str]) -> Iterator[Event]:
    if called == "connection" and words:
        yield _event(node, Act.OTHER_CONNECTION, name=words[0])
    if called not in _RAW_CALLS:
        return
    sql = " ".join(words)
    yield _event(node, Act.RAW_SQL, name=called)
    for pattern, act in ((_RAW_DROP_COLUMN, Act.DROP_COLUMN), (_RAW_ADD_COLUMN, Act.ADD_COLUMN)):
        for found in pattern.finditer(sql):
            yield _event(node, act, table=found.group(1), name=found.group(2), is_native_sql=True)
    for found in _RAW_DROP_TABLE.finditer(sql):
        yield _event(node, Act.DROP_TABLE, table=found.group(1), is_native_sql=True)
    for pattern, act in ((_RAW_WRITE, Act.WRITE), (_RAW_DELETE, Act.DELETE), (_RAW_KEYS_OFF, Act.KEYS_OFF)):
        if pattern.search(sql):
            yield _event(node, act)


def _member_call(node: Node, table: str) -> Iterator[Event]:
    called = _field(node, "name")
    if table and _root_variable(node) is not None:
        yield from _blueprint_call(node, called, table)
    elif not table:
        yield from _row_call(node, called)


def _blueprint_call(node: Node, called: str, table: str) -> Iterator[Event]:
    words = _words(node)
    if called in _BLUEPRINT_ACTS:
        act = _BLUEPRINT_ACTS[called]
        names = words if act is Act.DROP_COLUMN else words[:1]
        for name in names or [""]:
            yield _event(node, act, table=table, name=name)
        return
    first = node.child_by_field_name("object")
    if first is not None and first.type == "variable_name" and called not in _BLUEPRINT_NO_COLUMN:
        yield _event(node, Act.ADD_COLUMN, table=table, name=words[0] if words else called)


def _row_call(node: Node, called: str) -> Iterator[Event]:
    if called in _WRITES:
        yield _event(node, Act.WRITE, name=called)
    elif called in _DELETES:
        yield _event(node, Act.DELETE, name=called)


def _event(node: Node, act: Act, *, table: str = "", name: str = "", is_native_sql: bool = False) -> Event:
    return Event(
        act=act,
        line=_line(node),
        table=table,
        name=name,
        is_guarded=_is_guarded(node),
        is_native_sql=is_native_sql,
        text=_text(_data_statement(node)) if act in (Act.WRITE, Act.DELETE) else "",
    )


def _blueprint_table(node: Node) -> str | None:
    """Return the table whose blueprint a `Schema::table` or `Schema::create` call writes; None for other calls."""
    scope, called = _field(node, "scope").rpartition("\\")[2], _field(node, "name")
    if scope != "Schema" or called not in ("table", "create"):
        return None
    words = _words(node)
    return words[0] if words else "?"


def _is_guarded(node: Node) -> bool:
    """Return True where an enclosing `if`, or one before it that returns, asks for a table or column."""
    current: Node | None = node
    while current is not None and current.type != "method_declaration":
        if current.type == "if_statement" and _asks(current):
            return True
        before = current.prev_named_sibling
        while before is not None:
            if before.type == "if_statement" and _asks(before) and _returns(before):
                return True
            before = before.prev_named_sibling
        current = current.parent
    return False


def _asks(node: Node) -> bool:
    condition = _field(node, "condition")
    return any(word in condition for word in ("hasTable", "hasColumn", "getColumnListing"))


def _returns(node: Node) -> bool:
    return any(child.type == "return_statement" for child in _descendants(node))


def _data_statement(node: Node) -> Node:
    """Return the largest statement around a write that has no schema change inside: the whole loop that copies."""
    found = node
    current = node.parent
    while current is not None and current.type != "method_declaration":
        if current.type in ("expression_statement", "foreach_statement", "for_statement", "while_statement"):
            if "Schema::" in _text(current):
                break
            found = current
        current = current.parent
    return found


def _root_variable(node: Node) -> Node | None:
    """Return the variable at the beginning of a chain of calls, None where it begins with something else."""
    current: Node | None = node
    while current is not None and current.type.endswith("member_call_expression"):
        current = current.child_by_field_name("object")
    return current if current is not None and current.type == "variable_name" else None


def _own_connection_line(root: Node) -> int | None:
    for node in _descendants(root):
        if node.type == "property_element" and _text(node).startswith("$connection"):
            return _line(node)
    return None


def _statements(method: Node) -> list[Node]:
    body = method.child_by_field_name("body")
    return [] if body is None else [child for child in body.named_children if child.type != "comment"]


def _words(call: Node) -> list[str]:
    """Return the texts among a call's arguments, those in arrays and joined texts included, closures left out."""
    arguments = call.child_by_field_name("arguments")
    if arguments is None:
        return []
    return [
        _text(node)
        for node in _without_functions(arguments)
        if node.type in ("string_content", "heredoc_body", "nowdoc_body")
    ]


def _without_functions(node: Node) -> Iterator[Node]:
    for child in node.children:
        if child.type not in ("anonymous_function", "arrow_function"):
            yield child
            yield from _without_functions(child)


def _descendants(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _descendants(child)


def _field(node: Node, name: str) -> str:
    found = node.child_by_field_name(name)
    return "" if found is None else _text(found)


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _line(node: Node) -> int:
    return int(node.start_point[0]) + 1
