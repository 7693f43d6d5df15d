"""Make and remove scratch databases, shaped like the live one."""

from __future__ import annotations

import json
from typing import Any, Dict, List

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql.names import literal, quoted
from adapters.host_reader.postgresql.session import ServerRefusal, Session

_SHAPE = """
SELECT to_jsonb(d) || jsonb_build_object('encoding_name', pg_encoding_to_char(d.encoding))
FROM pg_database d WHERE d.datname = {}
"""
# The data go to the disk where live's are, where the user may put them there.
_OWN_TABLESPACE = """
SELECT quote_ident(t.spcname) FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace
WHERE d.datname = {} AND t.spcname <> 'pg_default' AND has_tablespace_privilege(current_user, t.oid, 'CREATE')
"""
_DUPLICATE, _NO_RIGHT = "42P04", "42501"
# Settings that are lists of names are kept as SQL wrote them; all others are one value.
_LISTS = {"search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries"}
_MAY_CREATE = "SELECT (rolcreatedb OR rolsuper)::int FROM pg_roles WHERE rolname = current_user"


def may_create(session: Session) -> bool:
    """Return whether the user may make databases; asked without making one."""
    return bool(session.number(_MAY_CREATE))


def create_database(session: Session, database: str, like: str) -> None:
    """Make a new, empty database with encoding, locale and settings of another. *Changes*: makes it.

    *Raises* Refusal: refused (no right to), changed (one of that name is there).
    """
    shape = json.loads(session.value(_SHAPE.format(literal(like))) or "null")
    if shape is None:
        raise Refusal("not_found", f"There is no database {like!r} on this server. Nothing was changed.")
    if not may_create(session):
        raise _no_right()
    options = " ".join(f"{name} = {value}" for name, value in _options(shape).items())
    place = session.value(_OWN_TABLESPACE.format(literal(like)))
    options += f" TABLESPACE = {place}" if place else ""
    try:
        session.run_generated(f"CREATE DATABASE {quoted(database)} TEMPLATE template0 {options}")
    except ServerRefusal as refusal:
        if refusal.state == _DUPLICATE:
            raise Refusal(
                "changed", f"There is a database {database} already. Nothing was changed."
            ) from None
        if refusal.state == _NO_RIGHT:
            raise _no_right() from None
        raise
    for setting in database_settings(session, like, "0"):
        state = session.tried(set_database(database, setting))
        # What only a superuser may set changes no content; a cut-over tells that it is not carried over.
        if state not in ("", _NO_RIGHT):
            drop_database(session, database)
            raise Refusal(
                "refused",
                f"A setting of the database {like} ({setting.partition('=')[0]}) cannot be given to a copy of it (SQLSTATE"
                f" {state}). Nothing was kept and nothing was changed; have an administrator put it right.",
            )


def _no_right() -> Refusal:
    return Refusal(
        "refused",
        "The application's database user may not make databases: it has not the right CREATEDB. Nothing was changed;"
        " have an administrator run ALTER ROLE … CREATEDB, or choose a way in one database.",
    )


def _options(shape: Dict[str, Any]) -> Dict[str, str]:
    """Return CREATE DATABASE's options for a row of pg_database. *Source*: its columns in versions 13 to 18."""
    options = {
        "ENCODING": literal(shape["encoding_name"]),
        "LC_COLLATE": literal(shape["datcollate"]),
        "LC_CTYPE": literal(shape["datctype"]),
    }
    provider = {"i": "icu", "b": "builtin"}.get(shape.get("datlocprovider", "c"))
    locale = shape.get("datlocale") or shape.get("daticulocale")
    if provider and locale:
        options["LOCALE_PROVIDER"] = provider
        options["ICU_LOCALE" if provider == "icu" else "BUILTIN_LOCALE"] = literal(locale)
    if shape.get("daticurules"):
        options["ICU_RULES"] = literal(shape["daticurules"])
    return options


def database_settings(session: Session, database: str, role: str) -> List[str]:
    """Return the `name=value` settings that a database has for one role (by its number), `0`: for all; reads only."""
    select = (
        "SELECT unnest(s.setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
        f" WHERE d.datname = {literal(database)} AND s.setrole = {int(role)}"
    )
    return [str(row[0]) for row in session.rows(select)]


def set_database(database: str, setting: str, role: str = "") -> str:
    """Return the statement that gives a database one `name=value` setting, for all or for one role."""
    name, _, value = setting.partition("=")
    told = value if name.lower() in _LISTS and value else literal(value)
    whom = f"ROLE {quoted(role)} IN DATABASE {quoted(database)}" if role else f"DATABASE {quoted(database)}"
    return f"ALTER {whom} SET {quoted(name)} = {told}"


def drop_database(session: Session, database: str) -> None:
    """Remove a database of Backout's own and end the sessions that are in it. *Changes*: removes it."""
    session.run_generated(f"DROP DATABASE IF EXISTS {quoted(database)} WITH (FORCE)")
