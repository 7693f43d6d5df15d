"""Artisan commands that prove, in the process that runs them, which database they will change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.laravel.answer import Answer, parse_answer, script_command
from bot.laravel.facts import MigrationRow, parse_migration_rows
from bot.laravel.problem import Problem, parse_problem, problem_words
from bot.model.errors import FailedError, UnknownOutcomeError
from bot.ports.host import Command

_WHAT = "the guarded artisan command"

# No file can be below a regular file that is no folder, so no application ever has its caches there.
_NO_CACHE = "/dev/null/no-cache.php"


@dataclass(frozen=True, kw_only=True)
class Target:
    """The database that a command may change.

    `database` is the real path for SQLite, else the name; `database.schema` for a scratch that is a schema of Backout's
    own beside the live tables (PostgreSQL without CREATEDB). `inode` pins the very SQLite file; None where it may be any
    file at that path. `is_scratch` cuts the process off from everything but that database: queues, mail, cache,
    other databases, Redis and file disks.
    """

    driver: str
    database: str
    inode: int | None = None
    is_scratch: bool


@dataclass(frozen=True, kw_only=True)
class ArtisanRun:
    """What an artisan command did, by the state before and after, not by what it said.

    `rows_before` and `rows_after` are the migrations table, None where it is missing; `tables_before` and
    `tables_after` the rows of every table, empty where they were not counted. `exit_code` is None where an exception
    ended it: `problem`. `output` is cut at 8 kB, SQL literals masked.
    """

    database: str
    database_after: str
    exit_code: int | None
    output: str
    problem: Problem | None
    rows_before: tuple[MigrationRow, ...] | None
    rows_after: tuple[MigrationRow, ...] | None
    tables_before: Mapping[str, int]
    tables_after: Mapping[str, int]
    duration_s: float


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The command was not run, and why."""

    reason: str


def guarded_artisan_command(
    *,
    app_path: str,
    target: Target,
    artisan: str,
    parameters: Mapping[str, object],
    expect_last: str | None = None,
    expect_pending: Sequence[str] | None = None,
    expect_sha256: Mapping[str, str] | None = None,
    numbers: str | None = None,
    counts_tables: bool = True,
    php: str = "php",
    timeout: timedelta = timedelta(minutes=30),
) -> Command:
    """Return the command that runs `artisan` with `parameters`, and only against `target`.

    `expect_last` is the migration that must be the last one that ran; `expect_pending` the pending ones, all of them,
    in order; `expect_sha256` the hash by absolute path of each approved migration file. Where one of these is not so,
    nothing is run. `numbers` is the host's file of the last number that each table ever gave: one that is made again
    counts on from there at once. `counts_tables` has the rows of every table counted before and after (R12); a command
    that clears a cache needs no such proof, and on a large database the two counts take longer than it. *Changes* what
    the artisan command changes, in the target's database.
    """
    request: dict[str, object] = {
        "command": artisan,
        "parameters": dict(parameters),
        "expect": {"driver": target.driver, "database": target.database, "inode": target.inode},
        "is_scratch": target.is_scratch,
        "expect_last": expect_last,
        "expect_pending": None if expect_pending is None else list(expect_pending),
        "expect_sha256": dict(expect_sha256 or {}),
        "numbers": numbers,
        "counts_tables": counts_tables,
    }
    return script_command(
        names=("boot", "guarded_artisan"),
        request=request,
        app_path=app_path,
        label=artisan,
        php=php,
        env=scratch_environment(target.driver, target.database) if target.is_scratch else {},
        timeout=timeout,
    )


def parse_guarded_artisan(stdout: str) -> ArtisanRun | Refused:
    """Return what the command did, or why it was not run.

    *Raises* FailedError where the application failed before anything ran, and UnknownOutcomeError where the command
    ran and the state afterwards could not be read, or its answer was lost: look at the migrations table.
    """
    try:
        answer = parse_answer(stdout, _WHAT)
    except FailedError as cause:
        raise UnknownOutcomeError(f"{cause}. It may have run: look at the migrations table") from cause
    if "refused" in answer:
        return Refused(reason=answer.text("refused"))
    if "failed" in answer:
        problem = parse_problem(answer.part("failed"))
        raise FailedError(f"the command was not run: {problem_words(problem)}; nothing was changed")
    if "unknown" in answer:
        problem = parse_problem(answer.part("unknown"))
        raise UnknownOutcomeError(
            f"the command ran, and the state after it could not be read: {problem_words(problem)}"
        )
    return _run(answer.part("run"))


def shrunk_tables(run: ArtisanRun) -> dict[str, tuple[int, int]]:
    """Return (rows before, rows after) of each table that has fewer rows after, 0 for one that is gone.

    Laravel below 11 rebuilds a SQLite table to drop a column, and the foreign keys of others cascade on that: rows go,
    and the exit status is 0. The migrations table is meant to shrink in a rollback, so the caller leaves it out.
    """
    after = run.tables_after
    return {
        name: (rows, after.get(name, 0))
        for name, rows in run.tables_before.items()
        if after.get(name, 0) < rows
    }


def scratch_environment(driver: str, database: str) -> dict[str, str]:
    """Return the environment in which an application of that driver works on a scratch database and on nothing else.

    It is the second lock beside the one inside the process (`Target.is_scratch`), and the only one for a program that a
    migration starts itself. Variables of the environment win over `.env`. `DB_CONNECTION` is not set: it is the
    application's own name for the connection, not the driver.
    """
    neutral = {
        # A cached configuration ignores the environment: point to caches that do not exist, then nothing is cached.
        "APP_CONFIG_CACHE": _NO_CACHE,
        "APP_ROUTES_CACHE": _NO_CACHE,
        "APP_EVENTS_CACHE": _NO_CACHE,
        # The scratch database. An URL (8 to 10, and 11 and later) would win over the name, so both are emptied.
        "DB_DATABASE": database,
        "DATABASE_URL": "",
        "DB_URL": "",
        # Production's log stays as it is; records go to the job's standard error.
        "LOG_CHANNEL": "stderr",
        "LOG_DEPRECATIONS_CHANNEL": "null",
        # Jobs that a migration dispatches are dropped: "sync" would run them, any other store is production's.
        "QUEUE_CONNECTION": "null",
        "QUEUE_FAILED_DRIVER": "null",
        # Mail, cache (two names, by version) and sessions stay in the memory of the process.
        "MAIL_MAILER": "array",
        "MAIL_DRIVER": "array",
        "CACHE_DRIVER": "array",
        "CACHE_STORE": "array",
        "SESSION_DRIVER": "array",
        # Events that are broadcast, and search indexes that follow models, must not tell the world.
        "BROADCAST_DRIVER": "null",
        "BROADCAST_CONNECTION": "null",
        "SCOUT_DRIVER": "null",
        # Recorders that write to their own tables or services.
        "TELESCOPE_ENABLED": "false",
        "PULSE_ENABLED": "false",
        "NIGHTWATCH_ENABLED": "false",
    }
    if driver == "sqlite" and not database.startswith("/"):
        raise ValueError("a scratch SQLite database is named by its absolute path")
    return neutral


def _run(part: Answer) -> ArtisanRun:
    found = part.maybe(part.part, "problem")
    return ArtisanRun(
        database=part.part("target").text("database"),
        database_after=part.part("target_after").text("database"),
        exit_code=part.maybe(part.whole, "exit_code"),
        output=part.text("output"),
        problem=None if found is None else parse_problem(found),
        rows_before=_rows(part, "rows_before"),
        rows_after=_rows(part, "rows_after"),
        tables_before=part.part("tables_before").all_counts(),
        tables_after=part.part("tables_after").all_counts(),
        duration_s=part.seconds("duration_s"),
    )


def _rows(part: Answer, key: str) -> tuple[MigrationRow, ...] | None:
    items = part.maybe(part.items, key)
    return None if items is None else parse_migration_rows(items, _WHAT)
