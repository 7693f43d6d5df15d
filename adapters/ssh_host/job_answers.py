"""What `job.sh` answers, read."""

from __future__ import annotations

from dataclasses import dataclass

from bot.ports.host import JobState, JobStatus

_MARK = "backout-job "
# STARTED, and how it ended.
_ANSWERS_AT_MOST = 2
_OUTPUT_MARK = b"backout-output "


@dataclass(frozen=True, kw_only=True)
class JobAnswer:
    """One answer line. `status` is set for a state, `holder` for BUSY, `refusal` for REFUSED; the others are None."""

    status: JobStatus | None = None
    holder: str | None = None
    refusal: str | None = None
    stopped_before: bool = False


@dataclass(frozen=True, kw_only=True)
class Told:
    """What one call of job.sh has told so far: its first answer, its last one, and the job's whole output or None."""

    first: JobAnswer | None = None
    last: JobAnswer | None = None
    output: bytes | None = None


def read_told(key: str, printed: bytes) -> Told:
    """Return what job.sh has told of the job `key`; an answer that is damaged, or foreign, is None.

    *Source*: the head of adapters/ssh_host/job.sh.
    """
    lines = []
    while printed.startswith(_MARK.encode()):
        line, end, printed = printed.partition(b"\n")
        lines.append((line + end).decode(errors="replace"))
    if not lines or len(lines) > _ANSWERS_AT_MOST:
        return Told()
    if printed and not printed.startswith(_OUTPUT_MARK):
        return Told(first=parse_job_answer(key, lines[0]))
    return Told(
        first=parse_job_answer(key, lines[0]), last=parse_job_answer(key, lines[-1]), output=_whole(printed)
    )


def _whole(sent: bytes) -> bytes | None:
    head, _, output = sent.removeprefix(_OUTPUT_MARK).partition(b"\n")
    return output if head.isdigit() and int(head) == len(output) else None


def parse_job_answer(key: str, printed: str) -> JobAnswer | None:
    """Return the answer about the job `key`, or None where there is none or it is damaged.

    *Source*: the head of adapters/ssh_host/job.sh.
    """
    lines = [line for line in printed.splitlines(keepends=True) if line.startswith(_MARK)]
    # Without its end of line the last number may be cut short.
    if len(lines) != 1 or not lines[0].endswith("\n"):
        return None
    word, _, rest = lines[0].rstrip("\n").removeprefix(_MARK).partition(" ")
    if word == "STOPPED-BEFORE":
        return JobAnswer(stopped_before=True)
    if word == "REFUSED":
        return JobAnswer(refusal=rest)
    if word == "BUSY":
        return JobAnswer(holder=rest)
    if word not in {"STARTED", "ATTACHED", "IS"}:
        return None
    status = _parse_status(key, rest.split(), attached=word == "ATTACHED")
    return None if status is None else JobAnswer(status=status)


def _parse_status(key: str, words: list[str], *, attached: bool) -> JobStatus | None:
    try:
        state, exit_status, began, ended = words
        return JobStatus(
            key=key,
            state=JobState[state],
            exit_status=None if exit_status == "-" else int(exit_status),
            duration_s=None if "-" in {began, ended} else round(float(ended) - float(began), 2),
            attached=attached,
        )
    except (KeyError, ValueError):
        return None
