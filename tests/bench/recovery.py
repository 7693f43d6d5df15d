"""The whole recovery against the same commands by a shell script over one SSH connection: `python -m tests.bench.recovery [PHOTOS]`.

Counted for both: maintenance mode, the safety copy, the cut-over from the repaired copy, fetch and checkout of the
corrected code, its migration, caches, reopening. Left out of both: rehearsal and proofs, whose cost is printed apart.
Of the bot's operations the wall time is taken, from the click to the recorded end; taken off are only the host
commands that prove, and the pauses between two samples. What is left has all of Backout's own overhead in it.
The bound: 1.15.
"""

from __future__ import annotations

import shlex
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.site import production
from tests.site.bot_settings import RESPONDER, write_settings
from tests.site.clone import clone_production
from tests.site.play import Player, play
from tests.site.production import Production
from tests.site.running_bot import RunningBot
from tests.site.servers import free_port

BOUND = 1.15
SAMPLES_S = 1.0
CHANGING_OPERATIONS = ("freeze", "safety", "cutover", "deploy", "caches", "reopen")
CHANGING_COMMANDS = ("php artisan", "copy ", "CUT OVER", "git fetch", "git checkout")
_SCRIPT = """
set -eu
cd {app}
php artisan down --retry=300 --status=503
sqlite3 {live} ".backup '{safety}'"
sqlite3 {live} ".restore '{repaired}'"
git fetch --quiet origin {branch}
git checkout --quiet --detach {commit}
php artisan migrate --force --path=database/migrations/{migration}.php
php artisan cache:clear
php artisan queue:restart
php artisan up
"""


def by_shell_s(site: Production, repaired: Path) -> float:
    """Return the seconds in which a shell script does it over one connection. *Changes*: that production."""
    script = _SCRIPT.format(
        app=shlex.quote(str(site.app_path)),
        live=shlex.quote(str(site.database_path)),
        safety=site.home_path / "safety.sqlite",
        repaired=repaired,
        branch=site.branch,
        commit=site.corrected_commits[-1],
        migration=site.bad_migration,
    )
    command = [
        "ssh",
        "-F",
        "none",
        "-o",
        f"UserKnownHostsFile={site.known_hosts_path}",
        "-i",
        str(site.user_key_path),
    ]
    command += ["-p", str(site.ssh_port), f"{site.ssh_user}@{site.ssh_host}", "sh -s"]
    began = time.monotonic()
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(
            f"the shell script ended with {done.returncode}: {done.stderr[-500:]}{done.stdout[-500:]}"
        )
    return time.monotonic() - began


def operations(records: Path) -> list[tuple[str, datetime, datetime]]:
    """Return kind, begin and end of every operation that ended; reads only."""
    connection = sqlite3.connect(f"file:{records}?mode=ro", uri=True)
    rows = connection.execute(
        "select kind, created_at, ended_at from operations where ended_at is not null"
    ).fetchall()
    connection.close()
    return [(kind, datetime.fromisoformat(begin), datetime.fromisoformat(end)) for kind, begin, end in rows]


def by_bot(
    site: Production, folder: Path
) -> tuple[list[tuple[str, datetime, datetime]], list[dict[str, Any]], float]:
    """Play the recovery and return its operations, its host commands and the wall seconds of the whole play."""
    port = free_port()
    bot = RunningBot(write_settings(site, folder, port=port, samples_s=SAMPLES_S), port)
    token = bot.token(RESPONDER)
    bot.start()
    player = Player(bot.as_person(token), lambda _: None)
    began = time.monotonic()
    try:
        play(player, commits=site.corrected_commits[-1:], before=lambda _: None)
        entries = player.api.get(f"/api/incidents/{player.incident}/timeline")
    finally:
        bot.stop()
    wall = time.monotonic() - began
    return (
        operations(folder / "records" / "backout.db"),
        [e for e in entries if e["kind"] == "host.command"],
        wall,
    )


def changing_s(
    done: list[tuple[str, datetime, datetime]], commands: list[dict[str, Any]]
) -> tuple[float, float, float]:
    """Return seconds of the changing operations without proofs, of their changing commands alone, and of all proofs."""
    wall = proofs = own = 0.0
    for kind, begin, end in done:
        if kind not in CHANGING_OPERATIONS:
            continue
        wall += (end - begin).total_seconds()
        inside = [c for c in commands if begin <= datetime.fromisoformat(c["at"]) <= end]
        proving = [c for c in inside if not c["text"].startswith(CHANGING_COMMANDS)]
        own += sum(c["data"]["duration_s"] for c in inside if c not in proving)
        pauses = sum(c["text"].startswith("sample ") for c in proving) / 2 * SAMPLES_S
        proofs += sum(c["data"]["duration_s"] for c in proving) + pauses
    return wall - proofs, own, proofs


def main() -> None:
    """Recover one production by the bot and its twin by a shell script, and print a table."""
    photos = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = production.build(folder / "bot-site", photos=photos)
        twin = clone_production(first.folder, folder / "shell-site")
        try:
            done, commands, whole = by_bot(first, folder / "bot")
            (repaired,) = (first.home_path / ".backout/sites/album/scratch").glob("repair-*.sqlite")
            shell = by_shell_s(twin, repaired)
        finally:
            production.stop(first.folder)
            production.stop(twin.folder)
    bot, own, proofs = changing_s(done, commands)
    rehearsals = sum(
        (end - begin).total_seconds() for kind, begin, end in done if kind in ("plan", "propose")
    )
    print(f"{photos:,} photos{'':<40}{'seconds':>10}")
    print(f"{'shell script over one SSH connection':<48}{shell:>10.2f}")
    print(f"{'Backout, the same commands, with its overhead':<48}{bot:>10.2f}")
    print(f"{'  of which on the host':<48}{own:>10.2f}")
    print(f"{'ratio (bound ' + str(BOUND) + ')':<48}{bot / shell:>10.2f}")
    print(f"{'apart: proofs within these operations':<48}{proofs:>10.2f}")
    print(f"{'apart: the two rehearsals (plan, correction)':<48}{rehearsals:>10.2f}")
    print(f"{'the whole play, assessment and watch included':<48}{whole:>10.2f}")


if __name__ == "__main__":
    main()
