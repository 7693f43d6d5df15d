"""The host's own client programs of MySQL or MariaDB: which there are, how they are called, and a session through one.

A session is one client process that is kept open: SQL goes in by its stdin, rows come out by its stdout. The password
stands in an option file of mode 0600; the client's own words on errors stay in a file beside it, and of them only the
error's number and state are read (HAZARDS R5, S1, S7).
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from typing import IO, Callable, Dict, Iterator, List, Optional, Sequence

from adapters.host_reader.answers import Refusal
from adapters.host_reader.mysql.names import quoted
from adapters.host_reader.server.access import Credentials, PrivateFolder

_ERROR = re.compile(rb"^ERROR (\d{1,5})(?: \((\w{5})\))?", re.MULTILINE)
_ENV_OF_CLIENTS = ("MYSQL_", "MARIADB_")
_VERSION_LIMIT_S = 20
_READ_BYTES = 1 << 20

CLIENTS = ("mariadb", "mysql")
DUMPERS = ("mariadb-dump", "mysqldump")

# Zero dates and days that no calendar has are taken as they stand in a backup; a value that does not fit is an error and
# not cut.
NOT_STRICT_MODE = "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION"
STRICT_MODE = f"STRICT_ALL_TABLES,{NOT_STRICT_MODE}"
# What a session is set to. Writers that read slowly (an image is built) are not cut off.
_SETTINGS = (
    f"sql_mode = '{STRICT_MODE}'",
    "time_zone = '+00:00'",
    "lock_wait_timeout = 5",
    "innodb_lock_wait_timeout = 5",
    "net_read_timeout = 3600",
    "net_write_timeout = 3600",
    "wait_timeout = 28800",
    "sql_safe_updates = 0",
    "sql_select_limit = 18446744073709551615",
    "foreign_key_checks = 1",
    "sql_quote_show_create = 1",
)

_MEANINGS = {
    1021: "no_space",
    1114: "no_space",
    1030: "no_space",
    1044: "refused",
    1045: "unreadable",
    1698: "unreadable",
    1049: "not_found",
    1146: "not_found",
    1007: "changed",
    1034: "damaged",
    1194: "damaged",
    1195: "damaged",
    1452: "foreign_keys",
    1712: "damaged",
    1877: "damaged",
    1932: "damaged",
    1205: "busy",
    1213: "busy",
    1317: "time_limit",
    1969: "time_limit",
    3024: "time_limit",
    1040: "busy",
    1203: "busy",
    1226: "busy",
}
_WORDS = {
    1021: "the server's disk is full",
    1034: "a table's index file is damaged",
    1030: "the server's storage failed (a full disk does this)",
    1044: "the application's user has no right to this database",
    1045: "the server does not let the application's user in",
    1049: "there is no database of that name",
    1062: "a value that must be unique is there twice",
    1114: "the table is full (a full disk does this)",
    1142: "the application's user has no right to do this with a table",
    1146: "a table is not there",
    1194: "a table is marked as crashed",
    1195: "a table is marked as crashed, and its last repair failed",
    1205: "a lock was held by another session the whole time",
    1213: "another session's locks were in the way",
    1227: "the application's user lacks a right of administrators",
    1290: "the server is set to be read-only",
    1370: "the application's user has no right to a routine",
    1419: "the application's user has no right to make triggers or functions",
    1452: "a foreign key does not hold",
    1712: "an index is damaged",
    1877: "a table is missing or damaged",
    1932: "a table is not in the storage engine",
    1969: "it took longer than allowed",
    2002: "the server does not answer",
    2003: "the server does not answer",
    2006: "the server ended the connection",
    2013: "the server ended the connection",
    # MariaDB's clients ask for a proven encryption from 11.4 on, unless they are on the server's own host.
    2026: "the encryption that this host's client asks for cannot be had",
    3024: "it took longer than allowed",
}


class SqlRefusal(Refusal):
    """An error of the server or of the client's connection: its number, 0 where there is none, and our words for it."""

    def __init__(self, code: int, doing: str) -> None:
        kind = _MEANINGS.get(code, "unreadable" if not code or 2000 <= code < 3000 else "refused")
        words = _WORDS.get(code, "the server refused" if code else "the client program ended")
        number = f" (error {code})" if code else ""
        super().__init__(kind, f"Failed while {doing}: {words}{number}. What was begun was rolled back.")
        self.code = code


@dataclass(frozen=True)
class Programs:
    """The client programs of this host: absolute paths, and whether they are MariaDB's. `dumper` may be missing."""

    client: str
    dumper: Optional[str]
    is_mariadb: bool
    version: str


def find_programs(folders: Optional[str] = None) -> List[Programs]:
    """Return the host's clients, of each vendor one; reads only. `folders` is a search path instead of PATH.

    *Raises* Refusal (not_found) where there is no client at all.
    """
    found: List[Programs] = []
    seen: List[str] = []
    for name, dumper_name in zip(CLIENTS, DUMPERS):  # noqa: B905 - Python 3.9 has no strict
        client = shutil.which(name, path=folders)
        # Where the one is a link to the other they are one program.
        if client and os.path.realpath(client) not in seen:
            seen.append(os.path.realpath(client))
            said = version_of(client)
            dumper = _dumper_for(dumper_name, folders)
            found.append(Programs(client, dumper, "MariaDB" in said, _version_number(said)))
    if not found:
        raise Refusal(
            "not_found", "This host has neither mariadb nor mysql, the client program. Nothing was changed."
        )
    return found


def programs_for(found: Sequence[Programs], is_mariadb: bool) -> Programs:
    """Return the clients of the server's own vendor where there are such, else the first."""
    return min(found, key=lambda each: each.is_mariadb != is_mariadb)


def _dumper_for(name: str, folders: Optional[str]) -> Optional[str]:
    others = [other for other in DUMPERS if other != name]
    return next(
        (path for path in (shutil.which(each, path=folders) for each in (name, *others)) if path), None
    )


def version_of(program: str) -> str:
    """Return the text by which a client program tells its version; reads only."""
    try:
        done = subprocess.run(
            [program, "--no-defaults", "--version"],
            capture_output=True,
            timeout=_VERSION_LIMIT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


def _version_number(said: str) -> str:
    """Return the number in `Ver 15.1 Distrib 10.11.19-MariaDB`, `from 11.4.2-MariaDB` or `Ver 8.0.36 for Linux`."""
    match = re.search(r"(?:Distrib|from) (\d+\.\d+\.\d+)", said) or re.search(r"Ver (\d+\.\d+\.\d+)", said)
    return match.group(1) if match else ""


def option_file(credentials: Credentials) -> str:
    """Return the text of the option file by which a client reaches the server as the application does.

    *Source*: MariaDB 10.11 and MySQL 8.0 manuals, option files: a value in double quotes, `\\` and `"` escaped.
    """
    told: Dict[str, Optional[str]] = {"user": credentials.username, "password": credentials.password or ""}
    if credentials.unix_socket:
        told.update(socket=credentials.unix_socket, protocol="socket")
    else:
        told.update(host=credentials.host)
        told["port"] = str(credentials.port) if credentials.port else None
        if credentials.host not in (None, "localhost"):
            told["protocol"] = "tcp"
    lines = [f"{name}={_option_value(value)}" for name, value in told.items() if value is not None]
    return "\n".join(["[client]", *lines, "max-allowed-packet=1073741824", ""])


def _option_value(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t") + '"'


class Connector:
    """How the host's programs are called: the option file, the environment; it makes sessions and ends them all."""

    def __init__(self, credentials: Credentials, folder: PrivateFolder, programs: Programs) -> None:
        self.credentials = credentials
        self.programs = programs
        self.folder = folder
        self._options = folder.write("client.cnf", option_file(credentials))
        self._sessions: List[Session] = []

    def environment(self) -> Dict[str, str]:
        """Return the environment of a client: without the caller's own settings, and no home with option files in it.

        An option file in the home of the host's user is read after ours and would win over it.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_ENV_OF_CLIENTS)}
        return {**kept, "HOME": str(self.folder.path), "LC_ALL": "C.UTF-8"}

    def argv(self, program: str, *options: str) -> List[str]:
        """Return the command of a client program; the option file must be its first argument."""
        return [
            program,
            f"--defaults-extra-file={self._options}",
            "--default-character-set=utf8mb4",
            *options,
        ]

    def client_argv(self) -> List[str]:
        """Return the command of the client that reads SQL from its stdin and prints rows, tab-separated."""
        shown = (
            "--batch",
            "--skip-column-names",
            "--quick",
            "--unbuffered",
            "--comments",
            "--skip-reconnect",
            # Else a line end of another system inside a definition becomes our own, and \! in one would be a command.
            "--binary-mode",
        )
        return self.argv(self.programs.client, *shown)

    def session(self, database: Optional[str] = None, settings: Sequence[str] = ()) -> Session:
        """Open a session, in a database where one is named, with settings beside the usual ones.

        *Raises* SqlRefusal where the server does not let it in.
        """
        opened = Session(self)
        self._sessions.append(opened)
        opened.run("SET " + ", ".join(f"SESSION {each}" for each in (*_SETTINGS, *settings)), "connecting")
        if database is not None:
            opened.run(f"USE {quoted(database)}", f"opening {database}")
        return opened

    def close(self) -> None:
        """End all sessions and remove the files that held the credentials."""
        for session in self._sessions:
            session.end()
        self._sessions.clear()
        self.folder.remove()


class Session:
    """One client process. An error of the server ends it: what was not committed is rolled back by the server."""

    def __init__(self, connector: Connector) -> None:
        self._nonce = secrets.token_hex(8)
        self._delimiter = f"$${self._nonce[:8]}$$"
        self._said_path = str(connector.folder.path / f"said-{self._nonce}")
        self._streaming = False
        self.alive = True
        handle = os.open(self._said_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as said:
            self._process = subprocess.Popen(
                connector.client_argv(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env=connector.environment(),
                bufsize=_READ_BYTES,
            )
        self._send(f"DELIMITER {self._delimiter}\n")

    @property
    def _in(self) -> IO[bytes]:
        if self._process.stdin is None:
            raise SqlRefusal(0, "writing to the client")
        return self._process.stdin

    @property
    def _out(self) -> IO[bytes]:
        if self._process.stdout is None:
            raise SqlRefusal(0, "reading from the client")
        return self._process.stdout

    def _send(self, text: str) -> None:
        # A client that has ended is seen where its answer is read, with its error.
        with contextlib.suppress(BrokenPipeError):
            self._in.write(text.encode("utf-8", "surrogateescape"))

    def _flush(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._in.flush()

    def statement(self, sql: str) -> None:
        """Send a statement without waiting for its end; `run` or `rows` waits for all before it."""
        self._send(f"{sql}\n{self._delimiter}\n")

    def run(self, sql: str, doing: str) -> int:
        """Run one statement and return how many rows it changed. *Raises* SqlRefusal; the session is over then."""
        self.statement(sql)
        self.statement(f"SELECT '{self._nonce}', ROW_COUNT()")
        self._flush()
        last = b""
        for line in self._until_mark(doing):
            last = line
        return int(last.rpartition(b"\t")[2] or 0) if last else 0

    def _until_mark(self, doing: str) -> Iterator[bytes]:
        """Give the lines up to the mark, the mark's own line the last."""
        mark = self._nonce.encode("ascii")
        for line in self._out:
            yield line[:-1]
            if line.startswith(mark):
                return
        raise self._failed(doing)

    def stream(self, sql: str, doing: str) -> Iterator[bytes]:
        """Give the rows of one SELECT as the client prints them, unescaped nothing; constant memory.

        A stream that is left before its end ends the session.
        """
        if self._streaming:
            raise RuntimeError("a session gives one stream at a time")
        self.statement(sql)
        self.statement(f"SELECT '{self._nonce}'")
        self._flush()
        self._streaming = True
        mark = self._nonce.encode("ascii") + b"\n"
        whole = False
        try:
            for line in self._out:
                if line == mark:
                    whole = True
                    return
                yield line[:-1]
            raise self._failed(doing)
        finally:
            self._streaming = False
            if not whole:
                self.end()

    def rows(self, sql: str, doing: str) -> List[List[Optional[str]]]:
        """Return all rows of one SELECT as text; `NULL` is told as None, so no value asked for here may be that text."""
        return [
            [None if part == b"NULL" else unescaped(part) for part in line.split(b"\t")]
            for line in self.stream(sql, doing)
        ]

    def one(self, sql: str, doing: str) -> Optional[str]:
        """Return the first value of the first row, None where there is none or it is NULL."""
        found = self.rows(sql, doing)
        return found[0][0] if found else None

    def _failed(self, doing: str) -> SqlRefusal:
        self._process.wait()
        code = self.error_code()
        self.end()
        return SqlRefusal(code, doing)

    def error_code(self) -> int:
        """Return the number of the last error the client told, 0 where it told none; nothing else of it is read."""
        with open(self._said_path, "rb") as file:  # noqa: PTH123 - the path is a text all through here
            found = _ERROR.findall(file.read())
        return int(found[-1][0]) if found else 0

    def end(self) -> None:
        """End the session; done twice it does nothing. What was not committed is rolled back by the server."""
        if not self.alive:
            return
        self.alive = False
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        with contextlib.suppress(OSError):
            os.unlink(self._said_path)  # noqa: PTH108


_ESCAPES = {b"0": b"\0", b"n": b"\n", b"t": b"\t", b"\\": b"\\"}
_ESCAPE = re.compile(rb"\\([0nt\\])")
_meant: Callable[[re.Match[bytes]], bytes] = lambda match: _ESCAPES[match.group(1)]  # noqa: E731


def unescaped_bytes(part: bytes) -> bytes:
    """Return a value as the server gave it. *Source*: client/mysql.cc of MariaDB 10.11, safe_put_field."""
    return _ESCAPE.sub(_meant, part) if b"\\" in part else part


def unescaped(part: bytes) -> str:
    """Return a value's text; bytes that are no UTF-8 are kept as surrogates."""
    return unescaped_bytes(part).decode("utf-8", "surrogateescape")
