"""What productions with a database server have in common; the server belongs to the production and ends with it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.login import Login
from tests.servers.private import copy_data, end, remove
from tests.site.engines.engine import BLOG, Engine
from tests.site.engines.place import ServerPlace
from tests.site.oracle_export import export
from tests.site.sessions import ClientSession, Session

if TYPE_CHECKING:
    from tests.site.production import Production
    from tests.site.servers import Process

NAME = "album"


def place_of(production: Production) -> ServerPlace:
    """Return where the production's server listens. *Raises* ValueError for a production that was never started."""
    if production.server is None:
        raise ValueError(f"the production below {production.folder} has no server that was started")
    return production.server


class ServerEngine(Engine):
    """A server engine: database and user `album`, and a dump as the engine's own program makes it."""

    connection: str
    ending: signal.Signals
    port_line: str
    dump_command: tuple[str, ...]

    def stop(self, process: Process) -> None:
        end(process, self.ending)

    def settings(self, production: Production) -> dict[str, str]:
        place = place_of(production)
        return {
            "DB_CONNECTION": self.connection,
            "DB_HOST": "127.0.0.1",
            "DB_PORT": str(place.port),
            "DB_DATABASE": place.name,
            "DB_USERNAME": place.username,
            "DB_PASSWORD": f'"{place.password}"',
        }

    def session(self, production: Production) -> Session:
        return ClientSession(place_of(production).login())

    def dump(self, production: Production) -> bytes:
        return self.dump_of(place_of(production).login())

    def dump_of(self, login: Login) -> bytes:
        """Return the dump of one database. Reads only."""
        program, *words = self.dump_command
        places = [f"--host={login.host or login.socket}", f"--port={login.port}"]
        if not login.host:
            places = [f"--socket={login.socket}"]
        command = [str(login.bin / program), *words, *places, f"--{self.user_word}={login.username}"]
        done = subprocess.run(
            [*command, login.database], env=login.environment(), capture_output=True, check=True
        )
        return done.stdout

    user_word = "user"

    def blog_dump(self, production: Production) -> bytes:
        superuser = place_of(production).superuser()
        superuser.run("create database blog;")
        blog = superuser.to("blog")
        blog.run(BLOG)
        text = self.dump_of(blog)
        superuser.run("drop database blog;")
        return text

    def export(self, production: Production, target: Path) -> None:
        export(production.folder, target)

    def copy(self, first: Production, second: Production) -> None:
        remove(second.database_path)
        second.database_path.mkdir()
        copy_data(first.database_path / "data", second.database_path / "data")

    def second_database(self, production: Production) -> tuple[str, str]:
        place = place_of(production)
        text, user = self.dump(production).decode(), place.username
        place.superuser().run(f"create database other {self.owned_by(user)};")
        if place.driver == "mysql":
            place.superuser().run(f"grant all on other.* to {user}@'%';")
        place.superuser().to("other").run(text)
        return place.name, "other"

    def owned_by(self, user: str) -> str:
        """Return the words by which a new database is a user's own, where the engine has them."""
        return ""
