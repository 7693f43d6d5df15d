"""The port to the site's web front, as a visitor sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bot.model.secret import Secret


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the front answered: HTTP status, and how long it took in seconds. The body is never kept."""

    path: str
    status: int
    duration_s: float


class Probe(Protocol):
    """Asks the front from where the bot runs. *Raises* ProbeError when nothing answers at all."""

    async def status(self, url: str) -> Answer:
        """Return what a visitor gets for an address; redirects are not followed."""

    async def behind_bypass(self, base_url: str, secret: Secret, paths: tuple[str, ...]) -> list[Answer]:
        """Return what someone with the maintenance bypass gets for each path, through the cookie Laravel gives."""
