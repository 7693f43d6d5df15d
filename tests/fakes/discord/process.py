"""The stand-in's process, as a test starts and ends it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


class ControlError(Exception):
    """The stand-in could not do what the test asked: no such channel, no such button, a field that a person must fill."""


@contextmanager
def running() -> Iterator[str]:
    """Start the stand-in on a free port and give its address; end it, by its id, when the block is left.

    Raises:
        ControlError: it did not start; its own words are on stderr.
    """
    command = [sys.executable, "-m", "tests.fakes.discord", "--port", "0", "--with-parent"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            if not address:
                raise ControlError("the stand-in of Discord did not start; its own words are above")
            yield address
        finally:
            process.terminate()
