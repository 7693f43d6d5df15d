"""Starts a browser of the Chromium family without a window, in a folder of its own, and removes both at the end."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.model.errors import BrowserError

FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-breakpad",
    "--no-first-run",
    "--no-default-browser-check",
    # The shared memory of a container is mostly too small for it.
    "--disable-dev-shm-usage",
    "--window-size=1280,800",
    # It hears on its third descriptor and answers on its fourth. On a port any other user of this machine could drive it.
    "--remote-debugging-pipe",
)
FOLDER_PREFIX = "backout-browser-"
LOCK_NAME = "in-use"
"""A file in a browser's folder, locked as long as the bot or its browser lives."""
YOUNG_S = 3600
"""A folder without that file is left alone for so long: it may just be made, or be that of an older version at work."""
END_OF_MESSAGE = b"\0"
LONGEST_MESSAGE_BYTES = 256_000_000
POLL_S = 0.05
END_S = 3
REMOVE_TRIES = 20
_READY = b'{"id":0,"method":"Browser.getVersion"}' + END_OF_MESSAGE
_HEARS, _ANSWERS = 3, 4
_ABOVE_THEM = 10
# Gives the browser its two descriptors under those numbers, and becomes the browser.
_BECOME = f"""import os, sys
hears, answers, *command = sys.argv[1:]
os.dup2(int(hears), {_HEARS})
os.dup2(int(answers), {_ANSWERS})
os.execv(command[0], command)
"""
_SANDBOX_WORDS = ("no-sandbox", "No usable sandbox", "namespace sandbox failed")


@dataclass(frozen=True, kw_only=True)
class BrowserOptions:
    """Where the browser is, whether it keeps its sandbox, and how many seconds it may take to start.

    `below` is where its own folder is made; None: where this machine has its temporary files.
    """

    program: Path
    sandbox: bool = True
    start_limit_s: float = 20
    below: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Pipes:
    """What a browser says, and what is said to it: messages of the DevTools protocol, each with `END_OF_MESSAGE` behind it."""

    reader: asyncio.StreamReader
    writer: asyncio.WriteTransport


@asynccontextmanager
async def running(options: BrowserOptions) -> AsyncIterator[Pipes]:
    """Yield the pipes of a fresh browser that has answered. *Raises* BrowserError where it does not start.

    *Changes*: a temporary folder and a process group, both gone at the end whatever happens.
    """
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=FOLDER_PREFIX, dir=options.below))
    process: asyncio.subprocess.Process | None = None
    async with contextlib.AsyncExitStack() as stack:
        try:
            lock = _locked(folder)
            stack.callback(os.close, lock)
            its_ends, pipes = await _pipes(stack)
            try:
                process = await _started(options, folder, its_ends, lock)
            finally:
                for end in its_ends:
                    os.close(end)
            await _ready(options, process, folder, pipes)
            yield pipes
        finally:
            # Also where the one who waits is cancelled, the browser ends and its folder goes.
            await asyncio.shield(asyncio.create_task(_end(process, folder), name="end of the browser"))


def _locked(folder: Path) -> int:
    """Return the descriptor that keeps a browser's folder from being swept; the browser inherits it."""
    lock = os.open(folder / LOCK_NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return lock


def sweep(below: Path | None = None, account: int | None = None) -> list[Path]:
    """Remove the folders that browsers of killed bots left, and return them. A bypass cookie may be in one.

    Only folders of this `account` (a number; None: our own), in which neither a bot nor its browser lives any more; a link
    is never followed. *Changes*: those folders.
    """
    found = sorted(Path(below or tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"))
    owner = os.geteuid() if account is None else account
    return [folder for folder in found if _is_stale(folder, owner) and _removed(folder)]


def _is_stale(folder: Path, owner: int) -> bool:
    try:
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # a link, no folder, another account's, or gone by now
        return False
    try:
        seen = os.fstat(at)
        return seen.st_uid == owner and _is_free(at, time.time() - seen.st_mtime)
    finally:
        os.close(at)


def _is_free(folder: int, age_s: float) -> bool:
    try:
        lock = os.open(LOCK_NAME, os.O_WRONLY | os.O_NOFOLLOW, dir_fd=folder)
    except OSError:
        return age_s > YOUNG_S
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


async def _pipes(stack: contextlib.AsyncExitStack) -> tuple[tuple[int, int], Pipes]:
    """Return the browser's two ends, and ours, which the stack closes."""
    loop = asyncio.get_running_loop()
    hears, to_browser = os.pipe()
    from_browser, answers = os.pipe()
    its_ends = _above(hears), _above(answers)
    reader = asyncio.StreamReader(limit=LONGEST_MESSAGE_BYTES)
    read, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(from_browser, "rb", buffering=0)
    )
    stack.callback(read.close)
    write, _ = await loop.connect_write_pipe(asyncio.Protocol, os.fdopen(to_browser, "wb", buffering=0))
    stack.callback(write.close)
    return its_ends, Pipes(reader=reader, writer=write)


def _above(descriptor: int) -> int:
    """Return the same descriptor under a number above those that the browser has it under, so that none is written over."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _ABOVE_THEM)
    os.close(descriptor)
    return moved


async def _started(
    options: BrowserOptions, folder: Path, its_ends: tuple[int, int], lock: int
) -> asyncio.subprocess.Process:
    sandbox = () if options.sandbox else ("--no-sandbox",)
    program = shutil.which(options.program)
    if program is None:
        raise _not_started(options, "there is no such program that may be run")
    with (folder / "said").open("wb") as said:
        try:
            return await asyncio.create_subprocess_exec(
                *_ends_with_its_parent(),
                *(sys.executable, "-I", "-S", "-c", _BECOME, *map(str, its_ends)),
                program,
                *FLAGS,
                *sandbox,
                f"--user-data-dir={folder / 'profile'}",
                "about:blank",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=said,
                # What it keeps beside its profile goes into the same folder.
                env={
                    "HOME": str(folder),
                    "TMPDIR": str(folder),
                    "PATH": os.environ.get("PATH", os.defpath),
                    "LANG": "C.UTF-8",
                },
                start_new_session=True,
                pass_fds=(*its_ends, lock),
            )
        except OSError as error:
            raise _not_started(options, type(error).__name__) from error


def _not_started(options: BrowserOptions, why: str) -> BrowserError:
    return BrowserError(
        f"the browser {options.program} cannot be started on the bot's machine ({why}). "
        "Install it there (on Debian: apt-get install chromium), or name it under [browser] in the settings."
    )


def _ends_with_its_parent() -> tuple[str, ...]:
    """Return the words before a command that is killed when this process ends, also when it was killed itself.

    Without them a browser that is inside the site would go on for ever. *Source*: setpriv(1) of util-linux, prctl(2).
    """
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()


async def _ready(
    options: BrowserOptions, process: asyncio.subprocess.Process, folder: Path, pipes: Pipes
) -> None:
    """Wait until the browser answers."""
    pipes.writer.write(_READY)
    try:
        async with asyncio.timeout(options.start_limit_s):
            await pipes.reader.readuntil(END_OF_MESSAGE)
            return
    except TimeoutError:
        raise BrowserError(
            f"the browser {options.program} was not ready within {options.start_limit_s:g} s on the bot's machine. "
            "A slow machine wants a longer start_limit under [browser]."
        ) from None
    except asyncio.IncompleteReadError:
        _signal(process.pid, signal.SIGKILL)  # where only its pipe is closed
        status = await process.wait()
        raise BrowserError(_why_ended(options, status, folder)) from None


def _why_ended(options: BrowserOptions, status: int, folder: Path) -> str:
    said = (folder / "said").read_text(errors="replace")
    if options.sandbox and any(words in said for words in _SANDBOX_WORDS):
        return (
            f"the browser {options.program} refuses to start with its sandbox (as root it always does). Run Backout as "
            "another user, or set sandbox = false under [browser]."
        )
    return f"the browser {options.program} ended at once (exit status {status}) on the bot's machine. Try it there by hand."


async def _end(process: asyncio.subprocess.Process | None, folder: Path) -> None:
    """End the browser with all of its processes, and remove its folder."""
    if process is not None:
        _signal(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await process.wait()
        _signal(process.pid, signal.SIGKILL)
        await process.wait()
    for _ in range(REMOVE_TRIES):
        # A process of the group that is just dying may still write into it.
        if await asyncio.to_thread(_removed, folder):
            return
        await asyncio.sleep(POLL_S)


def _removed(folder: Path) -> bool:
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def _signal(group: int, number: signal.Signals) -> None:
    """Signal the browser's own process group; it leads one since its start, so no other process is in it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
