"""How the clients get to the server: private service and password files, never a password in argv or environment."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Dict

from adapters.host_reader.answers import Refusal
from adapters.host_reader.server.access import Credentials, PrivateFolder
from adapters.host_reader.sqlite_request import Request

_SERVICE = "backout"
_CONNECT_S = 10
# libpq takes nothing else. Source: the manual's 34.1.2, sslmode.
_SSL_MODES = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
_LEADING_BLANK = re.compile(r"^\s|\s$")


class Login:
    """A way in for psql, pg_dump and pg_restore; the files it needs are removed by `close`."""

    def __init__(self, credentials: Credentials, request: Request) -> None:
        self._database = credentials.database or credentials.username or ""
        self._folder = PrivateFolder(request)
        try:
            service = self._folder.write("service", _service_text(credentials))
            passwords = self._folder.write("pgpass", _password_line(credentials.password or ""))
        except Refusal:
            self._folder.remove()
            raise
        self._files = {"PGSERVICEFILE": service, "PGPASSFILE": passwords}

    @property
    def database(self) -> str:
        """Return the name of the application's own database, the live one."""
        return self._database

    @property
    def folder(self) -> Path:
        """Return the private folder; what is in it goes with `close`."""
        return self._folder.path

    def close(self) -> None:
        """Remove the files that held the credentials."""
        self._folder.remove()

    def target(self, database: str) -> str:
        """Return how the clients name a database of this server; it holds no secret."""
        name = database.replace("\\", "\\\\").replace("'", "\\'")
        return f"service={_SERVICE} dbname='{name}'"

    def environment(self) -> Dict[str, str]:
        """Return a client's whole environment: nothing of the caller's own that could change what it does."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        return {
            **kept,
            **self._files,
            "LC_ALL": "C.UTF-8",
            "PGAPPNAME": "backout",
            "PGCLIENTENCODING": "UTF8",
            "PGCONNECT_TIMEOUT": str(_CONNECT_S),
        }


def _service_text(credentials: Credentials) -> str:
    settings = {
        "host": credentials.unix_socket or credentials.host,
        "port": None if credentials.port is None else str(credentials.port),
        "user": credentials.username,
        "sslmode": credentials.sslmode,
    }
    if settings["sslmode"] not in (None, *_SSL_MODES):
        raise Refusal(
            "bad_request", "The database settings name an sslmode that there is not. Nothing was run."
        )
    lines = [f"[{_SERVICE}]"]
    for name, value in settings.items():
        if value is not None:
            lines.append(f"{name}={_one_line(value)}")
    return "\n".join(lines) + "\n"


def _password_line(password: str) -> str:
    escaped = _one_line(password, blanks=True).replace("\\", "\\\\").replace(":", "\\:")
    return f"*:*:*:*:{escaped}\n"


def _one_line(value: str, *, blanks: bool = False) -> str:
    """Return a setting that its file can hold as it is. *Raises* Refusal: line breaks and outer blanks would be cut."""
    if any(sign in value for sign in "\r\n\0") or (not blanks and _LEADING_BLANK.search(value)):
        raise Refusal(
            "bad_request",
            "A database setting holds a line break or begins or ends with a blank, which PostgreSQL's files cannot"
            " hold. Nothing was run.",
        )
    return value
