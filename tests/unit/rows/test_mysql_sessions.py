"""What each session is set to, by the version of the server (a client that only notes what it is told; MySQL was not run)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from adapters.host_reader.mysql.server import MysqlServer

CLIENT = """#!{python}
import os, sys
if "--version" in sys.argv:
    print("mysql  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)")
    sys.exit()
told = open("{folder}/told-%d" % os.getpid(), "w")
statement = []
for line in sys.stdin:
    line = line.rstrip("\\n")
    if line.startswith("DELIMITER "):
        delimiter = line[len("DELIMITER "):]
    elif line != delimiter:
        statement.append(line)
    else:
        sql, statement = " ".join(statement), []
        print(sql, file=told, flush=True)
        if sql == "SELECT VERSION()":
            print("{version}", flush=True)
        elif sql.startswith("SELECT '"):
            print(sql.split("'")[1] + ("\\t0" if "ROW_COUNT" in sql else ""), flush=True)
"""
CREDENTIALS = {"driver": "mysql", "host": "127.0.0.1", "username": "u", "database": "shop"}


@pytest.mark.parametrize(
    ("version", "has_a_cache"),
    [("8.0.36", True), ("9.1.0", True), ("5.7.44-log", False), ("10.11.19-MariaDB", False)],
)
def test_counters_never_come_from_a_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, has_a_cache: bool
) -> None:
    """On MySQL 8 and later every session, the first one too, asks past the cache in which counters are a day old.

    A counter of yesterday would let ids be given a second time (R2). *Source*: MySQL 8.0 manual,
    information_schema_stats_expiry; MySQL 5.7 and MariaDB do not know the setting.
    """
    client = tmp_path / "bin" / "mysql"
    client.parent.mkdir()
    client.write_text(CLIENT.format(python=sys.executable, folder=tmp_path, version=version))
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(client.parent))
    told = "BACKOUT1:" + json.dumps({"credentials": CREDENTIALS})
    server = MysqlServer(
        {"access": {"argv": ["/bin/echo", told]}, "workspace": str(tmp_path), "database": "shop"}
    )
    server.asking().run("DO 1", "asking")
    server.session("shop").run("DO 1", "asking")
    server.close()

    sessions = [path.read_text().splitlines() for path in tmp_path.glob("told-*")]
    assert len(sessions) == 2
    for session in sessions:
        before = session[: session.index("DO 1")]
        assert any("information_schema_stats_expiry = 0" in each for each in before) == has_a_cache
