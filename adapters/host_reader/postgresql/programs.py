"""The host's own PostgreSQL clients: where they are, and which version goes with a server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from adapters.host_reader.answers import Refusal

# Where Debian, Red Hat and PostgreSQL's own installer put each version's programs; not all are on PATH.
_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/opt/PostgreSQL/*/bin")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?")
_TIME_LIMIT_S = 10
# The first minor version of each major one whose psql knows \restrict. Source: the releases of August 2025.
_RESTRICT_SINCE = {13: 22, 14: 19, 15: 14, 16: 10, 17: 6}

Version = Tuple[int, int]


def find_psql() -> str:
    """Return the newest psql of this host; it talks to all servers from 9.2 on. *Raises* Refusal (refused)."""
    candidates = _candidates("psql")
    if len(candidates) == 1:
        return candidates[
            0
        ]  # Nothing to choose from: it is not run to ask its version, at each question anew.
    found = _all("psql")
    if not found:
        raise Refusal("refused", "This host has no psql. Nothing was changed; install the PostgreSQL client.")
    return found[-1][1]


def find_beside_server(name: str, server_major: int) -> str:
    """Return pg_dump or pg_restore of the server's own version, or the next newer one.

    Not just the newest: what a newer one writes may not load into this server. *Raises* Refusal (refused).
    """
    for path in all_beside_server(name, server_major):
        return path
    raise Refusal(
        "refused",
        f"This host has no {name} of version {server_major} or later, and an older one cannot read this server."
        " Nothing was changed; install the client of the server's version.",
    )


def all_beside_server(name: str, server_major: int) -> List[str]:
    """Return all programs of that name that are not older than the server, the oldest first."""
    return [path for version, path in _all(name) if version[0] >= server_major]


def knows_restrict(psql: str) -> bool:
    """Return whether that psql has the restricted mode in which a dump cannot give commands to psql."""
    version = _version(psql) or (0, 0)
    return version[0] > 17 or version[1] >= _RESTRICT_SINCE.get(version[0], 1000)


def major_of(program: str) -> int:
    """Return a program's major version, 0 where it tells none."""
    return (_version(program) or (0, 0))[0]


def _all(name: str) -> List[Tuple[Version, str]]:
    """Return version and path of each program of that name, the oldest first; PATH wins among equals."""
    found: Dict[Version, str] = {}
    for path in _candidates(name):
        version = _version(path)
        if version is not None:
            found.setdefault(version, path)
    return sorted(found.items())


def _candidates(name: str) -> List[str]:
    folders = os.environ.get("PATH", "").split(os.pathsep)
    folders += sorted(str(folder) for pattern in _FOLDERS for folder in Path("/").glob(pattern[1:]))
    paths = [shutil.which(name, path=folder) for folder in folders if folder.startswith("/")]
    # Debian's wrapper in /usr/bin picks a version by itself; those that it picks from are listed too.
    return list(dict.fromkeys(path for path in paths if path and Path(path).resolve().name != "pg_wrapper"))


@lru_cache(maxsize=64)
def _version(path: str) -> Optional[Version]:
    try:
        said = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIME_LIMIT_S,
            check=False,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(said.stdout.decode("utf-8", "replace"))
    return (int(match.group(1)), int(match.group(2) or 0)) if match and said.returncode == 0 else None
