"""One kept SSH connection: opened lazily, shared by all callers, opened again when lost."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncssh

from adapters.ssh_host.kept_connection import KeptConnection
from adapters.ssh_host.link import BoundedOutput, Ended, Listener, Talk
from adapters.ssh_host.program_output import GREETING_BYTES
from adapters.ssh_host.settings import HostSettings
from bot.model.errors import NotStartedError, UnknownOutcomeError

# sshd's MaxSessions is 10 by default; two are kept free for the case below.
_CHANNELS_AT_ONCE = 8
# sshd closes a channel a moment before it stops counting it, so a refused channel is asked for again (nothing was
# sent on it). Where it stays refused, programs that were given up keep the places: a new connection has its own.
_PAUSES_S = (0.0, 0.02, 0.05, 0.15)
_CONNECTIONS_TRIED = 2


class SshLink:
    """The connection to one host; see the port `Link` for what its methods promise."""

    def __init__(self, settings: HostSettings) -> None:
        self._settings = settings
        self._connection = KeptConnection(settings)
        self._channels = asyncio.Semaphore(_CHANNELS_AT_ONCE)

    @property
    def place(self) -> str:
        """Return `host:port`."""
        return self._settings.place

    @property
    def user(self) -> str:
        """Return the account on the host."""
        return self._settings.user

    async def proved_key(self) -> str:
        """Return the fingerprint of the key that the host proved; connects if need be."""
        async with self._connection.borrowed() as connection:
            key = connection.get_server_host_key()
        if key is None:
            raise NotStartedError(f"{self.place} proved no host key; nothing was run.")
        return key.get_fingerprint()

    async def execute(
        self,
        line: str,
        stdin: bytes,
        timeout: timedelta,
        max_output_bytes: int,
        listener: Listener | None = None,
    ) -> Ended:
        """Run a shell line and return how it ended; see the port."""
        session = _OutputSession(max_output_bytes, listener)
        try:
            async with asyncio.timeout(timeout.total_seconds()), self._channels:
                return await self._execute(session, line, lambda: self._result_of(session, stdin))
        except TimeoutError as cause:
            limit = f"{timeout.total_seconds():g} s"
            if not session.asked_for:
                raise NotStartedError(
                    f"{self.place} opened no channel within {limit}; nothing was run."
                ) from cause
            raise UnknownOutcomeError(
                f"A command on {self.place} did not end within {limit}. It may still be running there: look before "
                "anything is repeated."
            ) from cause
        finally:
            session.abandon()

    async def close(self) -> None:
        """Close the connection; detached jobs run on."""
        await self._connection.close()

    async def talk(self, line: str, heard: Listener) -> Talk:
        """Start a shell line and return what speaks with it; see the port. It takes one of the channels until it ends."""
        session = _TalkSession(heard)
        opened = asyncio.get_running_loop().create_future()

        async def spoken() -> Ended:
            opened.set_result(None)
            return await self._ending_of(session)

        async def held() -> Ended:
            try:
                async with self._channels:
                    return await self._execute(session, line, spoken)
            finally:
                session.abandon()

        talk = _SshTalk(session, asyncio.create_task(held(), name=f"talk with {self.place}"))
        try:
            await asyncio.wait({opened, talk.ended}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            talk.ended.cancel()
            raise
        if not opened.done():
            await talk.ended
        return talk

    async def _execute(
        self, session: _OutputSession, line: str, then: Callable[[], Awaitable[Ended]]
    ) -> Ended:
        refusal: asyncssh.ChannelOpenError | None = None
        for _ in range(_CONNECTIONS_TRIED):
            async with self._connection.borrowed() as connection:
                for pause_s in _PAUSES_S:
                    await asyncio.sleep(pause_s)
                    refusal = await self._open_channel(connection, session, line)
                    if refusal is None:
                        return await then()
                    if connection.is_closed():
                        break
                self._connection.leave(connection)
        raise NotStartedError(
            f"{self.place} opened no channel for a command: {refusal}. Nothing was run. Its sshd may limit MaxSessions."
        ) from refusal

    async def _open_channel(
        self, connection: asyncssh.SSHClientConnection, session: _OutputSession, line: str
    ) -> asyncssh.ChannelOpenError | None:
        """Send the line on a channel of its own; return the refusal where nothing was sent, so that it may be tried again.

        *Raises* NotStartedError when the host refused the line itself, UnknownOutcomeError when the link dropped on it.
        """
        try:
            await _open(connection, session, line)
        except asyncssh.ChannelOpenError as cause:
            if not session.asked_for:
                return cause
            if connection.is_closed():
                raise self._dropped_on_sending(cause) from cause
            raise NotStartedError(
                f"{self.place} refused to run a command: {cause}. Nothing was run."
            ) from cause
        except (asyncssh.Error, OSError) as cause:
            raise self._dropped_on_sending(cause) from cause
        return None

    def _dropped_on_sending(self, cause: Exception) -> UnknownOutcomeError:
        return UnknownOutcomeError(
            f"The link to {self.place} dropped as a command was sent ({cause}). Whether it started is not known: look "
            "before anything is repeated."
        )

    async def _result_of(self, session: _OutputSession, stdin: bytes) -> Ended:
        session.send(stdin)
        return await self._ending_of(session)

    async def _ending_of(self, session: _OutputSession) -> Ended:
        began = time.monotonic()
        lost = await session.closed
        # Where the link was lost after the status, output may be missing: that is not known to be whole either.
        if lost is not None or session.exit_status is None:
            raise UnknownOutcomeError(
                f"The link to {self.place} dropped while a command ran ({lost or 'no exit status came'}). Whether it "
                "ended is not known: look before anything is repeated."
            ) from lost
        return Ended(
            exit_status=session.exit_status,
            stdout=session.stdout.kept(),
            stderr=session.stderr.kept(),
            duration_s=time.monotonic() - began,
            truncated=session.stdout.truncated or session.stderr.truncated,
        )


class _OutputSession(asyncssh.SSHClientSession[bytes]):
    """One remote program: its bounded output, its status, and a future that is done when the channel is closed."""

    def __init__(self, max_output_bytes: int, listener: Listener | None) -> None:
        self.stdout = BoundedOutput(max_output_bytes, listener)
        self.stderr = BoundedOutput(max_output_bytes)
        self.exit_status: int | None = None
        self.closed: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None

    @property
    def asked_for(self) -> bool:
        """Return whether the host may have been told to run the line: the channel is open from just before that."""
        return self._channel is not None

    def send(self, stdin: bytes) -> None:
        """Send standard input and close it; a program that has ended already misses it, and its status says so."""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(stdin)
            self._channel.write_eof()

    def abandon(self) -> None:
        """Close the channel where it is still open, and ask the host to end the program.

        Closing alone leaves the program running, and sshd counts it against MaxSessions until it ends. A detached job
        is in a session of its own, which no signal from here reaches.
        """
        if self._channel is not None and not self.closed.done() and not self._channel.is_closing():
            self._channel.send_signal("TERM")
            self._channel.abort()

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """Take the channel, which is open from now on."""
        self._channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Take output of the program."""
        (self.stderr if datatype == asyncssh.EXTENDED_DATA_STDERR else self.stdout).add(data)

    def exit_status_received(self, status: int) -> None:
        """Take the exit status."""
        self.exit_status = status

    def exit_signal_received(self, signal_name: str, core_dumped: bool, msg: str, lang: str) -> None:
        """Take the signal that ended the program, as a shell would write it: 128 + its number."""
        del core_dumped, msg, lang
        number = signal.Signals.__members__.get(f"SIG{signal_name}", 0)
        self.exit_status = 128 + int(number)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake the caller: the channel is closed, by the host (None) or by the loss of the link."""
        if not self.closed.done():
            self.closed.set_result(exc)


class _TalkSession(_OutputSession):
    """One remote program that is spoken with."""

    def __init__(self, heard: Listener) -> None:
        super().__init__(GREETING_BYTES, None)
        self._heard = heard

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Take output of the program, and hand on what it says."""
        super().data_received(data, datatype)
        if datatype != asyncssh.EXTENDED_DATA_STDERR:
            self._heard(data)

    def say(self, data: bytes) -> None:
        """Write to its standard input."""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(data)

    def end(self) -> None:
        """Close its standard input."""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write_eof()


class _SshTalk:
    """What speaks with a program through its channel; see the port `Talk`."""

    def __init__(self, session: _TalkSession, ended: asyncio.Task[Ended]) -> None:
        self._session = session
        self.ended = ended

    def say(self, data: bytes) -> None:
        """Write to its standard input."""
        self._session.say(data)

    def close(self) -> None:
        """Close its standard input."""
        self._session.end()


async def _open(connection: asyncssh.SSHClientConnection, session: _OutputSession, line: str) -> None:
    """Open a channel and run the line on it; a caller that gives up meanwhile leaves no channel open behind it."""
    opening = asyncio.ensure_future(connection.create_session(lambda: session, line, encoding=None))
    try:
        await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(lambda opened: _abandon_late(opened, session))
        raise


def _abandon_late(opened: asyncio.Task[Any], session: _OutputSession) -> None:
    if not opened.cancelled() and opened.exception() is None:
        session.abandon()
