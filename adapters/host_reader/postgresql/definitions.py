"""A hash of all definitions of a database: equal for one that was dumped and restored, another after any migration."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from adapters.host_reader.postgresql.catalogue import OWN_SCHEMA, not_of_extension, plain_name
from adapters.host_reader.postgresql.session import Session

_NAME = "quote_ident(n.nspname) || '.' || quote_ident(c.relname)"
_OWN_TABLE = f"c.relpersistence <> 't' AND {OWN_SCHEMA} AND {not_of_extension('pg_class', 'c.oid')}"
_OF_TABLE = "JOIN pg_class c ON c.oid = {} JOIN pg_namespace n ON n.oid = c.relnamespace"

# Each gives the name of an object and its definition. Owners, rights and comments are not content and are left out;
# what the server makes by itself on partitions is left out, since its names may differ after a restore.
_PARTS: Dict[str, str] = {
    "schema": f"SELECT quote_ident(n.nspname), '' FROM pg_namespace n WHERE {OWN_SCHEMA} AND n.nspname <> 'public'"
    f" AND {not_of_extension('pg_namespace', 'n.oid')}",
    "extension": "SELECT quote_ident(e.extname), n.nspname FROM pg_extension e"
    " JOIN pg_namespace n ON n.oid = e.extnamespace",
    "table": f"SELECT {_NAME}, concat_ws(' ', c.relkind, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity,"
    " c.reloptions::text, pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid),"
    " (SELECT string_agg(i.inhparent::regclass::text, ',' ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = c.oid))"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    f" WHERE c.relkind IN ('r', 'p', 'f', 'c') AND {_OWN_TABLE}",
    "column": f"SELECT {_NAME} || ' ' || lpad((row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum))::text, 4, '0'),"
    " concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,"
    " a.attgenerated, CASE WHEN a.attcollation <> t.typcollation THEN l.collname END, pg_get_expr(d.adbin, d.adrelid))"
    f" FROM pg_attribute a {_OF_TABLE.format('a.attrelid')} JOIN pg_type t ON t.oid = a.atttypid"
    " LEFT JOIN pg_collation l ON l.oid = a.attcollation"
    " LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
    f" WHERE c.relkind IN ('r', 'p', 'f', 'c') AND a.attnum > 0 AND NOT a.attisdropped AND {_OWN_TABLE}",
    "constraint": f"SELECT {_NAME} || ' ' || quote_ident(k.conname), pg_get_constraintdef(k.oid)"
    f" FROM pg_constraint k {_OF_TABLE.format('k.conrelid')}"
    f" WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND k.conparentid = 0 AND {_OWN_TABLE}",
    "index": f"SELECT {_NAME}, pg_get_indexdef(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_index i ON i.indexrelid = c.oid WHERE NOT EXISTS (SELECT 1 FROM pg_inherits p WHERE p.inhrelid = c.oid)"
    f" AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')) AND {_OWN_TABLE}"
    f" AND {not_of_extension('pg_class', 'i.indrelid')}",
    "view": f"SELECT {_NAME}, concat_ws(' ', c.relkind, c.reloptions::text, pg_get_viewdef(c.oid)) FROM pg_class c"
    f" JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm') AND {_OWN_TABLE}",
    "sequence": f"SELECT {_NAME}, concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmax,"
    " s.seqmin, s.seqcache, s.seqcycle, (SELECT d.refobjid::regclass::text || '.' || a.attname FROM pg_depend d"
    " JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid WHERE d.classid = 'pg_class'::regclass"
    " AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))"
    f" FROM pg_sequence s {_OF_TABLE.format('s.seqrelid')} WHERE {_OWN_TABLE}",
    "trigger": f"SELECT {_NAME} || ' ' || quote_ident(g.tgname), g.tgenabled::text || ' ' || pg_get_triggerdef(g.oid)"
    f" FROM pg_trigger g {_OF_TABLE.format('g.tgrelid')} WHERE NOT g.tgisinternal"
    f" AND NOT coalesce((to_jsonb(g) ->> 'tgparentid')::bigint, 0) <> 0 AND {_OWN_TABLE}",
    "rule": f"SELECT {_NAME} || ' ' || quote_ident(r.rulename), pg_get_ruledef(r.oid)"
    f" FROM pg_rewrite r {_OF_TABLE.format('r.ev_class')} WHERE r.rulename <> '_RETURN' AND {_OWN_TABLE}",
    "policy": f"SELECT {_NAME} || ' ' || quote_ident(p.polname), concat_ws(' ', p.polcmd, p.polpermissive,"
    " pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))"
    f" FROM pg_policy p {_OF_TABLE.format('p.polrelid')} WHERE {_OWN_TABLE}",
    "routine": "SELECT quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '('"
    " || pg_get_function_identity_arguments(p.oid) || ')',"
    " CASE WHEN p.prokind = 'a' THEN 'aggregate' ELSE pg_get_functiondef(p.oid) END"
    f" FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {OWN_SCHEMA} AND {not_of_extension('pg_proc', 'p.oid')}",
    "type": "SELECT quote_ident(n.nspname) || '.' || quote_ident(t.typname), concat_ws(' ', t.typtype,"
    " (SELECT string_agg(quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),"
    " CASE WHEN t.typtype = 'd' THEN concat_ws(' ', format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault,"
    " (SELECT string_agg(k.conname || ' ' || pg_get_constraintdef(k.oid), ',' ORDER BY k.conname) FROM pg_constraint k"
    " WHERE k.contypid = t.oid AND k.contype = 'c')) END)"
    f" FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype IN ('e', 'd', 'r') AND {OWN_SCHEMA}"
    f" AND {not_of_extension('pg_type', 't.oid')}",
}

# A list of texts compared with a varchar column is told in one form when it was typed and in another when it was
# restored from a dump: `(ARRAY['a'::character varying])::text[]` and `ARRAY[('a'::character varying)::text]`.
_CAST_ARRAY = re.compile(
    r"\(ARRAY\[((?:'(?:[^']|'')*'::[a-z ]+)(?:, '(?:[^']|'')*'::[a-z ]+)*)\]\)::([a-z ]+)\[\]"
)
_ELEMENT = re.compile(r"'(?:[^']|'')*'::[a-z ]+")


@dataclass(frozen=True)
class Definitions:
    """The hash of all definitions, and the names of what is no table."""

    hash: str
    views: Tuple[str, ...]
    triggers: Tuple[str, ...]
    routines: Tuple[str, ...]
    indexes: Tuple[str, ...]
    listed: Tuple[Tuple[str, str, str], ...]


def read_definitions(session: Session, path_schema: Optional[str]) -> Definitions:
    """Return what the session's database defines; reads only. The session must have no search path."""
    found: List[Tuple[str, str, str]] = []
    for kind, select in _PARTS.items():
        # One JSON array per kind: a definition may hold any sign.
        listed = session.value(
            f"SELECT coalesce(json_agg(json_build_array(x.name, x.told)), '[]') FROM ({select}) x(name, told)"
        )
        found += [
            (kind, session.told(f"{name}.")[:-1], _one_form(session.told(told)))
            for name, told in json.loads(listed or "[]")
            # A side schema is told as the one it stands for, and the schema public is not told.
            if kind != "schema" or session.told(f"{name}.") != "public."
        ]
    found.sort()
    digest = hashlib.blake2b(digest_size=16)
    for each in found:
        digest.update(ascii(each).encode("ascii"))
    return Definitions(
        digest.hexdigest(),
        _names(found, "view", path_schema),
        _names(found, "trigger", path_schema),
        _names(found, "routine", path_schema),
        _names(found, "index", path_schema),
        tuple(found),
    )


def _names(found: List[Tuple[str, str, str]], kind: str, path_schema: Optional[str]) -> Tuple[str, ...]:
    told = []
    for each, name, _ in found:
        schema, dot, rest = name.partition(".")
        if each == kind:
            told.append(plain_name(schema, rest, path_schema) if dot else name)
    return tuple(told)


def _one_form(definition: str) -> str:
    return _CAST_ARRAY.sub(_cast_elements, definition)


def _cast_elements(match: "re.Match[str]") -> str:
    cast = match.group(2)
    return "ARRAY[" + ", ".join(f"({each})::{cast}" for each in _ELEMENT.findall(match.group(1))) + "]"


def differences(one: Definitions, other: Definitions) -> List[str]:
    """Return the kinds and names of what is defined otherwise, for a message; never a definition itself."""
    return sorted({f"{kind} {name}" for kind, name, _ in set(one.listed) ^ set(other.listed)})
