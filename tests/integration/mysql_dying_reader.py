"""A row reader that dies at an exact statement: a client program that stands before the real one on PATH kills it there.

The program is the host's, as any other client would be; the reader's own code runs as it is.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.servers.mariadb import MariadbServer, client_program

LIMIT_S = 60
_QUERY = re.compile(r"Query\t(.*)")

# It becomes the real client, and leaves a process behind that hands on what the reader sends. Where a statement begins
# with the next word of the place, this is noted; before the last one's statement is handed on, the reader is killed.
_CLIENT = """#!{python} -IS
import os, signal, sys
real, note, place = {real!r}, {note!r}, {place!r}
if "--version" in sys.argv:
    os.execv(real, [real, *sys.argv[1:]])
reader = os.getppid()
taken, given = os.pipe()
if os.fork():
    os.dup2(taken, 0)
    os.close(taken)
    os.close(given)
    os.execv(real, [real, *sys.argv[1:]])
os.close(taken)
for shared in (1, 2):
    os.close(shared)
reached = os.open(note, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
delimiter, begins = b"", False
for line in sys.stdin.buffer:
    if begins and line.startswith(place[os.fstat(reached).st_size]):
        os.write(reached, b".")
        if os.fstat(reached).st_size == len(place):
            os.kill(reader, signal.SIGKILL)
            break
    if line.startswith(b"DELIMITER "):
        delimiter = line[len(b"DELIMITER "):]
    begins = line.endswith(delimiter) and bool(delimiter)
    try:
        while line:
            line = line[os.write(given, line):]
    except BrokenPipeError:
        break
"""


def kill_reader(
    server: MariadbServer, folder: Path, place: tuple[str, ...], verb: str, request: dict[str, Any]
) -> None:
    """Run a request in a reader that is killed right before it sends a statement, and wait until its sessions are over.

    `place` are the first words of statements: the reader dies before the last one's, which is the first such behind the
    others, in this order. What it sent before is done by the server. *Raises* AssertionError where the server's log
    does not tell just that.
    """
    programs = folder / "dying"
    programs.mkdir()
    note = programs / "reached"
    real = client_program(server.bin)
    script = programs / real.name
    words = [word.encode() for word in place]
    script.write_text(_CLIENT.format(python=sys.executable, real=str(real), note=str(note), place=words))
    script.chmod(0o755)
    position = server.log_position()
    done = subprocess.run(
        [sys.executable, "-m", "adapters.host_reader", verb],
        input=json.dumps(request),
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    _wait_for_sessions(server)
    assert note.stat().st_size == len(place)
    assert _reached(server.log_since(position), place) == len(place) - 1


def _wait_for_sessions(server: MariadbServer) -> None:
    """Wait until what the killed reader had already sent is done: until the server has no session of an application."""
    others = "('root', 'system user', 'event_scheduler')"
    question = f"SELECT COUNT(*) FROM information_schema.processlist WHERE user NOT IN {others}"
    deadline = time.monotonic() + LIMIT_S
    while server.superuser.number(question):
        assert time.monotonic() < deadline, "a session of the killed reader does not end"
        time.sleep(0.02)


def _reached(log: str, place: tuple[str, ...]) -> int:
    """Return how many of the place's words began a statement that the server ran, in this order."""
    number = 0
    for sql in _QUERY.findall(log):
        if number < len(place) and sql.startswith(place[number]):
            number += 1
    return number
