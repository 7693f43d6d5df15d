"""What a PostgreSQL database is made of, read from its own catalogues."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Tuple, Union

from adapters.host_reader.postgresql.names import literal, quoted
from adapters.host_reader.postgresql.session import Session
from adapters.host_reader.server.notes import OWN_PREFIX
from adapters.host_reader.server.port import ServerColumn, ServerKey, ServerTable

# Of the application: no schema of the system, no temporary one, none of Backout's own, and nothing that came with an
# extension; in a session with a side schema that schema alone.
OWN_SCHEMA = (
    "(CASE WHEN coalesce(current_setting('backout.side', true), '') = '' THEN n.nspname !~ '^pg_'"
    f" AND n.nspname <> 'information_schema' AND NOT starts_with(n.nspname, '{OWN_PREFIX}')"
    " ELSE n.nspname = current_setting('backout.side', true) END)"
)


def not_of_extension(catalogue: str, oid: str) -> str:
    """Return the SQL condition that an object did not come with an extension."""
    return (
        f"NOT EXISTS (SELECT 1 FROM pg_depend x WHERE x.classid = '{catalogue}'::regclass AND x.objid = {oid}"
        " AND x.deptype = 'e')"
    )


@dataclass(frozen=True)
class Relation:
    """Where a table's rows are. `sql` names it in a statement; `stored` are the relations that hold the rows by name.

    A partitioned table holds its rows in its partitions; a dump names these. Each other table stores its own.
    """

    oid: int
    sql: str
    source: str
    stored: Dict[str, str]


@dataclass(frozen=True)
class Catalogue:
    """The tables of a database by plain name, and where their rows are."""

    tables: Dict[str, ServerTable]
    relations: Dict[str, Relation]
    names: Dict[int, str]


_PATH_SCHEMA = "SELECT current_schema()"
_RELATIONS = f"""
SELECT coalesce(json_agg(json_build_array(c.oid::bigint, n.nspname, c.relname, c.relkind, c.relispartition,
    (SELECT i.inhparent::bigint FROM pg_inherits i WHERE i.inhrelid = c.oid AND c.relispartition))
    ORDER BY n.nspname, c.relname), '[]')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND {OWN_SCHEMA} AND {not_of_extension("pg_class", "c.oid")}
"""
_COLUMNS = """
WITH RECURSIVE base(oid, final) AS (
    SELECT t.oid, t.oid FROM pg_type t WHERE t.typtype <> 'd'
    UNION ALL SELECT t.oid, b.final FROM pg_type t JOIN base b ON t.typbasetype = b.oid WHERE t.typtype = 'd')
SELECT coalesce(json_agg(json_build_array(a.attrelid::bigint, a.attname, format_type(a.atttypid, a.atttypmod),
    b.final::regtype::text, a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated)
    ORDER BY a.attrelid, a.attnum), '[]')
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN base b ON b.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
"""
_UNIQUES = """
SELECT coalesce(json_agg(json_build_array(i.indrelid::bigint, i.indisprimary, (
    SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, place)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.place <= i.indnkeyatts))
    ORDER BY i.indrelid, i.indexrelid), '[]')
FROM pg_index i WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
"""
_KEYS = """
SELECT coalesce(json_agg(json_build_array(k.conrelid::bigint, k.confrelid::bigint, k.confdeltype,
    (SELECT json_agg(a.attname ORDER BY u.place) FROM unnest(k.conkey) WITH ORDINALITY u(attnum, place)
     JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum),
    (SELECT json_agg(a.attname ORDER BY u.place) FROM unnest(k.confkey) WITH ORDINALITY u(attnum, place)
     JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum))
    ORDER BY k.conrelid, k.conname), '[]')
FROM pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0
"""
_NUMBERED = """
SELECT coalesce(json_agg(json_build_array(x.relid::bigint, a.attname) ORDER BY x.relid, x.attnum DESC), '[]') FROM (
    SELECT d.refobjid AS relid, d.refobjsubid AS attnum FROM pg_depend d JOIN pg_class s ON s.oid = d.objid
    WHERE s.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
        AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    UNION
    SELECT f.adrelid, f.adnum FROM pg_attrdef f JOIN pg_depend d
        ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
    JOIN pg_class s ON s.oid = d.refobjid WHERE s.relkind = 'S') x
JOIN pg_attribute a ON a.attrelid = x.relid AND a.attnum = x.attnum
"""

_INTEGERS = {"smallint", "integer", "bigint"}
_ON_DELETE = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
# A default that is a value and no computation: a quoted text, a number or a truth value, with its casts.
_LITERAL = re.compile(
    r"""\(?(?:'(?:[^']|'')*'|-?[0-9]+(?:\.[0-9]+)?|true|false)\)?(?:::[a-z][a-z0-9 _."]*(?:\([0-9, ]+\))?)*""",
    re.IGNORECASE,
)

# The functions that give one time for all rows of a statement, as `pg_get_expr` tells them, with their casts.
_STAMP = re.compile(
    r"\(?(?:now\(\)|CURRENT_TIMESTAMP|LOCALTIMESTAMP|transaction_timestamp\(\))(?:\(\d\))?\)?"
    r"(?:::timestamp(?:\(\d\))? with(?:out)? time zone)?",
    re.IGNORECASE,
)

_Default = Union[int, str, None]


def read_path_schema(session: Session) -> Optional[str]:
    """Return the schema whose tables are named without it: where the application's own path begins; reads only."""
    return session.value(_PATH_SCHEMA)


def plain_name(schema: str, name: str, path_schema: Optional[str]) -> str:
    """Return how a table is named in answers: plainly in the application's schema, `schema.table` elsewhere."""
    return name if schema == path_schema else f"{schema}.{name}"


def dump_name(schema: str, name: str) -> str:
    """Return how the manifest of a dump names a table, whatever the application's path is."""
    return plain_name(schema, name, "public")


def read_catalogue(session: Session, path_schema: Optional[str]) -> Catalogue:
    """Return all tables of the session's database; reads only."""
    relations = _read_relations(session, path_schema)
    names = {relation.oid: name for name, relation in relations.items()}
    columns = _read_columns(session, names)
    keys, uniques = _read_uniques(session, names)
    foreign_keys = _read_foreign_keys(session, names)
    numbered = {int(oid): str(column) for oid, column in _json(session, _NUMBERED)}
    tables = {}
    for name, relation in relations.items():
        mine = columns.get(relation.oid, [])
        there = {column.name for column in mine}
        column = numbered.get(relation.oid)
        tables[name] = ServerTable(
            name=name,
            columns=tuple(mine),
            key=keys.get(relation.oid, ()),
            foreign_keys=tuple(foreign_keys.get(relation.oid, [])),
            uniques=tuple(each for each in uniques.get(relation.oid, []) if set(each) <= there),
            numbered=column if column in there else None,
        )
    return Catalogue(tables, relations, names)


def _json(session: Session, select: str) -> List[Any]:
    found: List[Any] = json.loads(session.value(select) or "[]")
    return found


def _read_relations(session: Session, path_schema: Optional[str]) -> Dict[str, Relation]:
    listed = _json(session, _RELATIONS)
    parents = {row[0]: row[5] for row in listed if row[4]}
    found: Dict[int, Tuple[str, Relation]] = {}
    for oid, schema, name, kind, is_partition, _ in listed:
        sql = f"{quoted(schema)}.{quoted(name)}"
        told = plain_name(schema, name, path_schema)
        # ONLY leaves out the rows of tables that inherit from this one; they are listed by themselves.
        own = {dump_name(session.stands_for(schema), name): f"ONLY {sql}"}
        if not is_partition:
            found[oid] = (told, Relation(oid, sql, sql if kind == "p" else f"ONLY {sql}", own))
    for oid, schema, name, _, is_partition, _ in listed:
        root = _root(oid, parents)
        if is_partition and root in found:
            told, relation = found[root]
            part = {dump_name(session.stands_for(schema), name): f"ONLY {quoted(schema)}.{quoted(name)}"}
            found[root] = (told, replace(relation, stored={**relation.stored, **part}))
    return dict(sorted(found.values(), key=lambda each: each[0]))


def _root(oid: int, parents: Dict[int, int]) -> int:
    while oid in parents:
        oid = parents[oid]
    return oid


def _read_columns(session: Session, names: Dict[int, str]) -> Dict[int, List[ServerColumn]]:
    """Return the stored columns of each table; generated ones store what others say and are left out."""
    listed = [row for row in _json(session, _COLUMNS) if row[0] in names and row[7] == ""]
    literals = {(row[5], row[2]) for row in listed if row[5] is not None and _LITERAL.fullmatch(row[5])}
    known = _literal_values(session, sorted(literals))
    columns: Dict[int, List[ServerColumn]] = {}
    for oid, name, declared, base, notnull, default, _, _ in listed:
        kind = "integer" if base in _INTEGERS else "binary" if base == "bytea" else "text"
        value: _Default = known.get((default, declared))
        if kind == "integer" and value is not None:
            value = int(value)
        columns.setdefault(oid, []).append(
            ServerColumn(
                name,
                session.told(declared),
                kind,
                bool(notnull),
                None if kind == "binary" else value,
                base.rpartition(".")[2] == "citext",
                stamped=base.startswith("timestamp") and bool(default and _STAMP.fullmatch(default)),
            )
        )
    return columns


def _literal_values(session: Session, literals: List[Tuple[str, str]]) -> Dict[Tuple[str, str], str]:
    """Return the text form that each literal default gets when it is stored, as the server itself tells it."""
    if not literals:
        return {}
    selected = ", ".join(f"(({default})::{declared})::text" for default, declared in literals)
    values = session.rows(f"SELECT {selected}")[0]
    found = {}
    for each, value in zip(literals, values):  # noqa: B905 - strict= needs Python 3.10
        if value is not None:
            # COPY writes truth values as t and f, a cast to text as true and false.
            found[each] = value[0] if each[1] == "boolean" else value
    return found


def _read_uniques(
    session: Session, names: Dict[int, str]
) -> Tuple[Dict[int, Tuple[str, ...]], Dict[int, List[Tuple[str, ...]]]]:
    keys: Dict[int, Tuple[str, ...]] = {}
    uniques: Dict[int, List[Tuple[str, ...]]] = {}
    for oid, is_primary, columns in _json(session, _UNIQUES):
        if oid not in names or not columns:
            continue
        if is_primary:
            keys[oid] = tuple(columns)
        elif tuple(columns) not in uniques.setdefault(oid, []):
            uniques[oid].append(tuple(columns))
    return keys, uniques


def _read_foreign_keys(session: Session, names: Dict[int, str]) -> Dict[int, List[ServerKey]]:
    found: Dict[int, List[ServerKey]] = {}
    for child, parent, on_delete, columns, parent_columns in _json(session, _KEYS):
        if child in names and parent in names:
            key = ServerKey(tuple(columns), names[parent], tuple(parent_columns), _ON_DELETE[on_delete])
            found.setdefault(child, []).append(key)
    return found


def oid_of(catalogue: Catalogue, name: str) -> str:
    """Return a table as a regclass literal that needs no path."""
    return f"{literal(catalogue.relations[name].sql)}::regclass"
