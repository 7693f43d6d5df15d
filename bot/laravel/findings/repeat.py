"""Whether a migration that stopped half-way can be run again: MySQL, MariaDB and SQLite keep what was done until then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.laravel.findings.finding import Finding, good, same, stop, warn, what
from bot.laravel.reading.acts import UNKNOWN, Act, Check, Event, can_follow

_CHANGES = frozenset(
    {
        Act.CREATE_TABLE,
        Act.DROP_TABLE,
        Act.RENAME_TABLE,
        Act.ADD_COLUMN,
        Act.DROP_COLUMN,
        Act.RENAME_COLUMN,
    }
)
_OF_TABLES = frozenset({Act.CREATE_TABLE, Act.DROP_TABLE, Act.RENAME_TABLE})


def repeatability(up: Sequence[Event]) -> Iterator[Finding]:
    """Yield each change of the schema that would fail in a second run, or that its check decides the wrong way."""
    changes = [
        (place, event)
        for place, event in enumerate(up)
        if event.act in _CHANGES and not _of_create(event, up)
    ]
    bare = False
    for place, event in changes:
        wrong = _inverted(up, place)
        if wrong is not None:
            bare = True
            asked = "is there" if wrong.is_there else "is not there"
            yield stop(
                "check_inverted",
                event.line,
                f"{event.act.value} ({what(event)}), but only where it {asked}: the check is the wrong way round",
            )
        elif not _is_protected(up, place):
            bare = True
            yield _unchecked(event)
    yield from _skipped(up)
    if changes and not bare:
        yield good("repeatable", changes[0][1].line, "each change asks hasTable or hasColumn first")


def falsifies(event: Event, check: Check) -> bool:
    """Return True where an act makes the answer to a question another one, so that a second run does not repeat it."""
    about_table = check.column == ""
    if event.act is Act.CREATE_TABLE:
        return about_table and not check.is_there and same(event.table, check.table)
    if event.act is Act.DROP_TABLE:
        return about_table and check.is_there and same(event.table, check.table)
    if event.act is Act.RENAME_TABLE:
        wanted = event.table if check.is_there else event.to
        return about_table and same(wanted, check.table)
    if about_table or not same(event.table, check.table):
        return False
    if event.act is Act.ADD_COLUMN:
        return not check.is_there and same(event.name or UNKNOWN, check.column)
    if event.act is Act.DROP_COLUMN:
        return check.is_there and same(event.name or UNKNOWN, check.column)
    if event.act is Act.RENAME_COLUMN:
        return same((event.name if check.is_there else event.to) or UNKNOWN, check.column)
    return False


def _of_create(event: Event, up: Sequence[Event]) -> bool:
    """Return True for a column that is part of its table's own creation."""
    return event.act is Act.ADD_COLUMN and any(
        one.act is Act.CREATE_TABLE and one.table == event.table and one.group == event.group for one in up
    )


def _is_protected(up: Sequence[Event], place: int) -> bool:
    event = up[place]
    return any(
        check.is_any
        or any(
            check in other.checks and falsifies(other, check)
            for number, other in enumerate(up)
            if number <= place or other.group == event.group
        )
        for check in event.checks
    )


def _inverted(up: Sequence[Event], place: int) -> Check | None:
    """Return the check on an act itself that has the wrong answer for it, unless an act before has turned that."""
    event = up[place]
    for check in event.checks:
        turned = Check(table=check.table, column=check.column, is_there=not check.is_there)
        unsure = check.is_any or not check.is_sure or UNKNOWN in (check.table, check.column)
        if unsure or not falsifies(event, turned) or any(falsifies(event, one) for one in event.checks):
            continue
        if not event.name and event.act is not Act.CREATE_TABLE and event.act is not Act.DROP_TABLE:
            continue
        if event.act in (Act.RENAME_COLUMN, Act.RENAME_TABLE) or any(
            falsifies(one, check) and can_follow(one, event) for one in up[:place]
        ):
            continue
        return check
    return None


def _unchecked(event: Event) -> Finding:
    is_table = event.act in _OF_TABLES
    check = "hasTable" if is_table else "hasColumn"
    other = next(
        (one for one in event.checks if one.column and not is_table and one.table == event.table), None
    )
    about = f" (the check around it asks for {other.column})" if other is not None else ""
    return warn(
        "no_table_check" if is_table else "no_column_check",
        event.line,
        f"{event.act.value} ({what(event)}) without a {check} check{about}: a second run would fail",
    )


def _skipped(up: Sequence[Event]) -> Iterator[Finding]:
    """Yield a check at the beginning that makes a second run skip the copy and the drops which the first did not reach."""
    told = set()
    for place, event in enumerate(up):
        for check in event.checks:
            first = check.is_early_return and not check.is_any and check.line not in told
            if not first or not falsifies(event, check) or check.is_there:
                continue
            rest = [
                one
                for one in up[place:]
                if check in one.checks and one.act in (Act.WRITE, Act.DROP_COLUMN, Act.DROP_TABLE)
            ]
            if any(one.reads for one in rest if one.act is Act.WRITE):
                told.add(check.line)
                yield warn(
                    "check_skips_copy",
                    check.line or event.line,
                    f"returns as soon as {what(event)} is there: if the first run stops after line {event.line}, a second one "
                    f"skips the copy in line {rest[0].line}, and the migration counts as run",
                )
