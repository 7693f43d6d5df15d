"""What deserves a second look, whatever else is right: rows by the thousand, raw SQL, models, acts outside the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bot.laravel.findings.finding import Finding, Ground, stop, warn, what
from bot.laravel.reading.acts import UNKNOWN, Act, Event, MigrationSource
from bot.laravel.reading.words import NEEDS_ORDER
from bot.laravel.versions import Feature, supports

LOADED_ROWS: Final = 10_000
"""About 1 to 2 KB each in PHP: more of them come near the usual memory limit of 128 MB."""

MASS_ROWS: Final = 100_000

_REBUILDING: Final = frozenset({Act.DROP_COLUMN, Act.RENAME_COLUMN, Act.CHANGE_COLUMN})
_TOLD: Final = {
    Act.DELETE: ("deletes_rows", "it deletes rows"),
    Act.RAW_SQL: ("raw_sql", "it runs raw SQL, which this reading understands only in part"),
    Act.MODEL: ("uses_models", "it uses a model: global scopes and later code decide which rows it sees"),
    Act.OUTSIDE: ("acts_outside", "it acts outside this migration: a rehearsal would do so for real or fail"),
    Act.OTHER_CONNECTION: ("other_connection", "it uses another connection: a rehearsal cannot reach that"),
}


def dangers(seen: MigrationSource, ground: Ground) -> Iterator[Finding]:
    """Yield what deserves a second look."""
    if seen.own_connection_line is not None:
        yield warn(
            "other_connection",
            seen.own_connection_line,
            "it names its own connection: a rehearsal cannot reach that",
        )
    told: set[tuple[str, int]] = set()
    passing = frozenset(
        event.name for event in seen.up or () if event.act in (Act.ADD_COLUMN, Act.DROP_COLUMN) and event.name
    )
    for event in (*(seen.up or ()), *(seen.down or ())):
        for finding in (*_of_event(event), *_mass(event, ground, passing)):
            if (finding.code, finding.line) not in told:
                told.add((finding.code, finding.line))
                yield finding


def _of_event(event: Event) -> Iterator[Finding]:
    if event.act in _TOLD:
        code, message = _TOLD[event.act]
        yield warn(code, event.line, f"{message}{f' ({event.name})' if event.name else ''}")
    if event.act is Act.RAW_SQL:
        glued = sorted(one.column for one in event.reads if not one.column.lower().endswith("id"))
        if glued:
            yield stop(
                "data_in_sql",
                event.line,
                f"values of rows ({', '.join(glued)}) are put into the text of SQL: a quote in them breaks the statement "
                "or runs as SQL; use bindings",
            )
    elif event.act is Act.WIPE:
        yield stop("wipes_database", event.line, f"{event.name} empties the whole database")
    elif event.act is Act.EXIT:
        yield stop("ends_php", event.line, f"{event.name} ends PHP here: what comes after it never runs")


def _mass(event: Event, ground: Ground, passing: frozenset[str]) -> Iterator[Finding]:
    """Yield work on many rows that is not done in chunks, or whose chunks miss rows."""
    if event.act is Act.LOAD and not ground.is_below(event.table, LOADED_ROWS):
        yield warn(
            "no_chunks",
            event.line,
            f"all rows of {what(event)} are loaded into memory at once ({ground.size_words(event.table)}): use chunkById or lazyById",
        )
    elif event.act is Act.CHUNK:
        yield from _chunk(event)
    elif event.act in (Act.WRITE, Act.DELETE) and not event.is_in_loop and event.name != "truncate":
        big = [table for table in _tables_of(event) if not ground.is_below(table, MASS_ROWS)]
        if big and _takes_all(event, passing):
            yield warn(
                "no_chunks",
                event.line,
                f"one statement goes through all rows of {big[0]} ({ground.size_words(big[0])}) and holds their locks until it "
                "ends: do it in ranges of the key",
            )


def _tables_of(event: Event) -> list[str]:
    """Return the tables whose rows a statement goes through."""
    if event.act is Act.DELETE or "update" in event.traits:
        return [event.table]
    return sorted({one.table for one in event.reads if one.table != event.table} - {UNKNOWN})


def _takes_all(event: Event, passing: frozenset[str]) -> bool:
    """Return True where a statement picks no rows, or only by columns that this migration fills, empties or copies."""
    if event.act is Act.WRITE and not event.traits & {"update", "insert select"}:
        return False
    if event.where is None:
        return True
    own = passing | event.columns | {one.column for one in event.reads}
    return bool(event.where) and event.where <= own - {"id", UNKNOWN} and event.act is Act.WRITE


def _chunk(event: Event) -> Iterator[Finding]:
    if "skips" in event.traits:
        yield stop(
            "chunk_skips_rows",
            event.line,
            f"{event.name}() turns pages by number while its own loop changes which rows match: every second page of {_table_words(event)} "
            "is skipped; use chunkById or lazyById",
        )
    if event.name in NEEDS_ORDER and "ordered" not in event.traits:
        yield stop(
            "chunk_without_order",
            event.line,
            f"{event.name}() on a query without orderBy throws a RuntimeException in Laravel",
        )


def _table_words(event: Event) -> str:
    return event.table if event.table not in ("", UNKNOWN) else "the table"


def rebuilds(seen: MigrationSource, ground: Ground) -> Iterator[Finding]:
    """Yield where Laravel below 11 rebuilds a SQLite table: its DROP deletes the rows that cascade on it."""
    if ground.engine != "sqlite" or supports(ground.laravel, Feature.NATIVE_SQLITE_DROP_COLUMN):
        return
    for events in (seen.up or (), seen.down or ()):
        keys_off = False
        for event in events:
            keys_off = keys_off or event.act is Act.KEYS_OFF
            if event.act in _REBUILDING and not event.is_native_sql:
                yield from _rebuild_finding(event, ground, keys_off=keys_off)


def _rebuild_finding(event: Event, ground: Ground, *, keys_off: bool) -> Iterator[Finding]:
    words = f"{event.act.value} ({what(event)}): Laravel below 11 rebuilds the SQLite table for that"
    if keys_off:
        yield warn(
            "sqlite_rebuild",
            event.line,
            f"{words}; foreign keys are switched off before, the rehearsal must show that no row goes",
        )
    elif ground.children is None or event.table in ("", UNKNOWN):
        yield warn(
            "sqlite_rebuild", event.line, f"{words}, and rows of tables that cascade on it would be deleted"
        )
    elif ground.children.get(event.table):
        names = ", ".join(ground.children[event.table])
        yield stop(
            "sqlite_rebuild_cascades",
            event.line,
            f"{words}, and every row of {names} that points to it is deleted",
        )
