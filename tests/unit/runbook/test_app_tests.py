"""What an address answered and a walk showed, judged."""

from __future__ import annotations

from typing import Any

import pytest

from bot.model.app_test import Deed, SiteProbe, Walked, WalkedStep, WalkStep
from bot.runbook.app_tests import (
    judged_probe,
    probe_reasons,
    probe_table,
    walk_data,
    walk_facts,
    walk_reasons,
    walk_table,
)

PROBE = SiteProbe(
    shown="/a", url="https://shop.example/a", contains=("Sign in", "Shop"), lacks=("Old",), bypass_at="x"
)
PAGES = {"<title>Server Error</title>": "Laravel's error page"}
GOOD: dict[str, Any] = {
    "status": 200,
    "duration_s": 0.0714,
    "found": frozenset({"Sign in", "Shop"}),
    "failure": None,
}


@pytest.mark.parametrize(
    ("seen", "faults"),
    [
        ({}, ()),
        ({"status": 404}, ("HTTP 404, expected 200",)),
        ({"found": frozenset({"Shop"})}, ("without the text “Sign in”",)),
        ({"found": frozenset({"Shop", "Sign in", "Old"})}, ("with the text “Old”",)),
        ({"found": GOOD["found"] | set(PAGES)}, ("it is Laravel's error page",)),
        ({"status": None, "found": frozenset(), "failure": "no answer"}, ("no answer",)),
        ({"found": frozenset(), "failure": "no whole answer within 1 s"}, ("no whole answer within 1 s",)),
    ],
)
def test_each_thing_that_is_wrong_is_named(seen: dict[str, Any], faults: tuple[str, ...]) -> None:
    """Status, texts, error page and time are judged one by one; of a page that did not come whole no text is missed."""
    judged = judged_probe(PROBE, is_down=True, error_pages=PAGES, **{**GOOD, **seen})
    assert (judged.faults, judged.passed, judged.duration_ms) == (faults, not faults, 71)
    assert probe_reasons([judged]) == ([f"/a: {faults[0]}"] if faults else [])


def test_a_page_that_has_to_be_an_error_may_be_one() -> None:
    """A probe that expects 500 is not told that it got an error page."""
    probe = SiteProbe(shown="/broken", url="u", status=500)
    seen = {**GOOD, "status": 500, "found": frozenset(PAGES)}
    assert judged_probe(probe, is_down=False, error_pages=PAGES, **seen).passed


@pytest.mark.parametrize(
    ("bypass_at", "is_down", "is_told"), [(None, True, True), ("x", True, False), (None, False, False)]
)
def test_another_host_in_maintenance_is_told_how_to_get_in(
    bypass_at: str | None, is_down: bool, is_told: bool
) -> None:
    """A 503 where no bypass was used while the site is down names the setting; elsewhere that would lead astray."""
    probe = SiteProbe(shown="https://b.example/", url="https://b.example/", bypass_at=bypass_at)
    judged = judged_probe(probe, is_down=is_down, error_pages={}, **{**GOOD, "status": 503})
    assert ("bypass = true" in judged.faults[0]) is is_told


def test_the_table_has_address_status_time_and_result() -> None:
    """Address, status, time in ms and what was wrong stand in one line; no answer has no status."""
    good = judged_probe(PROBE, is_down=True, error_pages={}, **GOOD)
    gone = judged_probe(
        PROBE, is_down=True, error_pages={}, **{**GOOD, "status": None, "failure": "no answer"}
    )
    assert probe_table([good, gone]).rows == (("/a", "200", "71", "good"), ("/a", "–", "71", "no answer"))


def test_a_walk_is_judged_by_its_steps_its_console_and_its_requests() -> None:
    """A step that failed, console errors and failed requests are reasons; what was not reached is shown as such."""
    steps = (
        WalkStep(deed=Deed.OPEN, what="/"),
        WalkStep(deed=Deed.CLICK, what="a.more"),
        WalkStep(deed=Deed.EXPECT, what="Basket"),
    )
    walked = Walked(
        steps=(
            WalkedStep(step=steps[0], duration_ms=1200),
            WalkedStep(step=steps[1], duration_ms=9, fault="gone"),
        ),
        console_errors=1,
        console_places=("/app.js:7",),
        failed_requests=2,
        failed_places=("/logo.png: HTTP 404",),
    )
    assert walk_reasons(walked) == [
        "in the browser, click a.more: gone",
        "1 console error in the browser",
        "2 failed requests in the browser",
    ]
    assert walk_table(walked, steps).rows == (
        ("open /", "1,200", "good"),
        ("click a.more", "9", "gone"),
        ("expect “Basket”", "–", "not reached"),
    )
    assert walk_facts(walked)[0] == ("console errors", "1 (/app.js:7)")
    assert walk_data(walked)["steps"][1] == {"step": "click a.more", "ms": 9, "fault": "gone"}
    assert walk_reasons(Walked(steps=(WalkedStep(step=steps[0], duration_ms=1),))) == []
