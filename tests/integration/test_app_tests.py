"""The application's tests on real parts: HTTP against servers on loopback, the walk in a real Chromium."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from adapters.chromium_browser.browser import ChromiumBrowser
from adapters.chromium_browser.process import BrowserOptions
from adapters.http_probe.probe import HttpProbe
from bot.laravel.error_pages import ERROR_PAGES
from bot.model.app_test import Deed, Walk, WalkStep
from bot.model.errors import BrowserError, ProbeError
from bot.model.secret import Secret
from bot.ports.probe import PageAsked
from tests.site.servers import free_port

SECRET = "open-sesame"
COOKIE = "laravel_maintenance"
CHROMIUM = Path("/usr/bin/chromium")
HOME = """<!doctype html><title>Shop</title><h1>Tea &amp; Toast</h1><a id="more" href="/more">more</a>
<script>
console.error("hush-hush of a person");
fetch("/gone?token=hush-hush");
setTimeout(() => { throw new Error("hush-hush"); }, 10);
</script>"""
MORE = """<!doctype html><title>More</title><p>Much more</p><script>alert("hello")</script>"""


@dataclass(kw_only=True)
class Site:
    """A site in maintenance, as Laravel's: closed but for those with its cookie. `asked` are path, referer and with a cookie."""

    url: str
    asked: list[tuple[str, str | None, bool]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        inside = COOKIE in request.cookies
        self.asked.append((request.path, request.headers.get("Referer"), inside))
        if request.path == f"/{SECRET}":
            entered = web.Response(status=302, headers={"Location": "/"})
            entered.set_cookie(COOKIE, "1")
            return entered
        if not inside:
            return web.Response(status=503, text="<title>Service Unavailable</title>")
        pages = {"/": HOME, "/more": MORE, "/plain": "<h1>Plain</h1>"}
        if request.path == "/slow":
            await asyncio.sleep(5)
        if request.path == "/moved":
            return web.Response(status=302, headers={"Location": "/more"})
        found = pages.get(request.path)
        return web.Response(status=200 if found else 404, text=found or "", content_type="text/html")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site(url="")
    app = web.Application()
    app.router.add_get("/{rest:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    made.url = f"http://127.0.0.1:{port}"
    yield made
    await runner.cleanup()


def page(site: Site, path: str, *texts: str, bypass: bool = True, limit_s: float = 5) -> PageAsked:
    return PageAsked(
        url=site.url + path, texts=texts, time_limit_s=limit_s, bypass_at=site.url if bypass else None
    )


async def test_addresses_are_visited_behind_the_bypass_and_without_it(site: Site) -> None:
    """With the cookie the page is read, and texts found as a person reads them; without it visitors' 503 is seen."""
    asked = [
        page(site, "/", "Tea & Toast", "Coffee"),
        page(site, "/", *ERROR_PAGES, bypass=False),
        page(site, "/moved"),
    ]
    inside, outside, moved = await HttpProbe().visit(asked, Secret(SECRET))
    assert (inside.status, inside.found, inside.failure) == (200, {"Tea & Toast"}, None)
    assert (outside.status, outside.found) == (503, {"<title>Service Unavailable</title>"})
    assert moved.status == 302
    assert [path for path, _, _ in site.asked].count(f"/{SECRET}") == 1
    assert "/more" not in [path for path, _, _ in site.asked]


async def test_without_a_secret_everybody_is_a_visitor(site: Site) -> None:
    """After reopening no bypass is asked for."""
    (seen,) = await HttpProbe().visit([page(site, "/")])
    assert seen.status == 503
    assert [path for path, _, _ in site.asked] == ["/"]


async def test_what_does_not_answer_is_told_without_its_address(site: Site) -> None:
    """A page over its time and a closed port are answers in a list with the others; neither names the secret."""
    nobody = Site(url=f"http://127.0.0.1:{free_port()}")
    seen = await HttpProbe().visit(
        [page(site, "/slow", limit_s=0.3), page(nobody, "/"), page(site, "/plain", "Plain")], Secret(SECRET)
    )
    assert [one.status for one in seen] == [None, None, 200]
    assert seen[0].failure == "no answer within 0.3 s"
    assert (seen[1].failure or "").startswith("no answer: ClientConnector")
    assert seen[2].found == {"Plain"}
    assert SECRET not in str(seen)
    with pytest.raises(ProbeError, match="did not answer"):
        await HttpProbe().status(nobody.url)


@pytest.fixture
def php_errors(tmp_path: Path) -> Iterator[str]:
    """A server of PHP that shows its errors, as a careless production does."""
    (tmp_path / "index.php").write_text("<?php echo '<h1>Shop</h1>'; no_such_function();")
    (tmp_path / "good.php").write_text("<?php echo '<h1>Shop</h1>';")
    port = free_port()
    options = (
        "-d",
        "display_errors=1",
        "-d",
        "html_errors=1",
        "-S",
        f"127.0.0.1:{port}",
        "-t",
        str(tmp_path),
    )
    process = subprocess.Popen(["php", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


async def test_an_error_page_is_known_though_its_status_is_200(php_errors: str) -> None:
    """A fatal error of PHP that was shown after the first byte answers 200; it is found by its text."""
    await until_it_answers(php_errors)
    pages = [
        PageAsked(url=f"{php_errors}/{name}", texts=tuple(ERROR_PAGES)) for name in ("index.php", "good.php")
    ]
    bad, good = await HttpProbe().visit(pages)
    assert {ERROR_PAGES[text] for text in bad.found} == {"a fatal error of PHP"}
    assert (good.status, good.found) == (200, frozenset())


async def until_it_answers(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(200):
            try:
                async with session.get(f"{url}/good.php"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)


def chromium(below: Path, **options: object) -> ChromiumBrowser:
    plain = {"program": CHROMIUM, "sandbox": False, "start_limit_s": 60, "below": below, **options}
    return ChromiumBrowser(BrowserOptions(**plain))  # type: ignore[arg-type]  # each as BrowserOptions has it


def walk(site: Site, *steps: tuple[Deed, str], step_limit_s: float = 20) -> Walk:
    return Walk(
        base_url=site.url,
        steps=tuple(WalkStep(deed=deed, what=what) for deed, what in steps),
        time_limit_s=120,
        step_limit_s=step_limit_s,
    )


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder with a short path: a browser's socket lies below it, and such a path has at most 107 letters."""
    made = Path(tempfile.mkdtemp())
    yield made
    shutil.rmtree(made)


async def test_a_walk_in_a_real_browser_counts_what_goes_wrong(site: Site, place: Path) -> None:
    """Behind the bypass a page loads, a link is clicked, a text is read past a dialog; errors are counted, their text never told."""
    steps = ((Deed.OPEN, "/"), (Deed.CLICK, "#more"), (Deed.EXPECT, "Much more"))
    walked = await chromium(place).walk(walk(site, *steps), Secret(SECRET))
    assert [(one.step.what, one.fault) for one in walked.steps] == [(what, None) for _, what in steps]
    assert (walked.console_errors, walked.console_places) == (2, ("/:3", "/:5"))
    assert (walked.failed_requests, walked.failed_places) == (1, ("/gone: HTTP 404",))
    assert "hush" not in str(walked)
    assert SECRET not in str([referer for _, referer, _ in site.asked])
    assert listing(place) == []


async def test_a_walk_ends_at_the_first_step_that_fails(site: Site, place: Path) -> None:
    """An element that is not there is told, and what comes after it is not tried; a good page counts nothing."""
    steps = ((Deed.OPEN, "/plain"), (Deed.CLICK, "#more"), (Deed.OPEN, "/more"))
    walked = await chromium(place).walk(walk(site, *steps, step_limit_s=3), Secret(SECRET))
    assert [one.fault for one in walked.steps] == [None, "there is no such element that can be seen"]
    assert (walked.console_errors, walked.failed_requests) == (0, 0)
    assert "/more" not in [path for path, _, _ in site.asked]
    assert listing(place) == []


async def test_a_browser_that_is_missing_or_stays_silent_is_told(site: Site, place: Path) -> None:
    """A wrong program, one that ends at once and one that never listens: what to do is said, and nothing stays."""
    silent = script(place / "silent", "exec sleep 600")
    told = {}
    for program in ("/no/such/chromium", "/bin/false", str(silent)):
        with pytest.raises(BrowserError) as caught:
            await chromium(place, program=Path(program), start_limit_s=1).walk(walk(site, (Deed.OPEN, "/")))
        told[program] = str(caught.value)
    assert "apt-get install chromium" in told["/no/such/chromium"]
    assert "ended at once (exit status 1)" in told["/bin/false"]
    assert "not ready within 1 s" in told[str(silent)]
    assert listing(place) == ["silent"]


async def test_a_browser_that_dies_in_the_middle_is_told(site: Site, place: Path) -> None:
    """A browser that is killed while a page loads ends the walk at once with words, and nothing of it stays."""
    walking = asyncio.create_task(
        chromium(place).walk(walk(site, (Deed.OPEN, "/slow")), Secret(SECRET)), name="walk"
    )
    while "/slow" not in [path for path, _, _ in site.asked]:
        assert not walking.done()
        await asyncio.sleep(0.05)
    for browser in children():
        os.killpg(browser, signal.SIGKILL)
    with pytest.raises(BrowserError, match="died in the middle"):
        await walking
    assert listing(place) == []


def children() -> list[int]:
    """Return the processes that this one has started and that live, each leading a group of its own."""
    found = [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    return [pid for pid in found if os.getpgid(pid) == pid]


def script(path: Path, line: str) -> Path:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
    return path


def listing(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]
