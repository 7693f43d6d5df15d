"""Pipes to the database's client programs, wide enough that neither side waits for the other at each step."""

from __future__ import annotations

import contextlib
import fcntl

# *Source*: fcntl(2), F_SETPIPE_SZ; Python 3.10 has it by name.
_SET_PIPE_SIZE = 1031
# What an ordinary user may ask for. *Source*: proc(5), pipe-max-size.
_PIPE_BYTES = 1 << 20


def widen(pipe: int) -> None:
    """Make a pipe as wide as an ordinary user may; where the system refuses it stays as it was, which is only slower."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(pipe, _SET_PIPE_SIZE, _PIPE_BYTES)
