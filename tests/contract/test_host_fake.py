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


class TestReader(ReaderContract):
    """See the contract."""


async def test_it_is_a_host(host: FakeHost) -> None:
    """The fake has the methods of the port."""
    as_port: Host = host
    assert as_port.name == "fake.example"


async def test_a_pulled_plug(host: FakeHost, site_root: str) -> None:
    """A drop makes the call in flight unknown, the job runs on, and an unreachable host starts nothing."""
    running = asyncio.create_task(host.run(Command(argv=["sleep", "30"])))
    await host.start_job(site_root, "k", shell("sleep 0.3"))
    assert host.link.drop() == 1
    with pytest.raises(UnknownOutcomeError):
        await running
    host.link.reachable = False
    with pytest.raises(NotStartedError):
        await host.run(Command(argv=["true"]))
    host.link.reachable = True
    assert (await ended(host, site_root, "k")).state is JobState.DONE
