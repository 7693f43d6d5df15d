"""What persons do that the bot hears of as an event: words, reactions, App Home, and what is done to channels and accounts."""

from __future__ import annotations

import html

from tests.fakes.common.book import ControlError, Json
from tests.fakes.slack.courier import Courier
from tests.fakes.slack.deeds import Deeds
from tests.fakes.slack.events import Events
from tests.fakes.slack.methods_chat import KIND_IN_EVENTS, remove
from tests.fakes.slack.methods_conversations import enter
from tests.fakes.slack.methods_marks import react
from tests.fakes.slack.methods_views import view_json
from tests.fakes.slack.wire import message_json, user_json
from tests.fakes.slack.world import Channel, Message, Refused, World


class EventDeeds:
    """Deeds that become events. Where a test waits for the ack, an event that would not be sent is an error."""

    def __init__(self, world: World, deeds: Deeds, events: Events, courier: Courier) -> None:
        self._world = world
        self._deeds = deeds
        self._events = events
        self._courier = courier

    async def _tell(self, event: Json) -> Json:
        reason = self._events.reason_not_told(event)
        if reason:
            raise ControlError(f"{event['type']}: {reason}")
        return (await self._courier.deliver(self._events.wrapped(event))).shown()

    def _write(self, user: str, place: Channel, text: str, thread_ts: str | None) -> Message:
        if place.archived:
            raise ControlError(f"{place.name} is archived: nobody can write there")
        if thread_ts is not None and thread_ts not in place.messages:
            raise ControlError(f"there is no message {thread_ts} in {place.name}")
        typed = self._deeds.with_ids(html.escape(text, quote=False))
        return self._world.post(place, user, typed, thread_ts=thread_ts)

    def _event_of(self, place: Channel, message: Message, kind: str) -> Json:
        shown = message_json(self._world, place, message)
        event = {**shown, "type": kind, "channel": place.id, "event_ts": message.ts}
        if kind == "message":
            event["channel_type"] = KIND_IN_EVENTS[place.kind]
        return event

    async def say(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> Json:
        actor = self._deeds.actor(user)
        place = self._deeds.place(actor, channel)
        message = self._write(user, place, text, thread_ts)
        self._events.tell_soon(self._event_of(place, message, "message"))
        return {"ts": message.ts}

    async def mention(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> Json:
        actor = self._deeds.actor(user)
        place = self._deeds.place(actor, channel)
        message = self._write(user, place, f"@{self._world.bot.name} {text}", thread_ts)
        self._events.tell_soon(self._event_of(place, message, "message"))
        return await self._tell(self._event_of(place, message, "app_mention"))

    async def write_direct(self, user: str, text: str) -> Json:
        if not self._world.app.messages_enabled:
            raise ControlError("the manifest has not messages_tab_enabled: nobody can write to the bot")
        self._deeds.actor(user)
        place = self._world.direct_channel(user)
        return await self._tell(self._event_of(place, self._write(user, place, text, None), "message"))

    async def react(self, user: str, channel: str, ts: str, reaction: str) -> Json:
        actor = self._deeds.actor(user)
        place = self._deeds.place(actor, channel)
        if ts not in place.messages:
            raise ControlError(f"there is no message {ts} in {place.name}")
        try:
            return await self._tell(react(self._world, place, place.messages[ts], user, reaction))
        except Refused as refusal:
            raise ControlError(refusal.error) from None

    async def open_home(self, user: str) -> Json:
        if not self._world.app.home_enabled:
            raise ControlError("the manifest has not home_tab_enabled")
        self._deeds.actor(user)
        place, view = self._world.direct_channel(user), self._world.views.homes.get(user)
        event: Json = {"type": "app_home_opened", "user": user, "channel": place.id, "tab": "home"}
        if view is not None:
            event["view"] = view_json(view)
        return await self._tell(event)

    # ---- done to channels

    def _channel_event(self, channel: Channel, what: str, user: str) -> Json:
        prefix = "group" if channel.kind == "private" else "channel"
        return {"type": f"{prefix}_{what}", "channel": channel.id, "user": user, "actor_id": user}

    async def archive(self, user: str, channel: str) -> Json:
        place = self._world.channel_named(channel)
        self._world.note(place, "channel_archive", "archived the channel", user)
        place.archived = True
        self._world.emit(self._channel_event(place, "archive", user))
        return {}

    async def unarchive(self, user: str, channel: str) -> Json:
        place = self._world.channel_named(channel)
        place.archived = False
        self._world.note(place, "channel_unarchive", "un-archived the channel", user)
        self._world.emit(self._channel_event(place, "unarchive", user))
        return {}

    async def delete_channel(self, user: str, channel: str) -> Json:
        place = self._world.channel_named(channel)
        event = self._channel_event(place, "deleted", user)
        reason = self._events.reason_not_told(event)
        del self._world.channels[place.id]
        self._world.gone_channels.add(place.id)
        if not reason:
            self._courier.soon(self._events.wrapped(event))
        return {}

    async def delete_message(self, user: str, channel: str, ts: str) -> Json:
        place = self._world.channel_named(channel)
        if ts not in place.messages:
            raise ControlError(f"there is no message {ts} in {place.name}")
        remove(place, ts)
        kind = KIND_IN_EVENTS[place.kind]
        event = {"type": "message", "subtype": "message_deleted", "hidden": True, "deleted_ts": ts}
        self._world.emit({**event, "channel": place.id, "channel_type": kind, "user": user})
        return {}

    async def remove_bot(self, user: str, channel: str) -> Json:
        place, bot = self._world.channel_named(channel), self._world.bot.id
        if bot not in place.members:
            raise ControlError(f"the bot is not in {place.name}")
        event = {"type": "member_left_channel", "user": bot, "channel": place.id, "channel_type": "C"}
        told = [
            self._events.wrapped(one)
            for one in (event, self._channel_event(place, "left", user))
            if not self._events.reason_not_told(one)
        ]
        place.members.remove(bot)
        for one in told:
            self._courier.soon(one)
        return {}

    async def join(self, user: str, channel: str) -> Json:
        actor, place = self._deeds.actor(user), self._world.channel_named(channel)
        if actor.id in place.members:
            raise ControlError(f"{actor.name} is in {place.name} already")
        enter(self._world, place, user)
        return {}

    async def leave(self, user: str, channel: str) -> Json:
        place = self._deeds.place(self._deeds.actor(user), channel)
        place.members.remove(user)
        self._world.emit(
            {"type": "member_left_channel", "user": user, "channel": place.id, "channel_type": "C"}
        )
        return {}

    async def deactivate(self, user: str) -> Json:
        gone = self._deeds.actor(user)
        gone.deleted = True
        for channel in self._world.channels.values():
            if user in channel.members and not channel.is_im:
                channel.members.remove(user)
        self._world.emit({"type": "user_change", "user": user_json(self._world, gone, email=False)})
        return {}
