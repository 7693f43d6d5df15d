"""What a platform asks of the service in the same words, wherever a person typed or pressed."""

from __future__ import annotations

import asyncio
from datetime import datetime

from adapters.chat_common.noting import note_text
from bot.model.message import IncomingCommand, Message, Reply
from bot.ports.chat import Inbox, Window

ROOM_WAIT_S = 5.0
LOOK_S = 0.1
NO_SITE = "You are listed for no site in Backout's settings, so there is nothing that you could open."
NO_INCIDENT = "This channel belongs to no incident. Nothing was noted."


class Talk:
    """One platform's words to the service. It decides nothing."""

    def __init__(self, platform: str, name: str, inbox: Inbox, window: Window) -> None:
        self.platform = platform
        self.window = window
        self._name = name
        self._inbox = inbox

    def stranger(self, account: str) -> str:
        """Return what somebody is told whom the settings do not know."""
        return (
            f"Your {self._name} account is not listed in Backout's settings, so nothing was done. "
            f"Ask whoever keeps them: people, ids, {self.platform} = {account}"
        )

    async def command(self, account: str, channel: str, text: str, delivery_id: str) -> Reply:
        """Carry out a typed line."""
        return await self._inbox.command(
            IncomingCommand(
                platform=self.platform, account=account, channel=channel, text=text, delivery_id=delivery_id
            )
        )

    async def vote(
        self, account: str, decision_id: str, choice: str, typed: str | None, delivery_id: str
    ) -> Reply:
        """Take a vote."""
        return await self._inbox.answer(
            platform=self.platform,
            account=account,
            decision_id=decision_id,
            choice=choice,
            typed=typed,
            delivery_id=delivery_id,
        )

    async def link(self, reply: Reply, channel: str) -> str:
        """Return what leads to the incident's channel, where the person stands in another one; waits for it a little."""
        if reply.incident_id is None:
            return ""
        for _ in range(int(ROOM_WAIT_S / LOOK_S)):
            room = await self.window.room_of(self.platform, reply.incident_id)
            if room is not None:
                return "" if room.channel == channel else f"→ {room.link}"
            await asyncio.sleep(LOOK_S)
        return ""

    async def review(self, account: str, decision_id: str) -> Message | str:
        """Return an open decision with all that it would do, or why this person may not answer it; reads only."""
        person = self.window.person_of(self.platform, account)
        if person is None:
            return self.stranger(account)
        if refusal := await self.window.refusal(person, decision_id):
            return refusal
        review = await self.window.review(person, decision_id)
        return review or "This question is no longer open. Nothing was changed."

    async def note(
        self,
        *,
        account: str,
        channel: str,
        author: str,
        at: datetime,
        text: str,
        link: str,
        delivery_id: str,
    ) -> Reply:
        """Put somebody's message into the timeline of the channel's incident, with its author, time and link."""
        line = note_text(author, at, text, link)
        return await self.command(account, channel, f"/incident note {line}", delivery_id)

    async def is_incident(self, channel: str) -> bool:
        """Return whether the channel belongs to an incident; reads only."""
        return await self.window.incident_at(self.platform, channel) is not None
