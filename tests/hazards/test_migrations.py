"""Migrations (G1–G10): the literal commands on Debian's Laravel 8.83 and git, and Backout's commands beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.laravel import git, guarded, migrate, rollback
from bot.laravel.facts import MigrationFile
from bot.laravel.guarded import ArtisanRun, Refused
from bot.laravel.migrate import MigrationOutcome
from bot.laravel.rollback import RollbackOutcome
from bot.model.errors import UnknownOutcomeError
from bot.ports.host import Command
from tests.hazards.typed import (
    add_migration,
    app_facts,
    back_to_before,
    backouts,
    change,
    live_target,
    number,
    typed,
)
from tests.hazards.typed import (
    guarded as guarded_run,
)
from tests.hazards.watched import Watched
from tests.site.production import Production

NEXT = "2025_12_01_090000_add_colour_to_tags"
COLOUR = "Schema::table('tags', function (Blueprint $t) { $t->string('colour')->nullable(); });"
LOCATION = "select count(*) from pragma_table_info('photos') where name = 'location'"
COLOURED = "select count(*) from pragma_table_info('tags') where name = 'colour'"


def rollback_of(site: Production, name: str) -> Command:
    """Return Backout's rollback of one named migration on the live database."""
    path = f"{site.app_path}/database/migrations/{name}.php"
    return rollback.rollback_command(
        app_path=str(site.app_path), target=live_target(site), bad_name=name, migration_path=path
    )


def migrate_of(site: Production, *files: MigrationFile) -> Command:
    """Return Backout's run of the approved files on the live database."""
    return migrate.migrate_command(
        app_path=str(site.app_path), target=live_target(site), approved=list(files)
    )


def corrected(site: Production) -> None:
    """Check out the corrected code, as after step 7a."""
    typed(site, f"git fetch -q origin && git checkout -q {site.corrected_commits[1]}")


def test_g1_a_rollback_after_a_full_restore_takes_the_last_good_one(
    stopped: Production, watched: Watched
) -> None:
    """The literal `--step=1` drops the column `location` with exit status 0; Backout refuses, in the process and in step 6."""
    back_to_before(stopped)
    refused = guarded_run(stopped, rollback_of(stopped, stopped.bad_migration))
    assert isinstance(refused, Refused)
    assert number(stopped.database_path, LOCATION) == 1
    done = typed(stopped, "php artisan migrate:rollback --step=1", answer="yes\n")
    assert done.returncode == 0
    assert number(stopped.database_path, LOCATION) == 0
    assert [entry["data"]["guard"] for entry in watched.of("refused")] == ["G1"]
    assert not any("rollback" in line for line in host_lines(watched, on_live=True))


def host_lines(watched: Watched, *, on_live: bool) -> list[str]:
    """Return the artisan migration commands of an incident, on the live database or on scratch."""
    lines = [entry["text"] for entry in watched.of("host.command") if "artisan migrate" in entry["text"]]
    return [line for line in lines if (f"on {watched.site.database_path}" in line) == on_live]


def test_g2_success_without_a_rollback_and_failure_without_a_question(stopped: Production) -> None:
    """No `--force`: cancelled, 1. No file: "not found", 0, nothing done. `--batch`: unknown before 10.0. None counts as done."""
    before = app_facts(stopped).migration_rows
    assert typed(stopped, "php artisan migrate:rollback --step=1").returncode == 1
    assert typed(stopped, "php artisan migrate:rollback --batch=2 --force").returncode == 1
    (stopped.app_path / f"database/migrations/{stopped.bad_migration}.php").rename(
        stopped.folder / "gone.php"
    )
    missing = typed(stopped, "php artisan migrate:rollback --step=1 --force")
    assert (missing.returncode, missing.stdout.split(":")[0]) == (0, "Migration not found")
    ours = guarded_run(stopped, rollback_of(stopped, stopped.bad_migration))
    assert isinstance(ours, ArtisanRun)
    assert rollback.rollback_verdict(ours, stopped.bad_migration).outcome is not RollbackOutcome.ROLLED_BACK
    assert app_facts(stopped).migration_rows == before


def test_g2_a_text_for_step_takes_the_whole_last_batch(stopped: Production) -> None:
    """`--step=one` rolls back every migration of the last batch with exit status 0; Backout's number is its own."""
    for name in ("2025_12_01_090000_first_extra", "2025_12_01_090001_second_extra"):
        add_migration(stopped, name, "")
    typed(stopped, "php artisan migrate --force")
    assert typed(stopped, "php artisan migrate:rollback --step=one --force").returncode == 0
    ran = {row.migration for row in app_facts(stopped).migration_rows or ()}
    assert not {"2025_12_01_090000_first_extra", "2025_12_01_090001_second_extra"} & ran


def test_g3_migrate_with_an_empty_migrations_table_builds_the_schema_anew(stopped: Production) -> None:
    """With a schema file of tables to drop and make, as mysqldump writes it, `migrate --force` empties them; Backout refuses."""
    # `schema:dump` of Laravel 8 on SQLite writes no DROP: there the same command fails half-way instead (tried).
    schema = stopped.app_path / "database/schema/sqlite-schema.sql"
    schema.write_text(
        "DROP TABLE IF EXISTS comments;\nCREATE TABLE comments (id integer primary key, photo_id integer, body text);\n",
        encoding="utf-8",
    )
    change(stopped.database_path, "delete from migrations")
    assert number(stopped.database_path, "select count(*) from comments") == 9
    ours = guarded_run(stopped, migrate_of(stopped, add_migration(stopped, NEXT, COLOUR)))
    assert isinstance(ours, Refused)
    assert number(stopped.database_path, "select count(*) from comments") == 9
    typed(stopped, "php artisan migrate --force")
    assert number(stopped.database_path, "select count(*) from comments") == 0


def test_g4_migrate_runs_all_that_is_pending(stopped: Production) -> None:
    """The literal `migrate --force` takes along what nobody looked at; Backout runs nothing then."""
    approved = add_migration(stopped, NEXT, COLOUR)
    add_migration(stopped, "2025_12_02_090000_empty_the_tags", "DB::table('tags')->delete();")
    ours = guarded_run(stopped, migrate_of(stopped, approved))
    assert isinstance(ours, Refused)
    assert number(stopped.database_path, COLOURED) == 0
    assert typed(stopped, "php artisan migrate --force").returncode == 0
    assert number(stopped.database_path, "select count(*) from tags") == 0


def test_g4_a_failed_migration_leaves_half_of_it_and_shows_as_pending(stopped: Production) -> None:
    """On SQLite a migration is in no transaction; Backout's run of it counts as "look first", never as nothing done."""
    file = add_migration(stopped, NEXT, COLOUR + " DB::table('no_such_table')->count();")
    ours = guarded_run(stopped, migrate_of(stopped, file))
    assert isinstance(ours, ArtisanRun)
    assert migrate.migration_verdict(ours, [NEXT]).outcome is MigrationOutcome.OTHER
    assert number(stopped.database_path, COLOURED) == 1
    assert "| No   | 2025_12_01" in typed(stopped, "php artisan migrate:status").stdout
    assert "duplicate column" in typed(stopped, "php artisan migrate --force").stdout


def test_g5_pretending_runs_php_for_real(stopped: Production, watched: Watched) -> None:
    """`migrate --pretend --force` prints SQL and touches a file; Backout rehearsed on a copy of the database instead."""
    add_migration(stopped, NEXT, "file_put_contents('pretended', 'x');")
    assert typed(stopped, "php artisan migrate --pretend --force").returncode == 0
    assert (stopped.app_path / "pretended").exists()
    assert not any("--pretend" in line for line in watched.shown_by_ps)
    assert len(host_lines(watched, on_live=False)) == 3
    assert len(host_lines(watched, on_live=True)) == 1


def test_g5_a_cached_configuration_takes_the_rehearsal_to_production(
    stopped: Production, tmp_path: Path
) -> None:
    """With `config:cache` the literal `DB_DATABASE=scratch` migrates production; Backout's rehearsal migrates scratch."""
    scratch = tmp_path / "scratch.sqlite"
    scratch.write_bytes(stopped.database_path.read_bytes())
    file = add_migration(stopped, NEXT, COLOUR)
    typed(stopped, "php artisan config:cache")
    target = guarded.Target(driver="sqlite", database=str(scratch), is_scratch=True)
    command = migrate.migrate_command(app_path=str(stopped.app_path), target=target, approved=[file])
    assert isinstance(guarded_run(stopped, command), ArtisanRun)
    assert (number(scratch, COLOURED), number(stopped.database_path, COLOURED)) == (1, 0)
    assert typed(stopped, f"DB_DATABASE={scratch} php artisan migrate --force").returncode == 0
    assert number(stopped.database_path, COLOURED) == 1


@pytest.mark.parametrize(
    ("before", "status", "says"),
    [
        ("git -C {remote} update-ref refs/heads/main {good}", 0, "Already up to date"),
        ("echo '//' >> artisan && git checkout -q HEAD~0 && echo '//' >> routes/web.php", 0, ""),
        (
            "git checkout -q -B main && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m mine",
            128,
            "",
        ),
        ("F=database/migrations/{bad}.php; echo '// by hand' >> $F", 1, "would be overwritten"),
    ],
    ids=["reset", "dirty elsewhere", "diverged", "dirty"],
)
def test_g6_git_pull_says_little_of_what_it_did(
    stopped: Production, before: str, status: int, says: str
) -> None:
    """A reset remote is "up to date"; a dirty tree and a detached HEAD move along; Backout tells each and refuses."""
    remote, path = stopped.git_remote, str(stopped.app_path)
    typed(stopped, before.format(remote=remote, good=stopped.good_commit, bad=stopped.bad_migration))
    deployed = typed(stopped, "git rev-parse HEAD").stdout.strip()
    done = typed(stopped, "git pull origin main")
    backouts(stopped, git.fetch_command(path, "origin", "main"))
    offered = git.parse_commit(backouts(stopped, git.remote_commit_command(path, "origin", "main")))
    relation = git.parse_relation(backouts(stopped, git.counts_command(path, deployed, offered)))
    tree = git.parse_work_tree(backouts(stopped, git.work_tree_command(path)))
    assert done.returncode == status
    assert says in done.stdout + done.stderr
    assert git.relation_refusal(relation) or git.checkout_refusal(tree, deployed)


def test_g7_a_row_without_its_file_is_not_in_the_status(stopped: Production) -> None:
    """`migrate:status` walks files and has no `--json`; Backout reads the rows themselves."""
    change(
        stopped.database_path,
        "insert into migrations (migration, batch) values ('2025_10_01_000000_gone', 2)",
    )
    status = typed(stopped, "php artisan migrate:status")
    assert status.returncode == 0
    assert "2025_10_01_000000_gone" not in status.stdout
    assert typed(stopped, "php artisan migrate:status --json").returncode == 1
    assert "2025_10_01_000000_gone" in {row.migration for row in app_facts(stopped).migration_rows or ()}


def test_g8_a_path_limits_a_rollback_to_one_file(stopped: Production) -> None:
    """With `--path` of the bad file: nothing (0) where it is not the last, just it where it is; Backout says which."""
    line = f"php artisan migrate:rollback --step=1 --force --path=database/migrations/{stopped.bad_migration}.php"
    broken = stopped.database_path.read_bytes()
    back_to_before(stopped)
    done = typed(stopped, line)
    assert (done.returncode, number(stopped.database_path, "select count(*) from migrations")) == (0, 6)
    assert "Migration not found" in done.stdout
    stopped.database_path.write_bytes(broken)
    ours = guarded_run(stopped, rollback_of(stopped, stopped.bad_migration))
    assert isinstance(ours, ArtisanRun)
    assert rollback.rollback_verdict(ours, stopped.bad_migration).outcome is RollbackOutcome.ROLLED_BACK
    stopped.database_path.write_bytes(broken)
    assert typed(stopped, line).returncode == 0
    assert number(stopped.database_path, "select count(*) from migrations") == 6


def test_g9_a_corrected_migration_of_the_same_name_does_not_run(stopped: Production) -> None:
    """On the broken database `migrate --force` of the corrected code says "Nothing to migrate", 0; Backout refuses."""
    corrected(stopped)
    done = typed(stopped, "php artisan migrate --force")
    assert (done.returncode, done.stdout.strip()) == (0, "Nothing to migrate.")
    found = app_facts(stopped)
    reason = migrate.migrate_refusal(found.migration_rows, [], [stopped.bad_migration])
    assert "stands in the migrations table as run" in str(reason)


def test_g9_a_migration_killed_half_way_leaves_a_part(stopped: Production) -> None:
    """`kill -9` in the middle keeps the rows so far and no record of it; Backout's outcome is unknown, to be looked up."""
    up = "foreach (range(1, 50) as $n) { DB::table('tags')->insert(['name' => \"n$n\"]); if ($n == 20) { posix_kill(getmypid(), 9); } }"
    file = add_migration(stopped, NEXT, up)
    tags = number(stopped.database_path, "select count(*) from tags")
    with pytest.raises(UnknownOutcomeError):
        guarded_run(stopped, migrate_of(stopped, file))
    assert number(stopped.database_path, "select count(*) from tags") == tags + 20
    assert NEXT not in {row.migration for row in app_facts(stopped).migration_rows or ()}


def test_g10_there_is_no_tinker_and_backout_asks_without_it(stopped: Production) -> None:
    """Debian's Laravel 8 has no tinker; the facts come from a program that boots the application and prints one marked line."""
    assert typed(stopped, "php artisan tinker --execute='echo 1;'").returncode == 1
    assert str(app_facts(stopped).laravel).startswith("8.83")


def test_g10_a_status_of_0_is_no_answer(stopped: Production) -> None:
    """Where the application ends the program with exit(0) at its start, Backout has no facts and says so."""
    config = stopped.app_path / "config/app.php"
    config.write_text(
        config.read_text(encoding="utf-8").replace("<?php", "<?php exit(0);", 1), encoding="utf-8"
    )
    assert typed(stopped, "php artisan migrate:status").returncode == 0
    with pytest.raises(Exception, match=r"ended before it could answer|did not start|does not start"):
        app_facts(stopped)
