"""The port to a chat platform: shows messages, takes commands and answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bot.model.command import Completion
from bot.model.decision import Decision
from bot.model.message import IncomingCommand, Message, Reply, StoredMessage
from bot.model.room import Room, RoomPlan


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A message on its way to one place of a platform.

    `channel` is the incident's channel there, empty on a platform without them. `external_id` is the platform's own id
    of the message, None when it was not sent yet; `thread` that of the message under which it belongs, None for none.
    `account` is whose direct messages are meant, `calls` are the accounts to be notified. `may_be_there`: it was sent
    before, and nobody knows whether it arrived. `link` leads to the incident's channel, in the platform's own markup, for a
    message that stands elsewhere.
    """

    message: StoredMessage
    channel: str = ""
    external_id: str | None = None
    thread: str | None = None
    decision: Decision | None = None
    account: str | None = None
    calls: tuple[str, ...] = ()
    may_be_there: bool = False
    link: str = ""


class Rooms(Protocol):
    """A platform's channels, one for each incident. Every method may be repeated: it looks before it changes anything.

    All raise ChatLaterError, ChatClosedError, and UnknownOutcomeError when nobody knows whether it was done.
    """

    async def open(self, plan: RoomPlan, room: Room) -> Room:
        """Return the incident's channel, made where there is none.

        A channel that an earlier try made is found again and kept. *Raises* FailedError when none can be made.
        """

    async def furnish(self, plan: RoomPlan, room: Room) -> Room:
        """Bring topic, members, pin and bookmark to what the plan says; return the channel with what is so now.

        What cannot be done is told in `troubles`, and stops nothing. *Raises* RoomLostError.
        """

    async def close_room(self, room: Room) -> None:
        """Archive the channel; one that is archived or gone is left as it is. *Raises* FailedError with the reason."""


class Chat(Protocol):
    """One platform. What it shows is a window on the store: after an outage it is brought up to date from there."""

    @property
    def platform(self) -> str:
        """Return `web`, `slack` or `discord`."""

    @property
    def rooms(self) -> Rooms | None:
        """Return the platform's channels, None where an incident needs none."""

    @property
    def edit_interval_s(self) -> float:
        """Return how many seconds there must be between two edits of one message."""

    @property
    def retry_interval_s(self) -> float:
        """Return how many seconds a failed message waits until it is tried again."""

    async def deliver(self, delivery: Delivery) -> str:
        """Show the message, or edit the one of `external_id`; return the platform's own id for it, empty for none.

        Where it may be there already it is looked for, and found it is edited. *Raises* ChatLaterError and
        ChatClosedError when nothing was sent; UnknownOutcomeError; RoomLostError; FailedError when the platform will
        never take this message.
        """

    async def start(self) -> None:
        """Begin to connect, and to take commands. A platform that is down is no error: it is tried again and again."""

    async def close(self) -> None:
        """Stop taking commands and disconnect."""


class Inbox(Protocol):
    """What a chat adapter hands over to: implemented by the service's dispatcher.

    No method raises for what a person did wrong: the reply says it. Both may be called any number of times with
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

    async def room_lost(self, platform: str, channel: str, reason: str) -> None:
        """Take note that a person took an incident's channel away; any other channel is left alone."""

    async def hearing(self, platform: str, trouble: str | None) -> None:
        """Take note that nothing people type or press there comes in, and why; None: it does again."""


class Window(Protocol):
    """Read-only views for a platform that shows more than messages (the web console). All values are plain JSON.

    Every method asks who reads: a person sees only the sites that list them. None or an empty list means "not there or
    not yours", with no difference between the two.
    """

    def person_of(self, platform: str, account: str) -> str | None:
        """Return the name of the person behind an account, or None for a stranger."""

    def sites_of(self, person: str) -> tuple[str, ...]:
        """Return the sites that the person sees."""

    async def incident_at(self, platform: str, channel: str) -> str | None:
        """Return the id of the incident that a platform's channel belongs to, or None."""

    async def room_of(self, platform: str, incident_id: str) -> Room | None:
        """Return the incident's channel on a platform, or None as long as there is none."""

    async def refusal(self, person: str, decision_id: str) -> str | None:
        """Return why this person may not answer a decision, None where they may. What counts is asked again at the answer."""

    async def review(self, person: str, decision_id: str) -> Message | None:
        """Return an open decision with all that it would do, to be read before a grave answer."""

    async def offered(
        self, person: str, completion: Completion, platform: str, channel: str, given: Mapping[str, str]
    ) -> list[tuple[str, str]]:
        """Return what an argument may be, each as value and label; `given` are the fields that are filled in already."""

    async def waiting(self, person: str) -> list[dict[str, Any]]:
        """Return the open decisions that this person may answer and has not voted on."""

    async def backups(self, person: str) -> list[dict[str, Any]]:
        """Return for each of the person's sites what its backups were when they were last looked at: site, at, good, all, newest."""

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

    async def report(self, person: str, incident_id: str, form: str) -> bytes | None:
        """Return the post-mortem of the incident as it stands now; `form` is `md`, `html` or `pdf`."""

    async def completions(self, person: str, text: str, channel: str) -> list[dict[str, str]]:
        """Return completions of a half-typed command: `text` (the whole line after completion) and `summary`."""

    def changes(self) -> AsyncIterator[str]:
        """Yield the id of an incident each time something of it changed; ends when the console closes."""
