"""A row reader for which a folder is a file system of its own, too small for what it is to hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.host_reader.answers import Refusal

# The file system is in a namespace of the reader's own, and goes with it.
_SCRIPT = 'mount -t tmpfs -o size="$1" tmpfs "$2" || exit 9; "$3" -m adapters.host_reader "$4"; ls -A "$2"'
_NOT_ALLOWED = 9


def ask_on_small_disk(folder: Path, size: str, verb: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return a verb's answer where `folder` is a disk of that size, as root and as an ordinary user. *Raises* Refusal.

    Nothing may be left on that disk. *Source*: unshare(1) of util-linux 2.38, user_namespaces(7).
    """
    own = ["--mount"] if os.getuid() == 0 else ["--user", "--map-root-user", "--mount"]
    words = ["small-disk", size, str(folder), sys.executable, verb]
    done = subprocess.run(
        ["unshare", *own, "sh", "-c", _SCRIPT, *words],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode in (1, _NOT_ALLOWED) and not done.stdout:
        pytest.skip("this user may mount no file system, not even in a namespace of its own")
    told, *left = done.stdout.splitlines()
    assert left == []
    answer: dict[str, Any] = json.loads(told)
    if not answer["ok"]:
        raise Refusal(answer["error"]["kind"], answer["error"]["message"])
    return answer
