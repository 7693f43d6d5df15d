"""The whole way of an incident in a real browser, against the real bot and a small real production."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import (
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.integration.test_web_page import BROWSER_FLAGS
from tests.site.bot_settings import RESPONDER, write_settings
from tests.site.fixtures import production, production_template
from tests.site.forked import REPOSITORY
from tests.site.production import Production, captions
from tests.site.running_bot import Api, RunningBot
from tests.site.servers import free_port

__all__ = ["production", "production_template"]

WAIT_S = (
    30  # a slow machine may take that long for one step of the bot; nothing waits that long when all is well
)
PHONE = {"width": 375, "height": 800, "deviceScaleFactor": 1, "mobile": True}
TABS = ("channel", "loss", "timeline", "report")
HOSTILE = "<script>alert('table')</script>"


@dataclass
class Console:
    """A person at the console: reads the page, presses its buttons, types into its box."""

    driver: webdriver.Chrome
    bot: RunningBot
    token: str

    def sign_in(self) -> None:
        self.driver.get(self.bot.url)
        self.find("#token").send_keys(self.token, Keys.ENTER)
        self.until(lambda: self.text("#person") == RESPONDER)

    def until(self, ready: Callable[[], Any]) -> Any:
        """Return the first true answer; an element that is being drawn anew is looked for again."""
        wait = WebDriverWait(
            self.driver,
            WAIT_S,
            poll_frequency=0.1,
            ignored_exceptions=(
                NoSuchElementException,
                StaleElementReferenceException,
                ElementNotInteractableException,
            ),
        )
        return wait.until(lambda _: ready())

    def find(self, css: str) -> WebElement:
        return self.until(lambda: self.driver.find_element(By.CSS_SELECTOR, css))

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def script(self, code: str) -> Any:
        return self.driver.execute_script(code)

    def text(self, css: str) -> str:
        return str(self.script(f"return document.querySelector({css!r})?.innerText ?? ''"))

    def see(self, css: str, words: str) -> None:
        """Wait until these words stand in that part of the page."""
        self.until(lambda: words in self.text(css))

    def press(self, css: str) -> None:
        """Press a button as soon as it is there and can be pressed."""

        def pressed() -> bool:
            node = self.driver.find_element(By.CSS_SELECTOR, css)
            self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", node)
            node.click()
            return True

        self.until(pressed)

    def choose(self, purpose: str, choice: str) -> None:
        """Press a choice of the open decision of that purpose."""
        self.press(f"{decision(purpose)}.open [data-choice='{choice}']")

    def type(self, text: str) -> None:
        """Send a command by the box, and wait until the bot has taken it."""
        self.find("#command").send_keys(text, Keys.ENTER)
        self.until(lambda: self.find("#command").get_attribute("value") == "")

    def step(self, number: int) -> str:
        """Return what the rail says of a step: `done`, `running`, …"""
        return str(
            self.script(f"return document.querySelectorAll('#steps > li')[{number - 1}]?.className ?? ''")
        )

    def until_step(self, number: int, status: str) -> None:
        """Wait until a step is there and nothing is at work."""
        self.until(lambda: status in self.step(number) and "Working" not in self.text("#headline h1"))

    def open(self, tab: str) -> None:
        self.press(f"#tab-{tab}")
        self.until(lambda: self.find(f"#panel-{tab}").is_displayed())

    @property
    def incident(self) -> str:
        return str(self.driver.current_url).split("#/")[1].split("/")[0]

    @property
    def api(self) -> Api:
        return self.bot.as_person(self.token)


def decision(purpose: str) -> str:
    return f"[data-decision*='.{purpose}.']"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*BROWSER_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    yield opened
    opened.quit()


@pytest.fixture
def console(driver: webdriver.Chrome, production: Production, tmp_path: Path) -> Iterator[Console]:
    port = free_port()
    settings = write_settings(
        production,
        tmp_path / "bot",
        port=port,
        samples_s=0.3,
        watch_s=1.5,
        watch_step_s=0.4,
        first_photo=a_photo(production),
    )
    bot = RunningBot(settings, port)
    token = bot.token(RESPONDER)
    bot.start()
    yield Console(driver, bot, token)
    driver.execute_script("sessionStorage.clear()")
    driver.get("about:blank")
    bot.stop()


def a_photo(site: Production) -> int:
    connection = sqlite3.connect(f"file:{site.database_path}?mode=ro", uri=True)
    found = int(connection.execute("select min(id) from photos").fetchone()[0])
    connection.close()
    return found


def test_the_whole_incident_is_clicked_through_and_the_oracle_agrees(
    console: Console, production: Production
) -> None:
    """From the token to the post-mortem with buttons and the box alone, nothing is lost, and everything stands there after."""
    console.sign_in()
    start(console)
    restore(console)
    reload_shows_the_same(console)
    deploy(console, production)
    check_and_reopen(console)
    everything_stands_there(console, production)
    fits_a_phone(console)
    nothing_private_is_told(console, production)
    console.open("channel")
    # The report's frame inherits the page's policy against inline styles, and the browser says so; nothing else is told.
    logged = [line["message"] for line in console.driver.get_log("browser")]
    assert [message for message in logged if not message.startswith("about:srcdoc")] == []
    assert oracle_agrees(production)


def start(console: Console) -> None:
    """Type the start with completion, see the loss, freeze, and take the safety backup."""
    box = console.find("#command")
    box.send_keys("/incident st")
    console.until(lambda: "/incident start" in console.text("#completions li:first-child"))
    box.send_keys(Keys.TAB, "al")
    console.see("#completions", "/incident start album")
    box.send_keys(Keys.TAB, "captions are gone since the deployment", Keys.ENTER)
    console.see("#headline", "captions are gone")
    console.choose("assessed", "freeze")
    console.see("#messages", "Data were lost")
    console.until_step(2, "done")
    console.type("/backups create")
    console.until_step(4, "done")


def restore(console: Console) -> None:
    """Answer who deleted the rows as advised, look at the plan, and approve it: a wrong word does nothing."""
    console.type("/restore plan")
    console.find("[data-decision*='.missing-'].open")
    for asked in [
        one.get_attribute("data-decision") for one in console.all("[data-decision*='.missing-'].open")
    ]:
        console.press(f"[data-decision='{asked}'].open .button.primary")
        console.find(f"[data-decision='{asked}'].answered")
    console.choose("cutover", "approve")
    field = console.find(".typing input")
    field.send_keys("albun", Keys.ENTER)
    assert not console.find("[data-confirm=approve]").is_enabled()
    asked = next(one for one in console.api.get("/api/decisions") if one["purpose"] == "cutover")
    assert asked["votes"] == {}
    field.send_keys(Keys.BACKSPACE, "m", Keys.ENTER)
    console.until_step(5, "done")
    console.until_step(6, "done")


def reload_shows_the_same(console: Console) -> None:
    """Load the page again in mid-incident: the same steps, messages and decisions stand there."""
    parts = ("#steps", "#messages", "#next", "#headline h1")
    console.until(lambda: "Working" not in console.text("#headline h1"))
    before = [console.text(css) for css in parts]
    console.driver.refresh()
    console.until(lambda: console.text("#messages"))
    assert [console.text(css) for css in parts] == before


def deploy(console: Console, production: Production) -> None:
    """The first corrected commit is stopped by its rehearsal; the second passes and goes live."""
    harmful, good = production.corrected_commits
    console.type(f"/app deploy {harmful[:12]}")
    console.until_step(7, "failed")
    console.see("#messages", "shrank")
    console.type(f"/app deploy {good[:12]}")
    console.choose("deploy", "approve")
    console.until_step(7, "done")


def check_and_reopen(console: Console) -> None:
    """Check data and application, clear caches, tick the manual list, reopen, watch, and close."""
    console.type("/app check")
    console.until_step(9, "done")
    console.type("/app caches")
    console.choose("caches", "clear")
    console.see("#messages", "had to be cleared")
    tick_all(console)
    console.type("/app reopen")
    console.choose("reopen", "reopen")
    console.press("[data-decision*='.reenter-'].open [data-choice='given_up']")
    console.choose("close", "close")
    console.see("#headline h1", "Closed: recovered.")


def tick_all(console: Console) -> None:
    """Say yes to every item of the manual list, the jobs that wait included, one after the other."""
    is_open = "[data-decision*='.manual'].open"
    console.until(lambda: console.all(is_open))
    while left := len(console.all(is_open)):
        console.press(f"{is_open} [data-choice=ok]")
        console.until(lambda left=left: len(console.all(is_open)) < left)


def everything_stands_there(console: Console, production: Production) -> None:
    """Loss, timeline and report show what was done, and by whom."""
    console.open("loss")
    console.see("#panel-loss", "photos.caption")
    console.open("timeline")
    console.press("[data-focus='filter:true']")
    console.see("#panel-timeline", "Stopped by the rehearsal")
    for words in (
        "Freeze the application",
        f"{RESPONDER} approved the plan",
        "php artisan down",
        "Closed: recovered.",
    ):
        assert words in console.text("#panel-timeline")
    console.open("report")
    console.find("#report-frame.ready")
    report = str(
        console.script("return document.querySelector('#report-frame').contentDocument.body.innerText")
    )
    for words in (production.bad_migration, production.corrected_commits[1][:12], "Rows lost for good"):
        assert words in report


def fits_a_phone(console: Console) -> None:
    """Nothing but a table scrolls sideways at 375 pixels, in no view of the real content."""
    console.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        for name in TABS:
            console.open(name)
            code = f"return [document.documentElement, document.querySelector('#panel-{name}')].map(n => n.scrollWidth - n.clientWidth)"
            assert console.script(code) == [0, 0], name
    finally:
        console.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def nothing_private_is_told(console: Console, production: Production) -> None:
    """No caption, key, token or bypass secret stands in anything that the page can read."""
    paths = ("", "/timeline", "/report.md", "/report.html")
    said = json.dumps(
        [console.api.get(f"/api/incidents/{console.incident}{path}") for path in paths], ensure_ascii=False
    )
    said += json.dumps(console.api.get("/api/incidents"))
    texts = captions(production.oracle_path / "before.sqlite").values()
    assert not [text for text in texts if text and len(text) > 11 and text in said]
    key = next(
        line
        for line in (production.app_path / ".env").read_text().splitlines()
        if line.startswith("APP_KEY=")
    )
    assert key.removeprefix("APP_KEY=") not in said
    assert console.token not in said


def oracle_agrees(production: Production) -> bool:
    command = [
        sys.executable,
        "-m",
        "tests.site.oracle",
        str(production.folder),
        "--final",
        "corrected",
        "--online",
    ]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False).returncode == 0


def test_a_table_named_as_a_script_is_text_and_a_decision_needs_no_mouse(
    console: Console, production: Production
) -> None:
    """The name shows as it is written, nothing runs; Tab, Enter and the keys of the list answer the first question."""
    connection = sqlite3.connect(production.database_path)
    connection.execute(f'create table "{HOSTILE}" (id integer primary key, note text)')
    connection.execute(f"insert into \"{HOSTILE}\" (note) values ('x')")
    connection.commit()
    connection.close()
    console.sign_in()
    console.find("body").send_keys("/")
    console.driver.switch_to.active_element.send_keys("/incident start album", Keys.ENTER)
    console.see("#messages", "Stop the application now?")
    assert HOSTILE in console.text("#messages")
    console.script("document.activeElement.blur()")
    console.find("body").send_keys("d")
    assert console.driver.switch_to.active_element.get_attribute("data-choice") == "freeze"
    console.driver.switch_to.active_element.send_keys(Keys.TAB, Keys.TAB)
    assert console.driver.switch_to.active_element.get_attribute("data-choice") == "wait"
    console.driver.switch_to.active_element.send_keys(Keys.ENTER)
    console.see(decision("assessed"), f"{RESPONDER} chose Not now")
    console.find("body").send_keys("2")
    console.see("#panel-loss", HOSTILE)
    assert console.script("return document.querySelectorAll('#app main script').length") == 0
