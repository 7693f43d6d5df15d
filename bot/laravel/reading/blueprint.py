"""The calls on a table's blueprint, `$table->…`, as acts."""

from __future__ import annotations

from bot.laravel.reading import words
from bot.laravel.reading.acts import UNKNOWN, Act
from bot.laravel.reading.record import Record
from bot.laravel.reading.values import NOTHING, Value, plural, table_word, word_of, words_of


def call_on_blueprint(record: Record, table: str, called: str, args: list[Value], line: int) -> Value:
    """Record what a call on a blueprint does, and return the column that it begins to define."""
    first = args[0] if args else NOTHING
    if called in words.COLUMN_ACTS or called in words.DROPS_OF or called.startswith("dropMorphs"):
        _drop_columns(record, table, called, args, line)
    elif called in ("dropForeign", "dropForeignIdIndex"):
        _drop_key(record, table, first, line)
    elif called == "renameColumn":
        to = word_of(args[1]) if len(args) > 1 else ""
        record.add(Act.RENAME_COLUMN, line, table=table, name=word_of(first), to=to)
    elif called == "rename":
        record.add(Act.RENAME_TABLE, line, table=table, to=table_word(first))
    elif called in words.SCHEMA_DROPS:
        record.add(Act.DROP_TABLE, line, table=table)
    elif called in words.INDEXES:
        traits = frozenset({words.INDEXES[called]})
        place = record.add(
            Act.ADD_INDEX, line, table=table, columns=frozenset(words_of(first)), traits=traits
        )
        return Value(column_event=place, stands_for="index")
    elif called == "foreign":
        place = record.add(Act.ADD_KEY, line, table=table, columns=frozenset(words_of(first)), to=UNKNOWN)
        return Value(column_event=place, stands_for="key")
    elif called not in words.NO_COLUMN:
        return _add_columns(record, table, called, args, line)
    return NOTHING


def _drop_columns(record: Record, table: str, called: str, args: list[Value], line: int) -> None:
    names = list(words.DROPS_OF.get(called, ()))
    checks = frozenset(check for arg in args for check in arg.checks)
    if called.startswith("dropMorphs"):
        prefix = word_of(args[0]) if args else ""
        names = [f"{prefix}_type", f"{prefix}_id"] if prefix else [""]
    elif "ForeignIdFor" in called:
        names = [_model_column(args)]
    elif not names:
        names = [
            "" if UNKNOWN in name else name for arg in args for name in words_of(arg) if name != "null"
        ] or [""]
    if "Constrained" in called:
        record.add(Act.DROP_KEY, line, table=table, columns=frozenset(names))
    for name in names:
        record.add(Act.DROP_COLUMN, line, table=table, name=name, checks=checks)


def _drop_key(record: Record, table: str, first: Value, line: int) -> None:
    if first.items is not None:
        record.add(Act.DROP_KEY, line, table=table, columns=frozenset(words_of(first)))
    else:
        record.add(Act.DROP_KEY, line, table=table, name=word_of(first))


def _model_column(args: list[Value]) -> str:
    if len(args) > 1 and word_of(args[1]):
        return word_of(args[1])
    model = args[0].stands_for.removeprefix("class:").rpartition("\\")[2] if args else ""
    return f"{_snake(model)}_id" if model else ""


def _snake(name: str) -> str:
    return "".join(
        f"_{letter.lower()}" if letter.isupper() and place else letter.lower()
        for place, letter in enumerate(name)
    )


def _add_columns(record: Record, table: str, called: str, args: list[Value], line: int) -> Value:
    traits = {called}
    if called in words.NULLABLE_BY_ITSELF:
        traits.add("nullable")
    if called in words.NUMBERS_ITSELF:
        traits |= {"default", "autoIncrement"}
    first = args[0] if args else NOTHING
    if called == "addColumn":
        names: list[str] = [word_of(args[1]) if len(args) > 1 else ""]
    elif called in words.MORPHS:
        names = [f"{word_of(first)}_type", f"{word_of(first)}_id"] if word_of(first) else [""]
    elif called == "foreignIdFor":
        names = [_model_column(args)]
    elif called in words.COLUMNS_OF and not (word_of(first) and called not in words.NULLABLE_BY_ITSELF):
        names = list(words.COLUMNS_OF[called])
    else:
        names = [word_of(first)] if args else [called]
    checks = first.checks
    places = [
        record.add(Act.ADD_COLUMN, line, table=table, name=name, traits=frozenset(traits), checks=checks)
        for name in names
    ]
    return Value(column_event=places[-1], stands_for="column")


def call_on_column(record: Record, column: Value, called: str, args: list[Value], line: int) -> Value:
    """Record a modifier such as `->nullable()` or `->constrained()`, and return the column again."""
    place = column.column_event
    if place is None:
        return column
    is_off = bool(args) and args[0].text == "false"
    if column.stands_for == "key":
        if called == "on":
            record.amend(place, to=table_word(args[0] if args else None))
    elif column.stands_for == "index":
        record.add_trait(place, "concurrently" if called in ("online", "concurrently") else called)
    elif called == "change":
        record.amend(place, act=Act.CHANGE_COLUMN)
    elif called == "nullable":
        record.add_trait(place, "not null" if is_off else "nullable")
    elif called in words.INDEXES:
        if not is_off:
            event = record.events[place]
            traits = frozenset({words.INDEXES[called], "on new column"})
            record.add(Act.ADD_INDEX, line, table=event.table, columns=frozenset({event.name}), traits=traits)
    elif called in ("constrained", "references"):
        return _add_key(record, column, place, called, args, line)
    else:
        record.add_trait(place, called)
        if called == "default" and args and args[0].stands_for == "raw":
            record.add_trait(place, f"default raw {args[0].text or ''}")
    return column


def _add_key(record: Record, column: Value, place: int, called: str, args: list[Value], line: int) -> Value:
    event = record.events[place]
    to = table_word(args[0]) if args and called == "constrained" else UNKNOWN
    if called == "constrained" and not args and event.name.endswith("_id"):
        to = plural(event.name.removesuffix("_id"))
    traits = frozenset({"on new column"}) if event.act is Act.ADD_COLUMN else frozenset()
    key = record.add(
        Act.ADD_KEY, line, table=event.table, columns=frozenset({event.name}), to=to, traits=traits
    )
    return Value(column_event=key, stands_for="key") if called == "references" else column
