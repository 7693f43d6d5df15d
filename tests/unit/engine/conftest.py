"""Fixtures of the engine's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.sql_store.store import SqlStore
from tests.unit.engine.scene import Scene


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    store = await SqlStore.open("sqlite://")
    await store.transact(
        lambda tx: tx.open_incident(incident_id="shop-1", site="shop", channel="c", title="t")
    )
    made = Scene(store)
    yield made
    await made.close()
