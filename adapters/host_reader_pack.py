"""Pack the row reader as one file that a production host's own Python runs."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_FILES = ("bot/__init__.py", "adapters/__init__.py")
_FOLDERS = ("bot/dumps", "adapters/host_reader")
# What a cut-over needs of time is left to it: code is kept by the other calls.
_MAIN = """import sys

from adapters.host_reader.kept_code import use_kept_code

kept = use_kept_code(sys.argv[0])

from adapters.host_reader.__main__ import main

status = main(loaded=kept.keep)
if not sys.argv[-1].endswith("_cutover"):
    kept.keep()
raise SystemExit(status)
"""
# The oldest time a zip can hold; the same for all, so that the same sources give the same bytes.
_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16


def pack_reader(target_path: Path) -> str:
    """Write the row reader to `target_path` and return its SHA-256; the same sources always give the same file.

    *Changes*: `target_path`, replaced as a whole and only where its content differs.
    """
    content = packed_reader()
    sha256 = hashlib.sha256(content).hexdigest()
    if target_path.is_file() and hashlib.sha256(target_path.read_bytes()).hexdigest() == sha256:
        return sha256
    part = target_path.with_name(target_path.name + ".part")
    part.write_bytes(content)
    part.replace(target_path)
    return sha256


def packed_reader() -> bytes:
    """Return the packed reader: a zip of the standard-library-only parts with a `__main__`."""
    sources = {name: (_ROOT / name).read_bytes() for name in _FILES}
    for folder in _FOLDERS:
        for path in (_ROOT / folder).rglob("*.py"):
            sources[path.relative_to(_ROOT).as_posix()] = path.read_bytes()
    sources["__main__.py"] = _MAIN.encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in sorted(sources):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.external_attr = _MODE
            # Stored, not deflated: another zlib version would give other bytes for the same sources.
            archive.writestr(entry, sources[name], zipfile.ZIP_STORED)
    return packed.getvalue()
