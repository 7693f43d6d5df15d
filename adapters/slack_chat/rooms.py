"""The incident's channel: created or found again, its topic, members, pin and bookmark, and its archiving."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

from adapters.chat_common.naming import channel_name
from adapters.slack_chat.api import SlackApi, SlackRefusedError
from adapters.slack_chat.places import sent_of
from adapters.slack_chat.text import cut_escaped, escape
from bot.model.errors import FailedError, RoomLostError
from bot.model.room import Room, RoomPlan

TOPIC_LIMIT = 250
BOOKMARK = "Report"
NAMES_TRIED = 20

# What Slack says where the channel is no place to speak any more.
GONE = frozenset({"channel_not_found", "is_archived", "not_in_channel", "channel_is_archived", "is_inactive"})
FINE = frozenset({"already_in_channel", "already_pinned", "cant_invite_self"})


class SlackRooms:
    """Channels in Slack. Who is invited, pinned or bookmarked twice stays so once."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api

    async def open(self, plan: RoomPlan, room: Room) -> Room:
        """Return the incident's channel: the one an earlier try has made, or a new one under a name that is free."""
        for number in range(1, NAMES_TRIED + 1):
            name = channel_name(plan, number)
            try:
                made = await self._api.change("conversations.create", name=name)
            except SlackRefusedError as error:
                if error.error != "name_taken":
                    raise
                channel = await self._own_unknown(plan, name)
            else:
                channel = str(made["channel"]["id"])
            if channel is not None:
                return replace(room, channel=channel, name=name, link=f"<#{channel}>")
        raise FailedError(f"{NAMES_TRIED} channels are called {channel_name(plan)} already.")

    async def _own_unknown(self, plan: RoomPlan, name: str) -> str | None:
        """Return the channel of that name if this app made it and no incident has it: an earlier try that was cut off."""
        own = await self._api.own_user()
        async for channel in self._api.pages("conversations.list", "channels", types="public_channel"):
            if channel.get("name") == name:
                mine = channel.get("creator") == own and not channel.get("is_archived")
                return str(channel["id"]) if mine and channel["id"] not in plan.known else None
        return None

    async def furnish(self, plan: RoomPlan, room: Room) -> Room:
        """Bring topic, members, pin and bookmark to what the plan says; what Slack refuses is told in `troubles`."""
        troubles: list[str] = list(room.troubles)
        if plan.topic != room.topic:
            topic = cut_escaped(escape(plan.topic), TOPIC_LIMIT)
            await self._try(troubles, "The channel has no topic", self._set_topic(room, topic))
        for account, name in plan.people:
            if account not in room.invited:
                words = f"{name} could not be invited (is the account {account} deactivated?)"
                await self._try(troubles, words, self._invite(room, account))
        if plan.pin not in ("", room.pinned):
            await self._try(troubles, "The status could not be pinned", self._pin(room, plan.pin))
        if plan.bookmark not in ("", room.bookmarked):
            words = "The report could not be bookmarked"
            await self._try(troubles, words, self._bookmark(room, plan.bookmark))
        return replace(
            room,
            topic=plan.topic,
            invited=tuple(sorted({*room.invited, *(account for account, _ in plan.people)})),
            pinned=plan.pin or room.pinned,
            bookmarked=plan.bookmark or room.bookmarked,
            troubles=tuple(troubles),
        )

    async def close_room(self, room: Room) -> None:
        """Archive the channel; one that is archived or gone is left as it is."""
        try:
            await self._api.change("conversations.archive", channel=room.channel)
        except SlackRefusedError as error:
            if error.error not in ("already_archived", "channel_not_found", "not_in_channel"):
                raise

    async def _try(self, troubles: list[str], words: str, work: Awaitable[Any]) -> None:
        """Carry out one thing; what is refused becomes a trouble. *Raises* RoomLostError."""
        try:
            await work
        except SlackRefusedError as error:
            if error.error in GONE:
                raise RoomLostError(str(error)) from error
            if error.error not in FINE:
                trouble = f"{words}: {error}"
                if trouble not in troubles:
                    troubles.append(trouble)

    async def _set_topic(self, room: Room, topic: str) -> None:
        shown = await self._api.read("conversations.info", channel=room.channel)
        if (shown["channel"].get("topic") or {}).get("value") != topic:
            await self._api.change("conversations.setTopic", channel=room.channel, topic=topic)

    async def _invite(self, room: Room, account: str) -> None:
        await self._api.change("conversations.invite", channel=room.channel, users=account)

    async def _pin(self, room: Room, external_id: str) -> None:
        sent = sent_of(external_id)
        if sent is not None:
            await self._api.change("pins.add", channel=room.channel, timestamp=sent.ts)

    async def _bookmark(self, room: Room, external_id: str) -> None:
        sent = sent_of(external_id)
        if sent is None:
            return
        link = (await self._api.read("chat.getPermalink", channel=sent.channel, message_ts=sent.ts))[
            "permalink"
        ]
        there = (await self._api.read("bookmarks.list", channel_id=room.channel)).get("bookmarks") or []
        old = next((one for one in there if one.get("title") == BOOKMARK), None)
        if old is None:
            await self._api.change(
                "bookmarks.add", channel_id=room.channel, title=BOOKMARK, type="link", link=link
            )
        elif old.get("link") != link:
            await self._api.change(
                "bookmarks.edit", channel_id=room.channel, bookmark_id=old["id"], link=link
            )
