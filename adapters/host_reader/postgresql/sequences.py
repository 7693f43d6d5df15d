"""Sequences: what they have given, and raising them so that no id is ever given twice (HAZARDS R2)."""

from __future__ import annotations

import json
from typing import Any, Dict, List

from adapters.host_reader.postgresql.catalogue import OWN_SCHEMA, not_of_extension
from adapters.host_reader.postgresql.names import literal
from adapters.host_reader.postgresql.session import Session

_SEQUENCES = f"""
SELECT coalesce(json_agg(json_build_array(quote_ident(n.nspname) || '.' || quote_ident(c.relname), s.seqincrement)
    ORDER BY n.nspname, c.relname), '[]')
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relpersistence <> 't' AND {OWN_SCHEMA} AND {not_of_extension("pg_class", "c.oid")}
"""


def given_numbers(session: Session) -> Dict[str, int]:
    """Return the last number that each upward sequence gave or was set to, by the sequence's SQL name; reads only."""
    found: Dict[str, int] = {}
    for name in _upward(session):
        row = session.rows(f"SELECT last_value, is_called FROM {name}")[0]
        # A sequence that was never asked stands on its first number and has given nothing.
        found[name] = int(row[0] or 0) if row[1] == "t" else int(row[0] or 0) - 1
    return found


def _upward(session: Session) -> List[str]:
    listed: List[Any] = json.loads(session.value(_SEQUENCES) or "[]")
    return [str(name) for name, increment in listed if int(increment) > 0]


def raise_to(session: Session, wanted: Dict[str, int]) -> Dict[str, int]:
    """Raise the sequences that have given less than is wanted, and return these; none is ever set back.

    *Changes*: sequences of the session's database; one that is not there is passed over.
    """
    raised = {}
    for name, given in given_numbers(session).items():
        if wanted.get(name, given) > given:
            session.value(f"SELECT setval({literal(name)}::regclass, {int(wanted[name])}, true)")
            raised[name] = wanted[name]
    return raised


def raise_sequence(session: Session, table: str, column: str, above: int) -> None:
    """Make the next number of a column's sequence greater than `above`; never set back. *Changes*: that sequence."""
    sequence = session.value(
        f"""SELECT d.objid::regclass::text FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
        JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_class'::regclass AND d.refobjid = {literal(table)}::regclass
            AND a.attname = {literal(column)} AND d.deptype IN ('a', 'i')
        UNION ALL
        SELECT d.refobjid::regclass::text FROM pg_attrdef f JOIN pg_depend d
            ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
        JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'
        JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
        WHERE f.adrelid = {literal(table)}::regclass AND a.attname = {literal(column)} LIMIT 1"""
    )
    if sequence is None:
        return
    row = session.rows(f"SELECT last_value, is_called FROM {sequence}")[0]
    given = int(row[0] or 0) if row[1] == "t" else int(row[0] or 0) - 1
    if above > given:
        session.value(f"SELECT setval({literal(sequence)}::regclass, {int(above)}, true)")
