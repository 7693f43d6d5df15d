"""Backout's process ends at any moment; the host's own log is the judge of what was run."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from adapters.sql_store.store import SqlStore
from adapters.sql_store.verify import verify_timelines
from bot.model.event import Kind
from bot.model.operation import Operation, OperationState
from tests.faults.engine_process import DIED, STEPS, carry_out, fill, open_store, prepare

# Two jobs with three checkpoints each: intent, launched, end.
CHECKPOINTS = 3 * len(STEPS)


def process(folder: Path, *how: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.faults.engine_process", str(folder), *how])


async def filled(folder: Path, *, sites: int, operations: int) -> None:
    prepare(folder, sites)
    store = await open_store(folder)
    await fill(store, sites, operations)
    await store.close()


def lines(folder: Path) -> list[list[str]]:
    return [line.split() for line in (folder / "log").read_text().splitlines()]


def assert_each_job_ran_once(folder: Path, operations: list[Operation]) -> None:
    """Judge by the host's log: every job began once and ended once, and never two of one site at a time."""
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
    assert {operation.state for operation in operations} == {OperationState.DONE}


async def assert_timelines(folder: Path, operations: list[Operation]) -> None:
    """Each job is in its timeline exactly once, and every timeline is whole."""
    store = await SqlStore.open(f"sqlite:///{folder}/store.db", read_only=True)
    assert await verify_timelines(store) == []
    for operation in operations:
        entries = await store.transact(lambda tx, o=operation: tx.entries(o.incident_id))
        keys = [e.data["job_key"] for e in entries if e.kind is Kind.HOST_COMMAND]
        assert Counter(keys)[f"{operation.id}.load"] == 1
        assert Counter(keys)[f"{operation.id}.check"] == 1
    await store.close()


@pytest.mark.parametrize("moment", ["dies-before", "dies-after"])
@pytest.mark.parametrize("checkpoint", range(1, CHECKPOINTS + 1))
async def test_a_crash_at_any_checkpoint(tmp_path: Path, checkpoint: int, moment: str) -> None:
    """A process that ends at its k-th checkpoint, before or after the commit, leaves work that is done once in all."""
    await filled(tmp_path, sites=1, operations=1)
    crashed = await asyncio.to_thread(process(tmp_path, moment, str(checkpoint)).wait, 30)
    assert crashed == DIED
    operations = await carry_out(tmp_path, 0.05)
    assert_each_job_ran_once(tmp_path, operations)
    await assert_timelines(tmp_path, operations)
    store = await SqlStore.open(f"sqlite:///{tmp_path}/store.db", read_only=True)
    entries = await store.transact(lambda tx: tx.entries("site0-1"))
    await store.close()
    assert [e.data["claim"] for e in entries if e.kind is Kind.RECOVERED_AFTER_CRASH] == [2]


async def random_kills(folder: Path, seconds: float, *, operations: int) -> int:
    """Kill processes at random moments for some seconds, then let one come to the end; return how many were killed."""
    await filled(folder, sites=3, operations=operations)
    chance = random.Random(20260131)
    until, kills = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        running = process(folder)
        # The first moments are Python's start; after them anything may be under way.
        try:
            await asyncio.to_thread(running.wait, chance.uniform(0.5, 1.6))
            break
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
            kills += 1
    ended = await carry_out(folder, 0.05)
    assert_each_job_ran_once(folder, ended)
    await assert_timelines(folder, ended)
    return kills


async def test_random_kills_for_six_seconds(tmp_path: Path) -> None:
    """Killed with `kill -9` at random for six seconds, every job ran once, never two on a site, and all ended."""
    assert await random_kills(tmp_path, 6, operations=12) >= 2


@pytest.mark.long
async def test_random_kills_for_forty_seconds(tmp_path: Path) -> None:
    """The same for forty seconds and more work."""
    assert await random_kills(tmp_path, 40, operations=80) >= 15
