"""What Laravel 8 to 13 print is read to the same facts, whichever version printed it."""

from __future__ import annotations

import pytest

from bot.laravel.maintenance import parse_down_flag
from bot.laravel.migrate_output import Said, parse_migrate_output, parse_pretend_output
from bot.laravel.status_text import StatusLine, parse_migrate_status
from tests.unit.laravel.outputs import COMMANDS, MAJORS, NEW, OLD, OUTPUTS, RECORDED, Output


def _of(command: str) -> list[object]:
    return [
        pytest.param(output, id=f"{output.versions[0]} {output.origin}")
        for output in OUTPUTS
        if output.command == command
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_version_has_its_output(command: str) -> None:
    """From 8 to 13 none is missing; 8 was run, and what was never run is marked so."""
    outputs = [output for output in OUTPUTS if output.command == command]
    assert set().union(*(output.majors for output in outputs)) == set(MAJORS)
    assert all(8 not in output.majors or output.origin == RECORDED for output in outputs)


@pytest.mark.parametrize("output", _of("migrate:status"))
def test_the_status_is_read(output: Output) -> None:
    """One migration ran in batch 3, one is pending."""
    assert parse_migrate_status(output.text) == (
        StatusLine(migration=OLD, has_run=True, batch=3),
        StatusLine(migration=NEW, has_run=False, batch=None),
    )


@pytest.mark.parametrize("output", _of("migrate"))
def test_what_ran_is_read(output: Output) -> None:
    """Both migrations ran, each with its time."""
    found = parse_migrate_output(output.text)
    assert [(line.migration, line.said) for line in found.migrations] == [
        (OLD, Said.MIGRATED),
        (NEW, Said.MIGRATED),
    ]
    first, second = (line.duration_ms or 0.0 for line in found.migrations)
    assert 13 < first < 31
    assert second > 900
    assert (found.failed, found.cancelled, found.nothing_to_do) == (False, False, False)


@pytest.mark.parametrize("output", _of("migrate:rollback"))
def test_what_was_rolled_back_is_read(output: Output) -> None:
    """The last migration was rolled back."""
    (line,) = parse_migrate_output(output.text).migrations
    assert (line.migration, line.said) == (NEW, Said.ROLLED_BACK)
    assert line.duration_ms


@pytest.mark.parametrize("output", _of("migrate --pretend"))
def test_pretended_sql_is_read(output: Output) -> None:
    """The one statement, by the migration or (8) its class."""
    found = parse_pretend_output(output.text)
    assert list(found.values()) == [('alter table "albums" add column "location" varchar',)]
    assert set(found) <= {OLD, "AddLocation"}


@pytest.mark.parametrize("output", _of("nothing to migrate"))
def test_nothing_to_do_is_read(output: Output) -> None:
    """It says so, and no migration is told."""
    found = parse_migrate_output(output.text)
    assert (found.nothing_to_do, found.migrations) == (True, ())


@pytest.mark.parametrize("output", _of("not confirmed"))
def test_a_cancelled_command_is_read(output: Output) -> None:
    """Without --force in production nothing runs, and that is seen."""
    found = parse_migrate_output(output.text)
    assert (found.cancelled, found.migrations) == (True, ())


@pytest.mark.parametrize("output", _of("flag of down"))
def test_the_flag_is_read(output: Output) -> None:
    """Status and wait; from 11 on `/up` is served all the same."""
    flag = parse_down_flag(output.text)
    assert (flag.status, flag.retry_s) == (503, 300)
    assert flag.except_paths == (("/up",) if min(output.majors) >= 11 else ())
