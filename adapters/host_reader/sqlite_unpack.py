"""Read a backup's bytes whatever program packed it; a damaged or cut one is refused."""

from __future__ import annotations

import contextlib
import subprocess
import zipfile
import zlib
from pathlib import Path
from typing import IO, Iterator

from adapters.host_reader.answers import Refusal, progress
from adapters.host_reader.sqlite_open import existing_file
from bot.dumps.compression import DamagedError, decompressed
from bot.dumps.formats import HEAD_BYTES, compression_of

_BLOCK_BYTES = 1 << 20


def unpacked(path: str) -> Iterator[bytes]:
    """Yield the content of a plain, gzip, bzip2, xz, zip or zstd file in blocks; reads only.

    *Raises* Refusal: not_found, unreadable (no `zstd` program here), damaged (cut short, changed, two files in a zip).
    """
    real = existing_file(path)
    with Path(real).open("rb") as file:
        packed = compression_of(file.read(HEAD_BYTES))
    try:
        if packed == "zip":
            yield from _unzipped(real)
        elif packed == "zstd":
            yield from _unzstd(real)
        else:
            with Path(real).open("rb") as file:
                blocks = _blocks(file, Path(real).stat().st_size)
                yield from blocks if packed is None else decompressed(blocks, packed)
    except OSError as error:
        raise Refusal(
            "unreadable", f"{path} cannot be read ({error.strerror}). Nothing was changed."
        ) from None
    except (DamagedError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise Refusal("damaged", f"{path} is damaged or cut short ({error}). Nothing was changed.") from None


def _blocks(file: IO[bytes], size_bytes: int = 0) -> Iterator[bytes]:
    done = 0
    for block in iter(lambda: file.read(_BLOCK_BYTES), b""):
        done += len(block)
        progress("reading the backup", done, max(size_bytes, done), "bytes")
        yield block


def _unzipped(path: str) -> Iterator[bytes]:
    with zipfile.ZipFile(path) as archive:
        files = [member for member in archive.infolist() if not member.is_dir()]
        if len(files) != 1:
            raise zipfile.BadZipFile(f"a backup is one file, this zip holds {len(files)}")
        with archive.open(files[0]) as file:
            yield from _blocks(file, files[0].file_size)


def _unzstd(path: str) -> Iterator[bytes]:
    try:
        program = subprocess.Popen(
            ["zstd", "-dcq", "--", path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise Refusal(
            "unreadable",
            "The host has no zstd program to unpack the backup. Nothing was changed; unpack it first.",
        ) from None
    with program, contextlib.ExitStack() as stack:
        stack.callback(_end, program)
        if program.stdout is not None:
            yield from _blocks(program.stdout)
        if program.wait() != 0:
            raise DamagedError("zstd says that the stream is damaged")


def _end(program: subprocess.Popen[bytes]) -> None:
    if program.poll() is None:
        program.kill()
