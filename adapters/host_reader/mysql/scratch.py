"""Write rows into scratch databases: by key, in one transaction each, with triggers and foreign keys kept still."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.client import NOT_STRICT_MODE, STRICT_MODE, Session
from adapters.host_reader.mysql.definitions import drop_definitions, make_definition, triggers
from adapters.host_reader.mysql.names import at, listed, quoted
from adapters.host_reader.mysql.rows import writer_of
from adapters.host_reader.mysql.schema import Definition, Structure
from adapters.host_reader.server.port import Row, ServerTable, Value
from adapters.host_reader.sqlite_files import read_note, write_note

_GATHERED = "backout_rows"
# Well below the smallest packet a server takes today (1 MB until MariaDB 10.2, 4 MB in MySQL 5.7).
_STATEMENT_CHARS = 700_000


class StillTriggers:
    """The triggers of a scratch database, taken away while rows are filled in and kept in a file for the way back.

    The file stays when the process is killed; the next filling takes the triggers from it.
    """

    def __init__(self, folder: Path, database: str) -> None:
        self._path = str(folder / f"{database}.triggers.json")

    def take_away(self, session: Session, found: Sequence[Definition]) -> None:
        """Remove the triggers. *Changes*: the scratch database, and the file before it."""
        known = self._kept()
        present = {each.name for each in known}
        kept = [*known, *(each for each in triggers(found) if each.name not in present)]
        if kept:
            write_note(self._path, {"triggers": [asdict(each) for each in kept]})
            drop_definitions(session, kept)

    def put_back(self, session: Session) -> None:
        """Make the triggers again, and remove the file. *Changes*: the scratch database."""
        for each in self._kept():
            make_definition(session, each)
        with contextlib.suppress(FileNotFoundError):
            Path(self._path).unlink()

    def _kept(self) -> List[Definition]:
        note = read_note(self._path)
        return [Definition(**each) for each in (note or {}).get("triggers", [])]


def insert_rows(
    session: Session,
    database: str,
    table: ServerTable,
    columns: Sequence[str],
    rows: Iterable[Row],
    structure: Structure,
) -> int:
    """Put rows in, in one transaction; one whose primary key is there is replaced. Returns how many."""
    doing = f"putting rows into {database}.{table.name}"
    by_key = bool(table.key) and set(table.key) <= set(columns)
    with _transaction(session, database, table, doing):
        given = _gather(session, table, columns, rows, structure, doing)
        if by_key:
            session.run(f"DELETE t FROM {_joined(table, table.key)}", doing)
        names = listed(columns)
        session.run(f"INSERT INTO {quoted(table.name)} ({names}) SELECT {names} FROM {_GATHERED}", doing)
    return given


def update_rows(
    session: Session,
    database: str,
    table: ServerTable,
    columns: Sequence[str],
    rows: Iterable[Row],
    structure: Structure,
) -> int:
    """Set columns by primary key, in one transaction; returns how many of the keys were there."""
    doing = f"setting values in {database}.{table.name}"
    _refuse_keyless(table)
    with _transaction(session, database, table, doing):
        _gather(session, table, [*table.key, *columns], rows, structure, doing)
        found = session.one(f"SELECT COUNT(*) FROM {_joined(table, table.key)}", doing)
        sets = _sets(columns, structure.touched.get(table.name, ()), f"{_GATHERED}.")
        session.run(f"UPDATE {_joined(table, table.key)} SET {sets}", doing)
    return int(found or 0)


def delete_rows(
    session: Session, database: str, table: ServerTable, keys: Iterable[Row], structure: Structure
) -> int:
    """Remove rows by primary key, in one transaction; returns how many were there."""
    doing = f"removing rows of {database}.{table.name}"
    _refuse_keyless(table)
    with _transaction(session, database, table, doing):
        _gather(session, table, list(table.key), keys, structure, doing)
        return session.run(f"DELETE t FROM {_joined(table, table.key)}", doing)


def fill_columns(
    session: Session,
    database: str,
    source: str,
    table: ServerTable,
    columns: Sequence[str],
    low: Row,
    high: Row,
    structure: Structure,
) -> Optional[int]:
    """Copy columns by primary key from the same table of another database, keys from `low` to `high`, both included.

    None where the order of the key's values is not that of numbers: the server sorts text by its collation.
    """
    kinds = {column.name: column.kind for column in table.columns}
    if not table.key or any(kinds.get(name) != "integer" for name in table.key):
        return None
    doing = f"filling {database}.{table.name}"
    same = " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in table.key)
    sets = _sets(columns, structure.touched.get(table.name, ()), "s.")
    with _transaction(session, database, table, doing):
        return session.run(
            f"UPDATE {at(source, table.name)} AS s STRAIGHT_JOIN {quoted(table.name)} AS t ON {same} SET {sets}"
            f" WHERE {_between(table.key, low, high)}",
            doing,
        )


def _between(key: Sequence[str], low: Row, high: Row) -> str:
    first = quoted(key[0])
    simple = f"s.{first} BETWEEN {_whole(low[0])} AND {_whole(high[0])}"
    if len(key) == 1:
        return simple
    # The first column alone can be looked up in the index; the whole key then decides.
    names = f"({listed(key, 's.')})"
    lowest, highest = (", ".join(_whole(value) for value in values) for values in (low, high))
    return f"{simple} AND {names} >= ({lowest}) AND {names} <= ({highest})"


def _whole(value: Value) -> str:
    return str(int(value)) if isinstance(value, (int, bytes)) else str(int(str(value)))


@contextlib.contextmanager
def _transaction(session: Session, database: str, table: ServerTable, doing: str) -> Iterator[None]:
    # An enum of older times may hold '' where that is no member, which a strict server takes in no other way. What would
    # be cut because of this is seen when scratch is compared with what it shall be.
    lists = any(column.type.lower().startswith(("enum", "set")) for column in table.columns)
    session.run(f"SET SESSION sql_mode = '{NOT_STRICT_MODE if lists else STRICT_MODE}'", doing)
    session.run(f"USE {quoted(database)}", doing)
    session.run(f"DROP TEMPORARY TABLE IF EXISTS {_GATHERED}", doing)
    session.run("START TRANSACTION", doing)
    try:
        yield
        session.run("COMMIT", doing)
    except BaseException:
        # The server rolls back what its session leaves.
        session.end()
        raise


def _gather(
    session: Session,
    table: ServerTable,
    columns: Sequence[str],
    rows: Iterable[Row],
    structure: Structure,
    doing: str,
) -> int:
    """Put rows into a temporary table of the columns' own types, and return how many."""
    types = {column.name: column for column in table.columns}
    collations = structure.collations.get(table.name, {})
    defined = ", ".join(
        f"{quoted(name)} {_type_of(types[name].type, collations.get(name))} NULL" for name in columns
    )
    session.run(f"CREATE TEMPORARY TABLE {_GATHERED} ({defined})", doing)
    writers = [writer_of(types[name]) for name in columns]
    count = 0
    for chunk, size in _literals(writers, rows):
        session.run(f"INSERT INTO {_GATHERED} VALUES {chunk}", doing)
        count += size
    return count


def _type_of(told: str, collation: Optional[Tuple[str, str]]) -> str:
    return told if collation is None else f"{told} CHARACTER SET {collation[0]} COLLATE {collation[1]}"


def _literals(writers: Sequence[Callable[[Value], str]], rows: Iterable[Row]) -> Iterator[Tuple[str, int]]:
    """Give the rows as VALUES lists, each short enough for one statement, with the number of rows in it."""
    waiting: List[str] = []
    length = 0
    for row in rows:
        if len(row) != len(writers):
            raise Refusal(
                "bad_request", "A row has another number of values than columns. Nothing was changed."
            )
        told = "(" + ",".join([write(value) for write, value in zip(writers, row)]) + ")"  # noqa: B905
        if waiting and length + len(told) > _STATEMENT_CHARS:
            yield ",".join(waiting), len(waiting)
            waiting, length = [], 0
        waiting.append(told)
        length += len(told) + 1
    if waiting:
        yield ",".join(waiting), len(waiting)


def _joined(table: ServerTable, key: Sequence[str]) -> str:
    same = " AND ".join(f"t.{quoted(name)} = {_GATHERED}.{quoted(name)}" for name in key)
    return f"{_GATHERED} STRAIGHT_JOIN {quoted(table.name)} AS t ON {same}"


def _sets(columns: Sequence[str], touched: Sequence[str], before: str) -> str:
    """Return the SET list; a column that the server would set by itself at an update keeps its value."""
    given: Dict[str, str] = {name: before + quoted(name) for name in columns}
    kept = {name: "t." + quoted(name) for name in touched if name not in given}
    return ", ".join(f"t.{quoted(name)} = {value}" for name, value in {**kept, **given}.items())


def _refuse_keyless(table: ServerTable) -> None:
    if not table.key:
        raise Refusal("bad_request", f"Table {table.name!r} has no primary key. Nothing was changed.")
