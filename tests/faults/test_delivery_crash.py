"""Backout ends in the middle of a command: a delivery that is on record has had its effect, any other may be sent again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from adapters.sql_store.store import SqlStore
from bot.model.message import Reply
from bot.ports.store import Store, Transaction
from tests.faults.engine_process import DIED, exit_status
from tests.playbooks.story import FROZEN_STORY
from tests.unit.service.office import Office, Time

T = TypeVar("T")
TEXTS = ("/incident note it was the nightly job", "/backups create", "/app freeze")


class DyingStore:
    """A store whose process ends in its next transaction: just before the commit, or just after it."""

    def __init__(self, store: Store, *, before_commit: bool) -> None:
        self._store = store
        self._before_commit = before_commit

    async def transact(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        async def last(tx: Transaction) -> T:
            result = await body(tx)
            if self._before_commit:
                os._exit(DIED)
            return result

        await self._store.transact(last)
        os._exit(DIED)


async def an_office(folder: Path) -> tuple[SqlStore, Office]:
    clock = Time()
    store = await SqlStore.open(f"sqlite:///{folder}/store.db", clock=clock)
    return store, Office(store, clock, folder)


async def dies(folder: Path, text: str, *, before_commit: bool) -> None:
    """Type a command in an office whose process ends in the middle of it."""
    store, office = await an_office(folder)
    await office.tell(FROZEN_STORY)
    dying: Any = DyingStore(store, before_commit=before_commit)
    office.inbox = office.inbox_on(dying)
    await office.types("anna", text, delivery="d-1")


async def sent_again(folder: Path, text: str) -> tuple[list[Reply], int]:
    """Send the same delivery twice to the process that was started anew; return its replies and what there is of effects."""
    store, office = await an_office(folder)
    replies = [await office.types("anna", text, delivery="d-1") for _ in range(2)]
    typed = [entry for entry in await office.timeline() if entry.text.endswith("nightly job")]
    effects = len(await office.operations()) + len(await office.open_decisions()) + len(typed)
    await store.close()
    return replies, effects


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("before_commit", [True, False])
def test_a_delivery_sent_again_after_a_crash_has_one_effect(
    tmp_path: Path, text: str, *, before_commit: bool
) -> None:
    """Killed before the commit, the command had no effect and has it now; killed after it, it is not repeated."""
    pid = os.fork()
    if pid == 0:
        try:
            asyncio.run(dies(tmp_path, text, before_commit=before_commit))
        finally:
            os._exit(1)
    assert exit_status(pid, 20) == DIED
    replies, effects = asyncio.run(sent_again(tmp_path, text))
    assert effects == 1
    received = ["received already" in reply.text for reply in replies]
    assert received == [not before_commit, True]
