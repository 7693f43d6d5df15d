"""The verdict on one backup: VERIFIED, REFUSED or COULD NOT VERIFY, with every reason in plain words."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from typing import Any, Dict, FrozenSet, Iterator, List, Mapping, Optional, Sequence

from bot.dumps import formats
from bot.dumps.manifest import ABSENT, BLOCK, FAILED, IMPOSSIBLE, Hazard, Manifest

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
# What takes the end marker's place in formats that have none.
_WHOLE = {formats.SQLITE_FILE: "quick_check is ok", formats.PG_CUSTOM: "each of its data blocks is whole"}


class Word(enum.Enum):
    """The three verdicts; the value is what a person reads."""

    VERIFIED = "VERIFIED"
    REFUSED = "REFUSED"
    COULD_NOT_VERIFY = "COULD NOT VERIFY"


@dataclass(frozen=True)
class Verdict:
    """A word and its reasons. `notes` are worth knowing but decide nothing; `older_by` counts missing migrations."""

    word: Word
    reasons: List[str]
    notes: List[str] = field(default_factory=list)
    older_by: int = 0

    def as_json(self) -> Dict[str, Any]:
        """Return the verdict as a JSON object."""
        return {
            "word": self.word.value,
            "reasons": self.reasons,
            "notes": self.notes,
            "older_by": self.older_by,
        }


@dataclass(frozen=True)
class Expectation:
    """What the live site looks like. None: not known, so not compared. `migrations` in the order in which they ran.

    `version` is the live server's own, such as "15.18" or "10.11.6-MariaDB"; `objects` how many of each kind it has,
    such as `{"routines": 2, "triggers": 1}`.
    """

    engine: Optional[str] = None
    tables: Optional[FrozenSet[str]] = None
    database: Optional[str] = None
    migrations: Optional[List[str]] = None
    version: Optional[str] = None
    objects: Mapping[str, int] = field(default_factory=dict)

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


def judge(
    manifest: Manifest,
    hazards: Sequence[Hazard],
    before: Optional[str],
    expect: Expectation,
    unread: Optional[str] = None,
) -> Verdict:
    """Return the verdict on a backup that is to be from before the migration `before` (None: any time).

    `unread` says why the file could not be read for want of a program or a way, where that is so.
    """
    notes = [hazard.message for hazard in hazards if hazard.severity != BLOCK]
    if unread:
        return Verdict(Word.COULD_NOT_VERIFY, [unread], notes)
    refusals = list(dict.fromkeys(_refusals(manifest, hazards, before, expect)))
    if refusals:
        return Verdict(Word.REFUSED, refusals, notes)
    missing = missing_migrations(_names(manifest), before, expect.migrations)
    if missing:
        notes.append(
            f"{_counted(len(missing), 'migration')} older than the newest possible backup: made before {missing[0]}"
        )
    notes += _server_notes(manifest, expect)
    doubts = list(_doubts(manifest))
    if doubts:
        return Verdict(Word.COULD_NOT_VERIFY, doubts, notes, len(missing))
    return Verdict(Word.VERIFIED, _proofs(manifest, before, expect), notes, len(missing))


def _refusals(
    manifest: Manifest, hazards: Sequence[Hazard], before: Optional[str], expect: Expectation
) -> Iterator[str]:
    """Yield every reason for which this backup must not be used."""
    if manifest.damage and manifest.format is None:
        yield manifest.damage
        return
    if manifest.damage:
        yield f"it is damaged: {manifest.damage}"
    if manifest.format is None:
        yield "it is not a database backup in any form that Backout knows"
        return
    if manifest.integrity == "failed":
        yield "it is damaged: SQLite's own quick_check found errors in it"
    if manifest.end_marker == FAILED:
        yield "the program that wrote it ended with an error (ROLLBACK stands where COMMIT should)"
    elif manifest.end_marker == ABSENT and not manifest.damage:
        yield "it is cut short: its end marker is missing"
    for hazard in hazards:
        if hazard.severity == BLOCK:
            yield hazard.message
    yield from _content_refusals(manifest)
    yield from _site_refusals(manifest, expect)
    yield from _time_refusals(manifest, before, expect)


def _content_refusals(manifest: Manifest) -> Iterator[str]:
    if not manifest.tables:
        if not manifest.damage and _countable(manifest):
            yield "it holds no tables"
        return
    if not _holds_rows(manifest):
        yield "it holds no rows outside the migrations table: structure only"
    if manifest.migrations is None:
        yield "it has no migrations table, so it cannot be told from when it is"
    elif not manifest.migrations and _holds_no_migrations(manifest):
        yield "its migrations table is empty, so it cannot be told from when it is"


def _server_notes(manifest: Manifest, expect: Expectation) -> Iterator[str]:
    """Yield what the live server has or knows and the backup does not, or the other way round."""
    yield from _version_notes(manifest, expect)
    lacking = sorted((expect.tables or frozenset()) - frozenset(manifest.tables)) if manifest.tables else []
    if lacking:
        more = f" and {len(lacking) - _NAMES_SHOWN} more" if len(lacking) > _NAMES_SHOWN else ""
        yield f"it lacks {_counted(len(lacking), 'table')} that the live database has: {', '.join(lacking[:_NAMES_SHOWN])}{more}"
    for kind, count in sorted(expect.objects.items()):
        if count and kind in manifest.schema_objects and not manifest.schema_objects[kind]:
            yield f"it holds no {kind}; the live database has {count}, and these are kept as they are there"


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


def _countable(manifest: Manifest) -> bool:
    """Say whether tables and rows can be read from this format without loading it."""
    if manifest.format == formats.PG_TAR:
        return False
    return not (manifest.format == formats.PG_CUSTOM and manifest.end_marker == IMPOSSIBLE)


def _holds_no_migrations(manifest: Manifest) -> bool:
    """Say whether the migrations table is known to be empty, not merely uncounted."""
    return not any(
        entry.rows is None
        for name, entry in manifest.tables.items()
        if name.rpartition(".")[2] == "migrations"
    )


def _holds_rows(manifest: Manifest) -> bool:
    return any(
        entry.rows is None or entry.rows > 0
        for name, entry in manifest.tables.items()
        if name.rpartition(".")[2] != "migrations"
    )


def _site_refusals(manifest: Manifest, expect: Expectation) -> Iterator[str]:
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
        names = _names(manifest)
        foreign = [name for name in names if name not in expect.migrations]
        if len(foreign) * 2 > len(names):
            yield f"{len(foreign)} of its {len(names)} migrations are unknown to the site: wrong database"


def _own_tables(manifest: Manifest, live: FrozenSet[str]) -> bool:
    theirs = frozenset(manifest.tables) - FRAMEWORK_TABLES
    ours = live - FRAMEWORK_TABLES
    if not theirs or not ours:
        return bool(frozenset(manifest.tables) & live)
    return len(theirs & ours) >= _SHARE_OF_OWN_TABLES * min(len(theirs), len(ours))


def _time_refusals(manifest: Manifest, before: Optional[str], expect: Expectation) -> Iterator[str]:
    """Yield why this backup is not from before the migration."""
    names = _names(manifest)
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


def _doubts(manifest: Manifest) -> Iterator[str]:
    """Yield why this backup may be good but cannot be proven by reading it."""
    if manifest.format == formats.PG_TAR:
        yield "it is a tar archive of pg_dump, which has no end marker; loading it into scratch would prove it"
    elif manifest.end_marker == IMPOSSIBLE and manifest.format == formats.PG_CUSTOM:
        yield "its data lie beside it or are packed in a way that is not read here; loading it into scratch would prove it"
        return
    elif manifest.end_marker == IMPOSSIBLE and manifest.format != formats.SQLITE_FILE:
        yield "it was made without an end marker, so a cut cannot be told; loading it into scratch would prove it"
    if any(entry.rows is None for entry in manifest.tables.values()):
        yield "its rows cannot be counted without loading it; loading it into scratch would prove it"


def _proofs(manifest: Manifest, before: Optional[str], expect: Expectation) -> List[str]:
    """Return what makes the backup good, in the order in which a person would ask."""
    rows = sum(entry.rows or 0 for entry in manifest.tables.values())
    proofs = [f"read to its last byte: {_counted(len(manifest.tables), 'table')}, {_counted(rows, 'row')}"]
    proofs.append(_WHOLE.get(manifest.format or "", "its end marker is there"))
    if before:
        earlier = earlier_migrations(before, expect.migrations)
        known = (
            f", {len(earlier) - len(missing_migrations(_names(manifest), before, expect.migrations))} of {len(earlier)} earlier ones are there"
            if earlier
            else ""
        )
        proofs.append(f"{before} is not in its migrations table{known}")
    return proofs


def _counted(count: int, thing: str) -> str:
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def _names(manifest: Manifest) -> List[str]:
    return [str(row["name"]) for row in manifest.migrations or []]


def exit_status(verdict: Mapping[str, Any]) -> int:
    """Return the exit status for a verdict as JSON: 0 VERIFIED, 1 REFUSED, 2 COULD NOT VERIFY."""
    order = [Word.VERIFIED.value, Word.REFUSED.value, Word.COULD_NOT_VERIFY.value]
    return order.index(str(verdict["word"]))
