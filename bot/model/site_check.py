"""One of the site's own checks of its data: a question answered by one whole number, and what the number has to be."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Preset(enum.StrEnum):
    """Questions that most sites ask, worded by Backout. In brackets what each needs to be told.

    SAME_COUNT: as many rows in one table as in another (table, other_table). ALL_LINKED: no row without a value in its
    link (table, column). KEPT: at least as many values as the backup has, there under another name where one is given
    (table, column; other_table, other_column). NO_ORPHANS: every value of a link is there in the other table (table, column,
    other_table; other_column, `id` where unset). NO_CHILDLESS: every row has a row in the other table that points to it
    (table, other_table, other_column; column, `id` where unset). The last six ask what there is (table; column; migration).
    """

    SAME_COUNT = "same_count"
    ALL_LINKED = "all_linked"
    KEPT = "kept"
    NO_ORPHANS = "no_orphans"
    NO_CHILDLESS = "no_childless"
    TABLE_PRESENT = "table_present"
    TABLE_ABSENT = "table_absent"
    COLUMN_PRESENT = "column_present"
    COLUMN_ABSENT = "column_absent"
    MIGRATION_RAN = "migration_ran"
    MIGRATION_PENDING = "migration_pending"


NEEDED: Mapping[Preset, tuple[str, ...]] = {
    Preset.SAME_COUNT: ("table", "other_table"),
    Preset.ALL_LINKED: ("table", "column"),
    Preset.KEPT: ("table", "column"),
    Preset.NO_ORPHANS: ("table", "column", "other_table"),
    Preset.NO_CHILDLESS: ("table", "other_table", "other_column"),
    Preset.TABLE_PRESENT: ("table",),
    Preset.TABLE_ABSENT: ("table",),
    Preset.COLUMN_PRESENT: ("table", "column"),
    Preset.COLUMN_ABSENT: ("table", "column"),
    Preset.MIGRATION_RAN: ("migration",),
    Preset.MIGRATION_PENDING: ("migration",),
}
"""What each preset has to be told."""


@dataclass(frozen=True, kw_only=True)
class SiteCheck:
    """A check as the settings give it: by `preset`, or by `sql` and one of the four expectations.

    Each SQL is a mapping from an engine (`sqlite`, `mysql`, `postgresql`; '' is any) to its words. `backup_sql` is what to
    ask of the backup where its shape is another.
    """

    name: str = ""
    preset: Preset | None = None
    table: str = ""
    column: str = ""
    other_table: str = ""
    other_column: str = ""
    migration: str = ""
    sql: Mapping[str, str] = field(default_factory=dict)
    backup_sql: Mapping[str, str] = field(default_factory=dict)
    equals_sql: Mapping[str, str] = field(default_factory=dict)
    expect: int | None = None
    between: tuple[int, int] | None = None
    equals_backup: bool = False


@dataclass(frozen=True, kw_only=True)
class JudgedCheck:
    """A check and its answer. `before` is the number in the state that people found, `backup` the backup's; None: not known.

    `expected` is in words. `error` says why there is no number.
    """

    name: str
    before: int | None
    backup: int | None
    value: int | None
    expected: str
    passed: bool
    error: str | None = None
