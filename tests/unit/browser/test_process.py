"""The browser's process: gone with the bot, however the bot ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from adapters.chromium_browser.process import (
    FOLDER_PREFIX,
    LOCK_NAME,
    YOUNG_S,
    BrowserOptions,
    running,
    sweep,
)
from bot.model.errors import BrowserError

# Answers the first question, and goes on.
BROWSER = """#!/bin/sh
printf 'there\\0' >&4
exec sleep 600
"""
BOT = """
import asyncio, os, sys
from pathlib import Path
from adapters.chromium_browser.process import BrowserOptions, running

async def walk():
    async with running(BrowserOptions(program=Path(sys.argv[1]), below=Path(sys.argv[2]), start_limit_s=60)):
        (browser,) = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        print(browser, flush=True)
        await asyncio.sleep(600)

asyncio.run(walk())
"""
LATER_S = 60


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A browser that does nothing."""
    path = tmp_path / "browser"
    path.write_text(BROWSER)
    path.chmod(0o700)
    return path


def _runs(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def _folders(below: Path) -> list[Path]:
    return list(below.glob(f"{FOLDER_PREFIX}*"))


async def test_it_ends_when_the_bot_is_killed(program: Path, tmp_path: Path) -> None:
    """A bot that is killed in the middle of a walk leaves no browser that is inside the site; the next start sweeps its folder."""
    bot = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BOT, str(program), str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert bot.stdout is not None
    async with asyncio.timeout(LATER_S):
        browser = int(await bot.stdout.readline())
        assert _runs(browser)
        (folder,) = _folders(tmp_path)
        assert sweep(tmp_path) == []
        bot.kill()
        await bot.wait()
    for _ in range(200):
        if not _runs(browser):
            break
        await asyncio.sleep(0.05)
    else:
        os.kill(browser, signal.SIGKILL)
        pytest.fail("the browser runs on")
    assert (sweep(tmp_path), folder.exists()) == ([folder], False)


async def test_one_that_ends_at_once_is_told(tmp_path: Path) -> None:
    """A browser that ends before it answers is told with its exit status; nothing of it is left."""
    program, below = tmp_path / "broken", tmp_path / "below"
    program.write_text("#!/bin/sh\nexit 7\n")
    program.chmod(0o700)
    below.mkdir()
    with pytest.raises(BrowserError, match="exit status 7"):
        async with running(BrowserOptions(program=program, below=below)):
            pass
    assert list(below.iterdir()) == []


def _folder(below: Path, name: str, *, lock: bool = True, age_s: float = 0) -> Path:
    folder = below / name
    folder.mkdir()
    (folder / "profile").mkdir()
    (folder / "profile" / "Cookies").write_text("a bypass")
    if lock:
        (folder / LOCK_NAME).touch()
    os.utime(folder, (time.time() - age_s, time.time() - age_s))
    return folder


def test_only_what_nobody_uses_is_swept(tmp_path: Path) -> None:
    """Gone: a folder whose lock is free, and an old one without. Left: a young one without, a link, any other name."""
    below, elsewhere = tmp_path / "below", tmp_path / "elsewhere"
    below.mkdir()
    elsewhere.mkdir()
    free = _folder(below, f"{FOLDER_PREFIX}a")
    old = _folder(below, f"{FOLDER_PREFIX}b", lock=False, age_s=YOUNG_S + 60)
    young = _folder(below, f"{FOLDER_PREFIX}c", lock=False)
    kept = _folder(elsewhere, "kept")
    (below / f"{FOLDER_PREFIX}d").symlink_to(kept)
    other = _folder(below, "browser-of-somebody")
    assert sweep(below) == [free, old]
    assert sorted(below.iterdir()) == sorted([young, below / f"{FOLDER_PREFIX}d", other])
    assert (kept / "profile" / "Cookies").read_text() == "a bypass"


def test_what_belongs_to_another_account_is_left(tmp_path: Path) -> None:
    """A folder of another account is not touched, whatever its name and its lock say."""
    folder = _folder(tmp_path, f"{FOLDER_PREFIX}a")
    assert sweep(tmp_path, os.geteuid() + 1) == []
    assert folder.is_dir()
