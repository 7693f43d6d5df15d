"""Pipes to the clients are wide."""

from __future__ import annotations

import fcntl
import os

from adapters.host_reader.pipes import widen

GET_PIPE_SIZE = 1032


def test_a_pipe_is_widened_to_what_an_ordinary_user_may() -> None:
    """A megabyte fits in it then; something that is no pipe is left as it is."""
    reading, writing = os.pipe()
    try:
        widen(writing)
        assert fcntl.fcntl(writing, GET_PIPE_SIZE) == 1 << 20
    finally:
        os.close(reading)
        os.close(writing)
    widen(writing)
