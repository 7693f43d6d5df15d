"""Rolling back the one bad migration, and never another one."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.laravel.facts import MigrationRow
from bot.laravel.guarded import ArtisanRun, Target, guarded_artisan_command
from bot.ports.host import Command


class RollbackOutcome(enum.Enum):
    """What a rollback did, judged by the migrations table alone."""

    ROLLED_BACK = "rolled back"  # exactly the named migration is gone from the table
    NOTHING = "nothing"  # the table is as it was, whatever the exit status said
    OTHER = "other"  # the table changed in another way: look before anything else is done


@dataclass(frozen=True, kw_only=True)
class RollbackVerdict:
    """What a rollback did, and in words why it counts as that."""

    outcome: RollbackOutcome
    reason: str


def last_migration(rows: Sequence[MigrationRow]) -> MigrationRow | None:
    """Return the migration that `migrate:rollback --step=1` would take: the highest batch, then the highest name.

    *Source*: DatabaseMigrationRepository::getMigrations, the same in Laravel 8 to 13.
    """
    return max(rows, key=lambda row: (row.batch, row.migration), default=None)


def rollback_refusal(
    rows: Sequence[MigrationRow] | None, bad_name: str, *, prohibited: bool | None = None
) -> str | None:
    """Return why the bad migration must not be rolled back, or None where it may be.

    A full restore brings back the migrations table of before; the last row is then the last good migration, and rolling
    back would lose data a second time. `prohibited` is the application's own ban on destructive commands.
    """
    if rows is None:
        return "the migrations table is missing or could not be read: nothing can be rolled back safely"
    last = last_migration(rows)
    if last is None:
        return "the migrations table is empty: there is nothing to roll back"
    if all(row.migration != bad_name for row in rows):
        return f"{bad_name} is not in the migrations table; a rollback would take {last.migration} instead"
    if last.migration != bad_name:
        return f"{bad_name} is not the last migration; a rollback would take {last.migration} instead"
    if sum(row.migration == bad_name for row in rows) > 1:
        return f"{bad_name} stands more than once in the migrations table: ask the DBA"
    if prohibited:
        return "the application forbids destructive commands (DB::prohibitDestructiveCommands)"
    return None


def rollback_command(
    *,
    app_path: str,
    target: Target,
    bad_name: str,
    migration_path: str,
    is_pretend: bool = False,
    php: str = "php",
    timeout: timedelta = timedelta(minutes=30),
) -> Command:
    """Return the command that rolls back the named migration in `target`, or with `is_pretend` shows its SQL.

    `migration_path` is the absolute path of the bad migration's own file. Two locks: inside the process the last row
    must be that migration, and `--path` names its file alone, so that any other is "not found". `--batch` is never
    used: it is missing before 10.0, and 0 or a text there takes the whole last batch. Pretending is a hint only: it
    runs the migration's PHP for real, so it is for scratch.
    """
    _check_path(migration_path, bad_name)
    parameters: dict[str, object] = {
        "--step": 1,
        "--path": [migration_path],
        "--realpath": True,
        "--force": True,
    }
    if is_pretend:
        parameters["--pretend"] = True
    return guarded_artisan_command(
        app_path=app_path,
        target=target,
        artisan="migrate:rollback",
        parameters=parameters,
        expect_last=bad_name,
        php=php,
        timeout=timeout,
    )


def rollback_outcome(
    before: Sequence[MigrationRow] | None, after: Sequence[MigrationRow] | None, bad_name: str
) -> RollbackVerdict:
    """Return what a rollback did by the rows before and after; its exit status and text are not believed."""
    if before is None or after is None:
        return RollbackVerdict(outcome=RollbackOutcome.OTHER, reason="the migrations table is missing")
    gone = [row.migration for row in before if row not in after]
    new = [row.migration for row in after if row not in before]
    if not gone and not new:
        return RollbackVerdict(
            outcome=RollbackOutcome.NOTHING, reason=f"{bad_name} is still in the migrations table"
        )
    if gone == [bad_name] and not new:
        return RollbackVerdict(
            outcome=RollbackOutcome.ROLLED_BACK, reason=f"{bad_name} is rolled back, and nothing else"
        )
    changed = ", ".join(gone + new)
    return RollbackVerdict(
        outcome=RollbackOutcome.OTHER, reason=f"other rows of the migrations table changed: {changed}"
    )


def rollback_verdict(run: ArtisanRun, bad_name: str) -> RollbackVerdict:
    """Return what a guarded rollback did; an exception in it never counts as done, for half of it may stay."""
    verdict = rollback_outcome(run.rows_before, run.rows_after, bad_name)
    if run.problem is not None and verdict.outcome is not RollbackOutcome.OTHER:
        reason = f"it ended with an error, and what it did so far may have stayed; {verdict.reason}"
        return RollbackVerdict(outcome=RollbackOutcome.OTHER, reason=reason)
    return verdict


def _check_path(path: str, name: str) -> None:
    if not path.startswith("/") or path.rpartition("/")[2] != f"{name}.php":
        raise ValueError(f"{path!r} is not the absolute path of the file of {name!r}")
