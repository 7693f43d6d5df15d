"""Client processes that run a dump's statements in a scratch database, several at once.

Each is the host's own client with its own commands switched off (`--binary-mode`): what is fed can only be SQL. Of an
error its number, its state and the table are told; the client's words, which hold rows (HAZARDS R5), stay in a file of
mode 0600 that goes with the session.
"""

from __future__ import annotations

import bisect
import contextlib
import os
import re
import secrets
import select
import subprocess
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Callable, Deque, List, Optional, Sequence, Tuple

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.client import Connector
from adapters.host_reader.mysql.ddl import unknown_collation
from adapters.host_reader.mysql.names import quoted
from adapters.host_reader.pipes import widen

# Statements that wait for one client; with the pipes this bounds the memory.
_WAITING_BYTES = 4 << 20
# One commit for so many bytes: each is a write to the disk, a longer one makes a long rollback.
_COMMIT_BYTES = 16 << 20
# Of the client's words only the end is read: the error stands behind the statement.
_SAID_BYTES = 1 << 16
_ERROR = re.compile(rb"^ERROR (\d{1,5})(?: \((\w{5})\))?(?: at line (\d{1,12}))?", re.MULTILINE)

# A statement of 1 MB that is not taken for so long is held up by something; an index of a big table may take its time.
STALLED_S = 900.0
INDEX_LIMIT_S = 86_400.0

_WORDS = {
    1005: "a table or foreign key cannot be made as the dump has it",
    1021: "the server's disk is full",
    1022: "a key would be there twice",
    1044: "the site's user has no right to do this in scratch",
    1050: "the dump makes the same table twice",
    1054: "it names a column that there is not",
    1062: "a key is there twice",
    1064: "the server does not understand the statement",
    1114: "the table or the disk is full",
    1136: "the number of values is not that of the columns",
    1142: "the site's user has no right to do this in scratch",
    1146: "it names a table that there is not",
    1153: "the statement is longer than the server's max_allowed_packet",
    1205: "something held a lock on it for too long",
    1213: "the server ended it because of a deadlock",
    1227: "the site's user has no right to do this",
    1231: "a setting has a value that this server does not know",
    1286: "the server does not have the table's storage engine",
    1317: "it was interrupted on the server",
    1370: "the site's user has no right to do this in scratch",
    1452: "a foreign key does not hold",
    1419: "the site's user has no right to make triggers or functions while the server keeps a binary log",
    1927: "its connection was ended on the server",
    2006: "the server is gone",
    2013: "the server is gone",
    2026: "the server is gone",
}
_KINDS = {
    1452: "foreign_keys",
    1021: "no_space",
    1114: "no_space",
    1205: "busy",
    1213: "busy",
    1927: "unreadable",
    1317: "unreadable",
}


@dataclass(frozen=True)
class Work:
    """One statement to be run: its SQL, what it is in the words of a message, and whether it is rows."""

    sql: bytes
    what: str
    is_rows: bool = False


class Client:
    """One client process in one database; statements are sent to it and run one after another."""

    def __init__(self, connector: Connector, database: str, settings: str, charset: str) -> None:
        self._nonce = secrets.token_hex(8)
        # The client takes 15 bytes at most; made anew each time, so that no dump can hold it.
        self._delimiter = f"\n$${self._nonce[:11]}$$\n".encode("ascii")
        self._said_path = str(connector.folder.path / f"load-{self._nonce}")
        self._line = 1
        self._starts: List[int] = [0]
        self._labels: List[str] = ["opening scratch"]
        said = os.open(self._said_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            self._process = subprocess.Popen(
                _argv(connector, charset),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env=connector.environment(),
                bufsize=0,
            )
        finally:
            os.close(said)
        if self._process.stdin is None or self._process.stdout is None:
            raise Refusal("unreadable", "The client program could not be started. Nothing was changed.")
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        widen(self._in)
        self._answer = b""
        try:
            self.connection_id = self._open(database, settings)
        except BaseException:
            self.end()
            raise

    def _open(self, database: str, settings: str) -> int:
        """Enter the database with these settings, and return the connection's number."""
        self._send(b"DELIMITER " + self._delimiter.strip() + b"\n")
        self.send(Work(f"USE {quoted(database)}".encode("utf-8", "surrogateescape"), "opening scratch"))
        self.send(Work(settings.encode("ascii"), "opening scratch"))
        return int(self.ask("SELECT CONNECTION_ID()", "opening scratch"))

    def send(self, work: Work) -> None:
        """Send a statement without waiting for its end. *Raises* Refusal where the client has ended."""
        self._starts.append(self._line)
        self._labels.append(work.what)
        if len(self._starts) > 65_536:
            # An error is told for one of the last statements: the pipe holds no more.
            del self._starts[1:32_768], self._labels[1:32_768]
        self._send(work.sql + self._delimiter)

    def _send(self, data: bytes) -> None:
        self._line += data.count(b"\n")
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._in, view) :]
        except OSError:
            raise self._failed() from None

    def ask(self, select: str, what: str, limit_s: float = STALLED_S) -> str:
        """Return the last value that a SELECT of one row prints, once all that was sent before has run."""
        mark = secrets.token_hex(8)
        self.send(Work(f"SELECT '{mark}', ({select.partition('SELECT ')[2]})".encode("ascii"), what))
        return self._until(mark.encode("ascii"), limit_s)

    def run(self, work: Work, limit_s: float) -> None:
        """Run a statement and wait for its end. *Raises* Refusal."""
        self.send(work)
        self.ask("SELECT 1", work.what, limit_s)

    def _until(self, mark: bytes, limit_s: float) -> str:
        ends = time.monotonic() + limit_s
        while True:
            for line in self._answer.split(b"\n")[:-1]:
                if line.startswith(mark + b"\t"):
                    self._answer = b""
                    return line.partition(b"\t")[2].decode("utf-8", "replace")
            self._answer = self._answer[self._answer.rfind(b"\n") + 1 :]
            if not select.select([self._out], [], [], max(0.0, ends - time.monotonic()))[0]:
                raise Refusal(
                    "busy", f"The load stopped: {self._labels[-1]} took longer than {limit_s:.0f} s."
                )
            block = os.read(self._out, 1 << 16)
            if not block:
                raise self._failed()
            self._answer += block

    def _failed(self) -> Refusal:
        """Return why the client ended: the server's error number and state, and at which table; never its words."""
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        said = self._said()
        found = list(_ERROR.finditer(said))
        if not found:
            code = self._process.returncode
            return Refusal(
                "unreadable", f"The load stopped: the client program ended by itself (status {code})."
            )
        number, state, line = found[-1].groups()
        what = self._label(int(line)) if line else self._labels[-1]
        name = unknown_collation(said[found[-1].start() :])
        if int(number) in (1273, 1115) and name:
            return Refusal(
                "refused",
                f"The load stopped at {what}: this server does not know the collation or character set {name}, and "
                "Backout never puts another in its place. Choose a server that knows it, or another backup.",
            )
        meaning = _WORDS.get(int(number), "the server refused it")
        kind = _KINDS.get(int(number), "unreadable" if 2000 <= int(number) < 3000 else "damaged")
        told = f"ERROR {int(number)}" + (f" ({state.decode('ascii')})" if state else "")
        return Refusal(kind, f"The load stopped at {what}: {meaning}, {told}.")

    def _said(self) -> bytes:
        try:
            with open(self._said_path, "rb") as file:  # noqa: PTH123 - the path is a text all through here
                file.seek(max(0, os.fstat(file.fileno()).st_size - _SAID_BYTES))
                return file.read()
        except OSError:
            return b""

    def _label(self, line: int) -> str:
        return self._labels[max(0, bisect.bisect_right(self._starts, line) - 1)]

    def kill(self) -> None:
        """End the process; a thread that writes to it or waits for it sees that."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """End the process and close its pipes; what was not committed is rolled back by the server."""
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        with contextlib.suppress(OSError):
            os.unlink(self._said_path)  # noqa: PTH108


def _argv(connector: Connector, charset: str) -> List[str]:
    """Return the client's command: SQL from stdin, no command of its own but DELIMITER, no second connection.

    *Source*: mariadb(1) and mysql(1), --binary-mode: "disables all client commands except \\C and DELIMITER in
    non-interactive mode".
    """
    shown = ["--batch", "--skip-column-names", "--unbuffered", "--comments", "--binary-mode"]
    safe = [
        "--skip-reconnect",
        "--skip-force",
        "--skip-named-commands",
        "--skip-auto-rehash",
        "--disable-tee",
    ]
    return [*connector.argv(connector.programs.client, *shown, *safe), f"--default-character-set={charset}"]


class Feeders:
    """Some clients that take rows at the same time, each in a thread of its own.

    `put` gives them work, `finish` waits until all of it is committed, `run_all` runs statements of their own kind.
    The first failure ends all: `put`, `finish` and `run_all` raise it.
    """

    def __init__(self, count: int, client: Callable[[], Client]) -> None:
        self._wake = threading.Condition()
        self._failure: Optional[Refusal] = None
        self._closing = False
        self._shared: Deque[Work] = deque()
        self._busy = 0
        self.clients: List[Client] = []
        self._own: List[Deque[Work]] = []
        self._bytes: List[int] = []
        self.questioned = 0
        self._done: List[str] = []
        self._threads: List[threading.Thread] = []
        try:
            for _ in range(count):
                self.clients.append(client())
                self._own.append(deque())
                self._bytes.append(0)
        except BaseException:
            self.end()
            raise
        self._threads = [
            threading.Thread(target=self._feed, args=(place,), name=f"feeder {place}", daemon=True)
            for place in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, work: Work, feeder: Optional[int] = None) -> int:
        """Hand over rows, to the given feeder or the one with the least to do, and return which it was.

        Waits while there is too much before it already.
        """
        with self._wake:
            stalled = time.monotonic() + STALLED_S
            while True:
                self._raise_failure()
                place = feeder if feeder is not None else self._bytes.index(min(self._bytes))
                if self._bytes[place] < _WAITING_BYTES:
                    break
                if not self._wake.wait(5.0) and time.monotonic() > stalled:
                    raise Refusal("busy", f"The load stopped: the server took no rows for {STALLED_S:.0f} s.")
            self._own[place].append(work)
            self._bytes[place] += len(work.sql)
            self._wake.notify_all()
            return place

    def finish(self) -> None:
        """Wait until all rows that were put are in and committed. *Raises* Refusal."""
        for place in range(len(self.clients)):
            with self._wake:
                commit = Work(b"COMMIT", "committing the rows")
                self._own[place].append(commit)
                self._bytes[place] += len(commit.sql)
                self._wake.notify_all()
        self._wait()
        for client in self.clients:
            self.questioned += int(client.ask("SELECT @backout_questioned", "committing the rows"))

    def run_all(self, works: Sequence[Work], told: Callable[[int], None]) -> None:
        """Run statements, as many at once as there are feeders, in this order. *Raises* Refusal."""
        self._done.clear()
        with self._wake:
            self._shared.extend(works)
            self._wake.notify_all()
        self._wait(lambda: told(len(self._done)))
        told(len(works))

    def _wait(self, told: Callable[[], None] = lambda: None) -> None:
        with self._wake:
            while self._shared or self._busy or any(self._own):
                self._raise_failure()
                self._wake.wait(1.0)
                told()
            self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _feed(self, place: int) -> None:
        client, open_bytes = self.clients[place], 0
        while True:
            taken = self._take(place)
            if taken is None:
                return
            work, is_shared = taken
            try:
                open_bytes = self._pass_on(client, work, is_shared, open_bytes)
            except Refusal as refusal:
                self._fail(refusal)
            with self._wake:
                self._busy -= 1
                if not is_shared:
                    self._bytes[place] -= len(work.sql)
                self._done.append(work.what)
                self._wake.notify_all()

    def _take(self, place: int) -> Optional[Tuple[Work, bool]]:
        with self._wake:
            while not self._closing and self._failure is None:
                if self._own[place]:
                    self._busy += 1
                    return self._own[place].popleft(), False
                if self._shared:
                    self._busy += 1
                    return self._shared.popleft(), True
                self._wake.wait(5.0)
            return None

    def _pass_on(self, client: Client, work: Work, is_shared: bool, open_bytes: int) -> int:
        """Give a client one piece of work; returns how many bytes of rows are not committed."""
        if is_shared:
            client.run(work, INDEX_LIMIT_S)
            return open_bytes
        if not work.is_rows:
            client.run(work, STALLED_S)
            return 0
        client.send(work)
        client.send(Work(b"SET @backout_questioned = @backout_questioned + @@warning_count", work.what))
        if open_bytes + len(work.sql) < _COMMIT_BYTES:
            return open_bytes + len(work.sql)
        client.send(Work(b"COMMIT", work.what))
        return 0

    def _fail(self, refusal: Refusal) -> None:
        with self._wake:
            self._failure = self._failure or refusal
            self._wake.notify_all()

    def end(self) -> None:
        """End all clients; what they had not committed is rolled back."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        for client in self.clients:
            client.kill()
        # The pipes are closed when no thread can use them any more: their numbers go to other files then.
        for thread in self._threads:
            thread.join()
        for client in self.clients:
            client.end()
