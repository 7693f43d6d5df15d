"""One detached job from its intent to its recorded end: launch or attach, and look for as long as it takes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.model.errors import (
    FailedError,
    HostBusyError,
    JobDiedError,
    NotStartedError,
    StoppedBeforeError,
    UnknownOutcomeError,
)
from bot.model.event import Kind, NewEntry
from bot.model.message import Progress
from bot.ports.host import Host, JobState, JobStatus
from bot.ports.store import Transaction
from bot.service.operation_context import OperationContext, append_if_known

Watcher = Callable[[Progress], Awaitable[None]]

# Often enough for a person who watches, seldom enough for the host.
PROGRESS_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to run once. `launch` starts it under a key or attaches to it; `describe` is its line without secrets."""

    host: Host
    root: str
    step: str
    key: str
    describe: str
    person: str
    launch: Callable[[str], Awaitable[JobStatus]]
    timeout: timedelta

    @property
    def folder(self) -> str:
        """Return where the host keeps the job's output."""
        return f"{self.root}/jobs/{self.key}"

    @property
    def place(self) -> str:
        """Return the job and its host for a sentence."""
        return f"{self.describe} on {self.host.name}"


async def finished(
    ctx: OperationContext, job: Job, on_progress: Watcher | None
) -> tuple[dict[str, Any], str | None]:
    """Return the recorded end of a job {state, exit_status, duration_s}, and its output where that came along.

    Raises unless it ended with an exit status.
    """
    stdout: str | None = None

    async def reach_end() -> dict[str, Any]:
        nonlocal stdout
        first_time = f"{job.step}.intent" not in ctx.recorded()
        began = await intend(ctx, job)
        if f"{job.step}.launched" not in ctx.recorded():
            await launch(ctx, job, first_time=first_time)
        status = await watch(ctx, job, on_progress, began)
        stdout = status.stdout
        return end_of(status)

    async def record(tx: Transaction, end: dict[str, Any]) -> None:
        data = {"exit_status": end["exit_status"], "duration_s": end["duration_s"], "outcome": end["state"]}
        entry = host_entry(job.host, job.describe, job.person, **data, job_key=job.key)
        await append_if_known(tx, ctx.operation, entry)

    # Soon: before it is recorded, a crash has the host asked again, which keeps how the job ended.
    end = await ctx.step(job.step, reach_end, record, soon=True)
    if end["state"] == JobState.STOPPED.value:
        raise FailedError(
            f"{job.place} was stopped before its end. What it had changed by then stays changed."
        )
    if end["exit_status"] is None:
        raise JobDiedError(died_text(job, known=end["state"] != JobState.NONE.value))
    return end, stdout


async def intend(ctx: OperationContext, job: Job) -> float:
    """Record that the job is about to be launched, and when; return that time as seconds since 1970."""

    async def intent() -> dict[str, Any]:
        return {"key": job.key, "root": job.root, "command": job.describe, "at": time.time()}

    return float((await ctx.step(f"{job.step}.intent", intent))["at"])


async def launch(ctx: OperationContext, job: Job, *, first_time: bool) -> None:
    """Start the job, or attach to it, and record that the host has it. *Raises* NotStartedError when it never ran."""

    async def start() -> str:
        try:
            return (await job.launch(job.key)).state.value
        except (HostBusyError, StoppedBeforeError):
            # The host looked by our key first: had our job ever been started, it would have attached.
            raise
        except NotStartedError as error:
            if first_time:
                raise
            # This call sent nothing, but an earlier one, cut off by a crash or a lost link, may have.
            raise UnknownOutcomeError(f"cannot tell whether {job.place} was started: {error}") from error

    # Soon: before it is recorded, a crash has the job launched again, and that attaches to it.
    await ctx.step(f"{job.step}.launched", start, soon=True)


async def watch(ctx: OperationContext, job: Job, on_progress: Watcher | None, began: float) -> JobStatus:
    """Return the job's status once it is no longer running, however often the host is out of reach meanwhile."""
    pause, overdue_told = ctx.pace.first_retry, False
    while True:
        try:
            status = await look(job, ctx.pace.look, on_progress)
            if status.state is not JobState.RUNNING:
                return status
            pause = ctx.pace.first_retry
        except (UnknownOutcomeError, NotStartedError, FailedError) as error:
            # A host that does not tell, or that says it cannot, has not said that the job has ended.
            await ctx.tell_unknown(
                f"{job.place}: cannot tell how it goes, looking again until it can be told. {error}"
            )
            await asyncio.sleep(pause.total_seconds())
            pause = min(pause * 2, ctx.pace.longest_retry)
        if not overdue_told and time.time() - began > job.timeout.total_seconds():
            overdue_told = True
            await tell_overdue(ctx, job)


async def look(job: Job, limit: timedelta, on_progress: Watcher | None) -> JobStatus:
    """Wait a while for the job's end, show its progress meanwhile, and return its status; reads only.

    *Raises* UnknownOutcomeError, NotStartedError or FailedError when the host does not tell.
    """
    waiting = asyncio.create_task(job.host.wait_job(job.root, job.key, limit), name=f"wait for job {job.key}")
    try:
        while not (await asyncio.wait({waiting}, timeout=PROGRESS_S))[0]:
            if on_progress is not None:
                await show_progress(job, on_progress)
        return waiting.result()
    except UnknownOutcomeError:
        # It may be that only the waiting came to its limit: ask plainly.
        return await job.host.job_status(job.root, job.key)
    finally:
        if not waiting.done():
            waiting.cancel()
            await asyncio.wait({waiting})


async def show_progress(job: Job, on_progress: Watcher) -> None:
    """Hand over the last progress the job has written; one that is not there or half written is left out."""
    text = await job.host.job_output(job.root, job.key, "progress")
    progress = parsed_progress(text)
    if progress is not None:
        await on_progress(progress)


async def tell_overdue(ctx: OperationContext, job: Job) -> None:
    """Append, once in the operation's life, that the job takes longer than it should."""
    text = (
        f"{job.place} still runs after {job.timeout.total_seconds() / 60:.0f} minutes. "
        "It is neither stopped nor repeated; cancel the operation to stop it."
    )
    entry = NewEntry(kind=Kind.NOTE, text=text, data={"operation": ctx.operation.id, "job_key": job.key})

    async def minutes() -> float:
        return job.timeout.total_seconds() / 60

    await ctx.step(f"{job.step}.overdue", minutes, lambda tx, _: append_if_known(tx, ctx.operation, entry))


def end_of(status: JobStatus) -> dict[str, Any]:
    """Return the end of a job as it is recorded. NONE after a launch counts as died: its folder is gone from the host."""
    return {
        "state": status.state.value,
        "exit_status": status.exit_status if status.state is JobState.DONE else None,
        "duration_s": status.duration_s,
    }


def parsed_progress(text: str) -> Progress | None:
    """Return the last whole line of `{"what":…,"done":…,"total":…,"unit":…}`, or None."""
    for line in reversed(text.splitlines()):
        try:
            data = json.loads(line)
            return Progress(
                what=str(data["what"]),
                done=int(data["done"]),
                total=int(data["total"]),
                unit=str(data["unit"]),
            )
        except (ValueError, KeyError, TypeError):
            continue
    return None


def died_text(job: Job, *, known: bool) -> str:
    """Return what a person is told of a job that is gone without an exit status; `known`: its folder is still there."""
    why = "it was killed, or the host was restarted" if known else "even its folder is gone from the host"
    return (
        f"{job.place} is gone and left no exit status: {why}. What it changed must be "
        f"looked up; it is never repeated by itself. What it wrote stays there in {job.folder}."
    )


def host_entry(host: Host, describe: str, person: str, **data: Any) -> NewEntry:
    """Return the entry of one command on the host: exit_status, duration_s, outcome, and job_key for a job."""
    duration_s = data.get("duration_s")
    took = "" if duration_s is None else f", {duration_s:.1f} s"
    status = data.get("exit_status")
    ended = f"exit status {status}" if status is not None else str(data.get("outcome", "unknown"))
    values = {"exit_status": None, **data, "duration_s": None if duration_s is None else round(duration_s, 3)}
    return NewEntry(
        kind=Kind.HOST_COMMAND,
        text=f"{describe} on {host.name}: {ended}{took}",
        data={"command": describe, "host": host.name, "person": person, **values},
    )
