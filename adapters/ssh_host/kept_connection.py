"""The one connection that all callers of a host share, replaced when it is lost or full."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncssh

from adapters.ssh_host.dialing import Dialled, dial
from adapters.ssh_host.settings import HostSettings


@dataclass
class _Kept:
    dialled: Dialled
    borrowers: int = 0
    left: bool = False


class KeptConnection:
    """Opens the connection when it is first borrowed, and again when it was lost or left."""

    def __init__(self, settings: HostSettings) -> None:
        self._settings = settings
        self._dialling = asyncio.Lock()
        self._kept: _Kept | None = None

    @asynccontextmanager
    async def borrowed(self) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """Give the open connection for as long as the block lasts; dials where there is none."""
        kept = await self._open()
        kept.borrowers += 1
        try:
            yield kept.dialled.connection
        finally:
            kept.borrowers -= 1
            if kept.left and kept.borrowers == 0:
                await kept.dialled.close()

    def leave(self, connection: asyncssh.SSHClientConnection) -> None:
        """Give this connection to nobody else; it is closed when its last borrower is done, so no work is cut."""
        if self._kept is not None and self._kept.dialled.connection is connection:
            self._kept.left = True
            self._kept = None

    async def close(self) -> None:
        """Close the connection under whoever still borrows it."""
        async with self._dialling:
            kept, self._kept = self._kept, None
        if kept is not None:
            await kept.dialled.close()

    async def _open(self) -> _Kept:
        # One caller dials, the others wait for the same connection.
        async with self._dialling:
            if self._kept is not None and not self._kept.dialled.is_open():
                lost, self._kept = self._kept, None
                await lost.dialled.close()
            if self._kept is None:
                self._kept = _Kept(dialled=await dial(self._settings))
            return self._kept
