"""What is written soon: beside what follows, in order, and never later than what is written next."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import pytest

from bot.model.errors import FailedError
from bot.model.event import Kind, NewEntry
from bot.model.operation import OperationState
from bot.ports.store import Transaction
from bot.service.engine import OperationContext
from bot.service.operation_context import Body
from bot.service.together import together
from tests.unit.engine.scene import PluggedStore, Scene

T = TypeVar("T")


def noting(ctx: OperationContext, text: str) -> Body:
    async def body(tx: Transaction) -> None:
        await tx.append(ctx.operation.incident_id, [NewEntry(kind=Kind.NOTE, text=text)])

    return body


async def notes(scene: Scene) -> list[str]:
    return [entry.text for entry in await scene.entries(Kind.NOTE)]


async def test_it_is_written_without_a_further_write(scene: Scene) -> None:
    """What is written soon is there while the handler still waits for something else."""
    seen: list[list[str]] = []

    async def handler(ctx: OperationContext) -> None:
        ctx.write_soon(noting(ctx, "a"))
        ctx.write_soon(noting(ctx, "b"))
        await scene.until_seen(lambda: notes(scene))
        seen.append(await notes(scene))

    await scene.engine({"work": handler})
    await scene.add("op")
    await scene.ended("op")
    assert seen == [["a", "b"]]


async def test_it_stands_before_what_is_written_next(scene: Scene) -> None:
    """The next write is after it, and a step that is recorded soon is recorded once and known at once."""

    async def handler(ctx: OperationContext) -> object:
        async def act() -> int:
            return 7

        ctx.write_soon(noting(ctx, "a"))
        number = await ctx.step("quick", act, lambda tx, _: noting(ctx, "b")(tx), soon=True)
        await ctx.write(noting(ctx, "c"))
        return [number, list(ctx.recorded())]

    await scene.engine({"work": handler})
    await scene.add("op")
    assert (await scene.ended("op")).result == [7, ["quick"]]
    assert await notes(scene) == ["a", "b", "c"]
    assert await scene.store.transact(lambda tx: tx.checkpoints("op")) == {"quick": 7}


async def test_it_outlives_a_write_that_is_refused(scene: Scene) -> None:
    """A transaction that is rolled back takes nothing of it away: it is written with the next one, once."""

    async def handler(ctx: OperationContext) -> None:
        async def refuse(_: Transaction) -> None:
            raise FailedError("no")

        ctx.write_soon(noting(ctx, "a"))
        with pytest.raises(FailedError, match="no"):
            await ctx.write(refuse)

    await scene.engine({"work": handler})
    await scene.add("op")
    assert (await scene.ended("op")).state is OperationState.DONE
    assert await notes(scene) == ["a"]


@pytest.mark.parametrize("looks", [0, 1, 50])
async def test_its_own_fault_is_told(scene: Scene, looks: int) -> None:
    """What cannot be written soon makes the operation fail at its next write, and spoils no write after that."""

    async def handler(ctx: OperationContext) -> None:
        async def broken(_: Transaction) -> None:
            raise FailedError("this cannot be written")

        ctx.write_soon(broken)
        for _ in range(looks):  # the next write comes before it is tried, while it is, or afterwards
            await asyncio.sleep(0 if looks == 1 else 0.002)
        await ctx.write(noting(ctx, "after"))

    await scene.engine({"work": handler})
    await scene.add("op")
    ended = await scene.ended("op")
    assert (ended.state, ended.error) == (OperationState.FAILED, "this cannot be written")
    assert await notes(scene) == []


async def test_its_fault_is_told_at_the_end_too(scene: Scene) -> None:
    """The last thing that was to be written soon, and cannot be, makes the operation fail."""

    async def handler(ctx: OperationContext) -> None:
        async def broken(_: Transaction) -> None:
            raise FailedError("this cannot be written")

        ctx.write_soon(broken)

    await scene.engine({"work": handler})
    await scene.add("op")
    ended = await scene.ended("op")
    assert (ended.state, ended.error) == (OperationState.FAILED, "this cannot be written")


async def test_it_waits_for_a_store_that_is_away(scene: Scene) -> None:
    """While the store is out of reach it is kept, and written once when the store is back."""
    plugged = PluggedStore(scene.store)

    async def handler(ctx: OperationContext) -> None:
        plugged.reachable = False
        ctx.write_soon(noting(ctx, "a"))
        await asyncio.sleep(0.05)
        plugged.reachable = True

    async def done() -> bool:
        return (await scene.operation("op")).state is OperationState.DONE

    await scene.engine({"work": handler}, store=plugged)
    await scene.add("op")
    await scene.until_seen(done)
    assert plugged.failed > 0
    assert await notes(scene) == ["a"]


async def test_steps_are_recorded_before_the_end_and_not_with_it(scene: Scene) -> None:
    """The end of an operation is a transaction of its own: whoever crashes before it finds the operation running."""
    states: list[list[str]] = []
    store = scene.store

    class Watching(PluggedStore):
        async def transact(self, body: object) -> object:  # type: ignore[override]  # any body will do here
            result = await store.transact(body)  # type: ignore[arg-type]
            operation = await scene.operation("op")
            states.append([operation.state.value, *await notes(scene)])
            return result

    async def handler(ctx: OperationContext) -> None:
        ctx.write_soon(noting(ctx, "a"))

    await scene.add("op")
    await scene.engine({"work": handler}, store=Watching(store))
    await scene.ended("op")
    assert ["running", "a"] in states


async def test_together_waits_for_both() -> None:
    """Both results come back in their order, and the first one's error is told before the second one's."""

    async def give(value: int, after_s: float) -> int:
        await asyncio.sleep(after_s)
        return value

    async def fail(text: str, after_s: float) -> int:
        await asyncio.sleep(after_s)
        raise FailedError(text)

    assert await together(give(1, 0.02), give(2, 0)) == (1, 2)
    with pytest.raises(FailedError, match="one"):
        await together(fail("one", 0.02), fail("two", 0))
    with pytest.raises(FailedError, match="two"):
        await together(give(1, 0), fail("two", 0.02))


async def test_together_ends_both_when_cancelled() -> None:
    """A cancel reaches both, and nothing runs on."""
    ended: list[str] = []

    async def last(name: str) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(name)

    both = asyncio.create_task(together(last("one"), last("two")))
    await asyncio.sleep(0.01)
    both.cancel()
    await asyncio.wait({both})
    assert both.cancelled()
    assert sorted(ended) == ["one", "two"]
