"""PHP's syntax tree: its texts, lines and parts, as the reading of a migration asks for them."""

from __future__ import annotations

from collections.abc import Iterator

import tree_sitter_php
from tree_sitter import Language, Node, Parser

FUNCTIONS = frozenset({"anonymous_function", "arrow_function"})


def parse_php(source: str) -> Node:
    """Return the root of a source's syntax tree; what PHP could not read stands in it as an ERROR node."""
    return Parser(Language(tree_sitter_php.language_php())).parse(source.encode()).root_node


def text_of(node: Node | None) -> str:
    """Return the source of a node, '' for none."""
    return "" if node is None else (node.text or b"").decode("utf-8", "replace")


def line_of(node: Node) -> int:
    """Return the line in which a node begins, counted from 1."""
    return int(node.start_point[0]) + 1


def field(node: Node, name: str) -> Node | None:
    """Return the part of a node with that name."""
    return node.child_by_field_name(name)


def named(node: Node) -> list[Node]:
    """Return the children that mean something: no punctuation and no comment."""
    return [child for child in node.named_children if child.type != "comment"]


def descendants(node: Node) -> Iterator[Node]:
    """Yield a node and everything below it, in the order of the text."""
    yield node
    for child in node.children:
        yield from descendants(child)


def short_name(node: Node | None) -> str:
    """Return a class or function name without its namespace."""
    return text_of(node).rpartition("\\")[2]


def first_error(root: Node) -> Node | None:
    """Return the first place that PHP could not read."""
    return next((node for node in descendants(root) if node.type == "ERROR" or node.is_missing), None)
