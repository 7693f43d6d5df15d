"""The program that tells the row reader how the application reaches its database: real Laravel, no server needed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from adapters.host_reader.server.access import read_credentials
from bot.laravel.credentials import credentials_access
from tests.integration.test_laravel_real import App, app, app_template

__all__ = ["app", "app_template"]

SECRET = """it's "$a" \\ `b` %s ünï #;="""


def configure(site: App, default: str, connection: str) -> None:
    """Give the application one database connection, written as in a Laravel configuration file."""
    (site.path / "config/database.php").write_text(
        f"<?php return ['default' => {default!r}, 'migrations' => 'migrations', 'connections' => [{default!r} => {connection}]];"
    )


def told(site: App) -> dict[str, Any]:
    """Return what the program prints, as the row reader reads it."""
    access = credentials_access(str(site.path))
    done = subprocess.run(
        access.argv, input=access.stdin, capture_output=True, text=True, check=True, cwd="/", timeout=60
    )
    line = [each for each in done.stdout.splitlines() if each.startswith("BACKOUT1:")][-1]
    found: dict[str, Any] = json.loads(line.removeprefix("BACKOUT1:"))["credentials"]
    return found


def php(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def test_every_sign_of_a_password_arrives(app: App) -> None:
    """A password of quotes, dollars and backslashes is told as it is, and a missing setting as null."""
    configure(
        app,
        "mysql",
        f"['driver' => 'mysql', 'host' => 'db.example', 'port' => 3307, 'database' => 'shop', 'username' => 'shop', "
        f"'password' => {php(SECRET)}, 'unix_socket' => '', 'charset' => 'utf8mb4', 'prefix' => 'a_']",
    )
    found = told(app)
    assert found["password"] == SECRET
    assert (found["driver"], found["host"], found["port"]) == ("mysql", "db.example", "3307")
    assert (found["database"], found["prefix"], found["sslmode"]) == ("shop", "a_", None)


def test_an_url_counts_as_it_does_for_the_application(app: App) -> None:
    """Settings in an URL win over those beside it, and a cached configuration over the file."""
    url = "postgres://shop:p%40ss@db.example:6432/shop?sslmode=require"
    configure(
        app,
        "pgsql",
        f"['driver' => 'pgsql', 'url' => {php(url)}, 'host' => 'x', 'search_path' => ['a', 'public']]",
    )
    subprocess.run(["php", "artisan", "config:cache"], cwd=app.path, check=True, capture_output=True)
    configure(app, "pgsql", "['driver' => 'pgsql', 'host' => 'other']")
    found = told(app)
    assert (found["driver"], found["host"], found["port"]) == ("pgsql", "db.example", "6432")
    assert (found["password"], found["sslmode"], found["search_path"]) == ("p@ss", "require", "a,public")


def test_of_a_split_connection_the_writing_part_is_told(app: App) -> None:
    """Where reading and writing are split, host and user are those of the part that writes, the first of several."""
    configure(
        app,
        "mysql",
        "['driver' => 'mysql', 'read' => ['host' => ['r1', 'r2']], 'write' => ['host' => ['w1', 'w2'], 'username' => 'w'], "
        "'database' => 'shop', 'username' => 'r', 'password' => 'p']",
    )
    found = told(app)
    assert (found["host"], found["username"], found["password"]) == ("w1", "w", "p")


def test_a_secret_that_json_cannot_hold_is_refused_and_not_changed(app: App) -> None:
    """A password that is no UTF-8 ends with a reason that does not hold it."""
    configure(
        app, "mysql", "['driver' => 'mysql', 'host' => 'h', 'database' => 'd', 'password' => \"a\\xffb\"]"
    )
    access = credentials_access(str(app.path))
    done = subprocess.run(
        access.argv, input=access.stdin, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 3
    assert "the setting password of the connection mysql is not UTF-8" in done.stdout


def test_the_row_reader_understands_what_is_told(app: App, tmp_path: Path) -> None:
    """The request as the bot sends it gives the reader the application's credentials; the request holds none."""
    configure(
        app,
        "mysql",
        f"['driver' => 'mysql', 'host' => '127.0.0.1', 'port' => '3306', 'database' => 'shop', 'username' => 'u', 'password' => {php(SECRET)}]",
    )
    access = credentials_access(str(app.path))
    request = {
        "access": {"argv": list(access.argv), "stdin": access.stdin, "env": access.env},
        "workspace": str(tmp_path),
    }
    found = read_credentials(request)
    assert (found.password, found.port, found.database) == (SECRET, 3306, "shop")
    assert SECRET not in json.dumps(request)
    assert SECRET not in repr(found)


def test_where_there_is_no_application_it_says_so() -> None:
    """Another folder gives no credentials and an exit status, so that the reader refuses."""
    access = credentials_access("/nonexistent folder")
    done = subprocess.run(
        access.argv,
        input=access.stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 3
    assert "credentials" not in done.stdout


@pytest.mark.parametrize("path", ["/srv/it's", "/srv/$(touch x)", "/srv/two words"])
def test_the_path_is_in_no_argument(path: str) -> None:
    """The program's arguments hold words of our own only; the path goes by standard input, as base64."""
    access = credentials_access(path)
    assert path not in " ".join(access.argv)
    assert path not in access.stdin
