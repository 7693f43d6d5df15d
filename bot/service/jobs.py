"""Work on a host that outlives the link and this process, run once in the life of an operation."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.model.codec import digest
from bot.model.errors import FailedError, NotStartedError, ReaderRefusalError, UnknownOutcomeError
from bot.model.event import NewEntry
from bot.ports.host import Command, Completed, Host, JobState
from bot.service.job_run import Job, Watcher, finished, host_entry
from bot.service.operation_context import OperationContext, append_if_known

Recorder = Callable[[NewEntry], Awaitable[None]]

STDOUT_LIMIT_BYTES = 1_000_000
# The reader's answers are counts, hashes and keys; the largest are key lists.
ANSWER_LIMIT_BYTES = 64_000_000
STDERR_TAIL = 300
KEY_LIMIT = 200


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """A job that ended with an allowed status. `stdout` is at most 1 MB of it; `duration_s` None where unknown."""

    key: str
    exit_status: int
    duration_s: float | None
    stdout: str


def job_key(operation_id: str, step: str) -> str:
    """Return the host's key of a step's job: at most 200 of `[A-Za-z0-9._-]`, and another key for any other id or step.

    Where a character had to be replaced or the id cut, part of a hash of the whole stands before the step.
    """
    plain, plain_step = (re.sub(r"[^A-Za-z0-9._-]", "_", text) for text in (operation_id, step))
    key = f"{plain}.{plain_step}"
    if (plain, plain_step) == (operation_id, step) and len(key) <= KEY_LIMIT:
        return key
    end = f"-{digest([operation_id, step])[:8]}.{plain_step[-KEY_LIMIT // 2 :]}"
    return plain[: KEY_LIMIT - len(end)] + end


def key_of(ctx: OperationContext, step: str) -> str:
    """Return the key under which a step's job runs now: the recorded one, and a new one after each stop before its start.

    What was stopped before it began can never begin under its old key, so a retry by a person takes another.
    """
    recorded = ctx.recorded()
    name = f"{step}.stopped."
    stops = sum(key.startswith(name) and state == JobState.NONE.value for key, state in recorded.items())
    if stops:
        return job_key(ctx.operation.id, f"{step}.again{stops}")
    intent = recorded.get(f"{step}.intent")
    return str(intent["key"]) if intent else job_key(ctx.operation.id, step)


async def run_job(
    ctx: OperationContext,
    *,
    host: Host,
    root: str,
    step: str,
    describe: str,
    command: Command,
    person: str,
    on_progress: Watcher | None = None,
    allow_statuses: Sequence[int] = (0,),
    stderr_is_safe: bool = False,
    timeout: timedelta,
) -> JobResult:
    """Run a command as a detached job exactly once in the life of the operation, and return its result.

    A cut link, a host out of reach or a restart of Backout only makes it look again, without limit but a cancel; after
    `timeout` the timeline says that it still runs. *Raises* FailedError for a status that is not allowed, JobDiedError
    when no status exists; both are recorded, so a retry of the operation raises them again and a new run needs a new
    operation. NotStartedError or HostBusyError when it surely never ran: a retry may start it.
    """
    job = Job(
        host=host,
        root=root,
        step=step,
        key=key_of(ctx, step),
        describe=describe,
        person=person,
        launch=lambda key: host.start_job(root, key, command),
        timeout=timeout,
    )
    result, sent = await finished(ctx, job, on_progress)
    if result["exit_status"] not in allow_statuses:
        raise FailedError(await refused_text(job, int(result["exit_status"]), stderr_is_safe=stderr_is_safe))
    stdout = await output_of(job, "stdout", STDOUT_LIMIT_BYTES) if sent is None else sent
    return JobResult(
        key=job.key, exit_status=result["exit_status"], duration_s=result["duration_s"], stdout=stdout
    )


async def run_reader_job(
    ctx: OperationContext,
    *,
    host: Host,
    root: str,
    step: str,
    verb: str,
    request: dict[str, object],
    describe: str,
    person: str,
    on_progress: Watcher | None = None,
    timeout: timedelta,
) -> dict[str, Any]:
    """Run a verb of the row reader as a job (see `run_job`) and return its JSON answer.

    *Raises* ReaderRefusalError with the reader's own words and kind when it says no; FailedError when its answer is
    damaged.
    """
    job = Job(
        host=host,
        root=root,
        step=step,
        key=key_of(ctx, step),
        describe=describe,
        person=person,
        launch=lambda key: host.reader_job(root, key, verb, request),
        timeout=timeout,
    )
    result, sent = await finished(ctx, job, on_progress)
    text = await output_of(job, "stdout", ANSWER_LIMIT_BYTES) if sent is None else sent
    return answer_of(job, int(result["exit_status"]), text)


async def run_fact(
    record: Recorder, host: Host, command: Command, *, describe: str, person: str, tries: int = 2
) -> Completed:
    """Run a short read-only command and return its result, whatever its exit status; each try is recorded.

    *Raises* UnknownOutcomeError when every try ended so; NotStartedError when the host was not reached.
    """
    while True:
        tries -= 1
        began = time.monotonic()
        try:
            done = await host.run(command)
        except UnknownOutcomeError:
            await record(
                host_entry(host, describe, person, duration_s=time.monotonic() - began, outcome="unknown")
            )
            if tries <= 0:
                raise
        else:
            ended = {"exit_status": done.exit_status, "duration_s": done.duration_s, "outcome": "ended"}
            await record(host_entry(host, describe, person, **ended))
            return done


async def stop_jobs(ctx: OperationContext, *, host: Host) -> None:
    """End on the host every job that this operation meant to start and whose end it has not recorded.

    *Changes*: the jobs' processes. *Raises* FailedError when one still runs afterwards, UnknownOutcomeError or
    NotStartedError when the host does not answer.
    """
    recorded = ctx.recorded()
    for name, intent in recorded.items():
        step = name.removesuffix(".intent")
        if step != name and step not in recorded:
            await stop_job(ctx, host, step, intent)


async def stop_job(ctx: OperationContext, host: Host, step: str, intent: dict[str, Any]) -> None:
    """End one job on the host and record it. *Raises* FailedError when it still runs."""
    began, key = time.monotonic(), key_of(ctx, step)
    status = await host.stop_job(intent["root"], key)
    if status.state is JobState.RUNNING:
        raise FailedError(f"{intent['command']} on {host.name} still runs after it was told to stop.")
    entry = host_entry(
        host,
        f"stop: {intent['command']}",
        ctx.operation.person,
        exit_status=status.exit_status,
        duration_s=time.monotonic() - began,
        outcome=status.state.value,
        job_key=key,
    )

    async def stopped() -> str:
        return status.state.value

    # By claim: an operation that is tried again after a cancel may start the job then, and be cancelled again.
    name = f"{step}.stopped.{ctx.operation.fence}"
    await ctx.step(name, stopped, lambda tx, _: append_if_known(tx, ctx.operation, entry))


def answer_of(job: Job, exit_status: int, text: str) -> dict[str, Any]:
    """Return the reader's answer. *Raises* ReaderRefusalError when it said no, FailedError when it is damaged."""
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and answer.get("ok") is True and exit_status == 0:
        return answer
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        told = f"{job.place}: {error['message']}"
        raise ReaderRefusalError(told, str(error.get("kind", "")), reason=error["message"])
    raise FailedError(
        f"{job.place} gave no answer that can be read (exit status {exit_status}). Its output stays there in {job.folder}."
    )


async def output_of(job: Job, stream: str, limit_bytes: int) -> str:
    """Return the first bytes of what an ended job wrote; reads only. *Raises* UnknownOutcomeError: cannot be read now."""
    try:
        return await job.host.job_output(job.root, job.key, stream, 0, limit_bytes)
    except NotStartedError as error:
        # The job did run and its end is recorded; to say "not started" of it would be wrong.
        raise UnknownOutcomeError(
            f"{job.place} has ended, but its {stream} cannot be read now: {error}"
        ) from error


async def refused_text(job: Job, exit_status: int, *, stderr_is_safe: bool) -> str:
    """Return what a person is told of a job that said no; its output only where it can hold no row (HAZARDS R5)."""
    where = f"Its output stays there in {job.folder}."
    if stderr_is_safe:
        said = (await output_of(job, "stderr", STDOUT_LIMIT_BYTES)).strip()[-STDERR_TAIL:]
        where = f"It said: {said}" if said else where
    return f"{job.place} ended with exit status {exit_status}. {where}"
