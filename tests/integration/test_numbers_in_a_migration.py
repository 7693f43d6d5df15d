"""A corrected migration that itself puts rows in gives them no number that the broken state had given (HAZARDS R2)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.laravel import facts, migrate
from bot.laravel.guarded import Target
from tests.integration.test_laravel_real import (
    BAD,
    BASE,
    GOOD,
    App,
    app,
    app_template,
    artisan_run,
    migration,
    run,
)
from tests.servers.login import Login

__all__ = ["app", "app_template"]

CONFIG = """<?php return ['default' => 'main', 'migrations' => 'migrations', 'connections' => ['main' => [
'driver' => '{driver}', 'host' => '{host}', 'port' => '{port}', 'database' => '{database}', 'username' => '{username}',
'password' => '{password}', 'charset' => 'utf8', 'prefix' => '', 'schema' => 'public', 'sslmode' => 'prefer']]];
"""
SEED = "INSERT INTO migrations VALUES " + ", ".join(
    f"({n}, '{m}', 1)" for n, m in enumerate((BASE, GOOD, BAD), 1)
)
UP = """
Schema::create('entries', function (Blueprint $t) { $t->id(); $t->string('note'); });
\\DB::table('entries')->insert([['note' => 'a'], ['note' => 'b']]);
Schema::create('plain', function (Blueprint $t) { $t->string('word'); });
Schema::create('others', function (Blueprint $t) { $t->id(); });
\\DB::statement('INSERT INTO others VALUES (DEFAULT)');
"""


@pytest.fixture(params=("mariadb", "postgres"))
def live(request: pytest.FixtureRequest, app: App) -> Iterator[Login]:
    """Return the user of the application's database, in which the migrations ran and `entries` is not (any more)."""
    server = request.getfixturevalue(f"{request.param}_server")
    login: Login = server.make(f"counted_{secrets.token_hex(4)}")
    known = {name: str(value) for name, value in login.credentials().items()}
    config = CONFIG
    for name, value in known.items():
        config = config.replace("{" + name + "}", value)
    (app.path / "config/database.php").write_text(config, encoding="utf-8")
    login.run("CREATE TABLE migrations (id integer, migration varchar(200), batch integer);" + SEED)
    yield login
    server.drop(login)


def test_a_table_made_again_counts_on_at_once(app: App, live: Login, tmp_path: Path) -> None:
    """The rows that the migration itself puts in have numbers above the old ones; a table without numbers is let be."""
    numbers = tmp_path / "safety.numbers.json"
    numbers.write_text(
        json.dumps({"fingerprint": "x", "numbers": {"entries": 41, "plain": 7}}), encoding="utf-8"
    )
    path = app.path / "database/migrations/2024_09_01_000000_make_entries.php"
    path.write_text(migration("MakeEntries", UP, ""), encoding="utf-8")
    found = facts.parse_app_facts(run(facts.app_facts_command(str(app.path))))
    files = [each for each in found.migration_files if each.name == path.stem]
    target = Target(driver=live.driver, database=live.database, is_scratch=False)
    command = migrate.migrate_command(
        app_path=str(app.path), target=target, approved=files, numbers=str(numbers)
    )
    done = artisan_run(run(command))
    assert done.problem is None, done
    assert live.rows("SELECT id FROM entries ORDER BY id") == [("42",), ("43",)]
    assert live.rows("SELECT id FROM others") == [("1",)]
