"""One psql process that is asked statement by statement, ends at the first error, and never tells row content."""

from __future__ import annotations

import contextlib
import re
import secrets
import subprocess
import tempfile
from typing import IO, Iterable, Iterator, List, Optional

from adapters.host_reader.answers import Refusal
from adapters.host_reader.postgresql.copy_text import texts
from adapters.host_reader.postgresql.login import Login
from adapters.host_reader.postgresql.names import literal
from adapters.host_reader.postgresql.place import Side

# What every session sets, so that a value has one text form whatever the server's, database's and role's settings are.
SETTINGS = """\
SET client_min_messages = error; SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres';
SET extra_float_digits = 3; SET bytea_output = 'hex'; SET xmlbinary = 'base64'; SET standard_conforming_strings = on;
SET lc_monetary = 'C'; SET row_security = off; SET lock_timeout = '5s'; SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
"""
# Names in definitions come out with their schema when nothing is on the path.
NO_PATH = "SET search_path = pg_catalog"
_OPTIONS = ("-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=sqlstate")
# The buffer between psql and this program; a line of COPY is as long as its row.
_BUFFER_BYTES = 1 << 20
_END_S = 10

# How psql begins a message: the line of its input, the severity in the server's own language (lc_messages, which only a
# superuser can set), the SQLSTATE. Source: the manual, Error and Notice Message Fields, S and C.
_MESSAGE = re.compile(
    r"^(?:psql:[^\n]*?:(?P<line>\d+): )?(?P<severity>[^\s:]+):  (?P<state>[0-9A-Z]{5})(?=:|\s*$)",
    re.MULTILINE,
)
# What is told beside errors: its SQLSTATE may be an error's (42P07 where a table is there and left out).
_NO_ERRORS = {"DEBUG", "INFO", "NOTICE", "LOG", "WARNING"}
_CLASSES_WITHOUT_ERROR = ("00", "01", "02")
# Failures before there is a session, in English; they name no content.
_NO_SESSION = (
    ("password authentication failed", "refused", "the password is not accepted"),
    ("no password supplied", "refused", "a password is needed"),
    ("no pg_hba.conf entry", "refused", "the server lets nobody in from here as that user"),
    ("is not currently accepting connections", "busy", "the database accepts no connections now"),
    ("too many connections", "busy", "there are too many connections"),
    ("too many clients", "busy", "the server has too many clients"),
    ("remaining connection slots", "busy", "the server has too many clients"),
    ("is not permitted to log in", "refused", "the user may not log in"),
    ("permission denied for database", "refused", "the user may not connect to that database"),
    ("does not exist", "not_found", "there is no such database or user"),
    ("the database system is", "busy", "the server is starting, stopping or recovering"),
    ("Connection refused", "unreadable", "nothing answers there"),
    ("No such file", "unreadable", "nothing answers there"),
    ("could not translate host name", "unreadable", "the host's name is unknown"),
    ("timeout expired", "unreadable", "nobody answered in time"),
    ("SSL", "refused", "the encryption asked for cannot be had"),
    ("certificate", "refused", "the encryption asked for cannot be had"),
)
# psql's exit status where there was no session, and how a server's answer to it stands behind libpq's own words.
_NOT_CONNECTED = 2
_REFUSED = re.compile(
    r"^psql: error: (?:.* failed: |could not connect to server: )?[^\s:]+:  \S", re.MULTILINE
)
# What a failed statement means, by its SQLSTATE or the two letters of its class.
_KINDS = {"42501": "refused", "55P03": "busy", "57014": "busy", "53100": "no_space", "3D000": "not_found"}
_KINDS.update({"55006": "busy", "53300": "busy", "57P01": "busy", "57P02": "busy", "57P03": "busy"})
_KINDS.update({"23503": "foreign_keys", "XX001": "damaged", "XX002": "damaged"})
_SAID = {
    "42501": "the user has not the right to",
    "55P03": "a lock was held by another session the whole time",
    "57014": "it took longer than allowed",
    "53100": "the server's disk is full",
    "23503": "a foreign key does not hold",
    "XX001": "a table is damaged",
    "XX002": "an index is damaged",
    "23505": "a value that must be unique is there already",
    "55006": "it is in use by other sessions",
    "42P01": "a table is missing",
    "42703": "a column is missing",
    "57P01": "an administrator ended the session",
}


class ServerRefusal(Refusal):
    """A Refusal by the server itself. `state` is its SQLSTATE, empty where psql told none.

    `is_unread`: the server let nobody in and said why in another language, so it may be for a reason that passes.
    """

    def __init__(self, kind: str, message: str, state: str = "", *, is_unread: bool = False) -> None:
        super().__init__(kind, message)
        self.state = state
        self.is_unread = is_unread


class Session:
    """One session with one database. After a Refusal it is over; `close` ends it in order."""

    def __init__(
        self, psql: str, login: Login, database: str, *, path: bool = False, side: Optional[Side] = None
    ) -> None:
        self._database = database
        self._side = side
        self._mark = secrets.token_hex(16)
        self._mark_line = self._mark.encode("ascii") + b"\n"
        self._errors: IO[bytes] = tempfile.TemporaryFile(dir=login.folder)  # noqa: SIM115 - closed by close()
        try:
            self._psql = subprocess.Popen(
                [psql, *_OPTIONS, "-d", login.target(login.database if side else database)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                bufsize=_BUFFER_BYTES,
                env=login.environment(),
            )
        except OSError as error:
            self._errors.close()
            raise Refusal(
                "refused",
                f"{psql} cannot be started: {error.strerror}. It asked nothing of the server;"
                " put this host's PostgreSQL client right, then ask again.",
            ) from None
        try:
            self.run(SETTINGS if path else SETTINGS + NO_PATH + ";")
            if side:
                self.run(f"SET backout.side = {literal(side.schema)}")
                if path:
                    self.run(self.own_path)
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def database(self) -> str:
        """Return the name of the place it is in: a database, or a side schema of the live one."""
        return self._database

    @property
    def own_path(self) -> str:
        """Return the statement after which names are found as the application finds them."""
        return f"SET search_path = {self._side.path}" if self._side else "SET search_path TO DEFAULT"

    def stands_for(self, schema: str) -> str:
        """Return the live schema for a side schema, any other as it is."""
        return self._side.stands_for if self._side and schema == self._side.schema else schema

    def told(self, definition: str) -> str:
        """Return a definition as it would be in the live schema."""
        return self._side.told(definition) if self._side else definition

    def run(self, statement: str) -> None:
        """Run statements that give nothing back. *Raises* ServerRefusal."""
        for _ in self._answer(statement):
            pass

    def lines(self, select: str) -> Iterator[bytes]:
        """Yield the rows of a SELECT (or of a change with RETURNING) as lines of COPY's text. *Raises* ServerRefusal."""
        return self._answer(f"COPY ({select}) TO STDOUT")

    def rows(self, select: str) -> List[List[Optional[str]]]:
        """Return all rows of a SELECT as texts. *Raises* ServerRefusal."""
        return [texts(line) for line in self.lines(select)]

    def value(self, select: str) -> Optional[str]:
        """Return the one value of a SELECT, None for NULL or no row. *Raises* ServerRefusal."""
        rows = self.rows(select)
        return rows[0][0] if rows else None

    def number(self, select: str) -> int:
        """Return the one number of a SELECT, 0 for NULL or no row. *Raises* ServerRefusal."""
        return int(self.value(select) or 0)

    def take_in(self, table: str, lines: Iterable[bytes]) -> None:
        """Put lines of COPY's text into a table, given as SQL names it. *Changes*: that table. *Raises* ServerRefusal."""
        self._write(f"COPY {table} FROM STDIN;\n".encode("utf-8", "surrogateescape"))
        stdin = self._psql.stdin
        try:
            if stdin is not None:
                stdin.writelines(lines)
        except BrokenPipeError:
            raise self._failure() from None
        self._write(b"\\.\n")
        for _ in self._answer(""):
            pass

    def run_generated(self, statement: str) -> None:
        """Run a statement that others wrote, sent as it is: psql reads no command and no variable in it."""
        # \gexec sends the value of the SELECT's one field to the server without looking into it.
        self._write(f"SELECT {literal(statement)} \\gexec\n".encode("utf-8", "surrogateescape"))
        for _ in self._answer(""):
            pass

    def tried(self, statement: str) -> str:
        """Run a statement that may fail and return its SQLSTATE, empty where it did not; the session goes on."""
        self._write(b"\\set ON_ERROR_STOP 0\n")
        self._write(f"SELECT {literal(statement)} \\gexec\n".encode("utf-8", "surrogateescape"))
        self._write(b"\\echo :SQLSTATE\n\\set ON_ERROR_STOP 1\n")
        state = list(self._answer(""))[-1].decode("ascii")
        return "" if state == "00000" else state

    def close(self) -> None:
        """End the session; what was not committed is undone. Done twice it does nothing."""
        with contextlib.suppress(OSError):
            if self._psql.stdin is not None:
                self._psql.stdin.close()
        # What is left of an answer nobody wants to read would keep psql waiting.
        if self._psql.stdout is not None:
            self._psql.stdout.close()
        try:
            self._psql.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._psql.kill()
            self._psql.wait()
        self._errors.close()

    def kill(self) -> None:
        """End the session at once, in the middle of whatever it does; what was not committed is undone."""
        self._psql.kill()
        self.close()

    def _answer(self, statement: str) -> Iterator[bytes]:
        if statement:
            statement = statement.rstrip().rstrip(";") + ";\n"
        self._write(f"{statement}\\echo {self._mark}\n".encode("utf-8", "surrogateescape"))
        stdout = self._psql.stdout
        if stdout is None:
            raise self._failure()
        try:
            if self._psql.stdin is not None:
                self._psql.stdin.flush()
        except BrokenPipeError:
            raise self._failure() from None
        mark = self._mark_line
        for line in stdout:
            if line == mark:
                return
            yield line[:-1]
        raise self._failure()

    def _write(self, content: bytes) -> None:
        try:
            if self._psql.stdin is not None:
                self._psql.stdin.write(content)
        except BrokenPipeError:
            raise self._failure() from None

    def _failure(self) -> ServerRefusal:
        """Return why psql ended; its own words, which may hold row content, are read here and go no further."""
        status = self._psql.poll()
        if status is None:
            try:
                status = self._psql.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._psql.kill()
                status = self._psql.wait()
        self._errors.seek(0)
        said = self._errors.read(1 << 16).decode("utf-8", "replace")
        return refusal_of(said, status, self._database)


def refusal_of(said: str, status: int, database: str, *, lines: bool = False) -> ServerRefusal:
    """Return the refusal for a client's stderr: its SQLSTATE, or why there was no session; never its text.

    With `lines` the line of the input at which it failed is told too.
    """
    found = _error_in(said)
    if found:
        state = found["state"]
        where = f" at line {found['line']}" if lines and found["line"] else ""
        meaning = _SAID.get(state)
        told = f"{meaning} (SQLSTATE {state})" if meaning else f"the server said no with SQLSTATE {state}"
        return ServerRefusal(
            _KINDS.get(state, "refused"),
            f"Database {database!r}: {told}{where}. What was not committed was undone.",
            state,
        )
    for words, kind, meaning in _NO_SESSION:
        if words in said:
            return ServerRefusal(
                kind, f"Database {database!r} cannot be reached: {meaning}. Nothing was changed."
            )
    if status == _NOT_CONNECTED and _REFUSED.search(said):
        return ServerRefusal(
            "unreadable",
            f"Database {database!r} cannot be reached: the server refuses it, and says why in another language than English"
            " (its setting lc_messages). Nothing was changed; read it on the host with psql.",
            is_unread=True,
        )
    return ServerRefusal(
        "unreadable",
        f"The session with database {database!r} ended with exit status {status}. What was not committed was undone;"
        " look whether the server runs.",
    )


def _error_in(said: str) -> Optional["re.Match[str]"]:
    """Return the message of the error that ended psql: the last one with a line, else the first; None without."""
    found = [
        each
        for each in _MESSAGE.finditer(said)
        if each["severity"] not in _NO_ERRORS and not each["state"].startswith(_CLASSES_WITHOUT_ERROR)
    ]
    with_line = [each for each in found if each["line"]]
    if with_line:
        return with_line[-1]
    return found[0] if found else None
