"""Operations with their checkpoints, leases and fences, and the lock of each site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from adapters.sql_store.rows import Rows
from adapters.sql_store.schema import checkpoints, operations, site_locks
from bot.model.errors import LeaseLostError
from bot.model.operation import Operation, OperationState

RUNNING = OperationState.RUNNING.value
ENDED_BADLY = (OperationState.FAILED.value, OperationState.CANCELLED.value)


def operation_of(row: Mapping[str, Any]) -> Operation:
    """Return the operation that a row of `operations` holds."""
    values = {name: value for name, value in row.items() if name != "lease_until"}
    return Operation(**{**values, "state": OperationState(row["state"])})


class OperationRows(Rows):
    """The part of a transaction that starts, claims and ends operations and locks sites for them."""

    async def add_operation(self, operation: Operation) -> bool:
        """Insert a running operation; False when one of this id was there already (nothing is changed then)."""
        inserted = await self._insert_once(
            operations,
            id=operation.id,
            kind=operation.kind,
            incident_id=operation.incident_id,
            site=operation.site,
            person=operation.person,
            args=operation.args,
            changes_site=operation.changes_site,
            state=RUNNING,
            result=None,
            fence=0,
            tries=0,
            cancel_requested=False,
            created_at=await self.now(),
        )
        if inserted:
            self._touch(operation.incident_id)
        return inserted

    async def operation(self, operation_id: str) -> Operation | None:
        """Return the operation, locked until the end of the transaction."""
        query = sa.select(operations).where(operations.c.id == operation_id).with_for_update()
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else operation_of(dict(row))

    async def operations(
        self, *, incident_id: str | None = None, state: OperationState | None = None
    ) -> list[Operation]:
        """Return operations, oldest first."""
        query = sa.select(operations).order_by(operations.c.created_at, operations.c.id)
        if incident_id is not None:
            query = query.where(operations.c.incident_id == incident_id)
        if state is not None:
            query = query.where(operations.c.state == state.value)
        return [operation_of(dict(row)) for row in (await self._connection.execute(query)).mappings()]

    async def claim(
        self, owner: str, kinds: Sequence[str], lease: timedelta, limit: int, exclude: Sequence[str]
    ) -> list[Operation]:
        """Claim running operations whose lease has lapsed: sets owner, fence + 1 and the lease. Skips rows locked by others."""
        now = await self.now()
        free = sa.or_(operations.c.lease_until.is_(None), operations.c.lease_until <= now)
        query = (
            sa.select(operations.c.id)
            .where(operations.c.state == RUNNING, operations.c.kind.in_(kinds), free)
            .where(operations.c.id.not_in(exclude))
            .order_by(operations.c.created_at, operations.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        ids = list(await self._connection.scalars(query))
        if not ids:
            return []
        claimed = {
            "owner": owner,
            "fence": operations.c.fence + 1,
            "lease_until": now + lease,
        }
        await self._connection.execute(sa.update(operations).where(operations.c.id.in_(ids)).values(claimed))
        return await self._by_ids(ids)

    async def renew(self, owner: str, ids: Sequence[str], lease: timedelta) -> dict[str, Operation]:
        """Renew the leases this owner still holds and return those operations by id (fence and cancel flag included)."""
        if not ids:
            return {}
        held = (operations.c.id.in_(ids), operations.c.owner == owner, operations.c.state == RUNNING)
        now = await self.now()
        await self._connection.execute(sa.update(operations).where(*held).values(lease_until=now + lease))
        rows = (await self._connection.execute(sa.select(operations).where(*held))).mappings()
        return {row["id"]: operation_of(dict(row)) for row in rows}

    async def prove_owner(self, operation_id: str, owner: str, fence: int) -> None:
        """*Raises* LeaseLostError unless the operation is running and held by this owner at this fence. Locks its row."""
        held = sa.update(operations).where(
            operations.c.id == operation_id,
            operations.c.owner == owner,
            operations.c.fence == fence,
            operations.c.state == RUNNING,
        )
        # An UPDATE that changes nothing takes the row's lock in every dialect.
        if not (await self._connection.execute(held.values(fence=fence))).rowcount:
            raise LeaseLostError(f"operation {operation_id} is no longer held by {owner} at claim {fence}")

    async def release_leases(self, owner: str | None) -> None:
        """Let go of this owner's leases (None: of all, when this process is known to be the only one).

        An operation given back by its own owner has one try less: that one did not end in a crash.
        """
        held = sa.update(operations).where(operations.c.state == RUNNING)
        if owner is None:
            await self._connection.execute(held.values(owner=None, lease_until=None))
            return
        fewer = sa.case((operations.c.tries > 0, operations.c.tries - 1), else_=0)
        given_back = {"owner": None, "lease_until": None, "tries": fewer}
        await self._connection.execute(held.where(operations.c.owner == owner).values(given_back))

    async def begin_try(self, operation_id: str) -> int:
        """Count one more try of the operation since its last progress, and return how many there are now."""
        this = operations.c.id == operation_id
        await self._connection.execute(sa.update(operations).where(this).values(tries=operations.c.tries + 1))
        return int(await self._connection.scalar(sa.select(operations.c.tries).where(this)) or 0)

    async def checkpoints(self, operation_id: str) -> dict[str, Any]:
        """Return the recorded results by checkpoint name, oldest first."""
        query = (
            sa.select(checkpoints.c.name, checkpoints.c.result)
            .where(checkpoints.c.operation_id == operation_id)
            .order_by(checkpoints.c.at, checkpoints.c.name)
        )
        return {name: result for name, result in await self._connection.execute(query)}  # noqa: C416 - rows are no pairs to mypy

    async def add_checkpoint(self, operation_id: str, name: str, result: Any) -> bool:
        """Record a checkpoint once; False when one of this name was there (it keeps its first result).

        A new one is progress: the tries are counted from 1 again.
        """
        recorded = await self._insert_once(
            checkpoints, operation_id=operation_id, name=name, result=result, at=await self.now()
        )
        if recorded:
            again = sa.update(operations).where(operations.c.id == operation_id, operations.c.tries > 1)
            await self._connection.execute(again.values(tries=1))
        return recorded

    async def finish_operation(
        self, operation_id: str, state: OperationState, *, result: Any = None, error: str | None = None
    ) -> None:
        """Record the operation's end; one that has ended keeps the end it has."""
        running = sa.update(operations).where(operations.c.id == operation_id, operations.c.state == RUNNING)
        end = {"state": state.value, "result": result, "error": error, "ended_at": await self.now()}
        await self._connection.execute(running.values(**end, owner=None, lease_until=None))
        await self._touch_operation(operation_id)

    async def request_cancel(self, operation_id: str) -> bool:
        """Ask a running operation to stop; False when it is not running."""
        running = sa.update(operations).where(operations.c.id == operation_id, operations.c.state == RUNNING)
        asked = bool((await self._connection.execute(running.values(cancel_requested=True))).rowcount)
        if asked:
            await self._touch_operation(operation_id)
        return asked

    async def revive_operation(self, operation_id: str) -> bool:
        """Set a failed or cancelled operation to running again (checkpoints kept); False when it is neither."""
        ended = sa.update(operations).where(
            operations.c.id == operation_id, operations.c.state.in_(ENDED_BADLY)
        )
        again = {"state": RUNNING, "cancel_requested": False, "tries": 0, "result": None}
        nothing = dict.fromkeys(("error", "ended_at", "owner", "lease_until"))
        revived = bool((await self._connection.execute(ended.values({**again, **nothing}))).rowcount)
        if revived:
            await self._touch_operation(operation_id)
        return revived

    async def take_site(self, site: str, operation_id: str) -> str:
        """Take the site for an operation if it is free, and return the id of the operation that holds it now."""
        await self._insert_once(site_locks, site=site, operation_id=operation_id, taken_at=await self.now())
        return await self.site_holder(site) or operation_id

    async def site_holder(self, site: str) -> str | None:
        """Return the id of the operation that holds the site, or None."""
        query = sa.select(site_locks.c.operation_id).where(site_locks.c.site == site).with_for_update()
        holder: str | None = await self._connection.scalar(query)
        return holder

    async def free_site(self, site: str, operation_id: str) -> bool:
        """Free the site if this operation holds it; False otherwise."""
        lock = sa.delete(site_locks).where(
            site_locks.c.site == site, site_locks.c.operation_id == operation_id
        )
        return bool((await self._connection.execute(lock)).rowcount)

    async def _by_ids(self, ids: Sequence[str]) -> list[Operation]:
        query = sa.select(operations).where(operations.c.id.in_(ids))
        rows = (await self._connection.execute(query.order_by(operations.c.created_at))).mappings()
        return [operation_of(dict(row)) for row in rows]

    async def _touch_operation(self, operation_id: str) -> None:
        query = sa.select(operations.c.incident_id).where(operations.c.id == operation_id)
        self._touch(str(await self._connection.scalar(query)))
