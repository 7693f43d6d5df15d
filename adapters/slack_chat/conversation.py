"""What is done with a command, a click or a form after its ack: handed to the service, and its answer given back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from adapters.chat_common.talk import NO_INCIDENT, NO_SITE, Talk
from adapters.chat_common.words import cut
from adapters.slack_chat.answers import Button
from adapters.slack_chat.api import SlackApi, patient
from adapters.slack_chat.home import home_view, stranger_view
from adapters.slack_chat.modals import Started, View, confirm_modal, loading, notice, start_modal
from adapters.slack_chat.rendering import render_reply
from adapters.slack_chat.replies import Replies
from adapters.slack_chat.text import escape, mrkdwn, typed_text
from bot.model.errors import BackoutError
from bot.model.message import Reply
from bot.ports.chat import Inbox, Window

log = structlog.get_logger(__name__)

PLATFORM = "slack"
SLOW_S = 2.5
PATIENCE_S = 30.0


class Conversation:
    """Everything here runs after the ack, and may wait. It decides nothing: the service does."""

    def __init__(self, api: SlackApi, inbox: Inbox, window: Window) -> None:
        self._api = api
        self._window = window
        self._talk = Talk(PLATFORM, "Slack", inbox, window)
        self._replies = Replies(api)

    # -- commands

    async def command(
        self, *, account: str, channel: str, text: str, delivery_id: str, response_url: str
    ) -> None:
        """Carry out a slash command and answer the one who typed it."""
        work = asyncio.ensure_future(self._talk.command(account, channel, text, delivery_id))
        done, _ = await asyncio.wait({work}, timeout=SLOW_S)
        if not done:
            waiting = Reply(text="Received. The answer takes a moment longer; it comes here.")
            await self._replies.to_url(response_url, render_reply(waiting))
        reply = await work
        link = await self._talk.link(reply, channel)
        await self._replies.to_url(response_url, render_reply(reply, link))

    async def mention(
        self, *, account: str, channel: str, thread: str | None, text: str, delivery_id: str
    ) -> None:
        """Carry out `@backout COMMAND` and answer beneath it."""
        reply = await self._talk.command(account, channel, text or "help", delivery_id)
        link = await self._talk.link(reply, channel)
        await self._replies.in_thread(channel, account, thread, render_reply(reply, link))

    # -- declaring an incident

    async def show_start(self, *, account: str, channel: str, trigger_id: str) -> None:
        """Open the form, or say why this person has none."""
        person = self._window.person_of(PLATFORM, account)
        sites = self._window.sites_of(person) if person else ()
        if person is None:
            view = notice("Not listed", escape(self._talk.stranger(account)))
        elif not sites:
            view = notice("No site", escape(NO_SITE))
        else:
            view = start_modal(sites, channel)
        await self._api.change("views.open", trigger_id=trigger_id, view=view)

    async def start(self, *, account: str, view_id: str, started: Started) -> None:
        """Open the incident that a form describes, and say in the form where it is."""
        reply = await self._talk.command(
            account, started.channel, started.command, f"{PLATFORM}:view:{view_id}"
        )
        link = await self._talk.link(reply, "")
        await self._update(view_id, _outcome(reply, link))

    # -- answering a decision

    async def answer(self, *, account: str, button: Button, delivery_id: str, response_url: str) -> None:
        """Take a vote; what was decided is seen in the message, a refusal is told to the one who pressed."""
        reply = await self._vote(account, button, None, delivery_id)
        if not reply.ok and response_url:
            await self._replies.to_url(response_url, render_reply(reply))

    async def show_confirm(
        self, *, account: str, button: Button, label: str, style: str, question: str, trigger_id: str
    ) -> None:
        """Open the modal of a grave answer: at once with the question, then with all that a yes would do."""
        opened = await self._api.change(
            "views.open", trigger_id=trigger_id, view=loading(button, cut(question, 500))
        )
        view_id = str(opened["view"]["id"])
        review = await self._talk.review(account, button.decision_id)
        if isinstance(review, str):
            await self._update(view_id, notice("Not possible", f"🚫 {mrkdwn(review)}"))
            return
        await self._update(view_id, confirm_modal(button, label, style, review))

    async def confirm(self, *, account: str, view_id: str, button: Button, typed: str | None) -> None:
        """Take a vote from a modal, and say in it what came of it."""
        reply = await self._vote(account, button, typed, f"{PLATFORM}:view:{view_id}")
        await self._update(view_id, _outcome(reply, ""))

    async def _vote(self, account: str, button: Button, typed: str | None, delivery_id: str) -> Reply:
        return await self._talk.vote(account, button.decision_id, button.choice, typed, delivery_id)

    async def _update(self, view_id: str, view: View) -> None:
        try:
            await patient(lambda: self._api.change("views.update", view_id=view_id, view=view), PATIENCE_S)
        except BackoutError as error:
            log.warning("a modal could not be brought up to date", error=str(error))

    # -- the timeline

    async def note_message(
        self,
        *,
        account: str,
        channel: str,
        ts: str,
        delivery_id: str,
        tell: Callable[[Reply], Awaitable[None]],
        message: dict[str, Any] | None = None,
    ) -> None:
        """Put somebody's message into the timeline of the channel's incident, with its author, time and link."""
        if not await self._talk.is_incident(channel):
            await tell(Reply(text=NO_INCIDENT, ok=False))
            return
        found = message or await self._message(channel, ts)
        if found is None:
            await tell(Reply(text="The message is not there any more. Nothing was noted.", ok=False))
            return
        link = (await self._api.read("chat.getPermalink", channel=channel, message_ts=ts)).get("permalink")
        reply = await self._talk.note(
            account=account,
            channel=channel,
            author=await self._author(str(found.get("user") or "")),
            at=datetime.fromtimestamp(float(ts), UTC),
            text=typed_text(str(found.get("text") or "")),
            link=str(link or ""),
            delivery_id=delivery_id,
        )
        await tell(reply)

    async def _message(self, channel: str, ts: str) -> dict[str, Any] | None:
        """Return one message of a channel or of one of its threads; reads only."""
        answer = await self._api.read(
            "conversations.replies", channel=channel, ts=ts, latest=ts, oldest=ts, inclusive=True, limit=200
        )
        return next((one for one in answer.get("messages") or () if one.get("ts") == ts), None)

    async def _author(self, account: str) -> str:
        """Return who wrote a message: the person of the settings, else the name in Slack, else the account."""
        if person := self._window.person_of(PLATFORM, account):
            return person
        try:
            user = (await self._api.read("users.info", user=account))["user"]
        except BackoutError as error:
            log.info("an author's name is not known", account=account, error=str(error))
            return f"Slack user {account}"
        profile = user.get("profile") or {}
        return str(profile.get("display_name") or user.get("real_name") or account)

    async def whisper(self, channel: str, account: str, thread: str | None, reply: Reply) -> None:
        """Tell one person something in a channel."""
        await self._replies.in_thread(channel, account, thread, render_reply(reply))

    async def whisper_to(self, response_url: str, reply: Reply) -> None:
        """Tell one person something over the address that came with a deed of theirs."""
        await self._replies.to_url(response_url, render_reply(reply))

    # -- Home

    async def show_home(self, *, account: str) -> None:
        """Publish what this person finds at home."""
        person = self._window.person_of(PLATFORM, account)
        if person is None:
            view = stranger_view(self._talk.stranger(account))
        else:
            incidents = await self._window.incidents(person)
            waiting = await self._window.waiting(person)
            wanted = {one["id"] for one in incidents if not one["closed_at"]}
            wanted |= {one["incident_id"] for one in waiting}
            rooms = [await self._window.room_of(PLATFORM, one) for one in sorted(wanted)]
            links = {room.incident_id: room.link for room in rooms if room is not None}
            view = home_view(incidents, waiting, await self._window.backups(person), links)
        await patient(lambda: self._api.change("views.publish", user_id=account, view=view), PATIENCE_S)


def _outcome(reply: Reply, link: str) -> View:
    sign = "✅" if reply.ok else "🚫"
    shown = render_reply(reply, link)
    return {**notice("Done" if reply.ok else "Not done", f"{sign} "), "blocks": shown.blocks}
