"""The values of PHP's expressions, and the calls in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from tree_sitter import Node

from bot.laravel.reading.acts import UNKNOWN, Act, Check, Origin
from bot.laravel.reading.calls import Calls
from bot.laravel.reading.tree import field, line_of, named, short_name, text_of
from bot.laravel.reading.values import (
    NOTHING,
    Value,
    all_origins,
    attribute,
    data_of,
    either,
    flipped,
    word_of,
)

_COMPARES: Final = frozenset({"==", "===", "!=", "!==", "<>", "<", ">", "<=", ">=", "instanceof", "<=>"})
_PASSES: Final = frozenset(
    {
        "parenthesized_expression",
        "argument",
        "clone_expression",
        "error_suppression_expression",
        "by_ref",
        "reference_assignment",
    }
)


class Expressions(Calls):
    """Finds what an expression's value is, and records what the calls in it do."""

    def value(self, node: Node) -> Value:
        """Return the value of an expression."""
        if node.type in _PASSES:
            inner = named(node)
            return self.value(inner[-1]) if inner else NOTHING
        reading = _READINGS.get(node.type)
        if reading is not None:
            return reading(self, node)
        return data_of([self.value(child) for child in named(node)])

    def _number(self, node: Node) -> Value:
        return Value(text=text_of(node))

    def _boolean(self, node: Node) -> Value:
        return Value(truth=text_of(node).lower() == "true", text=text_of(node).lower())

    def _null(self, _: Node) -> Value:
        return Value(text="null")

    def _function(self, node: Node) -> Value:
        return Value(function=node)

    def _static_property(self, node: Node) -> Value:
        return self.constant(text_of(field(node, "name")).lstrip("$"))

    def _throw(self, node: Node) -> Value:
        for child in named(node):
            self.value(child)
        self.record.add(Act.THROW, line_of(node))
        return NOTHING

    def _text(self, node: Node) -> Value:
        """Return a text; what is put in it at run time stands as '?'."""
        parts: list[str] = []
        origins: frozenset[Origin] = frozenset()
        fixed = True
        holders = [child for child in node.named_children if child.type in ("heredoc_body", "nowdoc_body")]
        for child in holders[0].named_children if holders else node.named_children:
            if child.type in ("string_content", "nowdoc_string"):
                parts.append(text_of(child))
            elif child.type == "escape_sequence":
                parts.append(_unescaped(text_of(child)))
            elif child.type not in ("heredoc_start", "heredoc_end"):
                value = self.value(child)
                fixed = fixed and value.text is not None
                parts.append(value.text if value.text is not None else UNKNOWN)
                origins |= all_origins(value)
        return Value(text="".join(parts), origins=origins, is_text=fixed)

    def _variable(self, node: Node) -> Value:
        name = text_of(node)
        return Value(stands_for="this") if name == "$this" else self.variables.get(name, NOTHING)

    def _array(self, node: Node) -> Value:
        items: list[tuple[str, Value]] = []
        for element in named(node):
            inner = named(element)
            if len(inner) == 2:
                key = self.value(inner[0])
                items.append((word_of(key) or UNKNOWN, self.value(inner[1])))
            elif inner and inner[0].type == "variadic_unpacking":
                spread = self.value(named(inner[0])[0])
                items += spread.items if spread.items is not None else [("", spread)]
            elif inner:
                items.append(("", self.value(inner[0])))
        return Value(items=tuple(items))

    def _constant_access(self, node: Node) -> Value:
        scope, name = node.named_children[0], node.named_children[-1]
        if text_of(name) == "class":
            return Value(stands_for=f"class:{text_of(scope)}")
        short = short_name(scope)
        own = short in ("self", "static", "parent") or scope.type == "relative_scope"
        return self.constant(text_of(name) if own else f"{short}::{text_of(name)}")

    def _assignment(self, node: Node) -> Value:
        left, right = field(node, "left"), field(node, "right")
        value = self.value(right) if right is not None else NOTHING
        if left is not None:
            self._store(left, value)
        return value

    def _augmented(self, node: Node) -> Value:
        left, right = field(node, "left"), field(node, "right")
        if left is None or right is None:
            return NOTHING
        old, new = self.value(left), self.value(right)
        if text_of(field(node, "operator")) == ".=" and old.text is not None and new.text is not None:
            value = Value(text=old.text + new.text, origins=old.origins | new.origins)
        else:
            value = data_of([old, new])
        self._store(left, value)
        return value

    def _store(self, left: Node, value: Value) -> None:
        if left.type == "variable_name":
            self.assign(text_of(left), value)
        elif left.type in ("member_access_expression", "nullsafe_member_access_expression"):
            target = field(left, "object")
            name = text_of(field(left, "name"))
            if target is not None and text_of(target) == "$this":
                self.variables[f"$this->{name}"] = value
            elif target is not None:
                self.set_attribute(target, name, value)
        elif left.type == "subscript_expression":
            self._store_item(left, value)
        elif left.type == "list_literal":
            self.take_list(left, value)

    def _store_item(self, left: Node, value: Value) -> None:
        parts = named(left)
        name = text_of(parts[0])
        if parts[0].type == "subscript_expression":
            self._store_item(parts[0], value)
            return
        key = word_of(self.value(parts[1])) if len(parts) > 1 else ""
        old = self.variables.get(name, NOTHING)
        self.variables[name] = replace(old, items=(*(old.items or ()), (key or "", value)))

    def take_list(self, target: Node, value: Value) -> None:
        """Give the variables of `[$a, $b] = …` their values."""
        for place, child in enumerate(named(target)):
            holder = named(child)[-1] if child.type == "pair" or named(child)[1:] else child
            if value.items is not None and place < len(value.items):
                item = value.items[place][1]
            else:
                item = data_of([value])
            if holder.type == "variable_name":
                self.variables[text_of(holder)] = item

    def _unary(self, node: Node) -> Value:
        argument = field(node, "argument") or named(node)[-1]
        value = self.value(argument)
        if text_of(field(node, "operator")) == "!":
            truth = None if value.truth is None else not value.truth
            return Value(checks=flipped(value.checks), truth=truth)
        return value

    def _binary(self, node: Node) -> Value:
        left_node, right_node = field(node, "left"), field(node, "right")
        sign = text_of(field(node, "operator")).lower()
        if left_node is None or right_node is None:
            return NOTHING
        left = self.value(left_node)
        if sign in ("&&", "and", "||", "or"):
            return self._both(left, right_node, is_and=sign in ("&&", "and"))
        if sign == "??":
            return either([left, self.value(right_node)])
        right = self.value(right_node)
        if sign == ".":
            texts = [one.text if one.text is not None else UNKNOWN for one in (left, right)]
            return Value(
                text="".join(texts),
                is_text=left.is_text and right.is_text,
                origins=all_origins(left) | all_origins(right),
            )
        if sign in _COMPARES:
            return _compared(left, right, sign)
        return data_of([left, right])

    def _both(self, left: Value, right_node: Node, *, is_and: bool) -> Value:
        if left.truth is (not is_and):
            return Value(truth=left.truth)
        with self.record.under(left.checks if is_and else flipped(left.checks)):
            right = self.value(right_node)
        truth = right.truth if left.truth is is_and else right.truth if right.truth is (not is_and) else None
        checks = left.checks | right.checks
        if not is_and:
            checks = frozenset(replace(check, is_sure=False) for check in checks)
        return Value(checks=checks, truth=truth)

    def _conditional(self, node: Node) -> Value:
        condition, body, other = (field(node, name) for name in ("condition", "body", "alternative"))
        asked = self.value(condition) if condition is not None else NOTHING
        found = []
        if body is None:
            found.append(asked)
        elif asked.truth is not False:
            with self.record.under(asked.checks):
                found.append(self.value(body))
        if other is not None and asked.truth is not True:
            with self.record.under(flipped(asked.checks)):
                found.append(self.value(other))
        return _with_checks(either(found), asked.checks)

    def _match(self, node: Node) -> Value:
        condition, body = field(node, "condition"), field(node, "body")
        over = self.value(condition) if condition is not None else NOTHING
        found = []
        refused: frozenset[Check] = frozenset()
        for arm in named(body) if body is not None else []:
            result = field(arm, "return_expression")
            wanted = field(arm, "conditional_expressions")
            values = [self.value(one) for one in named(wanted)] if wanted is not None else []
            checks = refused.union(*(_arm_checks(over, one) for one in values))
            known = [one for one in values if over.is_text and one.is_text]
            if result is None or (known and all(one.text != over.text for one in known)):
                continue
            if not values and over.checks:
                checks = checks | flipped(over.checks)
            with self.record.under(checks):
                found.append(self.value(result))
            refused = refused.union(*(flipped(one.checks) for one in values))
            if known:
                break
        return either(found)

    def _cast(self, node: Node) -> Value:
        inner = field(node, "value")
        value = self.value(inner) if inner is not None else NOTHING
        if "bool" in text_of(field(node, "type")).lower():
            return Value(checks=value.checks, truth=value.truth)
        return value

    def _member(self, node: Node) -> Value:
        target, name = field(node, "object"), text_of(field(node, "name"))
        if target is None:
            return NOTHING
        if text_of(target) == "$this":
            return self.variables.get(f"$this->{name}") or self.constant(name)
        return attribute(self.value(target), name)

    def _subscript(self, node: Node) -> Value:
        parts = named(node)
        held = self.value(parts[0])
        key = self.value(parts[1]) if len(parts) > 1 else NOTHING
        if word_of(key):
            return attribute(held, word_of(key))
        if held.items is not None:
            return either([item for _, item in held.items])
        return self.row_of(held)


_READINGS: Final[dict[str, Callable[[Expressions, Node], Value]]] = {
    "string": Expressions._text,
    "encapsed_string": Expressions._text,
    "heredoc": Expressions._text,
    "nowdoc": Expressions._text,
    "integer": Expressions._number,
    "float": Expressions._number,
    "boolean": Expressions._boolean,
    "null": Expressions._null,
    "variable_name": Expressions._variable,
    "array_creation_expression": Expressions._array,
    "anonymous_function": Expressions._function,
    "arrow_function": Expressions._function,
    "class_constant_access_expression": Expressions._constant_access,
    "assignment_expression": Expressions._assignment,
    "augmented_assignment_expression": Expressions._augmented,
    "unary_op_expression": Expressions._unary,
    "binary_expression": Expressions._binary,
    "conditional_expression": Expressions._conditional,
    "match_expression": Expressions._match,
    "cast_expression": Expressions._cast,
    "member_access_expression": Expressions._member,
    "nullsafe_member_access_expression": Expressions._member,
    "subscript_expression": Expressions._subscript,
    "scoped_property_access_expression": Expressions._static_property,
    "scoped_call_expression": Expressions.static_call,
    "member_call_expression": Expressions.member_call,
    "nullsafe_member_call_expression": Expressions.member_call,
    "function_call_expression": Expressions.function_call,
    "object_creation_expression": Expressions.new,
    "throw_expression": Expressions._throw,
}


def _compared(left: Value, right: Value, sign: str) -> Value:
    checks = left.checks | right.checks
    differs = sign in ("!=", "!==", "<>")
    if sign in ("==", "===", "!=", "!==", "<>") and (_is_nothing(left) or _is_nothing(right)) is not differs:
        checks = flipped(checks)
    truth = None
    if left.is_text and right.is_text and sign in ("==", "===", "!=", "!==", "<>"):
        truth = (left.text == right.text) is not differs
    return Value(checks=checks, truth=truth)


def _is_nothing(value: Value) -> bool:
    """Return True for false, null, 0 and an empty list: what an answer is compared with to mean no."""
    return value.truth is False or value.text in ("0", "null") or value.items == ()


def _arm_checks(over: Value, wanted: Value) -> frozenset[Check]:
    if over.checks:
        return flipped(over.checks) if wanted.truth is False else over.checks
    return flipped(wanted.checks) if over.truth is False else wanted.checks


def _with_checks(value: Value, checks: frozenset[Check]) -> Value:
    return replace(value, checks=value.checks | checks)


def _unescaped(text: str) -> str:
    return {"\\n": "\n", "\\t": "\t", "\\'": "'", '\\"': '"', "\\\\": "\\", "\\$": "$"}.get(text, text)
