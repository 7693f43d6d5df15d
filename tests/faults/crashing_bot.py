"""The real bot, ended or failed by its host at one chosen moment.

python -m tests.faults.crashing_bot SETTINGS MOMENT

A moment is two or three words with colons. The process ends itself without farewell (exit status 9):

before:KIND:CHECKPOINT   right before the commit that adds this checkpoint to an operation of this kind
after:KIND:CHECKPOINT    right after that commit
unsent:STEP              when the job of this step is to be started and nothing was sent yet
sent:STEP                when the host has just said that the job of this step runs
paused:STEP              the same, and the job is held still (SIGSTOP) before it has done anything

The process goes on and the host fails it, once:

unreachable:STEP         the job of this step cannot be sent, the host is out of reach
lost:STEP                the job of this step is sent, and the link is lost before the host's answer
silent:STEP              the host is out of reach for the first question after the job of this step has ended
killed:STEP              every process of the job is killed at once, as a restart of the host would
written:STEP             every process of the job is killed while it writes the live file
out-of-memory:STEP       only the job's program is killed; the shell that watches it tells the status
held:STEP                the job is held still (SIGSTOP); who started this lets it go on
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from bot.model.errors import NotStartedError, UnknownOutcomeError
from bot.ports.host import Command, Hosts, JobStatus
from bot.ports.store import Store, Transaction
from bot.settings import load_settings
from bot.wiring import build

T = TypeVar("T")
DIED = 9
JOURNAL_LIMIT_S = 10.0
PROGRAM_LIMIT_S = 5.0


class WatchedTransaction:
    """A transaction that notices when one checkpoint of one kind of operation is added."""

    def __init__(self, transaction: Transaction, kind: str, checkpoint: str) -> None:
        self._transaction = transaction
        self._wanted = (kind, checkpoint)
        self.reached = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transaction, name)

    async def add_checkpoint(self, operation_id: str, name: str, result: object) -> bool:
        operation = await self._transaction.operation(operation_id)
        self.reached |= operation is not None and (operation.kind, name) == self._wanted
        return await self._transaction.add_checkpoint(operation_id, name, result)


class DyingStore:
    """A store whose process ends around one commit."""

    def __init__(self, store: Store, when: str, kind: str, checkpoint: str) -> None:
        self._store = store
        self._when, self._kind, self._checkpoint = when, kind, checkpoint

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def transact(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        reached = False

        async def watched(tx: Transaction) -> T:
            nonlocal reached
            transaction: Any = WatchedTransaction(tx, self._kind, self._checkpoint)
            result = await body(transaction)
            reached = transaction.reached
            if reached and self._when == "before":
                os._exit(DIED)
            return result

        result = await self._store.transact(watched)
        if reached:
            os._exit(DIED)
        return result


class FailingHost:
    """A host that fails, or ends this process, around the job of one step."""

    def __init__(self, host: Any, what: str, step: str, live: Path) -> None:
        self._host, self._what, self._step, self._live = host, what, step, live
        self._done = False
        self._silent = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)

    async def start_job(self, root: str, key: str, command: Command) -> JobStatus:
        return await self._around(root, key, lambda: self._host.start_job(root, key, command))

    async def reader_job(self, root: str, key: str, verb: str, request: dict[str, object]) -> JobStatus:
        return await self._around(root, key, lambda: self._host.reader_job(root, key, verb, request))

    async def reader(
        self, verb: str, request: dict[str, object], timeout: timedelta = timedelta(seconds=120)
    ) -> Any:
        if self._silent:
            self._silent = False
            raise NotStartedError("the host is out of reach (a fault of this test). Nothing was sent.")
        return await self._host.reader(verb, request, timeout=timeout)

    async def _around(self, root: str, key: str, launch: Callable[[], Awaitable[JobStatus]]) -> JobStatus:
        if self._done or not key.endswith(f".{self._step}"):
            return await launch()
        self._done = True
        if self._what == "unsent":
            os._exit(DIED)
        if self._what == "unreachable":
            raise NotStartedError("the host is out of reach (a fault of this test). Nothing was sent.")
        status = await launch()
        self._after(Path(root) / "jobs" / key)
        return status

    def _after(self, job: Path) -> None:
        if self._what == "sent":
            os._exit(DIED)
        if self._what == "lost":
            raise UnknownOutcomeError("the link was lost (a fault of this test).")
        if self._what == "silent":
            self._silent = True
        if self._what in ("paused", "held"):
            signal_session(job, signal.SIGSTOP)
        if self._what == "paused":
            os._exit(DIED)
        if self._what == "killed":
            signal_session(job, signal.SIGKILL)
        if self._what == "written":
            wait_for_journal(self._live)
            signal_session(job, signal.SIGKILL)
        if self._what == "out-of-memory":
            signal_program(job)


class FailingHosts:
    """Hosts of which each fails around the job of one step."""

    def __init__(self, hosts: Hosts, what: str, step: str, live: Path) -> None:
        self._hosts = hosts
        self._made: dict[str, FailingHost] = {}
        self._values = (what, step, live)

    def of_site(self, site: str) -> Any:
        if site not in self._made:
            self._made[site] = FailingHost(self._hosts.of_site(site), *self._values)
        return self._made[site]

    async def close(self) -> None:
        await self._hosts.close()


def session_of(job: Path) -> list[int]:
    """Return the pids of a job's session, the leader first. *Source*: proc(5), field 6 of stat."""
    leader = int((job / "pid").read_text().split()[0])
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[3] == str(leader) and fields[0] != "Z":
            found.append(int(folder.name))
    return sorted(found, key=lambda pid: pid != leader)


def signal_session(job: Path, number: int) -> None:
    """Send a signal to every process of a job."""
    for _ in range(3):  # what was forked while the list was read is found the next time
        for pid in session_of(job):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue


def signal_program(job: Path) -> None:
    """Kill the program of a job, and leave the shells that watch it, as the kernel does when memory runs out."""
    deadline = time.monotonic() + PROGRAM_LIMIT_S
    while time.monotonic() < deadline:
        for pid in session_of(job):
            if Path(f"/proc/{pid}/comm").read_text().startswith("python"):
                os.kill(pid, signal.SIGKILL)
                return
    raise TimeoutError(f"no program was seen in {job}")


def wait_for_journal(live: Path) -> None:
    """Return as soon as SQLite has begun to write its rollback journal beside the live file."""
    journal, deadline = Path(f"{live}-journal"), time.monotonic() + JOURNAL_LIMIT_S
    while time.monotonic() < deadline:
        try:
            if journal.stat().st_size > 0:
                return
        except FileNotFoundError:
            continue
    raise TimeoutError(f"{journal} was not written")


async def run(settings_path: Path, moment: str) -> None:
    settings = load_settings(settings_path)
    what, *rest = moment.split(":")
    live = Path(settings.sites["album"].app_path) / "database" / "database.sqlite"
    if what in ("before", "after"):
        bot = await build(settings, around_store=lambda store: DyingStore(store, what, rest[0], rest[1]))  # type: ignore[arg-type,return-value]
    else:
        bot = await build(settings, around_hosts=lambda hosts: FailingHosts(hosts, what, rest[0], live))  # type: ignore[arg-type,return-value]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    try:
        await bot.start()
        await stop.wait()
    finally:
        await bot.close()


def main() -> None:
    """Run the bot that the command line names."""
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2]))


if __name__ == "__main__":
    main()
