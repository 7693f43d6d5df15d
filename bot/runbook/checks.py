"""The site's own checks: the questions they come to on one engine, and what their answers mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.model.database import CheckResult
from bot.model.site_check import JudgedCheck, Preset, SiteCheck

Answers = Mapping[str, CheckResult]
Told = Mapping[str, Mapping[str, int | None]]

LIVE, BACKUP, OTHER = "live", "backup", "other"
ABSENT = ("no such table", "no such column")
"""How every engine's reader words the error of a table or column that is not there."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A check on one engine: what is asked of the live database, of the backup's copy and again of live ('' for nothing).

    `low` and `high` bound the number; None on both: it must be the backup's, or the other question's; `or_more`: at least
    that. `is_shape`: the answer is 1 where the question can be asked at all, and 0 where its table or column is not there.
    `is_of_schema`: it asks how far the schema is, not whether the data hold.
    """

    name: str
    live: str
    backup: str = ""
    other: str = ""
    low: int | None = None
    high: int | None = None
    or_more: bool = False
    is_shape: bool = False
    is_of_schema: bool = False

    @property
    def needs_backup(self) -> bool:
        """Return whether the number is compared with the backup's."""
        return self.low is None and not self.other

    @property
    def expected(self) -> str:
        """Return what the number has to be, in words."""
        if self.low is None or self.high is None:
            least = "at least " if self.or_more else ""
            return least + ("as the second question" if self.other else "as in the backup")
        if self.is_shape:
            return "there" if self.low else "not there"
        return f"{self.low:,}" if self.low == self.high else f"{self.low:,} to {self.high:,}"


def asked_on(checks: Sequence[SiteCheck], engine: str, migrations_table: str) -> tuple[Asked, ...]:
    """Return the checks as this engine is asked; one that has no words for it is left out."""
    dialect = {"mariadb": "mysql", "pgsql": "postgresql"}.get(engine, engine)
    words = _Words(dialect, migrations_table)
    found = (words.of(check) if check.preset else _typed(check, dialect) for check in checks)
    return tuple(one for one in found if one is not None)


def questions(asked: Sequence[Asked], side: str) -> list[dict[str, object]]:
    """Return what the reader is to ask on one side (LIVE, BACKUP or OTHER): name, sql, and an expectation that it wants."""
    return [
        {"name": one.name, "sql": sql, "expect": 0}
        for one in asked
        if (sql := str(getattr(one, side) or (one.live if side == BACKUP else "")))
    ]


def number_of(one: Asked, answers: Answers) -> int | None:
    """Return the number that an answer tells, None where there is none."""
    answer = answers.get(one.name)
    if answer is None:
        return None
    if one.is_shape:
        return 1 if answer.error is None else (0 if any(word in answer.error for word in ABSENT) else None)
    return answer.value


def judged(asked: Sequence[Asked], live: Answers, other: Answers, earlier: Told) -> tuple[JudgedCheck, ...]:
    """Return each check with its answer; `earlier` holds by name the numbers of `before` and `backup`."""
    return tuple(_judged(one, live, other, earlier.get(one.name, {})) for one in asked)


def failure_words(checks: Sequence[JudgedCheck]) -> list[str]:
    """Return the checks that are not good, each with what it gave and what it should have given."""
    return [
        f"check “{one.name}”: {one.value if one.value is not None else one.error}, expected {one.expected}"
        for one in checks
        if not one.passed
    ]


def failed_in_a_copy(asked: Sequence[Asked], answers: Answers, other: Answers) -> tuple[JudgedCheck, ...]:
    """Return the checks that a restored backup does not keep.

    What compares with the backup or asks about the schema is no matter there, nor what asks about a table or column that
    the backup was made before.
    """
    data = [one for one in asked if not one.is_of_schema and not one.needs_backup]
    return tuple(
        one
        for one in judged(data, answers, other, {})
        if not one.passed and not any(word in (one.error or "") for word in ABSENT)
    )


def _judged(one: Asked, live: Answers, other: Answers, earlier: Mapping[str, int | None]) -> JudgedCheck:
    value, backup = number_of(one, live), earlier.get("backup")
    error = None if value is not None else (live[one.name].error if one.name in live else "it was not asked")
    low, high, expected = one.low, one.high, one.expected
    if low is None or high is None:
        wanted = number_of(one, other) if one.other else backup
        if wanted is None:
            error = error or (
                "the second question has no answer"
                if one.other
                else "the backup's number is not known; mend its backup_sql in the settings, or give it expect"
            )
        else:
            low, high = wanted, None if one.or_more else wanted
            expected = f"{wanted:,}, {one.expected}"
    passed = value is not None and low is not None and low <= value and (high is None or value <= high)
    return JudgedCheck(
        name=one.name,
        before=earlier.get("before"),
        backup=backup,
        value=value,
        expected=expected,
        passed=passed,
        error=None if passed else error,
    )


def _typed(check: SiteCheck, dialect: str) -> Asked | None:
    sql = _in(check.sql, dialect)
    if not sql:
        return None
    low, high = check.between or (check.expect, check.expect)
    return Asked(
        name=check.name,
        live=sql,
        backup=_in(check.backup_sql, dialect),
        other=_in(check.equals_sql, dialect),
        low=low,
        high=high,
    )


def _in(sql: Mapping[str, str], dialect: str) -> str:
    return sql.get(dialect) or sql.get("", "")


class _Words:
    """The presets in one engine's SQL."""

    def __init__(self, dialect: str, migrations_table: str) -> None:
        self._mark = '"' if dialect == "postgresql" else "`"
        self._migrations = migrations_table

    def of(self, check: SiteCheck) -> Asked | None:
        """Return a preset as it is asked."""
        if check.preset is None:
            return None
        makers: Mapping[Preset, Callable[[SiteCheck], Asked]] = {
            Preset.SAME_COUNT: self._same_count,
            Preset.ALL_LINKED: self._all_linked,
            Preset.KEPT: self._kept,
            Preset.NO_ORPHANS: self._no_orphans,
            Preset.NO_CHILDLESS: self._no_childless,
            Preset.TABLE_PRESENT: lambda one: self._table(one, 1),
            Preset.TABLE_ABSENT: lambda one: self._table(one, 0),
            Preset.COLUMN_PRESENT: lambda one: self._column(one, 1),
            Preset.COLUMN_ABSENT: lambda one: self._column(one, 0),
            Preset.MIGRATION_RAN: lambda one: self._migration(one, 1),
            Preset.MIGRATION_PENDING: lambda one: self._migration(one, 0),
        }
        return makers[check.preset](check)

    def _quoted(self, name: str) -> str:
        """Return a name, or `schema.name`, as an identifier."""
        mark = self._mark
        return ".".join(f"{mark}{part.replace(mark, mark * 2)}{mark}" for part in name.split("."))

    def _count(self, table: str, where: str = "") -> str:
        asked = f" WHERE {where}" if where else ""
        return f"SELECT COUNT(*) FROM {self._quoted(table)}{asked}"  # noqa: S608 - a quoted name; the reader only reads

    def _same_count(self, one: SiteCheck) -> Asked:
        name = one.name or f"as many rows in {one.table} as in {one.other_table}"
        return Asked(name=name, live=self._count(one.table), other=self._count(one.other_table))

    def _all_linked(self, one: SiteCheck) -> Asked:
        name = one.name or f"every row of {one.table} has a {one.column}"
        sql = self._count(one.table, f"{self._quoted(one.column)} IS NULL")
        return Asked(name=name, live=sql, low=0, high=0)

    def _kept(self, one: SiteCheck) -> Asked:
        name = one.name or f"{one.table}.{one.column} is kept"
        table, column = one.other_table or one.table, one.other_column or one.column
        return Asked(
            name=name,
            live=self._count(one.table, f"{self._quoted(one.column)} IS NOT NULL"),
            backup=self._count(table, f"{self._quoted(column)} IS NOT NULL"),
            or_more=True,
        )

    def _no_orphans(self, one: SiteCheck) -> Asked:
        name = one.name or f"no {one.table}.{one.column} without its row in {one.other_table}"
        child, parent = self._quoted(one.table), self._quoted(one.other_table)
        link, key = self._quoted(one.column), self._quoted(one.other_column or "id")
        sql = (
            f"SELECT COUNT(*) FROM {child} AS c WHERE c.{link} IS NOT NULL "  # noqa: S608 - as above
            f"AND NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE p.{key} = c.{link})"
        )
        return Asked(name=name, live=sql, low=0, high=0)

    def _no_childless(self, one: SiteCheck) -> Asked:
        name = one.name or f"no row of {one.table} without a row in {one.other_table}"
        parent, child = self._quoted(one.table), self._quoted(one.other_table)
        key, link = self._quoted(one.column or "id"), self._quoted(one.other_column)
        sql = (
            f"SELECT COUNT(*) FROM {parent} AS p "  # noqa: S608 - as above
            f"WHERE NOT EXISTS (SELECT 1 FROM {child} AS c WHERE c.{link} = p.{key})"
        )
        return Asked(name=name, live=sql, low=0, high=0)

    def _table(self, one: SiteCheck, there: int) -> Asked:
        name = one.name or f"the table {one.table} is {'' if there else 'not '}there"
        return Asked(
            name=name,
            live=self._count(one.table, "1 = 0"),
            low=there,
            high=there,
            is_shape=True,
            is_of_schema=True,
        )

    def _column(self, one: SiteCheck, there: int) -> Asked:
        name = one.name or f"the column {one.table}.{one.column} is {'' if there else 'not '}there"
        sql = self._count(one.table, f"1 = 0 AND {self._quoted(one.column)} IS NULL")
        return Asked(name=name, live=sql, low=there, high=there, is_shape=True, is_of_schema=True)

    def _migration(self, one: SiteCheck, ran: int) -> Asked:
        name = one.name or f"the migration {one.migration} {'ran' if ran else 'is pending'}"
        literal = one.migration.replace("'", "''")
        sql = self._count(self._migrations, f"migration = '{literal}'")
        return Asked(name=name, live=sql, low=ran, high=ran, is_of_schema=True)
