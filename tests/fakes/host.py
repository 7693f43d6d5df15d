"""A production host without SSH: shell lines and jobs run as local processes below a folder that is its home."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import hashlib
import os
import signal
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from adapters.ssh_host.host import ShellHost
from adapters.ssh_host.link import BoundedOutput, Ended, Listener
from adapters.ssh_host.settings import HostSettings
from bot.model.errors import NotStartedError, UnknownOutcomeError


class LocalLink:
    """A link to this machine, with a plug that can be pulled.

    `reachable` False: every call is a NotStartedError. `drop()` ends the calls in flight as a lost link does: the
    caller does not know how they ended, the programs run on. `lines` are the shell lines sent so far.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.place = "fake.example:22"
        self.user = getpass.getuser()
        self.reachable = True
        self.lines: list[str] = []
        self._in_flight: set[asyncio.Future[None]] = set()
        self._running: dict[asyncio.Future[Any], asyncio.subprocess.Process] = {}

    async def proved_key(self) -> str:
        """Return a fingerprint that depends on the home folder alone."""
        self.refuse_when_unplugged()
        return "SHA256:" + hashlib.sha256(str(self.home).encode()).hexdigest()[:43]

    async def execute(
        self,
        line: str,
        stdin: bytes,
        timeout: timedelta,
        max_output_bytes: int,
        listener: Listener | None = None,
    ) -> Ended:
        """Run the line under a local shell, as sshd would."""
        self.refuse_when_unplugged()
        self.lines.append(line)
        dropped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        process = await self._begin(line)
        running = asyncio.create_task(
            _finish(process, stdin, max_output_bytes, listener), name="a line on the fake host"
        )
        self._running[running] = process
        running.add_done_callback(lambda ended: self._running.pop(ended, None))
        self._in_flight.add(dropped)
        try:
            either: set[asyncio.Future[Any]] = {running, dropped}
            await asyncio.wait(either, timeout=timeout.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._in_flight.discard(dropped)
            dropped.cancel()
        if not running.done():
            raise UnknownOutcomeError(
                f"A line on {self.place} did not end as far as can be told; look there."
            )
        return running.result()

    async def talk(self, line: str, heard: Listener) -> LocalTalk:
        """Start the line under a local shell; until it ends it is one of the calls in flight."""
        self.refuse_when_unplugged()
        self.lines.append(line)
        dropped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        process = await self._begin(line)
        talk = LocalTalk(self, process, asyncio.create_task(self._held(process, dropped, heard)))
        self._in_flight.add(dropped)
        return talk

    async def _held(
        self, process: asyncio.subprocess.Process, dropped: asyncio.Future[None], heard: Listener
    ) -> Ended:
        whole = BoundedOutput(65_536)

        def hear(data: bytes) -> None:
            whole.add(data)
            if not dropped.done():
                heard(data)

        began = time.monotonic()
        assert process.stdout
        assert process.stderr
        stderr = BoundedOutput(65_536)
        running = asyncio.gather(_each(process.stdout, hear), _drain(process.stderr, stderr), process.wait())
        # Also what a drop leaves running is ended by `close`.
        self._running[running] = process
        running.add_done_callback(lambda ended: self._running.pop(ended, None))
        try:
            either: set[asyncio.Future[Any]] = {running, dropped}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._in_flight.discard(dropped)
        if not running.done():
            raise UnknownOutcomeError(f"The link to {self.place} dropped; look there.")
        dropped.cancel()
        return _ended(running.result()[2], whole, stderr, began)

    def drop(self) -> int:
        """Lose the calls in flight; return how many there were."""
        lost = [dropped for dropped in self._in_flight if not dropped.done()]
        for dropped in lost:
            dropped.set_result(None)
        return len(lost)

    async def close(self) -> None:
        """End the lines that a drop or a time limit left running; detached jobs run on."""
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        if self._running:
            await asyncio.wait(list(self._running))

    def refuse_when_unplugged(self) -> None:
        """*Raises* NotStartedError where the plug is pulled."""
        if not self.reachable:
            raise NotStartedError(f"{self.place} cannot be reached; nothing was run. Check the network.")

    async def _begin(self, line: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            "sh",
            "-c",
            line,
            cwd=self.home,
            env={"HOME": str(self.home), "PATH": "/usr/bin:/bin"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )


class LocalTalk:
    """What speaks with a local program as with one behind a link."""

    def __init__(
        self, link: LocalLink, process: asyncio.subprocess.Process, ended: asyncio.Task[Ended]
    ) -> None:
        self._link = link
        self._process = process
        self.ended = ended

    def say(self, data: bytes) -> None:
        """Write to its standard input."""
        self._link.refuse_when_unplugged()
        if self._process.stdin is not None:
            self._process.stdin.write(data)

    def close(self) -> None:
        """Close its standard input."""
        if self._process.stdin is not None:
            self._process.stdin.close()


class FakeHost(ShellHost):
    """The real host's logic over a local link; `link` is where a test pulls the plug."""

    def __init__(
        self, home: Path, reader_path: Path = Path("/nonexistent"), reader_sha256: str = "0" * 64
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.link = LocalLink(home)
        settings = HostSettings(
            address="fake.example",
            user=self.link.user,
            known_hosts_path=home / "known_hosts",
            low_priority_jobs=False,
        )
        super().__init__(settings, self.link, reader_path, reader_sha256)


class FakeHosts:
    """The hosts of all sites of a test, by site name."""

    def __init__(self, hosts: dict[str, FakeHost]) -> None:
        self._hosts = hosts

    def of_site(self, site: str) -> FakeHost:
        """Return the host of a site; KeyError for an unknown one."""
        return self._hosts[site]

    async def close(self) -> None:
        """Do nothing: there are no connections."""


async def _finish(
    process: asyncio.subprocess.Process, stdin: bytes, max_output_bytes: int, listener: Listener | None
) -> Ended:
    began = time.monotonic()
    assert process.stdin
    assert process.stdout
    assert process.stderr
    stdout, stderr = BoundedOutput(max_output_bytes, listener), BoundedOutput(max_output_bytes)
    await asyncio.gather(
        _feed(process.stdin, stdin), _drain(process.stdout, stdout), _drain(process.stderr, stderr)
    )
    return _ended(await process.wait(), stdout, stderr, began)


def _ended(status: int, stdout: BoundedOutput, stderr: BoundedOutput, began: float) -> Ended:
    return Ended(
        exit_status=status if status >= 0 else 128 - status,
        stdout=stdout.kept(),
        stderr=stderr.kept(),
        duration_s=time.monotonic() - began,
        truncated=stdout.truncated or stderr.truncated,
    )


async def _feed(stream: asyncio.StreamWriter, data: bytes) -> None:
    try:
        stream.write(data)
        await stream.drain()
        stream.close()
        await stream.wait_closed()
    except (BrokenPipeError, ConnectionResetError):
        return  # the program ended without reading all of it


async def _drain(stream: asyncio.StreamReader, output: BoundedOutput) -> None:
    await _each(stream, output.add)


async def _each(stream: asyncio.StreamReader, heard: Listener) -> None:
    while data := await stream.read(65_536):
        heard(data)
