"""How operations are run: once, through recorded steps, to an end that is told."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.model.errors import FailedError, LeaseLostError, NotStartedError, UnknownOutcomeError
from bot.model.event import Kind, NewEntry
from bot.model.operation import OperationState
from bot.ports.store import Transaction
from bot.service.engine import OperationContext
from tests.unit.engine.scene import PluggedStore, Scene, counting


async def test_an_operation_is_done_with_its_result(scene: Scene) -> None:
    """A handler's result is stored as JSON gives it back, and its arguments reached it."""

    async def handler(ctx: OperationContext) -> object:
        return {"args": ctx.args, "pair": (1, 2)}

    await scene.engine({"work": handler})
    await scene.add("op", args={"a": "b"})
    ended = await scene.ended("op")
    assert (ended.state, ended.result) == (OperationState.DONE, {"args": {"a": "b"}, "pair": [1, 2]})


async def test_a_double_start_of_one_id_is_one_run(scene: Scene) -> None:
    """The same operation started twice at once runs once."""
    runs: list[str] = []
    await scene.engine({"work": counting(runs)})
    added = await asyncio.gather(scene.add("op"), scene.add("op"))
    await scene.ended("op")
    assert sorted(added) == [False, True]
    assert runs == ["op"]


async def test_250_clicks_on_25_ids_are_25_runs(scene: Scene) -> None:
    """Ten clicks on each of 25 buttons, over two engines, give 25 runs."""
    runs: list[str] = []
    for owner in ("one", "two"):
        await scene.engine({"work": counting(runs)}, owner=owner)
    await asyncio.gather(*(scene.add(f"op-{i % 25}") for i in range(250)))
    for i in range(25):
        assert (await scene.ended(f"op-{i}")).state is OperationState.DONE
    assert sorted(runs) == sorted(f"op-{i}" for i in range(25))


async def test_a_recorded_step_is_not_run_again(scene: Scene) -> None:
    """After a failure and a retry by a person, recorded steps give their results and only the rest is run."""
    acts: list[str] = []

    async def handler(ctx: OperationContext) -> object:
        async def first() -> tuple[int, int]:
            acts.append("first")
            return (1, 2)

        result = await ctx.step("first", first)
        if len(acts) == 1:
            acts.append("failed")
            raise FailedError("not this time")
        return result

    engine = await scene.engine({"work": handler})
    await scene.add("op")
    assert (await scene.ended("op")).error == "not this time"
    assert await engine.retry("op")
    assert (await scene.ended("op")).result == [1, 2]
    assert acts == ["first", "failed"]


async def test_a_step_and_its_entries_are_one(scene: Scene) -> None:
    """A record that raises leaves neither the checkpoint nor the entries."""

    async def handler(ctx: OperationContext) -> None:
        async def act() -> int:
            return 1

        async def record(tx: Transaction, result: int) -> None:
            await tx.append("shop-1", [NewEntry(kind=Kind.NOTE, text=f"got {result}")])
            raise FailedError("the record says no")

        await ctx.step("one", act, record)

    await scene.engine({"work": handler})
    await scene.add("op")
    assert (await scene.ended("op")).state is OperationState.FAILED
    assert await scene.entries(Kind.NOTE) == []
    assert await scene.store.transact(lambda tx: tx.checkpoints("op")) == {}


async def test_an_expected_failure_is_told_in_its_own_words(scene: Scene) -> None:
    """A BackoutError ends the operation as failed, with its message as error and as an entry."""

    async def handler(_: OperationContext) -> None:
        raise NotStartedError("web1 was not reached")

    await scene.engine({"work": handler})
    await scene.add("op")
    assert (await scene.ended("op")).error == "web1 was not reached"
    entry = (await scene.entries(Kind.OPERATION_FAILED))[0]
    assert (entry.text, entry.data) == ("web1 was not reached", {"operation": "op", "kind": "work"})


async def test_an_internal_fault_tells_its_place_and_no_values(scene: Scene) -> None:
    """Any other exception ends the operation as failed, with type, file and line, and without what the value was."""

    async def handler(_: OperationContext) -> None:
        raise KeyError("a secret value")

    await scene.engine({"work": handler})
    await scene.add("op")
    error = (await scene.ended("op")).error
    assert error is not None
    assert "KeyError at test_runs.py:" in error
    assert "secret" not in error


async def test_a_result_that_is_no_json_is_a_fault(scene: Scene) -> None:
    """A handler that returns what cannot be stored fails instead of being tried for ever."""

    async def handler(_: OperationContext) -> object:
        return object()

    await scene.engine({"work": handler})
    await scene.add("op")
    assert (await scene.ended("op")).state is OperationState.FAILED


async def test_an_unknown_outcome_is_tried_until_it_is_known(scene: Scene) -> None:
    """While an outcome is unknown the operation stays running; each change of words is told once."""
    said = ["link lost", "link lost", "no route", "link lost"]

    async def handler(ctx: OperationContext) -> str:
        if said:
            raise UnknownOutcomeError(said.pop(0))
        return ctx.operation.state.value

    await scene.engine({"work": handler})
    await scene.add("op")
    assert (await scene.ended("op")).result == "running"
    assert [entry.text for entry in await scene.entries(Kind.STEP_UNKNOWN)] == [
        "link lost",
        "no route",
        "link lost",
    ]


async def test_an_operation_without_an_incident_ends_too(scene: Scene) -> None:
    """A scheduled operation has no timeline; its failure is kept in its row alone."""

    async def handler(_: OperationContext) -> None:
        raise FailedError("no")

    await scene.engine({"work": handler})
    await scene.add("op", incident_id="")
    assert (await scene.ended("op")).error == "no"


async def test_an_outage_of_the_store_is_waited_out(scene: Scene) -> None:
    """A step whose record cannot be written is recorded when the store is back, without running again."""
    store = PluggedStore(scene.store)
    acts: list[int] = []

    async def handler(ctx: OperationContext) -> int:
        async def act() -> int:
            acts.append(1)
            store.reachable = False
            return 7

        return await ctx.step("one", act)

    await scene.engine({"work": handler}, store=store)
    await scene.add("op")
    await scene.until(lambda: store.failed > 3)
    store.reachable = True
    assert (await scene.ended("op")).result == 7
    assert acts == [1]


async def test_a_crashed_claim_is_told_once(scene: Scene) -> None:
    """An operation taken up after a crash says so in the timeline, with the step after which it goes on."""
    await scene.add("op")
    await scene.end_crashed("op", 1)
    await scene.store.transact(lambda tx: tx.add_checkpoint("op", "load", 1))
    await scene.engine({"work": counting([])}, sole=True)
    await scene.ended("op")
    (entry,) = await scene.entries(Kind.RECOVERED_AFTER_CRASH)
    assert "after its recorded step load" in entry.text
    assert (entry.data["claim"], entry.data["crashed"]) == (2, True)


async def test_an_operation_that_ends_the_process_is_given_up(scene: Scene) -> None:
    """After twenty claims that ended in a crash the operation fails in words, and is not run; a retry runs it."""
    runs: list[str] = []
    await scene.add("op", changes_site=True)
    await scene.end_crashed("op", 20)
    engine = await scene.engine({"work": counting(runs)})
    error = (await scene.ended("op")).error
    assert error is not None
    assert "ended 20 times in the middle of work on shop" in error
    assert runs == []
    await engine.retry("op")
    assert (await scene.ended("op")).state is OperationState.DONE


async def test_a_stop_of_the_engine_ends_nothing(scene: Scene) -> None:
    """An engine that stops gives its leases back: the next one goes on at once, and no crash is counted."""
    entered: list[str] = []

    async def handler(ctx: OperationContext) -> str:
        entered.append(ctx.operation.owner or "")
        if len(entered) == 1:
            await asyncio.sleep(60)
        return "done"

    first = await scene.engine({"work": handler})
    await scene.add("op")
    await scene.until(lambda: len(entered) == 1)
    await first.close()
    assert (await scene.operation("op")).state is OperationState.RUNNING
    scene.engines.clear()
    await scene.engine({"work": handler}, owner="two")
    assert (await scene.ended("op")).tries == 1
    assert entered == ["one", "two"]


async def test_a_lease_that_cannot_be_renewed_is_given_up_in_time(scene: Scene) -> None:
    """A process cut off from the store stops its handlers before another takes over: never two at a time."""
    store = PluggedStore(scene.store)
    inside: list[str] = []
    overlaps: list[list[str]] = []

    async def handler(ctx: OperationContext) -> str:
        inside.append(ctx.operation.owner or "")
        overlaps.append(list(inside))
        try:
            if ctx.operation.owner == "one":
                await asyncio.sleep(60)
        finally:
            inside.remove(ctx.operation.owner or "")
        return "done"

    await scene.engine({"work": handler}, store=store, lease=0.5)
    await scene.add("op")
    await scene.until(lambda: inside == ["one"])
    store.reachable = False
    await scene.engine({"work": handler}, owner="two")
    ended = await scene.engines[1].wait("op", timedelta(seconds=5))
    # On a busy machine the first may have lost its short lease, and got it back, before the plug was pulled.
    *firsts, last = overlaps
    assert ended.state is OperationState.DONE
    assert ended.fence >= len(overlaps)
    assert firsts
    assert all(alone == ["one"] for alone in firsts)
    assert last == ["two"]


async def test_a_lost_claim_writes_nothing(scene: Scene) -> None:
    """A handler whose operation was claimed by another meanwhile cannot record a step."""
    seen: list[type[BaseException]] = []

    async def stolen(tx: Transaction) -> None:
        await tx.release_leases(None)
        await tx.claim("thief", ["work"], timedelta(0), 1, ())

    async def handler(ctx: OperationContext) -> str:
        if ctx.operation.fence > 1:
            return "second"

        async def act() -> int:
            await scene.store.transact(stolen)
            return 1

        try:
            await ctx.step("one", act)
        except LeaseLostError as error:
            seen.append(type(error))
            scene.engines[0].wake()
            raise
        return "first"

    await scene.engine({"work": handler}, poll=1)  # the step itself is what sees it, not the heartbeat
    await scene.add("op")
    assert (await scene.ended("op")).result == "second"
    assert seen == [LeaseLostError]
    assert await scene.store.transact(lambda tx: tx.checkpoints("op")) == {}


async def test_waiting_has_a_limit(scene: Scene) -> None:
    """Waiting for an operation that goes on raises TimeoutError, for one that does not exist LookupError."""
    engine = await scene.engine({})
    await scene.add("op")
    with pytest.raises(TimeoutError):
        await engine.wait("op", timedelta(seconds=0.05))
    with pytest.raises(LookupError):
        await engine.wait("nothing", timedelta(seconds=1))
