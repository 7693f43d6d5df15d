"""Plays the written runbook word for word on a copy of a production, and counts what really became of the data.

    python -m tests.site.by_hand FOLDER [--json]

The production below FOLDER is only read. The copy is its own: database, remote, ports, paths. Where the runbook says
tinker, which Debian's Laravel 8 does not have, the same counts are asked of the same models through `php -r`. The
password that a person would type at `-p` stands in `~/.my.cnf` or `~/.pgpass`.
"""

from __future__ import annotations

import argparse
import json
import shlex
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
from tests.site.production import Production, environment, session, stop
from tests.site.sessions import ClientSession, Session, SqliteSession
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
    """One check of the runbook: what it says there should be, and what came; None where it ended with an error."""

    step: int
    check: str
    expected: int
    value: int | None
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
            env=environment(self.production) | client_places(self.production),
            input=answer,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        shown = command.replace(str(self.production.folder), "~")
        self.steps.append(Step(step=step, command=shown, exit_status=done.returncode))
        return done.stdout

    def ask(self, expression: str) -> int | None:
        """Return the value of an expression that the runbook would type into tinker, None for an error. Reads only."""
        code = f"{BOOT} echo json_encode((int) ({expression}));"
        done = subprocess.run(
            ["php", "-r", code],
            cwd=self.production.app_path,
            env=environment(self.production),
            capture_output=True,
            text=True,
            check=False,
        )
        return int(done.stdout) if done.returncode == 0 else None

    def check(self, step: int, expression: str, expected: int) -> None:
        """Make a check of the runbook that names the number there should be."""
        value = self.ask(expression)
        self.checks.append(
            Check(step=step, check=expression, expected=expected, value=value, green=value == expected)
        )

    def check_some(self, step: int, expression: str) -> None:
        """Make a check of the runbook that only asks for more than nothing."""
        value = self.ask(expression)
        green = value is not None and value > 0
        self.checks.append(Check(step=step, check=f"{expression} > 0", expected=1, value=value, green=green))


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
    keep_passwords(production)
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


def keep_passwords(production: Production) -> None:
    """Write the file in the home that spares a person the typing of a password. *Changes* that file."""
    if production.server is None:
        return
    login = production.server.login()
    if login.driver == "mysql":
        name, text = (
            ".my.cnf",
            f'[client]\nhost={login.host}\nport={login.port}\npassword="{login.password}"\n',
        )
    else:
        name, text = ".pgpass", f"*:*:*:*:{login.password}\n"
    path = production.home_path / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


def client_places(production: Production) -> dict[str, str]:
    """Return by which variables psql finds a server that listens on no usual port."""
    if production.server is None or production.server.driver != "pgsql":
        return {}
    login = production.server.login()
    return {"PGHOST": login.host, "PGPORT": str(login.port)}


def restore(evening: Evening, truth: Truth) -> None:
    """Steps 3 to 5: find the backup, copy the broken database aside, put the backup in its place."""
    backup = shlex.quote(f"{evening.production.backups_path}/{evening.production.good_backup.name}")
    evening.type(3, "ls -lth ~/backups/ | head -10")
    evening.type(3, f"stat {backup}")
    evening.type(3, f"head -n 50 {backup}")
    safety_copy, *restore_commands = evening.production.engine.by_hand(evening.production, backup)
    evening.type(4, safety_copy)
    for command in restore_commands:
        evening.type(5, command)
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
    """What the data were before the deployment and since, and what they are now: counted in the databases themselves."""

    def __init__(self, production: Production) -> None:
        self._production = production
        self._since = Record.load(production.oracle_path / "since.json")
        with closing(SqliteSession(production.oracle_path / "before.sqlite", read_only=True)) as before:
            self.photos = before.number("select count(*) from photos")
            self.captions = before.number("select count(caption) from photos")
            self._locations = before.number("select count(location) from photos")
            self._comments = before.number("select count(*) from comments")

    def now(self) -> dict[str, dict[str, int]]:
        """Return, for each kind of data, how much there was and how much there is. Reads only."""
        with closing(session(self._production)) as live:
            return self._counted(live)

    def _counted(self, live: Session) -> dict[str, dict[str, int]]:
        since = self._since
        uploads = [upload["photo"]["filename"] for upload in since.uploads]
        deleted = set(since.deleted_photos)
        kept = [u["photo"]["filename"] for u in since.uploads if u["photo"]["id"] not in deleted]
        typed = [e for e in since.edits if e["photo_id"] not in deleted]
        comments = [row["body"] for row in since.comments if row["photo_id"] not in deleted]
        return {
            "photos": pair(self.photos, live.number("select count(*) from photos")),
            "captions": pair(self.captions, captions_shown(live)),
            "location": pair(self._locations, counted(live, "photos", "location")),
            "comments": pair(self._comments, live.number("select count(*) from comments")),
            "uploads since": pair(len(kept), present(live, "photos", "filename", uploads)),
            "comments since": pair(len(comments), present(live, "comments", "body", comments)),
            "edits since": pair(len(typed), sum(edit_stands(live, edit) for edit in typed)),
            "deletions since": pair(
                len(deleted), len(deleted) - present(live, "photos", "id", sorted(deleted))
            ),
            "posts without a photo": pair(0, orphan_posts(live)),
        }


def pair(before: int, after: int) -> dict[str, int]:
    """Return how much there was and how much there is."""
    return {"before": before, "after": after}


def has_column(live: Session, table: str, column: str) -> bool:
    """Return whether a table has a column. Reads only."""
    if isinstance(live, SqliteSession):
        there = live.query("select 1 from pragma_table_info(?) where name = ?", table, column)
    else:
        assert isinstance(live, ClientSession)
        # Its own schema only: what a cut-over put aside, beside it, has the same tables.
        wanted = f"table_name = ? and column_name = ? and table_schema = {live.own_schema}"
        there = live.query(f"select 1 from information_schema.columns where {wanted}", table, column)
    return bool(there)


def counted(live: Session, table: str, column: str) -> int:
    """Return how many rows have a value in a column, 0 where there is no such column. Reads only."""
    if not has_column(live, table, column):
        return 0
    return live.number(f"select count({column}) from {table}")


def captions_shown(live: Session) -> int:
    """Return how many photos show a caption, from their post, or from themselves where they hang on none. Reads only."""
    own = "photos.caption" if has_column(live, "photos", "caption") else "null"
    if not has_column(live, "photos", "post_id"):
        return counted(live, "photos", "caption")
    joined = "photos left join posts on posts.id = photos.post_id"
    return live.number(f"select count(coalesce(posts.caption, {own})) from {joined}")


def orphan_posts(live: Session) -> int:
    """Return how many posts no photo hangs on. Reads only."""
    if not has_column(live, "posts", "id"):
        return 0
    if not has_column(live, "photos", "post_id"):
        return live.number("select count(*) from posts")
    unused = "not exists (select 1 from photos where photos.post_id = posts.id)"
    return live.number(f"select count(*) from posts where {unused}")


def present(live: Session, table: str, column: str, values: list[Any]) -> int:
    """Return how many of these values a column holds. Reads only."""
    return sum(live.number(f"select count(*) from {table} where {column} = ?", value) for value in values)


def edit_stands(live: Session, edit: dict[str, Any]) -> bool:
    """Return whether a photo was last changed by this very edit. Reads only."""
    sql = "select count(*) from photos where id = ? and updated_at = ?"
    return live.number(sql, edit["photo_id"], edit["photo"]["updated_at"]) == 1


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
