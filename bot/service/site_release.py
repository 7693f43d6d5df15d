"""Gives a site free that a failed operation keeps, when a person says so."""

from __future__ import annotations

from bot.model.errors import NotStartedError
from bot.model.event import Kind, NewEntry
from bot.model.operation import Operation, OperationState
from bot.ports.store import Store, Transaction
from bot.service.operation_context import append_if_known


async def release_site(store: Store, site: str, person: str) -> Operation:
    """Free a site and return the operation that kept it; a SITE_RELEASED entry says who did it.

    *Raises* NotStartedError when nothing keeps the site, or when the operation is still running (cancel it instead).
    """

    async def body(tx: Transaction) -> Operation:
        holder = await kept_by(tx, site)
        await tx.free_site(site, holder.id)
        text = f"{person} released the site {site}, which {holder.kind} ({holder.id}) had kept since it {holder.state.value}."
        data = {"operation": holder.id, "kind": holder.kind}
        entry = NewEntry(kind=Kind.SITE_RELEASED, actor=person, text=text, data=data)
        await append_if_known(tx, holder, entry)
        return holder

    return await store.transact(body)


async def kept_by(tx: Transaction, site: str) -> Operation:
    """Return the ended operation that keeps a site; reads only. *Raises* NotStartedError when there is none."""
    holder_id = await tx.site_holder(site)
    holder = None if holder_id is None else await tx.operation(holder_id)
    if holder is None:
        raise NotStartedError(f"the site {site} is not kept by any operation. Nothing was changed.")
    if holder.state is OperationState.RUNNING:
        raise NotStartedError(
            f"the site {site} is in use: {holder.kind} of {holder.person} is running. Nothing was changed. "
            "Cancel it instead; that stops its work on the host first."
        )
    return holder
