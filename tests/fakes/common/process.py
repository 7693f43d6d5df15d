"""A stand-in's process, as a test starts and ends it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fakes.common.book import ControlError

REPOSITORY = Path(__file__).resolve().parents[3]


@contextmanager
def running(platform: str) -> Iterator[str]:
    """Start the stand-in of `slack` or `discord` on a free port and give its address; end it, by its id, after the block.

    Raises:
        ControlError: it did not start; its own words are on stderr.
    """
    command = [sys.executable, "-m", f"tests.fakes.{platform}", "--port", "0", "--with-parent"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            if not address:
                raise ControlError(f"the stand-in of {platform} did not start; its own words are above")
            yield address
        finally:
            process.terminate()
