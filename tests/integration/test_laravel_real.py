"""The Laravel commands on a real, tiny application: Debian's Laravel 8.83, PHP and git."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.host_reader.log_count import log_count
from bot.laravel import caches, facts, git, guarded, log_records, maintenance, migrate, rollback
from bot.laravel.caches import CacheClear, clear_command, make_command
from bot.laravel.guarded import ArtisanRun, Refused, Target
from bot.model.secret import Secret
from bot.ports.host import Command
from tests.site.framework import VARIABLE, with_framework

BASE = "2025_01_01_000000_create_albums"
GOOD = "2025_11_20_090000_add_place_to_albums"
BAD = "2025_11_25_120000_drop_title_from_albums"
NEXT = "2025_11_26_090000_add_colour_to_albums"
PROVIDERS = (
    "Bus\\BusServiceProvider",
    "Cache\\CacheServiceProvider",
    "Database\\DatabaseServiceProvider",
    "Filesystem\\FilesystemServiceProvider",
    "Foundation\\Providers\\ConsoleSupportServiceProvider",
    "Foundation\\Providers\\FoundationServiceProvider",
    "Queue\\QueueServiceProvider",
    "View\\ViewServiceProvider",
)

FILES = {
    "vendor/autoload.php": """<?php
require_once 'Illuminate/autoload.php';
spl_autoload_register(function ($class) {
    $file = __DIR__ . '/../app/' . str_replace('\\\\', '/', substr($class, 4)) . '.php';
    if (strpos($class, 'App\\\\') === 0 && is_file($file)) { require_once $file; }
}, true, true);
""",
    "artisan": """<?php
define('LARAVEL_START', microtime(true));
require __DIR__ . '/vendor/autoload.php';
$app = require __DIR__ . '/bootstrap/app.php';
$kernel = $app->make(Illuminate\\Contracts\\Console\\Kernel::class);
$input = new Symfony\\Component\\Console\\Input\\ArgvInput;
$status = $kernel->handle($input, new Symfony\\Component\\Console\\Output\\ConsoleOutput);
$kernel->terminate($input, $status);
exit($status);
""",
    "bootstrap/app.php": """<?php
$app = new Illuminate\\Foundation\\Application(dirname(__DIR__));
$app->singleton(Illuminate\\Contracts\\Console\\Kernel::class, App\\Console\\Kernel::class);
$app->singleton(Illuminate\\Contracts\\Http\\Kernel::class, Illuminate\\Foundation\\Http\\Kernel::class);
$app->singleton(Illuminate\\Contracts\\Debug\\ExceptionHandler::class, App\\Exceptions\\Handler::class);
return $app;
""",
    "app/Console/Kernel.php": "<?php\nnamespace App\\Console;\nclass Kernel extends \\Illuminate\\Foundation\\Console\\Kernel {}\n",
    "app/Exceptions/Handler.php": "<?php\nnamespace App\\Exceptions;\nclass Handler extends \\Illuminate\\Foundation\\Exceptions\\Handler {}\n",
    "app/Noise.php": """<?php
namespace App;
class Noise extends \\Illuminate\\Support\\ServiceProvider {
    public function boot() {
        echo "BACKOUT1:{\\"forged\\":1}\\n";
        \\Illuminate\\Support\\Facades\\Log::error('noise at start');
        if (getenv('NOISE_READS')) { \\DB::table('no_such_table')->count(); }
    }
}
""",
    "config/app.php": """<?php return ['env' => env('APP_ENV'), 'key' => env('APP_KEY'), 'cipher' => 'AES-256-CBC', 'debug' => false,
'url' => 'http://album.example', 'timezone' => 'Europe/Berlin', 'aliases' => ['DB' => Illuminate\\Support\\Facades\\DB::class],
'providers' => array_merge(array_map(function ($name) { return 'Illuminate\\\\' . $name; }, [PROVIDERS]), ['App\\Noise'])];
""".replace("PROVIDERS", ", ".join(f"'{name}'" for name in PROVIDERS)),
    "config/database.php": """<?php return ['default' => env('DB_CONNECTION'), 'migrations' => 'migrations', 'connections' => [
'main' => ['driver' => 'sqlite', 'url' => env('DATABASE_URL'), 'database' => env('DB_DATABASE'), 'prefix' => '', 'foreign_key_constraints' => true],
'archive' => ['driver' => 'sqlite', 'database' => env('ARCHIVE_DATABASE'), 'prefix' => '']]];
""",
    "config/cache.php": "<?php return ['default' => env('CACHE_DRIVER', 'file'), 'prefix' => 'x', 'stores' => ['file' => ['driver' => 'file', "
    "'path' => storage_path('framework/cache/data')], 'array' => ['driver' => 'array'], 'database' => ['driver' => 'database', 'table' => 'cache', 'connection' => null]]];",
    "config/queue.php": "<?php return ['default' => env('QUEUE_CONNECTION'), 'connections' => ['database' => ['driver' => 'database', "
    "'table' => 'jobs', 'queue' => 'default', 'retry_after' => 90]], 'failed' => ['driver' => 'database', 'database' => 'archive', 'table' => 'failed_jobs']];",
    "config/logging.php": "<?php return ['default' => 'stack', 'channels' => ['stack' => ['driver' => 'stack', 'channels' => ['single', 'daily']], "
    "'single' => ['driver' => 'single', 'path' => storage_path('logs/laravel.log')], 'daily' => ['driver' => 'daily', 'path' => storage_path('logs/day.log'), 'days' => 3]]];",
    "config/view.php": "<?php return ['paths' => [resource_path('views')], 'compiled' => storage_path('framework/views')];",
    "config/filesystems.php": "<?php return ['default' => 'local', 'disks' => ['local' => ['driver' => 'local', 'root' => storage_path('app')]]];",
}


def migration(class_name: str, up: str, down: str) -> str:
    return (
        "<?php\nuse Illuminate\\Database\\Migrations\\Migration;\nuse Illuminate\\Database\\Schema\\Blueprint;\n"
        f"use Illuminate\\Support\\Facades\\Schema;\nclass {class_name} extends Migration {{\n"
        f"public function up() {{ {up} }}\npublic function down() {{ {down} }}\n}}\n"
    )


MIGRATIONS = {
    BASE: migration(
        "CreateAlbums",
        "Schema::create('albums', function (Blueprint $t) { $t->id(); $t->string('title')->nullable(); });"
        "Schema::create('notes', function (Blueprint $t) { $t->id(); $t->foreignId('album_id')->constrained('albums')->onDelete('cascade'); });"
        "Schema::create('jobs', function (Blueprint $t) { $t->id(); $t->string('queue'); $t->longText('payload'); $t->integer('attempts');"
        " $t->integer('reserved_at')->nullable(); $t->integer('available_at'); $t->integer('created_at'); });",
        "Schema::drop('jobs'); Schema::drop('notes'); Schema::drop('albums');",
    ),
    GOOD: migration(
        "AddPlaceToAlbums",
        "Schema::table('albums', function (Blueprint $t) { $t->string('place')->nullable(); });",
        "Schema::table('albums', function (Blueprint $t) { $t->dropColumn('place'); });",
    ),
    BAD: migration(
        "DropTitleFromAlbums",
        "Schema::table('albums', function (Blueprint $t) { $t->dropColumn('title'); });",
        "Schema::table('albums', function (Blueprint $t) { $t->string('title')->nullable(); });",
    ),
}


@dataclass(frozen=True, kw_only=True)
class App:
    """A tiny application: its folder, database and log."""

    path: Path
    database: Path
    log: Path

    def target(self, *, is_scratch: bool = False, database: Path | None = None) -> Target:
        return Target(driver="sqlite", database=str(database or self.database), is_scratch=is_scratch)

    def count(self, table: str) -> int:
        with sqlite3.connect(self.database) as connection:
            return int(connection.execute(f"select count(*) from {table}").fetchone()[0])

    def write_migration(self, name: str, text: str) -> facts.MigrationFile:
        path = self.path / "database/migrations" / f"{name}.php"
        path.write_text(text)
        found = facts.parse_app_facts(run(facts.app_facts_command(str(self.path))))
        return next(file for file in found.migration_files if file.name == name)


def run(command: Command, **more: str) -> str:
    """Run a command as a host would, and return its standard output."""
    stdin = command.stdin.reveal() if isinstance(command.stdin, Secret) else command.stdin
    environment = (
        {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": os.environ.get("HOME", "/")}
        | command.env
        | more
    )
    done = subprocess.run(
        list(command.argv),
        check=False,
        cwd=command.cwd,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout


def build(folder: Path) -> None:
    """Write the application, migrate it to the bad state, and fill it as it was before."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(with_framework(text) if name == "vendor/autoload.php" else text)
    for name in (
        "bootstrap/cache",
        "storage/logs",
        "storage/app",
        "storage/framework/views",
        "storage/framework/cache/data",
        "resources/views",
        "database/migrations",
        "routes",
    ):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "app/Noise.php").rename(folder / "app/Noise.off")
    (folder / "app/Noise.php").write_text(
        "<?php\nnamespace App;\nclass Noise extends \\Illuminate\\Support\\ServiceProvider {}\n"
    )
    (folder / "live.sqlite").touch()
    (folder / "archive.sqlite").touch()
    write_env(folder)
    for name, text in MIGRATIONS.items():
        (folder / "database/migrations" / f"{name}.php").write_text(text)
        subprocess.run(["php", "artisan", "migrate", "--force"], cwd=folder, check=True, capture_output=True)
        if name == BASE:
            with sqlite3.connect(folder / "live.sqlite") as connection:
                connection.executemany(
                    "insert into albums(title) values (?)", [(f"t{n}",) for n in range(20)]
                )
                connection.execute("insert into notes(album_id) select id from albums")


def write_env(folder: Path, *more: str) -> None:
    place = str(folder).replace("$", "\\$")
    lines = [
        "APP_ENV=production",
        "APP_KEY=base64:" + "MDEy" * 10 + "MDE=",
        "DB_CONNECTION=main",
        f'DB_DATABASE="{place}/live.sqlite"',
    ]
    lines += [f'ARCHIVE_DATABASE="{place}/archive.sqlite"', "QUEUE_CONNECTION=database", *more]
    (folder / ".env").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="session")
def app_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("laravel template")
    build(folder)
    return folder


@pytest.fixture
def app(app_template: Path, tmp_path: Path) -> App:
    # A blank, a quote and a dollar in the path: nothing on the way may trip over them.
    folder = tmp_path / "the $site's app"
    shutil.copytree(app_template, folder)
    write_env(folder.resolve())
    return App(
        path=folder, database=folder.resolve() / "live.sqlite", log=folder / "storage/logs/laravel.log"
    )


def facts_of(app: App, **more: str) -> facts.AppFacts:
    return facts.parse_app_facts(run(facts.app_facts_command(str(app.path)), **more))


def artisan_run(stdout: str) -> ArtisanRun:
    parsed = guarded.parse_guarded_artisan(stdout)
    assert isinstance(parsed, ArtisanRun), parsed
    return parsed


def refused(stdout: str) -> str:
    parsed = guarded.parse_guarded_artisan(stdout)
    assert isinstance(parsed, Refused), parsed
    return parsed.reason


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def make_noisy(app: App) -> None:
    (app.path / "app/Noise.off").replace(app.path / "app/Noise.php")


def rollback_of(app: App, name: str, target: Target, **more: bool) -> Command:
    path = f"{app.path}/database/migrations/{name}.php"
    return rollback.rollback_command(
        app_path=str(app.path), target=target, bad_name=name, migration_path=path, **more
    )


def scratch_copy(app: App) -> Path:
    scratch = app.path / "scratch file.sqlite"
    shutil.copy(app.database, scratch)
    return scratch.resolve()


def test_the_facts_are_those_of_the_application_itself(app: App) -> None:
    """Version, database with inode, migrations, tables and log files are what the application really uses."""
    found = facts_of(app)
    assert str(found.laravel) == "8.83.26" or VARIABLE in os.environ
    assert (found.database.driver, found.database.database) == ("sqlite", str(app.database))
    assert found.database.inode == app.database.stat().st_ino
    assert [row.migration for row in found.migration_rows or ()] == [BASE, GOOD, BAD]
    assert found.env_file.database == str(app.database)
    jobs = next(table for table in found.runtime_tables if table.role == "jobs")
    assert jobs == facts.RuntimeTable(
        role="jobs", table="jobs", in_use=True, in_default_database=True, exists=True
    )
    failed = next(table for table in found.runtime_tables if table.role == "failed_jobs")
    assert not failed.in_default_database
    assert [Path(file.path).name[:7] for file in found.log_files] == ["laravel", "day-202"]


def test_the_facts_change_no_file_and_write_no_log_record(app: App) -> None:
    """An application that logs and prints at start leaves no trace of being asked, and the answer is whole."""
    make_noisy(app)
    before = snapshot(app.path)
    assert facts_of(app).boot_problem is None
    assert snapshot(app.path) == before


def test_an_application_that_fails_at_start_still_tells_its_facts(app: App) -> None:
    """A provider that reads a lost table is named as the problem, and the migrations are read all the same."""
    make_noisy(app)
    found = facts_of(app, NOISE_READS="1")
    assert found.boot_problem is not None
    assert found.boot_problem.reason == "no such table: no_such_table"
    assert found.boot_problem.where is not None
    assert "app/Noise.php:7" in found.boot_problem.where
    assert len(found.migration_rows or ()) == 3
    assert not app.log.exists()


def test_a_missing_database_is_told_and_not_created(app: App) -> None:
    """Asking an application whose SQLite file is gone makes no new one."""
    app.database.unlink()
    found = facts_of(app)
    assert found.database.problem is not None
    assert found.migration_rows is None
    assert not app.database.exists()


def test_a_stale_cached_configuration_shows(app: App) -> None:
    """The database of the cached configuration is told beside that of `.env`."""
    subprocess.run(["php", "artisan", "config:cache"], cwd=app.path, check=True, capture_output=True)
    env = app.path / ".env"
    env.write_text(env.read_text().replace("live.sqlite", "other.sqlite"))
    found = facts_of(app)
    assert found.config_cached
    assert found.database.database == str(app.database)
    assert found.env_file.database == str(app.database.parent / "other.sqlite")
    assert caches.stale_config_reason(found) is not None


def test_a_rollback_in_scratch_leaves_production_as_it_was(app: App) -> None:
    """With a cached configuration that names production, the rehearsal still works on scratch alone (G5)."""
    subprocess.run(["php", "artisan", "config:cache"], cwd=app.path, check=True, capture_output=True)
    live = app.database.read_bytes()
    scratch = scratch_copy(app)
    done = artisan_run(run(rollback_of(app, BAD, app.target(is_scratch=True, database=scratch))))
    assert rollback.rollback_verdict(done, BAD).outcome is rollback.RollbackOutcome.ROLLED_BACK
    assert done.database == done.database_after == str(scratch)
    assert app.database.read_bytes() == live
    assert not app.log.exists()


def test_the_literal_rehearsal_by_environment_hits_production(app: App) -> None:
    """DB_DATABASE in the environment is ignored where the configuration is cached: production is rolled back (G5)."""
    subprocess.run(["php", "artisan", "config:cache"], cwd=app.path, check=True, capture_output=True)
    live = app.database.read_bytes()
    environment = os.environ | {"DB_DATABASE": str(scratch_copy(app))}
    subprocess.run(
        ["php", "artisan", "migrate:rollback", "--force"],
        cwd=app.path,
        env=environment,
        check=True,
        capture_output=True,
    )
    assert app.database.read_bytes() != live


def test_another_database_than_the_expected_one_is_refused(app: App) -> None:
    """Where the application is connected to another database, or another file at that path, nothing runs."""
    live = app.database.read_bytes()
    scratch = scratch_copy(app)
    assert "not to sqlite" in refused(run(rollback_of(app, BAD, app.target(database=scratch))))
    pinned = Target(driver="sqlite", database=str(app.database), inode=1, is_scratch=False)
    assert "replaced by another" in refused(run(rollback_of(app, BAD, pinned)))
    missing = app.target(is_scratch=True, database=app.path / "none.sqlite")
    with pytest.raises(guarded.FailedError, match="nothing was changed"):
        guarded.parse_guarded_artisan(run(rollback_of(app, BAD, missing)))
    assert not (app.path / "none.sqlite").exists()
    assert app.database.read_bytes() == live


def test_a_rollback_after_a_full_restore_is_refused_in_the_process(app: App) -> None:
    """When the bad migration is no longer the last row, not even the command itself rolls anything back (G1)."""
    with sqlite3.connect(app.database) as connection:
        connection.execute("delete from migrations where migration = ?", (BAD,))
    connection.close()
    reason = refused(run(rollback_of(app, BAD, app.target())))
    assert f"the last migration that ran is {GOOD}" in reason
    assert rollback.rollback_refusal(facts_of(app).migration_rows, BAD) is not None


def test_a_rollback_that_empties_another_table_shows(app: App) -> None:
    """Laravel 8 rebuilds a SQLite table to drop a column and the notes cascade away; the counts say so (R12)."""
    scratch = scratch_copy(app)
    with sqlite3.connect(scratch) as connection:
        connection.execute("delete from migrations where migration = ?", (BAD,))
        connection.execute("insert into notes(album_id) select id from albums")
    connection.close()
    done = artisan_run(run(rollback_of(app, GOOD, app.target(is_scratch=True, database=scratch))))
    assert done.exit_code == 0
    assert guarded.shrunk_tables(done)["notes"] == (20, 0)


def test_pretending_shows_the_sql_without_its_values(app: App) -> None:
    """`--pretend` changes nothing, and the literals in its SQL are masked."""
    file = app.write_migration(
        NEXT,
        migration(
            "AddColourToAlbums", "DB::statement(\"insert into albums(place) values ('secret ''place')\");", ""
        ),
    )
    command = migrate.migrate_command(
        app_path=str(app.path), target=app.target(), approved=[file], is_pretend=True
    )
    done = artisan_run(run(command))
    assert migrate.migration_verdict(done, [NEXT]).outcome is migrate.MigrationOutcome.NOTHING
    assert "insert into albums" in done.output
    assert "secret" not in done.output


def test_migrating_runs_exactly_the_approved_file(app: App) -> None:
    """The approved file runs; another pending one, or other content, is refused before anything runs (G4)."""
    file = app.write_migration(
        NEXT,
        migration(
            "AddColourToAlbums",
            "Schema::table('albums', function (Blueprint $t) { $t->string('colour')->nullable(); });",
            "",
        ),
    )
    command = migrate.migrate_command(app_path=str(app.path), target=app.target(), approved=[file])
    other = app.path / "database/migrations/2025_12_01_000000_other.php"
    other.write_text("<?php\n")
    assert "are not the approved ones" in refused(run(command))
    other.unlink()
    Path(file.path).write_text(Path(file.path).read_text() + "// changed\n")
    assert "is not the approved one" in refused(run(command))
    Path(file.path).write_text(Path(file.path).read_text().removesuffix("// changed\n"))
    assert (
        migrate.migration_verdict(artisan_run(run(command)), [NEXT]).outcome
        is migrate.MigrationOutcome.MIGRATED
    )
    assert migrate.migrate_refusal(facts_of(app).migration_rows, [], [NEXT]) is not None


def test_an_old_list_of_migrations_has_no_numbers(app: App) -> None:
    """Laravel below 5.4 made the table without an `id`, and nobody adds one: its rows are read all the same, in order."""
    before = facts_of(app).migration_rows
    with sqlite3.connect(app.database) as connection:
        connection.execute("create table old as select migration, batch from migrations")
        connection.execute("drop table migrations")
        connection.execute("alter table old rename to migrations")
    now = facts_of(app).migration_rows
    assert now is not None
    assert before is not None
    assert [(row.migration, row.batch) for row in now] == [(row.migration, row.batch) for row in before]
    assert [row.id for row in now] == list(range(1, len(now) + 1))


def test_an_empty_migrations_table_is_never_migrated(app: App) -> None:
    """With an empty migrations table `migrate` would build the schema anew, so it does not run (G3)."""
    file = app.write_migration(NEXT, migration("AddColourToAlbums", "", ""))
    with sqlite3.connect(app.database) as connection:
        connection.execute("delete from migrations")
    connection.close()
    command = migrate.migrate_command(app_path=str(app.path), target=app.target(), approved=[file])
    assert "missing or empty" in refused(run(command))


def test_a_failing_migration_tells_place_and_code_and_no_data(app: App) -> None:
    """The error of a migration is told by class, SQLSTATE, place and column; values of rows stay on the host."""
    up = "DB::table('albums')->insert(['id' => 1, 'place' => 'a secret place']);"
    file = app.write_migration(NEXT, migration("AddColourToAlbums", up, ""))
    stdout = run(migrate.migrate_command(app_path=str(app.path), target=app.target(), approved=[file]))
    done = artisan_run(stdout)
    assert done.problem is not None
    assert (done.problem.sqlstate, done.problem.reason) == ("23000", "UNIQUE constraint failed: albums.id")
    assert done.problem.where == f"{file.path}:6"
    assert "secret" not in stdout
    assert migrate.migration_verdict(done, [NEXT]).outcome is migrate.MigrationOutcome.OTHER
    assert not app.log.exists()


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (
            "dispatch(function () { touch('/dev/null/x'); }); Illuminate\\Support\\Facades\\Queue::connection('database')->push('x');",
            None,
        ),
        ("DB::connection('archive')->statement('create table t (x)');", "Unsupported driver"),
        ("app('filesystem')->disk('local')->put('x', 'y');", "is not supported"),
        ("app('cache')->store('file')->forever('x', 'y'); app('log')->error('in a rehearsal');", None),
    ],
)
def test_a_rehearsal_reaches_nothing_but_its_scratch_database(
    app: App, what: str, reason: str | None
) -> None:
    """Jobs are dropped, the cache is memory, and another database or a disk makes the rehearsal fail with a reason."""
    file = app.write_migration(NEXT, migration("AddColourToAlbums", what, ""))
    scratch = scratch_copy(app)
    before = {name: text for name, text in snapshot(app.path).items() if name != str(scratch)}
    target = app.target(is_scratch=True, database=scratch)
    done = artisan_run(run(migrate.migrate_command(app_path=str(app.path), target=target, approved=[file])))
    after = {name: text for name, text in snapshot(app.path).items() if name != str(scratch)}
    assert after == before
    assert done.tables_after["jobs"] == 0
    told = done.problem.reason if done.problem else None
    assert (told is None) == (reason is None)
    assert str(reason) in str(told)


def test_a_rehearsal_of_a_file_outside_the_application(app: App) -> None:
    """A corrected file of the same name, in a folder of its own, takes the place of the application's one."""
    scratch = scratch_copy(app)
    target = app.target(is_scratch=True, database=scratch)
    artisan_run(run(rollback_of(app, BAD, target)))
    corrected = app.path / "elsewhere" / f"{BAD}.php"
    corrected.parent.mkdir()
    corrected.write_text(
        migration("DropTitleFromAlbums", "DB::table('albums')->update(['place' => 'x']);", "")
    )
    digest = subprocess.run(
        ["sha256sum", str(corrected)], check=True, capture_output=True, text=True
    ).stdout.lstrip("\\")[:64]
    file = facts.MigrationFile(name=BAD, path=str(corrected), sha256=digest)
    done = artisan_run(run(migrate.migrate_command(app_path=str(app.path), target=target, approved=[file])))
    assert migrate.migration_verdict(done, [BAD]).outcome is migrate.MigrationOutcome.MIGRATED


def change(command: Command) -> maintenance.MaintenanceChange:
    return maintenance.parse_maintenance_change(run(command))


def test_down_and_up_are_judged_by_the_state(app: App) -> None:
    """`down` with our secret, `up`, and `up` again: the state is told each time, the secret never printed."""
    version = facts_of(app).laravel
    secret = Secret("s3cret-bypass")
    command = maintenance.down_command(app_path=str(app.path), version=version, secret=secret)
    assert "s3cret" not in repr(command)
    stdout = run(command)
    assert "s3cret" not in stdout
    downed = maintenance.parse_maintenance_change(stdout)
    assert maintenance.down_refusal(downed) is None
    assert (downed.after.retry_s, downed.after.status) == (300, 503)
    assert maintenance.parse_down_flag(Path(downed.after.flag_path).read_text()).has_secret
    assert change(maintenance.maintenance_state_command(app_path=str(app.path), secret=secret)).secret_is_ours
    for _ in range(2):
        assert maintenance.up_refusal(change(maintenance.up_command(app_path=str(app.path)))) is None
    assert (
        maintenance.down_refusal(change(maintenance.maintenance_state_command(app_path=str(app.path))))
        is not None
    )


def test_a_site_already_down_takes_our_secret_without_a_gap(app: App) -> None:
    """A second `down` ignores its options (M4); the secret is put into the flag, whose other fields stay."""
    subprocess.run(["php", "artisan", "down", "--retry=77"], cwd=app.path, check=True, capture_output=True)
    secret = Secret("s3cret-bypass")
    version = facts_of(app).laravel
    downed = change(maintenance.down_command(app_path=str(app.path), version=version, secret=secret))
    assert downed.before.is_down
    assert maintenance.down_refusal(downed) is None
    assert downed.after.retry_s == 77


def test_the_literal_down_with_a_message_leaves_the_site_up(app: App) -> None:
    """The runbook's `down --message` fails on Laravel 8, the site stays up, and the log gets a record (M1, M5)."""
    done = subprocess.run(
        ["php", "artisan", "down", "--message=x"], cwd=app.path, check=False, capture_output=True
    )
    assert done.returncode != 0
    assert facts_of(app).maintenance.is_down is False
    work = log_records.count_log([log_records.LogPlace(path=str(app.log))])
    look = work.read(log_count(work.request))
    assert look.counts.levels == {"ERROR": 1}
    assert look.counts.classes == {"Symfony\\Component\\Console\\Exception\\RuntimeException": 1}
    (place,) = look.places
    assert (place.offset, place.inode) == (app.log.stat().st_size, app.log.stat().st_ino)


def git_in(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_git_shows_what_comes_and_checks_out_the_approved_commit(tmp_path: Path) -> None:
    """Fetch, relation, commits with files, a file's text, a detached checkout, and a remote that was reset (G6)."""
    origin, clone = tmp_path / "origin", tmp_path / "a 'clone"
    origin.mkdir()
    git_in(origin, "init", "-q")
    folder = origin / "database/migrations"
    folder.mkdir(parents=True)
    (folder / "one.php").write_text("<?php // 1\n")
    git_in(origin, "add", ".")
    git_in(origin, "commit", "-qm", "first")
    git_in(tmp_path, "clone", "-q", str(origin), str(clone))
    (folder / "näme two.php").write_text("<?php // 2\n")
    (origin / "composer.lock").write_text("{}")
    git_in(origin, "add", ".")
    git_in(origin, "commit", "-qm", 'second: "quotes", $(x) | and more')
    path = str(clone)

    tree = git.parse_work_tree(run(git.work_tree_command(path)))
    assert (tree.branch, tree.changed, git.checkout_refusal(tree, tree.commit)) == ("main", (), None)
    run(git.fetch_command(path, "origin", "main"))
    offered = git.parse_commit(run(git.remote_commit_command(path, "origin", "main")))
    assert git.parse_relation(run(git.counts_command(path, tree.commit, offered))) is git.Relation.AHEAD
    (note,) = git.parse_commits(run(git.commits_command(path, tree.commit, offered)))
    assert (note.commit, note.author, note.subject) == (offered, "A", 'second: "quotes", $(x) | and more')
    assert note.files == ("composer.lock", "database/migrations/näme two.php")
    changes = git.parse_changed_files(run(git.changed_files_command(path, tree.commit, offered)))
    assert git.composer_changed(changes)
    assert [one.path for one in git.migration_changes(changes)] == ["database/migrations/näme two.php"]
    assert run(git.show_file_command(path, offered, "database/migrations/näme two.php")) == "<?php // 2\n"

    work = tmp_path / "work tree"
    run(git.add_worktree_command(path, str(work), offered))
    assert (work / "composer.lock").exists()
    run(git.remove_worktree_command(path, str(work)))
    assert not work.exists()

    run(git.checkout_command(path, offered))
    assert git.parse_commit(run(git.head_command(path))) == offered
    assert git.parse_work_tree(run(git.work_tree_command(path))).branch is None

    git_in(origin, "reset", "-q", "--hard", tree.commit)
    run(git.fetch_command(path, "origin", "main"))
    back = git.parse_commit(run(git.remote_commit_command(path, "origin", "main")))
    relation = git.parse_relation(run(git.counts_command(path, offered, back)))
    assert relation is git.Relation.BEHIND
    assert git.relation_refusal(relation) is not None

    (clone / "composer.lock").write_text("mine")
    (clone / "new file").write_text("")
    dirty = git.parse_work_tree(run(git.work_tree_command(path)))
    assert dirty.changed == (("M", "composer.lock"), ("??", "new file"))
    assert "composer.lock" in str(git.checkout_refusal(dirty, offered))
    run(git.checkout_command(path, back))
    assert git.parse_commit(run(git.head_command(path))) == offered


def test_the_scratch_environment_is_heard_by_a_program_the_migration_starts(app: App) -> None:
    """A separate artisan process in that environment reports the scratch database, cached configuration or not."""
    subprocess.run(["php", "artisan", "config:cache"], cwd=app.path, check=True, capture_output=True)
    scratch = scratch_copy(app)
    environment = guarded.scratch_environment("sqlite", str(scratch))
    found = facts_of(app, **environment)
    assert found.database.database == str(scratch)
    assert json.dumps(found.queue_driver) == '""'


def test_an_application_that_fails_at_start_can_be_taken_down(app: App) -> None:
    """Where a provider reads a lost table artisan itself fails; the site still goes down, with our secret, and up."""
    make_noisy(app)
    secret = Secret("s3cret-bypass")
    command = maintenance.down_command(app_path=str(app.path), version=facts_of(app).laravel, secret=secret)
    downed = maintenance.parse_maintenance_change(run(command, NOISE_READS="1"))
    assert maintenance.down_refusal(downed) is None
    lifted = maintenance.parse_maintenance_change(
        run(maintenance.up_command(app_path=str(app.path)), NOISE_READS="1")
    )
    assert maintenance.up_refusal(lifted) is None
    assert not app.log.exists()


def test_a_program_that_ends_early_is_told(app: App) -> None:
    """A migration that exits leaves no silence: the answer says that it ended, and the outcome counts as unknown."""
    file = app.write_migration(NEXT, migration("AddColourToAlbums", "exit(0);", ""))
    command = migrate.migrate_command(app_path=str(app.path), target=app.target(), approved=[file])
    with pytest.raises(guarded.UnknownOutcomeError):
        guarded.parse_guarded_artisan(run(command))


def test_a_cache_is_cleared_without_counting_tables(app: App) -> None:
    """Clearing a cache proves its target as every change does, and does not read every table of it."""
    for clear in (CacheClear.DATA, CacheClear.WORKERS):
        done = artisan_run(run(clear_command(app_path=str(app.path), target=app.target(), clear=clear)))
        assert (done.exit_code, done.tables_before, done.tables_after) == (0, {}, {})
        assert done.database == done.database_after == str(app.database.resolve())


def test_a_cache_that_is_made_anew_is_the_applications_own(app: App) -> None:
    """What is cached again holds what the application configures, nothing of what Backout sets for its own process."""
    for clear in (CacheClear.CONFIG, CacheClear.EVENTS):
        command = make_command(app_path=str(app.path), target=app.target(), clear=clear)
        assert artisan_run(run(command)).exit_code == 0
    found = facts_of(app)
    assert (found.config_cached, found.events_cached) == (True, True)
    assert found.database.database == str(app.database.resolve())
    assert "backout" not in (app.path / "bootstrap/cache/config.php").read_text(encoding="utf-8")


def test_no_command_line_holds_a_value(app: App) -> None:
    """The words of every command are the same for every site; values go by standard input."""
    command = rollback_of(app, BAD, app.target())
    assert list(command.argv)[-3:] == ["--", "backout", "migrate:rollback"]
    assert str(app.path) not in " ".join(command.argv)
