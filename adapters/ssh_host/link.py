"""What carries a shell line to a host and its result back: the small port below the host port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

Listener = Callable[[bytes], None]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A shell line that ran to its end, with an exit status (128 + n where signal n ended it)."""

    exit_status: int
    stdout: bytes
    stderr: bytes
    duration_s: float
    truncated: bool


class BoundedOutput:
    """Keeps the first `limit` bytes of a stream and drops the rest, so that the sender is never blocked."""

    def __init__(self, limit: int, listener: Listener | None = None) -> None:
        self._limit = limit
        self._listener = listener
        self._kept = bytearray()
        self.truncated = False

    def add(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        room = self._limit - len(self._kept)
        self._kept += data[: max(room, 0)]
        self.truncated = self.truncated or len(data) > room
        if self._listener is not None:
            self._listener(self.kept())

    def kept(self) -> bytes:
        """Return what was kept."""
        return bytes(self._kept)


class Talk(Protocol):
    """A program on the host that is spoken with."""

    @property
    def ended(self) -> asyncio.Task[Ended]:
        """Return what is done once the program has ended: how, or UnknownOutcomeError where the link was lost.

        Of its standard output it holds the first bytes only.
        """

    def say(self, data: bytes) -> None:
        """Write to its standard input; where it has ended already, `ended` tells that."""

    def close(self) -> None:
        """Close its standard input, upon which it is to end."""


class Link(Protocol):
    """One kept connection to one host, opened when first needed and again when lost."""

    @property
    def place(self) -> str:
        """Return `host:port`, as messages name it."""

    @property
    def user(self) -> str:
        """Return the account on the host."""

    async def proved_key(self) -> str:
        """Return the fingerprint `SHA256:…` of the key that the host proved, connecting if need be.

        *Raises* NotStartedError, HostKeyChangedError.
        """

    async def execute(
        self,
        line: str,
        stdin: bytes,
        timeout: timedelta,
        max_output_bytes: int,
        listener: Listener | None = None,
    ) -> Ended:
        """Run a shell line in the user's home, without a terminal, and return how it ended.

        `stdin` is sent, then closed. At most `max_output_bytes` of each stream are kept. `listener` is given what there
        is of standard output so far, each time that there is more. *Raises* NotStartedError when nothing was sent,
        UnknownOutcomeError when it cannot be told whether the line ran to its end.
        """

    async def talk(self, line: str, heard: Listener) -> Talk:
        """Start a shell line as `execute` does, and return what speaks with it; `heard` is given what it writes, piece by piece.

        *Raises* NotStartedError, UnknownOutcomeError.
        """

    async def close(self) -> None:
        """Close the connection; it is opened again by the next call."""
