"""Counts what goes wrong in a page: console errors and failed requests, and where; never the text of a message."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

PLACES = 8
PLACE_LETTERS = 120
QUIET_S = 0.5
"""A page is at rest when nothing was under way for so long."""
UNASKED = "/favicon.ico"
"""Browsers ask for it by themselves; that a site has none says nothing."""
_BAD_STATUS = 400


class Counted:
    """How often something was seen, and the first few places, each once: a page may do it without an end."""

    def __init__(self) -> None:
        self.count = 0
        self.places: dict[str, None] = {}

    def add(self, place: str) -> None:
        """Count one, seen at this place."""
        self.count += 1
        if len(self.places) < PLACES:
            self.places.setdefault(place)


class Listener:
    """Hears a page's events. It counts only from `begin` on; what is under way it knows from the start.

    `frame` is the page's main frame; what is put into a page loads by itself.
    """

    def __init__(self, base_url: str) -> None:
        self._host = urlsplit(base_url).netloc
        self._counts = False
        self._under_way: dict[str, str] = {}
        self._last = time.monotonic()
        self.console = Counted()
        self.failed = Counted()
        self.loaded = False
        self.frame = ""

    def begin(self) -> None:
        """Count from here on; a request that is under way belongs to what was before."""
        self._counts = True
        self._under_way.clear()

    @property
    def at_rest(self) -> bool:
        """Return whether the page is loaded and nothing was requested for a moment."""
        return self.loaded and not self._under_way and time.monotonic() - self._last >= QUIET_S

    def touch(self) -> None:
        """Let the wait for rest begin anew: something was just done to the page."""
        self._last = time.monotonic()

    def heard(self, name: str, event: dict[str, Any]) -> None:
        """Take in one event.

        *Source*: the DevTools protocol 1.3, domains Page, Runtime, Log and Network.
        """
        match name:
            case "Page.frameStartedLoading" if event.get("frameId") == self.frame:
                self.loaded = False
            case "Page.loadEventFired":
                self.loaded = True
            case "Runtime.exceptionThrown":
                self._console(_thrown_at(event.get("exceptionDetails", {})))
            case "Runtime.consoleAPICalled" if event.get("type") in ("error", "assert"):
                self._console(_called_at(event.get("stackTrace", {})))
            # What the network failed at is counted by its own events.
            case "Log.entryAdded" if _is_error(event.get("entry", {})):
                entry = event["entry"]
                self._console((entry.get("url"), entry.get("lineNumber")))
            case "Network.requestWillBeSent":
                self._under_way[event["requestId"]] = event.get("request", {}).get("url", "")
                self.touch()
            case "Network.responseReceived" | "Network.loadingFinished" | "Network.loadingFailed":
                self._network(name, event)

    def _network(self, name: str, event: Mapping[str, Any]) -> None:
        self.touch()
        url = self._under_way.get(event["requestId"])
        if url is None:
            # Of what was before `begin`: the address that gives the bypass names its secret.
            return
        if _parts(url).path == UNASKED:
            self._under_way.pop(event["requestId"])
            return
        if name == "Network.responseReceived":
            response = event.get("response", {})
            if int(response.get("status", 0)) >= _BAD_STATUS:
                self._failed(f"{self._place(response.get('url', ''))}: HTTP {response['status']}")
            return
        self._under_way.pop(event["requestId"])
        # What the page itself called off, as when it is left, did not fail.
        if name == "Network.loadingFailed" and not event.get("canceled"):
            self._failed(f"{self._place(url)}: {event.get('errorText') or 'failed'}")

    def _console(self, at: tuple[str | None, int | None]) -> None:
        if self._counts:
            url, line = at
            place = self._place(url) if url else "a script of the page"
            self.console.add(f"{place}:{line + 1}" if url and line is not None else place)

    def _failed(self, words: str) -> None:
        if self._counts:
            self.failed.add(words)

    def _place(self, url: str) -> str:
        """Return an address without what stands behind its `?`, and without the site's own host."""
        parts = _parts(url)
        if parts.scheme not in ("http", "https"):
            return f"{parts.scheme or 'an'} address"
        path = parts.path or "/"
        return (path if parts.netloc == self._host else f"{parts.hostname}{path}")[:PLACE_LETTERS]


def _parts(url: str) -> SplitResult:
    """Return an address in parts, all empty where it is none: a script may give itself any name."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _is_error(entry: Mapping[str, Any]) -> bool:
    return entry.get("level") == "error" and entry.get("source") != "network"


def _thrown_at(details: Mapping[str, Any]) -> tuple[str | None, int | None]:
    return details.get("url"), details.get("lineNumber")


def _called_at(trace: Mapping[str, Any]) -> tuple[str | None, int | None]:
    frame = (trace.get("callFrames") or [{}])[0]
    return frame.get("url"), frame.get("lineNumber")
