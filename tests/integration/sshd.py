"""A private sshd on loopback: own configuration, own keys, a free high port, ended by its pid."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adapters.ssh_host.settings import HostSettings

_CONFIGURATION = """\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile {folder}/sshd.pid
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
SetEnv HOME={home}
PermitUserEnvironment no
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True, kw_only=True)
class PrivateSshd:
    """A running sshd: where it listens, its keys, and the home folder that its sessions see."""

    port: int
    folder: Path
    home: Path
    pid: int

    @property
    def settings(self) -> HostSettings:
        """Return the settings by which Backout reaches it."""
        return HostSettings(
            address="127.0.0.1",
            port=self.port,
            user=getpass.getuser(),
            key_path=self.folder / "user_key",
            known_hosts_path=self.folder / "known_hosts",
            work_folder=str(self.home / ".backout"),
        )

    def host_key_fingerprint(self) -> str:
        """Return the fingerprint of its host key, as ssh-keygen says it."""
        listed = subprocess.run(
            ["ssh-keygen", "-lf", self.folder / "host_key.pub"], check=True, capture_output=True, text=True
        )
        return listed.stdout.split()[1]

    def drop_links(self) -> int:
        """Kill the server side of every connection, as a lost network would; return how many there were."""
        sessions = _children(self.pid)
        for pid in sessions:
            for child in _children(pid):
                if Path(f"/proc/{child}/comm").read_text().strip() == "sshd":
                    os.kill(child, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
        return len(sessions)

    def freeze_links(self) -> None:
        """Stop the server side of every connection, so that it answers nothing; `drop_links` ends it."""
        for pid in _children(self.pid):
            os.kill(pid, signal.SIGSTOP)

    def connections(self) -> int:
        """Return how many connections are open."""
        return len(_children(self.pid))


@contextlib.contextmanager
def private_sshd(folder: Path, keys_from: PrivateSshd | None = None) -> Iterator[PrivateSshd]:
    """Start an sshd with its files below `folder` and end it afterwards; `keys_from` gives it another's user key."""
    home = folder / "home"
    home.mkdir(parents=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    make_key(folder / "host_key")
    if keys_from is None:
        make_key(folder / "user_key")
    else:
        for name in ("user_key", "user_key.pub"):
            shutil.copy(keys_from.folder / name, folder / name)
    port = _free_port()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {(folder / 'host_key.pub').read_text()}")
    (folder / "sshd_config").write_text(_CONFIGURATION.format(port=port, folder=folder, home=home))
    with (folder / "sshd.log").open("wb") as log:
        server = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-e", "-f", folder / "sshd_config"], stderr=log, stdin=subprocess.DEVNULL
        )
    try:
        _wait_until_listening(port, server)
        yield PrivateSshd(port=port, folder=folder, home=home, pid=server.pid)
    finally:
        server.terminate()
        server.wait(timeout=10)


def make_key(path: Path) -> None:
    """Make an Ed25519 key pair at `path` and `path`.pub, in the place of one that is there."""
    path.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path], check=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_listening(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError("the private sshd did not start; see sshd.log in its folder")


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in listed.split()]
