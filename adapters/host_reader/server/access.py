"""The application's own database credentials: asked for on the host, kept in memory and in one private folder only."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional

from adapters.host_reader.answers import Refusal
from adapters.host_reader.sqlite_request import Request, mapping, optional_text

_MARK = "BACKOUT1:"
# Booting a framework on a busy host takes seconds; longer is a host that hangs.
_TIME_LIMIT_S = 60
_FOLDER_PREFIX = "access-"


@dataclass(frozen=True)
class Credentials:
    """How the application reaches its database. The password is in no repr; None: the application has none set."""

    driver: str
    host: Optional[str]
    port: Optional[int]
    unix_socket: Optional[str]
    username: Optional[str]
    password: Optional[str] = field(repr=False)
    database: Optional[str]
    charset: Optional[str]
    prefix: Optional[str]
    sslmode: Optional[str]


def read_credentials(request: Request) -> Credentials:
    """Run the request's `access` program on this host and return what it tells; reads only.

    `access` is `{"argv": […], "stdin": "…", "env": {…}}`; the answer is the last line of its output that begins with
    `BACKOUT1:`. What else it prints, and on stderr, is never told: it may hold a password.
    *Raises* Refusal: bad_request, unreadable.
    """
    access = mapping(request, "access")
    output = _run(_argv(access), str(access.get("stdin") or ""), _environment(access))
    lines = [line for line in output.splitlines() if line.startswith(_MARK)]
    try:
        document = json.loads(lines[-1][len(_MARK) :])["credentials"]
        return _credentials(document)
    except (IndexError, KeyError, TypeError, ValueError):
        raise _unreadable("gave no credentials") from None


def _argv(access: Dict[str, Any]) -> List[str]:
    argv = access.get("argv")
    if not isinstance(argv, list) or not argv or not all(isinstance(part, str) for part in argv):
        raise Refusal("bad_request", "The request's `access` needs `argv`, a list of texts. Nothing was run.")
    return argv


def _environment(access: Dict[str, Any]) -> Dict[str, str]:
    more = access.get("env") or {}
    if not isinstance(more, dict) or not all(isinstance(value, str) for value in more.values()):
        raise Refusal("bad_request", "The request's `access.env` must hold texts. Nothing was run.")
    return {**os.environ, **more}


def _run(argv: List[str], stdin: str, environment: Dict[str, str]) -> str:
    try:
        done = subprocess.run(
            argv,
            input=stdin.encode("utf-8"),
            env=environment,
            capture_output=True,
            timeout=_TIME_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _unreadable(f"did not answer in {_TIME_LIMIT_S} s") from None
    except OSError as error:
        raise _unreadable(f"could not be started ({error.strerror})") from None
    if done.returncode != 0:
        raise _unreadable(f"ended with exit status {done.returncode}")
    return done.stdout.decode("utf-8", "replace")


def _unreadable(what: str) -> Refusal:
    return Refusal(
        "unreadable",
        f"The program that reads the application's database settings {what}. Nothing was changed; run `backout check`.",
    )


def _credentials(document: Dict[str, Any]) -> Credentials:
    told = {name: _text(document.get(name)) for name in Credentials.__dataclass_fields__}
    port = told.pop("port")
    driver = told.pop("driver")
    if not driver:
        raise ValueError
    return Credentials(driver=driver, port=None if port is None else int(port), **told)


def _text(value: Any) -> Optional[str]:
    """Return a setting as text; an empty one is one that is not set. *Raises* ValueError for a control character."""
    if value is None or value == "":
        return None
    told = str(value)
    # A NUL or a line end could end a line of an option file and begin another option.
    if any(sign in told for sign in "\0\r\n"):
        raise ValueError
    return told


class PrivateFolder:
    """A fresh folder of mode 0700 for the files that hold credentials; `remove` takes it away with all it holds.

    A folder that a killed reader left behind is removed by the next one of the same workspace.
    """

    def __init__(self, request: Request) -> None:
        parent = _parent(optional_text(request, "workspace"))
        _remove_left_behind(parent)
        self.path = parent / f"{_FOLDER_PREFIX}{os.getpid()}-{_start_of(os.getpid())}-{secrets.token_hex(4)}"
        self.path.mkdir(mode=0o700)

    def write(self, name: str, content: str) -> str:
        """Write a file of mode 0600 and return its path. *Changes*: that file."""
        path = self.path / name
        handle = os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        return str(path)

    def remove(self) -> None:
        """Remove the folder; done twice it does nothing. *Changes*: only that folder."""
        shutil.rmtree(self.path, ignore_errors=True)


def workspace_folder(request: Request, name: str) -> Path:
    """Return a folder of Backout's own on this host, made where it is missing. *Changes*: that folder."""
    workspace = optional_text(request, "workspace")
    if workspace is None:
        raise Refusal("bad_request", "The request's field 'workspace' is missing. Nothing was changed.")
    folder = Path(os.path.expanduser(workspace)) / name  # noqa: PTH111 - Path.expanduser raises for an unknown user
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(
            "unreadable", f"The folder {folder} cannot be made ({error.strerror}). Nothing else was changed."
        ) from None
    return folder


def _parent(workspace: Optional[str]) -> Path:
    if workspace is None:
        return Path(tempfile.gettempdir())
    return workspace_folder({"workspace": workspace}, "tmp")


def _remove_left_behind(parent: Path) -> None:
    for folder in parent.glob(_FOLDER_PREFIX + "*"):
        parts = folder.name.split("-")
        with contextlib.suppress(OSError):
            ours = folder.stat().st_uid == os.getuid()
            if ours and len(parts) == 4 and parts[2] != _start_of(int(parts[1])):
                shutil.rmtree(folder, ignore_errors=True)


def _start_of(pid: int) -> str:
    """Return when a process started, in clock ticks since boot; `0` where it is gone. *Source*: proc(5), field 22."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "0"
