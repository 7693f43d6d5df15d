"""A reading of a migration's source, to help the person who approves it; the rehearsal is the proof."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bot.laravel.migration_source import Act, Event, MigrationSource, read_migration
from bot.laravel.versions import Feature, LaravelVersion, supports


class Severity(enum.Enum):
    """How much a finding weighs."""

    STOP = "stop"
    WARN = "warn"
    OK = "ok"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing seen in the source; `code` is stable, `line` counts from 1."""

    code: str
    severity: Severity
    line: int
    message: str


_REBUILDING: Final = frozenset({Act.DROP_COLUMN, Act.RENAME_COLUMN, Act.CHANGE_COLUMN})
_LOSING: Final = frozenset({Act.DROP_COLUMN, Act.DROP_TABLE})


def review_migration(
    source: str,
    *,
    driver: str,
    version: LaravelVersion,
    cascading_children: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Finding, ...]:
    """Return what the source shows: checks for a repeated run, copies before drops, a real `down`, and dangers.

    `cascading_children` names for each table those whose foreign keys cascade on its deletion; None where that is
    unknown. The findings that stop come first, then by line.
    """
    seen = read_migration(source)
    findings = [*_broken(seen)]
    if seen.up is not None and not findings:
        findings += _repeatable(seen.up)
        findings += _copies(seen.up)
        findings += _down(seen, seen.up)
        findings += _rebuilds(seen, driver, version, cascading_children)
        findings += _dangers(seen)
    order = list(Severity)
    return tuple(sorted(findings, key=lambda one: (order.index(one.severity), one.line, one.code)))


def _broken(seen: MigrationSource) -> Iterator[Finding]:
    if seen.error_line is not None:
        yield _stop("syntax", seen.error_line, "PHP could not read the file from here on")
    elif seen.up is None:
        yield _stop("no_up", 1, "there is no up() method: this is no migration")


def _repeatable(up: Sequence[Event]) -> Iterator[Finding]:
    """Yield what would fail in a second run after a first that stopped half-way."""
    created = {event.table for event in up if event.act is Act.CREATE_TABLE}
    changes = [
        event
        for event in up
        if event.act in (Act.CREATE_TABLE, Act.ADD_COLUMN, Act.DROP_COLUMN, Act.RENAME_COLUMN)
    ]
    bare = [event for event in changes if not event.is_guarded and not _is_part_of_create(event, created)]
    for event in bare:
        check = "hasTable" if event.act is Act.CREATE_TABLE else "hasColumn"
        code = "no_table_check" if event.act is Act.CREATE_TABLE else "no_column_check"
        yield _warn(
            code,
            event.line,
            f"{event.act.value} ({_what(event)}) without a {check} check: a second run would fail",
        )
    if changes and not bare:
        yield _ok("repeatable", changes[0].line, "each change asks hasTable or hasColumn first")


def _is_part_of_create(event: Event, created: Iterable[str]) -> bool:
    return event.act is Act.ADD_COLUMN and event.table in created


def _copies(up: Sequence[Event]) -> Iterator[Finding]:
    """Yield for each drop whether the data in it were copied before, as far as the names in the source tell."""
    for place, event in enumerate(up):
        if event.act in _LOSING and not _was_made_here(event, up[:place]):
            yield _copy_finding(
                event,
                [one for one in up[:place] if one.act is Act.WRITE],
                [one for one in up[place:] if one.act is Act.WRITE],
            )


def _was_made_here(event: Event, earlier: Sequence[Event]) -> bool:
    made = Act.CREATE_TABLE if event.act is Act.DROP_TABLE else Act.ADD_COLUMN
    return any(one.act is made and (one.table, one.name) == (event.table, event.name) for one in earlier)


def _copy_finding(event: Event, before: Sequence[Event], after: Sequence[Event]) -> Finding:
    what = _what(event)
    copied = [one for one in before if _mentions(one, event)]
    if copied:
        return _ok(
            "copied_before_drop",
            copied[-1].line,
            f"data of {what} are read before it is dropped in line {event.line}",
        )
    late = [one for one in after if _mentions(one, event)] or ([] if before else list(after))
    if late:
        return _stop(
            "dropped_before_copy",
            event.line,
            f"{what} is dropped here, and data are copied only in line {late[0].line}: they are gone by then",
        )
    if before:
        return _warn("copy_not_seen", event.line, f"{what} is dropped here; no copy before it names it")
    return _warn(
        "dropped_without_copy", event.line, f"{what} is dropped here, and its data are copied nowhere"
    )


def _mentions(write: Event, dropped: Event) -> bool:
    name = dropped.name or dropped.table
    return bool(name) and re.search(rf"\b{re.escape(name)}\b", write.text) is not None


def _down(seen: MigrationSource, up: Sequence[Event]) -> Iterator[Finding]:
    """Yield what `down` leaves undone."""
    if seen.down is None or seen.down_is_empty:
        yield _stop(
            "no_down", seen.down_line, "down() is missing or empty: this migration cannot be rolled back"
        )
        return
    if seen.down and all(event.act is Act.THROW for event in seen.down):
        yield _warn("down_throws", seen.down_line, "down() only throws: this migration cannot be rolled back")
        return
    missing = list(_not_undone(up, seen.down))
    for event in missing:
        yield _stop(
            "down_incomplete",
            event.line,
            f"up() {event.act.value} ({_what(event)}), and down() does not undo it",
        )
    lost = [event for event in up if event.act in _LOSING and not _was_made_here(event, up)]
    if lost and not missing and not any(event.act is Act.WRITE for event in seen.down):
        yield _warn(
            "down_restores_no_data",
            seen.down_line,
            f"down() brings {_what(lost[0])} back empty: it copies no data",
        )
    elif not missing:
        yield _ok("real_down", seen.down_line, "down() undoes what up() does")


def _not_undone(up: Sequence[Event], down: Sequence[Event]) -> Iterator[Event]:
    opposite = {
        Act.CREATE_TABLE: Act.DROP_TABLE,
        Act.DROP_TABLE: Act.CREATE_TABLE,
        Act.ADD_COLUMN: Act.DROP_COLUMN,
        Act.DROP_COLUMN: Act.ADD_COLUMN,
    }
    created = {event.table for event in up if event.act is Act.CREATE_TABLE}
    undone = {(event.act, event.table, event.name) for event in down}
    computed = {(event.act, event.table) for event in down if not event.name}
    for event in up:
        wanted = opposite.get(event.act)
        if (
            wanted is None
            or event.table in ("", "?")
            or (event.table in created and event.act is not Act.CREATE_TABLE)
        ):
            continue
        is_column = event.act in (Act.ADD_COLUMN, Act.DROP_COLUMN)
        if (is_column and not event.name) or (is_column and (wanted, event.table) in computed):
            continue
        if (wanted, event.table, event.name) not in undone:
            yield event


def _rebuilds(
    seen: MigrationSource, driver: str, version: LaravelVersion, children: Mapping[str, Sequence[str]] | None
) -> Iterator[Finding]:
    """Yield where Laravel below 11 rebuilds a SQLite table: its DROP deletes the rows that cascade on it."""
    if driver != "sqlite" or supports(version, Feature.NATIVE_SQLITE_DROP_COLUMN):
        return
    for events in (seen.up or (), seen.down or ()):
        keys_off = False
        for event in events:
            keys_off = keys_off or event.act is Act.KEYS_OFF
            if event.act in _REBUILDING and not event.is_native_sql:
                yield from _rebuild_finding(event, children, keys_off=keys_off)


def _rebuild_finding(
    event: Event, children: Mapping[str, Sequence[str]] | None, *, keys_off: bool
) -> Iterator[Finding]:
    what = f"{event.act.value} ({_what(event)}): Laravel below 11 rebuilds the SQLite table for that"
    if keys_off:
        yield _warn(
            "sqlite_rebuild",
            event.line,
            f"{what}; foreign keys are switched off before, the rehearsal must show that no row goes",
        )
    elif children is None or event.table in ("", "?"):
        yield _warn(
            "sqlite_rebuild", event.line, f"{what}, and rows of tables that cascade on it would be deleted"
        )
    elif children.get(event.table):
        names = ", ".join(children[event.table])
        yield _stop(
            "sqlite_rebuild_cascades",
            event.line,
            f"{what}, and every row of {names} that points to it is deleted",
        )


def _dangers(seen: MigrationSource) -> Iterator[Finding]:
    """Yield what deserves a second look, whatever else is right."""
    if seen.own_connection_line is not None:
        yield _warn(
            "other_connection",
            seen.own_connection_line,
            "it names its own connection: a rehearsal cannot reach that",
        )
    messages = {
        Act.DELETE: ("deletes_rows", "it deletes rows"),
        Act.RAW_SQL: ("raw_sql", "it runs raw SQL, which this reading understands only in part"),
        Act.MODEL: ("uses_models", "it uses a model: global scopes and later code decide which rows it sees"),
        Act.OUTSIDE: (
            "acts_outside",
            "it acts outside the database: a rehearsal would do so for real or fail",
        ),
        Act.OTHER_CONNECTION: (
            "other_connection",
            "it uses another connection: a rehearsal cannot reach that",
        ),
    }
    told: set[tuple[str, int]] = set()
    for event in (*(seen.up or ()), *(seen.down or ())):
        code, message = messages.get(event.act, ("", ""))
        if code and (code, event.line) not in told:
            told.add((code, event.line))
            yield _warn(code, event.line, f"{message}{f' ({event.name})' if event.name else ''}")


def _what(event: Event) -> str:
    table = event.table if event.table not in ("", "?") else "a table named at run time"
    return f"{table}.{event.name}" if event.name else table


def _stop(code: str, line: int, message: str) -> Finding:
    return Finding(code=code, severity=Severity.STOP, line=line, message=message)


def _warn(code: str, line: int, message: str) -> Finding:
    return Finding(code=code, severity=Severity.WARN, line=line, message=message)


def _ok(code: str, line: int, message: str) -> Finding:
    return Finding(code=code, severity=Severity.OK, line=line, message=message)
