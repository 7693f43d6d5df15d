"""What a person types on a host with MariaDB's or PostgreSQL's own programs, word for word."""

from __future__ import annotations

import subprocess

from tests.servers.login import Login

Done = subprocess.CompletedProcess[str]


def typed(login: Login, line: str, *, password: bool = True, limit_s: float = 60) -> Done:
    """Type a line without a terminal, as over ssh or from cron; with `password` the clients find it by the environment."""
    return subprocess.run(
        ["setsid", "--wait", "bash", "-c", line],
        env=environment(login, password=password),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=limit_s,
    )


def environment(login: Login, *, password: bool = True) -> dict[str, str]:
    """Return the environment of whoever types: the engine's programs on PATH, and the password where wanted."""
    known = login.environment()
    if not password:
        known = {name: value for name, value in known.items() if value != login.password}
    return {**known, "PATH": f"{login.bin}:/usr/bin:/bin"}


def client(login: Login) -> str:
    """Return the words that call the engine's client, without a database."""
    return f"psql -X -q {way(login)}" if login.driver == "pgsql" else f"mariadb --no-defaults {way(login)}"


def dumper(login: Login) -> str:
    """Return the words that call the engine's dump program, without a database."""
    return f"pg_dump {way(login)}" if login.driver == "pgsql" else f"mariadb-dump --no-defaults {way(login)}"


def way(login: Login) -> str:
    """Return the options with which a client of this engine reaches the server."""
    if login.driver == "pgsql":
        return f"-h {login.host} -p {login.port} -U {login.username}"
    return f"--host={login.host} --port={login.port} --protocol=tcp --user={login.username}"
