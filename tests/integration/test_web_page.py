"""The console's page in a real browser: what a person sees, presses and types."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from adapters.web_chat.console import WebConsole
from tests.fakes import web_scene as scene
from tests.fakes.inbox import FakeBot

BROWSER_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--window-size=1280,800",
)
TOKENS = {hashlib.sha256(f"tok-{name}".encode()).hexdigest(): name for name in ("ada", "eve")}
WAIT_S = 8


class Served:
    """A console on its own thread, as its own process would be."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="console", daemon=True)
        self._thread.start()
        self.open(0)

    def open(self, port: int) -> None:
        self.bot = FakeBot()
        self.console = WebConsole(inbox=self.bot, window=self.bot, tokens=TOKENS, port=port, keep_alive_s=0.5)
        self.run(self.console.start())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def do(self, action: Callable[[], None]) -> None:
        """Change the bot's state on its own thread."""

        async def inside() -> None:
            action()

        self.run(inside())

    def stop(self) -> None:
        self.run(self.console.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


class Page:
    """One browser, and what a person does with it."""

    def __init__(self, driver: webdriver.Chrome, served: Served) -> None:
        self.driver = driver
        self.served = served

    def open(self, token: str | None = "tok-ada", address: str = "") -> None:
        self.driver.get(self.served.console.url + address)
        if token is not None:
            self.find("#token").send_keys(token, Keys.ENTER)
            self.until(lambda: self.text("#person"))

    def find(self, css: str) -> WebElement:
        return self.until(lambda: next(iter(self.all(css)), None))

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def script(self, code: str) -> Any:
        return self.driver.execute_script(code)

    def text(self, css: str) -> str:
        return str(self.script(f"return document.querySelector({css!r})?.innerText ?? ''"))

    def until(self, ready: Callable[[], Any]) -> Any:
        """Return the first true answer; fails after some seconds."""
        return WebDriverWait(self.driver, WAIT_S, poll_frequency=0.05).until(lambda _driver: ready())

    def focused(self) -> WebElement:
        return self.driver.switch_to.active_element

    def press(self, *keys: str) -> None:
        self.focused().send_keys(*keys)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    profile: Path = tmp_path_factory.mktemp("profile")
    for flag in (*BROWSER_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    yield opened
    opened.quit()


@pytest.fixture
def page(driver: webdriver.Chrome) -> Iterator[Page]:
    served = Served()
    yield Page(driver, served)
    driver.execute_script("sessionStorage.clear()")
    driver.get("about:blank")
    served.stop()


def test_a_wrong_token_is_told_and_a_right_one_opens(page: Page) -> None:
    """The token is asked for once, kept in this tab only, and never in the address."""
    page.open(token=None)
    page.find("#token").send_keys("tök ada", Keys.ENTER)
    page.until(lambda: "not a token" in page.text("#token-problem"))
    page.find("#token").send_keys("tok-wrong", Keys.ENTER)
    page.until(lambda: "not known" in page.text("#token-problem"))
    page.find("#token").send_keys("tok-ada", Keys.ENTER)
    page.until(lambda: page.text("#person") == "Ada Byron")
    page.driver.refresh()
    page.until(lambda: page.text("#person") == "Ada Byron")
    assert "tok-" not in page.driver.current_url
    assert page.script("return [localStorage.length, document.cookie, sessionStorage.length]") == [0, "", 1]


def test_the_page_says_what_is_true_now(page: Page) -> None:
    """Headline, site, ticking downtime, eleven steps with their state in words, and the incidents stand there."""
    page.open()
    assert page.text("#headline h1") == "Frozen. A proven plan waits for a second approval"
    first = page.text("#down-time")
    page.until(lambda: page.text("#down-time") != first)
    steps = [one.get_attribute("textContent") for one in page.all("#steps > li")]
    assert len(steps) == 11
    assert "(outcome unknown)" not in steps[4]
    assert "(running)" in steps[4]
    assert "(refused)" in steps[6]
    assert len(page.all("#incidents > li")) == 2


def test_a_person_sees_only_their_sites(page: Page) -> None:
    """Eve, who is listed for the shop only, finds no trace of the album's incident, not even by its link."""
    page.open(token="tok-eve", address="#/INC-7/channel")
    page.until(lambda: "shop" in page.text("#headline"))
    assert "album" not in page.text("body")


def test_names_that_are_markup_show_as_text(page: Page) -> None:
    """A table named as a script and a cell that is an image tag are shown as they are written, and nothing runs."""
    page.open()
    assert "<img src=x onerror=alert(1)>" in page.text("#messages")
    page.find("#tab-loss").click()
    page.until(lambda: "<script>alert('table')</script>" in page.text("#panel-loss"))
    page.served.do(
        lambda: page.served.bot.say("x", "<b>bold</b>", body="**<i>x</i>** `<svg onload=alert(1)>` 2**3")
    )
    page.find("#tab-channel").click()
    page.until(lambda: "<b>bold</b>" in page.text("#messages"))
    last = page.all("#messages article")[-1]
    assert last.find_element(By.CSS_SELECTOR, ".body").text == "<i>x</i> <svg onload=alert(1)> 2**3"
    assert page.script("return document.querySelectorAll('#app img, #app svg, #messages script').length") == 0


def test_the_browser_itself_refuses_text_that_becomes_markup(page: Page) -> None:
    """Trusted types are enforced: assigning HTML anywhere but in the report's frame throws."""
    page.open()
    code = "try { document.body.innerHTML = '<p>x'; return 'set' } catch (error) { return error.name }"
    assert page.script(code) == "TypeError"


def test_a_message_is_edited_in_place_as_work_goes_on(page: Page) -> None:
    """Progress moves within the same message; no second one appears, and what is open or focused stays so."""
    page.open()
    count = len(page.all("#messages article"))
    page.script("document.querySelector('details.file').open = true")
    page.script("document.querySelector('[data-message=msg-deploy]').focus()")
    progress = {"what": "Filling", "done": 37_000, "total": 37_640, "unit": "values"}
    page.served.do(lambda: page.served.bot.say("scratch", "Rehearsing", tone="working", progress=progress))
    page.served.do(lambda: page.served.bot.say("deploy", "Corrected migration stopped"))
    page.until(lambda: "37,000 of 37,640 values (98 %)" in page.text("[data-message=msg-scratch]"))
    page.until(lambda: "Corrected migration stopped" in page.text("[data-message=msg-deploy]"))
    assert len(page.all("#messages article")) == count
    assert page.script("return document.querySelector('details.file').open") is True
    assert page.focused().get_attribute("data-message") == "msg-deploy"


def test_a_new_message_is_announced_and_followed(page: Page) -> None:
    """A screen reader hears its tone and title; who reads further up is told instead of moved."""
    page.open()
    page.script("document.querySelector('#panel-channel').scrollTop = 0")
    page.served.do(lambda: page.served.bot.say("alarm", "Comments shrank", tone="bad"))
    page.until(lambda: page.text("#announce") == "Bad: Comments shrank")
    assert page.script("return document.querySelector('#panel-channel').scrollTop") == 0
    page.find("#newer:not([hidden])").click()
    page.until(lambda: page.script("return document.querySelector('#panel-channel').scrollTop") > 0)


def test_a_question_that_stays_open_hides_no_newer_one(page: Page) -> None:
    """What was asked last is what is shown, however many questions that nobody has to answer now are older and open."""
    incident = page.served.bot.state["INC-7"]
    for number in range(4):
        asked, question = f"dec-list-{number}", f"To re-enter by hand: {number} rows. Is it done?"
        choices = [scene.choice("entered", "Re-entered", "primary")]
        old = scene.decision(asked, question, choices, opened_at=scene.at("02:00:00"))
        incident["decisions"].insert(0, old)
        incident["messages"].append(
            scene.message(asked, question, "02:00:00", decision_id=asked, body="a list of keys\n" * 6)
        )
    page.open()
    page.served.do(lambda: page.served.bot.say("news", "Something else came in"))
    page.until(lambda: "Something else came in" in page.text("#messages"))
    button, panel = "[data-decision=dec-approve] [data-choice=reject]", "#panel-channel"
    hidden_px = (
        f"const at = (css) => document.querySelector(css).getBoundingClientRect();"
        f"return [at({panel!r}).top - at({button!r}).top, at({button!r}).bottom - at({panel!r}).bottom]"
    )
    page.until(lambda: max(page.script(hidden_px)) <= 0)
    assert page.script("return document.querySelector('#waiting').hidden")
    page.script("document.querySelector('#panel-channel').scrollTop = 0")
    page.until(lambda: "5 decisions wait. Carry out the plan on album?" in page.text("#waiting"))


def test_an_approval_needs_the_typed_site_name(page: Page) -> None:
    """The button opens a field; only the right word enables it; the answer, who and when stand there after."""
    page.open()
    page.find("[data-choice=approve]").click()
    field = page.find(".typing input")
    assert field == page.focused()
    confirm = page.find("[data-confirm=approve]")
    field.send_keys("albu")
    assert not confirm.is_enabled()
    field.send_keys("m")
    confirm.click()
    page.until(lambda: "Ada Byron chose Approve the plan at " in page.text("[data-decision=dec-approve]"))
    assert page.served.bot.answers == [("Ada Byron", "approve", "album")]
    assert not page.all("[data-decision=dec-approve] button")


def test_escape_takes_back_a_begun_approval(page: Page) -> None:
    """Escape closes the field, gives the focus back to the button, and nothing is sent."""
    page.open()
    page.find("[data-choice=approve]").click()
    page.find(".typing input").send_keys("album", Keys.ESCAPE)
    page.until(lambda: not page.all(".typing"))
    assert page.focused().get_attribute("data-choice") == "approve"
    assert page.served.bot.answers == []


def test_what_is_typed_survives_a_change_from_elsewhere(page: Page) -> None:
    """A vote that comes in while one types neither empties the field nor takes the focus."""
    page.open()
    page.find("[data-choice=approve]").click()
    page.find(".typing input").send_keys("alb")

    def vote() -> None:
        page.served.bot.state["INC-7"]["decisions"][0]["votes"] = {"Alan Turing": "approve"}
        page.served.bot.touch()

    page.served.do(vote)
    page.until(lambda: "Alan Turing: Approve the plan" in page.text("[data-decision=dec-approve]"))
    page.press("um")
    assert page.find(".typing input").get_attribute("value") == "album"


def test_old_decisions_say_what_became_of_them(page: Page) -> None:
    """An answered one names person and choice; a void one gives the reason; neither has buttons."""
    page.open()
    assert "Ada Byron chose Repair (recommended) at " in page.text("[data-decision=dec-strategy]")
    assert "the live database changed after the plan was made" in page.text("[data-decision=dec-old-plan]")
    assert not page.all("[data-decision=dec-strategy] button, [data-decision=dec-old-plan] button")


def test_everything_is_reached_by_keyboard(page: Page) -> None:
    """Slash, j, k, d, 1 to 4 and the question mark do what the list of keys says; Escape leaves."""
    page.open()
    page.press("k")
    assert page.focused().get_attribute("data-message") == "msg-plan"
    page.press("k")
    assert page.focused().get_attribute("data-message") == "msg-scratch"
    page.press("j", "d")
    assert page.focused().get_attribute("data-choice") == "approve"
    page.press("3")
    page.until(lambda: page.find("#panel-timeline").is_displayed())
    page.find("body").send_keys("?")
    page.until(lambda: page.script("return document.querySelector('#keys').open"))
    page.press(Keys.ESCAPE)
    page.find("body").send_keys("/")
    assert page.focused().get_attribute("id") == "command"
    page.press("jk1", Keys.ESCAPE)
    assert page.find("#command").get_attribute("value") == "jk1"


def test_a_command_is_completed_and_answered_in_place(page: Page) -> None:
    """Tab takes the first completion, arrows and Enter a chosen one, Enter sends, and the answer stands above the box."""
    page.open()
    box = page.find("#command")
    box.send_keys("/incident n")
    page.find("#completions li")
    box.send_keys(Keys.TAB, "the phones ring", Keys.ENTER)
    page.until(lambda: "Noted." in page.text("#reply"))
    page.until(lambda: "the phones ring" in page.text("#messages"))
    assert page.served.bot.commands[0].channel == "inc-7-album"
    box.send_keys("/restore")
    page.until(lambda: len(page.all("#completions li")) == 2)
    box.send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)
    assert box.get_attribute("value") == "/restore confirm"
    assert len(page.served.bot.commands) == 1


def test_a_refused_command_stays_in_the_box_with_what_to_type_instead(page: Page) -> None:
    """The reason and the nearest right commands are shown; one press puts one of them into the box, unsent."""
    page.open()
    page.find("#command").send_keys("/restor plan", Keys.ENTER)
    page.until(lambda: "Nothing was changed." in page.text("#reply"))
    assert page.find("#command").get_attribute("value") == "/restor plan"
    page.find("#reply .suggestions button").click()
    assert page.find("#command").get_attribute("value") == "/restore plan"
    assert len(page.served.bot.commands) == 1


def test_the_timeline_shows_decisions_first_and_everything_on_demand(page: Page) -> None:
    """Host commands are left out until asked for, and then say host, exit status and duration, or that it is unknown."""
    page.open(address="#/INC-7/timeline")
    page.until(lambda: "16 entries, 8 not shown" in page.text("#panel-timeline"))
    assert "migrate:status" not in page.text("#panel-timeline")
    page.find("[data-focus='filter:true']").click()
    page.until(lambda: "php artisan migrate:status" in page.text("#panel-timeline"))
    text = page.text("#panel-timeline")
    assert "album.example:22 · exit 0 · 0.41 s" in text
    assert "album.example:22 · outcome unknown" in text


def test_the_report_is_shown_with_its_style_and_without_its_scripts(page: Page) -> None:
    """The post-mortem stands in a frame, dressed by its own style sheet; a script in it does not run."""
    page.open(address="#/INC-7/report")
    frame = page.find("#report-frame.ready")
    page.driver.switch_to.frame(frame)
    heading = page.find("h1")
    assert heading.text == "Migration Incident - 2026-03-14"
    assert "1, 2, 3" in heading.value_of_css_property("color")
    assert page.find("p").value_of_css_property("margin-left") == "11px"
    page.driver.switch_to.default_content()
    assert "script ran" not in page.driver.title


def test_a_lost_connection_is_told_and_made_up_for(page: Page) -> None:
    """While the bot is away the page says so, and a command says that its outcome is not known; after, it is up to date."""
    page.open()
    port = int(page.served.console.url.rstrip("/").rpartition(":")[2])
    page.served.run(page.served.console.close())
    page.until(lambda: "Connection to the bot lost" in page.text("#connection"))
    page.find("#command").send_keys("/incident note x", Keys.ENTER)
    page.until(lambda: "counts once" in page.text("#reply"))
    page.served.open(port)
    page.served.do(lambda: page.served.bot.say("after", "Back after a restart"))
    page.until(lambda: "Back after a restart" in page.text("#messages"))
    assert not page.find("#connection").is_displayed()


@pytest.mark.parametrize("width", [375, 1280])
def test_the_page_never_scrolls_sideways(page: Page, width: int) -> None:
    """At a phone's width only tables scroll, and by themselves; buttons are large enough for a thumb."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.open()
        for name in ("channel", "loss", "timeline", "report"):
            page.find(f"#tab-{name}").click()
            page.until(lambda name=name: page.find(f"#panel-{name}").is_displayed())
            wide = f"return [document.documentElement, document.querySelector('#panel-{name}')].map(n => n.scrollWidth - n.clientWidth)"
            assert page.script(wide) == [0, 0]
        page.find("#tab-channel").click()
        assert page.find("[data-choice=approve]").size["height"] >= 44
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_nothing_is_asked_of_another_address_and_no_error_is_logged(page: Page) -> None:
    """Every request goes to the console itself, and the browser's log has no error."""
    page.driver.get_log("browser")
    page.open()
    loaded = page.script("return performance.getEntriesByType('resource').map(one => one.name)")
    assert loaded
    assert all(one.startswith(page.served.console.url) for one in loaded)
    assert [one["message"] for one in page.driver.get_log("browser")] == []


def test_the_list_of_backups_fits_a_laptop(page: Page) -> None:
    """On a screen of 1,280 points the widest list that Backout shows is read without moving it sideways."""
    why = "read to its last byte: 8 tables, 3,833 rows; 2025_11_25_120000_convert_photos_to_posts is not in its migrations"
    rows = [
        ["→ backup-2026-11-22-193001.sql", "COULD NOT VERIFY", "394.8 kB", "2026-11-22 19:46 (file)", why],
        ["database-2026-11-22.sql", "REFUSED", "0 B", "2026-11-22 19:46 (file)", "it is empty (0 bytes)"],
    ]
    table = {"columns": ["file", "verdict", "size", "finished (UTC)", "why"], "rows": rows, "numeric": [2]}
    page.open(address="#INC-7")
    page.served.do(lambda: page.served.bot.say("wide", "Backups, widest", table=table))
    wide = "[...document.querySelectorAll('.table')].find((one) => one.innerText.includes('database-2026'))"
    page.until(lambda: page.script(f"return Boolean({wide})"))
    width, inner = page.script(f"return [{wide}.clientWidth, {wide}.scrollWidth]")
    assert inner <= width
