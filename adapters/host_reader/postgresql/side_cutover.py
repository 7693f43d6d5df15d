"""The cut-over of a user who may not rename databases: the objects of two schemas change places in one transaction."""

from __future__ import annotations

import time
from typing import Any, Dict, List

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql.fingerprint import read_content
from adapters.host_reader.postgresql.journal import Journal, Swap, new_name
from adapters.host_reader.postgresql.left_behind import refuse_incoming
from adapters.host_reader.postgresql.names import literal, quoted
from adapters.host_reader.postgresql.rights import give_rights, noted_rights, refuse_foreign_owners
from adapters.host_reader.postgresql.sequences import given_numbers, raise_to
from adapters.host_reader.postgresql.server import PostgresqlServer
from adapters.host_reader.postgresql.session import ServerRefusal, Session
from adapters.host_reader.postgresql.side import dependents, has_schema, may_make_side, other_schemas
from adapters.host_reader.postgresql.writers import end_sessions, other_sessions
from adapters.host_reader.sqlite_request import Request, number, text

_LOCKED = "55P03"
_NOT_OF_EXTENSION = "NOT EXISTS (SELECT 1 FROM pg_depend x WHERE x.classid = '{}'::regclass AND x.objid = {} AND x.deptype = 'e')"
# Each object that is moved by itself, as ALTER names it. What belongs to a table goes with it: its indexes, triggers,
# rules, row type, and the sequences of its columns.
_MOVED = f"""
SELECT CASE c.relkind WHEN 'v' THEN 'VIEW ' WHEN 'm' THEN 'MATERIALIZED VIEW ' WHEN 'f' THEN 'FOREIGN TABLE '
    WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || quote_ident(n.nspname) || '.' || quote_ident(c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = {{schema}} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    AND {_NOT_OF_EXTENSION.format("pg_class", "c.oid")}
    AND NOT (c.relkind = 'S' AND EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
        AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))
UNION ALL
SELECT CASE WHEN t.typtype = 'd' THEN 'DOMAIN ' ELSE 'TYPE ' END || quote_ident(n.nspname) || '.' || quote_ident(t.typname)
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE n.nspname = {{schema}} AND (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c')
    AND {_NOT_OF_EXTENSION.format("pg_type", "t.oid")}
UNION ALL
SELECT 'ROUTINE ' || p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = {{schema}} AND {_NOT_OF_EXTENSION.format("pg_proc", "p.oid")}
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
UNION ALL
SELECT 'STATISTICS ' || quote_ident(n.nspname) || '.' || quote_ident(s.stxname)
FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE n.nspname = {{schema}}
"""
_HOLDERS = """
SELECT DISTINCT l.pid FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.granted AND n.nspname IN ({}, {}) AND l.pid <> pg_backend_pid()
"""


def settle_side(server: PostgresqlServer, journal: Journal) -> None:
    """Find out what became of an exchange that was killed: it happened as a whole or not at all. *Changes*: the note."""
    swap = journal.unfinished()
    if swap is None or not is_exchange(swap):
        return
    with server.session(server.home) as session:
        done = has_schema(session, swap.aside)
    journal.settle(done=done)
    server.leave(swap.live)


def is_exchange(swap: Swap) -> bool:
    """Return whether a swap is one of schemas, in which no database has another name after."""
    return swap.live_oid == 0


def exchange(server: PostgresqlServer, journal: Journal, source: str, request: Request) -> Dict[str, Any]:
    """Put live's objects into a schema aside and the side schema's into live's, in one transaction, or change nothing.

    All tables of both are locked first, live's content is proven under these locks, and the new content before the
    commit. *Changes*: production. *Raises* Refusal: busy (a session holds a table: which), changed, refused.
    """
    live = text(request, "target")
    schema = server.live_schema()
    swap = Swap(
        live=live,
        source=source,
        aside=new_name("aside"),
        live_oid=0,
        source_oid=0,
        live_fingerprint=text(request, "expect_target_fingerprint"),
        source_fingerprint=text(request, "expect_source_fingerprint"),
        connection_limit=0,
        done=False,
    )
    with server.session(live) as session:
        refuse_incoming(session)
        _refuse_unmovable(session, schema)
        notes = _published(session, schema)
    if request.get("end_sessions") is True:
        with server.session(live) as session:
            numbers = [each["pid"] for each in other_sessions(session, live)]
        end_sessions(server, live, numbers)
    path_schema = server.path_schema(live)
    server.leave(live)
    server.leave(source)
    journal.intend(swap)
    try:
        closed_s, told = _exchange(server, swap, schema, path_schema, number(request, "busy_timeout_s", 20))
    except BaseException:
        settle_side(server, journal)
        raise
    journal.settle(done=True)
    server.forget(source)
    return {"closed_s": closed_s, "notes": [*notes, *told]}


def _exchange(
    server: PostgresqlServer, swap: Swap, schema: str, path_schema: "str | None", wait_s: float
) -> "tuple[float, List[str]]":
    with server.session(swap.live) as session:
        session.run("BEGIN")
        session.run(f"SET LOCAL lock_timeout = {max(1, int(wait_s * 1000))}")
        closed = time.monotonic()
        out, back = _moved(session, schema), _moved(session, swap.source)
        _lock(server, session, [*out, *back], schema, swap)
        if read_content(session, path_schema).fingerprint.hash != swap.live_fingerprint:
            raise Refusal(
                "changed",
                f"{swap.live} is not as it was when the plan was made. Nothing was changed; plan again.",
            )
        rights, given = noted_rights(session), given_numbers(session)
        session.run_generated(f"CREATE SCHEMA {quoted(swap.aside)}")
        for each in out:
            session.run_generated(f"ALTER {each} SET SCHEMA {quoted(swap.aside)}")
        for each in back:
            session.run_generated(f"ALTER {each} SET SCHEMA {quoted(schema)}")
        # Without CASCADE: where anything was not moved, this fails and nothing is changed.
        session.run_generated(f"DROP SCHEMA {quoted(swap.source)}")
        notes = give_rights(session, rights)
        raise_to(session, given)
        if read_content(session, path_schema).fingerprint.hash != swap.source_fingerprint:
            raise Refusal(
                "refused",
                "What would have become live is not what was rehearsed. Nothing was changed; make the plan anew, and"
                " call the DBA if it happens again.",
            )
        session.run("COMMIT")
        return round(time.monotonic() - closed, 3), notes


def _moved(session: Session, schema: str) -> List[str]:
    return [str(row[0]) for row in session.rows(_MOVED.format(schema=literal(schema)))]


def _lock(server: PostgresqlServer, session: Session, moved: List[str], schema: str, swap: Swap) -> None:
    """Lock all tables, so that nobody reads or writes until the end. *Raises* Refusal (busy) with who holds one."""
    tables = [each[len("TABLE ") :] for each in moved if each.startswith("TABLE ")]
    if not tables:
        return
    try:
        session.run_generated(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
    except ServerRefusal as refusal:
        if refusal.state != _LOCKED:
            raise
        raise _busy(server, schema, swap) from None


def _busy(server: PostgresqlServer, schema: str, swap: Swap) -> Refusal:
    with server.session(server.home) as session:
        holders = {
            int(row[0] or 0) for row in session.rows(_HOLDERS.format(literal(schema), literal(swap.source)))
        }
        there = [each for each in other_sessions(session, swap.live) if each["pid"] in holders]
    told = ", ".join(
        f"pid {each['pid']} of {each['user']} ({each['program'] or 'no name'}, {each['state'] or 'state unknown'})"
        for each in there[:10]
    )
    return Refusal(
        "busy",
        f"Other sessions hold tables of the database: {told or 'they ended meanwhile'}. Nothing was changed; stop these"
        " programs, or let Backout end the sessions.",
    )


def _refuse_unmovable(session: Session, schema: str) -> None:
    """Do nothing where all of live can be moved and nothing elsewhere would follow it. *Raises* Refusal (refused)."""
    refuse_foreign_owners(session)
    others = other_schemas(session, schema)
    needing = dependents(session, schema)
    if others or needing:
        raise Refusal(
            "refused",
            "The application has objects in other schemas, or objects there depend on its tables"
            f" ({', '.join([*others, *needing][:5])}). Without the right CREATEDB only one schema can be exchanged."
            " Nothing was changed; have an administrator run ALTER ROLE … CREATEDB.",
        )
    may_create = session.number(f"SELECT has_schema_privilege({literal(schema)}, 'CREATE')::int")
    if may_create and may_make_side(session):
        return
    owner = session.value(
        f"SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = {literal(schema)}"
    )
    raise Refusal(
        "refused",
        f"The application's user may not make objects in the schema {schema}, which belongs to {owner}, or schemas in"
        f" its database. Nothing was changed; have an administrator run GRANT CREATE ON SCHEMA {schema} and GRANT"
        " CREATE ON DATABASE … TO that role.",
    )


def _published(session: Session, schema: str) -> List[str]:
    rows = session.rows(
        "SELECT p.pubname, count(*) FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid"
        " JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname = {literal(schema)} GROUP BY 1 ORDER BY 1"
    )
    return [f"not carried over: the publication {row[0]} of {row[1]} tables" for row in rows]
