"""What was compiled of the packed reader by a call before is kept beside it, as compiling costs more than most calls do.

Python keeps compiled modules of folders, never of a zip. The sources in the zip, whose SHA-256 is proven before each call,
stay what counts: what is kept is of this very file and this very Python, by its name, and is left aside when it is
damaged, is somebody else's, or could have been written by others.
"""

from __future__ import annotations

import fcntl
import importlib.util
import marshal
import os
import stat
import sys
import zipimport
import zlib
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any, BinaryIO, Dict, Optional

# Its modules are served from here; all else is Python's own.
_OURS = ("adapters", "bot")
_CHECK_BYTES = 4


class KeptCode:
    """Finds the modules of one packed reader: as they were kept, else compiled from their source in the zip."""

    def __init__(self, archive: str) -> None:
        self._zip = zipimport.zipimporter(archive)
        self._archive = archive
        self._file = f"{archive}.{importlib.util.MAGIC_NUMBER.hex()}.code"
        self._part = f"{self._file}.part"
        self._kept = _read(self._file)
        self._fresh: Dict[str, bytes] = {}

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> Optional[ModuleSpec]:
        """Return where a module of the reader comes from; None for any other. Python asks here."""
        if name.partition(".")[0] not in _OURS:
            return None
        try:
            is_package = self._zip.is_package(name.replace(".", "/"))
        except zipimport.ZipImportError:
            return None
        spec = ModuleSpec(name, self, origin=f"{self._archive}/{name}", is_package=is_package)  # type: ignore[arg-type]
        if is_package:
            spec.submodule_search_locations = [f"{self._archive}/{name.replace('.', '/')}"]
        return spec

    def create_module(self, _spec: ModuleSpec) -> Optional[ModuleType]:
        """Leave the making of the module to Python."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code."""
        name = module.__name__
        if name in self._kept:
            code: CodeType = marshal.loads(self._kept[name])  # noqa: S302 - checked and this user's own, see `_read`
        else:
            code = self._zip.get_code(name.replace(".", "/"))
            self._fresh[name] = marshal.dumps(code)
        exec(code, module.__dict__)  # noqa: S102 - what an import is

    def keep(self) -> None:
        """Keep what was compiled by this call. *Changes*: one file beside the reader; none where it cannot be written."""
        if not self._fresh:
            return
        content = marshal.dumps({**self._kept, **self._fresh})
        try:
            # One name for all: what a killed call left is written over by the next one, and never piles up.
            with open(self._part, "ab") as file:  # noqa: PTH123 - pathlib is one more module to load
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(file.fileno()), os.stat(self._part)):  # noqa: PTH116
                    self._write(file, zlib.crc32(content).to_bytes(_CHECK_BYTES, "big") + content)
        except OSError:
            # Another call is writing, or has just given the file its name, or nothing can be written here.
            return

    def _write(self, file: BinaryIO, data: bytes) -> None:
        """Write the part file, which this call holds locked, and give it its name; on an error it is removed."""
        try:
            file.truncate(0)
            file.write(data)
            file.flush()
            os.replace(self._part, self._file)  # noqa: PTH105
        except OSError:
            os.unlink(self._part)  # noqa: PTH108


def use_kept_code(archive: str) -> KeptCode:
    """Let the reader's modules come from what is kept of that file. *Changes*: where this process finds modules."""
    kept = KeptCode(archive)
    sys.meta_path.insert(0, kept)
    return kept


def _read(path: str) -> Dict[str, bytes]:
    """Return the kept code of each module; none where the file is missing, damaged, or writable by anybody else."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            about = os.fstat(file.fileno())
            data = file.read()
    except OSError:
        return {}
    is_ours = about.st_uid == os.geteuid() and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    content = data[_CHECK_BYTES:]
    if not is_ours or data[:_CHECK_BYTES] != zlib.crc32(content).to_bytes(_CHECK_BYTES, "big"):
        return {}
    kept: Dict[str, bytes] = marshal.loads(content)  # noqa: S302 - whole as it was written, and this user's own
    return kept
