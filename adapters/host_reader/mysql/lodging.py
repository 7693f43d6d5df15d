"""Take, empty and give back lent databases, and rename what lies in them; nobody else's table is ever touched."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Sequence, Tuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.client import Session
from adapters.host_reader.mysql.lent import BEING_MADE, Parked, Tenancy
from adapters.host_reader.mysql.names import at, quoted
from adapters.host_reader.mysql.schema import Structure, texts

_KEY = re.compile(r"^\s*CONSTRAINT `((?:[^`]|``)+)` (FOREIGN KEY .*?),?$", re.MULTILINE)
_HERE = "= DATABASE() AND CAST({0} AS BINARY) = CAST(DATABASE() AS BINARY)"
_LOOKS = {
    "TABLE": ("TABLE_NAME", "TABLES", "TABLE_SCHEMA", "TABLE_TYPE <> 'VIEW'"),
    "VIEW": ("TABLE_NAME", "TABLES", "TABLE_SCHEMA", "TABLE_TYPE = 'VIEW'"),
    "PROCEDURE": ("ROUTINE_NAME", "ROUTINES", "ROUTINE_SCHEMA", "ROUTINE_TYPE = 'PROCEDURE'"),
    "FUNCTION": ("ROUTINE_NAME", "ROUTINES", "ROUTINE_SCHEMA", "ROUTINE_TYPE = 'FUNCTION'"),
    "EVENT": ("EVENT_NAME", "EVENTS", "EVENT_SCHEMA", "1 = 1"),
}

Objects = List[Tuple[str, str]]


def objects_in(session: Session, database: str, tenancy: Tenancy) -> Objects:
    """Return kind and name of all that is in a lent database beside what was put aside; reads only."""
    session.run(f"USE {quoted(database)}", f"opening {database}")
    stored, found = set(tenancy.stored), []
    for kind, (column, table, schema, which) in _LOOKS.items():
        rest = f"FROM information_schema.{table} WHERE {schema} {_HERE.format(schema)} AND {which} ORDER BY 1"
        names = [str(row[0]) for row in texts(session, [column], rest, f"looking into {database}")]
        found += [(kind, name) for name in names if kind != "TABLE" or name not in stored]
    return found


def refuse_others(session: Session, database: str, tenancy: Tenancy, known: Sequence[str]) -> None:
    """Do nothing where all that is in a lent database is Backout's own. *Raises* Refusal (refused) with the names.

    `known` are the tables that live has: a rehearsal may have made them in a scratch too.
    """
    if tenancy.tenant and BEING_MADE in tenancy.seen:
        return
    own = {*tenancy.seen, *known} if tenancy.tenant else set()
    found = objects_in(session, database, tenancy)
    others = [name for kind, name in found if not tenancy.tenant or (kind == "TABLE" and name not in own)]
    if others:
        told = ", ".join(repr(name) for name in others[:5])
        raise Refusal(
            "refused",
            f"The database {database} of the settings holds {told}{' and more' if len(others) > 5 else ''}, which Backout did"
            " not make. Nothing was changed there. Empty it, or name another in scratch_databases.",
        )


def empty(session: Session, database: str, tenancy: Tenancy) -> None:
    """Remove all that a scratch has in a lent database. *Changes*: that; what was put aside stays."""
    found = objects_in(session, database, tenancy)
    session.run("SET SESSION foreign_key_checks = 0", f"emptying {database}")
    for kind, name in sorted(found, key=lambda each: each[0] == "TABLE"):
        session.run(f"DROP {kind} IF EXISTS {quoted(name)}", f"emptying {database}")
    session.run("SET SESSION foreign_key_checks = 1", f"emptying {database}")


def key_names(structure: Structure, token: str) -> Dict[str, Dict[str, str]]:
    """Return by table a name of its own for each foreign key, so that it can lie beside one of the same name.

    A name that the server made by the table's (`orders_ibfk_1`) goes with the table's and needs none.
    """
    found: Dict[str, Dict[str, str]] = {}
    for number, table in enumerate(sorted(structure.creates)):
        for place, match in enumerate(_KEY.finditer(structure.creates[table])):
            name = match[1].replace("``", "`")
            if not re.fullmatch(re.escape(table) + r"_ibfk_\d+", name):
                found.setdefault(table, {})[name] = f"backout_{token}_{number}_{place}"
    return found


def turned(names: Mapping[str, Dict[str, str]]) -> Dict[str, Dict[str, str]]:
    """Return names the other way round: from the stored to the right ones."""
    return {table: {new: old for old, new in keys.items()} for table, keys in names.items()}


def rename_keys(
    session: Session,
    database: str,
    names: Mapping[str, Mapping[str, str]],
    stored: Mapping[str, str],
) -> None:
    """Rename foreign keys, by table; done again it does nothing. *Changes*: their names only, no row is read.

    `stored` is the name under which a table lies there, where that is another.
    """
    if not names:
        return
    doing = f"naming the foreign keys of {database}"
    session.run(f"USE {quoted(database)}", doing)
    session.run("SET SESSION foreign_key_checks = 0", doing)
    for table, keys in names.items():
        name = stored.get(table, table)
        changes = _key_changes(str(session.rows(f"SHOW CREATE TABLE {quoted(name)}", doing)[0][1]), keys)
        if changes:
            session.run(f"ALTER TABLE {at(database, name)} " + ", ".join(changes), doing)
    session.run("SET SESSION foreign_key_checks = 1", doing)


def _key_changes(create: str, keys: Mapping[str, str]) -> List[str]:
    found = []
    for match in _KEY.finditer(create):
        name = match[1].replace("``", "`")
        if name in keys:
            found.append(f"DROP FOREIGN KEY {quoted(name)}")
            found.append(f"ADD CONSTRAINT {quoted(keys[name])} {match[2]}")
    return found


def unpark(session: Session, database: str, parked: Parked) -> None:
    """Give tables that were put aside their own names again; done again it goes on. *Changes*: names only."""
    _rename(session, database, {stored: name for name, stored in parked.tables.items()})
    rename_keys(session, database, turned(parked.keys), {})


def park_again(session: Session, database: str, parked: Parked) -> None:
    """Put tables that have their own names aside again; done again it goes on. *Changes*: names only."""
    rename_keys(session, database, parked.keys, {})
    _rename(session, database, parked.tables)


def _rename(session: Session, database: str, names: Mapping[str, str]) -> None:
    doing = f"naming the tables of {database}"
    session.run(f"USE {quoted(database)}", doing)
    rest = f"FROM information_schema.TABLES WHERE TABLE_SCHEMA {_HERE.format('TABLE_SCHEMA')}"
    there = {str(row[0]) for row in texts(session, ["TABLE_NAME"], rest, doing)}
    moves = [
        f"{at(database, old)} TO {at(database, new)}"
        for old, new in names.items()
        if old != new and old in there
    ]
    if moves:
        session.run("RENAME TABLE " + ", ".join(moves), doing)
