"""The `backout` command as a person types it: exit status, words, and what it leaves behind."""

from __future__ import annotations

import gzip
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.site.bot_settings import RESPONDER, write_settings
from tests.site.clone import clone_production
from tests.site.fixtures import production_template
from tests.site.forked import REPOSITORY, run
from tests.site.production import Production, stop
from tests.site.running_bot import RunningBot
from tests.site.servers import free_port

__all__ = ["production_template"]

Done = subprocess.CompletedProcess[str]

DUMP = """\
-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: shop
-- ------------------------------------------------------
CREATE TABLE `migrations` (`id` int NOT NULL, `migration` varchar(255) NOT NULL, `batch` int NOT NULL);
INSERT INTO `migrations` VALUES (1,'2026_01_01_make_orders',1);
CREATE TABLE `orders` (`id` int NOT NULL, `price` int NOT NULL);
INSERT INTO `orders` VALUES (1,10),(2,20),(3,30);
"""
END = "-- Dump completed on 2026-01-30 03:00:01\n"


def backout(*words: str, cwd: Path = REPOSITORY, **env: Any) -> Done:
    """Run the command with nothing of this process's own settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BACKOUT_")}
    return run("bot", words, cwd=cwd, env={**kept, **env})


def test_it_is_a_command_of_the_shell(tmp_path: Path) -> None:
    """Started by the shell it does what the tests below see of it: the words, the exit status."""
    path = tmp_path / "no.sql"
    words = ("inspect", str(path))
    done = subprocess.run([sys.executable, "-m", "bot", *words], capture_output=True, text=True, check=False)
    again = backout(*words)
    assert (done.returncode, done.stdout, done.stderr) == (again.returncode, again.stdout, again.stderr)
    assert done.returncode != 0


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A running bot on a production, and a person's token."""

    bot: RunningBot
    token: str
    production: Production

    def do(self, *words: str, **env: str) -> Done:
        """Run the command as that person against that bot."""
        known: dict[str, Any] = {
            "BACKOUT_URL": self.bot.url,
            "BACKOUT_TOKEN": self.token,
            "BACKOUT_SETTINGS": str(self.bot.settings),
        }
        return backout(*words, **{**known, **env})


@pytest.fixture(scope="module")
def desk(production_template: Production, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("cli")
    production = clone_production(production_template.folder, folder / "production")
    port = free_port()
    bot = RunningBot(write_settings(production, folder / "bot", port=port), port)
    token = bot.token(RESPONDER)
    bot.start()
    yield Desk(bot=bot, token=token, production=production)
    bot.stop()
    stop(production.folder)


# -- inspect: one backup, without a site


@pytest.mark.parametrize(
    ("text", "status", "word"),
    [
        (DUMP + END, 0, "VERIFIED"),
        (DUMP[: DUMP.index("(3,30)")], 1, "REFUSED"),
        (DUMP[DUMP.index("CREATE") :], 2, "COULD NOT VERIFY"),
    ],
)
def test_inspect_tells_by_word_and_exit_status(tmp_path: Path, text: str, status: int, word: str) -> None:
    """A whole dump is 0, one that breaks off inside a statement 1, one that nothing proves whole 2."""
    path = tmp_path / "shop.sql"
    path.write_text(text)
    done = backout("inspect", str(path))
    assert done.returncode == status, done.stdout
    assert word in done.stdout


def test_inspect_reads_what_is_packed(tmp_path: Path) -> None:
    """A compressed dump is judged as a plain one; one that was cut is refused."""
    whole = gzip.compress((DUMP + END).encode())
    (tmp_path / "whole.sql.gz").write_bytes(whole)
    (tmp_path / "cut.sql.gz").write_bytes(whole[:-20])
    assert backout("inspect", str(tmp_path / "whole.sql.gz")).returncode == 0
    assert backout("inspect", str(tmp_path / "cut.sql.gz")).returncode == 1


def test_inspect_gives_json(tmp_path: Path) -> None:
    """With --json the manifest and the verdict are data, with rows by table and the file's hash."""
    path = tmp_path / "shop.sql"
    path.write_text(DUMP + END)
    found = json.loads(backout("inspect", str(path), "--json").stdout)
    assert found["verdict"]["word"] == "VERIFIED"
    assert found["manifest"]["tables"]["orders"]["rows"] == 3
    assert len(found["manifest"]["sha256"]) == 64


def test_inspect_knows_a_backup_that_is_too_new(tmp_path: Path) -> None:
    """A dump that holds the migration named by --before was taken after the damage, and is refused."""
    path = tmp_path / "shop.sql"
    path.write_text(DUMP + END)
    done = backout("inspect", str(path), "--before", "2026_01_01_make_orders")
    assert done.returncode == 1
    assert "2026_01_01_make_orders" in done.stdout


def test_inspect_finds_a_list_of_migrations_under_its_own_name(tmp_path: Path) -> None:
    """A site with a prefix has another name for it, which is said on the command line."""
    path = tmp_path / "shop.sql"
    path.write_text((DUMP + END).replace("migrations", "shop_migrations"))
    assert backout("inspect", str(path)).returncode == 1
    done = backout("inspect", str(path), "--migrations-table", "shop_migrations")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["no.sql", "a folder", "line\nbreak"])
def test_inspect_of_what_is_no_file_is_told(tmp_path: Path, name: str) -> None:
    """A missing file or a folder gets one sentence with its name, and no traceback."""
    (tmp_path / "a folder").mkdir()
    done = backout("inspect", str(tmp_path / name))
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert name.split("\n", maxsplit=1)[0] in done.stdout + done.stderr


# -- do and answer


def test_a_command_and_its_answer(desk: Desk) -> None:
    """A command is typed and a question answered from a shell; what was asked is said with the line to answer."""
    started = json.loads(desk.do("do", "/incident start album from a shell", "--json").stdout)
    channel = started["incident_id"]
    asked = json.loads(desk.do("do", "/app freeze", "--channel", channel, "--json").stdout)
    assert f"backout answer {asked['decision_id']}" in asked["text"]
    done = desk.do("answer", asked["decision_id"], "wait")
    assert done.returncode == 0, done.stderr
    assert "Decided: Not now." in done.stdout
    again = desk.do("answer", asked["decision_id"], "freeze")
    assert again.returncode == 1
    assert "answered already" in again.stdout
    refused = desk.do("do", "/restore confirm album", "--channel", channel)
    assert refused.returncode == 1
    assert "/restore plan" in refused.stdout
    assert desk.do("do", "/incident timeline", "--channel", channel).returncode == 0


def test_the_report_is_printed_or_written_to_a_new_file(desk: Desk, tmp_path: Path) -> None:
    """Markdown comes to the shell, a PDF goes to a file; one that is there already stays as it is."""
    started = json.loads(desk.do("do", "/incident start album for its report", "--json").stdout)
    incident = started["incident_id"] or "inc-album-1"  # the test before may have left its own open
    assert desk.do("report", incident).stdout.startswith("# Migration Incident - ")
    target = tmp_path / "report.pdf"
    words = ("report", incident, "--form", "pdf", "--output", str(target))
    assert desk.do(*words).returncode == 0
    content = target.read_bytes()
    assert content.startswith(b"%PDF-")
    again = desk.do(*words)
    assert (again.returncode, "was not written" in again.stderr) == (1, True)
    assert target.read_bytes() == content
    assert desk.do("report", "inc-nothing-1").returncode == 1


def test_the_timeline_is_verified_beside_the_running_bot(desk: Desk) -> None:
    """`timeline verify` reads the records of a bot that runs, and says that they are whole."""
    done = desk.do("timeline", "verify")
    assert (done.returncode, done.stdout) == (0, "Every timeline is whole.\n")


def test_without_a_token_nothing_is_sent(desk: Desk) -> None:
    """Where no token is set, the way to one is said, with exit status 2."""
    done = desk.do("do", "help", BACKOUT_TOKEN="")
    assert done.returncode == 2
    assert "backout token NAME" in done.stderr
    assert "Nothing was sent" in done.stderr


def test_a_wrong_token_is_refused(desk: Desk) -> None:
    """A token that is none opens nothing, and is not repeated."""
    done = desk.do("do", "help", BACKOUT_TOKEN="hunter2")
    assert done.returncode == 1
    assert "token" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_without_a_bot_it_is_told(desk: Desk) -> None:
    """Where no bot answers, its address is said, and that nothing was sent."""
    url = f"http://127.0.0.1:{free_port()}"
    done = desk.do("do", "/incident list", BACKOUT_URL=url)
    assert done.returncode == 1
    assert url in done.stderr
    assert "nothing was sent" in done.stderr
    assert "Traceback" not in done.stderr


def test_markup_in_an_answer_is_shown_as_it_is(desk: Desk) -> None:
    """Square brackets in a command come back as they were typed."""
    done = desk.do("do", "/incident start [red]x[/red]")
    assert done.returncode == 1
    assert "[red]x[/red]" in done.stdout


# -- run


def test_a_second_bot_on_the_same_records_is_refused(desk: Desk, tmp_path: Path) -> None:
    """Two bots never write the same records: the second says who holds them, and the first goes on."""
    port = free_port()
    other = tmp_path / "backout.toml"
    records = desk.bot.settings.parent / "records" / "backout.db"
    text = desk.bot.settings.read_text().replace('path = "records/backout.db"', f'path = "{records}"')
    other.write_text(text.replace(f"port = {desk.bot.url.rpartition(':')[2]}", f"port = {port}"))
    done = backout("run", "--settings", str(other))
    assert done.returncode == 1
    assert "backout.db" in done.stderr.replace("\n", "")
    assert "Traceback" not in done.stderr
    assert desk.do("do", "/incident list").returncode == 0


def test_a_taken_port_is_told(desk: Desk, tmp_path: Path) -> None:
    """A console port that something else listens on is named, without a traceback."""
    other = tmp_path / "backout.toml"
    other.write_text(desk.bot.settings.read_text())
    done = backout("run", "--settings", str(other))
    assert done.returncode == 1
    assert desk.bot.url.rpartition(":")[2] in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("run",), ("check",), ("timeline", "verify"), ("token", "Anna")])
def test_broken_settings_are_told_by_key(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Every command that needs the settings names the wrong key, and starts and leaves nothing."""
    path = tmp_path / "backout.toml"
    path.write_text("[web]\nprot = 1\n[sites]\n")
    done = backout(*words, "--settings", str(path))
    assert done.returncode == 1
    assert "web.prot" in done.stderr
    assert "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["backout.toml"]


def test_no_settings_are_told(tmp_path: Path) -> None:
    """Without a settings file the way to one is said."""
    done = backout("run", cwd=tmp_path)
    assert done.returncode == 1
    assert "--settings" in done.stderr


def test_the_bot_starts_fast_and_stays_small(desk: Desk) -> None:
    """A started bot that rests keeps to its bound of memory."""
    status = Path(f"/proc/{desk.bot.pid}/status").read_text()
    resident_kb = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
    assert resident_kb <= 150_000


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_the_bot_ends_when_asked(desk: Desk, tmp_path: Path, name: signal.Signals) -> None:
    """SIGTERM and Ctrl-C end the bot in order, with exit status 0, and no traceback in its log."""
    port = free_port()
    bot = RunningBot(write_settings(desk.production, tmp_path / "bot", port=port), port)
    bot.settings.parent.joinpath("records").mkdir()
    bot.start()
    os.kill(bot.pid, name)
    assert bot.stop() == 0
    assert "Traceback" not in bot.log.read_text()


# -- token


def test_a_token_is_printed_once_and_kept_as_a_hash(desk: Desk, tmp_path: Path) -> None:
    """The token alone is printed; its file is the owner's only and holds no token."""
    port = free_port()
    settings = write_settings(desk.production, tmp_path / "bot", port=port)
    done = backout("token", "Clara", BACKOUT_SETTINGS=str(settings))
    kept = settings.parent / "records" / "tokens.json"
    assert done.returncode == 0
    assert len(done.stdout.split()) == 1
    assert done.stdout.strip() not in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_token_for_nobody_is_refused(desk: Desk) -> None:
    """An unknown name gets no token, and the names there are."""
    done = desk.do("token", "Zoe")
    assert done.returncode == 1
    assert "Anna" in done.stderr
    assert done.stdout == ""


# -- check


def test_check_finds_everything_in_place(desk: Desk) -> None:
    """On a whole production every line is ok; it runs beside a running bot and leaves its records alone."""
    records = desk.bot.settings.parent / "records" / "backout.db"
    before = records.read_bytes()
    done = desk.do("check")
    assert done.returncode == 0, done.stdout
    assert all(line.startswith("ok") for line in done.stdout.splitlines())
    assert "Laravel 8" in done.stdout
    assert records.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('backups = ["', 'backups = ["/no/such/folder", "', "/no/such/folder is not there"),
        ('app_path = "', 'app_path = "/no/such/app', "/no/such/app"),
        ('user = "', 'user = "nobody-', "ssh"),
        ('known_hosts = "', 'known_hosts = "/no/such', "/no/such"),
        ('url = "http://127.0.0.1:', 'url = "http://127.0.0.1:1', "url"),
    ],
)
def test_check_names_what_lacks(desk: Desk, tmp_path: Path, old: str, new: str, named: str) -> None:
    """What lacks is named on a line of its own, and the exit status is 1."""
    other = tmp_path / "backout.toml"
    other.write_text(desk.bot.settings.read_text().replace(old, new, 1))
    done = backout("check", "--settings", str(other))
    assert done.returncode == 1, done.stdout
    assert [line for line in done.stdout.splitlines() if line.startswith("MISS") and named in line]
    assert "Traceback" not in done.stderr
