"""Carry over to a scratch database what belongs to the live one and is no content: settings, rights, owners."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Tuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql.catalogue import OWN_SCHEMA, not_of_extension
from adapters.host_reader.postgresql.making import set_database
from adapters.host_reader.postgresql.names import literal, quoted
from adapters.host_reader.postgresql.session import ServerRefusal, Session

# Each object with rights or an owner of its own: how GRANT names it, its rights (NULL: as made), its owner, the letter
# by which acldefault() knows its kind, and how ALTER names it.
_NAMED = "quote_ident(n.nspname) || '.' || quote_ident({})"
_OBJECTS = f"""
SELECT 'SCHEMA ' || quote_ident(n.nspname), n.nspacl, n.nspowner, 'n', 'SCHEMA ' || quote_ident(n.nspname)
FROM pg_namespace n WHERE {OWN_SCHEMA} AND {not_of_extension("pg_namespace", "n.oid")}
UNION ALL
SELECT CASE WHEN c.relkind = 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || {_NAMED.format("c.relname")}, c.relacl, c.relowner,
    (CASE WHEN c.relkind = 'S' THEN 's' ELSE 'r' END),
    CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' WHEN 'v' THEN 'VIEW ' WHEN 'm' THEN 'MATERIALIZED VIEW '
        WHEN 'f' THEN 'FOREIGN TABLE ' ELSE 'TABLE ' END || {_NAMED.format("c.relname")}
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't' AND {OWN_SCHEMA}
    AND {not_of_extension("pg_class", "c.oid")}
UNION ALL
SELECT CASE WHEN p.prokind = 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END || p.oid::regprocedure::text, p.proacl, p.proowner,
    'f', CASE p.prokind WHEN 'p' THEN 'PROCEDURE ' WHEN 'a' THEN 'AGGREGATE ' ELSE 'FUNCTION ' END || p.oid::regprocedure::text
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {OWN_SCHEMA} AND {not_of_extension("pg_proc", "p.oid")}
UNION ALL
SELECT 'TYPE ' || {_NAMED.format("t.typname")}, t.typacl, t.typowner, 'T',
    CASE WHEN t.typtype = 'd' THEN 'DOMAIN ' ELSE 'TYPE ' END || {_NAMED.format("t.typname")}
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype IN ('e', 'd', 'r') AND {OWN_SCHEMA} AND {not_of_extension("pg_type", "t.oid")}
"""
_ALL = f"""
SELECT coalesce(json_agg(json_build_array(o.grants, pg_get_userbyid(o.owner), o.alters, (
    SELECT json_agg(json_build_array(CASE WHEN a.grantee = 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END,
        a.privilege_type, a.is_grantable) ORDER BY a.grantee, a.privilege_type)
    FROM aclexplode(coalesce(o.acl, acldefault(o.kind::"char", o.owner))) a WHERE a.grantee <> o.owner))
    ORDER BY o.alters), '[]')
FROM ({_OBJECTS}) o(grants, acl, owner, kind, alters)
"""
_COLUMN_RIGHTS = f"""
SELECT coalesce(json_agg(json_build_array({_NAMED.format("c.relname")}, quote_ident(a.attname),
    CASE WHEN x.grantee = 0 THEN NULL ELSE pg_get_userbyid(x.grantee) END, x.privilege_type, x.is_grantable)), '[]')
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN aclexplode(a.attacl) x
WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND x.grantee <> c.relowner AND {OWN_SCHEMA}
    AND {not_of_extension("pg_class", "c.oid")}
"""
_DEFAULT_RIGHTS = """
SELECT coalesce(json_agg(json_build_array(pg_get_userbyid(d.defaclrole), quote_ident(n.nspname),
    CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
        WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE '' END,
    CASE WHEN a.grantee = 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable)), '[]')
FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace CROSS JOIN aclexplode({rights}) a
WHERE d.defaclobjtype <> 'L' AND {which}
"""
# Rights given by default beyond those that each new object has, and rights that each has and that were taken away.
_GIVEN_BY_DEFAULT = _DEFAULT_RIGHTS.format(rights="d.defaclacl", which="a.grantee <> d.defaclrole")
_TAKEN_BY_DEFAULT = _DEFAULT_RIGHTS.format(
    rights="acldefault(CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END, d.defaclrole)",
    which="d.defaclnamespace = 0 AND NOT EXISTS (SELECT 1 FROM aclexplode(d.defaclacl) x"
    " WHERE x.grantee = a.grantee AND x.privilege_type = a.privilege_type)",
)
_DATABASE = """
SELECT json_build_array(pg_get_userbyid(d.datdba), (
    SELECT json_agg(json_build_array(CASE WHEN a.grantee = 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END,
        a.privilege_type, a.is_grantable))
    FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a WHERE a.grantee <> d.datdba))
FROM pg_database d WHERE d.datname = {}
"""
_COMMENT_AND_OWNER = "SELECT shobj_description(oid, 'pg_database'), pg_get_userbyid(datdba) FROM pg_database WHERE datname = {}"
_COMMENT_OF_PUBLIC = "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = 'public'"
_SETTINGS = """
SELECT coalesce(json_agg(json_build_array(r.rolname, x.setting)), '[]') FROM pg_db_role_setting s
JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole
CROSS JOIN unnest(s.setconfig) x(setting) WHERE d.datname = {}
"""
_MAY = """
SELECT (SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user),
    coalesce((SELECT pg_has_role(current_user, datdba, 'MEMBER') FROM pg_database WHERE datname = {}), false),
    coalesce((SELECT has_database_privilege(oid, 'CREATE') FROM pg_database WHERE datname = {}), false)
"""
_NO_RIGHT = {"42501", "42704"}
_SETTING = re.compile(r'^ALTER (?:DATABASE|ROLE) .* SET "((?:[^"]|"")+)" = ', re.DOTALL)


class _Grant(NamedTuple):
    """One right: on what, which, to whom (None: everybody), and whether it may be passed on."""

    on: str
    right: str
    to: Optional[str]
    passed_on: bool

    def sql(self, verb: str = "GRANT") -> str:
        whom = "PUBLIC" if self.to is None else quoted(self.to)
        if verb == "REVOKE":
            return f"REVOKE {self.right} ON {self.on} FROM {whom}"
        return f"GRANT {self.right} ON {self.on} TO {whom}" + (" WITH GRANT OPTION" if self.passed_on else "")


def refuse_foreign_owners(live: Session) -> None:
    """Do nothing where the user could make each object of live its own way. *Raises* Refusal (refused) with the owners."""
    owners = {owner for _, owner, _, _ in _json(live, _ALL)}
    foreign = [
        owner
        for owner in sorted(owners)
        # The schema public belongs to whoever owns the database, by this name, from PostgreSQL 15 on.
        if owner != "pg_database_owner"
        and not live.number(f"SELECT pg_has_role(current_user, {literal(owner)}, 'MEMBER')::int")
    ]
    tables = [
        name for name, owner, _, _ in _json(live, _ALL) if owner in foreign and name.startswith("TABLE ")
    ]
    if tables:
        raise Refusal(
            "refused",
            f"Tables of the live database belong to {', '.join(foreign)}, and the application's user cannot give them"
            f" to that role again ({len(tables)} of them). Nothing was changed; call the DBA.",
        )


def read_rights(session: Session, live: str) -> Dict[str, Any]:
    """Return whether the user may make databases and rename live; asked without trying it; reads only.

    `{"create": …, "live": …, "missing_own": […], "missing_live": […], "side": …}`. `side`: it has not the right
    CREATEDB, but may make schemas in its own database, where Backout's own places are then.
    """
    create, owner, makes_schemas = session.rows(_MAY.format(literal(live), literal(live)))[0]
    side = create != "t" and makes_schemas == "t"
    missing_own = [] if create == "t" or side else ["CREATEDB"]
    missing_live = [*missing_own, *([] if owner == "t" or side else ["OWNER OF THE DATABASE"])]
    return {
        "side": side,
        "create": not missing_own,
        "live": not missing_live,
        "missing_own": missing_own,
        "missing_live": missing_live,
    }


def carry_over(live: Session, scratch: Session) -> List[str]:
    """Give the objects of scratch the owners and rights that live's have by name, and its schema public live's comment.

    Returns in words what could not be.

    Objects that only one of them has are left as they are. *Changes*: owners and rights in scratch. Done twice it
    changes nothing more.
    """
    statements = _owner_changes(live, scratch)
    theirs, own = _grants(live), _grants(scratch)
    there = {name for name, _, _, _ in _json(scratch, _ALL)}
    statements += [grant.sql("REVOKE") for grant in sorted(own - theirs, key=str)]
    statements += [grant.sql() for grant in sorted(theirs - own, key=str) if grant.on in there]
    statements += _column_grants(live)
    statements += _default_grants(live)
    comment = live.value(_COMMENT_OF_PUBLIC)
    if comment is not None and comment != scratch.value(_COMMENT_OF_PUBLIC):
        statements.append(f"COMMENT ON SCHEMA public IS {literal(comment)}")
    return _run_each(scratch, statements)


@dataclass(frozen=True)
class Noted:
    """Owners by object, rights and rights on columns, as they stood at one moment."""

    owners: Dict[str, str]
    grants: FrozenSet[_Grant]
    columns: Tuple[str, ...]


def noted_rights(live: Session) -> Noted:
    """Return the owners and rights of live's objects by name; reads only."""
    owners = {alters: owner for _, owner, alters, _ in _json(live, _ALL)}
    return Noted(owners, frozenset(_grants(live)), tuple(_column_grants(live)))


def give_rights(session: Session, noted: Noted) -> List[str]:
    """Give objects of the same names these owners and rights, in the open transaction; return what could not be.

    *Changes*: owners and rights.
    """
    found = _json(session, _ALL)
    there, own = {name for name, _, _, _ in found}, _grants(session)
    statements = [
        f"ALTER {alters} OWNER TO {quoted(noted.owners[alters])}"
        for _, owner, alters, _ in found
        if alters in noted.owners and noted.owners[alters] != owner
    ]
    statements += [grant.sql("REVOKE") for grant in sorted(own - noted.grants, key=str)]
    statements += [grant.sql() for grant in sorted(noted.grants - own, key=str) if grant.on in there]
    return _run_each(session, [*statements, *noted.columns], inside=True)


def carry_database_over(admin: Session, live: str, scratch: str) -> List[str]:
    """Give the scratch database itself the settings, rights, comment and owner of live; return what could not be.

    *Changes*: the scratch database's settings, rights, comment and owner.
    """
    theirs, own = _database_grants(admin, live, scratch), _database_grants(admin, scratch, scratch)
    statements = [
        set_database(scratch, str(setting), role or "")
        for role, setting in _json(admin, _SETTINGS.format(literal(live)))
    ]
    statements += [grant.sql("REVOKE") for grant in sorted(own - theirs, key=str)]
    statements += [grant.sql() for grant in sorted(theirs - own, key=str)]
    comment, owner = admin.rows(_COMMENT_AND_OWNER.format(literal(live)))[0]
    if comment is not None:
        statements.append(f"COMMENT ON DATABASE {quoted(scratch)} IS {literal(comment)}")
    # Last: by then all else was done as the owner.
    statements.append(f"ALTER DATABASE {quoted(scratch)} OWNER TO {quoted(str(owner))}")
    return _run_each(admin, statements)


def _json(session: Session, select: str) -> List[Any]:
    found: List[Any] = json.loads(session.value(select) or "[]")
    return found


def _owner_changes(live: Session, scratch: Session) -> List[str]:
    owned = {alters: owner for _, owner, alters, _ in _json(live, _ALL)}
    return [
        f"ALTER {alters} OWNER TO {quoted(owned[alters])}"
        for _, owner, alters, _ in _json(scratch, _ALL)
        if alters in owned and owned[alters] != owner
    ]


def _grants(session: Session) -> set[_Grant]:
    return {
        _Grant(name, right, whom, passed_on)
        for name, _, _, rights in _json(session, _ALL)
        for whom, right, passed_on in rights or []
    }


def _database_grants(admin: Session, database: str, told_as: str) -> set[_Grant]:
    found = json.loads(admin.value(_DATABASE.format(literal(database))) or "[null, null]")
    on = f"DATABASE {quoted(told_as)}"
    return {_Grant(on, right, whom, passed_on) for whom, right, passed_on in found[1] or []}


def _column_grants(live: Session) -> List[str]:
    return [
        _Grant(f"TABLE {table}", f"{right} ({column})", whom, passed_on).sql()
        for table, column, whom, right, passed_on in _json(live, _COLUMN_RIGHTS)
    ]


def _default_grants(live: Session) -> List[str]:
    statements = []
    for verb, select in (("REVOKE", _TAKEN_BY_DEFAULT), ("GRANT", _GIVEN_BY_DEFAULT)):
        for role, schema, kind, whom, right, passed_on in _json(live, select):
            place = f" IN SCHEMA {schema}" if schema else ""
            change = _Grant(kind, right, whom, passed_on).sql(verb)
            statements.append(f"ALTER DEFAULT PRIVILEGES FOR ROLE {quoted(role)}{place} {change}")
    return statements


def _run_each(session: Session, statements: Iterable[str], *, inside: bool = False) -> List[str]:
    """Run each statement by itself (`inside` an open transaction); what only another role may do is told and not done."""
    told: Dict[Tuple[str, str], int] = {}
    for statement in statements:
        if inside:
            session.run("SAVEPOINT one")
        state = session.tried(statement)
        if inside:
            session.run("ROLLBACK TO one" if state else "RELEASE one")
        if state:
            if state not in _NO_RIGHT:
                raise ServerRefusal("refused", f"Rights could not be carried over (SQLSTATE {state}).", state)
            told[(_told(statement), state)] = told.get((_told(statement), state), 0) + 1
    return [f"not carried over: {count} × {what} (SQLSTATE {state})" for (what, state), count in told.items()]


def _told(statement: str) -> str:
    """Return what a statement is, in its first words; of a setting its name too, but never its value."""
    words, setting = " ".join(statement.split(" ")[:2]), _SETTING.search(statement)
    return f"{words} SET {setting.group(1)}" if setting else words
