"""conversations.*: channels, who is in them, and what was said there."""

from __future__ import annotations

import re
from typing import Any

from tests.fakes.common.book import Json
from tests.fakes.slack import names
from tests.fakes.slack.method import Args, Method, method, page, scopes_for
from tests.fakes.slack.wire import channel_json, message_json
from tests.fakes.slack.world import Channel, Message, Refused, World


def checked_name(world: World, args: Args) -> str:
    """Return the wanted name of a channel, or refuse it by Slack's rules; a taken name is no fault of the bot's."""
    name = args.text("name")
    if not name:
        raise args.wrong("invalid_name_required", "the name is empty")
    if len(name) > 80:
        raise args.wrong("invalid_name_maxlength", f"{name}: {len(name)} characters, 80 are allowed")
    if not re.fullmatch(r"[\w-]+", name) or name != name.lower() or not name.isascii():
        raise args.wrong("invalid_name_specials", f"{name}: lower case letters, digits, - and _ are allowed")
    if not re.search("[a-z0-9]", name):
        raise args.wrong("invalid_name_punctuation", f"{name}: punctuation only")
    if any(one.name == name for one in world.channels.values()):
        raise Refused("name_taken")
    return name


def create(world: World, args: Args) -> Json:
    kind = "private" if args.flag("is_private") else "public"
    args.need_scope(scopes_for(kind, "manage"))
    channel = world.add_channel(checked_name(world, args), creator=world.bot.id, kind=kind)
    channel.members.append(world.bot.id)
    return {"channel": channel_json(world, channel)}


def rename(world: World, args: Args) -> Json:
    channel = args.joined_channel()
    if channel.creator != world.bot.id:
        raise Refused("not_authorized")
    channel.name = checked_name(world, args)
    world.note(channel, "channel_name", f"renamed the channel to {channel.name}", world.bot.id)
    return {"channel": channel_json(world, channel)}


def invite(world: World, args: Args) -> Json:
    channel = args.joined_channel()
    if channel.is_im:
        raise args.wrong("method_not_supported_for_channel_type", "a direct message takes no invitation")
    users = args.words("users")
    if not users:
        raise args.wrong("no_user", "users is empty")
    if len(users) > 1000:
        raise args.wrong("too_many_users", f"{len(users)} users at once")
    faults = [
        {"user": one, "ok": False, "error": error} for one in users if (error := refusal(world, channel, one))
    ]
    if faults and not (args.flag("force") and len(faults) < len(users)):
        raise Refused(str(faults[0]["error"]), errors=faults)
    refused = {one["user"] for one in faults}
    for one in users:
        if one not in refused:
            enter(world, channel, one)
    return {"channel": channel_json(world, channel), **({"errors": faults} if faults else {})}


def refusal(world: World, channel: Channel, user_id: str) -> str:
    """Return the error with which an invitation of this user is answered; "" if it is fine."""
    if user_id == world.bot.id:
        return "cant_invite_self"
    if user_id not in world.users:
        return "user_not_found"
    if world.users[user_id].deleted:
        return "cant_invite"
    return "already_in_channel" if user_id in channel.members else ""


def enter(world: World, channel: Channel, user_id: str) -> None:
    """Make somebody a member, with Slack's own note and event."""
    channel.members.append(user_id)
    world.note(channel, "channel_join", f"<@{user_id}> has joined the channel", user_id)
    kind = "G" if channel.kind == "private" else "C"
    world.emit(
        {
            "type": "member_joined_channel",
            "user": user_id,
            "channel": channel.id,
            "channel_type": kind,
            "team": names.TEAM_ID,
        }
    )


def join(world: World, args: Args) -> Json:
    channel = args.channel()
    if channel.archived:
        raise Refused("is_archived")
    if channel.kind != "public":
        raise args.wrong("method_not_supported_for_channel_type", f"{channel.id} is no public channel")
    if args.is_member(channel):
        return {"channel": channel_json(world, channel), "warning": "already_in_channel"}
    enter(world, channel, world.bot.id)
    return {"channel": channel_json(world, channel)}


def leave(world: World, args: Args) -> Json:
    channel = args.channel()
    if not args.is_member(channel):
        return {"not_in_channel": True}
    channel.members.remove(world.bot.id)
    return {}


def kick(world: World, args: Args) -> Json:
    channel, user = args.joined_channel(), args.text("user")
    if user not in channel.members:
        raise Refused("not_in_channel")
    channel.members.remove(user)
    return {}


def set_topic(world: World, args: Args) -> Json:
    channel = args.joined_channel()
    topic = args.text("topic")
    if len(topic) > 250:
        raise args.wrong("too_long", f"the topic has {len(topic)} characters, 250 are allowed")
    channel.topic = topic
    world.note(channel, "channel_topic", f"set the channel topic: {topic}", world.bot.id)
    return {"channel": channel_json(world, channel), "topic": topic}


def set_purpose(world: World, args: Args) -> Json:
    channel = args.joined_channel()
    purpose = args.text("purpose")
    if len(purpose) > 250:
        raise args.wrong("too_long", f"the purpose has {len(purpose)} characters, 250 are allowed")
    channel.purpose = purpose
    return {"channel": channel_json(world, channel), "purpose": purpose}


def archive(world: World, args: Args) -> Json:
    channel = args.joined_channel(archived="already_archived")
    world.note(channel, "channel_archive", "archived the channel", world.bot.id)
    channel.archived = True
    return {}


def unarchive(world: World, args: Args) -> Json:
    channel = args.channel()
    if not channel.archived:
        raise Refused("not_archived")
    raise args.wrong("not_in_channel", "a bot that left with the archiving cannot take a channel out again")


def open_direct(world: World, args: Args) -> Json:
    users = args.words("users")
    if not users and args.text("channel"):
        channel = args.channel()
        return {"channel": {"id": channel.id}, "no_op": True, "already_open": True}
    if not users:
        raise args.wrong("users_list_not_supplied", "neither users nor channel")
    if len(users) > 1:
        raise args.wrong("too_many_users", "the stand-in has direct messages with one person only")
    args.need_scope(["im:write"])
    user = world.users.get(users[0])
    if user is None:
        raise args.wrong("user_not_found", f"there is no user {users[0]}")
    if user.deleted:
        raise Refused("user_disabled")
    return {"channel": {"id": world.direct_channel(user.id).id}}


def info(world: World, args: Args) -> Json:
    channel = args.channel()
    shown = channel_json(world, channel)
    if args.flag("include_num_members"):
        shown["num_members"] = len(channel.members)
    return {"channel": shown}


def list_all(world: World, args: Args) -> Json:
    types = args.words("types") or ["public_channel"]
    kinds = {"public_channel": "public", "private_channel": "private", "im": "im", "mpim": "mpim"}
    for one in types:
        if one not in kinds:
            raise args.wrong("invalid_types", f"types={one}")
        if one != "mpim":
            args.need_scope(scopes_for(kinds[one], "read"))
    wanted = {kinds[one] for one in types}
    found = [
        channel_json(world, one)
        for one in world.channels.values()
        if one.kind in wanted
        and (one.kind == "public" or args.is_member(one))
        and not (one.archived and args.flag("exclude_archived"))
    ]
    part, cursor = page(args, found, 100, 1000)
    return {"channels": part, "response_metadata": {"next_cursor": cursor}}


def members(_world: World, args: Args) -> Json:
    channel = args.channel()
    part, cursor = page(args, channel.members, 100, 1000)
    return {"members": part, "response_metadata": {"next_cursor": cursor}}


def history(world: World, args: Args) -> Json:
    """Newest first; replies in threads are not among them unless they were sent to the channel too."""
    channel = args.joined_channel(archived="")
    found = [
        one
        for one in reversed(list(channel.messages.values()))
        if (one.thread_ts in (None, one.ts) or one.broadcast) and in_bounds(args, one)
    ]
    return paged(world, args, channel, found)


def replies(world: World, args: Args) -> Json:
    """The parent, then its replies, oldest first."""
    channel = args.joined_channel(archived="")
    parent = channel.messages.get(args.text("ts"))
    if parent is None:
        raise Refused("thread_not_found")
    root = parent.thread_ts or parent.ts
    thread = [one for one in channel.messages.values() if root in (one.ts, one.thread_ts)]
    found = [one for one in thread if one.ts == root or in_bounds(args, one)]
    return paged(world, args, channel, found)


def in_bounds(args: Args, message: Message) -> bool:
    """Tell whether a message lies between `oldest` and `latest`, the ends themselves only if `inclusive`."""
    oldest, latest = args.text("oldest", "0"), args.text("latest") or "9" * 16
    ts = float(message.ts)
    if args.flag("inclusive"):
        return float(oldest) <= ts <= float(latest)
    return float(oldest) < ts < float(latest)


def paged(world: World, args: Args, channel: Channel, found: list[Message]) -> Json:
    part, cursor = page(args, found, 100, 999)
    with_metadata = args.flag("include_all_metadata")
    answer: dict[str, Any] = {
        "messages": [message_json(world, channel, one, metadata=with_metadata) for one in part],
        "has_more": bool(cursor),
        "pin_count": len(channel.pins),
    }
    if cursor:
        answer["response_metadata"] = {"next_cursor": cursor}
    return answer


READING = "cursor limit oldest latest inclusive include_all_metadata"
METHODS: dict[str, Method] = {
    "conversations.create": method(create, "name", "is_private", tier=20),
    "conversations.rename": method(rename, "channel name", by_kind="manage", tier=20),
    "conversations.invite": method(invite, "channel users", "force", by_kind="invite"),
    "conversations.join": method(join, "channel", scopes=["channels:join"]),
    "conversations.leave": method(leave, "channel", by_kind="manage"),
    "conversations.kick": method(kick, "channel user", by_kind="manage"),
    "conversations.setTopic": method(set_topic, "channel topic", by_kind="topic", tier=20),
    "conversations.setPurpose": method(set_purpose, "channel purpose", by_kind="topic", tier=20),
    "conversations.archive": method(archive, "channel", by_kind="manage", tier=20),
    "conversations.unarchive": method(unarchive, "channel", by_kind="manage", tier=20),
    "conversations.open": method(open_direct, "", "users channel return_im prevent_creation"),
    "conversations.info": method(info, "channel", "include_locale include_num_members", by_kind="read"),
    "conversations.list": method(list_all, "", "types cursor limit exclude_archived", tier=20),
    "conversations.members": method(members, "channel", "cursor limit", by_kind="read", tier=100),
    "conversations.history": method(history, "channel", READING, by_kind="history"),
    "conversations.replies": method(replies, "channel ts", READING, by_kind="history"),
}
