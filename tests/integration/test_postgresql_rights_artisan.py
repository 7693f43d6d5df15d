"""The application's own rollback on a side schema, with Debian's Laravel: it reaches that schema and nothing else."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.host_reader.__main__ import answer
from bot.laravel.guarded import Target
from tests.integration.test_laravel_real import (
    BAD,
    MIGRATIONS,
    App,
    app,
    app_template,
    artisan_run,
    refused,
    rollback_of,
    run,
)
from tests.servers.login import Login
from tests.servers.postgres import PostgresServer

__all__ = ["app", "app_template"]

CONFIG = """<?php return ['default' => 'main', 'migrations' => 'migrations', 'connections' => ['main' => [
'driver' => 'pgsql', 'host' => '{host}', 'port' => '{port}', 'database' => env('DB_DATABASE'), 'username' => '{username}',
'password' => '{password}', 'charset' => 'utf8', 'prefix' => '', 'schema' => 'public', 'sslmode' => 'prefer']]];
"""


@pytest.fixture
def live(app: App, postgres_server: PostgresServer) -> Iterator[Login]:
    """Return the user, without CREATEDB, of an application that was migrated to the bad state."""
    login = postgres_server.make(f"artisan_{secrets.token_hex(4)}", may_create=False)
    known = {"host": login.host, "port": login.port, "username": login.username, "password": login.password}
    config = CONFIG
    for name, value in known.items():
        config = config.replace("{" + name + "}", str(value))
    (app.path / "config/database.php").write_text(config, encoding="utf-8")
    env = app.path / ".env"
    lines = [line for line in env.read_text(encoding="utf-8").splitlines() if "DB_DATABASE" not in line]
    env.write_text("\n".join([*lines, f"DB_DATABASE={login.database}"]) + "\n", encoding="utf-8")
    for name in MIGRATIONS:
        command = ["php", "artisan", "migrate", "--force", f"--path=database/migrations/{name}.php"]
        subprocess.run(command, cwd=app.path, check=True, capture_output=True)
    login.run("INSERT INTO albums (place) VALUES ('here'), ('there');")
    yield login
    postgres_server.drop(login)


def side_of(login: Login, folder: Path) -> Target:
    """Return the target of a rehearsal: a side schema with what live holds."""
    shared = {"access": login.access(), "workspace": str(folder / "workspace")}
    safety, scratch = str(folder / "safety.dump"), f"backout_repair_20260101000000_{secrets.token_hex(4)}"
    for source, target in ((login.database, safety), (safety, scratch)):
        told = answer("pgsql_copy", json.dumps({**shared, "source": source, "target": target}))
        assert told["ok"], told
    assert "a schema beside the live tables" in told["way"]
    return Target(driver="pgsql", database=told["database"], is_scratch=True)


def columns(login: Login, schema: str) -> set[str]:
    """Return the columns of the albums in a schema."""
    return {
        row[0]
        for row in login.rows(
            "SELECT column_name FROM information_schema.columns"
            f" WHERE table_name = 'albums' AND table_schema = '{schema}'"
        )
    }


def test_a_rollback_reaches_the_side_schema_alone(app: App, live: Login, tmp_path: Path) -> None:
    """The dropped column is back in scratch, with all rows; live is as it was, its migrations too."""
    target = side_of(live, tmp_path)
    before = live.rows("SELECT migration FROM migrations ORDER BY 1")
    done = artisan_run(run(rollback_of(app, BAD, target)))
    schema = target.database.rpartition(".")[2]
    assert (done.exit_code, done.database, done.database_after) == (0, target.database, target.database)
    assert done.tables_after["albums"] == 2
    assert columns(live, schema) == {"id", "title", "place"}
    assert columns(live, "public") == {"id", "place"}
    assert live.rows("SELECT migration FROM migrations ORDER BY 1") == before


@pytest.mark.long
def test_a_migration_that_names_the_live_schema_is_refused(app: App, live: Login, tmp_path: Path) -> None:
    """It would reach the live tables from a side schema, so nothing of it is run."""
    target = side_of(live, tmp_path)
    path = app.path / "database/migrations" / f"{BAD}.php"
    harm = (
        "public function down() { \\Illuminate\\Support\\Facades\\DB::statement('delete from Public.albums');"
    )
    path.write_text(
        path.read_text(encoding="utf-8").replace("public function down() {", harm), encoding="utf-8"
    )
    assert "names the schema of the live tables" in refused(run(rollback_of(app, BAD, target)))
    assert live.number("SELECT count(*) FROM albums") == 2


@pytest.mark.long
def test_the_live_database_is_no_scratch(app: App, live: Login) -> None:
    """A side schema that is not there is refused before anything is run: names would be found nowhere."""
    missing = f"{live.database}.backout_repair_20260101000000_00000000"
    target = Target(driver="pgsql", database=missing, is_scratch=True)
    assert "not to pgsql" in refused(run(rollback_of(app, BAD, target)))
    assert live.number("SELECT count(*) FROM albums") == 2
