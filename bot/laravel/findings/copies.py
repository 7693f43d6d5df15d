"""Whether data are copied before what holds them is dropped, deleted or overwritten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bot.laravel.findings.finding import Finding, good, same, stop, warn, what
from bot.laravel.reading.acts import EVERY_COLUMN, UNKNOWN, Act, Event, Origin, can_follow, line_beside

LOSING = frozenset({Act.DROP_COLUMN, Act.DROP_TABLE})


def copies(up: Sequence[Event]) -> Iterator[Finding]:
    """Yield for each drop whether its data were copied before, as far as the source tells."""
    for place, event in enumerate(up):
        if event.act in LOSING and not was_made_here(event, up[:place]):
            before = [one for one in up[:place] if can_follow(one, event)]
            after = [one for one in up[place + 1 :] if can_follow(event, one)]
            if not _is_clean_up(event, up) or any(reads_from(one, event) for one in before):
                yield _of_drop(event, before, after, up)
    yield from _of_rows(up)


def was_made_here(event: Event, earlier: Iterable[Event]) -> bool:
    """Return True where the migration itself made what it drops, or moved it there."""
    made = Act.CREATE_TABLE if event.act is Act.DROP_TABLE else Act.ADD_COLUMN
    return any(
        (one.act is made and (one.table, one.name) == (event.table, event.name))
        or (one.act is Act.CREATE_TABLE and one.table == event.table)
        for one in earlier
    )


def reads_from(write: Event, lost: Event) -> frozenset[Origin]:
    """Return what a write takes from the column or table that is lost elsewhere."""
    if lost.act is Act.DROP_TABLE or (lost.act is Act.DELETE):
        if write.table == lost.table:
            return frozenset()
        return frozenset(one for one in write.reads if one.table == lost.table or _may_be(one, lost))
    return frozenset(
        one
        for one in write.reads
        if (one.column in (lost.name, EVERY_COLUMN) or not lost.name)
        and (same(one.table, lost.table) or one.is_guess)
    )


def _may_be(origin: Origin, lost: Event) -> bool:
    return origin.table == UNKNOWN and lost.act is Act.DROP_TABLE


def _is_clean_up(event: Event, up: Sequence[Event]) -> bool:
    """Return True for the drop of what an earlier run left: part of it is gone there, and the other way copies first."""
    if not any(not check.is_there and check.column and check.table == event.table for check in event.checks):
        return False
    here = next(place for place, one in enumerate(up) if one is event)
    twins = [
        place
        for place, one in enumerate(up)
        if (one.act, one.table, one.name) == (event.act, event.table, event.name)
        and not (can_follow(event, one) if place > here else can_follow(one, event))
    ]
    return any(
        reads_from(one, up[place]) and can_follow(one, up[place])
        for place in twins
        for one in up[:place]
        if one.act is Act.WRITE
    )


def _of_drop(event: Event, before: Sequence[Event], after: Sequence[Event], up: Sequence[Event]) -> Finding:
    name = what(event)
    writes = [one for one in before if one.act is Act.WRITE]
    copied = [one for one in writes if reads_from(one, event)]
    if copied:
        partial = _partial(copied, event, up)
        if partial is not None:
            return partial
        return good(
            "copied_before_drop",
            copied[-1].line,
            f"data of {name} are read before it is dropped in line {event.line}",
        )
    late = [one for one in after if one.act is Act.WRITE and reads_from(one, event)]
    if late:
        return _late(event, late[0], before, after)
    any_late = [one for one in after if one.act is Act.WRITE and one.reads]
    if any_late and not writes:
        return _gone(event, any_late[0])
    if any(one.reads for one in writes):
        return warn("copy_not_seen", event.line, f"{name} is dropped here; no copy before it names it")
    return warn(
        "dropped_without_copy", event.line, f"{name} is dropped here, and its data are copied nowhere"
    )


def _late(event: Event, late: Event, before: Sequence[Event], after: Sequence[Event]) -> Finding:
    def is_read(one: Event) -> bool:
        return one.act is Act.READ and same(one.table, event.table)

    if any(is_read(one) for one in before) and not any(is_read(one) for one in after):
        return warn(
            "copy_in_memory",
            event.line,
            f"{what(event)} is dropped here while its data are only in PHP's memory, until line {late.line} writes them: "
            "if the migration stops in between, they are gone",
        )
    return _gone(event, late)


def _gone(event: Event, late: Event) -> Finding:
    line = line_beside(event, late)
    place = "here" if line == event.line else f"by this call (in line {event.line})"
    return stop(
        "dropped_before_copy",
        line,
        f"{what(event)} is dropped {place}, and data are copied only in line {line_beside(late, event)}: they are gone by then",
    )


def _partial(copied: Sequence[Event], lost: Event, up: Sequence[Event]) -> Finding | None:
    """Return a warning where every copy picks its rows by something that says nothing of what is dropped."""
    made = {one.name for one in up if one.act is Act.ADD_COLUMN}
    dropped = {one.name for one in up if one.act is Act.DROP_COLUMN}
    harmless = made | dropped | {"id", "deleted_at", UNKNOWN}
    narrowed = [
        origin.picked_by - harmless
        for one in copied
        for origin in reads_from(one, lost)
        if not (UNKNOWN in origin.picked_by or (one.is_in_loop and "limit" in origin.picked_by))
    ]
    sure = [origin for one in copied for origin in reads_from(one, lost)]
    if len(narrowed) < len(sure) or not narrowed or not all(narrowed):
        return None
    by = ", ".join(sorted(frozenset().union(*narrowed)))
    return warn(
        "copy_is_partial",
        copied[-1].line,
        f"only rows picked by {by} are copied, and {what(lost)} is dropped for all of them in line {lost.line}",
    )


def _of_rows(up: Sequence[Event]) -> Iterator[Finding]:
    """Yield rows that are deleted, or values that are overwritten, before the copy that would have kept them."""
    for place, event in enumerate(up):
        if event.act is Act.DELETE and event.where is None and event.table not in ("", UNKNOWN):
            late = _first_late(event, up, place)
            if late is not None:
                yield stop(
                    "deleted_before_copy",
                    event.line,
                    f"all rows of {event.table} are deleted here, and copied only in line {late.line}: they are gone by then",
                )
        if event.act is Act.WRITE and "constant" in event.traits and event.where is None:
            for column in sorted(event.columns):
                lost = Event(act=Act.DROP_COLUMN, line=event.line, table=event.table, name=column)
                late = _first_late(lost, up, place)
                if late is not None:
                    yield stop(
                        "overwritten_before_copy",
                        event.line,
                        f"{event.table}.{column} is overwritten here, and copied only in line {late.line}",
                    )


def _first_late(lost: Event, up: Sequence[Event], place: int) -> Event | None:
    def explicit(one: Event) -> bool:
        return any(origin.table == lost.table for origin in reads_from(one, lost))

    if any(one.act is Act.WRITE and explicit(one) for one in up[:place]):
        return None
    later = [one for one in up[place + 1 :] if one.act is Act.WRITE and can_follow(up[place], one)]
    return next((one for one in later if explicit(one)), None)
