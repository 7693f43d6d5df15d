"""How a site's application is tested, in the settings: addresses, the walk in a browser, the manual list."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.model.app_test import Deed, WalkStep
from bot.model.errors import SettingsError
from bot.runbook.app_tests import step_words
from bot.service.app_probes import probes_of
from bot.settings import Settings, load_settings
from bot.testing_settings import RUNBOOK_LIST
from tests.unit.settings.test_settings import GOOD


def loaded(folder: Path, more: str, site: str = "") -> Settings:
    path = folder / "backout.toml"
    path.write_text(GOOD.replace("[sites.shop]\n", f"[sites.shop]\n{site}\n", 1) + more)
    return load_settings(path, {})


def probe(text: str) -> str:
    return f"[[sites.shop.probes]]\n{text}\n"


def test_the_list_is_the_runbooks_until_the_site_has_its_own(tmp_path: Path) -> None:
    """Five items without a setting; `manual_checks`, as it was once called, still counts; an empty list is none."""
    assert loaded(tmp_path, "").sites["shop"].checklist == RUNBOOK_LIST
    for name in ("checklist", "manual_checks"):
        assert loaded(tmp_path, "", f'{name} = ["look"]').sites["shop"].checklist == ("look",)
        assert loaded(tmp_path, "", f"{name} = []").sites["shop"].checklist == ()
    with pytest.raises(SettingsError):
        loaded(tmp_path, "", 'checklist = ["a"]\nmanual_checks = ["b"]')


def test_smoke_paths_go_on_and_probes_say_more(tmp_path: Path) -> None:
    """A smoke path has to answer 200, as ever; a probe of the same path takes its place; a whole address is another host."""
    more = (
        probe('address = "/login"\ncontains = ["Sign in"]')
        + probe('address = "https://status.example/x"')
        + probe('address = "https://admin.example/x"\nbypass = true\nstatus = 302')
    )
    site = loaded(tmp_path, more, 'smoke_paths = ["/", "/login"]').sites["shop"]
    told = [(p.shown, p.url, p.status, p.contains, p.bypass_at) for p in probes_of(site)]
    assert told == [
        ("/", f"{site.url}/", 200, (), site.url),
        ("/login", f"{site.url}/login", 200, ("Sign in",), site.url),
        ("https://status.example/x", "https://status.example/x", 200, (), None),
        ("https://admin.example/x", "https://admin.example/x", 302, (), "https://admin.example"),
    ]
    assert [p.shown for p in probes_of(loaded(tmp_path, "", "smoke_paths = []").sites["shop"])] == ["/"]


def test_what_may_be_a_secret_in_an_address_is_not_told(tmp_path: Path) -> None:
    """A login and the values behind the `?` are asked with, and stand in no message, timeline or report."""
    secret = "hush"
    more = probe(f'address = "https://joe:{secret}@status.example/x?token={secret}&{secret}#top"')
    more += f'[browser]\n[sites.shop.browser]\nstart = "/in?key={secret}"\n'
    site = loaded(tmp_path, more, f'smoke_paths = ["/health?token={secret}&page=", "/"]').sites["shop"]
    probes = probes_of(site)
    assert [p.shown for p in probes] == ["/health?token=…&page=…", "/", "https://status.example/x?token=…&…"]
    assert [secret in p.url for p in probes] == [True, False, True]
    assert site.browser is not None
    (step,) = site.browser.walk(site.url).steps
    assert (secret in step.what, step_words(step)) == (True, "open /in?key=…")


def test_a_walk_begins_with_its_first_page(tmp_path: Path) -> None:
    """The steps come after the first page, in their order."""
    text = '[browser]\n[sites.shop.browser]\nstart = "/shop"\nsteps = [{ click = "a.x" }, { expect = "Hello" }]\n'
    site = loaded(tmp_path, text).sites["shop"]
    assert site.browser is not None
    assert site.browser.walk(site.url).steps == (
        WalkStep(deed=Deed.OPEN, what="/shop"),
        WalkStep(deed=Deed.CLICK, what="a.x"),
        WalkStep(deed=Deed.EXPECT, what="Hello"),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (probe('address = "login"'), "sites.shop.probes.0.address"),
        (probe('address = "//evil.example/"'), "sites.shop.probes.0.address"),
        (probe('address = "https://"'), "sites.shop.probes.0.address"),
        (probe('address = "/"\nstatus = 42'), "sites.shop.probes.0.status"),
        (probe('address = "/"\ncontains = [""]'), "sites.shop.probes.0.contains.0"),
        (probe('address = "/"\ntime_limit = 0'), "sites.shop.probes.0.time_limit"),
        ("[sites.shop.browser]\n", "no [browser] that names the program"),
        ('[browser]\n[sites.shop.browser]\nsteps = [{ open = "https://x.example/" }]\n', "steps.0.open"),
        (
            '[browser]\n[sites.shop.browser]\nsteps = [{ open = "/", click = "a" }]\n',
            "one of: open, click, expect",
        ),
        ("[browser]\n[sites.shop.browser]\nsteps = [{}]\n", "one of: open, click, expect"),
        ("[browser]\nno_sandbox = true\n", "there is no such setting"),
    ],
)
def test_a_wrong_test_is_refused_at_the_start(tmp_path: Path, text: str, words: str) -> None:
    """A mistake is told by the name of its setting, before anything runs."""
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, text)
    assert words in str(caught.value)
