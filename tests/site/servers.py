"""The two programs of a production: its private sshd and its web front. Both on loopback, both ended by their pid."""

from __future__ import annotations

import base64
import getpass
import hashlib
import os
import shlex
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.site.php_cache import php_environment


@dataclass(frozen=True, kw_only=True)
class Process:
    """A program that was started: its pid, and its start time in clock ticks, which tells it from a later one."""

    name: str
    pid: int
    start_ticks: int


def start_ticks(pid: int) -> int | None:
    """Return the start time of a living process, None for one that has ended. *Source*: proc(5), field 22."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


def is_alive(process: Process) -> bool:
    """Return whether this very process still runs."""
    return start_ticks(process.pid) == process.start_ticks


def end_process(process: Process) -> None:
    """End a process and, for sshd, the sessions it has open. *Changes*: only that very process, never a later pid."""
    if not is_alive(process):
        return
    for pid in [*children_of(process.pid), process.pid]:
        signal_gently(pid, signal.SIGTERM)
    deadline = time.monotonic() + 5
    while is_alive(process) and time.monotonic() < deadline:
        time.sleep(0.02)
    if is_alive(process):
        signal_gently(process.pid, signal.SIGKILL)


def children_of(pid: int) -> list[int]:
    """Return the pids of the direct children of a process."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(word) for word in text.split()]


def signal_gently(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended meanwhile."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, log: Path) -> None:
    """Return once the port answers. *Raises* RuntimeError with the end of the log after ten seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    tail = log.read_text(encoding="utf-8", errors="replace")[-500:] if log.exists() else "(no log)"
    raise RuntimeError(f"nothing listens on 127.0.0.1:{port} after ten seconds; the log ends: {tail}")


def make_keys(folder: Path) -> None:
    """Make the host key and one user key below `folder`. *Changes* the folder."""
    folder.mkdir(mode=0o700, parents=True)
    for name in ("host_key", "user_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "album", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    (folder / "authorized_keys").write_bytes((folder / "user_key.pub").read_bytes())


def fingerprint(public_key: Path) -> str:
    """Return the fingerprint of a public key as ssh shows it, `SHA256:…`."""
    blob = base64.b64decode(public_key.read_text(encoding="utf-8").split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def write_known_hosts(folder: Path, port: int) -> Path:
    """Write the one line by which a client knows this host, and return its path."""
    kind, key = (folder / "host_key.pub").read_text(encoding="utf-8").split()[:2]
    path = folder / "known_hosts"
    path.write_text(f"[127.0.0.1]:{port} {kind} {key}\n", encoding="utf-8")
    return path


# The login begins in the production's own home, not in the home of whoever runs the tests.
LOGIN = """#!/bin/sh
cd "$HOME" || exit 1
case ${SSH_ORIGINAL_COMMAND:-} in
  '') exec /bin/sh -l ;;
  */sftp-server) exec "$SSH_ORIGINAL_COMMAND" ;;
  *) exec /bin/sh -c "$SSH_ORIGINAL_COMMAND" ;;
esac
"""


def start_sshd(keys: Path, home: Path, port: int) -> Process:
    """Start the private sshd for the current user, key only, and return it. *Changes*: files beside the keys."""
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # root's sshd will not start without it
    home.mkdir(exist_ok=True)
    (keys / "login.sh").write_text(LOGIN, encoding="utf-8")
    pid_file, log = keys / "sshd.pid", keys / "sshd.log"
    pid_file.unlink(missing_ok=True)
    (keys / "sshd_config").write_text(sshd_config(keys, home, port), encoding="utf-8")
    subprocess.run(["/usr/sbin/sshd", "-f", str(keys / "sshd_config"), "-E", str(log)], check=True)
    wait_for_port(port, log)
    return recorded("sshd", pid_file)


def sshd_config(keys: Path, home: Path, port: int) -> str:
    """Return the text of sshd's settings. *Source*: sshd_config(5) of OpenSSH 9.2."""
    login = shlex.quote(str(keys / "login.sh"))
    return "\n".join(
        (
            f"Port {port}",
            "ListenAddress 127.0.0.1",
            f'HostKey "{keys / "host_key"}"',
            f'PidFile "{keys / "sshd.pid"}"',
            f'AuthorizedKeysFile "{keys / "authorized_keys"}"',
            f"AllowUsers {getpass.getuser()}",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            "StrictModes no",
            "PrintMotd no",
            "MaxStartups 60",
            "SetEnv "
            + " ".join(
                f'"{name}={value}"' for name, value in {"HOME": str(home), **php_environment()}.items()
            ),
            f"ForceCommand /bin/sh {login}",
            "Subsystem sftp /usr/lib/openssh/sftp-server",
            "",
        )
    )


def start_web_front(app: Path, folder: Path, port: int) -> Process:
    """Start PHP's own web server on the application and return it. *Changes*: its log and pid file in `folder`."""
    pid_file, log = folder / "php.pid", folder / "php.log"
    pid_file.unlink(missing_ok=True)
    script = 'echo $$ > "$1.part" && mv "$1.part" "$1" && cd "$2" && exec php -S "127.0.0.1:$3" -t public >>"$4" 2>&1'
    # A new session of its own: the server outlives the program that started it.
    subprocess.run(
        ["setsid", "--fork", "sh", "-c", script, "sh", str(pid_file), str(app), str(port), str(log)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    wait_for_port(port, log)
    return recorded("php", pid_file)


def recorded(name: str, pid_file: Path) -> Process:
    """Return the process whose pid stands in a file. *Raises* RuntimeError when it has already ended."""
    deadline = time.monotonic() + 5
    while not (pid_file.exists() and pid_file.read_text(encoding="utf-8").strip()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{name} wrote no pid file")
        time.sleep(0.01)
    pid = int(pid_file.read_text(encoding="utf-8"))
    ticks = start_ticks(pid)
    if ticks is None:
        raise RuntimeError(f"{name} ended at once; see its log beside {pid_file.name}")
    return Process(name=name, pid=pid, start_ticks=ticks)
