"""Running approved migrations, and no other ones."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.laravel.facts import MigrationFile, MigrationRow
from bot.laravel.guarded import ArtisanRun, Target, guarded_artisan_command
from bot.ports.host import Command


class MigrationOutcome(enum.Enum):
    """What a migrate command did, judged by the migrations table alone."""

    MIGRATED = "migrated"  # exactly the approved migrations were added
    NOTHING = "nothing"  # no row was added: it failed, was cancelled, or held them for done
    OTHER = "other"  # other rows came, or some went: look before anything else is done


@dataclass(frozen=True, kw_only=True)
class MigrationVerdict:
    """What a migrate command did, and in words why it counts as that."""

    outcome: MigrationOutcome
    reason: str


def migrate_refusal(
    rows: Sequence[MigrationRow] | None, pending: Sequence[str], approved: Sequence[str]
) -> str | None:
    """Return why `migrate` must not be run, or None where it may be.

    With a missing or empty migrations table Laravel loads `database/schema/*.sql`, which drops and makes tables anew.
    `migrate` runs every pending migration, so these must be the approved ones, all of them and in order.
    *Source*: laravel/framework, MigrateCommand::loadSchemaState; issue 49652.
    """
    if rows is None:
        return "the migrations table is missing: migrate would build the schema anew"
    if not rows:
        return "the migrations table is empty: migrate would build the schema anew"
    if not approved:
        return "no migration was approved"
    ran = {row.migration for row in rows}
    done = [name for name in approved if name in ran]
    if done:
        return f"{', '.join(done)} stands in the migrations table as run: migrate would say that there is nothing to do"
    if list(pending) != list(approved):
        return f"the pending migrations ({', '.join(pending) or 'none'}) are not the approved ones ({', '.join(approved)})"
    return None


def migrate_command(
    *,
    app_path: str,
    target: Target,
    approved: Sequence[MigrationFile],
    numbers: str | None = None,
    is_pretend: bool = False,
    php: str = "php",
    timeout: timedelta = timedelta(minutes=30),
) -> Command:
    """Return the command that runs exactly the approved migration files in `target`.

    Inside the process the pending list and each file's SHA-256 must be the approved ones, else nothing runs. `--path`
    names the files alone. `numbers` is as `guarded_artisan_command` has it. `--isolated` and `--graceful` are never used: they hide that nothing was done.
    """
    parameters: dict[str, object] = {
        "--path": [file.path for file in approved],
        "--realpath": True,
        "--force": True,
    }
    if is_pretend:
        parameters["--pretend"] = True
    return guarded_artisan_command(
        app_path=app_path,
        target=target,
        artisan="migrate",
        parameters=parameters,
        expect_pending=[file.name for file in approved],
        expect_sha256={file.path: file.sha256 for file in approved},
        numbers=numbers,
        php=php,
        timeout=timeout,
    )


def migration_outcome(
    before: Sequence[MigrationRow] | None, after: Sequence[MigrationRow] | None, approved: Sequence[str]
) -> MigrationVerdict:
    """Return what `migrate` did by the rows before and after; its exit status and text are not believed."""
    names = ", ".join(approved)
    if before is None or after is None:
        return MigrationVerdict(outcome=MigrationOutcome.OTHER, reason="the migrations table is missing")
    gone = [row.migration for row in before if row not in after]
    new = [row.migration for row in after if row not in before]
    if not gone and not new:
        return MigrationVerdict(outcome=MigrationOutcome.NOTHING, reason=f"{names} did not run")
    if not gone and sorted(new) == sorted(approved):
        return MigrationVerdict(outcome=MigrationOutcome.MIGRATED, reason=f"{names} ran, and nothing else")
    changed = ", ".join(gone + new)
    return MigrationVerdict(
        outcome=MigrationOutcome.OTHER, reason=f"other rows of the migrations table changed: {changed}"
    )


def migration_verdict(run: ArtisanRun, approved: Sequence[str]) -> MigrationVerdict:
    """Return what a guarded `migrate` did; an exception in it never counts as nothing done, for half of it may stay."""
    verdict = migration_outcome(run.rows_before, run.rows_after, approved)
    if run.problem is not None:
        reason = f"it ended with an error, and what it did so far may have stayed; {verdict.reason}"
        return MigrationVerdict(outcome=MigrationOutcome.OTHER, reason=reason)
    return verdict
