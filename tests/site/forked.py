"""Bots as processes of their own that start at once: forked from one that has imported everything, and has done nothing yet.

Importing takes two seconds of a processor, and a run of the suite starts hundreds of bots. What a fork then does is what
`python -m bot WORDS` does: its own arguments, environment, folder, output and exit status.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
IMPORTED = (
    *("bot.__main__", "bot.wiring", "adapters.slack_chat.chat", "tests.faults.crashing_bot"),
    *("alembic.command", "alembic.context", "mako.template"),  # imported only where a store is made
)
MAINS = {"bot": "bot.__main__", "tests.faults.crashing_bot": "tests.faults.crashing_bot"}


class Forked:
    """One such process, as `subprocess.Popen` shows it."""

    def __init__(self, parent: _Parent, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._parent = parent

    def poll(self) -> int | None:
        """Return the exit status, a signal's number below zero; None while the process lives."""
        if self.returncode is None:
            self.returncode = self._parent.status_of(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status. *Raises* TimeoutExpired."""
        until = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            time.sleep(0.01)
        return status

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        if self.poll() is None:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return  # it has ended, and its status is on its way


def fork(module: str, words: Sequence[str], *, output: Path, env: dict[str, str]) -> Forked:
    """Start `python -m MODULE WORDS`, its output and its errors appended to a file."""
    wanted = {"module": module, "words": list(words), "output": str(output), "env": env}
    return _parent(os.getpid()).fork({**wanted, "errors": str(output), "folder": str(REPOSITORY)})


def run(
    module: str, words: Sequence[str], *, env: dict[str, str], cwd: Path = REPOSITORY, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run `python -m MODULE WORDS` in a folder to its end. *Raises* TimeoutExpired, after it was ended."""
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder) / "output", Path(folder) / "errors"
        wanted = {"module": module, "words": list(words), "output": str(output), "errors": str(errors)}
        process = _parent(os.getpid()).fork({**wanted, "env": env, "folder": str(cwd)})
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        said = (output.read_text(encoding="utf-8"), errors.read_text(encoding="utf-8"))
    return subprocess.CompletedProcess([module, *words], status, *said)


@cache
def _parent(_pid: int) -> _Parent:
    return _Parent()


class _Parent:
    """The process that has imported everything, seen from here. It ends with this one, and its forks with it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "tests.site.forked", str(theirs.fileno())]
            self._process = subprocess.Popen(
                command, cwd=REPOSITORY, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )
        atexit.register(self._end)
        self._socket = ours
        self._lines = ours.makefile("rb")
        self._statuses: dict[int, int] = {}
        self._read()  # it is ready

    def _end(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._process.wait()
        self._lines.close()
        self._socket.close()

    def fork(self, wanted: dict[str, Any]) -> Forked:
        self._socket.sendall(json.dumps(wanted).encode() + b"\n")
        while True:
            told = self._read()
            if "forked" in told:
                pid = int(told["forked"])
                self._statuses.pop(pid, None)  # numbers of processes come again
                return Forked(self, pid)

    def status_of(self, pid: int) -> int | None:
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._socket, selectors.EVENT_READ)
            while pid not in self._statuses and waiting.select(0):
                self._read()
        return self._statuses.get(pid)

    def _read(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise RuntimeError("the process that bots are forked from has ended; its own words are above")
        told: dict[str, Any] = json.loads(line)
        if "ended" in told:
            self._statuses[int(told["ended"])] = int(told["status"])
        return told


def _serve(connection: socket.socket) -> None:
    """Fork what is asked for, and tell how each fork ended, until the other side is gone."""
    waker, woken = socket.socketpair()
    for end in (waker, woken):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno())
    lines = connection.makefile("rb")
    living: set[int] = set()
    connection.sendall(b"{}\n")
    with selectors.DefaultSelector() as waiting:
        waiting.register(connection, selectors.EVENT_READ)
        waiting.register(woken, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in waiting.select()}
            if woken in ready:
                woken.recv(1024)
                for pid, status in _ended(living):
                    connection.sendall(json.dumps({"ended": pid, "status": status}).encode() + b"\n")
            if connection in ready:
                line = lines.readline()
                if not line:
                    break
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for end in (connection, waker, woken):
                        end.close()
                    _become(json.loads(line))
                living.add(pid)
                connection.sendall(json.dumps({"forked": pid}).encode() + b"\n")
    for pid in living:
        os.kill(pid, signal.SIGKILL)


def _ended(living: set[int]) -> list[tuple[int, int]]:
    found = []
    for pid in list(living):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            living.discard(pid)
            found.append((pid, os.waitstatus_to_exitcode(status)))
    return found


def _become(wanted: dict[str, Any]) -> None:
    """Be that process to its end. Never returns."""
    status = 1
    try:
        for descriptor, name in ((1, "output"), (2, "errors")):
            file = os.open(wanted[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(file, descriptor)
            os.close(file)
        os.chdir(wanted["folder"])
        os.environ.clear()
        os.environ.update(wanted["env"])
        sys.argv = [wanted["module"], *wanted["words"]]
        importlib.import_module(MAINS[wanted["module"]]).main()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - what the interpreter itself would print
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    for name in IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
