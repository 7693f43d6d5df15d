"""The texts between Backout and a host: answers of job.sh, cut characters, shell lines."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from adapters.ssh_host.job_answers import parse_job_answer, read_told
from adapters.ssh_host.program_output import decode_whole_characters
from adapters.ssh_host.settings import HostSettings
from adapters.ssh_host.shell_line import after_sign, fact_line, job_text, shell_words
from bot.ports.host import Command, JobState


def test_a_state_is_read() -> None:
    """An answer of job.sh as it was recorded gives state, exit status and duration."""
    answer = parse_job_answer("k", "backout-job IS DONE 3 1839.35 1840.35\n")
    assert answer is not None
    assert answer.status is not None
    assert (answer.status.state, answer.status.exit_status, answer.status.duration_s) == (
        JobState.DONE,
        3,
        1.0,
    )


@pytest.mark.parametrize(
    "printed",
    [
        "",
        "backout-job",
        "backout-job IS",
        "backout-job IS DONE 3",
        "backout-job IS DONE 3 1839.35 1840",
        "backout-job IS DONE three 1 2",
        "backout-job IS GONE 3 1 2",
        "backout-job WAS DONE 3 1 2",
        "backout-job IS DONE 3 1 2\nbackout-job IS DONE 0 1 2\n",
    ],
)
def test_a_damaged_answer_is_none(printed: str) -> None:
    """What is cut, foreign or said twice is no answer."""
    assert parse_job_answer("k", printed) is None


STARTED = b"backout-job STARTED RUNNING - 1.00 1.00\n"
DONE = b"backout-job IS DONE 0 1.00 2.50\n"


@pytest.mark.parametrize(
    ("printed", "started", "ended", "output"),
    [
        (STARTED, True, True, None),
        (STARTED + DONE, True, True, None),
        (STARTED + DONE + b"backout-output 3\nabc", True, True, b"abc"),
        (DONE + b"backout-output 0\n", True, True, b""),
        (DONE + b"backout-output 3\nab", True, True, None),
        (STARTED + DONE[:-4], True, False, None),
        (STARTED + b"back", True, False, None),
        (STARTED[:-3], False, False, None),
        (STARTED + DONE + DONE, False, False, None),
        (b"hello\n" + DONE, False, False, None),
    ],
)
def test_a_start_that_stays_tells_twice(
    printed: bytes, started: bool, ended: bool, output: bytes | None
) -> None:
    """The start can be read before the end is there; an end, or an output, that was cut is none."""
    told = read_told("k", printed)
    assert (told.first is not None, told.last is not None, told.output) == (started, ended, output)


@pytest.mark.parametrize(
    ("printed", "cut", "text"),
    [
        (b"a\xc3", True, "a"),
        (b"a\xc3", False, "a\ufffd"),
        (b"a\xf0\x9f\xa6", True, "a"),
        (b"a\xf0\x9f\xa6\x8a", True, "a\U0001f98a"),
        (b"\xc3", True, "\ufffd"),
        (b"a\x80\x80\x80\x80", True, "a\ufffd\ufffd\ufffd\ufffd"),
        (b"", True, ""),
    ],
)
def test_cut_characters(printed: bytes, cut: bool, text: str) -> None:
    """A character that the limit cut in two is left for the next read; bad bytes are replaced."""
    assert decode_whole_characters(printed, cut=cut) == text


def test_the_sign_parts_greeting_and_output() -> None:
    """Only what stands after the sign is output; without the sign nothing ran."""
    assert after_sign(b"Welcome!backout-begin\nbackout-begin\nx") == b"backout-begin\nx"
    assert after_sign(b"Welcome!") is None


def test_lines_as_they_are_sent() -> None:
    """A fact has a time limit of the host's own; a job has none."""
    command = Command(argv=["php", "artisan"], cwd="/srv/it's", timeout=timedelta(seconds=2))
    quoted = "'/srv/it'\"'\"'s'"
    assert fact_line(command).startswith(
        f"cd -- {quoted} && printf '%s\\n' backout-begin && exec env LC_ALL=C.UTF-8 "
    )
    assert fact_line(command).endswith(" timeout -k 5 7.0 php artisan")
    assert job_text(command).startswith(f"cd -- {quoted} && exec env LC_ALL=C.UTF-8 ")
    assert job_text(command).endswith(" php artisan\n")


@pytest.mark.parametrize("cwd", ["", "srv", "-", "~"])
def test_a_folder_is_absolute(cwd: str) -> None:
    """A folder that depends on where the login begins is refused."""
    with pytest.raises(ValueError, match="absolute"):
        fact_line(Command(argv=["true"], cwd=cwd))


def test_a_name_of_the_environment_is_a_name() -> None:
    """A name that would be taken for something else is refused."""
    with pytest.raises(ValueError, match="environment"):
        fact_line(Command(argv=["true"], env={"A=b; rm": "x"}))


def test_empty_and_plain_words() -> None:
    """An empty word stays a word."""
    assert shell_words(["a", "", "b c"]) == "a '' 'b c'"


@pytest.mark.parametrize("folder", ["", "a b", "-x", "a\nb", "$HOME"])
def test_the_work_folder_is_plain(folder: str) -> None:
    """A work folder with characters that a checksum list could misread is refused."""
    with pytest.raises(ValueError, match="work_folder"):
        HostSettings(address="a", user="u", known_hosts_path=Path("k"), work_folder=folder)
