"""What a person types on a production's host, word for word, and what is looked up afterwards."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from bot.laravel import facts
from bot.laravel.facts import AppFacts, MigrationFile
from bot.laravel.guarded import ArtisanRun, Refused, Target, parse_guarded_artisan
from bot.model.secret import Secret
from bot.ports.host import Command
from tests.site.production import Production, environment

Done = subprocess.CompletedProcess[str]


def typed(site: Production, line: str, *, at: Path | None = None, answer: str = "") -> Done:
    """Type a line in the application's folder (or `at`), and return how it ended. *Changes* what the line does."""
    return subprocess.run(
        ["bash", "-c", line],
        cwd=at or site.app_path,
        env=environment(site),
        input=answer,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        check=False,
    )


def ssh_words(site: Production, *options: str) -> list[str]:
    """Return the words of an ssh call to the production's host, with its user key and nothing else."""
    more = (f"UserKnownHostsFile={site.known_hosts_path}", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes")
    words = ["ssh", "-F", "none", "-i", str(site.user_key_path), "-p", str(site.ssh_port), *options]
    words += [word for option in more for word in ("-o", option)]
    return [*words, f"{site.ssh_user}@{site.ssh_host}"]


def ssh(site: Production, line: str, *options: str) -> Done:
    """Run a line on the production's host over ssh and return how it ended, line ends as they came."""
    words = [*ssh_words(site, *options), line]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    return subprocess.CompletedProcess(
        done.args,
        done.returncode,
        done.stdout.decode("utf-8", "replace"),
        done.stderr.decode("utf-8", "replace"),
    )


def number(path: Path, sql: str, *values: Any) -> int:
    """Return the one number of a query."""
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute(sql, values).fetchone()[0] or 0)


def column(path: Path, sql: str) -> list[Any]:
    """Return the first column of a query."""
    with closing(sqlite3.connect(path)) as database:
        return [row[0] for row in database.execute(sql)]


def change(path: Path, *statements: str) -> None:
    """Run statements and commit. *Changes* the database."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.executescript(statement)


def back_to_before(site: Production) -> None:
    """Put the database and the code of right before the bad deployment in place, as after a full restore."""
    site.database_path.write_bytes((site.oracle_path / "before.sqlite").read_bytes())


def backouts(site: Production, command: Command) -> str:
    """Run one of Backout's commands as its host would, and return its standard output."""
    stdin = command.stdin.reveal() if isinstance(command.stdin, Secret) else command.stdin
    done = subprocess.run(
        list(command.argv),
        cwd=command.cwd,
        env=environment(site) | command.env,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


def app_facts(site: Production) -> AppFacts:
    """Return what the application says of itself, as Backout asks it."""
    return facts.parse_app_facts(backouts(site, facts.app_facts_command(str(site.app_path))))


def live_target(site: Production) -> Target:
    """Return production's own database as the target of a command."""
    return Target(driver="sqlite", database=str(site.database_path), is_scratch=False)


def guarded(site: Production, command: Command) -> ArtisanRun | Refused:
    """Run a guarded artisan command and return what it says that it did."""
    return parse_guarded_artisan(backouts(site, command))


def add_migration(site: Production, name: str, up: str, down: str = "") -> MigrationFile:
    """Put a migration file into the application, and return it as Backout sees it."""
    path = site.app_path / "database/migrations" / f"{name}.php"
    class_name = "".join(word.capitalize() for word in name.split("_")[4:])
    path.write_text(
        "<?php\nuse Illuminate\\Database\\Migrations\\Migration;\nuse Illuminate\\Database\\Schema\\Blueprint;\n"
        "use Illuminate\\Support\\Facades\\DB;\nuse Illuminate\\Support\\Facades\\Schema;\n"
        f"class {class_name} extends Migration {{\npublic function up() {{ {up} }}\n"
        f"public function down() {{ {down} }}\n}}\n",
        encoding="utf-8",
    )
    return next(file for file in app_facts(site).migration_files if file.name == name)


def eventually(seen: Callable[[], Any], limit_s: float = 10.0) -> Any:
    """Return the first true thing that is seen. *Raises* AssertionError after the time limit."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if found := seen():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not seen within {limit_s:g} s")


def command_lines(site: Production) -> list[str]:
    """Return the command line, as `ps` shows it, of every process that works for this production."""
    place, own, lines = os.fsencode(site.folder), str(os.getpid()), []
    for process in os.listdir("/proc"):  # noqa: PTH208 - it is asked many times a second
        if process.isdecimal() and process != own:
            try:
                words = contents(f"/proc/{process}/cmdline")
                belongs = place in words or place in contents(f"/proc/{process}/environ")
            except OSError:  # it has ended meanwhile
                continue
            if belongs:
                lines.append(words.replace(b"\0", b" ").decode("utf-8", "replace"))
    return lines


def contents(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read()
