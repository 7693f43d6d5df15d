"""Fixtures for the tests of the stand-in of Slack: one process for each file, a new workspace for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.fakes.common.process import running
from tests.fakes.slack.client import Person, Slack


@pytest.fixture(scope="module")
def slack_address() -> Iterator[str]:
    with running("slack") as address:
        yield address


@pytest.fixture
async def slack(slack_address: str) -> AsyncIterator[Slack]:
    async with Slack.at(slack_address) as slack:
        await slack.reset()
        yield slack


@pytest.fixture
async def ada(slack: Slack) -> Person:
    return await slack.add_person("ada")


@pytest.fixture
async def general(slack: Slack, ada: Person) -> str:
    return await slack.add_channel("general", members=[ada])
