"""What the row reader asks of a database server, whatever its engine: the contract between engines and the shared rooms.

An engine's server (`mysql`, `postgresql`) is driven with the host's own client programs. A database is named as the
engine does. No method tells row content in an error: a Refusal holds names, counts and the server's error code only.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Iterator, List, Optional, Protocol, Sequence, Tuple, Union

Value = Union[int, str, bytes, None]
Row = Tuple[Value, ...]


@dataclass(frozen=True)
class ServerColumn:
    """One stored column.

    `type` is the engine's own name of its type; `kind` how its values are given: `integer` (int within 64 bits signed),
    `binary` (bytes), `text` (str; every other type in the engine's exact text form). `default` is the literal it gets
    where nothing is given (int or str), None where there is none or it is computed. `folds_case`: the server takes texts
    that differ only by case for equal. `given` is what the rows there are get where the column is added NOT NULL without a
    default, and the server then takes a value that is not an empty one (the first of an ENUM); None elsewhere. `stamped`:
    its default is the time at which a row is written.
    """

    name: str
    type: str
    kind: str
    notnull: bool
    default: Union[int, str, None]
    folds_case: bool = False
    given: Optional[str] = None
    stamped: bool = False


@dataclass(frozen=True)
class ServerKey:
    """One declared foreign key; `columns[i]` refers to `parent_columns[i]`; `on_delete` as in SQL: CASCADE, …"""

    columns: Tuple[str, ...]
    parent: str
    parent_columns: Tuple[str, ...]
    on_delete: str


@dataclass(frozen=True)
class ServerTable:
    """One table that holds rows of its own. `key` is the primary key, () without one; generated columns are left out.

    `uniques` are the column lists of the other unique indexes. `numbered` is the column whose next value the server
    gives (AUTO_INCREMENT, a sequence, an identity), None without one.
    """

    name: str
    columns: Tuple[ServerColumn, ...]
    key: Tuple[str, ...]
    foreign_keys: Tuple[ServerKey, ...]
    uniques: Tuple[Tuple[str, ...], ...]
    numbered: Optional[str]

    @property
    def column_names(self) -> List[str]:
        """Return the names of the stored columns in their order."""
        return [column.name for column in self.columns]


@dataclass(frozen=True)
class ServerSchema:
    """All tables of one database by name, the names of its other objects, and a hash of all their definitions."""

    tables: Dict[str, ServerTable]
    views: Tuple[str, ...]
    triggers: Tuple[str, ...]
    routines: Tuple[str, ...]
    hash: str


@dataclass(frozen=True)
class Fingerprint:
    """The content of one database: equal hashes, equal schema and rows, in whatever order they lie.

    `rows` counts by table. Comparable between databases of one server only.
    """

    hash: str
    schema_hash: str
    rows: Dict[str, int]

    def as_answer(self) -> Dict[str, Any]:
        """Return it as the fields of a verb's answer."""
        return {
            "fingerprint": self.hash,
            "schema_hash": self.schema_hash,
            "tables": {name: {"rows": rows} for name, rows in self.rows.items()},
        }


class Server(Protocol):
    """One reachable server, as the application's own user. Used by one verb, in one thread."""

    engine: str
    """`mysql`, `mariadb` or `pgsql`."""
    version: str
    """As the server tells it: `10.11.19-MariaDB`, `15.18`."""

    def close(self) -> None:
        """End its sessions and remove the files that held the credentials."""

    def exists(self, database: str) -> bool:
        """Return whether there is a database of that name; reads only."""

    def create(self, database: str, like: str) -> None:
        """Make a new, empty database with the character set, collation and settings of another.

        *Raises* Refusal: refused (no right to; the message says which), changed (one of that name is there).
        """

    def drop(self, database: str) -> None:
        """Remove one of Backout's own databases. *Raises* Refusal (bad_request) for a name not of Backout's own."""

    def schema(self, database: str) -> ServerSchema:
        """Return what a database is made of; reads only."""

    def fingerprint(self, database: str) -> Fingerprint:
        """Return the hash of the whole content; reads only."""

    def reading(self, database: str) -> AbstractContextManager[None]:
        """Give all `stream` calls inside one consistent snapshot of the database."""

    def stream(self, database: str, table: ServerTable) -> Iterator[Row]:
        """Give all rows of a table, columns in the table's order, in any row order; constant memory; reads only."""

    def number(self, database: str, select: str) -> int:
        """Return the one number a SELECT gives, 0 for NULL; reads only."""

    def filling(self, database: str) -> AbstractContextManager[None]:
        """Keep triggers and foreign keys from acting on a scratch database; at the end they are as before, and hold.

        *Changes*: scratch only. *Raises* Refusal (foreign_keys) at the end where a foreign key does not hold, with its name.
        """

    def insert_rows(
        self, database: str, table: ServerTable, columns: Sequence[str], rows: Iterable[Row]
    ) -> int:
        """Put rows into scratch in one transaction; one whose primary key is there is replaced. Returns how many."""

    def update_rows(
        self, database: str, table: ServerTable, columns: Sequence[str], rows: Iterable[Row]
    ) -> int:
        """Set columns by primary key in one transaction; each row is the key's values and then the new ones."""

    def delete_rows(self, database: str, table: ServerTable, keys: Iterable[Row]) -> int:
        """Remove rows of scratch by primary key in one transaction. Returns how many were there."""

    def fill_columns(
        self, database: str, source: str, table: ServerTable, columns: Sequence[str], low: Row, high: Row
    ) -> Optional[int]:
        """Copy columns by primary key from the same table of another database of this server, key between low and high.

        One transaction, the fastest the engine has. Returns how many rows changed, None where the engine cannot.
        """

    def raise_numbers(self, database: str, table: ServerTable, above: int, *, live: bool = False) -> None:
        """Make the next value that the server gives in `table.numbered` greater than `above`; never lower than it is.

        *Changes*: scratch only; with `live` also the application's own database, and there too that counter alone.
        """
