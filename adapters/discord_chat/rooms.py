"""The incident's channel: made under a category, private; its topic, members and pins; what takes the place of an archive."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Any

import structlog

from adapters.chat_common.naming import channel_name
from adapters.chat_common.words import cut
from adapters.discord_chat.api import MISSING_ACCESS, UNKNOWN_CHANNEL, DiscordApi, DiscordRefusedError
from adapters.discord_chat.places import sent_of
from adapters.discord_chat.rights import FOR_BOT, FOR_PEOPLE, TO_WRITE, VIEW
from bot.model.errors import ChatLaterError, FailedError, RoomLostError
from bot.model.room import Room, RoomPlan

log = structlog.get_logger(__name__)

TOPIC_LIMIT = 1024
TEXT, CATEGORY = 0, 4
ROLE, MEMBER = 0, 1
IN_CATEGORY = 50
CATEGORIES_TRIED = 10
GONE = frozenset({UNKNOWN_CHANNEL, MISSING_ACCESS})
INVALID = 50035

Channel = Mapping[str, Any]


class DiscordRooms:
    """Channels in one server. Every method looks before it changes anything."""

    def __init__(
        self, api: DiscordApi, guild_id: str, category: str, archive_category: str, role: str | None
    ) -> None:
        self._api = api
        self._guild = guild_id
        self._category = category
        self._archive_category = archive_category
        self._role = role

    async def open(self, plan: RoomPlan, room: Room) -> Room:
        """Return the incident's channel: the one an earlier try has made, or a new one with all that belongs to it.

        Discord lets many channels have one name, and tells of none who made it. What is ours has the incident's id in its
        topic, and an overwrite for this bot. *Raises* FailedError when none can be made.
        """
        channels = await self._channels()
        own = await self._api.own_id()
        taken = {one["name"] for one in channels if one["type"] == TEXT}
        mine = [one for one in channels if self._is_ours(one, plan, own)]
        made = mine[0] if mine else await self._made(plan, own, _free_name(plan, taken))
        channel = str(made["id"])
        return replace(
            room,
            channel=channel,
            name=str(made["name"]),
            link=f"<#{channel}>",
            topic=plan.topic,
            invited=tuple(sorted(account for account, _ in plan.people)),
        )

    async def furnish(self, plan: RoomPlan, room: Room) -> Room:
        """Bring topic, members and pins to what the plan says; what Discord refuses is told in `troubles`."""
        troubles: list[str] = list(room.troubles)
        topic = room.topic
        if plan.topic != room.topic and await self._try(
            troubles, "The channel keeps its old topic", self._set_topic(room, plan.topic)
        ):
            topic = plan.topic
        for account, name in plan.people:
            if account not in room.invited:
                words = f"{name} could not be let into the channel (is the account {account} in the server?)"
                await self._try(troubles, words, self._let_in(room, account))
        for message, known, words in (
            (plan.pin, room.pinned, "The status could not be pinned"),
            (plan.bookmark, room.bookmarked, "The report could not be pinned"),
        ):
            if message not in ("", known):
                await self._try(troubles, words, self._pin(message))
        return replace(
            room,
            topic=topic,
            invited=tuple(sorted({*room.invited, *(account for account, _ in plan.people)})),
            pinned=plan.pin or room.pinned,
            bookmarked=plan.bookmark or room.bookmarked,
            troubles=tuple(troubles),
        )

    async def close_room(self, room: Room) -> None:
        """Move the channel to the archived incidents, where it is read only; one that is gone is left as it is."""
        try:
            shown = await self._api.read("/channels/{channel}", channel=room.channel)
        except DiscordRefusedError as error:
            if error.code in GONE:
                return
            raise
        own = await self._api.own_id()
        overwrites = [_read_only(one, own) for one in shown.get("permission_overwrites") or ()]

        async def move(parent: str) -> Any:
            body = {"parent_id": parent, "permission_overwrites": overwrites}
            return await self._api.change("PATCH", "/channels/{channel}", body, channel=room.channel)

        await self._in_category(self._archive_category, str(shown.get("parent_id") or ""), move)

    # -- making one

    async def _made(self, plan: RoomPlan, own: str, name: str) -> dict[str, Any]:
        people = [(account, MEMBER) for account, _ in plan.people]
        roles = [(self._role, ROLE)] if self._role else []
        body = {
            "name": name,
            "type": TEXT,
            "topic": cut(plan.topic, TOPIC_LIMIT),
            "permission_overwrites": [
                {"id": self._guild, "type": ROLE, "allow": "0", "deny": str(VIEW)},
                # Without one of its own the bot would lock itself out with everybody else.
                {"id": own, "type": MEMBER, "allow": str(FOR_BOT), "deny": "0"},
                *(
                    {"id": one, "type": kind, "allow": str(FOR_PEOPLE), "deny": "0"}
                    for one, kind in (*roles, *people)
                ),
            ],
        }

        async def make(parent: str) -> Any:
            return await self._api.change(
                "POST", "/guilds/{guild}/channels", {**body, "parent_id": parent}, guild=self._guild
            )

        made: dict[str, Any] = await self._in_category(self._category, "", make)
        return made

    async def _in_category(self, name: str, is_in: str, work: Any) -> Any:
        """Do something with a category of that name that has room; the next one is made where none has. `is_in`: where it is now."""
        full: set[str] = set()
        for _ in range(CATEGORIES_TRIED):
            parent = await self._category_with_room(name, is_in, full)
            try:
                return await work(parent)
            except DiscordRefusedError as error:
                if error.code != INVALID or "parent_id" not in str(error):
                    raise
                full.add(parent)  # somebody was faster, or took the category away: the next one
        raise FailedError(f"there is no room in {CATEGORIES_TRIED} categories called {name}.")

    async def _category_with_room(self, name: str, is_in: str, full: set[str]) -> str:
        channels = await self._channels()
        mine = [one for one in channels if one["type"] == CATEGORY and _is_called(one["name"], name)]
        for one in sorted(mine, key=lambda each: (len(each["name"]), each["name"])):
            inside = sum(1 for each in channels if each.get("parent_id") == one["id"])
            if one["id"] == is_in or (inside < IN_CATEGORY and one["id"] not in full):
                return str(one["id"])
        numbered = name if not mine else f"{name} {len(mine) + 1}"
        body = {"name": numbered, "type": CATEGORY}
        made = await self._api.change("POST", "/guilds/{guild}/channels", body, guild=self._guild)
        return str(made["id"])

    async def _channels(self) -> list[dict[str, Any]]:
        return list(await self._api.read("/guilds/{guild}/channels", guild=self._guild))

    def _is_ours(self, channel: Channel, plan: RoomPlan, own: str) -> bool:
        """Return whether an earlier try of this incident has made a channel, that nobody has written down."""
        mine = any(one["id"] == own for one in channel.get("permission_overwrites") or ())
        named = str(channel.get("topic") or "").endswith(f"({plan.incident_id})")
        return channel["type"] == TEXT and mine and named and channel["id"] not in plan.known

    # -- keeping it

    async def _try(self, troubles: list[str], words: str, work: Awaitable[Any]) -> bool:
        """Carry out one thing; what is refused becomes a trouble. Returns False where it waits. *Raises* RoomLostError."""
        try:
            await work
        except ChatLaterError as error:
            if error.after_s is None:
                raise
            # A topic may be changed twice in ten minutes: nothing else waits for that.
            log.info("waits", what=words, seconds=error.after_s)
            return False
        except DiscordRefusedError as error:
            if error.code in GONE:
                raise RoomLostError(str(error)) from error
            trouble = f"{words}: {error}"
            if trouble not in troubles:
                troubles.append(trouble)
        return True

    async def _set_topic(self, room: Room, topic: str) -> None:
        shown = await self._api.read("/channels/{channel}", channel=room.channel)
        wanted = cut(topic, TOPIC_LIMIT)
        if shown.get("topic") != wanted:
            body = {"topic": wanted}
            await self._api.change("PATCH", "/channels/{channel}", body, channel=room.channel)

    async def _let_in(self, room: Room, account: str) -> None:
        body = {"type": MEMBER, "allow": str(FOR_PEOPLE), "deny": "0"}
        path = "/channels/{channel}/permissions/{account}"
        await self._api.change("PUT", path, body, channel=room.channel, account=account)

    async def _pin(self, external_id: str) -> None:
        sent = sent_of(external_id)
        if sent is not None:
            path = "/channels/{channel}/messages/pins/{message}"
            await self._api.change("PUT", path, channel=sent.channel, message=sent.message)


def _free_name(plan: RoomPlan, taken: set[str]) -> str:
    number = 1
    while (name := channel_name(plan, number)) in taken:
        number += 1
    return name


def _is_called(name: str, wanted: str) -> bool:
    """Return whether a category is the wanted one, or one of those that were made when it was full."""
    rest = name.removeprefix(wanted)
    return name == wanted or (name.startswith(wanted) and rest.strip().isdigit())


def _read_only(overwrite: Channel, own: str) -> dict[str, Any]:
    """Return an overwrite as it is in the archive: who could read may read; nobody but the bot writes."""
    allow, deny = int(overwrite["allow"]), int(overwrite["deny"])
    if overwrite["id"] != own:
        allow, deny = allow & ~TO_WRITE, deny | TO_WRITE
    return {"id": overwrite["id"], "type": int(overwrite["type"]), "allow": str(allow), "deny": str(deny)}
