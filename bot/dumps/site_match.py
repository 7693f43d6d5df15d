"""Whether a backup is of this site and from before the migration, told by what the live site looks like."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, FrozenSet, Iterator, List, Mapping, Optional, Sequence

from bot.dumps import formats
from bot.dumps.manifest import Manifest

# Tables that Laravel itself makes in every application: they say nothing about whose backup it is.
FRAMEWORK_TABLES = frozenset(
    [
        "migrations",
        "users",
        "password_resets",
        "password_reset_tokens",
        "failed_jobs",
        "jobs",
        "job_batches",
        "cache",
        "cache_locks",
        "sessions",
        "personal_access_tokens",
        "notifications",
    ]
)
# Half of the tables that are not Laravel's own: a migration seldom renames more, and another site shares fewer.
_SHARE_OF_OWN_TABLES = 0.5

_NAMES_SHOWN = 10

# What becomes of live's own where a backup has none of a kind. A cut-over moves no events (HAZARDS R10, S3).
_LEFT_OUT = "a swap to this backup would leave them out, a repair keeps them"
_WITHOUT = {"events": "a cut-over leaves them as they are"}


@dataclass(frozen=True)
class Expectation:
    """What the live site looks like. None: not known, so not compared. `migrations` in the order in which they ran.

    `version` is the live server's own, such as "15.18" or "10.11.6-MariaDB"; `objects` how many of each kind it has,
    such as `{"routines": 2, "triggers": 1}`. `migrations_table` is the name of the table in which they stand.
    """

    engine: Optional[str] = None
    tables: Optional[FrozenSet[str]] = None
    database: Optional[str] = None
    migrations: Optional[List[str]] = None
    version: Optional[str] = None
    objects: Mapping[str, int] = field(default_factory=dict)
    migrations_table: str = "migrations"

    @classmethod
    def from_request(cls, request: Optional[Mapping[str, Any]]) -> "Expectation":
        """Return the expectation in a request's `expect`; migrations as names or as `{"migration": name}` rows."""
        given = request or {}
        tables, migrations = given.get("tables"), given.get("migrations")
        engine = given.get("engine")
        return cls(
            engine={"mariadb": "mysql", "sqlite3": "sqlite", "postgresql": "pgsql"}.get(engine, engine)
            if engine
            else None,
            tables=frozenset(str(name) for name in tables) if tables is not None else None,
            database=given.get("database") or None,
            migrations=[_migration_name(row) for row in migrations] if migrations is not None else None,
            version=given.get("version") or None,
            objects={str(kind): int(count) for kind, count in (given.get("objects") or {}).items()},
        )


def _migration_name(row: Any) -> str:
    return str(row.get("migration") or row.get("name")) if isinstance(row, Mapping) else str(row)


def site_refusals(manifest: Manifest, expect: Expectation) -> Iterator[str]:
    """Yield why this is another engine's, another database's or another site's backup."""
    engine = formats.ENGINES[manifest.format or ""]
    if expect.engine and engine != expect.engine:
        yield f"it is a {engine} backup, and the site runs on {expect.engine}"
        return
    if expect.database and manifest.database and engine != "sqlite" and manifest.database != expect.database:
        yield f"it says that it is of the database {manifest.database!r}, and the site's is {expect.database!r}: wrong database"
    if expect.tables is not None and manifest.tables and not _own_tables(manifest, expect.tables):
        yield "its tables are not the site's: wrong database"
    if expect.migrations and manifest.migrations:
        names = migration_names(manifest)
        foreign = [name for name in names if name not in expect.migrations]
        if len(foreign) * 2 > len(names):
            yield f"{len(foreign)} of its {len(names)} migrations are unknown to the site: wrong database"


def _own_tables(manifest: Manifest, live: FrozenSet[str]) -> bool:
    theirs = frozenset(manifest.tables) - FRAMEWORK_TABLES
    ours = live - FRAMEWORK_TABLES
    if not theirs or not ours:
        return bool(frozenset(manifest.tables) & live)
    return len(theirs & ours) >= _SHARE_OF_OWN_TABLES * min(len(theirs), len(ours))


def time_refusals(manifest: Manifest, before: Optional[str], expect: Expectation) -> Iterator[str]:
    """Yield why this backup is not from before the migration."""
    names = migration_names(manifest)
    if not before or not names:
        return
    if before in names:
        yield f"it was taken after the migration: {before} stands in its migrations table"
        return
    earlier = earlier_migrations(before, expect.migrations)
    later = [
        name for name in names if expect.migrations and name in expect.migrations and name not in earlier
    ]
    if later:
        yield f"it was taken after the migration: it holds {later[0]}, which ran after {before}"
    missing = missing_migrations(names, before, expect.migrations)
    present = [name for name in earlier if name in names]
    if missing and present and earlier.index(missing[0]) < earlier.index(present[-1]):
        yield f"it lacks {missing[0]} but holds migrations that ran after it: not a state this site was in"
    if earlier and not present:
        yield "it holds none of the site's earlier migrations: wrong database"


def server_notes(manifest: Manifest, expect: Expectation) -> Iterator[str]:
    """Yield what the live server has or knows and the backup does not, or the other way round."""
    yield from _version_notes(manifest, expect)
    lacking = sorted((expect.tables or frozenset()) - frozenset(manifest.tables)) if manifest.tables else []
    if lacking:
        more = f" and {len(lacking) - _NAMES_SHOWN} more" if len(lacking) > _NAMES_SHOWN else ""
        yield f"it lacks {counted(len(lacking), 'table')} that the live database has: {', '.join(lacking[:_NAMES_SHOWN])}{more}"
    for kind, count in sorted(expect.objects.items()):
        if count and kind in manifest.schema_objects and not manifest.schema_objects[kind]:
            yield f"it holds no {kind}, and the live database has {count}: {_WITHOUT.get(kind, _LEFT_OUT)}"


def _version_notes(manifest: Manifest, expect: Expectation) -> Iterator[str]:
    """Yield that the backup comes from a newer server, or from the other of MySQL and MariaDB."""
    is_pgsql = expect.engine == "pgsql"
    theirs, live = (manifest.tool_version if is_pgsql else manifest.server_version), expect.version
    # PostgreSQL's first number tells what a server knows, MySQL's and MariaDB's first two.
    parts = 1 if is_pgsql else 2
    if not theirs or not live or not _version(theirs, parts) or not _version(live, parts):
        return
    if ("MariaDB" in theirs) != ("MariaDB" in live):
        yield f"it comes from {theirs}, and the live server is {live}: the two do not know all of each other's statements"
    elif _version(theirs, parts) > _version(live, parts):
        yield f"it comes from {theirs}, newer than the live server ({live}); what that does not know may fail in a load"


def _version(text: str, parts: int) -> List[int]:
    match = re.search(r"\d+(?:\.\d+)+", text)
    return [int(number) for number in match.group().split(".")[:parts]] if match else []


def earlier_migrations(before: Optional[str], live: Optional[Sequence[str]]) -> List[str]:
    """Return the live migrations that ran before `before`; by name where `before` was never recorded there."""
    if live is None:
        return []
    if before is None:
        return list(live)
    if before in live:
        return list(live[: list(live).index(before)])
    return [name for name in live if name < before]


def missing_migrations(
    names: Sequence[str], before: Optional[str], live: Optional[Sequence[str]]
) -> List[str]:
    """Return the earlier live migrations that the backup does not have, in the order in which they ran."""
    return [name for name in earlier_migrations(before, live) if name not in names]


def counted(count: int, thing: str) -> str:
    """Return a number and what it counts, in one or many."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def migration_names(manifest: Manifest) -> List[str]:
    """Return the names in the backup's migrations table, in the order in which they ran."""
    return [str(row["name"]) for row in manifest.migrations or []]
