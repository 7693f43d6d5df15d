"""Open a backup file on the host as a stream of its decompressed bytes, with its SHA-256 taken beside it."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import threading
import zipfile
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import IO, Callable, Generator, Iterator, Optional

from adapters.host_reader.answers import Refusal, progress
from bot.dumps import formats
from bot.dumps.compression import DamagedError, GzipDecoder, Piece, decompressed, pieces

# Big enough that a system call costs nothing, small enough to stay in a processor's cache while it is read.
BLOCK_BYTES = 1 << 18
# What is packed becomes several times as long.
PACKED_BLOCK_BYTES = 1 << 17
# Bigger for the hash, whose thread waits for the interpreter's lock twice a block while the scan runs,
HASH_BLOCK_BYTES = 1 << 23
# and so long each time: with the interpreter's own 5 ms it would take as long in waiting as in hashing.
_LOCK_WAIT_S = 0.0005
# Two would do for a thread that is never held up; each is up to 512 kB.
BLOCKS_AHEAD = 4
# As much as an ordinary user may ask for on Linux; 64 kB is what a pipe holds by itself.
PIPE_BYTES = 1 << 20


class ProgramMissingError(Exception):
    """The file needs a program that this host has not; the message names it."""


def raw_blocks(
    file: IO[bytes], what: str = "", total: int = 0, block_bytes: int = BLOCK_BYTES
) -> Iterator[bytes]:
    """Yield an open file's bytes in blocks, telling the progress where `what` names the work."""
    done = 0
    while True:
        block = file.read(block_bytes)
        if not block:
            return
        done += len(block)
        if what:
            progress(what, done, total, "bytes")
        yield block


def content_blocks(path: Path, what: str = "", *, ahead: bool = True) -> Iterator[bytes]:
    """Yield the decompressed content of a plain, gzip, bzip2, xz, zstd or (single-member) zip file.

    What is packed is unpacked in a thread of its own, some blocks ahead of the caller (the decompressors free the GIL);
    this helps a caller that waits for something else meanwhile, and is left out where `ahead` is False.
    *Raises* DamagedError when the compression is not whole, ProgramMissingError for zstd without its program, OSError
    when the file cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        packed = _compression(file)
        blocks = _unpacked(file, packed, what, path.stat().st_size)
        # What is not packed, or is unpacked by a program, is there as fast as it can be read.
        yield from blocks if packed in {None, "zstd"} or not ahead else _made_ahead(blocks)


def gzip_pieces(path: Path, what: str, decoder: Callable[[], GzipDecoder]) -> Iterator[Piece]:
    """Yield the content of a gzip file, unpacked by the caller's decoder. *Raises* as `content_blocks`."""
    with path.open("rb", buffering=0) as file:
        blocks = raw_blocks(file, what, path.stat().st_size, PACKED_BLOCK_BYTES)
        yield from pieces(blocks, "gzip", decoder)


def compression(path: Path) -> Optional[str]:
    """Return how a file is packed (gzip, zstd, bzip2, xz, zip), told by its first bytes; None where it is not."""
    with path.open("rb") as file:
        return _compression(file)


def content_head(path: Path) -> bytes:
    """Return the first decompressed bytes of a file, fewer where it is damaged. *Raises* as `content_blocks`."""
    head = b""
    with path.open("rb", buffering=0) as file, closing(_unpacked(file, _compression(file))) as blocks:
        try:
            for block in blocks:
                head += block
                if len(head) >= formats.HEAD_BYTES:
                    break
        except DamagedError:
            return head
    return head[: formats.HEAD_BYTES]


def _compression(file: IO[bytes]) -> Optional[str]:
    head = file.read(formats.HEAD_BYTES)
    file.seek(0)
    return formats.compression_of(head)


def _unpacked(
    file: IO[bytes], compression: Optional[str], what: str = "", total: int = 0
) -> Generator[bytes, None, None]:
    """Yield an open file's decompressed content; unbuffered it must be, for zstd goes on from the same place."""
    if compression is None:
        yield from raw_blocks(file, what, total)
    elif compression == "zip":
        yield from _zip_blocks(file)
    elif compression == "zstd":
        yield from _zstd_blocks(file, what, total)
    else:
        yield from decompressed(raw_blocks(file, what, total, PACKED_BLOCK_BYTES), compression)


def _made_ahead(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the blocks, none of which is empty, made by one thread while the caller works on those before."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        waiting = deque(thread.submit(next, blocks, b"") for _ in range(BLOCKS_AHEAD))
        while True:
            block = waiting.popleft().result()
            if not block:
                return
            waiting.append(thread.submit(next, blocks, b""))
            yield block


def _zip_blocks(file: IO[bytes]) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) != 1:
                raise ProgramMissingError(
                    f"the zip archive holds {len(members)} files where one dump is expected; unpack it and look at each"
                )
            if members[0].flag_bits & 1:
                raise ProgramMissingError(
                    "the zip archive is encrypted; unpack it with its password and look again"
                )
            with archive.open(members[0]) as content:
                yield from raw_blocks(content)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DamagedError(f"the zip archive is damaged ({type(error).__name__})") from None
    except NotImplementedError:
        raise ProgramMissingError(
            "the zip archive uses a method that Python cannot read; unpack it and look again"
        ) from None


def _zstd_blocks(file: IO[bytes], what: str, total: int) -> Iterator[bytes]:
    program = shutil.which("zstd") or shutil.which("unzstd")
    if program is None:
        raise ProgramMissingError(
            "it is compressed with zstd, and this host has no zstd program; unpack it or install zstd"
        )
    process = subprocess.Popen(
        [program, "-dc"], stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        if process.stdout is None:
            raise DamagedError("zstd gave no output")
        _widen(process.stdout)
        for block in raw_blocks(process.stdout):
            if what:
                progress(what, min(file.tell(), total), total, "bytes")
            yield block
        if process.wait() != 0:
            raise DamagedError("the zstd stream is damaged or cut short")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold more, so that its two ends wait for each other less often. *Changes*: that pipe, on Linux only."""
    code = getattr(
        fcntl, "F_SETPIPE_SZ", 1031 if sys.platform == "linux" else None
    )  # Python 3.9 has no name for it
    if code is not None:
        with suppress(OSError):
            fcntl.fcntl(pipe, code, PIPE_BYTES)


class FileHash:
    """Takes a file's SHA-256 in a thread of its own, once started, while the caller reads its content (hashing frees the GIL)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digest: Optional[str] = None
        self._error: Optional[OSError] = None
        self._thread = threading.Thread(target=self._run, name="sha256", daemon=True)
        self._started = False

    def start(self) -> None:
        """Begin; a second time nothing is done."""
        if not self._started:
            self._started = True
            self._thread.start()

    def _run(self) -> None:
        usual_s = sys.getswitchinterval()
        sys.setswitchinterval(_LOCK_WAIT_S)
        try:
            self._digest = sha256_of(self._path)
        except OSError as error:
            self._error = error
        finally:
            sys.setswitchinterval(usual_s)

    def result(self) -> str:
        """Return the hash, waiting for it. *Raises* Refusal when the file could not be read."""
        self.start()
        self._thread.join()
        if self._digest is None:
            raise unreadable(self._path, self._error or OSError("no hash"))
        return self._digest


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 as it lies there, in flat memory."""
    digest = hashlib.sha256()
    block = bytearray(HASH_BLOCK_BYTES)
    view = memoryview(block)
    with path.open("rb", buffering=0) as file:
        while True:
            size = file.readinto(block)
            if not size:
                return digest.hexdigest()
            digest.update(view[:size])


def unreadable(path: Path, error: OSError) -> Refusal:
    """Return the refusal for a file that cannot be read."""
    kind = "not_found" if isinstance(error, FileNotFoundError) else "unreadable"
    reason = error.strerror or type(error).__name__
    return Refusal(kind, f"{path} cannot be read: {reason}. Nothing was changed.")
