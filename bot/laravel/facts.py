"""What an application says of itself: version, database, migrations, maintenance, drivers and log files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.laravel.answer import Answer, parse_answer, script_command
from bot.laravel.problem import Problem, parse_problem, problem_words
from bot.laravel.versions import LaravelVersion, parse_version
from bot.model.errors import FailedError
from bot.ports.host import Command

_WHAT = "the application's facts"


@dataclass(frozen=True, kw_only=True)
class MigrationRow:
    """One row of the migrations table: a migration that ran."""

    id: int
    migration: str
    batch: int


@dataclass(frozen=True, kw_only=True)
class MigrationFile:
    """One migration file of the deployed code; `name` is the file's name without `.php`."""

    name: str
    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class DatabaseFacts:
    """The default database as the application itself resolves it; never the password.

    `connection` is Laravel's name for it, `driver` the kind ('sqlite', 'mysql', 'mariadb', 'pgsql', 'sqlsrv'). For
    SQLite `database` is the real path, with inode and device; elsewhere those are None. `problem` tells why the
    database could not be asked; then `database` is what the settings say.
    """

    connection: str
    driver: str
    database: str
    inode: int | None
    device: int | None
    host: str | None
    port: str | None
    has_username: bool
    prefix: str
    url_used: bool
    read_write_split: bool
    problem: Problem | None


@dataclass(frozen=True, kw_only=True)
class EnvFileFacts:
    """What `.env` says of the database, whatever a cached configuration says; None where it says nothing.

    `real_path` is where `database` leads as a file of the host, links followed; None where there is no such file.
    `other_login` names what in it is another than in the configuration in use (`DB_HOST`, `DB_PASSWORD` …).
    """

    path: str
    readable: bool
    connection: str | None
    database: str | None
    real_path: str | None
    url_database: str | None
    other_login: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MaintenanceState:
    """Whether the site is down, where the flag lives, and its options but for the secret itself.

    `is_down` is None where it could not be told (the flag lives in a store that does not answer: `problem`).
    `driver` is 'file' or 'cache'; `store` is the cache store's name, None for a file. `except_paths` are answered
    although the site is down.
    """

    is_down: bool | None
    driver: str
    store: str | None
    flag_path: str
    has_flag_file: bool
    retry_s: int | None
    status: int | None
    has_secret: bool
    except_paths: tuple[str, ...]
    problem: Problem | None


@dataclass(frozen=True, kw_only=True)
class RuntimeTable:
    """A table that holds the program's run-time state, as configured.

    `role` is one of 'jobs', 'job_batches', 'failed_jobs', 'sessions', 'cache', 'cache_locks'. `in_use` tells that the
    application uses it by default, `in_default_database` that a restore of the database would bring its old rows
    back. `exists` is None where that was not looked up (another database, or no connection).
    """

    role: str
    table: str
    in_use: bool
    in_default_database: bool
    exists: bool | None


@dataclass(frozen=True, kw_only=True)
class LogFile:
    """One log file: `path` is the one written today, `configured_path` the same without the day."""

    channel: str
    driver: str
    configured_path: str
    path: str


@dataclass(frozen=True, kw_only=True)
class AppFacts:
    """Everything the application said of itself.

    `migration_rows` are in the order in which they ran (batch, then name), None where the table is missing or the
    database did not answer. `rollback_prohibited` is None where the version cannot prohibit it. `boot_problem` is the
    error with which the application fails at start; the other facts were read all the same.
    """

    laravel: LaravelVersion
    php_version: str
    base_path: str
    storage_path: str
    environment: str
    debug: bool
    url: str
    timezone: str
    database: DatabaseFacts
    env_file: EnvFileFacts
    config_cached: bool
    routes_cached: bool
    events_cached: bool
    maintenance: MaintenanceState
    cache_store: str
    cache_driver: str
    session_driver: str
    queue_driver: str
    runtime_tables: tuple[RuntimeTable, ...]
    log_files: tuple[LogFile, ...]
    migrations_table: str
    migration_files: tuple[MigrationFile, ...]
    migration_rows: tuple[MigrationRow, ...] | None
    rollback_prohibited: bool | None
    has_tinker: bool
    boot_problem: Problem | None


def app_facts_command(app_path: str, php: str = "php") -> Command:
    """Return the command that asks the application in `app_path` (absolute) about itself.

    Reads only, and leaves no record in the application's log. Where the framework's manifests in `bootstrap/cache` are
    missing it writes them, as every artisan command does.
    """
    return script_command(
        names=("boot", "app_facts"),
        request={},
        app_path=app_path,
        label="facts",
        php=php,
        timeout=timedelta(seconds=45),
    )


def parse_app_facts(stdout: str) -> AppFacts:
    """Return what the application said of itself.

    *Raises* FailedError where it did not start, or where the answer is damaged.
    """
    answer = parse_answer(stdout, _WHAT)
    if "refused" in answer:
        raise FailedError(f"the application was not asked: {answer.text('refused')}")
    if "failed" in answer:
        problem = parse_problem(answer.part("failed"))
        raise FailedError(f"the application does not start: {problem_words(problem)}; nothing was changed")
    return _app_facts(answer.part("facts"))


def pending_migrations(facts: AppFacts) -> tuple[str, ...]:
    """Return the names of migration files that have no row in the migrations table, in the order they would run."""
    ran = {row.migration for row in facts.migration_rows or ()}
    return tuple(file.name for file in facts.migration_files if file.name not in ran)


def rows_without_file(facts: AppFacts) -> tuple[str, ...]:
    """Return migrations that ran and have no file; `migrate:status` does not show them."""
    names = {file.name for file in facts.migration_files}
    return tuple(row.migration for row in facts.migration_rows or () if row.migration not in names)


def parse_migration_rows(items: Sequence[object], what: str) -> tuple[MigrationRow, ...]:
    """Return migration rows from a list of `[id, name, batch]`, in the order in which they ran.

    *Raises* FailedError where an item is anything else.
    """
    rows = []
    for item in items:
        if not isinstance(item, list) or [type(value) for value in item] != [int, str, int]:
            raise FailedError(f"the answer to {what} has a damaged migration row; it was not used")
        rows.append(MigrationRow(id=item[0], migration=item[1], batch=item[2]))
    return tuple(rows)


def parse_maintenance_state(part: Answer) -> MaintenanceState:
    """Return the maintenance state from its part of an answer."""
    return MaintenanceState(
        is_down=part.maybe(part.flag, "is_down"),
        driver=part.text("driver"),
        store=part.maybe(part.text, "store"),
        flag_path=part.text("flag_path"),
        has_flag_file=part.flag("has_flag_file"),
        retry_s=part.maybe(part.whole, "retry_s"),
        status=part.maybe(part.whole, "status"),
        has_secret=part.flag("has_secret"),
        except_paths=part.texts("except"),
        problem=_maybe_problem(part, "problem"),
    )


def _app_facts(part: Answer) -> AppFacts:
    rows = part.maybe(part.items, "migration_rows")
    return AppFacts(
        laravel=parse_version(part.text("laravel_version")),
        php_version=part.text("php_version"),
        base_path=part.text("base_path"),
        storage_path=part.text("storage_path"),
        environment=part.text("environment"),
        debug=part.flag("debug"),
        url=part.text("url"),
        timezone=part.text("timezone"),
        database=_database(part.part("database")),
        env_file=_env_file(part.part("env_file")),
        config_cached=part.flag("config_cached"),
        routes_cached=part.flag("routes_cached"),
        events_cached=part.flag("events_cached"),
        maintenance=parse_maintenance_state(part.part("maintenance")),
        cache_store=part.text("cache_store"),
        cache_driver=part.text("cache_driver"),
        session_driver=part.text("session_driver"),
        queue_driver=part.text("queue_driver"),
        runtime_tables=tuple(_runtime_table(one) for one in part.parts("runtime_tables")),
        log_files=tuple(_log_file(one) for one in part.parts("log_files")),
        migrations_table=part.text("migrations_table"),
        migration_files=tuple(_migration_file(one) for one in part.parts("migration_files")),
        migration_rows=None if rows is None else parse_migration_rows(rows, _WHAT),
        rollback_prohibited=part.maybe(part.flag, "rollback_prohibited"),
        has_tinker=part.flag("has_tinker"),
        boot_problem=_maybe_problem(part, "boot_problem"),
    )


def _database(part: Answer) -> DatabaseFacts:
    return DatabaseFacts(
        connection=part.text("connection"),
        driver=part.text("driver"),
        database=part.text("database"),
        inode=part.maybe(part.whole, "inode"),
        device=part.maybe(part.whole, "device"),
        host=part.maybe(part.text, "host"),
        port=part.maybe(part.text, "port"),
        has_username=part.flag("has_username"),
        prefix=part.text("prefix"),
        url_used=part.flag("url_used"),
        read_write_split=part.flag("read_write_split"),
        problem=_maybe_problem(part, "problem"),
    )


def _env_file(part: Answer) -> EnvFileFacts:
    return EnvFileFacts(
        path=part.text("path"),
        readable=part.flag("readable"),
        connection=part.maybe(part.text, "connection"),
        database=part.maybe(part.text, "database"),
        real_path=part.maybe(part.text, "real_path"),
        url_database=part.maybe(part.text, "url_database"),
        other_login=part.texts("other_login") if "other_login" in part else (),
    )


def _runtime_table(part: Answer) -> RuntimeTable:
    return RuntimeTable(
        role=part.text("role"),
        table=part.text("table"),
        in_use=part.flag("in_use"),
        in_default_database=part.flag("in_default_database"),
        exists=part.maybe(part.flag, "exists"),
    )


def _log_file(part: Answer) -> LogFile:
    return LogFile(
        channel=part.text("channel"),
        driver=part.text("driver"),
        configured_path=part.text("configured_path"),
        path=part.text("path"),
    )


def _migration_file(part: Answer) -> MigrationFile:
    return MigrationFile(name=part.text("name"), path=part.text("path"), sha256=part.text("sha256"))


def _maybe_problem(part: Answer, key: str) -> Problem | None:
    found = part.maybe(part.part, key)
    return None if found is None else parse_problem(found)
