"""The reader's process on the host: ended when nobody asks, started again, asked while it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.ssh_host.serving_reader import ServingReader
from adapters.ssh_host.shipped import Shipping, reader_program
from bot.model.errors import FailedError, NotStartedError, UnknownOutcomeError
from tests.contract.echo_reader import make_echo_reader
from tests.contract.host_contract import eventually_exists, gone
from tests.fakes.host import LocalLink

PYTHON = ["/usr/bin/python3", "-I", "-S"]
LIMIT = timedelta(seconds=30)
SENT = 1
"""Lines that send the program."""


@pytest.fixture
async def link(tmp_path: Path) -> AsyncIterator[LocalLink]:
    home = tmp_path / "home"
    home.mkdir()
    link = LocalLink(home)
    yield link
    await link.close()


def reader_on(link: LocalLink, folder: Path, idle_s: float = 60.0) -> ServingReader:
    program = reader_program(".backout", *make_echo_reader(folder))
    return ServingReader(link, Shipping(link), program, idle_s)


async def parent_of(reader: ServingReader) -> int:
    answer = await reader.ask(PYTHON, "process", {}, LIMIT)
    return int(json.loads(answer.printed)["parent"])


async def test_it_ends_when_nobody_asks(link: LocalLink, tmp_path: Path) -> None:
    """Nothing is left on a host that is not looked at, and the next question starts it again."""
    reader = reader_on(link, tmp_path, idle_s=0.2)
    first = await parent_of(reader)
    assert await parent_of(reader) == first
    await gone(first)
    assert await parent_of(reader) != first
    await reader.close()


async def test_what_is_given_up_does_not_end_it_later(link: LocalLink, tmp_path: Path) -> None:
    """Each question puts its end off, also behind one that was given up and answered all the same."""
    reader = reader_on(link, tmp_path, idle_s=2.0)
    await parent_of(reader)
    with pytest.raises(UnknownOutcomeError):
        await reader.ask(PYTHON, "sleep", {"path": str(tmp_path / "pids")}, timedelta(seconds=0.5))
    first = await parent_of(reader)
    for _ in range(3):
        await asyncio.sleep(0.8)
        assert await parent_of(reader) == first
    await reader.close()


async def test_questions_at_the_moment_of_its_end_are_answered(link: LocalLink, tmp_path: Path) -> None:
    """A question that meets the end is asked of a new one."""
    reader = reader_on(link, tmp_path, idle_s=0.0)
    for pause_s in (0, 0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05):
        await parent_of(reader)
        await asyncio.sleep(pause_s)
    await reader.close()


async def test_a_long_answer_is_whole(link: LocalLink, tmp_path: Path) -> None:
    """Answers come in pieces and beside each other, each as it was written."""
    reader = reader_on(link, tmp_path)
    texts = [letter * 3_000_000 for letter in "abc"]
    answers = await asyncio.gather(*(reader.ask(PYTHON, "echo", {"text": text}, LIMIT) for text in texts))
    assert [json.loads(answer.printed)["request"]["text"] for answer in answers] == texts
    await reader.close()


async def test_a_host_that_is_gone_is_not_asked(link: LocalLink, tmp_path: Path) -> None:
    """Where the host cannot be reached nothing is asked; where the calls were lost no answer comes."""
    reader = reader_on(link, tmp_path)
    asked = asyncio.create_task(reader.ask(PYTHON, "sleep", {"path": str(tmp_path / "pids")}, LIMIT))
    await eventually_exists(tmp_path / "pids")
    link.reachable = False
    with pytest.raises(NotStartedError):
        await reader.ask(PYTHON, "echo", {}, LIMIT)
    link.drop()
    with pytest.raises(UnknownOutcomeError, match="gave no answer"):
        await asked
    link.reachable = True
    assert (await reader.ask(PYTHON, "echo", {}, LIMIT)).exit_status == 0
    await reader.close()


async def test_a_python_that_fails_is_told(link: LocalLink, tmp_path: Path) -> None:
    """An interpreter that ends before it can be asked is a failure with its exit status, and nothing was changed."""
    with pytest.raises(FailedError, match="exit status 3 before it could be asked"):
        await reader_on(link, tmp_path).ask(["sh", "-c", "exit 3"], "echo", {}, LIMIT)


async def test_it_cannot_be_asked_in_time(link: LocalLink, tmp_path: Path) -> None:
    """A process that does not come up within the limit was not asked."""
    with pytest.raises(NotStartedError, match=r"could not be asked within 0\.3 s"):
        await reader_on(link, tmp_path).ask(["sh", "-c", "exec sleep 20"], "echo", {}, timedelta(seconds=0.3))


async def test_a_host_without_room_for_a_process_is_told(link: LocalLink, tmp_path: Path) -> None:
    """Where the host allows no more open files or processes that question fails, and the reader lives on."""
    few_files = ["sh", "-c", 'ulimit -n 6; exec /usr/bin/python3 -I -S "$@"', "sh"]
    reader = reader_on(link, tmp_path)
    for _ in range(2):
        answer = await reader.ask(few_files, "echo", {}, LIMIT)
        assert (answer.exit_status, answer.printed) == (71, b"")
    assert len(link.lines) == 2 + SENT
    await reader.close()
