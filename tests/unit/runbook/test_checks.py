"""The site's own checks: what they ask on each engine, and what an answer means."""

from __future__ import annotations

import pytest

from bot.model.database import CheckResult
from bot.model.site_check import JudgedCheck, Preset, SiteCheck
from bot.runbook.checks import BACKUP, LIVE, OTHER, asked_on, failed_in_a_copy, judged, questions


def answer(name: str, value: int | None, error: str | None = None) -> dict[str, CheckResult]:
    return {name: CheckResult(name=name, value=value, expected=0, passed=False, error=error)}


def judge(check: SiteCheck, value: int | None, **more: object) -> JudgedCheck:
    """Return a check judged on MariaDB; `error`, `other`, `backup` and `before` as they were told."""
    asked = asked_on([check], "mariadb", "migrations")
    error, other = more.get("error"), more.get("other")
    live = answer(asked[0].name, value, str(error) if error else None)
    second = answer(asked[0].name, other) if isinstance(other, int) else {}
    told = {key: more.get(key) for key in ("before", "backup")}
    (found,) = judged(asked, live, second, {asked[0].name: told})  # type: ignore[dict-item]
    return found


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (SiteCheck(name="c", sql={"": "q"}, expect=0), [0], [1, -1]),
        (SiteCheck(name="c", sql={"": "q"}, between=(2, 4)), [2, 4], [1, 5]),
        (SiteCheck(preset=Preset.ALL_LINKED, table="a", column="b"), [0], [3]),
        (SiteCheck(preset=Preset.MIGRATION_PENDING, migration="m"), [0], [1]),
        (SiteCheck(preset=Preset.MIGRATION_RAN, migration="m"), [1], [0, 2]),
    ],
)
def test_a_number_is_compared(check: SiteCheck, good: list[int], bad: list[int]) -> None:
    """A check is good within its bounds and nowhere else; without a number it is not good."""
    assert [judge(check, value).passed for value in good + bad] == [True] * len(good) + [False] * len(bad)
    assert not judge(check, None, error="it took longer than allowed").passed


def test_as_in_the_backup() -> None:
    """The backup's number counts; where it is not known, the check is not good and says why."""
    check = SiteCheck(name="c", sql={"": "q"}, equals_backup=True)
    assert judge(check, 5, backup=5).passed
    assert not judge(check, 6, backup=5).passed
    assert judge(check, 5, backup=5).expected == "5, as in the backup"
    unknown = judge(check, 5)
    assert not unknown.passed
    assert "the backup's number is not known; mend its backup_sql" in (unknown.error or "")


def test_kept_values_may_become_more() -> None:
    """What people wrote since the backup is no loss."""
    check = SiteCheck(preset=Preset.KEPT, table="a", column="b")
    assert [judge(check, value, backup=5).passed for value in (4, 5, 6)] == [False, True, True]


def test_as_the_second_question() -> None:
    """Two questions to the live database have the same number."""
    check = SiteCheck(preset=Preset.SAME_COUNT, table="a", other_table="b")
    assert [judge(check, 5, other=other).passed for other in (5, 6)] == [True, False]
    assert judge(check, 5).error == "the second question has no answer"


@pytest.mark.parametrize(
    ("preset", "there"),
    [
        (Preset.TABLE_PRESENT, True),
        (Preset.TABLE_ABSENT, False),
        (Preset.COLUMN_PRESENT, True),
        (Preset.COLUMN_ABSENT, False),
    ],
)
def test_the_shape_is_asked_for(preset: Preset, there: bool) -> None:
    """A table or column is there when it can be asked about; another error is no answer."""
    check = SiteCheck(preset=preset, table="a", column="b")
    assert judge(check, 0).passed is there
    assert judge(check, None, error="there is no such column").passed is not there
    assert not judge(check, None, error="the application's user may not do this").passed


def test_names_are_quoted_for_each_engine() -> None:
    """A hostile or reserved name stays a name; a schema's dot is kept."""
    check = SiteCheck(preset=Preset.ALL_LINKED, table='public.or"der', column="group`")
    (pgsql,), (mysql,) = asked_on([check], "pgsql", "m"), asked_on([check], "mysql", "m")
    assert pgsql.live == 'SELECT COUNT(*) FROM "public"."or""der" WHERE "group`" IS NULL'
    assert mysql.live == 'SELECT COUNT(*) FROM `public`.`or"der` WHERE `group``` IS NULL'


def test_each_engine_has_its_own_words() -> None:
    """SQL for one engine is asked there alone; the backup gets its own question where one is given."""
    check = SiteCheck(
        name="c", sql={"mysql": "my", "postgresql": "pg"}, backup_sql={"": "old"}, equals_sql={"": "o"}
    )
    assert asked_on([check], "sqlite", "m") == ()
    asked = asked_on([check], "mariadb", "m")
    assert [one[0]["sql"] for one in (questions(asked, side) for side in (LIVE, BACKUP, OTHER))] == [
        "my",
        "old",
        "o",
    ]
    (plain,) = asked_on([SiteCheck(name="c", sql={"": "q"}, expect=0)], "sqlite", "m")
    assert [questions([plain], side) for side in (BACKUP, OTHER)] == [
        [{"name": "c", "sql": "q", "expect": 0}],
        [],
    ]


def test_a_restored_copy_is_judged_by_its_data_alone() -> None:
    """What a backup cannot have yet is no failure of it; what it breaks is."""
    checks = [
        SiteCheck(name="broken", sql={"": "q"}, expect=0),
        SiteCheck(name="later table", sql={"": "q"}, expect=0),
        SiteCheck(name="too slow", sql={"": "q"}, expect=0),
        SiteCheck(name="as in the backup", sql={"": "q"}, equals_backup=True),
        SiteCheck(name="ran", preset=Preset.MIGRATION_RAN, migration="m"),
        SiteCheck(name="column", preset=Preset.COLUMN_PRESENT, table="a", column="b"),
    ]
    answers = {
        **answer("broken", 3),
        **answer("later table", None, "no such table: later"),
        **answer("too slow", None, "it took longer than allowed"),
        **answer("as in the backup", 7),
        **answer("ran", 0),
        **answer("column", None, "no such column: b"),
    }
    failed = failed_in_a_copy(asked_on(checks, "sqlite", "migrations"), answers, {})
    assert [one.name for one in failed] == ["broken", "too slow"]
