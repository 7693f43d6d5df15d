"""One changing operation for each site, and what a cancel does."""

from __future__ import annotations

import asyncio

import pytest

from bot.model.errors import FailedError, NotStartedError, UnknownOutcomeError
from bot.model.event import Kind
from bot.model.operation import OperationState
from bot.service.engine import OperationContext, release_site
from tests.unit.engine.scene import Scene, counting


async def failing(_: OperationContext) -> None:
    raise FailedError("the load said no")


async def endless(_: OperationContext) -> None:
    await asyncio.sleep(60)


async def test_two_changing_operations_never_overlap(scene: Scene) -> None:
    """Changing operations of one site run one after the other, and all run."""
    inside: list[str] = []
    most: list[int] = []

    async def handler(ctx: OperationContext) -> None:
        inside.append(ctx.operation.id)
        most.append(len(inside))
        await asyncio.sleep(0.02)
        inside.remove(ctx.operation.id)

    for owner in ("one", "two"):
        await scene.engine({"work": handler}, owner=owner)
    for i in range(6):
        await scene.add(f"op-{i}", changes_site=True)
    for i in range(6):
        assert (await scene.ended(f"op-{i}")).state is OperationState.DONE
    assert most == [1] * 6
    assert await scene.holder() is None


async def test_another_site_is_not_waited_for(scene: Scene) -> None:
    """A held site keeps nobody from another site."""
    await scene.engine({"endless": endless, "work": counting([])})
    await scene.add("op-1", "endless", changes_site=True)
    await scene.add("op-2", changes_site=True, site="blog")
    assert (await scene.ended("op-2")).state is OperationState.DONE


async def test_a_failed_operation_keeps_its_site(scene: Scene) -> None:
    """After a failure the next change is refused at once, naming the one that failed, until a person releases the site."""
    await scene.engine({"fails": failing, "work": counting([])})
    await scene.add("op-1", "fails", changes_site=True)
    await scene.ended("op-1")
    await scene.add("op-2", changes_site=True)
    refused = await scene.ended("op-2")
    assert refused.error is not None
    assert "kept by fails of ann (op-1), which failed: the load said no" in refused.error
    assert await scene.holder() == "op-1"
    released = await release_site(scene.store, "shop", "ben")
    assert released.id == "op-1"
    (entry,) = await scene.entries(Kind.SITE_RELEASED)
    assert (entry.actor, entry.data["operation"]) == ("ben", "op-1")
    await scene.add("op-3", changes_site=True)
    assert (await scene.ended("op-3")).state is OperationState.DONE


async def test_a_retried_operation_has_its_site_still(scene: Scene) -> None:
    """A failed operation that is tried again goes on with the site it kept."""
    tries: list[int] = []

    async def handler(_: OperationContext) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise FailedError("once")

    engine = await scene.engine({"work": handler})
    await scene.add("op", changes_site=True)
    await scene.ended("op")
    await engine.retry("op")
    assert (await scene.ended("op")).state is OperationState.DONE
    assert await scene.holder() is None


async def test_only_a_kept_site_is_released(scene: Scene) -> None:
    """A free site and one in use are not released, and it is said why."""
    await scene.engine({"endless": endless})
    with pytest.raises(NotStartedError, match="not kept"):
        await release_site(scene.store, "shop", "ben")
    await scene.add("op", "endless", changes_site=True)
    await scene.until_seen(scene.holder)
    with pytest.raises(NotStartedError, match="Cancel it instead"):
        await release_site(scene.store, "shop", "ben")


async def test_a_site_freed_early_is_given_on(scene: Scene) -> None:
    """A handler may free its site before its own end."""
    free = asyncio.Event()

    async def first(ctx: OperationContext) -> None:
        await ctx.free_site()
        await free.wait()

    await scene.engine({"first": first, "work": counting([])})
    await scene.add("op-1", "first", changes_site=True)
    await scene.add("op-2", changes_site=True)
    assert (await scene.ended("op-2")).state is OperationState.DONE
    free.set()
    assert (await scene.ended("op-1")).state is OperationState.DONE


async def test_a_cancel_stops_the_work_first(scene: Scene) -> None:
    """The handler is stopped, then the abort runs while the site is still held, then the operation is cancelled."""
    order: list[str] = []

    async def handler(_: OperationContext) -> None:
        order.append("working")
        try:
            await asyncio.sleep(60)
        finally:
            order.append("handler stopped")

    async def abort(ctx: OperationContext) -> None:
        async with asyncio.timeout(1):
            order.append(f"abort, site held by {await scene.holder()}, {ctx.operation.state}")

    engine = await scene.engine({"work": handler}, {"work": abort})
    await scene.add("op", changes_site=True)
    await scene.until(lambda: bool(order))
    assert await engine.cancel("op")
    assert (await scene.ended("op")).state is OperationState.CANCELLED
    assert order == ["working", "handler stopped", "abort, site held by op, running"]
    assert await scene.holder() is None
    assert len(await scene.entries(Kind.OPERATION_CANCELLED)) == 1
    assert not await engine.cancel("op")


async def test_an_operation_waiting_for_its_site_can_be_cancelled(scene: Scene) -> None:
    """A cancel reaches an operation that waits for its site; the waiting was told once."""
    engine = await scene.engine({"endless": endless, "work": counting([])})
    await scene.add("op-1", "endless", changes_site=True)
    await scene.until_seen(scene.holder)
    await scene.add("op-2", changes_site=True)
    await scene.until_seen(lambda: scene.entries(Kind.NOTE))
    await engine.cancel("op-2")
    assert (await scene.ended("op-2")).state is OperationState.CANCELLED
    assert len(await scene.entries(Kind.NOTE)) == 1
    assert await scene.holder() == "op-1"


async def test_an_abort_that_fails_keeps_the_site(scene: Scene) -> None:
    """When what runs on the host cannot be stopped, the operation fails with the reason and keeps the site."""
    tries: list[int] = []

    async def abort(_: OperationContext) -> None:
        tries.append(1)
        raise UnknownOutcomeError("web1 does not answer")

    engine = await scene.engine({"work": endless}, {"work": abort})
    await scene.add("op", changes_site=True)
    await scene.until_seen(scene.holder)
    await engine.cancel("op")
    ended = await scene.ended("op")
    assert ended.state is OperationState.FAILED
    assert ended.error is not None
    assert "could not be stopped: web1 does not answer" in ended.error
    assert len(tries) == 5
    assert await scene.holder() == "op"


async def test_an_abort_that_hangs_has_a_limit(scene: Scene) -> None:
    """An abort that does not come back is given up after its limit and tried again; one success is enough."""
    tries: list[int] = []

    async def abort(_: OperationContext) -> None:
        tries.append(1)
        if len(tries) == 1:
            await asyncio.sleep(60)

    engine = await scene.engine({"work": endless}, {"work": abort})
    await scene.add("op")
    await engine.cancel("op")
    assert (await scene.ended("op")).state is OperationState.CANCELLED
    assert len(tries) == 2


async def test_a_cancel_before_a_crash_is_carried_out_after_it(scene: Scene) -> None:
    """An operation that is to be cancelled when its process ends is aborted by the next one, its handler not entered."""
    runs: list[str] = []
    aborted: list[str] = []

    async def abort(ctx: OperationContext) -> None:
        aborted.append(ctx.operation.id)

    await scene.add("op")
    await scene.end_crashed("op", 1)
    await scene.store.transact(lambda tx: tx.request_cancel("op"))
    await scene.engine({"work": counting(runs)}, {"work": abort}, sole=True)
    assert (await scene.ended("op")).state is OperationState.CANCELLED
    assert (runs, aborted) == ([], ["op"])


async def test_a_handler_that_ended_is_not_aborted(scene: Scene) -> None:
    """A cancel that comes while the end is being recorded changes nothing: done is done."""
    aborted: list[str] = []

    async def abort(ctx: OperationContext) -> None:
        aborted.append(ctx.operation.id)

    async def handler(_: OperationContext) -> str:
        await scene.store.transact(lambda tx: tx.request_cancel("op"))
        return "done"

    await scene.engine({"work": handler}, {"work": abort})
    await scene.add("op")
    assert (await scene.ended("op")).state is OperationState.DONE
    await asyncio.sleep(0.1)
    assert aborted == []


async def test_waiting_is_no_try(scene: Scene) -> None:
    """An operation that waits for its site has not been tried, however often the process ends meanwhile."""
    engine = await scene.engine({"endless": endless, "work": counting([])})
    await scene.add("op-1", "endless", changes_site=True)
    await scene.until_seen(scene.holder)
    await scene.add("op-2", changes_site=True)
    await scene.until_seen(lambda: scene.entries(Kind.NOTE))
    assert ((await scene.operation("op-1")).tries, (await scene.operation("op-2")).tries) == (1, 0)
    await engine.cancel("op-1")
    assert (await scene.ended("op-2")).state is OperationState.DONE
