"""Jobs on a host: launched once, looked at for as long as it takes, and their end recorded."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.model.errors import (
    FailedError,
    JobDiedError,
    ReaderRefusalError,
    StoppedBeforeError,
    UnknownOutcomeError,
)
from bot.model.event import Kind
from bot.model.message import Progress
from bot.model.operation import OperationState
from bot.ports.host import Command, JobState, JobStatus
from bot.service.engine import Handler, OperationContext
from bot.service.jobs import job_key, run_fact, run_job, run_reader_job, stop_jobs
from tests.fakes.host import FakeHost
from tests.unit.engine.scene import FAST, Scene


class AnsweringHost(FakeHost):
    """A host whose row reader says what the test wants."""

    answer = ""
    exit_status = 0

    async def reader_job(self, root: str, key: str, verb: str, request: dict[str, object]) -> JobStatus:
        script = 'printf %s "$1"; exit "$2"'
        argv = ["sh", "-c", script, verb, self.answer, str(self.exit_status)]
        return await self.start_job(root, key, Command(argv=argv, stdin=json.dumps(request)))


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[AnsweringHost]:
    made = AnsweringHost(tmp_path / "home")
    (tmp_path / "home" / "jobs").mkdir()
    yield made
    made.link.reachable = True
    await made.stop_job(str(tmp_path / "home" / "jobs"), "op.load")
    await made.close()


def root_of(host: FakeHost) -> str:
    return str(host.link.home / "jobs")


def log_of(host: FakeHost) -> list[str]:
    file = host.link.home / "log"
    return file.read_text().split() if file.exists() else []


def job(host: FakeHost, script: str, **more: Any) -> Handler:
    """A handler that runs one job which first writes `launched` into the host's log."""

    async def handler(ctx: OperationContext) -> object:
        command = Command(argv=["sh", "-c", f"echo launched >> {host.link.home}/log; {script}"])
        options = {"timeout": timedelta(seconds=30), **more}
        result = await run_job(
            ctx,
            host=host,
            root=root_of(host),
            step="load",
            describe="load it",
            command=command,
            person="ann",
            **options,
        )
        return {"exit_status": result.exit_status, "stdout": result.stdout}

    return handler


async def run(scene: Scene, handler: Handler) -> Any:
    await scene.engine({"work": handler})
    await scene.add("op")
    return await scene.ended("op")


def stop_all(host: FakeHost) -> Handler:
    async def abort(ctx: OperationContext) -> None:
        await stop_jobs(ctx, host=host)

    return abort


async def test_a_job_is_recorded_with_its_end(scene: Scene, host: AnsweringHost) -> None:
    """A job's result holds its output, and its one entry says what ran, where, for whom, how it ended and how long."""
    ended = await run(scene, job(host, "echo hello; exit 3", allow_statuses=(0, 3)))
    assert ended.result == {"exit_status": 3, "stdout": "hello\n"}
    (entry,) = await scene.entries(Kind.HOST_COMMAND)
    assert entry.data.pop("duration_s") >= 0
    assert entry.data == {
        "command": "load it",
        "host": host.name,
        "person": "ann",
        "exit_status": 3,
        "outcome": "done",
        "job_key": "op.load",
    }


async def test_a_lost_link_is_looked_through(scene: Scene, host: AnsweringHost) -> None:
    """While the host is out of reach the operation looks on, says so once, and finds the end of the one job."""
    await scene.engine({"work": job(host, "sleep 0.6")})
    await scene.add("op")
    await scene.until(lambda: log_of(host) == ["launched"])
    await scene.until_seen(lambda: launched(scene))
    host.link.reachable = False
    host.link.drop()
    await scene.until_seen(lambda: scene.entries(Kind.STEP_UNKNOWN))
    host.link.reachable = True
    assert (await scene.ended("op")).state is OperationState.DONE
    assert log_of(host) == ["launched"]
    unknown = await scene.entries(Kind.STEP_UNKNOWN)
    assert 1 <= len(unknown) <= 2
    assert "looking again" in unknown[0].text


async def launched(scene: Scene) -> bool:
    return "load.launched" in await scene.store.transact(lambda tx: tx.checkpoints("op"))


async def test_a_launch_whose_answer_is_lost_is_attached_to(scene: Scene, host: AnsweringHost) -> None:
    """When the link is lost while the job is being started, the next look attaches to it and starts no second one."""
    lost: list[int] = []

    class Losing(AnsweringHost):
        async def start_job(self, root: str, key: str, command: Command) -> JobStatus:
            status = await super().start_job(root, key, command)
            if len(lost) < 2:
                lost.append(1)
                raise UnknownOutcomeError("the answer was lost")
            return status

    losing = Losing(host.link.home)
    ended = await run(scene, job(losing, "echo done"))
    assert ended.state is OperationState.DONE
    assert log_of(losing) == ["launched"]
    await losing.close()


async def test_a_host_that_was_never_reached_is_a_failure_that_can_be_retried(
    scene: Scene, host: AnsweringHost
) -> None:
    """A first launch that surely sent nothing fails the operation; a retry by a person starts the job then."""
    host.link.reachable = False
    ended = await run(scene, job(host, "echo done"))
    assert ended.state is OperationState.FAILED
    assert "nothing was run" in ended.error
    host.link.reachable = True
    await scene.engines[0].retry("op")
    assert (await scene.ended("op")).state is OperationState.DONE
    assert log_of(host) == ["launched"]


async def test_a_refusal_keeps_its_output_on_the_host(scene: Scene, host: AnsweringHost) -> None:
    """A status that is not allowed fails the operation; its output, which can hold rows, is not told but where it is."""
    ended = await run(scene, job(host, "echo 'INSERT a row' >&2; exit 1"))
    assert ended.state is OperationState.FAILED
    assert ended.error == (
        f"load it on {host.name} ended with exit status 1. Its output stays there in {root_of(host)}/jobs/op.load."
    )


async def test_a_safe_refusal_tells_its_last_words(scene: Scene, host: AnsweringHost) -> None:
    """Of a command whose stderr holds no rows the last 300 characters are told."""
    ended = await run(scene, job(host, "printf '%400s' no-space-left >&2; exit 1", stderr_is_safe=True))
    assert ended.error is not None
    assert ended.error.endswith("It said: no-space-left")


async def test_a_job_that_died_is_never_repeated(scene: Scene, host: AnsweringHost) -> None:
    """A job killed without an exit status fails the operation in words, and a retry neither launches nor forgets it."""
    await scene.engine({"work": job(host, "sleep 30")})
    await scene.add("op")
    await scene.until(lambda: log_of(host) == ["launched"])
    session = int((Path(root_of(host)) / "jobs" / "op.load" / "pid").read_text().split()[0])
    os.killpg(session, signal.SIGKILL)
    ended = await scene.ended("op")
    assert ended.error is not None
    assert "left no exit status" in ended.error
    assert "never repeated by itself" in ended.error
    await scene.engines[0].retry("op")
    assert (await scene.ended("op")).state is OperationState.FAILED
    assert log_of(host) == ["launched"]
    (entry,) = await scene.entries(Kind.HOST_COMMAND)
    assert (entry.data["outcome"], entry.data["exit_status"]) == ("died", None)


async def test_a_job_whose_folder_is_gone_is_not_launched_anew(scene: Scene, host: AnsweringHost) -> None:
    """After the host has said that it started the job, "never heard of it" means that it died."""

    async def handler(ctx: OperationContext) -> object:
        async def running() -> str:
            return "running"

        await ctx.step("load.launched", running)
        with pytest.raises(JobDiedError, match="even its folder is gone"):
            await job(host, "true")(ctx)
        return "told"

    assert (await run(scene, handler)).result == "told"
    assert log_of(host) == []


async def test_a_cancel_stops_the_job_before_the_end(scene: Scene, host: AnsweringHost) -> None:
    """A cancelled operation's job is ended on the host first, its site freed after, and the stop is in the timeline."""
    engine = await scene.engine(
        {"work": job(host, f"sleep 30; echo late >> {host.link.home}/log")}, {"work": stop_all(host)}
    )
    await scene.add("op", changes_site=True)
    await scene.until(lambda: log_of(host) == ["launched"])
    await engine.cancel("op")
    assert (await scene.ended("op")).state is OperationState.CANCELLED
    assert (await host.job_status(root_of(host), "op.load")).state is JobState.STOPPED
    assert await scene.holder() is None
    (entry,) = await scene.entries(Kind.HOST_COMMAND)
    assert (entry.data["command"], entry.data["outcome"]) == ("stop: load it", "stopped")


async def test_a_second_cancel_stops_what_a_retry_started(scene: Scene, host: AnsweringHost) -> None:
    """An operation cancelled before its job ran, tried again and cancelled again, leaves no job running."""

    class Unclear(AnsweringHost):
        clear = False

        async def start_job(self, root: str, key: str, command: Command) -> JobStatus:
            if not self.clear:
                raise UnknownOutcomeError("the link was lost on the way")
            return await super().start_job(root, key, command)

    unclear = Unclear(host.link.home)
    pace = replace(FAST, abort_limit=timedelta(seconds=10))
    engine = await scene.engine({"work": job(unclear, "sleep 30")}, {"work": stop_all(unclear)}, pace=pace)
    await scene.add("op")
    await scene.until_seen(lambda: scene.entries(Kind.STEP_UNKNOWN))
    await engine.cancel("op")
    assert (await scene.ended("op")).state is OperationState.CANCELLED
    unclear.clear = True
    await engine.retry("op")
    await scene.until(lambda: log_of(host) == ["launched"])
    await engine.cancel("op")
    assert (await scene.ended("op")).state is OperationState.CANCELLED
    assert (await host.job_status(root_of(host), "op.load.again1")).state is JobState.STOPPED
    with pytest.raises(StoppedBeforeError):
        await host.start_job(root_of(host), "op.load", Command(argv=["true"]))
    await unclear.close()


async def test_a_stop_by_another_hand_is_told(scene: Scene, host: AnsweringHost) -> None:
    """A job that someone stopped on the host fails the operation and says that its changes stay."""
    await scene.engine({"work": job(host, "sleep 30")})
    await scene.add("op")
    await scene.until(lambda: log_of(host) == ["launched"])
    await host.stop_job(root_of(host), "op.load")
    error = (await scene.ended("op")).error
    assert error is not None
    assert "was stopped before its end" in error


async def test_progress_is_handed_on(scene: Scene, host: AnsweringHost) -> None:
    """What the job writes into its progress file reaches the watcher; a half-written one does not."""
    seen: list[Progress] = []

    async def watch(progress: Progress) -> None:
        seen.append(progress)

    first = json.dumps({"what": "rows", "done": 1, "total": 2, "unit": "rows"})
    script = f"echo '{first}' > $BACKOUT_PROGRESS; printf '{{\"what\"' >> $BACKOUT_PROGRESS; sleep 0.9"
    await scene.engine(
        {"work": job(host, script, on_progress=watch)}, pace=replace(FAST, look=timedelta(seconds=15))
    )
    await scene.add("op")
    assert (await scene.ended("op")).state is OperationState.DONE
    assert set(seen) == {Progress(what="rows", done=1, total=2, unit="rows")}


async def test_a_job_that_takes_too_long_is_told_and_left_alone(scene: Scene, host: AnsweringHost) -> None:
    """Past its time limit a job runs on, and the timeline says once that it does."""

    async def watch(_: Progress) -> None:
        return None

    again = timedelta(seconds=0)
    await scene.engine({"work": job(host, "sleep 1", timeout=again, on_progress=watch)})
    await scene.add("op")
    await scene.until_seen(lambda: launched(scene))
    host.link.drop()
    assert (await scene.ended("op")).state is OperationState.DONE
    assert ["still runs after" in entry.text for entry in await scene.entries(Kind.NOTE)] == [True]


async def test_a_reader_answers(scene: Scene, host: AnsweringHost) -> None:
    """The answer of the row reader is the operation's to use."""
    host.answer = json.dumps({"ok": True, "tables": {"a": 1}})
    assert (await run(scene, reading(host))).result == {"ok": True, "tables": {"a": 1}}


@pytest.mark.parametrize(
    ("answer", "status", "error", "words"),
    [
        (
            '{"ok":false,"error":{"kind":"no_space","message":"2 GB are missing"}}',
            1,
            ReaderRefusalError,
            "2 GB are missing",
        ),
        ('{"ok":true', 0, FailedError, "no answer that can be read"),
        ("[]", 0, FailedError, "no answer that can be read"),
        ("", 127, FailedError, "exit status 127"),
        ('{"ok":true}', 1, FailedError, "exit status 1"),
        ('{"ok":false,"error":"x"}', 1, FailedError, "no answer that can be read"),
    ],
)
async def test_a_reader_that_says_no_or_nonsense_fails(
    scene: Scene, host: AnsweringHost, answer: str, status: int, error: type[Exception], words: str
) -> None:
    """A refusal comes with the reader's own words; a damaged answer is never taken for one."""
    host.answer, host.exit_status = answer, status
    raised: list[BaseException] = []

    async def handler(ctx: OperationContext) -> None:
        try:
            await reading(host)(ctx)
        except FailedError as caught:
            raised.append(caught)
            raise

    ended = await run(scene, handler)
    assert words in ended.error
    assert type(raised[0]) is error


def reading(host: FakeHost) -> Handler:
    async def handler(ctx: OperationContext) -> object:
        return await run_reader_job(
            ctx,
            host=host,
            root=root_of(host),
            step="load",
            verb="compare",
            request={"path": "a'b"},
            describe="compare",
            person="ann",
            timeout=timedelta(seconds=30),
        )

    return handler


async def test_a_fact_is_recorded_each_time(scene: Scene, host: AnsweringHost) -> None:
    """A read-only command is recorded with its exit status; one whose outcome is unknown is tried again, and told."""
    lost: list[int] = []

    class Losing(AnsweringHost):
        async def run(self, command: Command) -> Any:
            if not lost:
                lost.append(1)
                raise UnknownOutcomeError("lost")
            return await super().run(command)

    losing = Losing(host.link.home)

    async def handler(ctx: OperationContext) -> object:
        done = await run_fact(
            ctx.note, losing, Command(argv=["sh", "-c", "exit 4"]), describe="ask", person="ann"
        )
        return done.exit_status

    assert (await run(scene, handler)).result == 4
    entries = await scene.entries(Kind.HOST_COMMAND)
    assert [(e.data["outcome"], e.data["exit_status"]) for e in entries] == [("unknown", None), ("ended", 4)]
    await losing.close()


@pytest.mark.parametrize(
    ("operation_id", "step", "key"),
    [
        ("d-1.yes", "load", r"d-1\.yes\.load"),
        ("d-1:yes", "load", r"d-1_yes-[0-9a-f]{8}\.load"),
        ("../../etc $(x)\n", "a'b", r"\.\._\.\._etc___x__-[0-9a-f]{8}\.a_b"),
        ("x" * 300, "load", r"x{186}-[0-9a-f]{8}\.load"),
        ("x", "y" * 300, r"x-[0-9a-f]{8}\.y{100}"),
    ],
)
def test_a_key_holds_only_what_the_host_takes(operation_id: str, step: str, key: str) -> None:
    """Whatever an id holds, its key is made of safe characters and at most 200 of them."""
    assert re.fullmatch(key, job_key(operation_id, step))
    assert len(job_key(operation_id, step)) <= 200


def test_what_looks_alike_has_keys_of_its_own() -> None:
    """Ids that differ in a character that no key may hold, or beyond its length, never share a job."""
    ids = [
        "web:ann:1",
        "web_ann:1",
        "web:ann_1",
        "web_ann_1",
        "web/ann/1",
        "x" * 300,
        "x" * 301,
        "x" * 299 + ":",
    ]
    assert len({job_key(one, "load") for one in ids}) == len(ids)
