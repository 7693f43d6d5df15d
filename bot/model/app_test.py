"""The site's own tests of its application: addresses that are asked, a walk in a browser, and what came of them."""

from __future__ import annotations

import enum
from dataclasses import dataclass


def shown_address(address: str) -> str:
    """Return an address or a path as it may be told: without a login, and of what stands behind its `?` the names alone."""
    place, asks, query = address.partition("#")[0].partition("?")
    scheme, sign, rest = place.partition("://")
    if sign:
        host, slash, path = rest.partition("/")
        place = f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
    said = [part.partition("=")[:2] for part in query.split("&") if part]
    return place + asks + "&".join(f"{name}=…" if equals else "…" for name, equals in said)


@dataclass(frozen=True, kw_only=True)
class SiteProbe:
    """One address and what it has to answer.

    `shown` is the address as it may be told, `url` the whole of it. `contains` are texts that must be in the page,
    `lacks` texts that must not. `bypass_at` is the address of the application that gives the maintenance bypass for it,
    without a slash at its end; None: it is asked for without one.
    """

    shown: str
    url: str
    status: int = 200
    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    time_limit_s: float = 10
    bypass_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class JudgedProbe:
    """A probe and its answer. `status` None: nothing was answered. `faults` say in words what was wrong; empty: good."""

    shown: str
    status: int | None
    duration_ms: int
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Return whether all was as it has to be."""
        return not self.faults


class Deed(enum.StrEnum):
    """What one step of a walk does: load a path of the site, click an element by its CSS selector, or wait for a text."""

    OPEN = "open"
    CLICK = "click"
    EXPECT = "expect"


@dataclass(frozen=True, kw_only=True)
class WalkStep:
    """One step in the browser. `what` is the path, the selector or the text."""

    deed: Deed
    what: str


@dataclass(frozen=True, kw_only=True)
class Walk:
    """A walk through a site in a fresh browser. `base_url` is the site's address without a slash at its end."""

    base_url: str
    steps: tuple[WalkStep, ...]
    time_limit_s: float
    step_limit_s: float


@dataclass(frozen=True, kw_only=True)
class WalkedStep:
    """A step and how it went. `fault` says in words what was wrong; None: nothing."""

    step: WalkStep
    duration_ms: int
    fault: str | None = None


@dataclass(frozen=True, kw_only=True)
class Walked:
    """What was seen on a walk; it ends at the first step that failed.

    `console_places` and `failed_places` say where (script and line; address and status), each place once. The text of a
    console message is never kept: it may hold a user's data.
    """

    steps: tuple[WalkedStep, ...]
    console_errors: int = 0
    console_places: tuple[str, ...] = ()
    failed_requests: int = 0
    failed_places: tuple[str, ...] = ()
