"""What must change in a scratch database so that it becomes as its wanted image says: rows by key, in chunks."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.images.fills import Fill, plan_fills
from adapters.host_reader.images.keyless import keyless_changes, keyless_counts
from adapters.host_reader.server.port import Row, ServerSchema, ServerTable
from adapters.host_reader.sqlite_open import quoted, reading_together
from adapters.host_reader.sqlite_rows import any_of, at, columns_of, same_key

# Rows of large values make smaller chunks, so that memory stays bounded.
_CHUNK_BYTES = 8 << 20


@dataclass(frozen=True)
class Change:
    """One chunk. `kind`: delete (rows are keys), fill (rows are the lowest and highest key), update (key and values), insert."""

    kind: str
    table: ServerTable
    columns: Tuple[str, ...]
    rows: Tuple[Row, ...]


@dataclass(frozen=True)
class Difference:
    """How much of one table must change: rows to delete, to insert, to update, and how many values per column."""

    deleted: int
    inserted: int
    updated: int
    columns: Dict[str, int]

    @property
    def rows(self) -> int:
        """Return how many rows are touched."""
        return self.deleted + self.inserted + self.updated


@contextlib.contextmanager
def open_delta(
    schema: ServerSchema,
    now: str,
    wanted: str,
    base: Optional[str],
    fillable: Mapping[str, Set[str]],
    chunk_rows: int,
) -> Iterator[Delta]:
    """Open the images of scratch as it is and as it shall be; `base` is the backup's, for what can be filled from it.

    `fillable` names per table the columns that the backup's database on the same server has alike.
    """
    paths = {"now": now, "wanted": wanted}
    if base is not None and fillable:
        paths["base"] = base
    with reading_together(**paths) as connection:
        # Text that is no UTF-8 keeps its bytes on the way from image to server.
        connection.text_factory = _any_text
        yield Delta(connection, schema, fillable if "base" in paths else {}, chunk_rows)


def _any_text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


class Delta:
    """The difference between two attached images, `now` and `wanted`, of one database."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        schema: ServerSchema,
        fillable: Mapping[str, Set[str]],
        chunk_rows: int,
    ) -> None:
        self._connection = connection
        self._chunk_rows = chunk_rows
        self._fillable = fillable
        self._tables = parents_first(schema)
        for table in self._tables:
            _refuse_equal_keys(connection, table)
        self._fills: Dict[str, Fill] = {}
        self.differences = {table.name: self._difference(table) for table in self._tables}
        # Worked out before anything is changed: what cannot be told apart is refused here.
        self._loose = {
            table.name: keyless_changes(connection, table)
            for table in self._tables
            if not table.key and self.differences[table.name].rows
        }

    @property
    def rows(self) -> int:
        """Return how many rows are touched in all."""
        return sum(each.rows for each in self.differences.values())

    def changes(self) -> Iterator[Change]:
        """Give all chunks in the order in which they can be applied: no unique value stands twice at any moment."""
        touched = [table for table in self._tables if self.differences[table.name].rows]
        keyed = [table for table in touched if table.key]
        loose = self._loose
        for table in reversed(touched):
            if table.key:
                yield from self._chunks("delete", table, table.key, self._select_deleted(table))
            else:
                yield from self._cut(
                    "delete", loose[table.name].by, loose[table.name].by.key, loose[table.name].delete
                )
        for table in keyed:
            yield from self._filled(table)
            yield from self._updated(table)
        for table in touched:
            names = tuple(table.column_names)
            if table.key:
                yield from self._chunks("insert", table, names, self._select_inserted(table))
            else:
                yield from self._cut("insert", table, names, loose[table.name].insert)

    def not_filled(self, table: ServerTable) -> None:
        """Take note that the engine has no fast way to fill: the table's values follow as updates."""
        self._fills[table.name].forget(self._connection)

    def _difference(self, table: ServerTable) -> Difference:
        if not table.key:
            return Difference(*keyless_counts(self._connection, table), 0, {})
        deleted = self._count(f"SELECT count(*) {_absent('now', 'wanted', table)}")
        inserted = self._count(f"SELECT count(*) {_absent('wanted', 'now', table)}")
        names = [name for name in table.column_names if name not in table.key]
        wanted = [f"total({_differs(name)})" for name in names]
        counts = self._connection.execute(
            f"SELECT total({_differs_in(names)}), {', '.join([*wanted, '0'])} {_joined(table)}"
        ).fetchone()
        changed = {name: int(counts[1 + place]) for place, name in enumerate(names) if counts[1 + place]}
        return Difference(deleted, inserted, int(counts[0]), changed)

    def _count(self, select: str) -> int:
        return int(self._connection.execute(select).fetchone()[0])

    def _select_deleted(self, table: ServerTable) -> str:
        gone = f"SELECT {columns_of('x', list(table.key))} {_absent('now', 'wanted', table)}"
        if not _gives_up_unique(table, self._changed(table)):
            return gone
        return f"{gone} UNION ALL SELECT {columns_of('n', list(table.key))} {_joined(table)} WHERE {self._moved(table)}"

    def _select_inserted(self, table: ServerTable) -> str:
        new = f"SELECT {columns_of('x', table.column_names)} {_absent('wanted', 'now', table)}"
        if not _gives_up_unique(table, self._changed(table)):
            return new
        return f"{new} UNION ALL SELECT {columns_of('w', table.column_names)} {_joined(table)} WHERE {self._moved(table)}"

    def _changed(self, table: ServerTable) -> List[str]:
        return list(self.differences[table.name].columns)

    def _moved(self, table: ServerTable) -> str:
        """Return the condition that a row gives up a unique value: such a row is taken out first and put in again."""
        unique = _gives_up_unique(table, self._changed(table))
        return any_of([f"(n.{quoted(name)} IS NOT NULL AND {_differs(name)})" for name in unique])

    def _filled(self, table: ServerTable) -> Iterator[Change]:
        changed = self.differences[table.name].columns
        candidates = {
            name: changed[name] for name in changed if name in self._fillable.get(table.name, set())
        }
        fill = plan_fills(self._connection, table, candidates)
        if fill is None:
            return
        self._fills[table.name] = fill
        for low, high in fill.ranges:
            if not fill.forgotten:
                yield Change("fill", table, tuple(fill.columns), ((low,), (high,)))

    def _updated(self, table: ServerTable) -> Iterator[Change]:
        changed = self._changed(table)
        if not changed:
            return
        fill = self._fills.get(table.name)
        filled = fill.columns if fill is not None else []
        rest = _differs_in([name for name in changed if name not in filled])
        where = [rest] if fill is None else [rest, f"({_differs_in(filled)} AND NOT {fill.reached})"]
        select = (
            f"SELECT {columns_of('w', [*table.key, *changed])} {_joined(table)}{fill.joined if fill else ''}"
            f" WHERE {any_of(where)} AND NOT {self._moved(table)}"
        )
        yield from self._chunks("update", table, tuple(changed), select)

    def _chunks(self, kind: str, table: ServerTable, columns: Sequence[str], select: str) -> Iterator[Change]:
        yield from self._cut(kind, table, columns, self._connection.execute(select))

    def _cut(self, kind: str, table: ServerTable, columns: Sequence[str], rows: Any) -> Iterator[Change]:
        lot: List[Row] = []
        size = 0
        for row in rows:
            lot.append(row)
            size += sum(len(value) for value in row if isinstance(value, (str, bytes)))
            if len(lot) >= self._chunk_rows or size >= _CHUNK_BYTES:
                yield Change(kind, table, tuple(columns), tuple(lot))
                lot, size = [], 0
        if lot:
            yield Change(kind, table, tuple(columns), tuple(lot))


def _refuse_equal_keys(connection: sqlite3.Connection, table: ServerTable) -> None:
    """Do nothing where no two keys that shall be there are one key to the server. *Raises* Refusal (ambiguous)."""
    folded = {column.name for column in table.columns if column.folds_case and column.name in table.key}
    if not folded:
        return
    by = ", ".join(f"lower({quoted(name)})" if name in folded else quoted(name) for name in table.key)
    equals = f"SELECT 1 FROM {at('wanted', table.name)} GROUP BY {by} HAVING count(*) > 1"
    if connection.execute(f"SELECT EXISTS ({equals})").fetchone()[0]:
        raise Refusal(
            "ambiguous",
            f"Keys of table {table.name!r} in the backup and in live differ only by case, and the server takes them for the"
            " same row: which of the two it is to be cannot be told. Nothing was changed; choose a swap, or leave the"
            " table's rows as they are.",
        )


def _absent(one: str, other: str, table: ServerTable) -> str:
    """Return the FROM and WHERE of rows `x` that one image has and the other has not."""
    same = same_key("y", "x", list(table.key))
    return f"FROM {at(one, table.name)} AS x WHERE NOT EXISTS (SELECT 1 FROM {at(other, table.name)} AS y WHERE {same})"


def _joined(table: ServerTable) -> str:
    on = same_key("n", "w", list(table.key))
    return f"FROM {at('wanted', table.name)} AS w JOIN {at('now', table.name)} AS n ON {on}"


def _differs(name: str) -> str:
    return f"w.{quoted(name)} IS NOT n.{quoted(name)} COLLATE BINARY"


def _differs_in(names: Sequence[str]) -> str:
    return any_of([_differs(name) for name in names])


def _gives_up_unique(table: ServerTable, changed: Sequence[str]) -> List[str]:
    unique = {name for columns in table.uniques for name in columns}
    return [name for name in changed if name in unique]


def parents_first(schema: ServerSchema) -> List[ServerTable]:
    """Return the tables so that each comes after those its foreign keys name; in a circle the order is by name."""
    ordered: List[ServerTable] = []
    waiting = dict(sorted(schema.tables.items()))
    while waiting:
        free = [
            table
            for table in waiting.values()
            if not any(key.parent in waiting and key.parent != table.name for key in table.foreign_keys)
        ]
        ordered += free or [next(iter(waiting.values()))]
        waiting = {name: table for name, table in waiting.items() if table not in ordered}
    return ordered
