"""The fake host keeps the contract of the real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.model.errors import NotStartedError, UnknownOutcomeError
from bot.ports.host import Command, Host, JobState
from tests.contract.echo_reader import make_echo_reader
from tests.contract.host_contract import JobContract, ReaderContract, RunContract, ended, shell
from tests.fakes.host import FakeHost


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[FakeHost]:
    host = FakeHost(tmp_path / "home", *make_echo_reader(tmp_path))
    yield host
    await host.close()


@pytest.fixture
def site_root(tmp_path: Path) -> str:
    return str(tmp_path / "site")


@pytest.fixture
def work_folder(tmp_path: Path) -> Path:
    return tmp_path / "home/.backout"


class TestRun(RunContract):
    """See the contract."""


class TestJobs(JobContract):
    """See the contract."""

    low_priority = False


class TestReader(ReaderContract):
    """See the contract."""


async def test_it_is_a_host(host: FakeHost) -> None:
    """The fake has the methods of the port."""
    as_port: Host = host
    assert as_port.name == "fake.example"


async def test_a_pulled_plug(host: FakeHost, site_root: str) -> None:
    """A drop makes the fact in flight unknown, a started job runs on, and an unreachable host starts nothing."""
    running = asyncio.create_task(host.run(Command(argv=["sleep", "30"])))
    await host.start_job(site_root, "k", shell("sleep 0.3"))
    assert host.link.drop() == 2
    with pytest.raises(UnknownOutcomeError):
        await running
    host.link.reachable = False
    with pytest.raises(NotStartedError):
        await host.run(Command(argv=["true"]))
    host.link.reachable = True
    assert (await ended(host, site_root, "k")).state is JobState.DONE


async def test_one_line_for_a_whole_job(host: FakeHost, site_root: str) -> None:
    """Where the programs are on the host, a job is started, waited for and read by one line."""
    for job in ("warm", "k"):
        before = len(host.link.lines)
        await host.reader_job(site_root, job, "echo", {})
        status = await ended(host, site_root, job)
        assert status.stdout == await host.job_output(site_root, job, "stdout")
    assert len(host.link.lines) - before == 1 + len(("job_output",))


async def test_a_start_whose_link_is_lost_is_asked_for(host: FakeHost, site_root: str) -> None:
    """The line that started a job and waits for its end may be lost: the next look asks the host for it."""
    await host.start_job(site_root, "k", shell("sleep 0.3; echo done"))
    waiting = asyncio.create_task(ended(host, site_root, "k"))
    await asyncio.sleep(0.05)
    assert host.link.drop() == 1
    assert (await waiting).stdout == "done\n"


async def test_a_wait_that_is_given_up_leaves_no_line(host: FakeHost, site_root: str) -> None:
    """Who gives up waiting gives up the line that started the job as well; the job runs on."""
    await host.start_job(site_root, "k", shell("sleep 0.6"))
    waiting = asyncio.create_task(ended(host, site_root, "k"))
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert host.link.drop() == 0
    assert (await host.job_status(site_root, "k")).state is JobState.RUNNING
    assert (await ended(host, site_root, "k")).state is JobState.DONE
