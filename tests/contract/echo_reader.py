"""A row reader for tests: a zipapp with the reader's manners and no rows."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

_MAIN = """
import json, sys
request = json.load(sys.stdin)
if sys.argv[1] == "echo":
    print(json.dumps({"ok": True, "request": request}))
elif sys.argv[1] == "refuse":
    print(json.dumps({"ok": False, "error": {"kind": "not_found", "message": "no such file; nothing was changed"}}))
    sys.exit(1)
else:
    print("Traceback: row content")
    sys.exit(1)
"""


def make_echo_reader(folder: Path) -> tuple[Path, str]:
    """Return the path and the SHA-256 of a freshly packed reader."""
    path = folder / "reader.pyz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__main__.py", _MAIN)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()
