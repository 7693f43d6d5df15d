"""A command's own transaction: the record of its delivery and all that it does become durable together or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import NoReturn, TypeVar

from bot.ports.host import Host
from bot.ports.store import Transaction
from bot.service.parts import Parts

T = TypeVar("T")


class JoinedStore:
    """The store as a use case sees it inside of a transaction: what it transacts is part of that one."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def transact(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `body` in the transaction that is open already."""
        return await body(self._transaction)

    async def read(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `body` in the same transaction: it sees what was written there."""
        return await body(self._transaction)

    def on_change(self, callback: Callable[[str], None]) -> NoReturn:
        """Refuse: who listens does so at the store itself."""
        raise NotImplementedError(f"{callback} cannot listen to one transaction")

    async def close(self) -> NoReturn:
        """Refuse: a use case closes nothing."""
        raise NotImplementedError("a use case does not close the store")


class NoHosts:
    """Hosts that are not asked inside of a transaction: one that hangs would keep everybody from the store."""

    def of_site(self, site: str) -> Host:
        """Refuse. The command's definition must say that it asks the host."""
        raise LookupError(f"the host of {site} was asked inside of a transaction")

    async def close(self) -> None:
        """Nothing is open."""


def joined(parts: Parts, transaction: Transaction) -> Parts:
    """Return the parts for work inside of one transaction; the engine is woken by whoever commits it."""
    return replace(parts, store=JoinedStore(transaction), hosts=NoHosts(), wake=lambda: None)
