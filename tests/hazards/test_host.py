"""Driving the host (D1–D8): what ssh, shells and signals really do; Backout's part is the host contract's."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from bot.laravel.guarded import Refused, Target
from bot.laravel.migrate import migrate_command
from bot.model.secret import Secret
from bot.ports.host import Command
from tests.hazards.typed import add_migration, eventually, guarded, number, ssh, ssh_words, typed
from tests.hazards.watched import Watched
from tests.integration.sshd import PrivateSshd, private_sshd
from tests.site.production import Production

SLOW = "for n in 1 2 3 4 5 6 7 8; do echo $n >> {log}; sleep 0.25; done"


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[PrivateSshd]:
    """Return a private sshd of the test's own, so that its links can be cut."""
    with private_sshd(tmp_path / "sshd") as running:
        yield running


def lines(log: Path) -> int:
    """Return how many lines a log has."""
    return len(log.read_text().splitlines()) if log.exists() else 0


async def test_d1_a_dropped_link_returns_normally(sshd: PrivateSshd) -> None:
    """asyncssh's `run(check=True)` raises nothing when the link drops: its exit status is None, which is not 0."""
    settings = sshd.settings
    async with asyncssh.connect(
        settings.address,
        settings.port,
        username=settings.user,
        client_keys=[str(settings.key_path)],
        known_hosts=str(settings.known_hosts_path),
    ) as link:
        process = await link.create_process("echo begun; sleep 5")
        assert await process.stdout.readline() == "begun\n"
        sshd.drop_links()
        done = await process.wait(check=True)
    assert done.exit_status is None


def test_d2_with_a_terminal_a_dropped_link_kills_the_work(production: Production, tmp_path: Path) -> None:
    """Typed in a terminal, a restore gets SIGHUP when the link drops and stays half done, nobody is told."""
    log = tmp_path / "restore.log"
    typist = subprocess.Popen(
        [*ssh_words(production, "-tt"), SLOW.format(log=log)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    eventually(lambda: lines(log) >= 2)
    typist.kill()
    typist.wait()
    time.sleep(0.3)
    half = lines(log)
    time.sleep(0.6)
    assert lines(log) == half < 8


def test_d3_a_command_runs_on_whatever_database_is_there(stopped: Production) -> None:
    """The literal `migrate` changes another database than the one looked at; Backout's is refused in the process itself."""
    other = stopped.folder / "other.sqlite"
    other.write_bytes(stopped.database_path.read_bytes())
    file = add_migration(stopped, "2025_12_01_090000_drop_the_jobs", "Schema::drop('jobs');")
    env = stopped.app_path / ".env"
    env.write_text(env.read_text().replace(str(stopped.database_path), str(other)))
    target = Target(driver="sqlite", database=str(stopped.database_path), is_scratch=False)
    ours = guarded(stopped, migrate_command(app_path=str(stopped.app_path), target=target, approved=[file]))
    assert isinstance(ours, Refused)
    assert number(other, "select count(*) from sqlite_master where name = 'jobs'") == 1
    assert typed(stopped, "php artisan migrate --force").returncode == 0
    assert number(other, "select count(*) from sqlite_master where name = 'jobs'") == 0


def test_d3_the_plan_of_an_incident_names_its_target(watched: Watched) -> None:
    """Host key, database file and its identity stand in the plan that was approved and were looked up before the cut-over."""
    (plan,) = [entry["data"] for entry in watched.of("plan.made")]
    assert plan["host_key"] == watched.site.host_key_fingerprint
    assert plan["database"] == str(watched.site.database_path)
    assert plan["database_identity"]


def test_d4_a_path_in_a_shell_line_is_a_program(production: Production, tmp_path: Path) -> None:
    """A backup named `$(…)` runs what is in it when its name is pasted into a line; quoted in one place it is a name."""
    name = f"$(touch {shlex.quote(str(tmp_path))}'/ran')"
    ssh(production, f"stat {name}.sql")
    assert (tmp_path / "ran").exists()
    (tmp_path / "ran").unlink()
    ssh(production, shlex.join(["stat", "--", f"{name}.sql"]))
    assert not (tmp_path / "ran").exists()


class MaskedText(str):
    """A masked string that is a `str`, as a well-known tool had it: printing masks, everything else does not."""

    __slots__ = ()

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"


def test_d5_a_masked_str_is_sent_as_stars_or_shown() -> None:
    """Formatted into a line the password becomes `***`; quoted or joined it is shown. A Secret can be neither."""
    masked = MaskedText("korn blume")
    assert f"mysql -p{masked}" == "mysql -p***"
    assert "korn blume" in shlex.quote(masked)
    secret = Secret("korn blume")
    with pytest.raises(TypeError):
        shlex.quote(secret)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        "".join([secret])  # type: ignore[list-item]
    assert "korn" not in f"{secret} {secret!r} {Command(argv=['x'], stdin=secret)}"


def test_d6_a_retry_after_a_dropped_link_runs_two_at_once(production: Production, tmp_path: Path) -> None:
    """Killing the ssh client ends no command on the host; the same line typed again runs beside the first."""
    log = tmp_path / "migrate.log"
    line = SLOW.format(log=log)
    first = subprocess.Popen([*ssh_words(production), line], stdin=subprocess.DEVNULL)
    eventually(lambda: lines(log) >= 1)
    first.kill()
    first.wait()
    assert ssh(production, line).returncode == 0
    eventually(lambda: lines(log) == 16)


def test_d7_a_terminal_changes_what_comes_back(production: Production) -> None:
    """With a terminal the two streams are one and lines end in CR LF; without one they are as the program wrote them."""
    line = "echo out; echo err >&2"
    with_terminal, without = ssh(production, line, "-tt"), ssh(production, line)
    assert with_terminal.stdout == "out\r\nerr\r\n"
    assert (without.stdout, without.stderr) == ("out\n", "err\n")
    assert "LANG=" not in ssh(production, "env").stdout


def test_d8_killing_a_wrapper_leaves_its_child_at_work(stopped: Production, tmp_path: Path) -> None:
    """`kill -9` of the shell that runs a restore does not end the restore; a second one starts beside it."""
    log = tmp_path / "restore.log"
    wrapper = subprocess.Popen(
        ["sh", "-c", f"sh -c {shlex.quote(SLOW.format(log=log))}; true"], cwd=stopped.folder
    )
    eventually(lambda: lines(log) >= 1)
    os.kill(wrapper.pid, signal.SIGKILL)
    wrapper.wait()
    eventually(lambda: lines(log) == 8)
