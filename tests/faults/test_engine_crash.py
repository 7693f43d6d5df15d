"""Backout's process ends at any moment; the host's own log is the judge of what was run."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from adapters.sql_store.store import SqlStore
from adapters.sql_store.verify import verify_timelines
from bot.model.event import Entry, Kind
from bot.model.operation import Operation, OperationState
from tests.faults.engine_process import DIED, STEPS, carry_out, exit_status, fill, forked, open_store, prepare

# Two jobs with three checkpoints each: intent, launched, end.
CHECKPOINTS = 3 * len(STEPS)


async def filled(folder: Path, *, sites: int, operations: int) -> None:
    prepare(folder, sites)
    store = await open_store(folder)
    await fill(store, sites, operations)
    await store.close()


def lines(folder: Path) -> list[list[str]]:
    return [line.split() for line in (folder / "log").read_text().splitlines()]


def assert_each_job_ran_once(folder: Path, operations: list[Operation]) -> None:
    """Judge by the host's log: every job began once and ended once, and never two of one site at a time."""
    assert [operation.error for operation in operations if operation.state is not OperationState.DONE] == []
    wanted = {f"{operation.id}.{step}" for operation in operations for step in STEPS}
    assert Counter(key for _, key, what in lines(folder) if what == "began") == dict.fromkeys(wanted, 1)
    at_work: dict[str, str] = {}
    for site, key, what in lines(folder):
        if what == "began":
            assert site not in at_work
            at_work[site] = key
        else:
            assert at_work.pop(site) == key
    assert at_work == {}


async def timelines(folder: Path, operations: list[Operation]) -> dict[str, list[Entry]]:
    """Return the timelines by incident; each is whole, and has each job exactly once."""
    store = await SqlStore.open(f"sqlite:///{folder}/store.db", read_only=True)
    assert await verify_timelines(store) == []
    found = {
        incident.id: await store.transact(lambda tx, i=incident.id: tx.entries(i))
        for incident in await store.transact(lambda tx: tx.incidents())
    }
    await store.close()
    told = [e.data["job_key"] for entries in found.values() for e in entries if e.kind is Kind.HOST_COMMAND]
    assert sorted(told) == sorted(f"{operation.id}.{step}" for operation in operations for step in STEPS)
    return found


@pytest.mark.parametrize("moment", ["dies-before", "dies-after"])
@pytest.mark.parametrize("checkpoint", range(1, CHECKPOINTS + 1))
def test_a_crash_at_any_checkpoint(tmp_path: Path, checkpoint: int, moment: str) -> None:
    """A process that ends at its k-th checkpoint, before or after the commit, leaves work that is done once in all."""
    asyncio.run(filled(tmp_path, sites=1, operations=1))
    assert exit_status(forked(tmp_path, (moment, checkpoint)), 30) == DIED
    operations = asyncio.run(carry_out(tmp_path, 0.05))
    assert_each_job_ran_once(tmp_path, operations)
    entries = asyncio.run(timelines(tmp_path, operations))["site0-1"]
    assert [e.data["claim"] for e in entries if e.kind is Kind.RECOVERED_AFTER_CRASH] == [2]


def random_kills(folder: Path, seconds: float, *, operations: int) -> int:
    """Kill processes at random moments for some seconds, then let one come to the end; return how many were killed.

    Each eighth may get on with its work: after twenty in a row that did not, an operation is rightly given up.
    """
    asyncio.run(filled(folder, sites=3, operations=operations))
    chance = random.Random(20260131)
    until, kills = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        pid = forked(folder)
        if exit_status(pid, 4.0 if kills % 8 == 7 else chance.uniform(0.02, 1.0)) is not None:
            break
        os.kill(pid, signal.SIGKILL)
        # It may have come to its end by itself in the last moment.
        status = exit_status(pid, 10)
        assert status in (0, -signal.SIGKILL)
        kills += status != 0
    ended = asyncio.run(carry_out(folder, 0.05))
    assert_each_job_ran_once(folder, ended)
    asyncio.run(timelines(folder, ended))
    return kills


def test_random_kills_for_six_seconds(tmp_path: Path) -> None:
    """Killed with `kill -9` at random for six seconds, every job ran once, never two on a site, and all ended."""
    assert random_kills(tmp_path, 6, operations=7) >= 4


@pytest.mark.long
def test_random_kills_for_forty_seconds(tmp_path: Path) -> None:
    """The same for forty seconds and more work."""
    assert random_kills(tmp_path, 40, operations=20) >= 20
