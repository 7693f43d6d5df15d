"""What is done with a command, a press or a form after its first answer: handed to the service, and its reply given back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

import structlog

from adapters.chat_common.talk import NO_INCIDENT, Talk
from adapters.discord_chat.answers import SHORT, Button, short_name
from adapters.discord_chat.api import DiscordApi, DiscordRefusedError
from adapters.discord_chat.modals import confirm_form
from adapters.discord_chat.rendering import Rendered, render_reply
from bot.model.errors import BackoutError
from bot.model.message import Reply
from bot.ports.chat import Inbox, Window

log = structlog.get_logger(__name__)

PLATFORM = "discord"
TOKEN_S = 14 * 60.0
"""As long as that the token of an interaction is used; Discord takes it for fifteen minutes."""
NO_MORE = "This question is no longer open. Nothing was changed."
TRIES = 3


@dataclass(frozen=True, kw_only=True)
class Deed:
    """Something a person did in Discord, that waits for an answer which nobody else sees."""

    id: str
    token: str
    application: str
    account: str
    channel: str
    at: float  # of a clock that only goes forward, in seconds

    @property
    def delivery_id(self) -> str:
        """Return what tells a deed that is delivered twice."""
        return f"{PLATFORM}:{self.id}"


class Conversation:
    """Everything here runs after the first answer, and may wait. It decides nothing: the service does."""

    def __init__(self, api: DiscordApi, inbox: Inbox, window: Window) -> None:
        self._api = api
        self._window = window
        self._talk = Talk(PLATFORM, "Discord", inbox, window)

    async def command(self, deed: Deed, text: str) -> None:
        """Carry out a slash command and answer the one who typed it."""
        reply = await self._talk.command(deed.account, deed.channel, text, deed.delivery_id)
        await self._answer(deed, render_reply(reply, await self._talk.link(reply, deed.channel)))

    async def vote(self, deed: Deed, button: Button, typed: str | None = None) -> None:
        """Take a vote, and tell the one who gave it what came of it."""
        decision_id = await self._decision_id(deed.account, button)
        if decision_id is None:
            reply = Reply(text=NO_MORE, ok=False)
        else:
            reply = await self._talk.vote(deed.account, decision_id, button.choice, typed, deed.delivery_id)
        await self._answer(deed, render_reply(reply))

    async def form(self, account: str, button: Button) -> dict[str, object] | Reply:
        """Return the form of a grave answer, or why this person has none; reads only."""
        person = self._window.person_of(PLATFORM, account)
        decision_id = await self._decision_id(account, button)
        if person is None:
            return Reply(text=self._talk.stranger(account), ok=False)
        if decision_id is None:
            return Reply(text=NO_MORE, ok=False)
        review = await self._talk.review(account, decision_id)
        if isinstance(review, str):
            return Reply(text=review, ok=False)
        decision = await self._window.decision(person, decision_id) or {}
        found = next((one for one in decision.get("choices") or () if one["key"] == button.choice), None)
        if found is None:
            return Reply(text=NO_MORE, ok=False)
        return confirm_form(button, found["label"], found["typed"], review)

    async def note(
        self, deed: Deed, *, author: tuple[str, str], at: datetime, text: str, message: tuple[str, str]
    ) -> None:
        """Put somebody's message into the timeline; `author` is account and name, `message` id and link."""
        message_id, link = message
        if not await self._talk.is_incident(deed.channel):
            reply = Reply(text=NO_INCIDENT, ok=False)
        else:
            reply = await self._talk.note(
                account=deed.account,
                channel=deed.channel,
                author=self._window.person_of(PLATFORM, author[0]) or author[1],
                at=at,
                text=text,
                link=link,
                # The message's own id: however many ask for it, it is noted once.
                delivery_id=f"{PLATFORM}:note:{message_id}",
            )
        await self._answer(deed, render_reply(reply))

    async def _decision_id(self, account: str, button: Button) -> str | None:
        """Return the whole id of the decision that a button means; None where a short name is that of none that is open."""
        if not button.decision.startswith(SHORT):
            return button.decision
        person = self._window.person_of(PLATFORM, account)
        mine = await self._window.decisions(person) if person else []
        return next((one["id"] for one in mine if short_name(one["id"]) == button.decision), None)

    async def _answer(self, deed: Deed, rendered: Rendered) -> None:
        """Put the answer in the place of "is thinking"; an edit may be repeated, so nobody reads it twice.

        After the token's time it goes as a direct message: once, as nobody looks for it.
        """
        try:
            if time.monotonic() - deed.at > TOKEN_S:
                await self._directly(deed.account, rendered)
                return
            for left in reversed(range(TRIES)):
                try:
                    await self._api.change(
                        "PATCH",
                        "/webhooks/{application}/{token}/messages/@original",
                        rendered.body(),
                        patience_s=60.0,
                        application=deed.application,
                        token=deed.token,
                    )
                except DiscordRefusedError:
                    raise
                except BackoutError:
                    if not left:
                        raise
                else:
                    return
        except BackoutError as error:
            log.warning("an answer may not have arrived", delivery=deed.delivery_id, error=str(error))

    async def _directly(self, account: str, rendered: Rendered) -> None:
        opened = await self._api.change("POST", "/users/@me/channels", {"recipient_id": account})
        await self._api.change(
            "POST", "/channels/{channel}/messages", rendered.body(), channel=str(opened["id"])
        )
