"""The account of one table with a key: what became of each row of the backup and of live in the recovered copy.

Written apart from the repair: it reads rows side by side and judges them in Python, with none of the repair's SQL.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Dict, FrozenSet, Iterator, List, Optional, Set, Tuple

from adapters.host_reader.sqlite_given import EMPTY_SIGNS, times_of
from adapters.host_reader.sqlite_open import quoted
from adapters.host_reader.sqlite_schema import Schema, Table, identity_columns

Row = Dict[str, Any]
Key = Tuple[Any, ...]
# From this share on a changed column was converted by the migration as a whole.
_WHOLE_COLUMN = 0.5
ROW_KINDS = (
    "kept",
    "changed_since",
    "restored",
    "left_deleted",
    "parent_gone",
    "key_reused",
    "key_taken",
    "lost",
)


@dataclass
class Account:
    """The counts of one table. `rows` are the backup's, `live` the broken state's, `values` those of lost columns."""

    rows: Dict[str, int] = field(default_factory=Counter)
    live: Dict[str, int] = field(default_factory=Counter)
    values: Dict[str, int] = field(default_factory=Counter)
    unaccounted: int = 0
    reasons: List[str] = field(default_factory=list)


@dataclass(frozen=True)
class Books:
    """What all accounts share: the open databases (`main` is the copy), decisions, and the values of the new shape.

    `mapped` holds per (table, column), lower case, the values a row of a key was given by a mapping; `moved` holds all
    values of columns that only the broken state has.
    """

    connection: sqlite3.Connection
    schemas: Dict[str, Schema]
    decisions: Dict[str, Any]
    mapped: Dict[Tuple[str, str], Dict[Key, Set[Any]]]
    moved: FrozenSet[Tuple[type, Any]]


def typed(value: Any) -> Tuple[type, Any]:
    """Return a value in a form in which 1, 1.0 and '1' differ."""
    return (type(value), value)


def same_value(one: Any, other: Any, converted: bool = False) -> bool:
    """Return whether two values are the same; where the column's type was converted, 1 and '1' are."""
    if typed(one) == typed(other):
        return True
    return converted and one is not None and other is not None and (one == other or str(one) == str(other))


class KeyedAccount:
    """The account of one table whose rows have a key in all three databases."""

    def __init__(self, books: Books, base: Table, live: Optional[Table], copy: Table) -> None:
        self._books = books
        self._base = base
        self._live = live
        self._copy = copy
        self._key = list(base.key)
        self._account = Account()
        self._suspects: Dict[str, Dict[str, int]] = {}
        self._given = {name: self._given_value(name) for name in self._lost_columns()}
        self._kept_columns = [] if live is None else _compared(live, copy)
        self._back_columns = _compared(base, copy)
        self._base_columns = {} if live is None else dict(_compared(base, live))
        self._times = {id(table): _times(base, table) for table in (live, copy) if table is not None}

    def _lost_columns(self) -> List[str]:
        if self._live is None:
            return []
        return [name for name in self._base.common(self._copy) if not self._live.column(name)]

    def _given_value(self, name: str) -> Any:
        """Return what the rows there were, were given when the rollback added the column again, None where unknown."""
        column = self._copy.column(name)
        if column is not None and column.is_stamped:
            return self._moment(quoted(name))
        if column is None or column.default is None:
            return None if column is None else column.given
        return self._books.connection.execute(f"SELECT {column.default}").fetchone()[0]

    def _moment(self, name: str) -> Any:
        """Return the newest time that is not the backup's, if it is later than what live tells and nothing there is equal."""
        newest = self._books.connection.execute(
            f"SELECT max({name}) FROM (SELECT {name} FROM main.{quoted(self._copy.name)}"
            f" EXCEPT SELECT {name} FROM base.{quoted(self._base.name)})"
        ).fetchone()[0]
        if not isinstance(newest, str) or self._live is None or typed(newest) in self._books.moved:
            return None
        for time in times_of(self._live):
            written = self._books.connection.execute(
                f"SELECT max({quoted(time)}) FROM live.{quoted(self._live.name)}"
            ).fetchone()[0]
            if written is not None and str(written) >= newest:
                return None
        return newest

    def closed(self) -> Account:
        """Return the finished account; reads only."""
        seen = 0
        for base, live, copy in self._rows_of_base():
            seen += 1
            self._judge_base_row(base, live, copy)
        if seen != self._count(f"base.{quoted(self._base.name)}"):
            self._account.reasons.append(f"{self._base.name}: its key does not tell its rows apart")
        if self._live is not None:
            self._judge_new_rows(self._live)
        self._account.unaccounted += self._strangers()
        self._judge_suspects()
        return self._account

    def _count(self, table: str) -> int:
        return int(self._books.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def _rows_of_base(self) -> Iterator[Tuple[Row, Optional[Row], Optional[Row]]]:
        tables = [("base", self._base), ("live", self._live), ("main", self._copy)]
        there = [(schema, table) for schema, table in tables if table is not None]
        select, parts = _side_by_side(there, self._key)
        for row in self._books.connection.execute(select):
            rows = _split(row, parts)
            base, copy = rows[0], rows[-1]
            if base is not None:
                yield base, rows[1] if self._live is not None else None, copy

    def _judge_base_row(self, base: Row, live: Optional[Row], copy: Optional[Row]) -> None:
        if live is not None and self._live is not None:
            if self._same_thing(base, live, self._live):
                self._judge_surviving(base, live, copy)
            else:
                self._account.rows["key_reused"] += 1
                self._judge_newcomer(live, copy)
            return
        if copy is not None and self._same_thing(base, copy, self._copy):
            self._judge_brought_back(base, copy)
        elif self._books.decisions.get(self._base.name) == "leave":
            self._account.rows["left_deleted"] += 1
        else:
            self._account.rows[self._why_absent(base)] += 1

    def _same_thing(self, one: Row, other: Row, table: Table) -> bool:
        """Return whether two rows of one key are one thing: `created_at` decides where one of them has it."""
        born, rest = self._times[id(table)]
        if born and (one[born[0]] is not None or other[born[0]] is not None):
            return same_value(one[born[0]], other[born[0]], born[1])
        return all(
            one[name] is None or other[name] is None or same_value(one[name], other[name], loose)
            for name, loose in rest
        )

    def _judge_surviving(self, base: Row, live: Row, copy: Optional[Row]) -> None:
        if copy is None or not self._same_thing(base, copy, self._copy):
            self._account.rows["lost"] += 1
            return
        same = self._judge_live_row(live, copy, base)
        for name in self._given:
            self._judge_lost_value(name, base, copy)
        self._account.rows["kept" if same else "changed_since"] += 1

    def _judge_live_row(self, live: Row, copy: Optional[Row], base: Optional[Row]) -> bool:
        """Count a live row and its values in the copy; return whether it is as the backup has it."""
        if self._live is None or copy is None:
            self._account.live["lost"] += 1
            return False
        self._account.live["kept"] += 1
        unchanged = True
        for name, loose in self._kept_columns:
            value = live[name]
            if base is not None and name in self._base_columns:
                same = same_value(base[name], value, self._base_columns[name])
                unchanged &= same
                self._suspect(name, not same)
            if not same_value(value, copy[name], loose):
                self._judge_other_value(name, value, copy[name], base)
        return unchanged

    def _judge_other_value(self, name: str, live: Any, copy: Any, base: Optional[Row]) -> None:
        """Judge a value that is another in live: legal where it came from the new shape, or by decision, and where the
        rollback converted the column as a whole back to what the backup has.
        """
        before = base.get(name) if base is not None else None
        as_before = base is not None and name in self._base_columns and same_value(before, copy)
        if live is None and (typed(copy) in self._books.moved or (as_before and self._to_be_filled(name))):
            return
        if as_before:
            self._suspects[name]["back"] += 1
            return
        self._account.values["lost"] += 1

    def _to_be_filled(self, name: str) -> bool:
        decided = {str(each).lower(): answer for each, answer in self._books.decisions.items()}
        return decided.get(f"{self._base.name}.{name}".lower()) == "restore"

    def _suspect(self, name: str, changed: bool) -> None:
        counts = self._suspects.setdefault(name, {"rows": 0, "changed": 0, "back": 0})
        counts["rows"] += 1
        counts["changed"] += changed

    def _judge_suspects(self) -> None:
        for counts in self._suspects.values():
            whole = counts["changed"] >= _WHOLE_COLUMN * counts["rows"]
            if counts["back"] and not (whole and counts["back"] >= _WHOLE_COLUMN * counts["changed"]):
                self._account.values["lost"] += counts["back"]

    def _judge_lost_value(self, name: str, base: Optional[Row], copy: Row) -> None:
        """Judge a value of a column that the broken state does not have."""
        before = base[name.lower()] if base is not None else None
        now = copy[name.lower()]
        newer = self._mapped(name, copy)
        # Laravel writes the default of a number as text ('0'), which the column's type turns into a number.
        is_set = not self._is_given(name, now)
        if newer:
            self._account.values["mapped" if typed(now) in newer or len(newer) > 1 else "lost"] += 1
        elif same_value(before, now):
            self._account.values["restored"] += before is not None
        elif is_set and self._rule_for(name) is None and typed(now) in self._books.moved:
            self._account.values["newer_kept"] += 1
        elif is_set:
            self._account.unaccounted += 1
        elif before is not None:
            self._account.values["lost"] += 1
        elif base is not None and now is not None and self._may_be_null(name):
            self._account.unaccounted += typed(now) not in self._books.moved

    def _may_be_null(self, name: str) -> bool:
        column = self._copy.column(name)
        return column is not None and not column.notnull

    def _is_given(self, name: str, value: Any) -> bool:
        """Return whether a value says nothing of its own: NULL, the default, or what NOT NULL without a default is given."""
        if value is None or same_value(value, self._given[name], converted=True):
            return True
        column = self._copy.column(name)
        return (
            column is not None
            and column.notnull
            and column.default is None
            and isinstance(value, (int, float, str))
            and not str(value).strip(EMPTY_SIGNS)
        )

    def _rule_for(self, name: str) -> Optional[Dict[Key, Set[Any]]]:
        return self._books.mapped.get((self._base.name.lower(), name.lower()))

    def _mapped(self, name: str, copy: Row) -> Set[Any]:
        rule = self._rule_for(name)
        return set() if rule is None else rule.get(tuple(copy[part.lower()] for part in self._key), set())

    def _judge_brought_back(self, base: Row, copy: Row) -> None:
        if self._books.decisions.get(self._base.name) == "leave":
            self._account.unaccounted += 1
            self._account.rows["left_deleted"] += 1
            return
        self._account.rows["restored"] += 1
        for name, loose in self._back_columns:
            if not same_value(base[name], copy[name], loose):
                self._account.values["lost"] += 1

    def _why_absent(self, base: Row) -> str:
        if self._parent_gone(base):
            return "parent_gone"
        return "key_taken" if self._unique_taken(base) else "lost"

    def _parent_gone(self, base: Row) -> bool:
        for key in {*self._base.foreign_keys, *self._copy.foreign_keys}:
            values = [base.get(name.lower()) for name in key.columns]
            if all(value is not None for value in values) and not self._parent_there(
                key.parent, key.parent_columns, values
            ):
                return True
        return False

    def _parent_there(self, parent: str, columns: Tuple[str, ...], values: List[Any]) -> bool:
        if self._books.schemas["main"].table(parent) is None:
            return False
        return self._exists(parent, list(columns), values)

    def _unique_taken(self, base: Row) -> bool:
        table = quoted(self._copy.name)
        for index in self._books.connection.execute(f"PRAGMA main.index_list({table})").fetchall():
            info = self._books.connection.execute(f"PRAGMA main.index_xinfo({quoted(index[1])})").fetchall()
            columns = {part[2]: str(part[4]) for part in info if part[5]}
            if index[2] and None not in columns and all(name.lower() in base for name in columns):
                values = [base[name.lower()] for name in columns]
                if None not in values and self._exists(self._copy.name, list(columns), values, columns):
                    return True
        return False

    def _exists(
        self, table: str, columns: List[str], values: List[Any], collations: Optional[Dict[str, str]] = None
    ) -> bool:
        """Return whether a row has the values; a unique index compares them by its own collations."""
        own = {name: f" COLLATE {collation}" for name, collation in (collations or {}).items()}
        where = " AND ".join(f"{quoted(name)} = ?{own.get(name, '')}" for name in columns)
        select = f"SELECT 1 FROM main.{quoted(table)} WHERE {where} LIMIT 1"
        return self._books.connection.execute(select, values).fetchone() is not None

    def _judge_new_rows(self, table: Table) -> None:
        """Judge live's rows that the backup does not have."""
        select, parts = _side_by_side(
            [("live", table), ("main", self._copy), ("base", self._base)], self._key
        )
        for row in self._books.connection.execute(f"{select} WHERE t2.{quoted(self._key[0])} IS NULL"):
            live, copy, _ = _split(row, parts)
            if live is not None:
                self._judge_newcomer(live, copy)

    def _judge_newcomer(self, live: Row, copy: Optional[Row]) -> None:
        """Judge a live row that is none of the backup's; a value of another row's past must not stand in it."""
        self._judge_live_row(live, copy, None)
        if copy is not None:
            for name in self._given:
                self._judge_lost_value(name, None, copy)

    def _strangers(self) -> int:
        """Return how many rows of the copy are neither the backup's nor live's."""
        tables = [("main", self._copy), ("base", self._base), ("live", self._live)]
        there = [(schema, table) for schema, table in tables if table is not None]
        select, _ = _side_by_side(there, self._key)
        nowhere = [f"t{place}.{quoted(self._key[0])} IS NULL" for place in range(1, len(there))]
        return self._count(f"({select} WHERE {' AND '.join(nowhere)})")


def _compared(one: Table, other: Table) -> List[Tuple[str, bool]]:
    """Return the lower-case names of the common columns, and whether the type was converted between the two."""
    return [(name.lower(), _converted(name, one, other)) for name in one.common(other)]


def _times(one: Table, other: Table) -> Tuple[Optional[Tuple[str, bool]], List[Tuple[str, bool]]]:
    """Return the time of birth, or None, and the other times that say whether two rows are one thing."""
    times = [(name.lower(), _converted(name, one, other)) for name in identity_columns(one, other)]
    born = next((time for time in times if time[0] == "created_at"), None)
    return born, [time for time in times if time[0] != "created_at"]


def _converted(name: str, one: Table, other: Table) -> bool:
    first, second = one.column(name), other.column(name)
    return first is None or second is None or first.affinity != second.affinity


def _side_by_side(tables: List[Tuple[str, Table]], key: List[str]) -> Tuple[str, List[List[str]]]:
    """Return a SELECT of whole rows, the first table's with those of the same key in the others, and their columns.

    Before each part stands a 1 where the row is there and NULL where it is not.
    """
    selected, joined, parts = [], "", []
    for place, (schema, table) in enumerate(tables):
        alias = f"t{place}"
        there = f"{alias}.{quoted(key[0])} IS NOT NULL"
        selected += [there, *(f"{alias}.{quoted(name)}" for name in table.column_names)]
        source = f"{schema}.{quoted(table.name)} AS {alias}"
        on = " AND ".join(f"{alias}.{quoted(name)} = t0.{quoted(name)}" for name in key)
        joined += source if place == 0 else f" LEFT JOIN {source} ON {on}"
        parts.append([name.lower() for name in table.column_names])
    return f"SELECT {', '.join(selected)} FROM {joined}", parts


def _split(row: Tuple[Any, ...], parts: List[List[str]]) -> List[Optional[Row]]:
    rows: List[Optional[Row]] = []
    start = 0
    for names in parts:
        values = row[start + 1 : start + 1 + len(names)]
        # `strict` came with Python 3.10; the lengths are equal by the slice.
        rows.append(dict(zip(names, values)) if row[start] else None)  # noqa: B905
        start += 1 + len(names)
    return rows
