"""How one production host is reached."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

# The folder's name goes into a checksum list and into file names on the host: plain characters only.
_PLAIN_FOLDER = re.compile(r"[A-Za-z0-9._/][A-Za-z0-9._/-]*")


@dataclass(frozen=True, kw_only=True)
class HostSettings:
    """The address, the keys and the limits of one SSH host.

    `key_path` None means the agent's keys. `known_hosts_path` is an OpenSSH file that holds the host's key; a key that
    is not in it is refused, always. `jump` is a host to go through, with keys of its own. `work_folder` holds the
    programs sent to the host, below the home folder of `user` unless it is absolute. `low_priority_jobs` runs detached
    jobs on scratch files under `nice` and `ionice`; those that change a site that is down never. *Raises* ValueError for
    a folder name with anything but letters, digits, `._/-`.
    """

    address: str
    user: str
    known_hosts_path: Path
    port: int = 22
    key_path: Path | None = None
    jump: HostSettings | None = None
    connect_timeout: timedelta = timedelta(seconds=10)
    keepalive_interval: timedelta = timedelta(seconds=5)
    work_folder: str = ".backout"
    low_priority_jobs: bool = True

    def __post_init__(self) -> None:
        if not _PLAIN_FOLDER.fullmatch(self.work_folder):
            raise ValueError(
                f"work_folder {self.work_folder!r}: use letters, digits, '.', '_', '/', '-' only"
            )

    @property
    def place(self) -> str:
        """Return `host:port`, as messages name it."""
        return f"{self.address}:{self.port}"
