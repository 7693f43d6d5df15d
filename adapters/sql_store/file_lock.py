"""The lock that lets one process only use a SQLite store."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from bot.model.errors import NotStartedError


class FileLock:
    """A lock on `<store>.lock`, held until `release` or until the process ends, however it ends."""

    def __init__(self, store: Path) -> None:
        self._path = store.with_name(store.name + ".lock")
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take the lock and write this process's id into its file. *Raises* NotStartedError when another has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise NotStartedError(
                f"another Backout process (pid {holder}) uses the store {self._path.with_suffix('')}. Nothing was started. "
                "Stop that one first; two at once need PostgreSQL as the store."
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go of the lock. The file stays: removing it would let two processes lock two files of one name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
