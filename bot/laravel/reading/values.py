"""What the reading of a migration knows of a value: its text where it is fixed, and which rows its data come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tree_sitter import Node

from bot.laravel.reading.acts import EVERY_COLUMN, UNKNOWN, Check, Origin


@dataclass(frozen=True, kw_only=True)
class Query:
    """A query on a table, or the rows that it gave.

    `state` is 'builder', 'rows' (all of them in memory), 'lazy' (walked over without loading them) or 'row'. `where` are
    the columns that pick the rows, None where nothing does. `aliases` tell what a name in the select list stands for.
    """

    table: str
    tables: frozenset[str] = frozenset()
    is_model: bool = False
    state: str = "builder"
    where: frozenset[str] | None = None
    is_bounded: bool = False
    is_ordered: bool = False
    is_grouped: bool = False
    names: tuple[tuple[str, str], ...] = ()
    aliases: tuple[tuple[str, frozenset[Origin]], ...] = ()
    selected: frozenset[Origin] | None = None
    loaded_line: int = 0
    chunk_event: int | None = None

    @property
    def origins(self) -> frozenset[Origin]:
        """Return whole rows of each table in the query."""
        return frozenset(self._origin(table, EVERY_COLUMN) for table in self.tables)

    def _origin(self, table: str, column: str) -> Origin:
        picked = (self.where or frozenset()) | ({"limit"} if self.is_bounded else frozenset())
        return Origin(table=table, column=column, is_guess=self.is_model, picked_by=picked)

    def column(self, name: str) -> frozenset[Origin]:
        """Return where a column of the result comes from."""
        aliased = dict(self.aliases).get(name)
        if aliased:
            return aliased
        prefix, _, bare = name.rpartition(".")
        tables = [dict(self.names).get(prefix, prefix)] if prefix else self.tables
        return frozenset(self._origin(table, bare) for table in tables)


@dataclass(frozen=True, kw_only=True)
class Value:
    """A value, as far as the source tells it. `checks` are the questions to the schema whose answer it is.

    `items` are those of an array, with their keys ('' where there is none). `is_text` tells that comparing it with
    another text decides. `stands_for` names a facade, a class or a thing of the framework. `pending` are attributes that
    were set on a model and not yet saved. `column_event` is the event of a column that is being defined.
    """

    text: str | None = None
    is_text: bool = False
    items: tuple[tuple[str, Value], ...] | None = None
    origins: frozenset[Origin] = frozenset()
    checks: frozenset[Check] = frozenset()
    truth: bool | None = None
    query: Query | None = None
    blueprint: str | None = None
    function: Node | None = None
    method: str = ""
    stands_for: str = ""
    pending: tuple[tuple[str, Value], ...] = ()
    column_event: int | None = None
    listed: str = ""
    is_parameter: bool = False


NOTHING = Value()


def words_of(value: Value) -> list[str]:
    """Return the fixed texts in a value, those of a list each by itself."""
    if value.items is not None:
        return [word for _, item in value.items for word in words_of(item)]
    return [value.text] if value.text is not None else []


def word_of(value: Value | None) -> str:
    """Return a name that a value holds, '' where the source does not fix it."""
    text = value.text if value is not None else None
    return text if text is not None and UNKNOWN not in text else ""


def table_word(value: Value | None) -> str:
    """Return a table's name without schema and alias, '?' where the source does not fix it."""
    text = word_of(value)
    return text.split(" as ")[0].split(" AS ")[0].strip().rpartition(".")[2] if text else UNKNOWN


def all_origins(value: Value) -> frozenset[Origin]:
    """Return where the data of a value and of its items come from."""
    query = value.query
    own = query.selected if query is not None and query.selected is not None else value.origins
    inner = [all_origins(item) for _, item in (*(value.items or ()), *value.pending)]
    return own.union(*inner)


def keys_of(value: Value) -> frozenset[str]:
    """Return the columns that an array of attributes, or a list of such arrays, names."""
    found = {key for key, _ in value.items or () if key}
    for key, item in value.items or ():
        if not key and item.items is not None:
            found |= keys_of(item)
    return frozenset(found)


def merged(old: Value, new: Value) -> Value:
    """Return a value that may be either, where a branch or a loop decides."""
    items = new.items if old.items is None else (*old.items, *(new.items or ()))
    return replace(
        new,
        origins=new.origins | old.origins,
        checks=new.checks | old.checks,
        query=new.query or old.query,
        items=items,
        truth=None,
        is_text=False,
        pending=(*old.pending, *new.pending),
        listed=new.listed or old.listed,
    )


def either(values: Iterable[Value]) -> Value:
    """Return what one of several values may be."""
    found: Value | None = None
    for value in values:
        found = value if found is None else merged(found, value)
    return found or NOTHING


def data_of(values: Iterable[Value]) -> Value:
    """Return a value computed from others: only where its data come from is known."""
    found = [all_origins(value) for value in values]
    return Value(origins=frozenset().union(*found))


def attribute(value: Value, name: str) -> Value:
    """Return what `$value->name` or `$value['name']` holds."""
    for key, item in reversed((*(value.items or ()), *value.pending)):
        if key == name:
            return item
    if value.query is not None:
        return Value(origins=value.query.column(name))
    if not value.origins:
        return (
            Value(origins=frozenset({Origin(table=UNKNOWN, column=name)})) if value.is_parameter else NOTHING
        )
    return Value(
        origins=frozenset(
            replace(one, column=name) if one.column == EVERY_COLUMN else one for one in value.origins
        )
    )


def flipped(checks: Iterable[Check], *, early: bool = False) -> frozenset[Check]:
    """Return what is known where the questions were answered the other way."""
    turned = list(checks)
    return frozenset(
        replace(
            check,
            is_there=not check.is_there,
            is_early_return=early or check.is_early_return,
            is_sure=check.is_sure and len(turned) == 1,
        )
        for check in turned
    )


def plural(model: str) -> str:
    """Return the table that Laravel's convention gives a model; irregular words are left to the reader."""
    name = "".join(
        f"_{letter.lower()}" if letter.isupper() and place else letter.lower()
        for place, letter in enumerate(model)
    )
    irregular = {"person": "people", "child": "children", "medium": "media", "datum": "data"}
    head, _, last = name.rpartition("_")
    if last in irregular:
        last = irregular[last]
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        last = f"{last[:-1]}ies"
    elif last.endswith(("s", "x", "z", "ch", "sh")):
        last = f"{last}es"
    else:
        last = f"{last}s"
    return f"{head}_{last}" if head else last
