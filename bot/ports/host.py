"""The port to one production host: read-only facts, and detached jobs that outlive the link."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from bot.model.secret import Secret

SCRATCH_ROOT = "scratch-jobs"
"""The name of a folder of jobs that nobody waits for with a site down: they leave the host's other work the way."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One program call on the host.

    `argv` is quoted in one place, the adapter; nothing else builds shell text. `cwd` is an absolute path or None
    (home). `env` is added to `LC_ALL=C.UTF-8` and holds no secrets. `stdin` is sent on standard input; a Secret is
    revealed only there and is never part of argv, log or timeline.
    """

    argv: Sequence[str]
    cwd: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    stdin: str | Secret | None = None
    timeout: timedelta = timedelta(seconds=30)
    max_output_bytes: int = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A program that ended. `exit_status` is never None here: no status is an UnknownOutcomeError instead.

    `stdout` and `stderr` are decoded as UTF-8 (bad bytes replaced). `truncated` is True where output was cut at
    `max_output_bytes` (the program was read to its end all the same). `duration_s` is seconds as seen by the bot.
    `command` is the masked shell line as it was sent (for the timeline).
    """

    command: str
    exit_status: int
    stdout: str
    stderr: str
    duration_s: float
    truncated: bool = False


class JobState(enum.Enum):
    """State of a detached job, as the host tells it."""

    NONE = "none"  # the host has never heard of this key
    RUNNING = "running"  # some process of the job's session lives
    DONE = "done"  # it ended by itself, with an exit status
    STOPPED = "stopped"  # it was ended by `stop_job`, no process of its session lives
    DIED = "died"  # no process lives and no exit status was written: what it did must be looked up


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """What the host says about one job. Times in seconds; `duration_s` is None while unknown."""

    key: str
    state: JobState
    exit_status: int | None = None
    duration_s: float | None = None
    attached: bool = False  # True in the answer of start_job when a job of this key was there already
    # All of standard output, where the host sent it along with the end; None: ask `job_output` for it.
    stdout: str | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class HostIdentity:
    """Who the host is, as pinned by the connection. `host_key` is the fingerprint `SHA256:…` of the key it proved."""

    address: str  # "host:port"
    host_key: str
    user: str
    hostname: str  # what `uname -n` says


class Host(Protocol):
    """One production host over one kept connection. Opened lazily, re-opened when lost, shared by all callers.

    Every method raises NotStartedError when nothing was sent (HostKeyChangedError when the key is another),
    UnknownOutcomeError when the link dropped, keep-alive gave up, the channel closed without a status, or the time
    limit passed. For read-only facts an unknown outcome may be repeated by the caller; for anything else only jobs
    are used, and what is unknown is looked up by key.
    """

    @property
    def name(self) -> str:
        """Return the host's address as written in the settings, for messages."""

    async def identity(self) -> HostIdentity:
        """Return who answered; reads only."""

    async def run(self, command: Command) -> Completed:
        """Run a short read-only command and return its result, whatever its exit status. Reads only."""

    async def reader(
        self, verb: str, request: dict[str, object], timeout: timedelta = timedelta(seconds=120)
    ) -> dict[str, object]:
        """Run a read-only verb of the row reader and return its JSON answer. Reads only.

        The reader (a zipapp, see adapters/host_reader) is sent once per version and checked by SHA-256 before use.
        The request goes by standard input. *Raises* FailedError with the reader's own message when it says no.
        """

    async def start_job(self, root: str, key: str, command: Command) -> JobStatus:
        """Start a detached job, or attach to the one of the same key; never a second one.

        `root` is the site's job folder on the host (one live job per root, judged on the host itself); `key` is
        operation id + step name, `[A-Za-z0-9._-]{1,200}`. Returns RUNNING (or the later state when attached).
        *Changes*: files below `root`, and whatever the command does. *Raises* HostBusyError when another job lives,
        StoppedBeforeError when `stop_job` of this key came first.
        """

    async def reader_job(self, root: str, key: str, verb: str, request: dict[str, object]) -> JobStatus:
        """Start (or attach to) a detached job that runs a verb of the row reader; its stdout is one JSON document."""

    async def job_status(self, root: str, key: str) -> JobStatus:
        """Return the state of a job; reads only."""

    async def job_output(
        self, root: str, key: str, stream: str, offset: int = 0, limit: int = 1_000_000
    ) -> str:
        """Return up to `limit` bytes of a job's 'stdout', 'stderr' or 'progress' from `offset`; reads only."""

    async def wait_job(self, root: str, key: str, timeout: timedelta) -> JobStatus:
        """Return the job's status once it is no longer RUNNING; reconnects as often as needed within `timeout`.

        *Raises* UnknownOutcomeError when `timeout` passes or the host stays out of reach until then.
        """

    async def stop_job(self, root: str, key: str) -> JobStatus:
        """End every process of the job's session (TERM, then KILL) and return what is so afterwards.

        RUNNING in the answer means that it could not be ended. DONE and DIED are left as they were. NONE: it was never
        started, and from now on cannot be: a start that is still on its way comes too late.
        """

    async def close(self) -> None:
        """Close the connection. Detached jobs run on."""


class Hosts(Protocol):
    """The hosts of all sites; the same address gives the same connection."""

    def of_site(self, site: str) -> Host:
        """Return the host of a site by the site's name. *Raises* KeyError for an unknown site."""

    async def close(self) -> None:
        """Close every connection."""
