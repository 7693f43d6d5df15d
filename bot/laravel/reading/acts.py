"""What a migration does, as the reading of its source tells it: acts in the order in which they would run."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

UNKNOWN = "?"
"""Stands for a table, column or text that is known only when the code runs."""

EVERY_COLUMN = "*"


class Act(enum.Enum):
    """What one call in a migration does."""

    CREATE_TABLE = "creates a table"
    DROP_TABLE = "drops a table"
    RENAME_TABLE = "renames a table"
    ADD_COLUMN = "adds a column"
    DROP_COLUMN = "drops a column"
    RENAME_COLUMN = "renames a column"
    CHANGE_COLUMN = "changes a column"
    ADD_INDEX = "adds an index"
    ADD_KEY = "adds a foreign key"
    DROP_KEY = "drops a foreign key"
    REBUILD = "rebuilds a table"
    LOCK = "locks a table"
    WRITE = "writes rows"
    DELETE = "deletes rows"
    READ = "reads rows"
    LOAD = "loads rows into memory"
    CHUNK = "walks over rows in chunks"
    RAW_SQL = "runs raw SQL"
    MODEL = "uses a model"
    OUTSIDE = "acts outside the database"
    OTHER_CONNECTION = "uses another connection"
    KEYS_OFF = "switches foreign keys off"
    WIPE = "wipes the database"
    EXIT = "ends PHP"
    THROW = "throws"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a value comes from: a table's column, '*' for a whole row. `is_guess` where a model's name told the table.

    `picked_by` are the columns by which rows were picked, 'limit' where only so many were read; empty: all rows.
    """

    table: str
    column: str
    is_guess: bool = False
    picked_by: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Check:
    """A question to the schema that decides on an act: whether a table, or a column of it, is there (`is_there`).

    `column` is '' where the question is about the table. `is_any` marks one whose exact meaning the source does not
    tell, such as a query on the catalog. `is_sure` is False for one of several, not all of which need to hold.
    """

    table: str
    column: str = ""
    is_there: bool = True
    is_any: bool = False
    line: int = 0
    is_early_return: bool = False
    is_sure: bool = True


@dataclass(frozen=True, kw_only=True)
class Event:
    """One act, in the order in which the code would run.

    `name` is the column, index, model or function; `to` the new name of something renamed, or the table that a foreign
    key points to; `columns` those of an index, key or written row. `table` and `name` are '?' or '' where only the
    running code knows them. `checks` are the questions that decide on it. Acts of one `Schema::table` call or SQL
    statement share their `group`, the line and place of that call. `reads` is where written data come from, `where` the
    columns that pick the rows (None: all rows), `traits` the modifiers of a column. `frames` are the running methods, the
    outermost first, and `call_lines` the lines in which each called the next. `arms` are the branches in which the act
    stands, `leaves` those of them that end their method.
    """

    act: Act
    line: int
    table: str = ""
    name: str = ""
    to: str = ""
    columns: frozenset[str] = frozenset()
    checks: frozenset[Check] = frozenset()
    group: tuple[int, int] = (0, 0)
    reads: frozenset[Origin] = frozenset()
    where: frozenset[str] | None = None
    traits: frozenset[str] = frozenset()
    is_native_sql: bool = False
    is_on_new_table: bool = False
    is_bounded: bool = False
    is_in_loop: bool = False
    frames: tuple[int, ...] = ()
    call_lines: tuple[int, ...] = ()
    arms: frozenset[tuple[int, int]] = frozenset()
    leaves: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True, kw_only=True)
class MigrationSource:
    """The acts of `up` and `down`; None where the method is missing. `error_line` is where PHP's syntax breaks."""

    up: tuple[Event, ...] | None
    down: tuple[Event, ...] | None
    up_line: int
    down_line: int
    down_is_empty: bool
    own_connection_line: int | None
    error_line: int | None
    is_in_transaction: bool = field(default=True)


def can_follow(first: Event, second: Event) -> bool:
    """Return True where one run can come to both acts: they stand in no two arms of a branch, and none leaves before."""
    arms = dict(second.arms)
    if any(arms.get(branch, arm) != arm for branch, arm in first.arms):
        return False
    return not any(
        frame in second.frames and (frame, branch) not in second.leaves for frame, branch in first.leaves
    )


def line_beside(event: Event, other: Event) -> int:
    """Return the line where it is decided that an act comes before or after another: in the method that calls both."""
    shared = 0
    for mine, theirs in zip(event.frames, other.frames, strict=False):
        if mine != theirs:
            break
        shared += 1
    if 0 < shared < len(event.frames):
        return event.call_lines[shared - 1]
    return event.line
