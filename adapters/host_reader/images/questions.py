"""What an image needs to know that only the server's own catalogue tells: counters, and how large the data are."""

from __future__ import annotations

from typing import Dict

from adapters.host_reader.server.port import Server, ServerTable

# MySQL tells the next number. Source: MySQL 8.0 and MariaDB 10.11 manuals, INFORMATION_SCHEMA TABLES.
_MYSQL_NUMBER = (
    "SELECT AUTO_INCREMENT - 1 FROM information_schema.TABLES WHERE {here} AND TABLE_NAME = {table}"
)
# The information schema compares names without case; two databases may differ in nothing else.
_HERE = "TABLE_SCHEMA = DATABASE() AND CAST(TABLE_SCHEMA AS BINARY) = CAST(DATABASE() AS BINARY)"
_MYSQL_SIZE = f"SELECT SUM(DATA_LENGTH) + SUM(INDEX_LENGTH) FROM information_schema.TABLES WHERE {_HERE}"
# PostgreSQL tells the last number, NULL where none was given yet; the sequence belongs to the column or is its default.
# A table outside the application's schema is named `schema.table`. Source: PostgreSQL 15 manual, 53.18 and 54.20.
_PGSQL_NUMBER = """
SELECT max(q.last_value) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
JOIN (SELECT refobjid AS rel, refobjsubid AS att, objid AS seq FROM pg_catalog.pg_depend
        WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
    UNION SELECT f.adrelid, f.adnum, d.refobjid FROM pg_catalog.pg_attrdef f JOIN pg_catalog.pg_depend d
        ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass) u
    ON u.rel = c.oid AND u.att = a.attnum
JOIN pg_catalog.pg_class s ON s.oid = u.seq AND s.relkind = 'S'
JOIN pg_catalog.pg_namespace m ON m.oid = s.relnamespace
JOIN pg_catalog.pg_sequences q ON q.schemaname = m.nspname AND q.sequencename = s.relname
WHERE CASE WHEN n.nspname = current_schema() THEN c.relname::text ELSE n.nspname || '.' || c.relname END = {table}
    AND a.attname = {column}
"""
_PGSQL_SIZE = "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())"

_NUMBERS: Dict[str, str] = {"mysql": _MYSQL_NUMBER, "mariadb": _MYSQL_NUMBER, "pgsql": _PGSQL_NUMBER}
_SIZES: Dict[str, str] = {"mysql": _MYSQL_SIZE, "mariadb": _MYSQL_SIZE, "pgsql": _PGSQL_SIZE}


def last_number(server: Server, database: str, table: ServerTable) -> int:
    """Return the largest number the server will not give again in `table.numbered`, 0 where none is; reads only."""
    if table.numbered is None:
        return 0
    select = _NUMBERS[server.engine].format(
        here=_HERE, table=_literal(server, table.name), column=_literal(server, table.numbered)
    )
    return max(0, server.number(database, select))


def size_bytes(server: Server, database: str) -> int:
    """Return about how many bytes the database has on the server's disk; reads only."""
    return max(0, server.number(database, _SIZES[server.engine]))


def _literal(server: Server, text: str) -> str:
    """Return a name as an SQL text that means the same whatever the session's escaping rules are."""
    raw = text.encode("utf-8").hex()
    if server.engine == "pgsql":
        return f"pg_catalog.convert_from(pg_catalog.decode('{raw}', 'hex'), 'UTF8')"
    return f"CONVERT(X'{raw}' USING utf8)"
