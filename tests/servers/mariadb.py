"""A private MariaDB (or MySQL) server: made, started in about a second, stopped by its pid."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.servers.login import Login, client_program
from tests.servers.private import copy_data, end, give_away, launch, remove, run_once, socket_folder
from tests.site.servers import Process, free_port, is_alive

START_LIMIT_S = 40


@dataclass(frozen=True, kw_only=True)
class MariadbServer:
    """A running server. Its superuser `root` gets in by `socket` only, without a password; others also by `port`.

    `log` is the general log: every statement that ran, of every session.
    """

    folder: Path
    bin: Path
    version: str
    host: str
    port: int
    socket: Path
    log: Path
    process: Process

    @property
    def engine(self) -> str:
        """Return `mariadb` or `mysql`, as the server says."""
        return "mariadb" if "MariaDB" in self.version else "mysql"

    @property
    def superuser(self) -> Login:
        """Return the superuser's way in."""
        return _superuser(self.bin, self.socket)

    def make(self, database: str, *, grants: tuple[str, ...] | None = None, may_create: bool = True) -> Login:
        """Make a database and a user of the same name (cut to 32 letters), and return the user's way in.

        The user has all rights on the database and, with `may_create`, on every `backout_…`; or just these `grants`,
        each a text like "SELECT, INSERT ON `shop`.*".
        """
        user = database[:32]
        if grants is None:
            mine = database.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")
            grants = (f"ALL ON {quoted(mine)}.*", *(["ALL ON `backout\\_%`.*"] if may_create else []))
        name = f"{text(user)}@'%'"
        given = "; ".join(f"GRANT {grant} TO {name}" for grant in grants)
        self.superuser.run(
            f"CREATE DATABASE {quoted(database)} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci; "
            f"CREATE USER {name} IDENTIFIED BY 'secret of {user.replace(chr(39), '')}'; {given};"
        )
        return self.login(database, user)

    def login(self, database: str, user: str) -> Login:
        """Return the way in of a user that `make` made."""
        return Login(
            driver="mysql",
            host=self.host,
            port=self.port,
            socket=str(self.socket),
            database=database,
            username=user,
            password=f"secret of {user.replace(chr(39), '')}",
            bin=self.bin,
        )

    def databases(self) -> set[str]:
        """Return the names of all databases but the server's own."""
        own = {"information_schema", "mysql", "performance_schema", "sys"}
        return {row[0] for row in self.superuser.rows("show databases")} - own

    def drop(self, login: Login) -> None:
        """Remove a database that `make` made, its user and every `backout_…` database. *Changes*: removes them."""
        names = {name for name in self.databases() if name.startswith("backout_")} | {login.database}
        statements = [f"DROP DATABASE IF EXISTS {quoted(name)}" for name in sorted(names)]
        statements.append(f"DROP USER IF EXISTS {text(login.username)}@'%'")
        self.superuser.run("; ".join(statements))

    def log_position(self) -> int:
        """Return where the log of statements ends now; for `log_since`."""
        return self.log.stat().st_size

    def log_since(self, position: int) -> str:
        """Return what ran since then, as the general log shows it."""
        with self.log.open("rb") as file:
            file.seek(position)
            return file.read().decode(errors="replace")

    def stop(self) -> None:
        """Shut the server down in order; its data may be copied then."""
        end(self.process, signal.SIGTERM)
        remove(self.socket.parent)

    def kill(self) -> None:
        """Kill the server as a crash does; `start_mariadb` on the same folder brings it back."""
        end(self.process, signal.SIGKILL)
        remove(self.socket.parent)


def mariadb_bin() -> Path:
    """Return the folder of the server's and the client's programs: BACKOUT_TEST_MYSQL_BIN, or those on PATH."""
    given = os.environ.get("BACKOUT_TEST_MYSQL_BIN")
    if given:
        return Path(given)
    client = shutil.which("mariadb")
    if client is None:
        raise RuntimeError("mariadb is not installed: packages mariadb-server-core and mariadb-client-core")
    return Path(client).parent


def make_data(folder: Path) -> None:
    """Make an empty data folder `<folder>/data`. *Changes*: makes it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data").mkdir(mode=0o700)
    # Its own place for temporary files: servers that share one remove each other's (ERROR 6, EE_DELETE).
    (folder / "tmp").mkdir(mode=0o700, exist_ok=True)
    give_away(folder)
    programs = mariadb_bin()
    data = f"--datadir={folder / 'data'}"
    temporary = f"--tmpdir={folder / 'tmp'}"
    install = programs / "mariadb-install-db"
    if install.exists():
        # Only root@localhost may be root: with names not resolved that is the socket.
        words = [
            "--no-defaults",
            data,
            temporary,
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--force",
        ]
        run_once([str(install), *words, "--skip-name-resolve", *_settings()], folder)
    else:
        run_once([str(server_program()), "--no-defaults", data, temporary, "--initialize-insecure"], folder)


def start_mariadb(
    folder: Path, *, template: Path | None = None, port: int = 0, logged: bool = True
) -> MariadbServer:
    """Start a server on `<folder>/data`, made here or copied from that of a stopped server, and return it.

    `logged` keeps every statement in the general log. *Changes*: the folder. *Raises* RuntimeError with the end of its
    own log when it is not ready in time.
    """
    if not (folder / "data").exists():
        if template is None:
            make_data(folder)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            copy_data(template / "data", folder / "data")
    (folder / "tmp").mkdir(mode=0o700, exist_ok=True)  # as in make_data; a copied folder has none
    give_away(folder)
    socket, log, at = socket_folder() / "mysql.sock", folder / "general.log", port or free_port()
    places = (
        f"--datadir={folder / 'data'}",
        f"--tmpdir={folder / 'tmp'}",
        f"--socket={socket}",
        f"--port={at}",
    )
    logs = (
        f"--general-log={int(logged)}",
        f"--general-log-file={log}",
        f"--pid-file={folder / 'server.pid'}",
    )
    words = ["--no-defaults", *places, *logs, "--bind-address=127.0.0.1", *_settings()]
    process = launch("mariadbd", [str(server_program()), *words], folder)
    version = _wait(_superuser(mariadb_bin(), socket), process, folder / "mariadbd.out")
    return MariadbServer(
        folder=folder,
        bin=mariadb_bin(),
        version=version,
        host="127.0.0.1",
        port=at,
        socket=socket,
        log=log,
        process=process,
    )


def server_program() -> Path:
    """Return the server's program beside the client, or where the system keeps it."""
    folders = (mariadb_bin(), Path("/usr/sbin"), mariadb_bin().parent / "sbin")
    places = [folder / name for folder in folders for name in ("mariadbd", "mysqld")]
    found = next((path for path in places if path.exists()), None)
    if found is None:
        raise RuntimeError("no mariadbd and no mysqld: package mariadb-server-core")
    return found


def _settings() -> list[str]:
    # Small and quick: nothing waits for the disk; what is committed still outlives a kill of the server.
    return [
        "--innodb-buffer-pool-size=64M",
        "--innodb-log-file-size=24M",
        "--innodb-flush-log-at-trx-commit=2",
        "--innodb-doublewrite=0",
        "--innodb-use-native-aio=0",
        "--sync-binlog=0",
        "--skip-log-bin",
        "--skip-name-resolve",
        "--local-infile=1",
        "--character-set-server=utf8mb4",
        "--collation-server=utf8mb4_unicode_ci",
        "--max-connections=60",
    ]


def _superuser(programs: Path, socket: Path) -> Login:
    return Login(
        driver="mysql",
        host="",
        port=0,
        socket=str(socket),
        database="mysql",
        username="root",
        password="",
        bin=programs,
    )


def _wait(superuser: Login, process: Process, log: Path) -> str:
    deadline = time.monotonic() + START_LIMIT_S
    while is_alive(process) and time.monotonic() < deadline:
        if Path(superuser.socket).exists():
            command = [*superuser.client(), "--execute", "select version()"]
            done = subprocess.run(
                command, env=superuser.environment(), capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                return done.stdout.strip()
        time.sleep(0.03)
    end(process, signal.SIGKILL)
    tail = log.read_text(encoding="utf-8", errors="replace")[-1500:] if log.exists() else "(no log)"
    raise RuntimeError(f"the server is not ready; its log ends: {tail}")


def quoted(name: str) -> str:
    """Return a name as MariaDB quotes it."""
    return "`" + name.replace("`", "``") + "`"


def text(value: str) -> str:
    """Return a text as MariaDB quotes it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


__all__ = ["MariadbServer", "client_program", "make_data", "mariadb_bin", "start_mariadb"]
