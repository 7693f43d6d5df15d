"""The port to the mail server: letters to people who are not in the channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One e-mail in plain text to one person. `key` is the same however often the same letter is handed over."""

    name: str
    address: str
    subject: str
    body: str
    key: str


class Mail(Protocol):
    """Hands letters to a mail server; it never keeps one to try again by itself.

    *Raises* CallLaterError where the server did not take it (it may be handed over again), FailedError where it
    refused for good, UnknownOutcomeError where it had the letter and its answer never came. No message holds a secret.
    """

    async def send(self, letter: Letter) -> str:
        """Hand a letter over and return what the server answered. *Changes*: sends one e-mail."""

    async def prove(self) -> str:
        """Connect and log in, send nothing, and return in words what was proven."""
