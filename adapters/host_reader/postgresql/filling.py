"""Change many rows of a scratch database at once, and keep its foreign keys and triggers out of the way meanwhile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Iterable, List, Sequence

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql import copy_text
from adapters.host_reader.postgresql.catalogue import OWN_SCHEMA
from adapters.host_reader.postgresql.names import listed, literal, quoted
from adapters.host_reader.postgresql.session import ServerRefusal, Session
from adapters.host_reader.server.access import workspace_folder
from adapters.host_reader.server.port import Row, ServerTable
from adapters.host_reader.sqlite_files import private_files, read_note, write_note
from adapters.host_reader.sqlite_request import Request

_FOREIGN_KEYS = f"""
SELECT coalesce(json_agg(json_build_array(quote_ident(n.nspname) || '.' || quote_ident(c.relname), k.conname,
    pg_get_constraintdef(k.oid), obj_description(k.oid, 'pg_constraint')) ORDER BY n.nspname, c.relname, k.conname), '[]')
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND {OWN_SCHEMA}
"""
_TRIGGERS = f"""
SELECT coalesce(json_agg(json_build_array(quote_ident(n.nspname) || '.' || quote_ident(c.relname), g.tgname,
    g.tgenabled) ORDER BY n.nspname, c.relname, g.tgname), '[]')
FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT g.tgisinternal AND g.tgenabled <> 'D' AND NOT coalesce((to_jsonb(g) ->> 'tgparentid')::bigint, 0) <> 0
    AND c.relkind IN ('r', 'p', 'f') AND {OWN_SCHEMA}
"""
# A rule rewrites the statements that fill rows in; a view's own rule is the view.
_RULES = f"""
SELECT coalesce(json_agg(json_build_array(quote_ident(n.nspname) || '.' || quote_ident(c.relname), r.rulename,
    r.ev_enabled) ORDER BY n.nspname, c.relname, r.rulename), '[]')
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND r.ev_enabled <> 'D' AND {OWN_SCHEMA}
"""
# Each after those that its own text reads, through views too.
_MATERIALIZED = f"""
WITH RECURSIVE reads(view, source) AS (
    SELECT r.ev_class, d.refobjid FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass
        AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class),
placed(oid, place) AS (
    SELECT c.oid, 0 FROM pg_class c WHERE c.relkind = 'm'
    UNION SELECT r.view, p.place + 1 FROM placed p JOIN reads r ON r.source = p.oid)
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace JOIN placed p ON p.oid = c.oid
WHERE c.relkind = 'm' AND c.relispopulated AND {OWN_SCHEMA}
GROUP BY n.nspname, c.relname ORDER BY max(p.place), n.nspname, c.relname
"""
_ENABLE = {"O": "ENABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}
_VIOLATED = "23503"


class Filling:
    """Foreign keys, triggers and rules of one scratch database, taken out and put back.

    What is to be put back is noted in a file first: after a kill the next filling puts it back at its end.
    """

    def __init__(self, session: Session, request: Request) -> None:
        self._session = session
        self._note = str(workspace_folder(request, "tmp") / f"{session.database}.filling.json")

    def begin(self) -> None:
        """Take them out in one transaction. *Changes*: scratch, the note."""
        found = {
            "keys": json.loads(self._session.value(_FOREIGN_KEYS) or "[]"),
            "triggers": json.loads(self._session.value(_TRIGGERS) or "[]"),
            "rules": json.loads(self._session.value(_RULES) or "[]"),
        }
        noted = self._together(read_note(self._note) or {}, found)
        with private_files():
            write_note(self._note, noted)
        changes = [f"ALTER TABLE {table} DROP CONSTRAINT {quoted(name)}" for table, name, *_ in found["keys"]]
        changes += [
            f"ALTER TABLE {table} DISABLE TRIGGER {quoted(name)}" for table, name, _ in found["triggers"]
        ]
        changes += [f"ALTER TABLE {table} DISABLE RULE {quoted(name)}" for table, name, _ in found["rules"]]
        self._run(changes)

    def end(self) -> None:
        """Put them back; each foreign key is checked by the server, and materialized views are made anew of the new rows.

        *Changes*: scratch, the note.
        """
        noted = read_note(self._note) or {}
        there = {(row[0], row[1]) for row in json.loads(self._session.value(_FOREIGN_KEYS) or "[]")}
        # A note of an older version has no comment.
        for table, name, definition, *comment in noted.get("keys", []):
            if (table, name) in there:
                continue
            try:
                self._session.run(f"ALTER TABLE {table} ADD CONSTRAINT {quoted(name)} {definition}")
            except ServerRefusal as refusal:
                if refusal.state != _VIOLATED:
                    raise
                raise Refusal(
                    "foreign_keys",
                    f"The foreign key {name!r} of {table} does not hold for the rows in scratch. Production was not"
                    " changed; look for the orphans and make scratch anew.",
                ) from None
            if comment and comment[0] is not None:
                self._session.run_generated(
                    f"COMMENT ON CONSTRAINT {quoted(name)} ON {table} IS {literal(comment[0])}"
                )
        self._run(
            [
                f"ALTER TABLE {table} {_ENABLE[mode]} {kind} {quoted(name)}"
                for kind in ("TRIGGER", "RULE")
                for table, name, mode in noted.get(f"{kind.lower()}s", [])
            ]
        )
        for (name,) in self._session.rows(_MATERIALIZED):
            self._session.run_generated(f"REFRESH MATERIALIZED VIEW {name}")
        Path(self._note).unlink(missing_ok=True)

    def _run(self, changes: List[str]) -> None:
        if changes:
            self._session.run("BEGIN; " + "; ".join(changes) + "; COMMIT")

    def _together(self, noted: Dict[str, Any], found: Dict[str, Any]) -> Dict[str, Any]:
        """Return what was noted before and what is there now, each foreign key, trigger and rule once."""
        together: Dict[str, Any] = {}
        for kind in ("keys", "triggers", "rules"):
            by_name = {(row[0], row[1]): row for row in [*noted.get(kind, []), *found[kind]]}
            together[kind] = list(by_name.values())
        return together


def insert_rows(
    session: Session, sql: str, table: ServerTable, columns: Sequence[str], rows: Iterable[Row]
) -> int:
    """Put rows in, replacing by primary key; returns how many. *Changes*: that table, in the open transaction."""
    _make_incoming(session, sql, listed(columns, "t."))
    session.take_in("incoming", (copy_text.line_of(row) for row in rows))
    incoming = session.number("SELECT count(*) FROM incoming")
    if table.key and set(table.key) <= set(columns):
        # ON CONFLICT would not do: it takes no key that is deferrable and no table that has rules.
        same = " AND ".join(f"t.{quoted(name)} = i.{quoted(name)}" for name in table.key)
        session.run("ANALYZE incoming")
        session.run(f"DELETE FROM {sql} AS t USING incoming AS i WHERE {same}{_bounds(table, table.key[0])}")
    session.run(
        f"INSERT INTO {sql} ({listed(columns)}) OVERRIDING SYSTEM VALUE"
        f" SELECT {listed(columns, 'i.')} FROM incoming AS i"
    )
    session.run("DROP TABLE incoming")
    return incoming


def update_from(
    session: Session, sql: str, table: ServerTable, columns: Sequence[str], lines: Iterable[bytes]
) -> int:
    """Set columns by primary key from lines of COPY's text; returns how many rows. *Changes*: that table."""
    keys = [f"t.{quoted(name)} AS k{place}" for place, name in enumerate(table.key)]
    values = [f"t.{quoted(name)} AS c{place}" for place, name in enumerate(columns)]
    _make_incoming(session, sql, ", ".join(keys + values))
    session.take_in("incoming", lines)
    changes = ", ".join(f"{quoted(name)} = i.c{place}" for place, name in enumerate(columns))
    return _changed(session, f"UPDATE {sql} AS t SET {changes} FROM incoming AS i WHERE {_same_key(table)}")


def delete_rows(session: Session, sql: str, table: ServerTable, keys: Iterable[Row]) -> int:
    """Remove rows by primary key; returns how many were there. *Changes*: that table, in the open transaction."""
    _make_incoming(
        session, sql, ", ".join(f"t.{quoted(name)} AS k{place}" for place, name in enumerate(table.key))
    )
    session.take_in("incoming", (copy_text.line_of(row) for row in keys))
    return _changed(session, f"DELETE FROM {sql} AS t USING incoming AS i WHERE {_same_key(table)}")


def _make_incoming(session: Session, sql: str, selected: str) -> None:
    """Make a temporary table of the columns' own types, without their constraints."""
    session.run(
        f"CREATE TEMPORARY TABLE incoming ON COMMIT DROP AS SELECT {selected} FROM {sql} AS t WITH NO DATA"
    )


def _changed(session: Session, change: str) -> int:
    # The plan for a million incoming rows needs to know that there are a million.
    session.run("ANALYZE incoming")
    session.run("SET LOCAL work_mem = '64MB'")
    return session.number(f"WITH changed AS ({change} RETURNING 1) SELECT count(*) FROM changed")


def _same_key(table: ServerTable) -> str:
    if not table.key:
        raise Refusal("bad_request", f"Table {table.name!r} has no primary key. Nothing was changed.")
    parts = [f"t.{quoted(name)} = i.k{place}" for place, name in enumerate(table.key)]
    return " AND ".join(parts) + _bounds(table, "k0")


def _bounds(table: ServerTable, incoming: str) -> str:
    """Return bounds that say nothing new, but with which the server reads a chunk's part of the table and not all of it.

    `incoming` is the column that holds the first of the key.
    """
    first = next(column for column in table.columns if column.name == table.key[0])
    if first.kind != "integer":
        return ""
    own = f" AND t.{quoted(first.name)}"
    ends = [
        f"{own} {sign} (SELECT {end}({quoted(incoming)}) FROM incoming)"
        for sign, end in ((">=", "min"), ("<=", "max"))
    ]
    return "".join(ends)


def key_range(table: ServerTable, low: Row, high: Row) -> str:
    """Return the SQL condition that a row's key lies between two keys, in the order in which images sort them."""
    kinds = {column.name: column.kind for column in table.columns}
    own = ", ".join(_sortable(f"t.{quoted(name)}", kinds[name]) for name in table.key)
    return f"ROW({own}) >= ROW({_bound(low)}) AND ROW({own}) <= ROW({_bound(high)})"


def _sortable(column: str, kind: str) -> str:
    return f'{column}::text COLLATE "C"' if kind == "text" else column


def _bound(key: Row) -> str:
    parts = []
    for value in key:
        if isinstance(value, bytes):
            parts.append(f"'\\x{value.hex()}'::bytea")
        elif isinstance(value, int):
            parts.append(str(value))
        else:
            parts.append(literal(str(value)))
    return ", ".join(parts)
