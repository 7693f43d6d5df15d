"""Real dumps of MariaDB and PostgreSQL: a hostile site on a server of the session, dumped in every useful way."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.login import Login
from tests.servers.mariadb import MariadbServer
from tests.servers.postgres import PostgresServer
from tests.zoo import hostile

DATABASE = "zoo_album"
OTHER = "zoo_shop"
OTHER_MIGRATIONS = ["2020_05_05_000000_create_shop", "2021_05_05_000000_create_orders"]

MARIADB_GOOD = {
    "defaults": [],
    "full": ["--single-transaction", "--quick", "--skip-lock-tables", "--routines", "--triggers", "--events"],
    "one-row-a-statement": ["--skip-extended-insert"],
    "complete-insert": ["--complete-insert", "--hex-blob"],
    "complete-one-row": ["--complete-insert", "--skip-extended-insert"],
    "small-buffer": ["--net-buffer-length=4096"],
    "insert-ignore": ["--insert-ignore"],
    "replace": ["--replace"],
    "no-autocommit": ["--no-autocommit", "--skip-add-locks", "--skip-disable-keys"],
    "no-drop-table": ["--skip-add-drop-table", "--skip-set-charset"],
    "add-drop-trigger": ["--add-drop-trigger", "--order-by-primary"],
    "no-triggers": ["--skip-triggers"],
    "no-dump-date": ["--skip-dump-date"],
    "skip-quick": ["--skip-quick", "--skip-tz-utc"],
    "skip-opt": ["--skip-opt", "--extended-insert", "--create-options"],
    "binary": ["--default-character-set=binary"],
    "hex-blob": ["--flush-logs", "--hex-blob", "--routines"],
    "allow-keywords": ["--comments", "--allow-keywords", "--quote-names"],
}
MARIADB_UNSURE = {"compact": ["--compact"], "skip-comments": ["--skip-comments"]}
MARIADB_BAD = {
    "no-data": ["--no-data", "--routines"],
    "no-create-info": ["--no-create-info"],
    "one-table": ["--tables", DATABASE, "albums"],
    "databases": ["--databases", DATABASE],
    "all-databases": ["--all-databases"],
    "add-drop-database": ["--add-drop-database", "--databases", DATABASE],
}
PG_GOOD = {
    "plain": [],
    "clean": ["--clean", "--if-exists"],
    "no-owner": ["--no-owner", "--no-acl"],
    "inserts": ["--inserts"],
    "column-inserts": ["--column-inserts"],
    "rows-per-insert": ["--inserts", "--rows-per-insert=7"],
    "on-conflict": ["--inserts", "--on-conflict-do-nothing"],
    "disable-triggers": ["--disable-triggers"],
    "no-dollar-quoting": ["--disable-dollar-quoting"],
    "quote-all": ["--quote-all-identifiers"],
    "verbose": ["--verbose"],
    "no-comments": ["--no-comments", "--no-security-labels"],
    "no-large-objects": ["--no-blobs"],
    "partition-root": ["--load-via-partition-root"],
    "deferrable": ["--encoding=UTF8", "--serializable-deferrable"],
    "custom": ["-Fc"],
    "custom-uncompressed": ["-Fc", "-Z0"],
    "custom-best": ["-Fc", "-Z9"],
    "custom-no-owner": ["-Fc", "--no-owner", "--no-acl"],
}
PG_UNSURE = {"tar": ["-Ft"], "custom-inserts": ["-Fc", "--inserts"]}
PG_BAD = {
    "schema-only": ["--schema-only"],
    "data-only": ["--data-only"],
    "custom-schema-only": ["-Fc", "--schema-only"],
    "custom-data-only": ["-Fc", "--data-only"],
    "one-table": ["--table=albums"],
    "create": ["--create"],
    "create-clean": ["--create", "--clean"],
}


@dataclass(frozen=True, kw_only=True)
class Dumped:
    """All dumps of one server: name to bytes. `rows` is what the server itself counts in each table."""

    label: str
    engine: str
    version: str
    rows: dict[str, int]
    good: dict[str, bytes] = field(default_factory=dict)
    older: dict[str, bytes] = field(default_factory=dict)
    unsure: dict[str, bytes] = field(default_factory=dict)
    bad: dict[str, bytes] = field(default_factory=dict)


def dumped_mariadb(server: MariadbServer) -> Dumped:
    """Make the site on the server, dump it in every way, and remove it again."""
    server.superuser.run(f"drop database if exists {DATABASE}; drop database if exists {OTHER}")
    login, other = server.make(DATABASE), server.make(OTHER)
    at = server.superuser.to(DATABASE)
    at.run(hostile.mariadb_sql(hostile.EARLIER))
    server.superuser.run(hostile.mariadb_sql(OTHER_MIGRATIONS, "shop_"), database=OTHER)
    dump = Path(server.bin) / "mariadb-dump"
    program = [str(dump if dump.exists() else server.bin / "mysqldump"), "--no-defaults"]
    program += [f"--socket={server.socket}", "--user=root"]

    def run(options: list[str], database: str = DATABASE) -> bytes:
        named = any(option in ("--databases", "--all-databases", "--tables") for option in options)
        return _output([*program, *options, *([] if named else [database])])

    found = Dumped(
        label="mariadb",
        engine="mysql",
        version=server.version,
        rows=_mariadb_rows(at),
        good={name: run(options) for name, options in MARIADB_GOOD.items()},
        unsure={name: run(options) for name, options in MARIADB_UNSURE.items()},
        bad={name: run(options) for name, options in MARIADB_BAD.items()},
    )
    _other_states(found, at, run, (("", ["--routines"]), ("-one-row", ["--skip-extended-insert"])))
    found.bad["other-database"] = run([], OTHER)
    server.drop(login)
    server.drop(other)
    return found


def dumped_postgres(server: PostgresServer, label: str, names: Sequence[str] = tuple(PG_GOOD)) -> Dumped:
    """Make the site on the server, dump it in the ways named, and remove it again."""
    login, other = server.make(DATABASE), server.make(OTHER)
    login.run(hostile.postgresql_sql(hostile.EARLIER))
    other.run(hostile.postgresql_sql(OTHER_MIGRATIONS, "shop_"))

    def run(options: list[str], database: str = DATABASE) -> bytes:
        way = login if database == DATABASE else other
        address = ["-h", way.host, "-p", str(way.port), "-U", way.username]
        return _output([f"{server.bin}/pg_dump", *address, *options, database], PGPASSWORD=way.password)

    found = Dumped(
        label=label,
        engine="pgsql",
        version=server.version,
        rows=_pg_rows(login),
        good={name: run(PG_GOOD[name]) for name in names},
        unsure={name: run(options) for name, options in PG_UNSURE.items()},
        bad={name: run(options) for name, options in PG_BAD.items()},
    )
    _other_states(found, login, run, (("", []), ("-custom", ["-Fc"])))
    found.bad["other-database"] = run([], OTHER)
    found.bad["other-database-custom"] = run(["-Fc"], OTHER)
    superuser = server.superuser
    found.bad["cluster"] = _output(
        [f"{server.bin}/pg_dumpall", "-h", superuser.host, "-p", str(superuser.port), "-U", "postgres"]
    )
    server.drop(login)
    server.drop(other)
    return found


def _other_states(
    found: Dumped, at: Login, run: Callable[[list[str]], bytes], ways: tuple[tuple[str, list[str]], ...]
) -> None:
    """Dump the same database in other states of its history. *Changes* the database."""
    table = "migrations"
    states: tuple[tuple[dict[str, bytes], str, str], ...] = (
        (found.bad, "after-the-migration", f"insert into {table} values (4, '{hostile.BAD}', 4)"),
        (found.bad, "a-hole-in-the-history", f"delete from {table} where id in (2, 4)"),
        (found.older, "older", f"delete from {table} where id > 1"),
        (found.bad, "empty-migrations", f"delete from {table}"),
        (found.bad, "no-migrations", f"drop table {table}"),
    )
    for kind, name, change in states:
        at.run(change)
        for suffix, options in ways:
            kind[name + suffix] = run(options)


def _output(command: list[str], **environment: str) -> bytes:
    done = subprocess.run(command, capture_output=True, env={**os.environ, **environment}, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def _mariadb_rows(at: Login) -> dict[str, int]:
    names = [
        row[0]
        for row in at.rows(
            "select table_name from information_schema.tables where table_schema = database()"
            " and table_type = 'BASE TABLE'"
        )
    ]
    return {name: at.number(f"select count(*) from {hostile.my_name(name)}") for name in names}


def _pg_rows(at: Login) -> dict[str, int]:
    """Return the rows of each table itself, without those of its partitions and heirs, by the manifest's names."""
    listed = at.run(
        "select string_agg(encode(convert_to(n.nspname, 'UTF8'), 'hex') || ' ' ||"
        " encode(convert_to(c.relname, 'UTF8'), 'hex'), ',') from pg_class c join pg_namespace n on n.oid = relnamespace"
        " where relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema')"
    ).strip()
    rows: dict[str, int] = {}
    for schema, name in _decoded(listed):
        place = f"{hostile.pg_name(schema)}.{hostile.pg_name(name)}"
        rows[name if schema == "public" else f"{schema}.{name}"] = at.number(
            f"select count(*) from only {place}"
        )
    return rows


def _decoded(listed: str) -> Iterator[tuple[str, str]]:
    for pair in listed.split(","):
        schema, name = (bytes.fromhex(part).decode() for part in pair.split(" "))
        yield schema, name
