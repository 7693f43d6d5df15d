"""Verify, reopen, watch (V1–V7): checks that are green in the broken state, caches, logs; and what Backout goes by."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from adapters.host_reader.log_count import log_count
from adapters.host_reader.sqlite_verbs import sqlite_orphans
from bot.laravel import caches, log_records
from bot.laravel.caches import CacheClear
from tests.hazards.typed import app_facts, change, number, typed
from tests.hazards.watched import Watched
from tests.site.by_hand import BOOT, http_status
from tests.site.production import Production, artisan


def asked(site: Production, expression: str) -> str:
    """Return what a person would see of an expression in tinker, which this Laravel does not have."""
    return typed(site, f'php -r "{(BOOT + "echo " + expression + ";").replace("$", chr(92) + "$")}"').stdout


def needed(site: Production, *changed: str) -> set[CacheClear]:
    """Return which caches Backout would clear now."""
    decisions = caches.cache_decisions(app_facts(site), changed, database_replaced=True)
    return {one.clear for one in decisions if one.needed}


def on_errors(site: Production) -> set[CacheClear]:
    """Return which caches Backout would clear now where the application answers with errors."""
    facts = app_facts(site)
    decisions = caches.cache_decisions(facts, [], database_replaced=True, answers_errors=True)
    return {one.clear for one in decisions if one.needed}


def counted(site: Production, offset: int = 0, **more: Any) -> log_records.LogLook:
    """Return what Backout counts in the log from a place on."""
    place = log_records.LogPlace(path=str(site.app_path / "storage/logs/laravel.log"), offset=offset)
    work = log_records.count_log([place], is_end=True)
    return work.read(log_count({**work.request, **more}))


def test_v1_the_runbooks_checks_are_green_in_the_broken_state(
    production_template: Production, watched: Watched
) -> None:
    """ "More than nothing" holds with every old caption lost, and samples print what people wrote; Backout counts the loss."""
    site = production_template
    assert int(asked(site, r"Post::whereNotNull('caption')->count()")) > 0
    assert int(asked(site, r"Photo::whereNull('post_id')->count()")) == 0
    assert int(asked(site, r"Post::whereDoesntHave('photos')->count()")) == 0
    assert '"caption":"' in asked(site, r"Post::whereNotNull('caption')->inRandomOrder()->limit(5)->get()")
    loss = watched.of("assessed")[0]["data"]["loss"]
    assert loss["verdict"] == "loss"
    assert loss["totals"]["values_lost"] > 1700


def test_v2_cache_clear_drops_locks(stopped: Production) -> None:
    """The literal `cache:clear` frees a lock that a running job holds."""
    take = r"app('cache')->lock('export', 600)->get() ? 'taken' : 'held'"
    assert (asked(stopped, take), asked(stopped, take)) == ("taken", "held")
    typed(stopped, "php artisan cache:clear")
    assert asked(stopped, take) == "taken"


def test_v2_config_clear_takes_the_application_to_another_database(stopped: Production) -> None:
    """With a cached configuration and an edited `.env`, the literal `config:clear` changes the database; Backout leaves it."""
    typed(stopped, "php artisan config:cache")
    env = stopped.app_path / ".env"
    env.write_text(
        env.read_text(encoding="utf-8").replace("database.sqlite", "other.sqlite"), encoding="utf-8"
    )
    (stopped.app_path / "database/other.sqlite").touch()
    assert CacheClear.CONFIG not in needed(stopped, "config/app.php")
    assert app_facts(stopped).database.database == str(stopped.database_path)
    assert typed(stopped, "php artisan config:clear").returncode == 0
    assert app_facts(stopped).database.database.endswith("/other.sqlite")


def test_v2_on_errors_routes_are_cleared_and_a_configuration_of_another_login_is_not(
    stopped: Production,
) -> None:
    """Cached routes go when visitors get errors; the configuration stays where `.env` has another password by now."""
    config, env = stopped.app_path / "config/database.php", stopped.app_path / ".env"
    text = config.read_text(encoding="utf-8")
    named = text.replace("'driver' => 'sqlite',", "'driver' => 'sqlite', 'password' => env('DB_PASSWORD'),")
    assert named != text
    config.write_text(named, encoding="utf-8")
    plain = env.read_text(encoding="utf-8")
    env.write_text(f"{plain}\nDB_PASSWORD=one\n", encoding="utf-8")
    for command in ("config:cache", "route:cache"):
        assert typed(stopped, f"php artisan {command}").returncode == 0
    both = {CacheClear.CONFIG, CacheClear.ROUTES}
    assert needed(stopped) & both == set()
    assert on_errors(stopped) & both == both
    env.write_text(f"{plain}\nDB_PASSWORD=two\n", encoding="utf-8")
    assert on_errors(stopped) & both == {CacheClear.ROUTES}
    assert app_facts(stopped).env_file.other_login == ("DB_PASSWORD",)


def test_v2_only_what_needs_it_was_cleared(watched: Watched) -> None:
    """In a whole incident each cache has its reason, and the configuration was left alone."""
    (note,) = [entry for entry in watched.of("note") if "caches" in entry["data"]]
    results = {row[0]: (row[1], row[2]) for row in note["data"]["caches"]}
    assert results["config:clear"] == ("left", "the configuration is not cached")
    assert results["queue:restart"][0] == "cleared"
    assert all(reason for _, reason in results.values())


def test_v3_tail_f_never_returns_and_a_look_does(stopped: Production) -> None:
    """`tail -f` has to be ended from outside; Backout's look at the same log is one bounded read."""
    log = stopped.app_path / "storage/logs/laravel.log"
    assert typed(stopped, f"timeout 0.3 tail -f {log}").returncode == 124
    found = counted(stopped, limit_bytes=100)
    assert (found.read_bytes, found.more) == (100, True)


def test_v4_up_of_a_site_that_is_up_says_success(production: Production, watched: Watched) -> None:
    """The literal `up` ends with 0 whatever was so before; Backout saw 200 from outside after 503, with workers restarted."""
    assert http_status(production.url) == 200
    assert typed(production, "php artisan up").returncode == 0
    artisan(production, "down")
    (frozen,) = [entry["data"] for entry in watched.of("frozen") if entry["data"]["proven"]]
    (reopened,) = [entry["data"] for entry in watched.of("reopened")]
    assert (frozen["http_status"], reopened["http_status"]) == (503, 200)
    pages = watched.of("app.tested")[0]["data"]["pages"]
    assert [page["status"] for page in pages] == [200, 200]
    order = [entry["text"].split(" on ")[0] for entry in watched.of("host.command")]
    assert order.index("php artisan queue:restart") < order.index("php artisan up")


def test_v5_the_literal_orphan_check_grows_with_the_square(tmp_path: Path) -> None:
    """`whereDoesntHave` without an index reads one table for each row of the other; Backout's anti-join reads each once."""
    path = tmp_path / "db.sqlite"
    change(
        path,
        "create table posts (id integer primary key);"
        "create table photos (id integer primary key, post_id integer references posts (id));"
        "with recursive n (i) as (values (1) union all select i + 1 from n where i < 2000)"
        " insert into posts select i from n;"
        "insert into photos (post_id) select id from posts;",
    )
    literal = (
        "select count(*) from posts where not exists (select * from photos where posts.id = photos.post_id)"
    )
    anti = "select count(*) from photos where post_id not in (select id from posts)"
    assert steps(path, literal) > 50 * steps(path, anti)
    answer = sqlite_orphans({"path": str(path), "time_limit_s": 5})
    assert [key["violations"] for key in answer["foreign_keys"]] == [0]


def steps(path: Path, sql: str) -> int:
    """Return how many hundreds of steps SQLite takes for a query: a measure of work that no busy machine changes."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    with closing(sqlite3.connect(path)) as database:
        # No automatic index: Laravel's connection has none when the planner holds the inner table for small.
        database.execute("pragma automatic_index = off")
        database.set_progress_handler(count, 100)
        database.execute(sql).fetchall()
    return taken


def test_v6_the_tail_of_a_log_shows_no_error_line(stopped: Production) -> None:
    """One exception is some 60 lines on Laravel 8: `tail -n 50` has no line that says ERROR; Backout counts one record."""
    log = stopped.app_path / "storage/logs/laravel.log"
    start = log.stat().st_size
    typed(stopped, f"DB_DATABASE={stopped.folder}/nowhere.sqlite php artisan migrate:status")
    added = log.read_bytes()[start:].decode()
    assert len(added.splitlines()) > 50
    assert "ERROR" not in typed(stopped, f"tail -n 50 {log}").stdout
    assert counted(stopped, start).counts.alarms == 1


def test_v7_cache_clear_without_its_table_fails_and_backout_leaves_it(stopped: Production) -> None:
    """With the database store and no table `cache:clear` ends with 1; Backout sees that there is no table."""
    config = stopped.app_path / "config/cache.php"
    store = "'database' => ['driver' => 'database', 'table' => 'cache', 'connection' => null],"
    config.write_text(
        config.read_text(encoding="utf-8").replace("'stores' => [", f"'stores' => [{store}"), encoding="utf-8"
    )
    env = stopped.app_path / ".env"
    env.write_text(
        env.read_text(encoding="utf-8").replace("CACHE_DRIVER=file", "CACHE_DRIVER=database"),
        encoding="utf-8",
    )
    assert typed(stopped, "php artisan cache:clear").returncode == 1
    assert CacheClear.DATA not in needed(stopped)


def test_v7_optimize_freezes_the_configuration(stopped: Production) -> None:
    """After the literal `optimize` an edit of `.env` is not heard; Backout does not run it and says that it is cached."""
    typed(stopped, "php artisan optimize")
    env = stopped.app_path / ".env"
    env.write_text(
        env.read_text(encoding="utf-8").replace("APP_NAME=Album", "APP_NAME=Edited"), encoding="utf-8"
    )
    assert asked(stopped, "config('app.name')") == "Album"
    assert app_facts(stopped).config_cached
    assert number(stopped.database_path, "select count(*) from migrations") == 7


def test_v7_no_incident_ran_optimize(watched: Watched) -> None:
    """In a whole incident nothing froze a configuration and no log was followed without end."""
    lines = "\n".join(sorted(watched.shown_by_ps) + [entry["text"] for entry in watched.of("host.command")])
    assert "artisan optimize" not in lines
    assert "config:cache" not in lines
    assert "tail -f" not in lines
