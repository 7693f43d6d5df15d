"""Fixtures of the service's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.sql_store.store import SqlStore
from tests.unit.service.night import Night, night_at
from tests.unit.service.office import Office, Time


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    clock = Time()
    store = await SqlStore.open("sqlite://", clock=clock)
    yield Office(store, clock, tmp_path)
    await store.close()


@pytest.fixture
async def night(office: Office) -> AsyncIterator[Night]:
    async with night_at(office) as made:
        yield made
