"""Statements that block readers or writers of a table while they go through all of it, by engine and version."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from bot.laravel.findings.finding import Finding, Ground, Severity, stop, warn, what
from bot.laravel.reading.acts import Act, Event, MigrationSource

LOCKING_ROWS: Final = 100_000
"""From here on a copy of the table or the build of an index is long enough to be felt: about a second and more."""

_VOLATILE: Final = ("random", "uuid", "clock_timestamp", "nextval", "timeofday")


def locking(seen: MigrationSource, ground: Ground) -> Iterator[Finding]:
    """Yield what would hold up the site's visitors, or is refused by rows that are there."""
    for events in (seen.up or (), seen.down or ()):
        made = {event.table for event in events if event.act is Act.CREATE_TABLE}
        for event in events:
            if not event.is_on_new_table and (event.table not in made or event.act is Act.LOCK):
                yield from _not_null(event, ground)
                yield from _lock(event, events, ground)
    if ground.engine == "postgresql" and seen.is_in_transaction:
        yield from _concurrently(seen)


def _lock(event: Event, events: Sequence[Event], ground: Ground) -> Iterator[Finding]:
    if ground.is_below(event.table, LOCKING_ROWS) or "online" in event.traits:
        return
    rule = _RULES.get((event.act, "mysql" if ground.is_mysql else ground.engine))
    reason = rule(event, events, ground) if rule is not None else ""
    if reason:
        yield warn(
            "locks_table",
            event.line,
            f"{event.act.value} ({_about(event)}; {ground.size_words(event.table)}): {reason}",
        )


def _about(event: Event) -> str:
    columns = ", ".join(sorted(name for name in event.columns if name))
    return f"{what(event)}{f' ({columns})' if columns else ''}"


def _mysql_add(event: Event, _: Sequence[Event], ground: Ground) -> str:
    # Source: MySQL 8.0 manual, "Online DDL Operations"; MariaDB's "InnoDB Online DDL Operations".
    if "storedAs" in event.traits:
        return "a stored generated column makes the engine copy the table, writers wait until it is done"
    if "autoIncrement" in event.traits:
        return "a numbered column makes the engine rebuild the table, writers wait until it is done"
    instant = (8, 0, 12) if ground.engine == "mysql" else (10, 3, 2)
    known = ground.rows_of(event.table)
    if ground.engine_version and ground.engine_version < instant and known is not None:
        return "this version rebuilds the whole table for a new column, which takes time and disk space"
    return ""


def _mysql_change(_event: Event, _events: Sequence[Event], _ground: Ground) -> str:
    return "another type makes the engine copy the whole table, writers wait until it is done"


def _mysql_index(event: Event, _: Sequence[Event], _ground: Ground) -> str:
    kinds = event.traits & {"fulltext", "spatial"}
    return f"building a {next(iter(kinds))} index lets no one write until it is done" if kinds else ""


def _mysql_key(event: Event, events: Sequence[Event], ground: Ground) -> str:
    if any(one.act is Act.KEYS_OFF for one in events[: events.index(event)]):
        return ""
    if ground.rows_of(event.table) is None:
        return ""
    return "with foreign key checks on the engine copies the whole table for a new key, writers wait until it is done"


def _postgresql_add(event: Event, _: Sequence[Event], ground: Ground) -> str:
    raw = next((trait for trait in event.traits if trait.startswith("default raw ")), "")
    if "autoIncrement" in event.traits or any(word in raw.lower() for word in _VOLATILE):
        return "a default that differs by row makes the engine rewrite the table, no one can read or write it meanwhile"
    if ground.engine_version and ground.engine_version < (11,) and {"default", "useCurrent"} & event.traits:
        return "this version rewrites the table for a new column with a default, no one can read or write it meanwhile"
    if "storedAs" in event.traits:
        return "a stored generated column makes the engine rewrite the table, no one can read or write it meanwhile"
    return ""


def _postgresql_change(event: Event, _: Sequence[Event], _ground: Ground) -> str:
    if "not null" in event.traits and event.is_native_sql:
        return "NOT NULL makes the engine read the whole table, no one can read or write it meanwhile"
    return (
        "another type makes the engine rewrite or read the whole table, no one can read or write it meanwhile"
    )


def _postgresql_index(event: Event, _: Sequence[Event], _ground: Ground) -> str:
    if "concurrently" in event.traits:
        return ""
    return "without CONCURRENTLY no one can write until the index is built"


def _postgresql_key(event: Event, _: Sequence[Event], ground: Ground) -> str:
    if "not valid" in event.traits or ground.rows_of(event.table) is None:
        return ""
    return "a foreign key without NOT VALID reads the whole table, no one can write to it or to its parent meanwhile"


def _rebuild(event: Event, _: Sequence[Event], _ground: Ground) -> str:
    return f"{event.name} goes through the whole table and blocks it"


def _lock_table(_event: Event, _events: Sequence[Event], _ground: Ground) -> str:
    return "everyone else waits until the migration lets go of it"


_Rule = Callable[[Event, Sequence[Event], Ground], str]
_RULES: Final[dict[tuple[Act, str], _Rule]] = {
    (Act.ADD_COLUMN, "mysql"): _mysql_add,
    (Act.CHANGE_COLUMN, "mysql"): _mysql_change,
    (Act.ADD_INDEX, "mysql"): _mysql_index,
    (Act.ADD_KEY, "mysql"): _mysql_key,
    (Act.REBUILD, "mysql"): _rebuild,
    (Act.LOCK, "mysql"): _lock_table,
    (Act.ADD_COLUMN, "postgresql"): _postgresql_add,
    (Act.CHANGE_COLUMN, "postgresql"): _postgresql_change,
    (Act.ADD_INDEX, "postgresql"): _postgresql_index,
    (Act.ADD_KEY, "postgresql"): _postgresql_key,
    (Act.REBUILD, "postgresql"): _rebuild,
    (Act.LOCK, "postgresql"): _lock_table,
}


def _not_null(event: Event, ground: Ground) -> Iterator[Finding]:
    """Yield a new column that must not be empty, where the rows that are there would have nothing in it."""
    kept = {"nullable", "default", "useCurrent", "storedAs", "virtualAs", "generatedAs", "autoIncrement"}
    if event.act is not Act.ADD_COLUMN or event.traits & kept or ground.rows_of(event.table) == 0:
        return
    line, name = event.line, what(event)
    if ground.is_mysql:
        yield warn(
            "not_null_without_default",
            line,
            f"{name} may not be empty and has no default: the rows that are there silently get '' or 0",
        )
        return
    severity = stop if ground.rows_of(event.table) else warn
    yield severity(
        "not_null_without_default",
        line,
        f"{name} may not be empty and has no default: the engine refuses it as soon as the table has a row",
    )


def _concurrently(seen: MigrationSource) -> Iterator[Finding]:
    for event in (*(seen.up or ()), *(seen.down or ())):
        if event.act is Act.ADD_INDEX and "concurrently" in event.traits:
            yield Finding(
                code="concurrently_in_transaction",
                severity=Severity.STOP,
                line=event.line,
                message="CONCURRENTLY is refused inside a transaction, and Laravel opens one around the migration: "
                "it needs `public $withinTransaction = false;`",
            )
