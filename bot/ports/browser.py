"""The port to a browser on the bot's own machine, which sees a site as a person would."""

from __future__ import annotations

from typing import Protocol

from bot.model.app_test import Walk, Walked
from bot.model.secret import Secret


class Browser(Protocol):
    """Starts a fresh browser for each question, without cookies or history, and leaves nothing of it.

    *Raises* BrowserError when the browser is missing, does not start, dies, or is not done within its time.
    """

    async def walk(self, walk: Walk, secret: Secret | None = None) -> Walked:
        """Walk through a site and return what was seen; with a secret it first gets the maintenance bypass.

        What a step's click does on the site, it does: nothing here knows whether it changes anything.
        """

    async def prove(self) -> str:
        """Start the browser, load nothing, and return its name and version."""
