"""A store in memory and engines on it, for tests of the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from adapters.sql_store.store import SqlStore
from bot.model.errors import StoreUnavailableError
from bot.model.event import Entry, Kind
from bot.model.operation import Operation, OperationState
from bot.ports.store import Store, Transaction
from bot.service.engine import Engine, Handler, OperationContext, Pace

T = TypeVar("T")
LIMIT = timedelta(seconds=10)
FAST = Pace(
    site_wait=timedelta(seconds=5),
    look=timedelta(seconds=0.1),
    first_retry=timedelta(milliseconds=5),
    longest_retry=timedelta(milliseconds=20),
    abort_limit=timedelta(seconds=0.3),
)


class PluggedStore:
    """A store with a plug that can be pulled, as a database server that goes away and comes back."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.reachable = True
        self.failed = 0

    async def transact(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        if not self.reachable:
            self.failed += 1
            raise StoreUnavailableError("the plug is pulled")
        return await self._store.transact(body)

    async def read(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        if not self.reachable:
            self.failed += 1
            raise StoreUnavailableError("the plug is pulled")
        return await self._store.read(body)

    def on_change(self, callback: Callable[[str], None]) -> None:
        self._store.on_change(callback)

    async def close(self) -> None:
        await self._store.close()


class Scene:
    """One store with an open incident of the site `shop`, and the engines of a test."""

    def __init__(self, store: SqlStore) -> None:
        self.store = store
        self.engines: list[Engine] = []

    async def engine(
        self,
        handlers: Mapping[str, Handler],
        aborts: Mapping[str, Handler] | None = None,
        *,
        owner: str = "one",
        store: Store | None = None,
        lease: float = 20,
        pace: Pace = FAST,
        poll: float = 0.02,
        sole: bool = False,
    ) -> Engine:
        engine = Engine(
            store or self.store,
            owner,
            handlers,
            aborts,
            lease=timedelta(seconds=lease),
            poll=timedelta(seconds=poll),
            pace=pace,
        )
        self.engines.append(engine)
        await engine.start(sole)
        return engine

    async def add(self, name: str, kind: str = "work", **more: Any) -> bool:
        values = {"incident_id": "shop-1", "site": "shop", "person": "ann", **more}
        added = await self.store.transact(
            lambda tx: tx.add_operation(Operation(id=name, kind=kind, **values))
        )
        for engine in self.engines:
            engine.wake()
        return added

    async def ended(self, name: str) -> Operation:
        return await self.engines[0].wait(name, LIMIT)

    async def operation(self, name: str) -> Operation:
        operation = await self.store.transact(lambda tx: tx.operation(name))
        assert operation is not None
        return operation

    async def holder(self) -> str | None:
        return await self.store.transact(lambda tx: tx.site_holder("shop"))

    async def entries(self, *kinds: Kind) -> list[Entry]:
        entries = await self.store.transact(lambda tx: tx.entries("shop-1"))
        return [entry for entry in entries if not kinds or entry.kind in kinds]

    async def until(self, condition: Callable[[], bool]) -> None:
        async def look() -> bool:
            return condition()

        await self.until_seen(look)

    async def until_seen(self, look: Callable[[], Awaitable[object]]) -> None:
        async with asyncio.timeout(LIMIT.total_seconds()):
            while not await look():  # noqa: ASYNC110 - the store rings nobody
                await asyncio.sleep(0.005)

    async def end_crashed(self, name: str, times: int) -> None:
        """Make it as if processes had claimed the operation, begun it, and ended, so often."""
        for _ in range(times):
            await self.store.transact(lambda tx: tx.begin_try(name))
            await self.store.transact(lambda tx: tx.claim("dead", ["work"], timedelta(0), 20, ()))
        assert (await self.operation(name)).state is OperationState.RUNNING

    async def close(self) -> None:
        for engine in self.engines:
            await engine.close()
        await self.store.close()


def counting(runs: list[str]) -> Handler:
    async def handler(ctx: OperationContext) -> str:
        runs.append(ctx.operation.id)
        await asyncio.sleep(0)
        return ctx.operation.id

    return handler
