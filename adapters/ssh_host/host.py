"""One production host: read-only facts, the row reader, and detached jobs, over one kept link."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from adapters.ssh_host.detached_jobs import DetachedJobs
from adapters.ssh_host.link import Link
from adapters.ssh_host.program_output import GREETING_BYTES, input_bytes, printed_by_program
from adapters.ssh_host.row_reader import RowReader
from adapters.ssh_host.settings import HostSettings
from adapters.ssh_host.shell_line import fact_line, shown_line
from adapters.ssh_host.shipped import Shipping
from bot.ports.host import Command, Completed, HostIdentity, JobStatus


class ShellHost:
    """A host behind a link. Everything that is said to it is built here; see the port `Host` for the promises."""

    def __init__(self, settings: HostSettings, link: Link, reader_path: Path, reader_sha256: str) -> None:
        self._settings = settings
        self._link = link
        shipping = Shipping(link)
        self._jobs = DetachedJobs(link, shipping, settings)
        self._reader = RowReader(link, shipping, settings, reader_path, reader_sha256)

    @property
    def name(self) -> str:
        """Return the host's address as written in the settings."""
        return self._settings.address

    async def identity(self) -> HostIdentity:
        """Return who answered; reads only."""
        host_key = await self._link.proved_key()
        completed = await self.run(Command(argv=["uname", "-n"]))
        return HostIdentity(
            address=self._link.place,
            host_key=host_key,
            user=self._link.user,
            hostname=completed.stdout.strip(),
        )

    async def run(self, command: Command) -> Completed:
        """Run a short read-only command and return its result, whatever its exit status. Reads only.

        `max_output_bytes` holds for each of the two streams. *Raises* NotStartedError also where `cwd` cannot be
        entered.
        """
        ended = await self._link.execute(
            fact_line(command),
            input_bytes(command.stdin),
            command.timeout,
            command.max_output_bytes + GREETING_BYTES,
        )
        printed = printed_by_program(self._link, ended)
        limit = command.max_output_bytes
        return Completed(
            command=shown_line(command),
            exit_status=ended.exit_status,
            stdout=printed[:limit].decode(errors="replace"),
            stderr=ended.stderr[:limit].decode(errors="replace"),
            duration_s=ended.duration_s,
            truncated=ended.truncated or max(len(printed), len(ended.stderr)) > limit,
        )

    async def reader(
        self, verb: str, request: dict[str, object], timeout: timedelta = timedelta(seconds=120)
    ) -> dict[str, object]:
        """Run a read-only verb of the row reader and return its JSON answer; ReaderRefusalError when it says no."""
        return await self._reader.ask(verb, request, timeout)

    async def start_job(self, root: str, key: str, command: Command) -> JobStatus:
        """Start a detached job, or attach to the one of this key. `timeout` and `max_output_bytes` do not hold here."""
        return await self._jobs.start(root, key, command)

    async def reader_job(self, root: str, key: str, verb: str, request: dict[str, object]) -> JobStatus:
        """Start (or attach to) a detached job that runs a verb of the row reader."""
        command = await self._reader.job_command(verb, request)
        return await self._jobs.start(root, key, command, also=[self._reader.program])

    async def job_status(self, root: str, key: str) -> JobStatus:
        """Return the state of a job; reads only."""
        return await self._jobs.status(root, key)

    async def job_output(
        self, root: str, key: str, stream: str, offset: int = 0, limit: int = 1_000_000
    ) -> str:
        """Return up to `limit` bytes of what a job wrote from `offset`; '' where there is nothing. Reads only."""
        return await self._jobs.output(root, key, stream, offset, limit)

    async def wait_job(self, root: str, key: str, timeout: timedelta) -> JobStatus:
        """Return the job's status once it is no longer RUNNING; reconnects as often as needed."""
        return await self._jobs.wait(root, key, timeout)

    async def stop_job(self, root: str, key: str) -> JobStatus:
        """End every process of the job's session and return what is so afterwards."""
        return await self._jobs.stop(root, key)

    async def close(self) -> None:
        """Close the connection. Detached jobs run on."""
        await self._jobs.close()
        await self._reader.close()
        await self._link.close()
