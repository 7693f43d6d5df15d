"""pins.*, bookmarks.* and reactions.*: what is stuck to a channel or a message."""

from __future__ import annotations

from tests.fakes.common.book import Json
from tests.fakes.slack.method import Args, Method, method
from tests.fakes.slack.wire import message_json, reactions_json
from tests.fakes.slack.world import Channel, Message, Refused, World

PINS_MOST = 100
BOOKMARKS_MOST = 100


def message_at(args: Args, channel: Channel, name: str = "timestamp") -> Message:
    found = channel.messages.get(args.text(name))
    if found is None:
        raise Refused("message_not_found")
    return found


def pin(world: World, args: Args) -> Json:
    channel = args.joined_channel()
    message = message_at(args, channel)
    if message.ts in channel.pins:
        raise Refused("already_pinned")
    if len(channel.pins) >= PINS_MOST:
        raise Refused("too_many_pins")
    channel.pins.append(message.ts)
    world.note(channel, "pinned_item", f"<@{world.bot.id}> pinned a message to this channel.", world.bot.id)
    return {}


def unpin(_world: World, args: Args) -> Json:
    channel = args.joined_channel()
    message = message_at(args, channel)
    if message.ts not in channel.pins:
        raise Refused("no_pin")
    channel.pins.remove(message.ts)
    return {}


def list_pins(world: World, args: Args) -> Json:
    channel = args.channel()
    items = [
        {
            "type": "message",
            "channel": channel.id,
            "message": message_json(world, channel, channel.messages[ts]),
        }
        for ts in reversed(channel.pins)
    ]
    return {"items": items}


def _checked_link(args: Args) -> None:
    if args.text("title") and len(args.text("title")) > 255:
        raise args.wrong("invalid_arguments", "a bookmark's title is too long")
    link = args.text("link")
    if link and not link.startswith(("http://", "https://")):
        raise args.wrong("invalid_link", f"link={link}")


def add_bookmark(world: World, args: Args) -> Json:
    channel = args.joined_channel("channel_id")
    if args.text("type") != "link":
        raise args.wrong("invalid_bookmark_type", f"type={args.text('type')}")
    if not args.text("link"):
        raise args.wrong("invalid_link", "link is missing")
    _checked_link(args)
    if len(channel.bookmarks) >= BOOKMARKS_MOST:
        raise Refused("too_many_bookmarks")
    bookmark = {
        "id": world.new_id("Bk"),
        "channel_id": channel.id,
        "title": args.text("title"),
        "link": args.text("link"),
        "emoji": args.text("emoji"),
        "type": "link",
        "app_id": "",
    }
    channel.bookmarks[bookmark["id"]] = bookmark
    return {"bookmark": bookmark}


def _bookmark(args: Args) -> tuple[Channel, Json]:
    channel = args.joined_channel("channel_id")
    found = channel.bookmarks.get(args.text("bookmark_id"))
    if found is None:
        raise Refused("not_found")
    return channel, found


def edit_bookmark(_world: World, args: Args) -> Json:
    _channel, found = _bookmark(args)
    _checked_link(args)
    found.update({name: args.text(name) for name in ("title", "link", "emoji") if args.text(name)})
    return {"bookmark": found}


def remove_bookmark(_world: World, args: Args) -> Json:
    channel, found = _bookmark(args)
    del channel.bookmarks[found["id"]]
    return {}


def list_bookmarks(_world: World, args: Args) -> Json:
    return {"bookmarks": list(args.channel("channel_id").bookmarks.values())}


def add_reaction(world: World, args: Args) -> Json:
    channel = args.joined_channel()
    react(world, channel, message_at(args, channel), world.bot.id, args.text("name"))
    return {}


def react(world: World, channel: Channel, message: Message, user: str, name: str) -> Json:
    """Put somebody's reaction on a message; returns the event of it.

    Raises:
        Refused: already_reacted.
    """
    users = message.reactions.setdefault(name, [])
    if user in users:
        raise Refused("already_reacted")
    users.append(user)
    return {
        "type": "reaction_added",
        "user": user,
        "reaction": name,
        "item_user": message.user,
        "item": {"type": "message", "channel": channel.id, "ts": message.ts},
        "event_ts": world.next_ts(),
    }


def remove_reaction(world: World, args: Args) -> Json:
    channel = args.joined_channel()
    users = message_at(args, channel).reactions.get(args.text("name"), [])
    if world.bot.id not in users:
        raise Refused("no_reaction")
    users.remove(world.bot.id)
    return {}


def get_reactions(world: World, args: Args) -> Json:
    channel = args.channel()
    message = message_at(args, channel)
    shown = message_json(world, channel, message)
    return {
        "type": "message",
        "channel": channel.id,
        "message": {**shown, "reactions": reactions_json(message)},
    }


LINK = "title link emoji"
METHODS: dict[str, Method] = {
    "pins.add": method(pin, "channel timestamp", scopes=["pins:write"], tier=20),
    "pins.remove": method(unpin, "channel timestamp", scopes=["pins:write"], tier=20),
    "pins.list": method(list_pins, "channel", scopes=["pins:read"], tier=20),
    "bookmarks.add": method(
        add_bookmark,
        "channel_id title type",
        "link emoji entity_id parent_id access_level",
        scopes=["bookmarks:write"],
        tier=20,
    ),
    "bookmarks.edit": method(
        edit_bookmark, "bookmark_id channel_id", LINK, scopes=["bookmarks:write"], tier=20
    ),
    "bookmarks.remove": method(
        remove_bookmark, "bookmark_id channel_id", "quip_section_id", scopes=["bookmarks:write"], tier=20
    ),
    "bookmarks.list": method(list_bookmarks, "channel_id", scopes=["bookmarks:read"]),
    "reactions.add": method(add_reaction, "channel timestamp name", scopes=["reactions:write"]),
    "reactions.remove": method(
        remove_reaction, "name", "channel timestamp file file_comment", scopes=["reactions:write"], tier=20
    ),
    "reactions.get": method(get_reactions, "channel timestamp", "full", scopes=["reactions:read"]),
}
