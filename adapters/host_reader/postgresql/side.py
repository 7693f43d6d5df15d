"""Side schemas: where a user who may not make databases has Backout's own, beside the live tables in the live database.

A side schema is named as a database of Backout's own is. In the sessions of such a place nothing but that schema is
seen, and what is told of it is told as if it were the schema that it stands for.
"""

from __future__ import annotations

from typing import List, Set

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql.names import literal, quoted
from adapters.host_reader.postgresql.place import Side
from adapters.host_reader.postgresql.session import Session
from adapters.host_reader.server.notes import OWN_PREFIX, refuse_foreign

SIDE_WAY = (
    "the application's user may not make databases (CREATEDB): scratch is a schema beside the live tables, and the cut-over"
    " moves the objects of both in one transaction, under a lock for as long as it takes to read both contents"
)
_MAY = "SELECT has_database_privilege(current_database(), 'CREATE')::int"
_OTHER_SCHEMAS = f"""
SELECT n.nspname FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT starts_with(n.nspname, '{OWN_PREFIX}') AND n.nspname <> {{}}
    AND EXISTS (SELECT 1 FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
        AND NOT EXISTS (SELECT 1 FROM pg_depend x WHERE x.classid = 'pg_class'::regclass AND x.objid = c.oid
            AND x.deptype = 'e'))
ORDER BY 1
"""
# Everything that can depend on another object, with the schema it is in.
_PLACED = """
WITH placed(classid, objid, schema, told) AS (
    SELECT 'pg_class'::regclass::oid, c.oid, c.relnamespace, c.relname::text FROM pg_class c
    UNION ALL SELECT 'pg_type'::regclass, t.oid, t.typnamespace, t.typname::text FROM pg_type t
    UNION ALL SELECT 'pg_proc'::regclass, p.oid, p.pronamespace, p.proname::text FROM pg_proc p
    UNION ALL SELECT 'pg_constraint'::regclass, k.oid, k.connamespace, k.conname::text FROM pg_constraint k
    UNION ALL SELECT 'pg_attrdef'::regclass, d.oid, c.relnamespace, c.relname::text
        FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid
    UNION ALL SELECT 'pg_rewrite'::regclass, r.oid, c.relnamespace, c.relname::text
        FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
    UNION ALL SELECT 'pg_trigger'::regclass, g.oid, c.relnamespace, g.tgname::text
        FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
    UNION ALL SELECT 'pg_policy'::regclass, y.oid, c.relnamespace, y.polname::text
        FROM pg_policy y JOIN pg_class c ON c.oid = y.polrelid)
SELECT DISTINCT a.told FROM pg_depend d
JOIN placed a ON a.classid = d.classid AND a.objid = d.objid
JOIN placed b ON b.classid = d.refclassid AND b.objid = d.refobjid
JOIN pg_namespace n ON n.oid = a.schema JOIN pg_namespace m ON m.oid = b.schema
WHERE n.nspname <> m.nspname AND n.nspname !~ '^pg_' AND m.nspname !~ '^pg_' AND m.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT 1 FROM pg_depend x WHERE x.classid = d.refclassid AND x.objid = d.refobjid AND x.deptype = 'e')
    AND {} ORDER BY 1
"""
_EXTENSION_NAMES = """
SELECT coalesce(t.typname, p.proname, o.opcname, f.opfname, c.relname)::text FROM pg_depend d
LEFT JOIN pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
LEFT JOIN pg_opclass o ON d.classid = 'pg_opclass'::regclass AND o.oid = d.objid
LEFT JOIN pg_opfamily f ON d.classid = 'pg_opfamily'::regclass AND f.oid = d.objid
LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
WHERE d.deptype = 'e' AND coalesce(t.typname, p.proname, o.opcname, f.opfname, c.relname) IS NOT NULL
"""


def has_schema(session: Session, schema: str) -> bool:
    """Return whether the session's database has a schema of that name; reads only."""
    return bool(session.number(f"SELECT count(*) FROM pg_namespace WHERE nspname = {literal(schema)}"))


def open_side(session: Session, schema: str, stands_for: str) -> Side:
    """Return a side schema as a place; reads only."""
    rows = session.rows(
        "SELECT DISTINCT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE n.nspname <> 'pg_catalog' ORDER BY 1"
    )
    live = session.value(f"SELECT quote_ident({literal(stands_for)})") or quoted(stands_for)
    return Side(schema, stands_for, live, tuple(str(row[0]) for row in rows))


def may_make_side(session: Session) -> bool:
    """Return whether the user may make schemas in the session's database; asked without making one."""
    return bool(session.number(_MAY))


def other_schemas(session: Session, live_schema: str) -> List[str]:
    """Return the schemas with objects of the application beside the one whose names need no schema; reads only."""
    return [str(row[0]) for row in session.rows(_OTHER_SCHEMAS.format(literal(live_schema)))]


def make_side(session: Session, schema: str, live_schema: str) -> None:
    """Make an empty side schema. *Changes*: makes it. *Raises* Refusal: refused (no right to, several schemas), changed."""
    refuse_foreign(schema)
    if not may_make_side(session):
        raise Refusal(
            "refused",
            "The application's database user may make neither databases (it has not the right CREATEDB) nor schemas in"
            " its own one (CREATE on the database). Nothing was changed; have an administrator run ALTER ROLE …"
            " CREATEDB, or GRANT CREATE ON DATABASE … TO that role.",
        )
    others = other_schemas(session, live_schema)
    if others:
        raise Refusal(
            "refused",
            f"The application has tables in other schemas too ({', '.join(others)}), and its user has not the right"
            " CREATEDB. A side schema holds one schema only. Nothing was changed; have an administrator run ALTER ROLE"
            " … CREATEDB.",
        )
    if has_schema(session, schema):
        raise Refusal("changed", f"There is a schema {schema} already. Nothing was changed.")
    session.run_generated(f"CREATE SCHEMA {quoted(schema)}")


def drop_side(session: Session, schema: str) -> None:
    """Remove a side schema with all that is in it. *Changes*: removes it. *Raises* Refusal where others need it."""
    refuse_foreign(schema)
    needing = dependents(session, schema)
    if needing:
        raise Refusal(
            "refused",
            f"Objects outside {schema} depend on it ({', '.join(needing[:5])}). It was left as it is; call the DBA.",
        )
    session.run_generated(f"DROP SCHEMA IF EXISTS {quoted(schema)} CASCADE")


def dependents(session: Session, schema: str) -> List[str]:
    """Return the objects of other schemas that depend on one of this schema; reads only."""
    return [str(row[0]) for row in session.rows(_PLACED.format(f"m.nspname = {literal(schema)}"))]


def refuse_needing(session: Session, schema: str) -> None:
    """Do nothing where all that a side schema needs is in it or an extension's. *Raises* Refusal (damaged)."""
    needing = [str(row[0]) for row in session.rows(_PLACED.format(f"n.nspname = {literal(schema)}"))]
    if needing:
        raise Refusal(
            "damaged",
            f"What was loaded depends on the live schema ({', '.join(needing[:5])}). Nothing was kept; call the DBA.",
        )


def extension_names(session: Session) -> Set[str]:
    """Return the names of the types, functions, operator classes and tables that came with extensions; reads only."""
    return {str(row[0]) for row in session.rows(_EXTENSION_NAMES)}


def extensions(session: Session) -> Set[str]:
    """Return the names of the extensions that are installed; reads only."""
    return {str(row[0]) for row in session.rows("SELECT extname FROM pg_extension")}
