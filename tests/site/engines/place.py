"""Where a production's database server listens, and the two ways in: the application's user and the superuser."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.servers.login import Login


@dataclass(frozen=True, kw_only=True)
class ServerPlace:
    """A production's own server. `socket` is another one after each start, the port stays."""

    driver: str
    port: int
    socket: str
    bin: str
    name: str
    username: str
    password: str

    def login(self) -> Login:
        """Return the application's way in."""
        return Login(
            driver=self.driver,
            host="127.0.0.1",
            port=self.port,
            socket=self.socket,
            database=self.name,
            username=self.username,
            password=self.password,
            bin=Path(self.bin),
        )

    def superuser(self) -> Login:
        """Return the superuser's way in, to the same database."""
        pg = self.driver == "pgsql"
        return Login(
            driver=self.driver,
            host=self.socket if pg else "",
            port=self.port if pg else 0,
            socket=self.socket,
            database=self.name,
            username="postgres" if pg else "root",
            password="",
            bin=Path(self.bin),
        )
