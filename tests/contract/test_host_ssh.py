# ruff: noqa: ASYNC221, ASYNC240 - tests look at small local files and quick programs; nothing else waits meanwhile
"""The SSH host keeps the contract on a real sshd, and tells the truth about links that drop and keys that change."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.ssh_host.host import ShellHost
from adapters.ssh_host.hosts import SshHosts
from adapters.ssh_host.settings import HostSettings
from bot.model.errors import HostKeyChangedError, NotStartedError, UnknownOutcomeError
from bot.ports.host import Command, Host, JobState
from tests.contract.echo_reader import make_echo_reader
from tests.contract.host_contract import (
    JobContract,
    ReaderContract,
    RunContract,
    ended,
    eventually_exists,
    gone,
    is_alive,
    shell,
)
from tests.integration.sshd import PrivateSshd, make_key, private_sshd


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSshd]:
    with private_sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def settings(sshd: PrivateSshd, work_folder: Path) -> HostSettings:
    return dataclasses.replace(sshd.settings, work_folder=str(work_folder))


@pytest.fixture
async def host(settings: HostSettings, tmp_path: Path) -> AsyncIterator[ShellHost]:
    hosts = SshHosts({"site": settings}, *make_echo_reader(tmp_path))
    yield hosts.of_site("site")
    await hosts.close()


@pytest.fixture
def site_root(tmp_path: Path) -> str:
    return str(tmp_path / "site")


@pytest.fixture
def work_folder(tmp_path: Path) -> Path:
    return tmp_path / "work"


def host_of(settings: HostSettings) -> ShellHost:
    """Return a host that has no row reader."""
    return SshHosts({"site": settings}, Path("/nonexistent"), "0" * 64).of_site("site")


class TestRun(RunContract):
    """See the contract."""


class TestJobs(JobContract):
    """See the contract."""


class TestReader(ReaderContract):
    """See the contract."""


class TestIdentity:
    """Who is at the other end."""

    async def test_it_is_the_pinned_key(self, host: ShellHost, sshd: PrivateSshd) -> None:
        """The identity holds the address, the account and the fingerprint as ssh-keygen says it."""
        as_port: Host = host
        identity = await as_port.identity()
        assert identity.address == f"127.0.0.1:{sshd.port}"
        assert identity.host_key == sshd.host_key_fingerprint()
        assert identity.user == sshd.settings.user

    async def test_another_key_is_refused(
        self, sshd: PrivateSshd, settings: HostSettings, tmp_path: Path
    ) -> None:
        """A host that shows another key gets nothing, and the message has both fingerprints."""
        make_key(tmp_path / "other")
        pinned = tmp_path / "known_hosts"
        pinned.write_text(f"[127.0.0.1]:{sshd.port} {(tmp_path / 'other.pub').read_text()}")
        host = host_of(dataclasses.replace(settings, known_hosts_path=pinned))
        with pytest.raises(HostKeyChangedError, match="Nothing was sent") as refused:
            await host.run(Command(argv=["touch", str(tmp_path / "ran")]))
        assert sshd.host_key_fingerprint() in str(refused.value)
        listed = subprocess.run(
            ["ssh-keygen", "-lf", tmp_path / "other.pub"], capture_output=True, text=True, check=True
        )
        assert listed.stdout.split()[1] in str(refused.value)
        with pytest.raises(HostKeyChangedError):
            await host.wait_job(str(tmp_path), "k", timedelta(seconds=5))
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize(
        "content", ["", "elsewhere.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1T\n", None]
    )
    async def test_an_unknown_key_is_refused(
        self, settings: HostSettings, tmp_path: Path, content: str | None
    ) -> None:
        """An empty, foreign or missing known-hosts file means no: there is no trust at first sight."""
        pinned = tmp_path / "known_hosts"
        if content is not None:
            pinned.write_text(content)
        host = host_of(dataclasses.replace(settings, known_hosts_path=pinned))
        with pytest.raises(NotStartedError, match="Nothing was sent"):
            await host.run(Command(argv=["true"]))

    async def test_a_key_without_rights(self, settings: HostSettings, tmp_path: Path) -> None:
        """A login that is refused means that nothing ran."""
        make_key(tmp_path / "stranger")
        host = host_of(dataclasses.replace(settings, key_path=tmp_path / "stranger"))
        with pytest.raises(NotStartedError, match="refused the login"):
            await host.run(Command(argv=["true"]))


class TestReach:
    """Connections: refused, silent, shared, through another host."""

    async def test_nothing_listens(self, settings: HostSettings, tmp_path: Path) -> None:
        """A refused connection is told with the address and what to look at."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            host = host_of(dataclasses.replace(settings, port=port))
            with pytest.raises(NotStartedError, match=f"127.0.0.1:{port}"):
                await host.start_job(str(tmp_path / "site"), "k", shell("true"))

    async def test_a_silent_host(self, settings: HostSettings) -> None:
        """A host that accepts and says nothing is given up after the connect limit: nothing was run."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            host = host_of(dataclasses.replace(settings, port=port, connect_timeout=timedelta(seconds=0.3)))
            with pytest.raises(NotStartedError, match="did not answer within"):
                await host.run(Command(argv=["true"]))

    async def test_one_connection_for_all(
        self, sshd: PrivateSshd, settings: HostSettings, tmp_path: Path
    ) -> None:
        """Two sites of one account share a host and a connection, opened by whoever comes first."""
        hosts = SshHosts({"one": settings, "two": dataclasses.replace(settings)}, *make_echo_reader(tmp_path))
        assert hosts.of_site("one") is hosts.of_site("two")
        before = sshd.connections()
        await asyncio.gather(
            *(hosts.of_site(name).run(Command(argv=["true"])) for name in ("one", "two") * 4)
        )
        assert sshd.connections() == before + 1
        await hosts.close()
        with pytest.raises(KeyError):
            hosts.of_site("three")

    async def test_through_a_jump_host(
        self, sshd: PrivateSshd, settings: HostSettings, tmp_path: Path
    ) -> None:
        """A host behind another one is reached through it, each with its own pinned key."""
        with private_sshd(tmp_path / "jump", keys_from=sshd) as jump:
            host = host_of(dataclasses.replace(settings, jump=jump.settings))
            assert (await host.identity()).host_key == sshd.host_key_fingerprint()
            assert jump.connections() == 1
            wrong = dataclasses.replace(jump.settings, known_hosts_path=settings.known_hosts_path)
            with pytest.raises(HostKeyChangedError, match=f":{jump.port}"):
                await host_of(dataclasses.replace(settings, jump=wrong)).run(Command(argv=["true"]))
            await host.close()

    async def test_a_closed_host_opens_again(self, host: ShellHost) -> None:
        """After close the next call opens a connection anew."""
        await host.run(Command(argv=["true"]))
        await host.close()
        assert (await host.run(Command(argv=["echo", "back"]))).stdout == "back\n"


class TestLogin:
    """What an account's own start files do."""

    @pytest.fixture
    def start_file(self, sshd: PrivateSshd) -> Iterator[Path]:
        path = sshd.home / ".bashrc"
        yield path
        path.unlink()

    async def test_a_greeting_is_no_answer(self, host: ShellHost, start_file: Path, site_root: str) -> None:
        """What start files print is not taken for output, of a fact or of a job's answer."""
        start_file.write_text("echo backout-job BUSY nobody; printf 'Welcome!'\n")
        assert (await host.run(Command(argv=["echo", "fact"]))).stdout == "fact\n"
        assert (await host.job_status(site_root, "k")).state is JobState.NONE

    async def test_a_login_that_ends_is_not_started(self, host: ShellHost, start_file: Path) -> None:
        """An account whose login ends before our line runs nothing, whatever its exit status."""
        start_file.write_text("echo 'This account is closed.' >&2; exit 0\n")
        with pytest.raises(NotStartedError, match="This account is closed"):
            await host.run(Command(argv=["true"]))


class TestDroppedLinks:
    """HAZARDS D1, D2, D6: what is not known is called unknown, and jobs live on."""

    async def test_a_drop_in_the_middle_is_unknown(
        self, host: ShellHost, sshd: PrivateSshd, tmp_path: Path
    ) -> None:
        """A command whose link drops has an unknown outcome, never success; the next command reconnects."""
        running = asyncio.create_task(host.run(shell("echo x >$1; sleep 5", str(tmp_path / "began"))))
        await eventually_exists(tmp_path / "began")
        assert sshd.drop_links() == 1
        with pytest.raises(UnknownOutcomeError, match="dropped"):
            await running
        assert (await host.run(Command(argv=["echo", "again"]))).stdout == "again\n"

    async def test_a_question_whose_link_drops_has_no_answer(
        self, host: ShellHost, sshd: PrivateSshd, tmp_path: Path
    ) -> None:
        """The reader's questions end with the link, on this side and on the host; the next one reconnects."""
        asked = asyncio.create_task(host.reader("sleep", {"path": str(tmp_path / "pids")}))
        await eventually_exists(tmp_path / "pids")
        sshd.drop_links()
        with pytest.raises(UnknownOutcomeError, match="gave no answer"):
            await asked
        for pid in (tmp_path / "pids").read_text().split():
            await gone(int(pid))
        assert (await host.reader("echo", {}))["ok"]

    async def test_a_frozen_host_is_unknown(
        self, settings: HostSettings, sshd: PrivateSshd, tmp_path: Path
    ) -> None:
        """A host that falls silent in the middle of a command is given up by the keep-alive, as unknown."""
        host = host_of(dataclasses.replace(settings, keepalive_interval=timedelta(seconds=0.1)))
        running = asyncio.create_task(host.run(shell("echo x >$1; sleep 5", str(tmp_path / "began"))))
        await eventually_exists(tmp_path / "began")
        sshd.freeze_links()
        with pytest.raises(UnknownOutcomeError, match="dropped"):
            await running
        sshd.drop_links()
        assert (await host.run(Command(argv=["echo", "again"]))).stdout == "again\n"
        await host.close()

    async def test_a_job_outlives_the_link(
        self, host: ShellHost, sshd: PrivateSshd, site_root: str, tmp_path: Path
    ) -> None:
        """A job goes on while links drop, runs once, and whoever waits for it gets its end."""
        command = shell("echo run >>$1; sleep 0.8; echo done", str(tmp_path / "log"))
        await host.start_job(site_root, "k", command)
        waiting = asyncio.create_task(host.wait_job(site_root, "k", timedelta(seconds=20)))
        for _ in range(3):
            await asyncio.sleep(0.2)
            sshd.drop_links()
        assert (await host.start_job(site_root, "k", command)).attached
        assert (await waiting).state is JobState.DONE
        assert (tmp_path / "log").read_text() == "run\n"
        assert await host.job_output(site_root, "k", "stdout") == "done\n"

    async def test_a_start_cut_short_never_runs(
        self, host: ShellHost, site_root: str, work_folder: Path
    ) -> None:
        """A command that arrives in part, as its link dropped, is not started, and leaves no file behind."""
        await host.job_status(site_root, "warm")
        (script,) = work_folder.glob("bin/job-*.sh")
        cut = subprocess.run(
            ["sh", script, site_root, "run", "k", "100", "0", "no"],
            input=b"rm -rf half/a/pa",
            capture_output=True,
            check=True,
        )
        assert b"REFUSED" in cut.stdout
        assert (await host.job_status(site_root, "k")).state is JobState.NONE
        assert not list(Path(site_root).glob("incoming.*"))

    async def test_a_cancelled_call_frees_its_channel(self, host: ShellHost) -> None:
        """Callers who give up do not use up the host's channels."""
        for _ in range(3):
            calls = [asyncio.create_task(host.run(Command(argv=["sleep", "20"]))) for _ in range(8)]
            await asyncio.sleep(0.15)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        assert (await host.run(Command(argv=["echo", "free"]))).stdout == "free\n"

    async def test_many_waiters_leave_room(self, host: ShellHost, site_root: str) -> None:
        """Ten jobs that are waited for at once all end, and a fact does not wait for them."""
        roots = [f"{site_root}{n}" for n in range(10)]
        await asyncio.gather(*(host.start_job(root, "k", shell("sleep 0.6")) for root in roots))
        waiting = [asyncio.create_task(ended(host, root, "k")) for root in roots]
        await asyncio.sleep(0.1)
        assert (
            await host.run(Command(argv=["echo", "fact"], timeout=timedelta(seconds=1)))
        ).stdout == "fact\n"
        assert {status.state for status in await asyncio.gather(*waiting)} == {JobState.DONE}

    async def test_all_channels_taken(self, host: ShellHost) -> None:
        """A command that gets no channel in time was not started."""
        slow = [asyncio.create_task(host.run(Command(argv=["sleep", "0.6"]))) for _ in range(8)]
        await asyncio.sleep(0.3)
        with pytest.raises(NotStartedError, match="no channel"):
            await host.run(Command(argv=["true"], timeout=timedelta(seconds=0.2)))
        await asyncio.gather(*slow)

    async def test_a_fact_does_not_run_on_alone(self, host: ShellHost, tmp_path: Path) -> None:
        """The host itself has a time limit for a fact that the bot has given up."""
        with pytest.raises(UnknownOutcomeError):
            await host.run(
                Command(
                    argv=[
                        "sh",
                        "-c",
                        'cat "/proc/$PPID/cmdline" >"$1"; sleep 9',
                        "sh",
                        str(tmp_path / "parent"),
                    ],
                    timeout=timedelta(seconds=1.5),  # long enough for a channel on a busy machine
                )
            )
        assert (tmp_path / "parent").read_text().split("\0")[:4] == ["timeout", "-k", "5", "6.5"]


@pytest.mark.long
async def test_stop_is_stronger_than_an_ignored_term(host: ShellHost, site_root: str, tmp_path: Path) -> None:
    """A process that ignores TERM gets three seconds, then KILL."""
    text = "trap '' TERM; echo $$ >$1; while :; do sleep 0.05; done"
    await host.start_job(site_root, "k", shell(text, str(tmp_path / "pid")))
    await eventually_exists(tmp_path / "pid")
    assert (await host.stop_job(site_root, "k")).state is JobState.STOPPED
    assert not is_alive(int((tmp_path / "pid").read_text()))


async def test_a_warm_start_is_quick(host: ShellHost, site_root: str) -> None:
    """On a warm connection a job runs before a person notices; the limit is wide, as the machine may be busy."""
    await host.start_job(site_root, "first", shell("true"))
    await ended(host, site_root, "first")
    began = time.monotonic()
    await host.start_job(site_root, "second", shell("true"))
    assert time.monotonic() - began < 2
