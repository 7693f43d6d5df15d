"""Whether `down` brings back what `up` changed, the data too, in an order that can work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.laravel.findings.copies import LOSING, reads_from, was_made_here
from bot.laravel.findings.finding import Finding, Ground, good, same, stop, warn, what
from bot.laravel.reading.acts import UNKNOWN, Act, Event, MigrationSource, can_follow, line_beside

_OPPOSITE = {
    Act.CREATE_TABLE: Act.DROP_TABLE,
    Act.DROP_TABLE: Act.CREATE_TABLE,
    Act.ADD_COLUMN: Act.DROP_COLUMN,
    Act.DROP_COLUMN: Act.ADD_COLUMN,
}
_WAYS_BACK = {
    Act.CREATE_TABLE: "drop it",
    Act.DROP_TABLE: "create it again",
    Act.ADD_COLUMN: "drop it",
    Act.DROP_COLUMN: "add it again",
    Act.RENAME_COLUMN: "give it its old name",
    Act.RENAME_TABLE: "give it its old name",
    Act.CHANGE_COLUMN: "change it back",
}


def undoing(seen: MigrationSource, ground: Ground) -> Iterator[Finding]:
    """Yield what `down` leaves undone."""
    up, down = seen.up or (), seen.down
    if down is None or seen.down_is_empty:
        line = seen.down_line if down is not None else seen.up_line
        yield stop("no_down", line, "down() is missing or empty: this migration cannot be rolled back")
        return
    if any(event.act is Act.THROW for event in down) and not any(event.act in _WAYS_BACK for event in down):
        yield warn("down_throws", seen.down_line, "down() only throws: this migration cannot be rolled back")
        return
    missing = _not_undone(up, down)
    if missing:
        yield stop("down_incomplete", seen.down_line, _missing_words(missing))
    softer = _not_changed_back(up, down)
    if softer:
        yield warn("down_incomplete", seen.down_line, _missing_words(softer))
    lost = [event for event in up if event.act in LOSING and not was_made_here(event, up)]
    empty = [event for event in lost if event not in missing and not _is_filled(event, down)]
    if empty:
        names = ", ".join(dict.fromkeys(what(event) for event in empty))
        yield warn(
            "down_restores_no_data",
            seen.down_line,
            f"down() brings {names} back empty: it copies no data there",
        )
    late = list(_drops_too_early(down))
    yield from late
    keys = list(keys_in_the_way(up, down, ground))
    yield from keys
    if not (missing or softer or empty or late or keys):
        yield good("real_down", seen.down_line, "down() undoes what up() does")


def _missing_words(missing: Sequence[Event]) -> str:
    parts = [
        f"up() {event.act.value} in line {event.line} ({what(event)}) and down() does not {_WAYS_BACK[event.act]}"
        for event in missing
    ]
    return "; ".join(dict.fromkeys(parts))


def _not_undone(up: Sequence[Event], down: Sequence[Event]) -> list[Event]:
    found = []
    for event in up:
        wanted = _OPPOSITE.get(event.act)
        if wanted is None or event.table in ("", UNKNOWN) or _is_transient(event, up):
            continue
        is_column = event.act in (Act.ADD_COLUMN, Act.DROP_COLUMN)
        if is_column and not event.name:
            continue
        if not any(_undoes(one, event, wanted, is_column=is_column) for one in down):
            found.append(event)
    renamed = [event for event in up if event.act in (Act.RENAME_COLUMN, Act.RENAME_TABLE)]
    return [*found, *(event for event in renamed if not _renamed_back(event, down, up))]


def _undoes(one: Event, event: Event, wanted: Act, *, is_column: bool) -> bool:
    if one.act is Act.CREATE_TABLE and is_column and wanted is Act.ADD_COLUMN and one.table == event.table:
        return False
    if one.act is Act.DROP_TABLE and wanted is Act.DROP_COLUMN and one.table == event.table:
        return True
    same_name = one.name == event.name or not one.name or UNKNOWN in one.name
    return one.act is wanted and same(one.table, event.table) and (not is_column or same_name)


def _is_transient(event: Event, up: Sequence[Event]) -> bool:
    """Return True for what up() itself takes away again, or makes as part of a new table."""
    if event.act is not Act.CREATE_TABLE and any(
        one.act is Act.CREATE_TABLE and one.table == event.table for one in up
    ):
        return True
    if event.act in (Act.CREATE_TABLE, Act.ADD_COLUMN):
        gone = _OPPOSITE[event.act]
        later = up[up.index(event) + 1 :]
        return any(
            (one.act is gone and (one.table, one.name) == (event.table, event.name))
            or (
                one.act in (Act.RENAME_COLUMN, Act.RENAME_TABLE)
                and (one.table, one.name) == (event.table, event.name)
            )
            for one in later
        )
    return event.act is Act.DROP_COLUMN and any(
        one.act in (Act.ADD_COLUMN, Act.RENAME_COLUMN)
        and one.table == event.table
        and event.name == (one.to or one.name)
        for one in up
    )


def _renamed_back(event: Event, down: Sequence[Event], up: Sequence[Event]) -> bool:
    if event.act is Act.RENAME_TABLE:
        back = any(one.act is Act.RENAME_TABLE and same(one.to, event.table) for one in down)
        return back or UNKNOWN in (event.table, event.to)
    names = {one.table for one in up if one.act is Act.RENAME_TABLE} | {event.table}
    return (
        not event.name
        or any(one.act is Act.RENAME_COLUMN and one.to in (event.name, "") for one in down)
        or any(one.act is Act.ADD_COLUMN and one.table in names and one.name == event.name for one in down)
    )


def _not_changed_back(up: Sequence[Event], down: Sequence[Event]) -> list[Event]:
    """Return the columns whose type up() changes and down() never touches."""
    touching = (Act.CHANGE_COLUMN, Act.ADD_COLUMN, Act.DROP_COLUMN)
    return [
        event
        for event in up
        if event.act is Act.CHANGE_COLUMN
        and event.name
        and not any(
            one.act is Act.ADD_COLUMN and (one.table, one.name) == (event.table, event.name) for one in up
        )
        and not any(
            one.act in touching and same(one.table, event.table) and one.name in (event.name, "", UNKNOWN)
            for one in down
        )
    ]


def _is_filled(lost: Event, down: Sequence[Event]) -> bool:
    """Return True where down() writes data into what it brings back."""
    for event in down:
        if event.act is not Act.WRITE or "constant" in event.traits:
            continue
        into = same(event.table, lost.table) or any(one.is_guess for one in event.reads)
        if into and (lost.act is Act.DROP_TABLE or not event.columns or _names(event, lost.name)):
            return True
    return False


def _names(event: Event, column: str) -> bool:
    return column in event.columns or UNKNOWN in event.columns or not column


def _drops_too_early(down: Sequence[Event]) -> Iterator[Finding]:
    """Yield what down() drops before it has copied the data back from there."""
    for place, event in enumerate(down):
        if event.act not in LOSING or event.table in ("", UNKNOWN):
            continue
        if any(one.act is Act.WRITE and _takes(one, event) for one in down[:place]):
            continue
        after = [one for one in down[place + 1 :] if one.act is Act.WRITE and can_follow(event, one)]
        late = next((one for one in after if _takes(one, event)), None)
        if late is not None:
            yield stop(
                "down_drops_before_copy",
                line_beside(event, late),
                f"down() drops {what(event)} here and copies from it only in line {line_beside(late, event)}: "
                "it is gone by then",
            )


def _takes(write: Event, lost: Event) -> bool:
    return any(one.table == lost.table for one in reads_from(write, lost))


def keys_in_the_way(up: Sequence[Event], down: Sequence[Event], ground: Ground) -> Iterator[Finding]:
    """Yield drops in down() that a foreign key made by up() forbids (MySQL 1828 and 3730, PostgreSQL 2BP01)."""
    keys = [
        event for event in up if event.act is Act.ADD_KEY and UNKNOWN not in event.columns and event.columns
    ]
    if ground.engine == "sqlite" or any(event.act is Act.KEYS_OFF for event in down):
        return
    for event in down:
        if event.act is Act.DROP_KEY:
            keys = [key for key in keys if not _drops_key(event, key)]
        elif event.act is Act.DROP_COLUMN:
            held = [key for key in keys if key.table == event.table and event.name in key.columns]
            if held and ground.is_mysql:
                yield stop(
                    "down_key_in_the_way",
                    event.line,
                    f"down() drops {what(event)} while its foreign key is still there: the engine refuses that",
                )
            keys = [key for key in keys if key not in held]
        elif event.act is Act.DROP_TABLE:
            held = [key for key in keys if key.to == event.table and key.table != event.table]
            if held:
                yield stop(
                    "down_key_in_the_way",
                    event.line,
                    f"down() drops {event.table} while {held[0].table} still points to it by a foreign key: the engine refuses that",
                )
            keys = [key for key in keys if key.table != event.table and key not in held]


def _drops_key(event: Event, key: Event) -> bool:
    if not same(event.table, key.table):
        return False
    # A key dropped by its name may be any of that table.
    return not event.columns or "" in event.columns or bool(event.columns & key.columns)
