"""Plays the written runbook word for word on a copy of a production, and counts what really became of the data.

    python -m tests.site.by_hand FOLDER [--json]

The production below FOLDER is only read. The copy is its own: database, remote, ports, paths. Where the runbook says
tinker, which Debian's Laravel 8 does not have, the same counts are asked of the same models through `php -r`.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sqlite3
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.site.clone import clone_production
from tests.site.production import Production, environment, stop
from tests.site.since import Record

BOOT = (
    "require 'vendor/autoload.php'; $app = require 'bootstrap/app.php'; "
    "$app->make(Illuminate\\Contracts\\Console\\Kernel::class)->bootstrap(); "
    "use App\\Models\\{Photo, Post}; use Illuminate\\Support\\Facades\\Schema; "
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command of the runbook, as it was typed, and how it ended."""

    step: int
    command: str
    exit_status: int


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of the runbook: what it says there should be, and what came."""

    step: int
    check: str
    expected: int
    value: int
    green: bool


@dataclass(kw_only=True)
class Evening:
    """A person at the keyboard of the copy, and all that was seen."""

    production: Production
    steps: list[Step] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    def type(self, step: int, command: str, *, answer: str = "") -> str:
        """Type a command in the application's folder and return what it prints. *Changes* what the command does."""
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.production.app_path,
            env=environment(self.production),
            input=answer,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        shown = command.replace(str(self.production.folder), "~")
        self.steps.append(Step(step=step, command=shown, exit_status=done.returncode))
        return done.stdout

    def ask(self, expression: str) -> int:
        """Return the value of an expression that the runbook would type into tinker. Reads only."""
        code = f"{BOOT} echo json_encode((int) ({expression}));"
        done = subprocess.run(
            ["php", "-r", code],
            cwd=self.production.app_path,
            env=environment(self.production),
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout)

    def check(self, step: int, expression: str, expected: int) -> None:
        """Make a check of the runbook that names the number there should be."""
        value = self.ask(expression)
        self.checks.append(
            Check(step=step, check=expression, expected=expected, value=value, green=value == expected)
        )

    def check_some(self, step: int, expression: str) -> None:
        """Make a check of the runbook that only asks for more than nothing."""
        value = self.ask(expression)
        self.checks.append(
            Check(step=step, check=f"{expression} > 0", expected=1, value=value, green=value > 0)
        )


def play_by_hand(folder: Path) -> dict[str, Any]:
    """Return what the runbook's commands and checks said on a copy, and what really became of the data.

    Keys: "steps", "checks", "all_checks_green" (steps 5 to 10), "status_in_maintenance" (what the first page answered
    after step 2), and "really": for each kind of data the number "before" and the number "after". Numbers only.
    """
    with tempfile.TemporaryDirectory(prefix="by-hand-") as place:
        production = clone_production(folder, Path(place) / "production")
        try:
            return play(production)
        finally:
            stop(production.folder)


def play(production: Production) -> dict[str, Any]:
    """Play steps 1 to 10 on a production that may be spoilt. *Changes* all of it."""
    (production.home_path / "backups").symlink_to(production.backups_path)
    truth = Truth(production)
    evening = Evening(production=production)
    evening.type(1, "php artisan tinker")
    evening.type(1, "php artisan migrate:status")
    evening.type(2, 'php artisan down --message="Performing emergency maintenance" --retry=300')
    status = http_status(production.url)
    restore(evening, truth)
    roll_back(evening, truth)
    deploy_corrected(evening)
    verify(evening, truth)
    reopen(evening)
    return {
        "steps": [asdict(step) for step in evening.steps],
        "checks": [asdict(check) for check in evening.checks],
        "all_checks_green": all(check.green for check in evening.checks),
        "status_in_maintenance": status,
        "really": truth.now(),
    }


def restore(evening: Evening, truth: Truth) -> None:
    """Steps 3 to 5: find the backup, copy the broken database aside, put the backup in its place."""
    backup = shlex.quote(f"{evening.production.backups_path}/{evening.production.good_backup.name}")
    evening.type(3, "ls -lth ~/backups/ | head -10")
    evening.type(3, f"stat {backup}")
    evening.type(3, f"head -n 50 {backup}")
    evening.type(4, "cp database/database.sqlite database/database.sqlite.backup")
    # The deploy script keeps text dumps: they are turned into the file that the runbook copies.
    evening.type(5, f"sqlite3 ~/backups/database.sqlite.backup < {backup}")
    evening.type(5, "cp ~/backups/database.sqlite.backup database/database.sqlite")
    evening.check_some(5, "Photo::whereNotNull('caption')->count()")
    evening.check(5, "Photo::count()", truth.photos)


def roll_back(evening: Evening, truth: Truth) -> None:
    """Step 6: roll back one migration. After a full restore that is the last good one."""
    evening.type(6, "php artisan migrate:status")
    evening.type(6, "php artisan migrate:rollback --step=1", answer="yes\n")
    evening.type(6, "php artisan migrate:status")
    evening.check(6, "Schema::hasTable('posts')", 0)
    evening.check(6, "Schema::hasColumn('photos', 'caption')", 1)
    evening.check(6, "Photo::whereNotNull('caption')->count()", truth.captions)


def deploy_corrected(evening: Evening) -> None:
    """Step 7: pull, look, migrate."""
    migration = f"database/migrations/{evening.production.bad_migration}.php"
    evening.type(7, "git fetch origin")
    evening.type(7, "git pull origin main")
    evening.type(7, "ls -l database/migrations/")
    evening.type(7, f"cat {migration}")
    evening.type(7, "php artisan migrate --force")


def verify(evening: Evening, truth: Truth) -> None:
    """Step 8: the counts, as the runbook has them."""
    evening.check(8, "Post::count()", truth.photos)
    evening.check(8, "Post::whereNotNull('caption')->count()", truth.captions)
    evening.check(8, "Photo::whereNull('post_id')->count()", 0)
    evening.check(8, "Post::whereDoesntHave('photos')->count()", 0)


def reopen(evening: Evening) -> None:
    """Steps 9 and 10: clear the caches, look at the log, bring the site back."""
    for command in ("cache:clear", "config:clear", "view:clear"):
        evening.type(9, f"php artisan {command}")
    evening.type(9, "tail -n 100 storage/logs/laravel.log")
    evening.type(10, "php artisan up")
    status = http_status(evening.production.url)
    evening.checks.append(Check(step=10, check="first page", expected=200, value=status, green=status == 200))


class Truth:
    """What the data were before the deployment and since, and what they are now: counted in the files themselves."""

    def __init__(self, production: Production) -> None:
        self._production = production
        self._since = Record.load(production.oracle_path / "since.json")
        before = production.oracle_path / "before.sqlite"
        self.photos = count(before, "select count(*) from photos")
        self.captions = count(before, "select count(caption) from photos")
        self._locations = count(before, "select count(location) from photos")
        self._comments = count(before, "select count(*) from comments")

    def now(self) -> dict[str, dict[str, int]]:
        """Return, for each kind of data, how much there was and how much there is. Reads only."""
        live, since = self._production.database_path, self._since
        uploads = [upload["photo"]["filename"] for upload in since.uploads]
        deleted = set(since.deleted_photos)
        kept = [u["photo"]["filename"] for u in since.uploads if u["photo"]["id"] not in deleted]
        typed = [e for e in since.edits if e["photo_id"] not in deleted]
        return {
            "photos": pair(self.photos, count(live, "select count(*) from photos")),
            "captions": pair(self.captions, count(live, "select count(caption) from posts")),
            "location": pair(self._locations, count(live, "select count(location) from photos")),
            "comments": pair(self._comments, count(live, "select count(*) from comments")),
            "uploads since": pair(len(kept), present(live, "photos", "filename", uploads)),
            "comments since": pair(len(self._comments_since(deleted)), self._comments_found(deleted)),
            "edits since": pair(len(typed), sum(self._edit_stands(edit) for edit in typed)),
            "deletions since": pair(
                len(deleted), len(deleted) - present(live, "photos", "id", sorted(deleted))
            ),
        }

    def _comments_since(self, deleted: set[int]) -> list[str]:
        return [row["body"] for row in self._since.comments if row["photo_id"] not in deleted]

    def _comments_found(self, deleted: set[int]) -> int:
        return present(self._production.database_path, "comments", "body", self._comments_since(deleted))

    def _edit_stands(self, edit: dict[str, Any]) -> bool:
        found = count(
            self._production.database_path,
            "select count(*) from photos where id = ? and updated_at = ?",
            edit["photo_id"],
            edit["photo"]["updated_at"],
        )
        return found == 1


def pair(before: int, after: int) -> dict[str, int]:
    """Return how much there was and how much there is."""
    return {"before": before, "after": after}


def count(path: Path, sql: str, *values: Any) -> int:
    """Return the one number of a query. Reads only."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        return int(database.execute(sql, values).fetchone()[0])


def present(path: Path, table: str, column: str, values: list[Any]) -> int:
    """Return how many of these values a column holds. Reads only."""
    return sum(count(path, f"select count(*) from {table} where {column} = ?", value) for value in values)


def http_status(url: str) -> int:
    """Return the HTTP status of the first page."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def report(result: dict[str, Any]) -> str:
    """Return the result as lines for a person."""
    lines = [f"step {s['step']}: exit {s['exit_status']}  {s['command']}" for s in result["steps"]]
    for check in result["checks"]:
        mark = "green" if check["green"] else "RED"
        lines.append(f"check {check['step']}: {mark}  {check['check']} = {check['value']}")
    lines.append(f"first page after step 2: {result['status_in_maintenance']}")
    lines += [f"{name}: {now['before']} → {now['after']}" for name, now in result["really"].items()]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.site.by_hand")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    result = play_by_hand(chosen.folder)
    print(json.dumps(result, indent=1, ensure_ascii=False) if chosen.json else report(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
