# ruff: noqa: ASYNC240 - tests look at small local files; nothing else waits meanwhile
"""The contract of the host port: one suite for the fake and for the real adapter.

A subclass gives the fixtures `host` and `site_root` (a job folder on that host, which this machine can look into).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.ssh_host.host import ShellHost
from bot.model.errors import (
    FailedError,
    HostBusyError,
    NotStartedError,
    ReaderRefusalError,
    StoppedBeforeError,
    UnknownOutcomeError,
)
from bot.model.secret import Secret
from bot.ports.host import Command, JobState, JobStatus

HOSTILE = (
    "it's",
    'say "x"',
    "$(touch never) `id` $HOME",
    "two\nlines\n",
    "-rf",
    "--",
    "Ünïcödé 🦊",
    "a;b|c&d>e<f*?[x]~!#",
    "back\\slash\\",
    " spaces  inside ",
    "",
)
A_WHILE = timedelta(seconds=10)


def shell(text: str, *arguments: str, stdin: str | Secret | None = None) -> Command:
    """Return a command that runs shell text with arguments from $1 on."""
    return Command(argv=["sh", "-c", text, "sh", *arguments], stdin=stdin)


async def ended(host: ShellHost, root: str, key: str) -> JobStatus:
    """Return the status of a job that is waited for."""
    return await host.wait_job(root, key, A_WHILE)


async def eventually_exists(path: Path) -> None:
    """Return as soon as a file is there and not empty."""
    async with asyncio.timeout(10):
        while not path.exists() or not path.read_text().strip():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)


def leader_of(root: str, key: str) -> int:
    """Return the pid of a job's leader."""
    return int(Path(root, "jobs", key, "pid").read_text().split()[0])


def is_alive(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


def cmdlines() -> str:
    """Return the argument lists and environments of all processes that may be read."""
    seen = []
    for path in [*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")]:
        with contextlib.suppress(OSError):
            seen.append(path.read_bytes().decode(errors="replace"))
    return "\n".join(seen)


async def gone(pid: int) -> None:
    """Return once there is no such process, and fail after ten seconds."""
    for _ in range(500):
        if not is_alive(pid):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"process {pid} is still there")


class RunContract:
    """Short read-only commands."""

    async def test_output_and_status_come_back(self, host: ShellHost) -> None:
        """A program's two streams and its exit status are told apart, and a failure is a result, not an error."""
        completed = await host.run(shell("echo out; echo err >&2; exit 7"))
        assert (completed.stdout, completed.stderr, completed.exit_status) == ("out\n", "err\n", 7)

    async def test_hostile_words_arrive_unchanged(self, host: ShellHost) -> None:
        """Every word reaches the program as it was, whatever a shell would make of it."""
        completed = await host.run(Command(argv=["printf", "%s\\0", *HOSTILE]))
        assert completed.stdout.split("\0")[:-1] == list(HOSTILE)

    async def test_hostile_folder_and_environment(self, host: ShellHost, tmp_path: Path) -> None:
        """A folder's name and a value of the environment are data as well."""
        folder = tmp_path / "it's $(id)\n-x"
        folder.mkdir()
        command = Command(argv=["sh", "-c", 'pwd; printf %s "$X"'], cwd=str(folder), env={"X": "a'b\n$(c)"})
        assert (await host.run(command)).stdout == f"{folder}\na'b\n$(c)"

    async def test_environment_is_pinned(self, host: ShellHost) -> None:
        """Programs see UTF-8 and a full PATH, and no terminal."""
        completed = await host.run(shell('echo "$LC_ALL $PATH"; test -t 1 || echo no terminal'))
        assert completed.stdout.startswith("C.UTF-8 /usr/local/bin:/usr/bin:/bin:")
        assert completed.stdout.endswith("no terminal\n")

    async def test_standard_input_is_sent_and_closed(self, host: ShellHost) -> None:
        """A program that reads to the end of its input gets all of it; without input it gets an empty one."""
        text = "line 'one'\n$two\n" * 20_000
        assert (await host.run(Command(argv=["cat"], stdin=text))).stdout == text
        assert (await host.run(Command(argv=["cat"]))).stdout == ""

    async def test_input_that_nobody_reads(self, host: ShellHost) -> None:
        """A program that ends without reading its input has its own status, and nothing breaks."""
        completed = await host.run(Command(argv=["sh", "-c", "exit 4"], stdin="x" * 500_000))
        assert completed.exit_status == 4

    async def test_a_secret_shows_nowhere(self, host: ShellHost) -> None:
        """A secret reaches the program by standard input and stands in no argument list, no line, no result."""
        secret = Secret("correct-horse-battery")
        running = asyncio.create_task(host.run(shell("read -r S; sleep 2; printf %s ${#S}", stdin=secret)))
        await asyncio.sleep(0.8)
        seen = cmdlines()
        completed = await running
        assert "read -r S" in seen
        assert secret.reveal() not in seen + repr(completed)
        assert completed.stdout == str(len(secret.reveal()))

    async def test_long_output_is_cut(self, host: ShellHost) -> None:
        """Output beyond the limit is read on and dropped; the program ends as if all had been taken."""
        command = Command(
            argv=["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; echo end >&2"], max_output_bytes=1000
        )
        completed = await host.run(command)
        assert completed.stdout == "x" * 1000
        assert (completed.truncated, completed.exit_status, completed.stderr) == (True, 0, "end\n")

    async def test_output_at_the_limit_is_whole(self, host: ShellHost) -> None:
        """Output of exactly the limit is not called cut."""
        completed = await host.run(Command(argv=["printf", "12345"], max_output_bytes=5))
        assert (completed.stdout, completed.truncated) == ("12345", False)

    async def test_bad_bytes_are_replaced(self, host: ShellHost) -> None:
        """Bytes that are no UTF-8 do not break a fact."""
        assert (await host.run(Command(argv=["printf", "a\\377b"]))).stdout == "a�b"

    async def test_a_signal_is_an_exit_status(self, host: ShellHost) -> None:
        """A program ended by a signal has ended: its status is 128 and the signal's number."""
        assert (await host.run(shell("kill -KILL $$"))).exit_status == 137

    async def test_time_limit_is_unknown(self, host: ShellHost) -> None:
        """A command that does not end in time has an unknown outcome, told soon after the limit."""
        began = time.monotonic()
        with pytest.raises(UnknownOutcomeError):
            await host.run(Command(argv=["sleep", "30"], timeout=timedelta(seconds=1)))
        assert time.monotonic() - began < 4

    async def test_missing_folder_is_not_started(self, host: ShellHost) -> None:
        """A folder that is not there means that nothing ran, and the message names it."""
        with pytest.raises(NotStartedError, match="/no/such/folder"):
            await host.run(Command(argv=["true"], cwd="/no/such/folder"))

    async def test_missing_program(self, host: ShellHost) -> None:
        """A program that is not there is the shell's 127, a result like any other."""
        assert (await host.run(Command(argv=["no-such-program-here"]))).exit_status == 127

    @pytest.mark.parametrize("argv", [[], [""], ["-x"], ["A=b"], ["echo", "nul\0"]])
    async def test_no_program_is_refused_here(self, host: ShellHost, argv: list[str]) -> None:
        """What cannot be a program's name or word is refused before anything is sent."""
        with pytest.raises(ValueError, match=r"program|NUL"):
            await host.run(Command(argv=argv))

    async def test_the_shown_line_can_be_typed(self, host: ShellHost) -> None:
        """The line for the timeline is what a person would type, quoted."""
        completed = await host.run(Command(argv=["ls", "a b"], cwd="/", env={"N": "1 2"}))
        assert completed.command == "cd -- / && env LC_ALL=C.UTF-8 N='1 2' ls 'a b'"

    async def test_many_at_once(self, host: ShellHost) -> None:
        """Thirty commands at once all come back, each with its own answer."""
        answers = await asyncio.gather(*(host.run(Command(argv=["echo", str(n)])) for n in range(30)))
        assert [answer.stdout for answer in answers] == [f"{n}\n" for n in range(30)]

    async def test_identity(self, host: ShellHost) -> None:
        """The host says who it is, with the key it proved."""
        identity = await host.identity()
        assert identity.hostname == os.uname().nodename
        assert identity.host_key.startswith("SHA256:")


class JobContract:
    """Detached jobs. `low_priority`: the fixture's host has that setting."""

    low_priority = True

    async def test_a_job_runs_once_and_is_found_again(self, host: ShellHost, site_root: str) -> None:
        """A job runs detached; its status, duration and output are there for any later caller."""
        started = await host.start_job(
            site_root, "op1.load", shell("echo hello; echo oops >&2; sleep 0.2; exit 3")
        )
        assert (started.state, started.attached) == (JobState.RUNNING, False)
        status = await ended(host, site_root, "op1.load")
        assert (status.state, status.exit_status) == (JobState.DONE, 3)
        assert status.duration_s is not None
        assert 0.1 < status.duration_s < 5
        assert await host.job_output(site_root, "op1.load", "stdout") == "hello\n"
        assert await host.job_output(site_root, "op1.load", "stderr") == "oops\n"
        assert await host.job_status(site_root, "op1.load") == status

    async def test_a_second_start_attaches(self, host: ShellHost, site_root: str, tmp_path: Path) -> None:
        """A key that was used is attached to, while the job runs and after; the command does not run again."""
        end = tmp_path / "end"
        command = shell(
            "echo run >>$1; until [ -e $2 ]; do sleep 0.05; done", str(tmp_path / "log"), str(end)
        )
        await host.start_job(site_root, "k", command)
        again = await host.start_job(site_root, "k", command)
        assert (again.state, again.attached) == (JobState.RUNNING, True)
        end.touch()
        await ended(host, site_root, "k")
        after = await host.start_job(site_root, "k", command)
        assert (after.state, after.attached, after.exit_status) == (JobState.DONE, True, 0)
        assert (tmp_path / "log").read_text() == "run\n"

    async def test_twenty_starts_at_once(self, host: ShellHost, site_root: str, tmp_path: Path) -> None:
        """Of twenty starts of one key at once, exactly one starts it."""
        command = shell("echo run >>$1; sleep 0.2", str(tmp_path / "log"))
        answers = await asyncio.gather(*(host.start_job(site_root, "k", command) for _ in range(20)))
        assert sorted(answer.attached for answer in answers) == [False] + [True] * 19
        await ended(host, site_root, "k")
        assert (tmp_path / "log").read_text() == "run\n"

    async def test_a_start_waits_for_no_other_job(self, host: ShellHost, site_root: str) -> None:
        """Ten jobs below ten roots are all started at once, however long each of them runs."""
        roots = [f"{site_root}{n}" for n in range(10)]
        async with asyncio.timeout(A_WHILE.total_seconds()):
            await asyncio.gather(*(host.start_job(root, "k", shell("sleep 60")) for root in roots))
        for root in roots:
            assert (await host.stop_job(root, "k")).state is JobState.STOPPED

    async def test_another_key_is_busy(self, host: ShellHost, site_root: str, tmp_path: Path) -> None:
        """While a job lives no other one starts below the same root; another root is free; afterwards it may."""
        await host.start_job(site_root, "first", shell("sleep 0.3"))
        with pytest.raises(HostBusyError) as busy:
            await host.start_job(site_root, "second", shell("touch $1", str(tmp_path / "ran")))
        assert busy.value.holder == "first"
        assert (await host.job_status(site_root, "second")).state is JobState.NONE
        assert not (await host.start_job(f"{site_root}-other", "second", shell("true"))).attached
        await ended(host, site_root, "first")
        assert not (await host.start_job(site_root, "second", shell("true"))).attached
        assert not (tmp_path / "ran").exists()

    async def test_ten_keys_at_once(self, host: ShellHost, site_root: str, tmp_path: Path) -> None:
        """Of ten jobs started at once below one root, one runs and nine are told who holds it."""
        starts = [
            host.start_job(site_root, f"k{n}", shell("echo run >>$1; sleep 60", str(tmp_path / "log")))
            for n in range(10)
        ]
        answers = await asyncio.gather(*starts, return_exceptions=True)
        assert sum(isinstance(answer, JobStatus) for answer in answers) == 1
        assert sum(isinstance(answer, HostBusyError) for answer in answers) == 9
        (started,) = (answer for answer in answers if isinstance(answer, JobStatus))
        assert (await host.stop_job(site_root, started.key)).state is JobState.STOPPED

    async def test_unknown_key(self, host: ShellHost, site_root: str) -> None:
        """A key the host never heard of is NONE, to every question, and asking makes no files."""
        assert (await host.job_status(site_root, "never")).state is JobState.NONE
        assert (await ended(host, site_root, "never")).state is JobState.NONE
        assert await host.job_output(site_root, "never", "stdout") == ""
        assert not Path(site_root).exists()

    async def test_a_start_that_arrives_after_its_stop_starts_nothing(
        self, host: ShellHost, site_root: str, tmp_path: Path
    ) -> None:
        """Stopped before it was started, a job is NONE and stays so: a late start runs nothing, other jobs may run."""
        late = shell("echo ran >>$1; cat >>$1", str(tmp_path / "ran"))
        for _ in range(2):
            assert (await host.stop_job(site_root, "k")).state is JobState.NONE
            with pytest.raises(StoppedBeforeError, match="Nothing was run"):
                await host.start_job(site_root, "k", replace(late, stdin=Secret("hush")))
        assert (await host.job_status(site_root, "k")).state is JobState.NONE
        assert not (tmp_path / "ran").exists()
        kept = [path for path in Path(site_root).rglob("*") if path.is_file()]
        assert all("hush" not in path.read_text() for path in kept)
        await host.start_job(site_root, "other", shell("exit 0"))
        assert (await ended(host, site_root, "other")).state is JobState.DONE

    async def test_wait_returns_at_once_when_it_ends(self, host: ShellHost, site_root: str) -> None:
        """The end of a job is told promptly."""
        await host.start_job(site_root, "k", shell("sleep 0.3"))
        began = time.monotonic()
        assert (await ended(host, site_root, "k")).state is JobState.DONE
        assert time.monotonic() - began < 1.5

    async def test_short_output_comes_with_the_end(self, host: ShellHost, site_root: str) -> None:
        """A job that went well gives its whole output with its end, to whoever started it and to any later caller."""
        await host.start_job(site_root, "k", shell("printf 'backout-job IS\\nä\\n'"))
        first, later = await ended(host, site_root, "k"), await ended(host, site_root, "k")
        assert first.stdout == later.stdout == "backout-job IS\nä\n"
        assert first == later

    @pytest.mark.parametrize("text", ["echo secret row; exit 1", "head -c 70000 /dev/zero | tr '\\0' x"])
    async def test_other_output_is_asked_for(self, host: ShellHost, site_root: str, text: str) -> None:
        """What a job that failed wrote, and what is long, stays on the host until it is asked for."""
        await host.start_job(site_root, "k", shell(text))
        assert (await ended(host, site_root, "k")).stdout is None
        assert await host.job_output(site_root, "k", "stdout", 0, 6) in ("secret", "xxxxxx")

    async def test_jobs_on_scratch_files_give_way(self, host: ShellHost, site_root: str) -> None:
        """A job on scratch files leaves the disk to others where that is set; one that changes a site never does."""
        for root in (site_root, f"{site_root}/scratch-jobs"):
            await host.start_job(root, "k", shell("ionice"))
        change, scratch = [await ended(host, root, "k") for root in (site_root, f"{site_root}/scratch-jobs")]
        assert change.stdout != "idle\n"
        assert (scratch.stdout == "idle\n") is self.low_priority

    async def test_wait_has_a_limit(self, host: ShellHost, site_root: str) -> None:
        """A job that does not end in time has an unknown outcome, and is left alone."""
        await host.start_job(site_root, "k", shell("sleep 30"))
        with pytest.raises(UnknownOutcomeError, match="was not seen to end"):
            await host.wait_job(site_root, "k", timedelta(seconds=0.4))
        assert (await host.stop_job(site_root, "k")).state is JobState.STOPPED

    async def test_stop_ends_the_whole_session(self, host: ShellHost, site_root: str, tmp_path: Path) -> None:
        """Stop ends children and grandchildren too, and the job stays stopped; the next one may start."""
        text = "(sleep 61 & echo $! >$1; wait) & sleep 60 & wait"
        await host.start_job(site_root, "k", shell(text, str(tmp_path / "pid")))
        await eventually_exists(tmp_path / "pid")
        stopped = await host.stop_job(site_root, "k")
        assert (stopped.state, stopped.exit_status) == (JobState.STOPPED, None)
        assert not is_alive(int((tmp_path / "pid").read_text()))
        assert (await host.start_job(site_root, "k", shell("true"))).state is JobState.STOPPED
        assert not (await host.start_job(site_root, "next", shell("true"))).attached

    async def test_killed_wrapper_is_still_running(
        self, host: ShellHost, site_root: str, tmp_path: Path
    ) -> None:
        """When the leader is killed and its child lives, the job runs on, others are busy, and stop ends it."""
        await host.start_job(site_root, "k", shell("echo $$ >$1; sleep 60; :", str(tmp_path / "pid")))
        await eventually_exists(tmp_path / "pid")
        os.kill(leader_of(site_root, "k"), signal.SIGKILL)
        assert (await host.job_status(site_root, "k")).state is JobState.RUNNING
        with pytest.raises(HostBusyError):
            await host.start_job(site_root, "other", shell("true"))
        assert (await host.stop_job(site_root, "k")).state is JobState.STOPPED
        assert not is_alive(int((tmp_path / "pid").read_text()))

    async def test_died_is_never_overwritten(self, host: ShellHost, site_root: str, tmp_path: Path) -> None:
        """A job whose processes are all gone without a status is DIED; stop and start leave it so."""
        await host.start_job(site_root, "k", shell("echo $$ >$1; exec sleep 60", str(tmp_path / "pid")))
        await eventually_exists(tmp_path / "pid")
        os.kill(leader_of(site_root, "k"), signal.SIGKILL)
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        assert (await ended(host, site_root, "k")).state is JobState.DIED
        assert (await host.stop_job(site_root, "k")).state is JobState.DIED
        again = await host.start_job(site_root, "k", shell("true"))
        assert (again.state, again.attached, again.exit_status) == (JobState.DIED, True, None)

    async def test_done_is_never_overwritten(self, host: ShellHost, site_root: str) -> None:
        """Stop leaves a job that has ended as it was."""
        await host.start_job(site_root, "k", shell("exit 5"))
        status = await ended(host, site_root, "k")
        assert await host.stop_job(site_root, "k") == status

    async def test_a_child_left_behind_is_still_running(self, host: ShellHost, site_root: str) -> None:
        """A job whose command has ended but left a child in its session still runs; stop keeps the command's status."""
        await host.start_job(site_root, "k", shell("sleep 60 & exit 6"))
        await eventually_exists(Path(site_root, "jobs/k/rc"))
        assert (await host.job_status(site_root, "k")).state is JobState.RUNNING
        stopped = await host.stop_job(site_root, "k")
        assert (stopped.state, stopped.exit_status) == (JobState.DONE, 6)

    async def test_after_a_reboot(self, host: ShellHost, site_root: str) -> None:
        """A job from before a reboot is DIED, even where its number is in use again."""
        await host.start_job(site_root, "k", shell("sleep 60"))
        pid_file = Path(site_root, "jobs/k/pid")
        recorded = pid_file.read_text()
        sid, ticks, _boot, began = recorded.split()
        pid_file.write_text(f"{sid} {ticks} another-boot {began}\n")
        assert (await host.job_status(site_root, "k")).state is JobState.DIED
        pid_file.write_text(recorded)
        assert (await host.stop_job(site_root, "k")).state is JobState.STOPPED

    async def test_a_number_used_again_is_not_ours(self, host: ShellHost, site_root: str) -> None:
        """A process that began at another time than our leader is a stranger: never ours, never signalled."""
        await host.start_job(site_root, "k", shell("sleep 60"))
        pid_file = Path(site_root, "jobs/k/pid")
        recorded = pid_file.read_text()
        sid, _ticks, boot, began = recorded.split()
        pid_file.write_text(f"{sid} 1 {boot} {began}\n")
        assert (await host.stop_job(site_root, "k")).state is JobState.DIED
        assert is_alive(int(sid))
        pid_file.write_text(recorded)
        assert (await host.stop_job(site_root, "k")).state is JobState.STOPPED

    async def test_a_secret_input_leaves_no_trace(
        self, host: ShellHost, site_root: str, tmp_path: Path
    ) -> None:
        """A job's secret reaches its standard input and lies in no file, argument or environment while it runs."""
        secret = Secret("tr0ub4dor-and-3")
        text = "read -r S; printf %s ${#S} >$1; sleep 0.2"
        await host.start_job(site_root, "k", shell(text, str(tmp_path / "length"), stdin=secret))
        await eventually_exists(tmp_path / "length")
        files = [path.read_text(errors="replace") for path in Path(site_root).rglob("*") if path.is_file()]
        assert secret.reveal() not in cmdlines() + "".join(files)
        await ended(host, site_root, "k")
        assert (tmp_path / "length").read_text() == str(len(secret.reveal()))

    async def test_files_are_private(self, host: ShellHost, site_root: str, tmp_path: Path) -> None:
        """The job's own files can be read by its user alone; what the command makes has the login's usual mode."""
        await host.start_job(site_root, "k", shell("echo x; umask >$1", str(tmp_path / "umask")))
        await ended(host, site_root, "k")
        modes = {path: path.stat().st_mode & 0o077 for path in Path(site_root).rglob("*")}
        assert set(modes.values()) == {0}
        assert (tmp_path / "umask").read_text().strip() != "0077"

    async def test_progress_and_offsets(self, host: ShellHost, site_root: str) -> None:
        """A job tells its progress in the file it is given the name of; output can be read on from an offset."""
        await host.start_job(site_root, "k", shell('printf 12 >"$BACKOUT_PROGRESS"; printf "äöü-end"'))
        await ended(host, site_root, "k")
        assert await host.job_output(site_root, "k", "progress") == "12"
        first = await host.job_output(site_root, "k", "stdout", 0, 3)
        assert first == "ä"
        rest = await host.job_output(site_root, "k", "stdout", len(first.encode()))
        assert rest == "öü-end"

    async def test_hostile_words_and_folder(self, host: ShellHost, site_root: str, tmp_path: Path) -> None:
        """A job's words and folder arrive unchanged, whatever a shell would make of them."""
        folder = tmp_path / "it's $(id)\n-x"
        folder.mkdir()
        command = Command(argv=["sh", "-c", 'pwd; printf "%s\\0" "$@"', "sh", *HOSTILE], cwd=str(folder))
        await host.start_job(f"{site_root} it's $(id)", "k", command)
        await ended(host, f"{site_root} it's $(id)", "k")
        printed = await host.job_output(f"{site_root} it's $(id)", "k", "stdout")
        assert printed == f"{folder}\n" + "".join(f"{word}\0" for word in HOSTILE)

    @pytest.mark.parametrize("key", ["", ".", "..", "a/b", "a b", "x" * 201, "a\nb", "$(id)"])
    async def test_bad_keys_are_refused_here(self, host: ShellHost, site_root: str, key: str) -> None:
        """A key that is no plain name never reaches the host."""
        with pytest.raises(ValueError, match="no key"):
            await host.start_job(site_root, key, shell("true"))

    async def test_root_that_cannot_be_made(self, host: ShellHost) -> None:
        """Where the job's folder cannot be made nothing starts, and the message says why."""
        with pytest.raises(NotStartedError, match="cannot be made"):
            await host.start_job("/proc/no/such", "k", shell("true"))


class ReaderContract:
    """The row reader; the fixture's reader echoes, refuses, breaks or works by its verb."""

    async def test_answers_come_back(self, host: ShellHost) -> None:
        """A verb gets its request by standard input and its JSON answer comes back."""
        assert await host.reader("echo", {"path": "it's\n$x"}) == {
            "ok": True,
            "request": {"path": "it's\n$x"},
        }

    async def test_a_refusal_has_a_kind(self, host: ShellHost) -> None:
        """The reader's own no comes back with its word and its message."""
        with pytest.raises(ReaderRefusalError, match="no such file") as refusal:
            await host.reader("refuse", {})
        assert refusal.value.kind == "not_found"

    async def test_a_damaged_answer_fails(self, host: ShellHost) -> None:
        """An answer that is no JSON document is a failure that quotes nothing of it."""
        with pytest.raises(FailedError) as failure:
            await host.reader("break", {})
        assert "row content" not in str(failure.value)

    async def test_as_a_job(self, host: ShellHost, site_root: str) -> None:
        """A verb runs as a detached job as well, and its standard output is one JSON document."""
        await host.reader_job(site_root, "op.read", "echo", {"a": 1})
        assert (await ended(host, site_root, "op.read")).exit_status == 0
        assert await host.job_output(site_root, "op.read", "stdout") == '{"ok": true, "request": {"a": 1}}\n'

    async def test_a_job_finds_the_reader_sent(
        self, host: ShellHost, site_root: str, work_folder: Path
    ) -> None:
        """A reader that is gone from the host is sent again before its job starts."""
        await host.reader("echo", {})
        (sent,) = work_folder.glob("bin/reader-*.pyz")
        sent.unlink()
        await host.reader_job(site_root, "k", "echo", {})
        assert (await ended(host, site_root, "k")).exit_status == 0

    async def test_a_changed_reader_is_sent_again(self, host: ShellHost, work_folder: Path) -> None:
        """A reader that was changed on the host is not run; the right one is put in its place."""
        await host.reader("echo", {})
        (sent,) = work_folder.glob("bin/reader-*.pyz")
        sent.write_text("print('not ours')")
        assert await host.reader("echo", {}) == {"ok": True, "request": {}}
        assert sent.stat().st_mode & 0o077 == 0

    async def test_one_process_answers_all(self, host: ShellHost) -> None:
        """Each question has a process of its own, made by the one that was started for the first; close ends that."""
        answers = await asyncio.gather(*(host.reader("process", {}) for _ in range(12)))
        assert len({str(answer["process"]) for answer in answers}) == 12
        (parent,) = {str(answer["parent"]) for answer in answers}
        await host.close()
        await gone(int(parent))

    async def test_a_question_without_an_answer_is_ended(self, host: ShellHost, tmp_path: Path) -> None:
        """What takes too long is ended with all that it has started, and others are answered meanwhile."""
        asked = asyncio.create_task(
            host.reader("sleep", {"path": str(tmp_path / "pids")}, timedelta(seconds=1))
        )
        await eventually_exists(tmp_path / "pids")
        assert (await host.reader("echo", {}))["ok"]
        with pytest.raises(UnknownOutcomeError, match="no answer to 'sleep' within 1 s"):
            await asked
        for pid in (tmp_path / "pids").read_text().split():
            await gone(int(pid))

    async def test_a_question_that_is_cancelled_is_ended(self, host: ShellHost, tmp_path: Path) -> None:
        """Who gives up leaves nothing running on the host."""
        asked = asyncio.create_task(host.reader("sleep", {"path": str(tmp_path / "pids")}))
        await eventually_exists(tmp_path / "pids")
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        for pid in (tmp_path / "pids").read_text().split():
            await gone(int(pid))
        assert (await host.reader("echo", {}))["ok"]

    async def test_closing_ends_what_is_asked(self, host: ShellHost, tmp_path: Path) -> None:
        """With the process end those that work for it; who asked is told that no answer comes."""
        asked = asyncio.create_task(host.reader("sleep", {"path": str(tmp_path / "pids")}))
        await eventually_exists(tmp_path / "pids")
        await host.close()
        with pytest.raises(UnknownOutcomeError, match="gave no answer"):
            await asked
        for pid in (tmp_path / "pids").read_text().split():
            await gone(int(pid))

    async def test_a_killed_question_fails_alone(self, host: ShellHost) -> None:
        """A process that is killed on the host gives no whole answer; the next question has one."""
        with pytest.raises(FailedError, match="'die' with exit status 137"):
            await host.reader("die", {})
        assert (await host.reader("echo", {}))["ok"]

    async def test_a_killed_reader_is_started_again(self, host: ShellHost) -> None:
        """Where the process that answers was killed the next question starts another."""
        answer = await host.reader("process", {})
        os.kill(int(str(answer["parent"])), signal.SIGKILL)
        await gone(int(str(answer["parent"])))
        await asyncio.sleep(0.1)
        assert (await host.reader("process", {}))["parent"] != answer["parent"]

    async def test_a_reader_that_was_replaced_is_not_asked(self, host: ShellHost, work_folder: Path) -> None:
        """Also a process that runs already answers nothing once its file is another one."""
        before = await host.reader("process", {})
        (sent,) = work_folder.glob("bin/reader-*.pyz")
        content = sent.read_bytes()
        sent.unlink()
        sent.write_bytes(content)
        after = await host.reader("process", {})
        assert after["parent"] != before["parent"]
        await gone(int(str(before["parent"])))

    async def test_a_reader_that_hangs_is_left(self, host: ShellHost) -> None:
        """Where the process that answers hangs one question has no answer, and the next is another one's."""
        hanging = int(str((await host.reader("process", {}))["parent"]))
        os.kill(hanging, signal.SIGSTOP)
        try:
            with pytest.raises(UnknownOutcomeError, match="no answer to 'echo'"):
                await host.reader("echo", {}, timedelta(seconds=0.3))
            assert (await host.reader("process", {}))["parent"] != hanging
        finally:
            os.kill(hanging, signal.SIGCONT)
        await gone(hanging)
