"""One process that answers request after request, each in a copy of itself: Python and the modules are loaded once.

A request is a line of JSON on standard input: `{"id": 1, "verb": …, "limit_s": 60, "request": {…}}`, or
`{"id": 1, "give_up": true}`. An answer is a line `id status size` on standard output and so many bytes behind it: what
the verb wrote, and its exit status. It ends with its standard input, and every copy that still works with it.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import os
import selectors
import signal
import sys
import time
from typing import Any, Callable, Dict, Iterable, List, NoReturn, Optional, Set

READY = b"reader-ready\n"
# As the shell says it of a program that is missing or not the one that was sent: the caller sends it and starts anew.
NOT_AS_SENT = 97
# The host allows no more processes or open files. *Source*: sysexits.h, EX_OSERR.
_NO_PROCESS = 71
# Of an answer this is kept, and one byte that shows the caller that there was more.
MOST_BYTES = 16_000_000
_PIECE_BYTES = 1 << 16
_GRACE_S = 5.0
# The caller ends it much sooner; this is for a caller that is gone without sshd knowing it.
_IDLE_S = 900.0
_KILLED = 2
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

# Does a verb's work: its name, its request as text; what it prints is the answer, what it returns the exit status.
Work = Callable[[str, str], int]


class _Copy:
    """A copy of this process at work on one request."""

    def __init__(self, number: int, pid: int, answer: int, learned: int, ends_at: float) -> None:
        self.number = number
        self.pid = pid
        self.answer_file = answer
        self.learned_file = learned
        self.ends_at = ends_at
        self.times_ended = 0
        self.answer = bytearray()

    def end(self) -> None:
        """Tell it, and what it has started, to end; the second time there is no choice."""
        number = signal.SIGKILL if self.times_ended else signal.SIGTERM
        self.times_ended += 1
        self.ends_at = time.monotonic() + _GRACE_S
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return


class Serving:
    """Answers requests until standard input ends.

    `prepare` loads what a verb needs, before the copy is made; `kept` is called when modules were loaded.
    """

    def __init__(self, work: Work, prepare: Callable[[str], object], kept: Callable[[], None]) -> None:
        self._work = work
        self._prepare = prepare
        self._kept = kept
        self._program = sys.argv[0]
        self._as_started = _identity(self._program)
        self._selector = selectors.DefaultSelector()
        self._copies: Dict[int, _Copy] = {}
        self._heard = b""

    def run(self) -> int:
        """Answer until standard input ends; return the exit status."""
        for number in _SIGNALS:
            signal.signal(number, _leave)
        self._selector.register(0, selectors.EVENT_READ)
        try:
            _write(READY)
            while self._turn():
                pass
        except BrokenPipeError:
            return 1
        finally:
            self._end_all()
        return 0

    def _turn(self) -> bool:
        """Wait for something and see to it; False once standard input has ended."""
        soonest = min((copy.ends_at for copy in self._copies.values()), default=None)
        pause_s = _IDLE_S if soonest is None else max(soonest - time.monotonic(), 0)
        happened = self._selector.select(pause_s)
        for key, _ in happened:
            if key.data is not None:
                self._read_answer(key.data)
            elif not self._read_requests():
                return False
        for copy in list(self._copies.values()):
            if copy.ends_at <= time.monotonic():
                self._end_late(copy)
        return bool(happened or soonest is not None)

    def _end_late(self, copy: _Copy) -> None:
        if copy.times_ended < _KILLED:
            copy.end()
        else:
            self._answer(copy)  # It is gone; a program that it left behind in another group holds its output.

    def _read_requests(self) -> bool:
        piece = os.read(0, _PIECE_BYTES)
        *lines, self._heard = (self._heard + piece).split(b"\n") if b"\n" in piece else [self._heard + piece]
        for line in lines:
            self._take(json.loads(line))
        return bool(piece)

    def _take(self, asked: Dict[str, Any]) -> None:
        number = asked["id"]
        if asked.get("give_up"):
            if number in self._copies:
                self._copies[number].end()
        elif _identity(self._program) != self._as_started:
            # Modules that are not loaded yet would come from a file that nobody has checked.
            _write(b"%d %d 0\n" % (number, NOT_AS_SENT))
        else:
            self._begin(number, asked)

    def _begin(self, number: int, asked: Dict[str, Any]) -> None:
        verb, text = asked["verb"], json.dumps(asked["request"])
        with contextlib.suppress(Exception):  # The copy meets it again, and tells it as its answer.
            self._prepare(verb)
        self._kept()
        files: List[int] = []
        try:
            files += os.pipe()
            files += os.pipe()
            pid = os.fork()
        except OSError:
            for file in files:
                os.close(file)
            _write(b"%d %d 0\n" % (number, _NO_PROCESS))
            return
        answer_here, answer_there, learned_here, learned_there = files
        if pid == 0:
            self._work_alone(verb, text, answer_there, learned_there)
        _lead_own_group(pid)
        os.close(answer_there)
        os.close(learned_there)
        copy = _Copy(number, pid, answer_here, learned_here, time.monotonic() + asked["limit_s"])
        self._copies[number] = copy
        self._selector.register(answer_here, selectors.EVENT_READ, copy)

    def _work_alone(self, verb: str, text: str, answer: int, learned: int) -> NoReturn:
        """Do the work, in the copy, and end it: told to end it leaves, so that it removes what it has put down."""
        status = 1
        try:
            _lead_own_group(0)
            nothing = os.open(os.devnull, os.O_RDWR)
            # What it writes on its error stream stays unread: it may quote a row.
            for source, target in ((nothing, 0), (answer, 1), (nothing, 2)):
                os.dup2(source, target)
            os.close(answer)  # With the copy's own standard output closed the answer is whole.
            known = set(sys.modules)
            status = self._work(verb, text)
            sys.stdout.flush()
            self._kept()
            os.write(learned, "\n".join(_ours(sys.modules.keys() - known)).encode()[:_PIECE_BYTES])
        finally:
            os._exit(status)

    def _read_answer(self, copy: _Copy) -> None:
        piece = os.read(copy.answer_file, _PIECE_BYTES)
        room = MOST_BYTES + 1 - len(copy.answer)
        copy.answer += piece[: max(room, 0)]
        if not piece:
            self._answer(copy)

    def _answer(self, copy: _Copy) -> None:
        status = self._let_go(copy)
        _write(b"%d %d %d\n" % (copy.number, status, len(copy.answer)) + copy.answer)

    def _let_go(self, copy: _Copy) -> int:
        """Wait for a copy that has written all, load here what it had to load, and return its exit status."""
        del self._copies[copy.number]
        self._selector.unregister(copy.answer_file)
        os.close(copy.answer_file)
        _, how = os.waitpid(copy.pid, 0)
        os.set_blocking(copy.learned_file, False)
        try:
            names = os.read(copy.learned_file, _PIECE_BYTES).decode().split()
        except BlockingIOError:
            names = []  # A program that it left behind holds the pipe.
        os.close(copy.learned_file)
        for name in names:
            try:
                importlib.import_module(name)
            except ImportError:
                break
        return os.WEXITSTATUS(how) if os.WIFEXITED(how) else 128 + os.WTERMSIG(how)

    def _end_all(self) -> None:
        """End every copy: gently, and after a while for good."""
        for copy in self._copies.values():
            copy.end()
        deadline = time.monotonic() + _GRACE_S
        left = {copy.pid: copy for copy in self._copies.values()}
        while left and time.monotonic() < deadline:
            left = {pid: copy for pid, copy in left.items() if os.waitpid(pid, os.WNOHANG)[0] == 0}
            time.sleep(0.01)
        for copy in left.values():
            copy.end()


def _identity(path: str) -> Optional[List[int]]:
    """Return what is another number once a file was written, replaced or removed; None where it is not there."""
    try:
        about = os.stat(path)  # noqa: PTH116 - pathlib is one more module to load
    except OSError:
        return None
    return [about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns]


def _lead_own_group(pid: int) -> None:
    """Let a process lead a group of its own, with which all that it starts can be ended; both sides call it, as either may be first."""
    try:
        os.setpgid(pid, 0)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.ESRCH, errno.EPERM):
            raise


def _ours(names: Iterable[str]) -> Set[str]:
    return {name for name in names if name.partition(".")[0] in ("adapters", "bot")}


def _leave(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]
