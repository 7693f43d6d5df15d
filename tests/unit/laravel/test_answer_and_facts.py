"""Answers of the PHP scripts: recorded, damaged, hostile; versions; commands."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.laravel import answer, caches, facts, guarded, maintenance, migrate, problem, rollback
from bot.laravel.facts import MigrationFile, MigrationRow
from bot.laravel.versions import Feature, LaravelVersion, parse_version, supports
from bot.model.errors import FailedError, UnknownOutcomeError
from bot.model.secret import Secret

HOSTILE = ("it's", 'a "b"', "$(touch x) `y`", "two\nlines", "-rf", "ünï")

# Recorded: a small application on Laravel 8.83.26 with PHP 8.2.36.
RECORDED: dict[str, Any] = {
    "laravel_version": "8.83.26",
    "php_version": "8.2.36",
    "base_path": "/srv/album",
    "storage_path": "/srv/album/storage",
    "environment": "production",
    "debug": False,
    "url": "http://album.example",
    "timezone": "Europe/Berlin",
    "database": {
        "connection": "main",
        "driver": "sqlite",
        "database": "/srv/album/live.sqlite",
        "inode": 2146632,
        "device": 65024,
        "host": None,
        "port": None,
        "has_username": False,
        "prefix": "",
        "url_used": False,
        "read_write_split": False,
        "problem": None,
    },
    "env_file": {
        "path": "/srv/album/.env",
        "readable": True,
        "connection": "main",
        "database": "/srv/album/live.sqlite",
        "real_path": "/srv/album/live.sqlite",
        "url_database": None,
    },
    "config_cached": False,
    "routes_cached": False,
    "events_cached": False,
    "maintenance": {
        "is_down": False,
        "driver": "file",
        "store": None,
        "flag_path": "/srv/album/storage/framework/down",
        "has_flag_file": False,
        "retry_s": None,
        "status": None,
        "has_secret": False,
        "except": [],
        "problem": None,
    },
    "cache_store": "file",
    "cache_driver": "file",
    "session_driver": "",
    "queue_driver": "database",
    "runtime_tables": [
        {"role": "jobs", "table": "jobs", "in_use": True, "in_default_database": True, "exists": True},
        {"role": "cache", "table": "cache", "in_use": False, "in_default_database": True, "exists": False},
    ],
    "log_files": [
        {
            "channel": "single",
            "driver": "single",
            "configured_path": "/srv/album/storage/logs/laravel.log",
            "path": "/srv/album/storage/logs/laravel.log",
        }
    ],
    "migrations_table": "migrations",
    "migration_files": [
        {
            "name": "2025_01_01_000000_a",
            "path": "/srv/album/database/migrations/2025_01_01_000000_a.php",
            "sha256": "0" * 64,
        },
        {
            "name": "2025_01_02_000000_b",
            "path": "/srv/album/database/migrations/2025_01_02_000000_b.php",
            "sha256": "1" * 64,
        },
    ],
    "migration_rows": [[1, "2025_01_01_000000_a", 1], [2, "2025_01_03_000000_gone", 2]],
    "rollback_prohibited": None,
    "has_tinker": False,
    "boot_problem": None,
}


def printed(fields: object) -> str:
    return f"noise of the application\nhalf a line\nBACKOUT1:{json.dumps(fields)}\n"


def recorded_facts(**changes: Any) -> facts.AppFacts:
    fields = copy.deepcopy(RECORDED)
    for key, value in changes.items():
        fields[key] = {**fields[key], **value} if isinstance(value, dict) else value
    return facts.parse_app_facts(printed({"facts": fields}))


def test_recorded_facts_are_read_whole() -> None:
    """Each part of a recorded answer arrives in its field."""
    found = recorded_facts()
    assert found.laravel == LaravelVersion(major=8, minor=83, patch=26)
    assert found.migration_rows == (
        MigrationRow(id=1, migration="2025_01_01_000000_a", batch=1),
        MigrationRow(id=2, migration="2025_01_03_000000_gone", batch=2),
    )
    assert facts.pending_migrations(found) == ("2025_01_02_000000_b",)
    assert facts.rows_without_file(found) == ("2025_01_03_000000_gone",)


@pytest.mark.parametrize("key", [*RECORDED])
def test_facts_with_a_damaged_field_are_refused(key: str) -> None:
    """An answer in which any one field is missing or of another type is not used."""
    for value in ({}, {key: 7.5}, {key: [1]}):
        fields = {name: part for name, part in RECORDED.items() if name != key} | value
        with pytest.raises(FailedError):
            facts.parse_app_facts(printed({"facts": fields}))


@given(st.integers(min_value=0, max_value=len(printed({"facts": RECORDED})) - 3))
def test_an_answer_cut_anywhere_is_refused(length: int) -> None:
    """However an answer is cut short, it is never read as a whole one."""
    with pytest.raises(FailedError):
        facts.parse_app_facts(printed({"facts": RECORDED})[:length])


def test_two_answers_are_none() -> None:
    """Where the application forged an answer line of its own, neither is believed."""
    with pytest.raises(FailedError, match="2 answer lines"):
        facts.parse_app_facts(printed({"facts": RECORDED}) * 2)


def test_an_application_that_does_not_start_is_told_in_words() -> None:
    """The error names class, code and place."""
    failed = {
        "class": "Illuminate\\Database\\QueryException",
        "cause": "PDOException",
        "sqlstate": "42S02",
        "driver_code": "1146",
        "where": "/srv/a.php:7",
        "reason": None,
    }
    with pytest.raises(
        FailedError, match=r"QueryException \(SQLSTATE 42S02\) at /srv/a\.php:7; nothing was changed"
    ):
        facts.parse_app_facts(printed({"failed": failed}))


def test_counts_and_numbers_take_no_truth_value() -> None:
    """JSON's true is not the number 1."""
    with pytest.raises(FailedError):
        answer.Answer({"n": True}, "a test").whole("n")
    with pytest.raises(FailedError):
        answer.Answer([], "a test")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8.83.26", "8.83.26"),
        ("Laravel Framework 12.67.0", "12.67.0"),
        ("v9.52", "9.52.0"),
        ("13.x-dev", "13.0.0"),
    ],
)
def test_versions_are_read(text: str, expected: str) -> None:
    """Every way in which a version is written is understood."""
    assert str(parse_version(text)) == expected


@pytest.mark.parametrize("text", ["", "Lumen (8.3.4)", "eight", "8", "8.1.2.3.4"])
def test_what_is_no_version_is_refused(text: str) -> None:
    """A text that names no version is not guessed at."""
    with pytest.raises(FailedError):
        parse_version(text)


def test_every_feature_has_a_first_version() -> None:
    """The table has no gap, and an option is there from its first version on."""
    assert all(not supports(parse_version("7.30.0"), feature) for feature in Feature)
    assert all(supports(parse_version("13.0.0"), feature) for feature in Feature)
    assert supports(parse_version("10.0.0"), Feature.ROLLBACK_BATCH)
    assert not supports(parse_version("9.52.16"), Feature.ROLLBACK_BATCH)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_values_stay_values(hostile: str) -> None:
    """Whatever stands in a path or name goes by standard input as JSON, never into the program text."""
    target = guarded.Target(driver="sqlite", database=f"/srv/{hostile}", is_scratch=True)
    plain = rollback.rollback_command(
        app_path="/srv", target=target, bad_name="x", migration_path="/srv/x.php"
    )
    command = rollback.rollback_command(
        app_path=f"/srv/{hostile}",
        target=target,
        bad_name=hostile,
        migration_path=f"/srv/{hostile}/{hostile}.php",
    )
    assert list(command.argv) == list(plain.argv)
    assert isinstance(command.stdin, str)
    request: Any = answer.request_of(command.stdin)
    assert request["parameters"] == {
        "--step": 1,
        "--path": [f"/srv/{hostile}/{hostile}.php"],
        "--realpath": True,
        "--force": True,
    }
    assert request["expect_last"] == hostile
    assert command.env["DB_DATABASE"] == f"/srv/{hostile}"


def test_no_environment_is_set_on_production() -> None:
    """On the live database the application keeps its own settings."""
    target = guarded.Target(driver="sqlite", database="/srv/live.sqlite", is_scratch=False)
    file = MigrationFile(name="x", path="/srv/x.php", sha256="0" * 64)
    assert migrate.migrate_command(app_path="/srv", target=target, approved=[file]).env == {}


def test_a_path_of_another_migration_is_not_rolled_back() -> None:
    """The file named by --path must be the bad migration's own, by its absolute path."""
    target = guarded.Target(driver="sqlite", database="/srv/live.sqlite", is_scratch=False)
    for path in ("/srv/other.php", "x.php"):
        with pytest.raises(ValueError, match="not the absolute path"):
            rollback.rollback_command(app_path="/srv", target=target, bad_name="x", migration_path=path)


def test_a_relative_scratch_file_is_refused() -> None:
    """A relative path would depend on the folder in which the application runs."""
    with pytest.raises(ValueError, match="absolute"):
        guarded.scratch_environment("sqlite", "scratch.sqlite")


RUN = {
    "target": {"database": "/s"},
    "target_after": {"database": "/s"},
    "exit_code": 0,
    "output": "",
    "problem": None,
    "rows_before": [[1, "a", 1], [2, "b", 2]],
    "rows_after": [[1, "a", 1]],
    "tables_before": {"albums": 20, "notes": 20, "old": 1},
    "tables_after": {"albums": 20, "notes": 0, "new": 4},
    "duration_s": 1,
}


def test_tables_that_shrank_are_named() -> None:
    """A table with fewer rows, or none at all, is told with both counts; a grown or new one is not."""
    run = guarded.parse_guarded_artisan(printed({"run": RUN}))
    assert isinstance(run, guarded.ArtisanRun)
    assert guarded.shrunk_tables(run) == {"notes": (20, 0), "old": (1, 0)}
    assert rollback.rollback_verdict(run, "b").outcome is rollback.RollbackOutcome.ROLLED_BACK
    failed = replace(
        run,
        problem=problem.Problem(
            error_class="E", cause_class=None, sqlstate=None, driver_code=None, where=None, reason=None
        ),
    )
    assert rollback.rollback_verdict(failed, "b").outcome is rollback.RollbackOutcome.OTHER
    assert migrate.migration_verdict(failed, ["c"]).outcome is migrate.MigrationOutcome.OTHER


def test_a_lost_answer_of_a_change_is_unknown() -> None:
    """Where a changing command's answer is missing, it counts as perhaps done, not as failed."""
    for stdout in ("", "BACKOUT1:{", printed({"unknown": {"class": "E"}})):
        with pytest.raises(UnknownOutcomeError):
            guarded.parse_guarded_artisan(stdout)
    with pytest.raises(UnknownOutcomeError):
        maintenance.parse_maintenance_change("killed")
    with pytest.raises(UnknownOutcomeError):
        maintenance.parse_maintenance_change(printed({"unknown": {"class": "exit"}}))
    with pytest.raises(FailedError, match="nothing was changed"):
        guarded.parse_guarded_artisan(printed({"failed": {"class": "E"}}))


def rows(*names: str) -> tuple[MigrationRow, ...]:
    return tuple(
        MigrationRow(id=number, migration=name, batch=number) for number, name in enumerate(names, 1)
    )


def test_only_the_last_migration_may_be_rolled_back() -> None:
    """G1: every state but 'the named one is the last row' is refused with its reason."""
    assert rollback.rollback_refusal(rows("a", "bad"), "bad") is None
    assert "take a instead" in str(rollback.rollback_refusal(rows("a"), "bad"))
    assert "take b instead" in str(rollback.rollback_refusal(rows("bad", "b"), "bad"))
    assert "missing" in str(rollback.rollback_refusal(None, "bad"))
    assert "empty" in str(rollback.rollback_refusal((), "bad"))
    assert "more than once" in str(rollback.rollback_refusal(rows("bad", "bad"), "bad"))
    assert "forbids" in str(rollback.rollback_refusal(rows("bad"), "bad", prohibited=True))
    by_name = (MigrationRow(id=1, migration="z", batch=2), MigrationRow(id=2, migration="bad", batch=2))
    assert "take z instead" in str(rollback.rollback_refusal(by_name, "bad"))


def test_a_rollback_is_judged_by_rows() -> None:
    """Nothing, exactly the named one, and anything else are told apart whatever the exit status was."""
    outcome = rollback.RollbackOutcome
    assert rollback.rollback_outcome(rows("a", "bad"), rows("a"), "bad").outcome is outcome.ROLLED_BACK
    assert rollback.rollback_outcome(rows("a", "bad"), rows("a", "bad"), "bad").outcome is outcome.NOTHING
    assert rollback.rollback_outcome(rows("a", "bad"), (), "bad").outcome is outcome.OTHER
    assert rollback.rollback_outcome(rows("a"), None, "bad").outcome is outcome.OTHER


def test_migrations_are_refused_and_judged_by_rows() -> None:
    """G3, G4: no table, no rows, another pending list, or one that ran already: each is refused."""
    assert migrate.migrate_refusal(rows("a"), ["b"], ["b"]) is None
    for ran, pending, approved in [
        (None, ["b"], ["b"]),
        ((), ["b"], ["b"]),
        (rows("a"), ["b", "c"], ["b"]),
        (rows("a"), ["b"], []),
        (rows("a", "b"), [], ["b"]),
        (rows("a"), ["c", "b"], ["b", "c"]),
    ]:
        assert migrate.migrate_refusal(ran, pending, approved) is not None
    outcome = migrate.MigrationOutcome
    assert migrate.migration_outcome(rows("a"), rows("a", "b"), ["b"]).outcome is outcome.MIGRATED
    assert migrate.migration_outcome(rows("a"), rows("a"), ["b"]).outcome is outcome.NOTHING
    assert migrate.migration_outcome(rows("a"), rows("a", "b", "c"), ["b"]).outcome is outcome.OTHER
    assert migrate.migration_outcome(rows("a"), (), ["b"]).outcome is outcome.OTHER


def test_down_uses_the_options_of_the_version() -> None:
    """M1: `--message` only below 8.0; from 8.0 on the secret goes by standard input and is masked everywhere."""

    def request(version: str) -> dict[str, Any]:
        command = maintenance.down_command(
            app_path="/srv", version=parse_version(version), secret=Secret("s3cret")
        )
        assert "s3cret" not in f"{command!r}{command}{list(command.argv)}"
        text = command.stdin.reveal() if isinstance(command.stdin, Secret) else str(command.stdin)
        return answer.request_of(text)

    assert request("8.0.0") == {
        "action": "down",
        "parameters": {"--retry": 300, "--status": 503},
        "secret": "s3cret",
    }
    old = request("7.30.6")
    assert old["parameters"] == {"--retry": 300, "--message": "Emergency maintenance"}
    assert old["secret"] is None


# Recorded: storage/framework/down of Laravel 8.83.26 and of 12.67.
FLAG_8 = '{"except":[],"redirect":null,"retry":300,"refresh":null,"secret":null,"status":503,"template":null}'
FLAG_12 = '{"except":["\\/up"],"redirect":null,"retry":300,"refresh":null,"secret":"x","status":503,"template":null}'


def test_the_flag_file_is_read() -> None:
    """Retry, status and exceptions are told, the secret only as being there; a damaged flag is refused."""
    assert maintenance.parse_down_flag(FLAG_8) == maintenance.DownFlag(
        retry_s=300, status=503, has_secret=False, except_paths=(), redirect=None, has_template=False
    )
    found = maintenance.parse_down_flag(FLAG_12)
    assert found.has_secret
    assert maintenance.excepted_words(found.except_paths) is None
    assert "hooks" in str(maintenance.excepted_words(["/up", "hooks/*"]))
    for length in range(len(FLAG_8)):
        with pytest.raises(FailedError):
            maintenance.parse_down_flag(FLAG_8[:length])


def test_a_flag_in_the_database_is_a_hazard() -> None:
    """M3: with the cache driver and a store in the database being restored, its table is named."""
    assert maintenance.flag_hazard(recorded_facts()) is None
    table = {"role": "cache", "table": "kept", "in_use": True, "in_default_database": True, "exists": True}
    down = recorded_facts(
        maintenance={"driver": "cache", "store": "database", "is_down": True},
        runtime_tables=[table],
        cache_store="database",
        cache_driver="database",
    )
    assert "kept" in str(maintenance.flag_hazard(down))
    assert [one.table for one in maintenance.flag_tables(down)] == ["kept"]
    assert not needed(down, caches.CacheClear.DATA)
    redis = recorded_facts(maintenance={"driver": "cache", "store": "redis"})
    assert "redis" in str(maintenance.flag_hazard(redis))


def needed(found: facts.AppFacts, clear: caches.CacheClear, *changed: str, replaced: bool = True) -> bool:
    decisions = caches.cache_decisions(found, changed, database_replaced=replaced)
    return next(one.needed for one in decisions if one.clear is clear)


def test_only_what_changed_is_cleared() -> None:
    """V2: each cache is cleared for a reason, and not without one."""
    clear = caches.CacheClear
    cached = recorded_facts(config_cached=True, routes_cached=True, events_cached=True)
    assert not needed(cached, clear.CONFIG, "app/Models/A.php")
    assert needed(cached, clear.CONFIG, "config/app.php")
    assert needed(cached, clear.ROUTES, "routes/web.php")
    assert not needed(recorded_facts(), clear.ROUTES, "routes/web.php")
    assert needed(cached, clear.EVENTS, "app/Listeners/A.php")
    assert needed(cached, clear.VIEWS, "resources/views/a.blade.php")
    assert needed(cached, clear.WORKERS, "app/Jobs/A.php", replaced=False)
    assert needed(cached, clear.DATA)
    assert not needed(cached, clear.DATA, replaced=False)


def test_a_config_clear_that_switches_the_database_is_refused() -> None:
    """V2, G5: where `.env` names another database than the cached configuration, it is not cleared."""
    stale = recorded_facts(config_cached=True, env_file={"database": "/srv/other.sqlite", "real_path": None})
    assert not needed(stale, caches.CacheClear.CONFIG, "config/app.php")
    assert "/srv/other.sqlite" in str(caches.stale_config_reason(stale))
    assert (
        caches.stale_config_reason(
            recorded_facts(env_file={"database": "/srv/other.sqlite", "real_path": None})
        )
        is None
    )
    relative = recorded_facts(config_cached=True, env_file={"database": "live.sqlite"})
    assert caches.stale_config_reason(relative) is None
    elsewhere = recorded_facts(
        config_cached=True, env_file={"database": "b/live.sqlite", "real_path": "/srv/album/b/live.sqlite"}
    )
    assert caches.stale_config_reason(elsewhere) is not None
    connection = recorded_facts(config_cached=True, env_file={"connection": "mysql", "database": None})
    assert ".env says mysql" in str(caches.stale_config_reason(connection))


def test_a_cache_in_the_database_is_cleared_only_when_it_can_be() -> None:
    """V7: without its table `cache:clear` fails; while the site is down its locks are kept."""
    table = {"role": "cache", "table": "cache", "in_use": True, "in_default_database": True, "exists": False}
    found = recorded_facts(cache_driver="database", cache_store="database", runtime_tables=[table])
    assert not needed(found, caches.CacheClear.DATA)
    found = recorded_facts(
        cache_driver="database", cache_store="database", runtime_tables=[table | {"exists": True}]
    )
    assert needed(found, caches.CacheClear.DATA)
    down = recorded_facts(
        cache_driver="database",
        cache_store="database",
        runtime_tables=[table | {"exists": True}],
        maintenance={"is_down": True},
    )
    assert not needed(down, caches.CacheClear.DATA)
