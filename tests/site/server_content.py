"""What a database on a server holds, as its own client tells it: for tests that compare it before and after."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess

from tests.servers.login import Login

# What differs between two databases of one content: numbers given out, when and by what they were dumped.
_PASSING = re.compile(
    rb"^(--.*|/\*M?!\d+\\?-? (SET|enable) .*|\\(un)?restrict .*|SELECT pg_catalog\.set.*|SET .*)$| AUTO_INCREMENT=\d+",
    re.MULTILINE,
)
_TABLES = "select tablename from pg_tables where schemaname = 'public' order by 1"


def server_content(login: Login) -> str:
    """Return a hash of every row and the structure of a database; reads only, and shares no code with the product."""
    digest = hashlib.sha256(_PASSING.sub(b"", _structure_and_rows(login)))
    if login.driver == "pgsql":
        for (table,) in sorted(login.rows(_TABLES)):
            digest.update(login.run(f'select * from public."{table}" t order by t::text').encode())
    return digest.hexdigest()


def _structure_and_rows(login: Login) -> bytes:
    if login.driver == "mysql":
        words = [
            "mariadb-dump",
            "--no-defaults",
            "--skip-extended-insert",
            "--order-by-primary",
            "--triggers",
        ]
        words += [
            "--single-transaction",
            f"--host={login.host}",
            f"--port={login.port}",
            f"--user={login.username}",
        ]
    else:
        words = ["pg_dump", "--schema-only", f"--host={login.host}", f"--port={login.port}"]
        words += [f"--username={login.username}"]
    program, *rest = words
    return subprocess.run(
        [str(login.bin / program), *rest, login.database],
        env={**os.environ, **login.environment()},
        capture_output=True,
        check=True,
    ).stdout
