"""The runbook, word for word, on MariaDB and on PostgreSQL: every command that destroys ends with 0, and data are gone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.site.by_hand import play_by_hand
from tests.site.fixtures import template_on

FEW = 400


@pytest.fixture(scope="module")
def on_mariadb(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what came of the runbook on MariaDB, played once."""
    return play_by_hand(template_on(tmp_path_factory, "mariadb", FEW).folder)


@pytest.fixture(scope="module")
def on_postgresql(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what came of the runbook on PostgreSQL, played once."""
    return play_by_hand(template_on(tmp_path_factory, "postgresql", FEW).folder)


def ended(result: dict[str, Any], step: int) -> list[int]:
    """Return the exit statuses of one step."""
    return [each["exit_status"] for each in result["steps"] if each["step"] == step]


def test_on_mariadb_the_restore_succeeds_and_the_rollback_takes_the_location(
    on_mariadb: dict[str, Any],
) -> None:
    """The dump loads, the rollback after it removes the last good migration, and what came since is gone (R1, R8, G1)."""
    really = on_mariadb["really"]
    assert (ended(on_mariadb, 5), ended(on_mariadb, 6)) == ([0], [0, 0, 0])
    assert really["location"] == {"before": 300, "after": 0}
    assert really["uploads since"] == {"before": 19, "after": 0}
    assert really["comments since"]["after"] == 0
    assert really["edits since"]["after"] == 0


def test_on_mariadb_the_bad_migrations_table_stays_and_the_corrected_one_meets_it(
    on_mariadb: dict[str, Any],
) -> None:
    """`posts` is in no dump of before: every one of its rows stays, hangs on nothing, and the migration fails (R2)."""
    orphans = on_mariadb["really"]["posts without a photo"]["after"]
    assert orphans == 400 + 20 - 6
    assert ended(on_mariadb, 7) == [0, 0, 0, 0, 1]
    red = {check["check"] for check in on_mariadb["checks"] if not check["green"]}
    assert {"Schema::hasTable('posts')", "Photo::whereNull('post_id')->count()"} <= red


def test_on_postgresql_nothing_is_restored_and_every_command_says_success(
    on_postgresql: dict[str, Any],
) -> None:
    """`psql -f` onto the broken database ends with 0 and changes no row; not one caption comes back (R3)."""
    really = on_postgresql["really"]
    assert {status for step in (5, 6, 7) for status in ended(on_postgresql, step)} == {0}
    assert really["captions"] == {"before": 360, "after": 0}
    assert really["uploads since"]["after"] == really["uploads since"]["before"]
    red = {check["check"] for check in on_postgresql["checks"] if not check["green"]}
    assert "Post::whereNotNull('caption')->count()" in red
    assert "Photo::whereNull('post_id')->count()" not in red


@pytest.mark.parametrize("engine", ["mariadb", "postgresql"])
def test_the_site_stays_up_in_maintenance(request: pytest.FixtureRequest, engine: str) -> None:
    """`down --message` fails on this Laravel whatever the database is, and visitors go on writing (M1)."""
    result = request.getfixturevalue(f"on_{engine}")
    assert ended(result, 2) == [1]
    assert result["status_in_maintenance"] == 200
