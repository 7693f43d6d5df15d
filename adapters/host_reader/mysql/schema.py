"""What a database of MySQL or MariaDB is made of: tables, keys, and the definitions of all its other objects."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from typing import Dict, List, Optional, Sequence, Tuple, Union

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.client import Session
from adapters.host_reader.mysql.lent import PARKED
from adapters.host_reader.mysql.names import quoted
from adapters.host_reader.server.port import ServerColumn, ServerKey, ServerSchema, ServerTable

Text = Optional[str]

_INTEGERS = {"tinyint", "smallint", "mediumint", "int", "integer", "bigint", "year", "bit"}
_BINARY = {
    "binary",
    "varbinary",
    "tinyblob",
    "blob",
    "mediumblob",
    "longblob",
    "geometry",
    "point",
    "linestring",
    "polygon",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geometrycollection",
    "geomcollection",
    "vector",
}
_GENERATED = re.compile(r"\b(?:VIRTUAL|STORED|PERSISTENT)\b", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", re.IGNORECASE)
_COUNTER = re.compile(r"^(\) ENGINE=\S+) AUTO_INCREMENT=\d+", re.MULTILINE)
_OPTIONS_LINE = re.compile(r"^\)", re.MULTILINE)
_ESCAPES = {"\\\\": "\\", "\\'": "'", "''": "'", "\\n": "\n", "\\r": "\r", "\\0": "\0", "\\t": "\t"}
_ESCAPE = re.compile("|".join(re.escape(sign) for sign in _ESCAPES))

# Both servers tell every name of the function in this form. Source: MySQL 8.0 manual, "The INFORMATION_SCHEMA COLUMNS
# Table"; MariaDB 10.11, asked.
_STAMP = re.compile(r"current_timestamp(\(\d?\))?", re.IGNORECASE)
_WITH_TIME = re.compile(r"datetime|timestamp", re.IGNORECASE)
_STRINGS = re.compile(r"'(?:[^'\\]|\\.|'')*'", re.DOTALL)

# The information schema compares names without case; two databases may differ in nothing else.
_HERE = "{0} = DATABASE() AND CAST({0} AS BINARY) = CAST(DATABASE() AS BINARY)"

TABLE_TYPES = ("BASE TABLE", "SYSTEM VERSIONED")


@dataclass(frozen=True)
class Definition:
    """A view, trigger, procedure or function, as it can be made again in another database.

    `kind` is VIEW, TRIGGER, PROCEDURE or FUNCTION; `table` is a trigger's. The database's own name is left out of `sql`,
    which is empty where the user may not read it.
    """

    kind: str
    name: str
    table: str
    sql_mode: str
    charset: str
    collation: str
    sql: str


@dataclass(frozen=True)
class Structure:
    """One database's whole structure.

    `creates` has the `CREATE TABLE` of each table without its counter; `touched` names by table the columns that the
    server sets by itself at an update; `collations` the character set and collation of each text column, by table and
    column; `counters` the next AUTO_INCREMENT values; `sequences` MariaDB's sequences.
    """

    schema: ServerSchema
    creates: Dict[str, str]
    definitions: Tuple[Definition, ...]
    touched: Dict[str, Tuple[str, ...]]
    collations: Dict[str, Dict[str, Tuple[str, str]]]
    counters: Dict[str, int]
    sequences: Tuple[str, ...]
    events: Tuple[str, ...]

    @property
    def movable(self) -> List[str]:
        """Return the names of all that a RENAME TABLE moves."""
        return sorted([*self.creates, *self.sequences])


def texts(session: Session, columns: Sequence[str], rest: str, doing: str) -> List[List[Text]]:
    """Return rows of texts; a text that reads NULL is told apart from NULL. Reads only."""
    wanted = ", ".join(f"CONCAT('=', {column})" for column in columns)
    rows = session.rows(f"SELECT {wanted} {rest}", doing)
    return [[None if value is None else value[1:] for value in row] for row in rows]


def read_structure(session: Session, database: str, *, put_aside: bool = False) -> Structure:
    """Return what a database is made of; reads only. *Raises* SqlRefusal (not_found) where there is none.

    Tables that a cut-over put aside beside others are left out, or with `put_aside` are all that is told.
    """
    doing = f"reading the structure of {database}"
    session.run(f"USE {quoted(database)}", doing)
    kinds = {
        name: kind
        for name, kind in _table_kinds(session, doing).items()
        if (PARKED.match(name) is not None) == put_aside
    }
    names = sorted(name for name, kind in kinds.items() if kind in TABLE_TYPES)
    columns = _columns(session, doing)
    keys = _indexes(session, doing)
    foreign = _foreign_keys(session, doing)
    creates = {name: table_definition(session, name, doing) for name in names}
    tables = {name: _table(name, columns, keys.get(name, {}), foreign.get(name, [])) for name in names}
    definitions = read_definitions(session, database, kinds)
    sequences = tuple(sorted(name for name, kind in kinds.items() if kind == "SEQUENCE"))
    schema = ServerSchema(
        tables,
        tuple(each.name for each in definitions if each.kind == "VIEW"),
        tuple(each.name for each in definitions if each.kind == "TRIGGER"),
        tuple(each.name for each in definitions if each.kind in ("PROCEDURE", "FUNCTION")),
        schema_hash(creates, sequences, definitions),
    )
    return Structure(
        schema,
        creates,
        definitions,
        columns.touched,
        columns.collations,
        {name: counter for name, counter in _counters(session, doing).items() if name in kinds},
        sequences,
        _events(session, doing),
    )


def refuse_hidden(definitions: Sequence[Definition]) -> None:
    """Do nothing where all definitions could be read. *Raises* Refusal (refused) with the names of the others."""
    hidden = [f"{each.kind.lower()} {each.name!r}" for each in definitions if not each.sql]
    if hidden:
        raise Refusal(
            "refused",
            f"The application's user may not read the definition of the {', the '.join(hidden)}, so no copy would be whole."
            " Nothing was changed; have its definer run the backup, or the right granted.",
        )


def refuse_self_named(definitions: Sequence[Definition], database: str) -> None:
    """Do nothing where no trigger or routine names its own database. *Raises* Refusal (refused) with its name.

    In a copy such a trigger would write into the database it names: into production.
    """
    name = re.escape(database)
    named = re.compile(rf"`{name}`\s*\.|(?<![\w$`.@']){name}\s*\.", re.IGNORECASE)
    found = [
        each for each in definitions if each.kind != "VIEW" and named.search(_STRINGS.sub("''", each.sql))
    ]
    if found:
        raise Refusal(
            "refused",
            f"The {found[0].kind.lower()} {found[0].name!r} names the database {database} itself; in a copy it would act on"
            " production. Nothing was changed; have the name taken out of it, or call the DBA.",
        )


def schema_hash(creates: Dict[str, str], sequences: Sequence[str], definitions: Sequence[Definition]) -> str:
    """Return a hash of all definitions, whatever the order in which indexes were made."""
    parts = [sorted((name, *_parts(sql)) for name, sql in creates.items()), sorted(sequences)]
    objects = sorted(([*asdict(each).values()] for each in definitions), key=lambda each: (each[0], each[1]))
    digest = hashlib.blake2b(json.dumps([parts, objects]).encode("ascii"), digest_size=16)
    return digest.hexdigest()


def _parts(sql: str) -> Tuple[List[str], List[str], str]:
    """Return a `CREATE TABLE` as its columns in order, its keys and foreign keys sorted, and its options."""
    found = list(_OPTIONS_LINE.finditer(sql))
    end = found[0].start() if found else len(sql)
    lines = [line.strip().rstrip(",") for line in sql[:end].split("\n")]
    columns = [line for line in lines[1:] if line.startswith("`")]
    others = sorted(line for line in lines[1:] if line and not line.startswith("`"))
    return columns, others, sql[end:]


def _table_kinds(session: Session, doing: str) -> Dict[str, str]:
    here = _HERE.format("TABLE_SCHEMA")
    rows = texts(session, ["TABLE_NAME", "TABLE_TYPE"], f"FROM information_schema.TABLES WHERE {here}", doing)
    return {str(name): str(kind) for name, kind in rows}


def _counters(session: Session, doing: str) -> Dict[str, int]:
    here = _HERE.format("TABLE_SCHEMA")
    rest = f"FROM information_schema.TABLES WHERE {here} AND AUTO_INCREMENT IS NOT NULL"
    return {
        str(name): int(value or 0)
        for name, value in texts(session, ["TABLE_NAME", "AUTO_INCREMENT"], rest, doing)
    }


def _events(session: Session, doing: str) -> Tuple[str, ...]:
    rest = f"FROM information_schema.EVENTS WHERE {_HERE.format('EVENT_SCHEMA')} ORDER BY 1"
    return tuple(str(row[0]) for row in texts(session, ["EVENT_NAME"], rest, doing))


@dataclass
class _Columns:
    """By table: the stored columns, those set at an update, the numbered one, the generated ones, the collations."""

    stored: Dict[str, List[ServerColumn]]
    touched: Dict[str, Tuple[str, ...]]
    numbered: Dict[str, str]
    generated: Dict[str, List[str]]
    collations: Dict[str, Dict[str, Tuple[str, str]]]


_COLUMN_FACTS = [
    "TABLE_NAME",
    "COLUMN_NAME",
    "DATA_TYPE",
    "COLUMN_TYPE",
    "IS_NULLABLE",
    "COLUMN_DEFAULT",
    "EXTRA",
    "CHARACTER_SET_NAME",
    "COLLATION_NAME",
]


def _columns(session: Session, doing: str) -> _Columns:
    rest = f"FROM information_schema.COLUMNS WHERE {_HERE.format('TABLE_SCHEMA')} ORDER BY TABLE_NAME, ORDINAL_POSITION"
    is_mariadb = "mariadb" in str(session.one("SELECT VERSION()", doing)).lower()
    found = _Columns({}, {}, {}, {}, {})
    for row in texts(session, _COLUMN_FACTS, rest, doing):
        table, name, data_type, full_type, nullable = (str(value) for value in row[:5])
        extra = str(row[6] or "")
        if _GENERATED.search(extra):
            found.generated.setdefault(table, []).append(name)
            continue
        kind = kind_of(data_type)
        default = _mariadb_default(row[5], kind) if is_mariadb else _mysql_default(row[5], kind, extra)
        column = ServerColumn(name, full_type, kind, nullable == "NO", default, "_ci" in str(row[8] or ""))
        column = replace(
            column,
            given=first_of_enum(full_type) if column.notnull and row[5] is None else None,
            stamped=bool(row[5] and _STAMP.fullmatch(str(row[5])) and _WITH_TIME.fullmatch(data_type)),
        )
        found.stored.setdefault(table, []).append(column)
        if "on update" in extra.lower():
            found.touched[table] = (*found.touched.get(table, ()), name)
        if "auto_increment" in extra.lower():
            found.numbered[table] = name
        if row[7] and row[8]:
            found.collations.setdefault(table, {})[name] = (row[7], row[8])
    return found


def kind_of(data_type: str) -> str:
    """Return how a column's values are given: integer, binary or text.

    An unsigned number beyond 63 bits is given as the bytes of its digits: SQLite would make a text of digits inexact.
    """
    base = data_type.lower()
    if base in _INTEGERS:
        return "integer"
    return "binary" if base in _BINARY else "text"


def first_of_enum(full_type: str) -> Optional[str]:
    """Return the first value of an ENUM's list, None for another type. With a backslash in it None: servers tell it in two ways.

    *Source*: MySQL 8.0 manual, "Data Type Default Values": the implicit default of ENUM is its first value.
    """
    found = re.match(r"enum\('((?:[^'\\]|'')*)'", full_type, re.IGNORECASE)
    return found.group(1).replace("''", "'") if found else None


def _mariadb_default(told: Text, kind: str) -> Union[int, str, None]:
    """Return a literal default. MariaDB tells it as SQL: 'a text' in quotes, 0, b'0', NULL, current_timestamp()."""
    if told is None or told == "NULL":
        return None
    if told.startswith("'") and told.endswith("'") and len(told) > 1:
        return _literal(_ESCAPE.sub(lambda found: _ESCAPES[found.group(0)], told[1:-1]), kind)
    bits = re.fullmatch(r"b'([01]+)'", told)
    if bits:
        return _literal(str(int(bits.group(1), 2)), kind)
    return _literal(told, kind) if _NUMBER.fullmatch(told) else None


def _mysql_default(told: Text, kind: str, extra: str) -> Union[int, str, None]:
    """Return a literal default. MySQL tells a literal as bare text and marks a computed one in EXTRA."""
    if told is None or "DEFAULT_GENERATED" in extra or told.upper().startswith("CURRENT_TIMESTAMP"):
        return None
    bits = re.fullmatch(r"b'([01]+)'", told)
    return _literal(str(int(bits.group(1), 2)) if bits else told, kind)


def _literal(value: str, kind: str) -> Union[int, str, None]:
    if kind == "binary":
        return None
    if kind == "integer":
        return int(value) if re.fullmatch(r"-?\d+", value) else None
    return value


def _indexes(session: Session, doing: str) -> Dict[str, Dict[str, List[Text]]]:
    """Return the unique indexes of each table: column names, None for a part that is no whole column."""
    wanted = ["TABLE_NAME", "INDEX_NAME", "COLUMN_NAME", "SUB_PART"]
    rest = (
        f"FROM information_schema.STATISTICS WHERE {_HERE.format('TABLE_SCHEMA')} AND NON_UNIQUE = 0"
        " ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"
    )
    found: Dict[str, Dict[str, List[Text]]] = {}
    for table, index, column, part in texts(session, wanted, rest, doing):
        # The primary key is the key even where only the beginning of a column is in it.
        whole = column if part is None or index == "PRIMARY" else None
        found.setdefault(str(table), {}).setdefault(str(index), []).append(whole)
    return found


def _foreign_keys(session: Session, doing: str) -> Dict[str, List[ServerKey]]:
    wanted = [
        "k.TABLE_NAME",
        "k.CONSTRAINT_NAME",
        "k.COLUMN_NAME",
        "k.REFERENCED_TABLE_NAME",
        "k.REFERENCED_COLUMN_NAME",
        "r.DELETE_RULE",
        "k.REFERENCED_TABLE_SCHEMA",
        "k.TABLE_SCHEMA",
    ]
    rest = (
        "FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r"
        " ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME"
        " AND r.TABLE_NAME = k.TABLE_NAME"
        f" WHERE {_HERE.format('k.TABLE_SCHEMA')} AND {_HERE.format('r.CONSTRAINT_SCHEMA')}"
        " AND k.REFERENCED_TABLE_NAME IS NOT NULL ORDER BY k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION"
    )
    parts: Dict[Tuple[str, str], List[List[str]]] = {}
    for row in texts(session, wanted, rest, doing):
        known = [str(value) for value in row]
        if known[6] != known[7]:
            raise Refusal(
                "refused",
                f"Table {known[0]!r} has a foreign key into the database {known[6]!r}. Nothing was changed; call the DBA.",
            )
        parts.setdefault((known[0], known[1]), []).append(known)
    found: Dict[str, List[ServerKey]] = {}
    for (table, _), rows in parts.items():
        key = ServerKey(
            tuple(row[2] for row in rows), rows[0][3], tuple(row[4] for row in rows), rows[0][5].upper()
        )
        found.setdefault(table, []).append(key)
    return found


def _table(
    name: str, columns: _Columns, indexes: Dict[str, List[Text]], foreign: List[ServerKey]
) -> ServerTable:
    left_out = {None, *columns.generated.get(name, [])}
    uniques = [parts for index, parts in sorted(indexes.items()) if index != "PRIMARY"]
    whole = tuple(tuple(str(part) for part in parts) for parts in uniques if not left_out & set(parts))
    key = tuple(str(part) for part in indexes.get("PRIMARY", []))
    stored = tuple(columns.stored.get(name, []))
    return ServerTable(name, stored, key, tuple(foreign), whole, columns.numbered.get(name))


def table_definition(session: Session, name: str, doing: str) -> str:
    """Return the `CREATE TABLE` of a table of the current database, without the counter; reads only."""
    sql = str(session.rows(f"SHOW CREATE TABLE {quoted(name)}", doing)[0][1])
    return _COUNTER.sub(r"\1", sql, count=1)


def read_definitions(session: Session, database: str, kinds: Dict[str, str]) -> Tuple[Definition, ...]:
    """Return the definitions of views, triggers and routines, triggers in the order in which they act; reads only."""
    doing = f"reading the definitions of {database}"
    found = [_view(session, name, doing) for name, kind in sorted(kinds.items()) if kind == "VIEW"]
    rest = f"FROM information_schema.TRIGGERS WHERE {_HERE.format('TRIGGER_SCHEMA')}"
    order = " ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER"
    for name, table in texts(session, ["TRIGGER_NAME", "EVENT_OBJECT_TABLE"], rest + order, doing):
        found.append(_shown(session, "TRIGGER", str(name), str(table), doing))
    rest = f"FROM information_schema.ROUTINES WHERE {_HERE.format('ROUTINE_SCHEMA')}"
    for name, kind in texts(session, ["ROUTINE_NAME", "ROUTINE_TYPE"], rest + " ORDER BY 1, 2", doing):
        if kind in ("PROCEDURE", "FUNCTION"):
            found.append(_shown(session, str(kind), str(name), "", doing))
    return tuple(found)


def _view(session: Session, name: str, doing: str) -> Definition:
    row = session.rows(f"SHOW CREATE VIEW {quoted(name)}", doing)[0]
    # The server leaves the current database's name out of it; mysqldump rests on that too.
    return Definition("VIEW", name, "", "", str(row[2]), str(row[3]), str(row[1]))


def _shown(session: Session, kind: str, name: str, table: str, doing: str) -> Definition:
    row = session.rows(f"SHOW CREATE {kind} {quoted(name)}", doing)[0]
    if row[2] is None:
        # Another user's routine, whose text is not shown: it is known by name, and cannot be copied or moved.
        return Definition(kind, name, table, "", "", "", "")
    return Definition(kind, name, table, str(row[1] or ""), str(row[3]), str(row[4]), str(row[2]))
