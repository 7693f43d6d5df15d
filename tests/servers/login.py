"""One database and the limited user of its application, as a hosting firm hands them out."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

_ESCAPED = re.compile(r"\\([0nt\\])")
_MEANT = {"0": "\0", "n": "\n", "t": "\t", "\\": "\\"}


@dataclass(frozen=True, kw_only=True)
class Login:
    """A way in: `driver` is Laravel's (`mysql` or `pgsql`); `bin` the folder of the engine's client programs."""

    driver: str
    host: str
    port: int
    socket: str
    database: str
    username: str
    password: str
    bin: Path

    def run(self, sql: str, *, database: str = "") -> str:
        """Return what the client prints for these statements, stopping at the first error.

        Tab-separated, no headings. *Raises* RuntimeError with the client's own words when it fails.
        """
        done = subprocess.run(
            self.client(database),
            input=sql.encode(),
            env=self.environment(),
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace")[-1500:]
            raise RuntimeError(f"the client ended with {done.returncode}: {said}")
        return done.stdout.decode()

    def rows(self, sql: str, *, database: str = "") -> list[tuple[str, ...]]:
        """Return the rows of one SELECT as text; NULL is the text `NULL` on MariaDB and empty on PostgreSQL."""
        lines = self.run(sql, database=database).removesuffix("\n")
        return [tuple(map(self._unescaped, line.split("\t"))) for line in lines.split("\n")] if lines else []

    def number(self, sql: str, *, database: str = "") -> int:
        """Return the one number of a SELECT."""
        return int(self.rows(sql, database=database)[0][0])

    def to(self, database: str) -> Login:
        """Return the same way in to another database."""
        return replace(self, database=database)

    def client(self, database: str = "") -> list[str]:
        """Return the command of the engine's client, which reads statements from its input."""
        name = database or self.database
        if self.driver == "pgsql":
            place = ["-h", self.host, "-p", str(self.port), "-U", self.username, "-d", name]
            return [str(self.bin / "psql"), "-X", "-q", "-At", "-F", "\t", "-v", "ON_ERROR_STOP=1", *place]
        place = [f"--host={self.host}", f"--port={self.port}", "--protocol=tcp", f"--user={self.username}"]
        if self.socket and not self.host:
            place = [f"--socket={self.socket}", f"--user={self.username}"]
        settings = ["--no-defaults", "--batch", "--skip-column-names", "--default-character-set=utf8mb4"]
        return [str(client_program(self.bin)), *settings, *place, name]

    def environment(self) -> dict[str, str]:
        """Return the environment in which the client finds the password."""
        word = "PGPASSWORD" if self.driver == "pgsql" else "MYSQL_PWD"
        return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", word: self.password}

    def credentials(self) -> dict[str, Any]:
        """Return the `credentials` as the row reader gets them."""
        text = {name: str(value) for name, value in asdict(self).items() if name not in ("bin", "socket")}
        charset = "utf8" if self.driver == "pgsql" else "utf8mb4"
        return {**text, "unix_socket": None, "charset": charset, "prefix": "", "sslmode": None}

    def access(self) -> dict[str, Any]:
        """Return the `access` of a request to the row reader: a program on the host that prints the credentials."""
        line = "BACKOUT1:" + json.dumps({"credentials": self.credentials()})
        return {"argv": ["cat"], "stdin": line + "\n", "env": {}}

    def _unescaped(self, text: str) -> str:
        if self.driver == "pgsql":
            return text
        return _ESCAPED.sub(lambda match: _MEANT[match[1]], text)


def client_program(folder: Path) -> Path:
    """Return the client of MariaDB or of MySQL in a folder."""
    return next(path for path in (folder / "mariadb", folder / "mysql") if path.exists())
