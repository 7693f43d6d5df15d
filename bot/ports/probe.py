"""The port to the site's web front, as a visitor sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bot.model.secret import Secret


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the front answered: HTTP status, and how long it took in seconds. The body is never kept."""

    path: str
    status: int
    duration_s: float


@dataclass(frozen=True, kw_only=True)
class PageAsked:
    """One address to visit, and the texts to look for in its page.

    `bypass_at` is the address below which the maintenance bypass for it is got; None: it is visited without one.
    """

    url: str
    texts: tuple[str, ...] = ()
    time_limit_s: float = 10
    bypass_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class PageSeen:
    """What a visitor got. `found` are those of the texts that are in the page, which itself is never kept.

    `failure` says in words why there is no answer (`status` None), or no whole one; None: it came whole.
    """

    status: int | None
    duration_s: float
    found: frozenset[str] = field(default=frozenset())
    failure: str | None = None


class Probe(Protocol):
    """Asks the front from where the bot runs; redirects are not followed. Reads only."""

    async def status(self, url: str) -> Answer:
        """Return what a visitor gets for an address. *Raises* ProbeError when nothing answers at all."""

    async def visit(self, pages: Sequence[PageAsked], secret: Secret | None = None) -> list[PageSeen]:
        """Return what was seen of each page, in their order; what does not answer is told there, and never raised.

        With a secret each page that says where the bypass is got is visited with the cookie that Laravel gives for it.
        """
