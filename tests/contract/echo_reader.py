"""A row reader for tests: a zipapp with the reader's manners and no rows."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from adapters.host_reader import serving

_MAIN = """
import io, json, os, subprocess, sys, time

def work(verb, text):
    request = json.loads(text)
    if verb == "echo":
        print(json.dumps({"ok": True, "request": request}))
    elif verb == "refuse":
        print(json.dumps({"ok": False, "error": {"kind": "not_found", "message": "no such file; nothing was changed"}}))
        return 1
    elif verb == "process":
        print(json.dumps({"ok": True, "process": os.getpid(), "parent": os.getppid()}))
    elif verb == "sleep":
        sleeper = subprocess.Popen(["sleep", "30"])
        with open(request["path"], "w") as file:
            file.write(f"{os.getpid()} {sleeper.pid}")
        time.sleep(30)
    elif verb == "die":
        os.kill(os.getpid(), 9)
    else:
        print("Traceback: row content")
        return 1
    return 0

if sys.argv[1] == "serve":
    from adapters.host_reader.serving import Serving
    sys.exit(Serving(work, lambda verb: None, lambda: None).run())
sys.exit(work(sys.argv[1], sys.stdin.read()))
"""


def make_echo_reader(folder: Path) -> tuple[Path, str]:
    """Return the path and the SHA-256 of a freshly packed reader."""
    path = folder / "reader.pyz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__main__.py", _MAIN)
        for package in ("adapters", "adapters/host_reader"):
            archive.writestr(f"{package}/__init__.py", "")
        archive.write(serving.__file__, "adapters/host_reader/serving.py")
    return path, hashlib.sha256(path.read_bytes()).hexdigest()
