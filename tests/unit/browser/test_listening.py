"""What is heard of a page: counted with its place, whatever the page does, and never what was before the walk."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.chromium_browser.listening import PLACES, Listener

SITE = "https://shop.example"


def _answered(number: str, url: str, status: int) -> tuple[str, dict[str, Any]]:
    return "Network.responseReceived", {"requestId": number, "response": {"url": url, "status": status}}


def _asked(number: str, url: str) -> tuple[str, dict[str, Any]]:
    return "Network.requestWillBeSent", {"requestId": number, "request": {"url": url}}


def test_an_answer_to_what_was_asked_before_the_walk_is_not_told() -> None:
    """The address that gives the bypass names its secret: its late answer is no failed request of the walk."""
    listener = Listener(SITE)
    listener.heard(*_asked("1", f"{SITE}/open-sesame"))
    listener.begin()
    listener.heard(*_answered("1", f"{SITE}/open-sesame", 404))
    listener.heard("Network.loadingFailed", {"requestId": "1", "errorText": "net::ERR_FAILED"})
    assert (listener.failed.count, list(listener.failed.places)) == (0, [])
    listener.heard(*_asked("2", f"{SITE}/gone?token=x"))
    listener.heard(*_answered("2", f"{SITE}/gone?token=x", 404))
    assert (listener.failed.count, list(listener.failed.places)) == (1, ["/gone: HTTP 404"])


@pytest.mark.parametrize("name", ["http://[x", "https://[name]/a.js", "webpack://[y", "//[", "no address"])
def test_a_script_may_give_itself_any_name(name: str) -> None:
    """A name that is no address is a console error as any other, and does not end the walk."""
    listener = Listener(SITE)
    listener.begin()
    listener.heard("Runtime.exceptionThrown", {"exceptionDetails": {"url": name, "lineNumber": 1}})
    assert listener.console.count == 1


def test_a_page_that_fails_without_an_end_fills_nothing() -> None:
    """All is counted; of the places the first few are kept."""
    listener = Listener(SITE)
    listener.begin()
    for number in range(1000):
        listener.heard(
            "Runtime.exceptionThrown", {"exceptionDetails": {"url": f"{SITE}/{number}.js", "lineNumber": 0}}
        )
    assert (listener.console.count, len(listener.console.places)) == (1000, PLACES)
    assert next(iter(listener.console.places)) == "/0.js:1"
