"""What the rows there are were given when a rollback added a lost column again: such a value says nothing of its own."""

from __future__ import annotations

from typing import List, Optional

from adapters.host_reader.sqlite_open import quoted, text_literal
from adapters.host_reader.sqlite_rows import at
from adapters.host_reader.sqlite_schema import Column, Table
from adapters.host_reader.sqlite_workbench import Bench

# Of these alone is made what MySQL puts into the rows there are where a column without a default is added as NOT NULL.
EMPTY_SIGNS = "0.:- "


def given_value(bench: Bench, base: Optional[Table], scratch: Table, column: Column) -> Optional[str]:
    """Return as SQL what a lost column was given when it was added again: its default, or the first of its list.

    Where the default is the time, it is the moment of the rollback. None where it was given nothing, or cannot be told.
    """
    if column.is_stamped:
        return _moment(bench, base, scratch, column)
    if column.default is not None:
        return f"({column.default})"
    return None if column.given is None else text_literal(column.given)


def unset(alias: str, column: Column, lost: bool, given: Optional[str]) -> str:
    """Return the condition that a column has no value of its own: NULL, or what a lost column was given.

    A column that is NOT NULL and has no default was given the empty value of its type: '', 0, 0.00, 0000-00-00.
    """
    value = f"{alias}.{quoted(column.name)}"
    if lost and given is not None:
        return f"({value} IS NULL OR {value} IS {given})"
    if lost and column.notnull and column.default is None:
        return f"(trim({value}, '{EMPTY_SIGNS}') = '')"
    return f"({value} IS NULL)"


def is_in_new_shape(bench: Bench, value: str) -> bool:
    """Return whether a column that only the broken state has holds a value (as SQL): a rollback may have copied it back."""
    for live in bench.schemas["live"].without(sorted(bench.aside)):
        scratch = bench.table("main", live.name)
        only_there = live.column_names if scratch is None else live.without(scratch)
        for name in only_there:
            here = f"SELECT EXISTS (SELECT 1 FROM {at('live', live.name)} WHERE {quoted(name)} IS {value})"
            if name not in live.key and bench.count(here):
                return True
    return False


def _moment(bench: Bench, base: Optional[Table], scratch: Table, column: Column) -> Optional[str]:
    """Return the moment at which the column was added again: its newest value that the backup has not.

    It is later than all times at which the table's rows were written, and nothing in the broken state is equal to it.
    """
    name = quoted(column.name)
    known = base is not None and base.column(column.name) is not None
    others = f" WHERE {name} NOT IN (SELECT {name} FROM {at('base', scratch.name)} WHERE {name} IS NOT NULL)"
    newest = bench.connection.execute(
        f"SELECT max({name}) FROM {at('main', scratch.name)}{others if known else ''}"
    ).fetchone()[0]
    live = bench.table("live", scratch.name)
    if not isinstance(newest, str) or live is None:
        return None
    moment = text_literal(newest)
    later = [f"max({quoted(each)})" for each in times_of(live)]
    written = bench.connection.execute(
        f"SELECT {', '.join(['NULL', *later])} FROM {at('live', live.name)}"
    ).fetchone()
    if any(time is not None and str(time) >= newest for time in written) or is_in_new_shape(bench, moment):
        return None
    return moment


def times_of(table: Table) -> List[str]:
    """Return the columns that tell when a row was written, as Laravel names them."""
    return [name for name in table.column_names if name.lower() in ("created_at", "updated_at")]
