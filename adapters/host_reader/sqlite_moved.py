"""Find the values of a dropped column again: a value that moved is not lost."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from typing import List, Optional

from adapters.host_reader.sqlite_open import quoted
from adapters.host_reader.sqlite_rows import at, columns_of, other_thing, same_key
from adapters.host_reader.sqlite_schema import Schema, Table

# Fewer different values can agree by chance (a flag, a rank), unless all of them do, row by row.
_TELLING_VALUES = 5
# From here on a column is a value's new place, so that what differs there was copied first and edited since.
_HOME_SHARE = 0.5
# A person edits a few values. One is no sign of more, whatever its share; of two and more the share decides.
_FEW_SHARE = 0.05
_FEW_VALUES = 2


@dataclass(frozen=True)
class Moved:
    """Where a column's values were found again: how many, in which "table.column", and by key or by multiset.

    `changed` and `cleared`: by key only, values whose new place holds another value, or NULL or an empty text, now.
    """

    values: int
    to: str
    by: str
    changed: int = 0
    cleared: int = 0

    @property
    def accounted(self) -> int:
        """Return for how many values it is known where they went."""
        return self.values + self.changed + self.cleared


@dataclass(frozen=True)
class Dropped:
    """A dropped column: its table before and (None: dropped too) after, and the key that matches their rows."""

    before: Table
    after: Optional[Table]
    key: List[str]
    column: str
    values: int


@dataclass(frozen=True)
class _Place:
    """One column that was not there before; `link` is how its rows are reached from the row `a` of the same key."""

    table: Table
    column: str
    link: str  # "" for the row itself


def find_moved(
    connection: sqlite3.Connection, before: Schema, after: Schema, dropped: Dropped
) -> Optional[Moved]:
    """Return where most of a dropped column's values are found again, or None; reads only.

    Schemas are attached as `before` and `after`. A find by key outweighs one by multiset of the same size. What keys
    reach is judged by keys alone: there, equal texts in the wrong rows are no find.
    """
    reached = _places_by_key(connection, before, after, dropped)
    best = _best([_found_by_key(connection, dropped, place) for place in reached])
    if best is not None and best.accounted >= dropped.values:
        return best
    judged = {_name(place) for place in reached}
    others = [place for place in _created(before, after) if _name(place) not in judged]
    return _best([best, *(_found_by_value(connection, dropped, place) for place in others)])


def is_many(values: int, of: int) -> bool:
    """Return whether so many of a column's moved values are others now that people alone hardly did it."""
    return values >= _FEW_VALUES and values >= _FEW_SHARE * of


def _best(finds: List[Optional[Moved]]) -> Optional[Moved]:
    return max(
        (find for find in finds if find),
        key=lambda find: (find.accounted, find.values, find.by == "key"),
        default=None,
    )


def _name(place: _Place) -> str:
    return f"{place.table.name}.{place.column}"


def _created(before: Schema, after: Schema) -> List[_Place]:
    """Return all columns that were not there before, but keys, which are numbered anew."""
    places = []
    for table in after.without([]):
        earlier = before.table(table.name)
        names = table.column_names if earlier is None else table.without(earlier)
        places += [_Place(table, name, "") for name in names if name not in table.key]
    return places


def _places_by_key(
    connection: sqlite3.Connection, before: Schema, after: Schema, dropped: Dropped
) -> List[_Place]:
    here = dropped.after
    if here is None or not dropped.key:
        return []
    places = []
    for place in _created(before, after):
        if place.table.name == here.name:
            places.append(place)
            continue
        links = _links_to(connection, before, here, place.table)
        links += _links_from(connection, here, place.table)
        places += [_Place(place.table, place.column, link) for link in links]
    return places


def _links_to(connection: sqlite3.Connection, before: Schema, here: Table, there: Table) -> List[str]:
    """Return how a row `a` of this table points to a row `n` of the other: a foreign key, or a new column like one."""
    if len(there.key) != 1:
        return []
    declared = {key.columns[0] for key in here.foreign_keys if key.parent.lower() == there.name.lower()}
    earlier = before.table(here.name)
    new = set(here.without(earlier)) if earlier else set()
    columns = sorted(declared | {name for name in new if _all_inside(connection, here, name, there)})
    return [f"a.{quoted(name)} = n.{quoted(there.key[0])}" for name in columns]


def _links_from(connection: sqlite3.Connection, here: Table, there: Table) -> List[str]:
    """Return how a row `n` of the other table points to a row `a` of this one."""
    if len(here.key) != 1:
        return []
    declared = {key.columns[0] for key in there.foreign_keys if key.parent.lower() == here.name.lower()}
    alike = {name for name in there.column_names if name.lower().endswith("_id")}
    columns = sorted(declared | {name for name in alike if _all_inside(connection, there, name, here)})
    return [f"n.{quoted(name)} = a.{quoted(here.key[0])}" for name in columns]


def _all_inside(connection: sqlite3.Connection, child: Table, column: str, parent: Table) -> bool:
    """Return whether a column has whole numbers only, and each is a key of the other table."""
    name = quoted(column)
    count, outside = connection.execute(
        f"SELECT count({name}), total(typeof({name}) <> 'integer' OR {name} NOT IN"
        f" (SELECT {quoted(parent.key[0])} FROM {at('after', parent.name)}))"
        f" FROM {at('after', child.name)} WHERE {name} IS NOT NULL"
    ).fetchone()
    return bool(count) and not outside


def _found_by_key(connection: sqlite3.Connection, dropped: Dropped, place: _Place) -> Optional[Moved]:
    here = dropped.after
    if here is None or (_is_link(place) and place.column.lower() != dropped.column.lower()):
        return None
    join = f"{at('before', dropped.before.name)} AS b JOIN {at('after', here.name)} AS a"
    join += f" ON {same_key('b', 'a', dropped.key)}"
    found_in = "a"
    if place.link:
        join, found_in = f"{join} JOIN {at('after', place.table.name)} AS n ON {place.link}", "n"
    found, different, changed, cleared = connection.execute(
        "SELECT total(agrees AND NOT others), count(DISTINCT CASE WHEN agrees AND NOT others THEN v END),"
        f" total(others), total(NOT agrees AND NOT others) FROM ({_by_row(dropped, here, place, join, found_in)})"
    ).fetchone()
    moved = _judged(dropped, place, "key", int(found), different)
    is_home = different >= _TELLING_VALUES and found >= _HOME_SHARE * dropped.values
    if moved is None or not is_home:
        return moved
    few = 0 if is_many(int(cleared), dropped.values) else int(cleared)
    return replace(moved, changed=int(changed), cleared=few)


def _by_row(dropped: Dropped, here: Table, place: _Place, join: str, found_in: str) -> str:
    """Return a SELECT that says of each row with a value whether it stands in the place (`agrees`), and another does.

    A row can reach several places (children that point back): with another value beside it, it is not proven moved.
    """
    value, now = f"b.{quoted(dropped.column)}", f"{found_in}.{quoted(place.column)}"
    agrees = f"coalesce({value} = {now} COLLATE BINARY, 0)"
    return (
        f"SELECT {value} AS v, max({agrees}) AS agrees, max(NOT {agrees} AND coalesce({now}, '') <> '') AS others"
        f" FROM {join} WHERE {value} IS NOT NULL AND NOT {other_thing('b', 'a', dropped.before, here)}"
        f" GROUP BY {columns_of('b', dropped.key)}"
    )


def _found_by_value(connection: sqlite3.Connection, dropped: Dropped, place: _Place) -> Optional[Moved]:
    """Count the values that stand in the other column as often; numbers only where the column kept its name.

    That equal values stand there does not prove that they are these values, nor that they stand in the right rows.
    """
    same_name = place.column.lower() == dropped.column.lower()
    found, different, texts = connection.execute(
        "SELECT total(min(b.n, a.n)), count(*), total(typeof(b.v) = 'text')"
        f" FROM ({_grouped('before', dropped.before, dropped.column)}) AS b"
        f" JOIN ({_grouped('after', place.table, place.column)}) AS a ON a.v = b.v AND typeof(a.v) = typeof(b.v)"
    ).fetchone()
    if not same_name and texts < different:
        return None
    return _judged(dropped, place, "multiset", min(int(found), dropped.values), different)


def _grouped(schema: str, table: Table, column: str) -> str:
    value = f"+{quoted(column)} COLLATE BINARY"
    return (
        f"SELECT {value} AS v, count(*) AS n FROM {at(schema, table.name)}"
        f" WHERE {quoted(column)} IS NOT NULL GROUP BY {value}"
    )


def _judged(dropped: Dropped, place: _Place, by: str, found: int, different: int) -> Optional[Moved]:
    same_name = place.column.lower() == dropped.column.lower()
    in_each_row = by == "key" and found >= dropped.values and different > 1
    telling = same_name or different >= _TELLING_VALUES or in_each_row
    return Moved(found, _name(place), by) if found and telling else None


def _is_link(place: _Place) -> bool:
    declared = {name.lower() for key in place.table.foreign_keys for name in key.columns}
    return place.column.lower() in declared or place.column.lower().endswith("_id")
