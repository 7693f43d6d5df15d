"""What persons do that the bot hears of as an event, or not at all: words, reactions, channels taken away, people gone."""

from __future__ import annotations

from tests.fakes.common.book import ControlError, Json
from tests.fakes.discord import names
from tests.fakes.discord.content import mentions
from tests.fakes.discord.deeds import Deeds
from tests.fakes.discord.routes_channels import take_away
from tests.fakes.discord.routes_marks import add_reaction
from tests.fakes.discord.routes_messages import remove
from tests.fakes.discord.routes_people import tell_member
from tests.fakes.discord.routes_threads import tell_thread, wake
from tests.fakes.discord.things import Event, Member
from tests.fakes.discord.wire import guild_create_json, member_json, user_json
from tests.fakes.discord.wire_messages import message_json, tell_message
from tests.fakes.discord.world import PRIVILEGED, World

GUILDS, MEMBERS = 1 << 0, 1 << 1


class EventDeeds:
    """Changes the server by a person's hand, and tells of it as Discord does."""

    def __init__(self, world: World, deeds: Deeds) -> None:
        self._world = world
        self._deeds = deeds

    def verbs(self) -> dict[str, object]:
        return {
            "say": self.say,
            "write_direct": self.write_direct,
            "react": self.react,
            "person_deletes_message": self.delete_message,
            "person_deletes_channel": self.delete_channel,
            "person_archives": self.archive,
            "person_leaves": self.leave,
            "person_comes_back": self.come_back,
            "person_opens_direct": self.open_direct,
            "person_gets_role": self.get_role,
            "person_loses_role": self.lose_role,
            "remove_bot": self.remove_bot,
            "invite_bot": self.invite_bot,
        }

    async def say(self, user: str, channel: str, text: str) -> Json:
        actor = self._deeds.actor(user)
        place = self._deeds.place(actor, channel)
        if not self._world.may(user, "send_messages", place):
            raise ControlError(f"{actor.name} may not write in {place.name}")
        if not text or len(text) > 2000:
            raise ControlError(f"{len(text)} characters: 1 to 2000 can be typed")
        wake(self._world, place)
        named = mentions(self._world, place, {"content": text})
        message = self._world.post(place, user, content=text, **named)
        tell_message(self._world, place, message)
        return message_json(self._world, message)

    async def write_direct(self, user: str, text: str) -> Json:
        return await self.say(user, self._world.direct_channel(user).id, text)

    async def react(self, user: str, channel: str, message_id: str, emoji: str) -> Json:
        place = self._deeds.place(self._deeds.actor(user), channel)
        message = place.messages.get(message_id)
        if message is None or message.seen_by:
            raise ControlError(f"nobody can react to {message_id}")
        add_reaction(self._world, place, message, user, emoji)
        return {}

    async def delete_message(self, user: str, channel: str, message_id: str) -> Json:
        place = self._deeds.place(self._deeds.actor(user), channel)
        message = place.messages.get(message_id)
        if message is None:
            raise ControlError(f"there is no message {message_id}")
        remove(self._world, place, message)
        return {}

    async def delete_channel(self, user: str, channel: str) -> Json:
        take_away(self._world, self._deeds.place(self._deeds.actor(user), channel))
        return {}

    async def archive(self, user: str, channel: str) -> Json:
        """Close a thread by hand."""
        thread = self._deeds.place(self._deeds.actor(user), channel)
        if not thread.is_thread:
            raise ControlError(f"{thread.name} is no thread: only threads are archived")
        thread.archived, thread.archive_changed_s = True, self._world.clock.now_s()
        tell_thread(self._world, thread, "THREAD_UPDATE")
        return {}

    async def leave(self, user: str) -> Json:
        """Go from the server: roles and all are lost."""
        self._world.members.pop(user)
        self._world.modals.pop(user, None)
        data = {"guild_id": names.GUILD_ID, "user": user_json(self._world.users[user])}
        self._world.emit(Event(name="GUILD_MEMBER_REMOVE", data=data, intent=MEMBERS))
        return {}

    async def come_back(self, user: str) -> Json:
        member = Member(user_id=user, joined_s=self._world.clock.now_s())
        self._world.members[user] = member
        data = {"guild_id": names.GUILD_ID, **member_json(self._world, member)}
        self._world.emit(Event(name="GUILD_MEMBER_ADD", data=data, intent=MEMBERS))
        return {}

    async def open_direct(self, user: str, is_open: bool) -> Json:
        """Let the bot write in direct messages, or not."""
        self._world.user_of(user).direct_open = is_open
        return {}

    async def get_role(self, user: str, role: str) -> Json:
        return self._role(user, role, given=True)

    async def lose_role(self, user: str, role: str) -> Json:
        return self._role(user, role, given=False)

    def _role(self, user: str, role: str, *, given: bool) -> Json:
        member, found = self._world.members[user], self._world.role_named(role)
        member.roles = [one for one in member.roles if one != found.id] + ([found.id] if given else [])
        tell_member(self._world, member)
        return {}

    async def remove_bot(self) -> Json:
        """Put the bot out of the server."""
        self._world.guild_there = False
        self._world.emit(Event(name="GUILD_DELETE", data={"id": names.GUILD_ID}, intent=GUILDS))
        return {}

    async def invite_bot(self) -> Json:
        """Bring the bot back into the server."""
        self._world.guild_there = True
        members = bool(self._world.allowed_intents & PRIVILEGED["members"])
        whole = guild_create_json(self._world, members=members)
        self._world.emit(Event(name="GUILD_CREATE", data=whole, intent=GUILDS))
        return {}
