"""Pins and reactions."""

from __future__ import annotations

from datetime import datetime

from tests.fakes.common.book import Json
from tests.fakes.discord import names
from tests.fakes.discord.ask import Ask, Refused, route
from tests.fakes.discord.things import Channel, Event, Message
from tests.fakes.discord.wire import member_json, stamp, user_json
from tests.fakes.discord.wire_messages import (
    DIRECT_REACTIONS,
    GUILD_REACTIONS,
    seen_by_bot,
    tell_message,
)
from tests.fakes.discord.world import World

GUILDS = 1 << 0
PINS = 250
NOTE_OF_PIN = 6
EMOJIS = 20


def pinned(ask: Ask) -> Json:
    """Return the pins, the newest first, by pages of at most fifty."""
    channel = ask.text_channel()
    limit, before = ask.number("limit", 50, least=1, most=50), ask.query.get("before")
    found = _pins(ask, channel)
    if before:
        end = stamp(datetime.fromisoformat(before).timestamp())
        found = [one for one in found if stamp(channel.pins[one.id]) < end]
    items = [
        {"pinned_at": stamp(channel.pins[one.id]), "message": seen_by_bot(ask.world, one)}
        for one in found[:limit]
    ]
    return {"items": items, "has_more": len(found) > limit}


def old_pinned(ask: Ask) -> list[Json]:
    channel = ask.text_channel()
    return [seen_by_bot(ask.world, one) for one in _pins(ask, channel)[:50]]


def _pins(ask: Ask, channel: Channel) -> list[Message]:
    ask.world.permissions_used.add("read_message_history")
    if not ask.world.may(ask.world.bot.id, "read_message_history", channel):
        return []
    return [channel.messages[one] for one in sorted(channel.pins, key=lambda one: -channel.pins[one])]


def pin(ask: Ask) -> None:
    """Pin a message; Discord puts a note of it into the channel. To pin what is pinned changes nothing."""
    channel = ask.text_channel()
    ask.need("pin_messages", channel=channel)
    message = ask.message(channel)
    _check_markable(channel, message)
    if message.id in channel.pins:
        return
    if len(channel.pins) >= PINS:
        raise Refused(30003)
    # Each later than the one before, by what a time stamp can show: pages end between two of them.
    latest_s = max(channel.pins.values(), default=0.0)
    channel.pins[message.id] = max(ask.world.clock.now_s(), latest_s + 2e-6)
    reference = {"channel_id": channel.id, "message_id": message.id, "guild_id": names.GUILD_ID}
    note = ask.world.post(channel, ask.world.bot.id, kind=NOTE_OF_PIN, reference=reference)
    tell_message(ask.world, channel, note)
    _tell_pins(ask.world, channel)


def unpin(ask: Ask) -> None:
    channel = ask.text_channel()
    ask.need("pin_messages", channel=channel)
    if channel.pins.pop(ask.message(channel).id, None) is not None:
        _tell_pins(ask.world, channel)


def _check_markable(channel: Channel, message: Message) -> None:
    if message.is_note:
        raise Refused(50021)
    if channel.archived:
        raise Refused(50083)


def _tell_pins(world: World, channel: Channel) -> None:
    data: Json = {
        "channel_id": channel.id,
        "last_pin_timestamp": stamp(max(channel.pins.values())) if channel.pins else None,
    }
    if not channel.is_direct:
        data["guild_id"] = names.GUILD_ID
    world.emit(Event(name="CHANNEL_PINS_UPDATE", data=data, intent=GUILDS))


# ---- reactions


def react(ask: Ask) -> None:
    channel = ask.text_channel()
    message, emoji = ask.message(channel), _emoji(ask)
    ask.need("read_message_history", channel=channel)
    if not message.reactions.get(emoji):
        ask.need("add_reactions", channel=channel)
        if len(message.reactions) >= EMOJIS:
            raise Refused(30010, "Maximum number of reactions reached (20)")
    if channel.archived:
        raise Refused(50083)
    add_reaction(ask.world, channel, message, ask.world.bot.id, emoji)


def _emoji(ask: Ask) -> str:
    given = ask.path["emoji_name"]
    if given.isascii():
        raise ask.wrong("unknown_emoji", f"{given!r} is no emoji", 10014)
    return given


def add_reaction(world: World, channel: Channel, message: Message, user_id: str, emoji: str) -> None:
    """Put a reaction on a message and tell of it."""
    users = message.reactions.setdefault(emoji, [])
    if user_id not in users:
        users.append(user_id)
        _tell_reaction(world, channel, message, user_id, emoji, "MESSAGE_REACTION_ADD")


def unreact(ask: Ask) -> None:
    channel = ask.text_channel()
    message, emoji = ask.message(channel), _emoji(ask)
    users = message.reactions.get(emoji, [])
    if ask.world.bot.id in users:
        users.remove(ask.world.bot.id)
        _tell_reaction(ask.world, channel, message, ask.world.bot.id, emoji, "MESSAGE_REACTION_REMOVE")


def _tell_reaction(
    world: World, channel: Channel, message: Message, user_id: str, emoji: str, name: str
) -> None:
    data: Json = {
        "user_id": user_id,
        "channel_id": channel.id,
        "message_id": message.id,
        "message_author_id": message.author_id,
        "emoji": {"id": None, "name": emoji},
        "burst": False,
        "type": 0,
    }
    if not channel.is_direct:
        data["guild_id"] = names.GUILD_ID
        if user_id in world.members and name.endswith("ADD"):
            data["member"] = member_json(world, world.members[user_id])
    if world.bot_sees(channel):
        world.emit(
            Event(name=name, data=data, intent=DIRECT_REACTIONS if channel.is_direct else GUILD_REACTIONS)
        )


def reactions(ask: Ask) -> list[Json]:
    message = ask.message(ask.text_channel())
    return [user_json(ask.world.users[one]) for one in message.reactions.get(_emoji(ask), [])]


REACTION = "/channels/{channel_id}/messages/{message_id}/reactions/{emoji_name}"
ROUTES = [
    route("GET /channels/{channel_id}/messages/pins", "list_pins", pinned),
    route("PUT /channels/{channel_id}/messages/pins/{message_id}", "create_pin", pin, 204),
    route("DELETE /channels/{channel_id}/messages/pins/{message_id}", "delete_pin", unpin, 204),
    route("GET /channels/{channel_id}/pins", "deprecated_list_pins", old_pinned),
    route("PUT /channels/{channel_id}/pins/{message_id}", "deprecated_create_pin", pin, 204),
    route("DELETE /channels/{channel_id}/pins/{message_id}", "deprecated_delete_pin", unpin, 204),
    route(f"GET {REACTION}", "list_message_reactions_by_emoji", reactions),
    route(f"PUT {REACTION}/@me", "add_my_message_reaction", react, 204),
    route(f"DELETE {REACTION}/@me", "delete_my_message_reaction", unreact, 204),
]
