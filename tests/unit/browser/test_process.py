"""The browser's process: gone with the bot, however the bot ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from adapters.chromium_browser.process import BrowserOptions, running
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


async def test_it_ends_when_the_bot_is_killed(program: Path, tmp_path: Path) -> None:
    """A bot that is killed in the middle of a walk leaves no browser that is inside the site."""
    bot = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BOT, str(program), str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert bot.stdout is not None
    async with asyncio.timeout(LATER_S):
        browser = int(await bot.stdout.readline())
        assert _runs(browser)
        bot.kill()
        await bot.wait()
    for _ in range(200):
        if not _runs(browser):
            return
        await asyncio.sleep(0.05)
    os.kill(browser, signal.SIGKILL)
    pytest.fail("the browser runs on")


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
