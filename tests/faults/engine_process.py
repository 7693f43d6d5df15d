"""A Backout process in small, to be killed: a store in a file, an engine, and operations that run two jobs each.

Its folder holds the store and is the home of a host of this machine, whose log has a line `SITE KEY began` and
`SITE KEY ended` for each job. The process is a fork, so that its moments are moments of work and not of Python's start.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from adapters.sql_store.store import SqlStore
from bot.model.operation import Operation, OperationState
from bot.ports.host import Command
from bot.ports.store import Store, Transaction
from bot.service.engine import Engine, Handler, OperationContext
from bot.service.jobs import run_job
from tests.fakes.host import FakeHost

T = TypeVar("T")
DIED = 9
STEPS = ("load", "check")
SCRIPT = 'echo "$1 $2 began" >> log; sleep "$3"; echo "$1 $2 ended" >> log'


class CountedTransaction:
    """A transaction that counts the checkpoints recorded through it."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.recorded = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transaction, name)

    async def add_checkpoint(self, operation_id: str, name: str, result: object) -> bool:
        self.recorded += 1
        return await self._transaction.add_checkpoint(operation_id, name, result)


class DyingStore:
    """A store whose process ends at a certain checkpoint, without any farewell."""

    def __init__(self, store: SqlStore, *, checkpoint: int, before_commit: bool) -> None:
        self._store = store
        self._left = checkpoint
        self._before_commit = before_commit

    async def transact(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        async def counted(tx: Transaction) -> T:
            transaction: Any = CountedTransaction(tx)
            result = await body(transaction)
            self._left -= transaction.recorded
            if self._left <= 0 and transaction.recorded and self._before_commit:
                os._exit(DIED)
            return result

        result = await self._store.transact(counted)
        if self._left <= 0 and not self._before_commit:
            os._exit(DIED)
        return result

    def on_change(self, callback: Callable[[str], None]) -> None:
        self._store.on_change(callback)

    async def close(self) -> None:
        await self._store.close()


def two_jobs(host: FakeHost, seconds: float) -> Handler:
    """A handler that runs two jobs, one after the other."""

    async def handler(ctx: OperationContext) -> list[str]:
        keys = []
        for step in STEPS:
            key = f"{ctx.operation.id}.{step}"
            argv = ["sh", "-c", SCRIPT, "job", ctx.operation.site, key, str(seconds)]
            result = await run_job(
                ctx,
                host=host,
                root=str(host.link.home / "jobs" / ctx.operation.site),
                step=step,
                describe=step,
                command=Command(argv=argv, cwd=str(host.link.home)),
                person="ann",
                timeout=timedelta(seconds=60),
            )
            keys.append(result.key)
        return keys

    return handler


async def fill(store: Store, sites: int, operations: int) -> None:
    """Open an incident for each site and add its operations."""

    async def body(tx: Transaction) -> None:
        for site in (f"site{i}" for i in range(sites)):
            await tx.open_incident(incident_id=f"{site}-1", site=site, channel="c", title="t")
            for number in range(operations):
                values = {"incident_id": f"{site}-1", "site": site, "person": "ann", "changes_site": True}
                await tx.add_operation(Operation(id=f"{site}-op{number}", kind="work", **values))

    await store.transact(body)


async def open_store(folder: Path) -> SqlStore:
    return await SqlStore.open(f"sqlite:///{folder}/store.db")


def prepare(folder: Path, sites: int) -> None:
    for i in range(sites):
        (folder / "jobs" / f"site{i}").mkdir(parents=True)


def engine_on(store: Store, folder: Path, seconds: float) -> Engine:
    host = FakeHost(folder)
    return Engine(
        store, f"process {os.getpid()}", {"work": two_jobs(host, seconds)}, poll=timedelta(seconds=0.1)
    )


async def carry_out(folder: Path, seconds: float, dying: tuple[str, int] | None = None) -> list[Operation]:
    """Take up what is there and return all operations once every one has ended."""
    opened = await open_store(folder)
    store: Store = opened
    if dying is not None:
        store = DyingStore(opened, checkpoint=dying[1], before_commit=dying[0] == "dies-before")
    engine = engine_on(store, folder, seconds)
    await engine.start(sole=True)
    for operation in await opened.transact(lambda tx: tx.operations(state=OperationState.RUNNING)):
        await engine.wait(operation.id, timedelta(seconds=60))
    ended = await opened.transact(lambda tx: tx.operations())
    await engine.close()
    await opened.close()
    return ended


def forked(folder: Path, dying: tuple[str, int] | None = None) -> int:
    """Start a process that takes up what is there, and return its pid. Call it where no event loop is running.

    `dying` ("dies-before" or "dies-after", K): it ends itself at its K-th checkpoint, just before or after the commit.
    """
    pid = os.fork()
    if pid == 0:
        try:
            asyncio.run(carry_out(folder, 0.05, dying))
            os._exit(0)
        finally:
            os._exit(1)
    return pid


def exit_status(pid: int, limit_s: float) -> int | None:
    """Return the process's exit status (negative: its signal), or None when it still runs after some seconds."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return None
