"""The port to a chat platform: shows messages, takes commands and answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

from bot.model.decision import Decision
from bot.model.message import IncomingCommand, Reply, StoredMessage


class Chat(Protocol):
    """One platform. What it shows is a window on the store: after an outage it is brought up to date from there."""

    @property
    def platform(self) -> str:
        """Return `web`, `slack` or `discord`."""

    async def deliver(
        self, message: StoredMessage, external_id: str | None, decision: Decision | None
    ) -> str:
        """Show the message, or edit the one of `external_id`; return the platform's own id for it."""

    async def start(self) -> None:
        """Connect, and begin to take commands."""

    async def close(self) -> None:
        """Stop taking commands and disconnect."""


class Inbox(Protocol):
    """What a chat adapter hands over to: implemented by the service's dispatcher.

    Neither method raises for what a person did wrong: the reply says it. Both may be called any number of times with
    the same delivery id; the effect is one.
    """

    async def command(self, command: IncomingCommand) -> Reply:
        """Carry out a slash command."""

    async def answer(
        self,
        *,
        platform: str,
        account: str,
        decision_id: str,
        choice: str,
        typed: str | None,
        delivery_id: str,
    ) -> Reply:
        """Take a vote on a decision."""


class Window(Protocol):
    """Read-only views for a platform that shows more than messages (the web console). All values are plain JSON.

    Every method asks who reads: a person sees only the sites that list them. None or an empty list means "not there or
    not yours", with no difference between the two.
    """

    def person_of(self, platform: str, account: str) -> str | None:
        """Return the name of the person behind an account, or None for a stranger."""

    async def incidents(self, person: str) -> list[dict[str, Any]]:
        """Return the person's incidents, newest first: id, site, title, channel, opened_at, closed_at, headline, tone."""

    async def incident(self, person: str, incident_id: str) -> dict[str, Any] | None:
        """Return one incident: the fields above and steps, loss, operation, next_commands, downtime_s, messages, decisions."""

    async def timeline(self, person: str, incident_id: str, after: int = 0) -> list[dict[str, Any]] | None:
        """Return timeline entries after a sequence number: sequence, at, actor, kind, text, data, hash."""

    async def decisions(self, person: str) -> list[dict[str, Any]]:
        """Return open decisions over all of the person's incidents."""

    async def decision(self, person: str, decision_id: str) -> dict[str, Any] | None:
        """Return one decision, open or not."""

    async def report(self, person: str, incident_id: str, form: str) -> str | None:
        """Return the post-mortem of the incident as it stands now; `form` is `md` or `html`."""

    async def completions(self, person: str, text: str, channel: str) -> list[dict[str, str]]:
        """Return completions of a half-typed command: `text` (the whole line after completion) and `summary`."""

    def changes(self) -> AsyncIterator[str]:
        """Yield the id of an incident each time something of it changed; ends when the console closes."""
