"""Walks a migration's method as it would run: branches one after the other, its own methods where they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from tree_sitter import Node

from bot.laravel.reading.acts import Act, Check
from bot.laravel.reading.expressions import Expressions
from bot.laravel.reading.facades import Names
from bot.laravel.reading.queries import close_chunk, load_if_whole
from bot.laravel.reading.record import Record
from bot.laravel.reading.tree import descendants, field, line_of, named, text_of
from bot.laravel.reading.values import NOTHING, Value, either, flipped, merged

_ROUNDS = 60
"""How many items of a fixed list a loop is followed through; a list of more is walked as one."""

_DEPTH = 25
_ENDS: Final = frozenset(
    {"return_statement", "throw_expression", "continue_statement", "break_statement", "exit_statement"}
)


class Walk(Expressions):
    """The reading of one method, with the values of its variables as far as the source tells them."""

    def __init__(
        self,
        methods: Mapping[str, Node],
        constants: Mapping[str, Node],
        names: Names,
        driver: str,
    ) -> None:
        super().__init__(Record(), names, driver)
        self._methods: Final = methods
        self._constants: Final = constants
        self._running: list[str] = []
        self._branches = 0
        self._results: list[list[Value]] = []

    def run(self, name: str) -> None:
        """Walk a method that the framework calls."""
        self.call_method(name, [])

    def call_method(self, name: str, args: Sequence[Value], line: int = 0) -> Value:
        """Walk a method or function of the file, and return what it may give back."""
        node = self._methods.get(name)
        body = field(node, "body") if node is not None else None
        if node is None or body is None or name in self._running or len(self._running) > _DEPTH:
            return NOTHING
        before, self.variables = self.variables, {}
        branches, self._branches = self._branches, 0
        self._running.append(name)
        try:
            self.bind(node, args)
            with self.record.frame(line):
                return self._body(body)
        finally:
            self._running.pop()
            self._branches = branches
            self.variables = before

    def has_method(self, name: str) -> bool:
        """Return True where the file declares that method or function."""
        return name in self._methods

    def constant(self, name: str) -> Value:
        """Return the value of a constant, or the default of a property."""
        node = self._constants.get(name)
        if node is None or len(self._running) > _DEPTH:
            return NOTHING
        self._running.append(f"::{name}")
        try:
            return self.value(node) if self._running.count(f"::{name}") == 1 else NOTHING
        finally:
            self._running.pop()

    def call_function(self, function: Value, args: Sequence[Value]) -> Value:
        """Walk a closure; it shares the variables of the method in which it stands."""
        if function.method:
            return self.call_method(function.method, args)
        node = function.function
        if node is None or len(self._results) > _DEPTH:
            return NOTHING
        body = field(node, "body")
        if body is None:
            return NOTHING
        names = [
            text_of(one)
            for one in descendants(field(node, "parameters") or node)
            if one.type == "variable_name"
        ]
        kept = {name: self.variables[name] for name in names if name in self.variables}
        try:
            self.bind(node, args)
            if node.type == "arrow_function":
                return self.value(body)
            return self._body(body)
        finally:
            if field(node, "parameters") is not None:
                for name in names:
                    self.variables.pop(name, None)
            self.variables |= kept

    def bind(self, node: Node, args: Sequence[Value]) -> None:
        """Give a function's parameters their values."""
        parameters = field(node, "parameters")
        for place, parameter in enumerate(named(parameters) if parameters is not None else []):
            name = text_of(field(parameter, "name"))
            default = field(parameter, "default_value")
            if place < len(args):
                self.variables[name] = args[place]
            else:
                self.variables[name] = (
                    self.value(default) if default is not None else Value(is_parameter=True)
                )

    def _body(self, body: Node) -> Value:
        self._results.append([])
        try:
            self._block(named(body))
        finally:
            found = self._results.pop()
        return either(found)

    def assign(self, name: str, value: Value) -> None:
        """Give a variable its value; in a branch or a loop it may also keep the one it had."""
        old = self.variables.get(name)
        repeated = self._branches or self.record.loops
        self.variables[name] = merged(old, value) if old is not None and repeated else value

    def _block(self, statements: Sequence[Node]) -> bool:
        """Walk statements in order; return True where what comes after them is never reached."""
        before = self.record.checks
        try:
            return any(self._statement(statement) for statement in statements)
        finally:
            self.record.checks = before

    def _statement(self, node: Node) -> bool:
        kind = node.type
        if kind in ("compound_statement", "colon_block"):
            return self._block(named(node))
        if kind == "if_statement":
            return self._if(node)
        if kind == "foreach_statement":
            self._foreach(node)
        elif kind in ("for_statement", "while_statement", "do_statement"):
            self._loop(node)
        elif kind == "try_statement":
            self._try(node)
        elif kind == "switch_statement":
            self._switch(node)
        elif kind == "return_statement":
            values = [self.value(child) for child in named(node)]
            if self._results:
                self._results[-1].append(either(values))
            return True
        elif kind == "exit_statement":
            self.record.add(Act.EXIT, line_of(node), name="exit")
            return True
        elif kind in ("function_definition", "class_declaration", "global_declaration"):
            pass
        else:
            for child in named(node):
                self.value(child)
            return kind in _ENDS or any(child.type in _ENDS for child in named(node))
        return False

    def _if(self, node: Node) -> bool:
        condition = field(node, "condition")
        asked = self.value(condition) if condition is not None else NOTHING
        body = field(node, "body")
        alternatives = [
            child
            for place, child in enumerate(node.children)
            if node.field_name_for_child(place) == "alternative"
        ]
        ended = False
        branch, since = self.record.next_branch(), len(self.record.events)
        if body is not None and asked.truth is not False:
            with self.record.under(asked.checks), self.record.arm(branch, 0):
                ended = self._branch(body, is_sure=asked.truth is True)
            if ended and _returns(body):
                self.record.mark_leaving(since, branch)
        if asked.truth is True:
            return ended
        others = flipped(asked.checks)
        other_ended = bool(alternatives)
        with self.record.under(others):
            for number, alternative in enumerate(alternatives, start=1):
                with self.record.arm(branch, number):
                    other_ended = self._alternative(alternative) and other_ended
        if ended and not alternatives and body is not None and _leaves(body):
            self.record.checks |= flipped(asked.checks, early=True)
        return ended and other_ended

    def _alternative(self, node: Node) -> bool:
        body = field(node, "body")
        if body is None:
            return False
        if node.type == "else_if_clause":
            condition = field(node, "condition")
            asked = self.value(condition) if condition is not None else NOTHING
            if asked.truth is False:
                return False
            with self.record.under(asked.checks):
                self._branch(body)
            return False
        return self._branch(body)

    def _branch(self, body: Node, *, is_sure: bool = False) -> bool:
        self._branches += not is_sure
        try:
            return self._statement(body)
        finally:
            self._branches -= not is_sure

    def _foreach(self, node: Node) -> None:
        parts = [child for child in named(node) if child != field(node, "body")]
        body = field(node, "body")
        over = self.value(parts[0]) if parts else NOTHING
        target = parts[1] if len(parts) > 1 else None
        if over.items is not None and over.query is None and len(over.items) <= _ROUNDS and body is not None:
            with self.record.under(over.checks):
                for key, item in over.items:
                    self._take(target, item, Value(text=key or None, is_text=bool(key)))
                    self._branches += 1
                    self._statement(body)
                    self._branches -= 1
            return
        load_if_whole(self.record, over)
        self._take(target, self.row_of(over), self.key_of(over))
        with self.record.loop(), self.record.under(over.checks):
            if body is not None:
                self._statement(body)
        self._close(over)

    def _close(self, over: Value) -> None:
        if over.query is not None and over.query.chunk_event is not None:
            close_chunk(self.record, over.query.chunk_event)

    def key_of(self, over: Value) -> Value:
        """Return what the keys of something that is gone through may be."""
        return Value(origins=over.origins) if over.stands_for == "plucked" else NOTHING

    def _take(self, target: Node | None, item: Value, key: Value) -> None:
        """Give the variables of a `foreach … as …` their values."""
        if target is None:
            return
        if target.type == "pair":
            first, second = named(target)[0], named(target)[-1]
            self.variables[text_of(first)] = key
            target = second
        if target.type == "by_ref":
            target = named(target)[0]
        if target.type == "list_literal":
            self.take_list(target, item)
        else:
            self.variables[text_of(target)] = item

    def _loop(self, node: Node) -> None:
        with self.record.loop():
            body = field(node, "body")
            checks: frozenset[Check] = frozenset()
            for child in named(node):
                if child != body and node.type != "do_statement":
                    checks |= self.value(child).checks
            with self.record.under(checks):
                if body is not None:
                    self._statement(body)
            if node.type == "do_statement" and (condition := field(node, "condition")) is not None:
                self.value(condition)

    def _try(self, node: Node) -> None:
        for child in named(node):
            body = field(child, "body") if child.type != "compound_statement" else child
            if body is not None:
                self._branch(body, is_sure=child.type == "finally_clause")

    def _switch(self, node: Node) -> None:
        condition = field(node, "condition")
        over = self.value(condition) if condition is not None else NOTHING
        body = field(node, "body")
        is_open = False  # the case before fell through into this one
        is_taken = False
        for case in named(body) if body is not None else []:
            wanted = field(case, "value")
            value = self.value(wanted) if wanted is not None else NOTHING
            known = over.is_text and value.is_text
            if known and over.text != value.text and not is_open:
                continue
            if case.type == "default_statement" and is_taken:
                continue
            is_taken = is_taken or known
            statements = [child for child in named(case) if child != wanted]
            checks = over.checks if value.truth is not False else flipped(over.checks)
            self._branches += 1
            with self.record.under(checks | value.checks):
                ended = self._block(statements)
            self._branches -= 1
            is_open = known and not ended

    def set_attribute(self, target: Node, name: str, value: Value) -> None:
        """Have a model keep an attribute until it is saved."""
        key = text_of(target)
        if target.type == "variable_name" and key in self.variables and key != "$this":
            held = self.variables[key]
            self.variables[key] = replace(held, pending=(*held.pending, (name, value)))


def _leaves(body: Node) -> bool:
    """Return True where a branch leaves the method or the round of the loop: what follows is decided by it."""
    return any(node.type in _ENDS for node in descendants(body))


def _returns(body: Node) -> bool:
    """Return True where a branch that ends does so by leaving its method, not only the round of a loop."""
    last = named(body)[-1] if body.type == "compound_statement" and named(body) else body
    return last.type in ("return_statement", "exit_statement") or any(
        child.type == "throw_expression" for child in named(last)
    )
