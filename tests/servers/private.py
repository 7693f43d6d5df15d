"""How a private server runs: as an ordinary user, in its own folder, on its own port and socket, ended by its pid."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from tests.site.servers import Process, is_alive, recorded, signal_gently

ORDINARY = "nobody"
SOCKET_PATH_LIMIT = 100  # the kernel takes 107 bytes; PostgreSQL appends the name of its lock file


def as_ordinary(command: list[str]) -> list[str]:
    """Return the command as an ordinary user runs it: root's becomes nobody's, anyone else's is left as it is.

    PostgreSQL refuses to run as root. The one right that is kept opens folders on the way that only root may enter, so
    that a server may stand below any folder; without the secure bit access(2) would not grant it, and MariaDB would
    take its own files for missing. *Source*: setpriv(1) of util-linux 2.38, capabilities(7), access(2).
    """
    if os.getuid() != 0:
        return command
    rights = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup"]
    return ["setpriv", f"--reuid={ORDINARY}", "--regid=nogroup", "--clear-groups", *rights, *command]


def give_away(folder: Path) -> None:
    """Make the ordinary user the owner of a folder and all in it. *Changes*: owners, where root runs the tests."""
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", f"{ORDINARY}:nogroup", str(folder)], check=True)


def copy_data(template: Path, folder: Path) -> None:
    """Copy the data folder of a stopped server. *Changes*: `folder`, which must not exist."""
    command = ["cp", "-a", "--reflink=auto", "--sparse=always", str(template), str(folder)]
    subprocess.run(command, check=True)
    give_away(folder)


def socket_folder() -> Path:
    """Make a folder for sockets whose path is short enough, and which only its owner may enter. *Changes*: makes it."""
    folder = Path(tempfile.mkdtemp(prefix="backout-"))
    if len(str(folder)) > SOCKET_PATH_LIMIT - len("/.s.PGSQL.65535.lock"):
        folder.rmdir()
        raise ValueError(
            f"sockets below {folder.parent} would have too long a path: set TMPDIR to a shorter one"
        )
    give_away(folder)
    return folder


def run_once(command: list[str], folder: Path) -> None:
    """Run a command of a server's making as an ordinary user. *Raises* RuntimeError with what it said."""
    done = subprocess.run(
        as_ordinary(command),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stdout[-600:] + done.stderr[-1200:]
        raise RuntimeError(f"{Path(command[0]).name} ended with {done.returncode}: {said}")


def launch(name: str, command: list[str], folder: Path) -> Process:
    """Start a server as an ordinary user in a session of its own; its output goes to `<folder>/<name>.out`.

    It outlives the program that started it, until it is ended. *Changes*: `<folder>/<name>.pid`, and starts it.
    """
    pid_file, log = folder / f"{name}.pid", folder / f"{name}.out"
    pid_file.unlink(missing_ok=True)
    script = 'echo $$ >"$1.part" && mv "$1.part" "$1" && log=$2 && shift 2 && exec "$@" >>"$log" 2>&1'
    subprocess.run(
        ["setsid", "--fork", "sh", "-c", script, "sh", str(pid_file), str(log), *as_ordinary(command)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return recorded(name, pid_file)


def end(process: Process, number: signal.Signals, *, limit_s: float = 20) -> None:
    """End a server by a signal, and by SIGKILL when it has not ended in time. *Changes*: only that very process."""
    if is_alive(process):
        signal_gently(process.pid, number)
    deadline = time.monotonic() + limit_s
    while is_alive(process):
        if time.monotonic() > deadline:
            signal_gently(process.pid, signal.SIGKILL)
        time.sleep(0.02)


def remove(folder: Path) -> None:
    """Remove a folder of a server that has ended, if it is there. *Changes*: removes it."""
    shutil.rmtree(folder, ignore_errors=True)
