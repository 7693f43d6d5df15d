"""Detached jobs on a host: started once, looked at, waited for and stopped by key."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from adapters.ssh_host.job_answers import JobAnswer, Told, read_told
from adapters.ssh_host.link import Ended, Link, Listener
from adapters.ssh_host.program_output import (
    GREETING_BYTES,
    decode_whole_characters,
    input_bytes,
    printed_by_program,
)
from adapters.ssh_host.settings import HostSettings
from adapters.ssh_host.shell_line import framed_line, job_text
from adapters.ssh_host.shipped import ShippedProgram, Shipping, job_program
from adapters.ssh_host.staying_call import StayingCall
from bot.model.errors import (
    FailedError,
    HostBusyError,
    HostKeyChangedError,
    NotStartedError,
    StoppedBeforeError,
    UnknownOutcomeError,
)
from bot.ports.host import SCRATCH_ROOT, Command, JobState, JobStatus

_KEY = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,200}")
_STREAMS = frozenset({"stdout", "stderr", "progress"})
# The host waits up to 20 s for its lock, and `stop` up to 6 s for the processes to end.
_ANSWER_LIMIT = timedelta(seconds=60)
_ANSWER_BYTES = 65_536
# What job.sh sends of a job's output along with its end, at most.
_SENT_ALONG_BYTES = 65_536
# A start is kept until somebody waits for its end; nobody does so where Backout gave up in between.
_STARTS_KEPT = 32
# One question to the host may sleep there this long; shorter than the patience of firewalls with a quiet channel.
_WAIT_THERE_S = 20
# Half of a connection's channels: jobs that are waited for never keep a fact waiting. Further ones are looked at.
_WAITERS_AT_ONCE = 4
_PAUSE_BETWEEN_LOOKS_S = 0.5
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 3.0


class DetachedJobs:
    """The jobs of one host, by site folder and key. `job.sh` on the host decides.

    All that is kept here are the calls that started a job and wait on the host for its end: whoever waits then joins
    them, and is told sooner. Where such a call is lost the host is asked, as for any other job.
    """

    def __init__(self, link: Link, shipping: Shipping, settings: HostSettings) -> None:
        self._link = link
        self._shipping = shipping
        self._program = job_program(settings.work_folder)
        self._low_priority = settings.low_priority_jobs
        self._waiters = asyncio.Semaphore(_WAITERS_AT_ONCE)
        self._starts: dict[tuple[str, str], StayingCall] = {}

    async def start(
        self, root: str, key: str, command: Command, also: Sequence[ShippedProgram] = ()
    ) -> JobStatus:
        """Start the job or attach to the one of this key; see `Host.start_job`. `also` are programs it needs there."""
        text = job_text(command).encode()
        stdin = input_bytes(command.stdin)
        sizes = [str(len(text)), str(len(stdin)), self._gives_way(root)]
        answer = await self._start(root, key, sizes, text + stdin, also)
        if answer.holder is not None:
            raise HostBusyError(
                f"Job {answer.holder} is at work in {root} on {self._link.place}; {key} was not started and nothing "
                "was changed. Wait for that job, or stop it.",
                holder=answer.holder,
            )
        if answer.stopped_before:
            raise StoppedBeforeError(
                f"Job {key} in {root} on {self._link.place} was told to stop before it was started, so it is not started "
                "any more. Nothing was run."
            )
        if answer.refusal is not None:
            raise NotStartedError(
                f"{self._link.place} did not start job {key} in {root}: {answer.refusal}. Nothing was run."
            )
        return _status_of(answer)

    def _gives_way(self, root: str) -> str:
        return "yes" if self._low_priority and root.endswith(f"/{SCRATCH_ROOT}") else "no"

    async def _start(
        self, root: str, key: str, sizes: list[str], stdin: bytes, also: Sequence[ShippedProgram]
    ) -> JobAnswer:
        """Return the answer to a start; the call stays on the host until the job's end, where there is room for that."""
        if self._waiters.locked():
            told = await self._told(root, "run", key, sizes, stdin, also)
            return told.last or JobAnswer()

        async def stay(listener: Listener) -> Told:
            words = [*sizes, str(_WAIT_THERE_S)]
            ended, printed = await self._run(
                root, "run", key, words, stdin, _ANSWER_BYTES + _SENT_ALONG_BYTES, also, listener
            )
            return self._understood(read_told(key, printed), root, key, ended)

        # Taken before anything else can run, as there is room: a start never waits for the end of another job.
        await self._waiters.acquire()
        call = StayingCall(key, stay)
        call.when_over(self._waiters.release)
        answer = await call.first_told()
        if answer.status is not None and not answer.status.attached:
            self._starts[root, key] = call
            if len(self._starts) > _STARTS_KEPT:
                del self._starts[next(iter(self._starts))]
        return answer

    async def close(self) -> None:
        """Give up the calls that wait for the ends of jobs; the jobs run on."""
        for call in list(self._starts.values()):
            await call.give_up()

    async def status(self, root: str, key: str) -> JobStatus:
        """Return the state of a job; reads only."""
        return await self._status(root, "stat", key, [])

    async def stop(self, root: str, key: str) -> JobStatus:
        """End every process of the job's session; see `Host.stop_job`."""
        return await self._status(root, "stop", key, [])

    async def output(self, root: str, key: str, stream: str, offset: int, limit: int) -> str:
        """Return part of what a job wrote; a character that `limit` cuts in two is left for the next call."""
        if stream not in _STREAMS:
            raise ValueError(f"{stream!r} is no output of a job")
        if offset < 0 or limit < 1:
            raise ValueError(f"output from {offset}, at most {limit} bytes, cannot be read")
        ended, printed = await self._run(root, "out", key, [stream, str(offset), str(limit)], b"", limit)
        if ended.exit_status != 0:
            raise FailedError(
                f"{stream} of job {key} in {root} on {self._link.place} could not be read (exit status "
                f"{ended.exit_status}); nothing was changed."
            )
        return decode_whole_characters(printed, cut=len(printed) == limit)

    async def wait(self, root: str, key: str, timeout: timedelta) -> JobStatus:
        """Return the job's status once it is no longer RUNNING; see `Host.wait_job`."""
        deadline = time.monotonic() + timeout.total_seconds()
        pause_s = _FIRST_PAUSE_S
        cause: Exception | None = None
        last_seen = "the host told of no end"
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                status = await self._wait_there(root, key, left_s)
            except HostKeyChangedError:
                raise
            except TimeoutError:
                break
            except (NotStartedError, UnknownOutcomeError) as unreachable:
                cause, last_seen = unreachable, str(unreachable)
                await asyncio.sleep(min(pause_s, max(deadline - time.monotonic(), 0)))
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
                continue
            if status.state is not JobState.RUNNING:
                return status
            cause, last_seen, pause_s = None, "it was running when last seen", _FIRST_PAUSE_S
        raise UnknownOutcomeError(
            f"Job {key} in {root} on {self._link.place} was not seen to end within {timeout.total_seconds():g} s "
            f"({last_seen}). Nothing was stopped: look at the job again."
        ) from cause

    async def _wait_there(self, root: str, key: str, left_s: float) -> JobStatus:
        """Return the status when the job ends or after a while; *Raises* TimeoutError when `left_s` has passed."""
        async with asyncio.timeout(left_s):
            if (call := self._starts.pop((root, key), None)) is not None:
                return _end_of(await call.last_told())
            if self._waiters.locked():
                await asyncio.sleep(_PAUSE_BETWEEN_LOOKS_S)
                return await self._status(root, "stat", key, [])
            async with self._waiters:
                seconds = max(1, min(_WAIT_THERE_S, int(left_s)))
                return await self._status(root, "wait", key, [str(seconds)])

    async def _status(self, root: str, verb: str, key: str, arguments: list[str]) -> JobStatus:
        told = await self._told(root, verb, key, arguments, b"")
        if told.last is not None and told.last.refusal is not None:
            raise FailedError(
                f"{self._link.place} refused {verb!r} for job {key} in {root}: {told.last.refusal}. Nothing was changed."
            )
        return _end_of(told)

    async def _told(
        self,
        root: str,
        verb: str,
        key: str,
        arguments: list[str],
        stdin: bytes,
        also: Sequence[ShippedProgram] = (),
    ) -> Told:
        ended, printed = await self._run(
            root, verb, key, arguments, stdin, _ANSWER_BYTES + _SENT_ALONG_BYTES, also
        )
        return self._understood(read_told(key, printed), root, key, ended)

    def _understood(self, told: Told, root: str, key: str, ended: Ended) -> Told:
        """Return what was told. *Raises* UnknownOutcomeError when the host's answer is damaged."""
        if told.last is None:
            raise UnknownOutcomeError(
                f"{self._link.place} gave no clear answer about job {key} in {root} (exit status {ended.exit_status}). "
                "Look at the job before anything is repeated."
            )
        return told

    async def _run(
        self,
        root: str,
        verb: str,
        key: str,
        arguments: list[str],
        stdin: bytes,
        limit: int,
        also: Sequence[ShippedProgram] = (),
        listener: Listener | None = None,
    ) -> tuple[Ended, bytes]:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no key of a job")
        line = framed_line(self._program.argv(["sh"], [root, verb, key, *arguments], also))
        ended = await self._shipping.run(
            [*also, self._program], line, stdin, _ANSWER_LIMIT, limit + GREETING_BYTES, listener
        )
        return ended, printed_by_program(self._link, ended)


def _status_of(answer: JobAnswer) -> JobStatus:
    if answer.status is None:
        raise FailedError("the host answered about a job that was not asked for")
    return answer.status


def _end_of(told: Told) -> JobStatus:
    status = _status_of(told.last or JobAnswer())
    if told.output is None:
        return status
    return replace(status, stdout=decode_whole_characters(told.output, cut=False))
