"""The processes of the stand-ins: starting one takes a second of a processor, so each serves many tests, one at a time."""

from __future__ import annotations

import atexit
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fakes.common.book import ControlError

REPOSITORY = Path(__file__).resolve().parents[3]


_idle: dict[str, list[str]] = {}


@contextmanager
def running(platform: str) -> Iterator[str]:
    """Give the address of a stand-in of `slack` or `discord` that nobody else holds: reset it before use.

    It is a process of its own, started on a free port where none is idle, and goes on until this process ends.

    Raises:
        ControlError: it did not start; its own words are on stderr.
    """
    idle = _idle.setdefault(platform, [])
    address = idle.pop() if idle else _started(platform)
    yield address
    idle.append(address)


def _started(platform: str) -> str:
    command = [sys.executable, "-m", f"tests.fakes.{platform}", "--port", "0", "--with-parent"]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    atexit.register(_end, process)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    if not address:
        raise ControlError(f"the stand-in of {platform} did not start; its own words are above")
    return address


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
