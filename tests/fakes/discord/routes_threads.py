"""Threads: made from a message or without one, archived and locked, their members, and the lists of them."""

from __future__ import annotations

from tests.fakes.common.book import Json
from tests.fakes.discord import names
from tests.fakes.discord.ask import Ask, Refused, route
from tests.fakes.discord.routes_people import check_guild
from tests.fakes.discord.rules import Fault, text
from tests.fakes.discord.things import Channel, Event, Flag, Kind
from tests.fakes.discord.wire import member_json, thread_json, thread_member_json
from tests.fakes.discord.wire_messages import tell_message
from tests.fakes.discord.world import World

GUILDS = 1 << 0
NAME = 100
SLEEPS_AFTER = (60, 1440, 4320, 10080)
KEYS = {
    "name",
    "archived",
    "auto_archive_duration",
    "locked",
    "invitable",
    "rate_limit_per_user",
    "flags",
    "applied_tags",
}
NOTE_OF_THREAD = 18


def tell_thread(world: World, thread: Channel, name: str, **more: object) -> None:
    if world.bot_sees(thread):
        world.emit(Event(name=name, data={**thread_json(world, thread), **more}, intent=GUILDS))


def check_thread(ask: Ask, body: Json) -> None:
    faults: list[Fault] = []
    if body.get("name") is not None:
        faults += text(body["name"], "name", NAME)
    duration = body.get("auto_archive_duration")
    if duration is not None and duration not in SLEEPS_AFTER:
        faults.append(("auto_archive_duration", f"{duration!r} is none of {SLEEPS_AFTER}"))
    if faults:
        raise ask.wrong("invalid_thread", faults)


def from_message(ask: Ask) -> Json:
    """Make a thread of a message; both have the same id, and a message has one thread at most."""
    channel = _text_parent(ask)
    ask.need("create_public_threads", channel=channel)
    message = ask.message(channel)
    check_thread(ask, ask.keys())
    if message.thread_id:
        raise Refused(160004)
    message.thread_id = message.id
    message.flags |= Flag.HAS_THREAD
    thread = _made(ask, channel, Kind.PUBLIC_THREAD, id=message.id)
    tell_message(ask.world, channel, message, "MESSAGE_UPDATE")
    return thread_json(ask.world, thread)


def without_message(ask: Ask) -> Json:
    """Make a thread by itself; Discord makes it private unless another type is asked for."""
    channel = _text_parent(ask)
    body = ask.keys()
    kind = body.get("type")
    if kind not in (None, Kind.PUBLIC_THREAD, Kind.PRIVATE_THREAD):
        raise ask.wrong("invalid_thread", [("type", f"{kind!r} is no type of a thread here")])
    kind = Kind(kind or Kind.PRIVATE_THREAD)
    private = kind == Kind.PRIVATE_THREAD
    ask.need("create_private_threads" if private else "create_public_threads", channel=channel)
    check_thread(ask, body)
    thread = _made(ask, channel, kind)
    if not private:
        note = ask.world.post(
            channel,
            ask.world.bot.id,
            kind=NOTE_OF_THREAD,
            content=thread.name,
            reference={"channel_id": thread.id},
        )
        tell_message(ask.world, channel, note)
    return thread_json(ask.world, thread)


def _text_parent(ask: Ask) -> Channel:
    channel = ask.text_channel()
    if channel.is_thread or channel.is_direct:
        raise ask.wrong("no_thread_here", "threads stand in channels of the server only", 50024)
    return channel


def _made(ask: Ask, channel: Channel, kind: Kind, **fields: str) -> Channel:
    body, now_s = ask.keys(), ask.world.clock.now_s()
    if not body.get("name"):
        raise ask.wrong("invalid_thread", [("name", "This field is required")])
    thread = ask.world.add_channel(
        body["name"],
        kind,
        parent_id=channel.id,
        owner_id=ask.world.bot.id,
        auto_archive_minutes=body.get("auto_archive_duration") or 4320,
        invitable=body.get("invitable", True),
        slowmode_s=body.get("rate_limit_per_user") or 0,
        archive_changed_s=now_s,
        members={ask.world.bot.id: now_s},
        **fields,
    )
    tell_thread(ask.world, thread, "THREAD_CREATE", newly_created=True)
    return thread


def change_thread(ask: Ask, thread: Channel, body: Json) -> Json:
    """Archive, lock, rename. What is archived is first to be woken: alone, or with the rest in one call."""
    for one in sorted(set(body) - KEYS):
        ask.world.violate("invalid_thread", ask.operation, f"{one} is no key of a thread")
    check_thread(ask, body)
    mine = thread.owner_id == ask.world.bot.id
    wakes_only = set(body) == {"archived"} and body["archived"] is False and not thread.locked
    if wakes_only:
        ask.need("send_messages_in_threads", channel=thread)
    elif "locked" in body or "rate_limit_per_user" in body or not mine or thread.locked:
        ask.need("manage_threads", channel=thread)
    if thread.archived and body.get("archived", True) and set(body) - {"archived", "locked"}:
        raise Refused(50083)
    if body.get("name"):
        thread.name = body["name"]
    if "archived" in body and body["archived"] != thread.archived:
        thread.archived = bool(body["archived"])
        thread.archive_changed_s = ask.world.clock.now_s()
    if "locked" in body:
        thread.locked = bool(body["locked"])
    thread.auto_archive_minutes = body.get("auto_archive_duration") or thread.auto_archive_minutes
    thread.invitable = body.get("invitable", thread.invitable)
    thread.slowmode_s = body.get("rate_limit_per_user", thread.slowmode_s) or 0
    tell_thread(ask.world, thread, "THREAD_UPDATE")
    return thread_json(ask.world, thread)


def wake(world: World, thread: Channel) -> None:
    """Take a thread out of its sleep: somebody wrote in it."""
    if thread.is_thread and thread.archived:
        thread.archived, thread.archive_changed_s = False, world.clock.now_s()
        tell_thread(world, thread, "THREAD_UPDATE")


# ---- members


def join(ask: Ask) -> None:
    _add(ask, ask.thread(), ask.world.bot.id)


def leave(ask: Ask) -> None:
    _awake(ask.thread()).members.pop(ask.world.bot.id, None)


def _awake(thread: Channel) -> Channel:
    if thread.archived:
        raise Refused(50083)
    return thread


def add_member(ask: Ask) -> None:
    """Add somebody; a person who cannot see the parent channel cannot be added."""
    thread, member = ask.thread(), ask.member()
    ask.need("send_messages_in_threads", channel=thread)
    parent = ask.world.channels[thread.parent_id]
    if not ask.world.may(member.user_id, "view_channel", parent):
        raise Refused(50001)
    _add(ask, thread, member.user_id)


def _add(ask: Ask, thread: Channel, user_id: str) -> None:
    _awake(thread).members.setdefault(user_id, ask.world.clock.now_s())
    data: Json = {
        "id": thread.id,
        "guild_id": names.GUILD_ID,
        "member_count": len(thread.members),
        "added_members": [thread_member_json(thread, user_id)],
        "removed_member_ids": [],
    }
    ask.world.emit(Event(name="THREAD_MEMBERS_UPDATE", data=data, intent=GUILDS))


def remove_member(ask: Ask) -> None:
    thread = ask.thread()
    if thread.owner_id != ask.world.bot.id or thread.kind != Kind.PRIVATE_THREAD:
        ask.need("manage_threads", channel=thread)
    _awake(thread).members.pop(ask.member().user_id, None)


def members(ask: Ask) -> list[Json]:
    thread = ask.thread()
    return [
        {**thread_member_json(thread, one), "member": member_json(ask.world, ask.world.members[one])}
        if ask.query.get("with_member") == "true" and one in ask.world.members
        else thread_member_json(thread, one)
        for one in thread.members
    ]


def thread_member(ask: Ask) -> Json:
    thread, user_id = ask.thread(), ask.path["user_id"]
    if user_id not in thread.members:
        raise Refused(10007)
    return thread_member_json(thread, user_id)


# ---- lists


def _listed(world: World, threads: list[Channel]) -> Json:
    mine = [thread_member_json(one, world.bot.id) for one in threads if world.bot.id in one.members]
    return {"threads": [thread_json(world, one) for one in threads], "members": mine, "has_more": False}


def active(ask: Ask) -> Json:
    check_guild(ask)
    found = [one for one in ask.world.channels.values() if one.is_thread and not one.archived]
    return _listed(ask.world, [one for one in found if ask.world.bot_sees(one)])


def archived_public(ask: Ask) -> Json:
    return _archived(ask, Kind.PUBLIC_THREAD)


def archived_private(ask: Ask) -> Json:
    ask.need("manage_threads", channel=ask.channel())
    return _archived(ask, Kind.PRIVATE_THREAD)


def _archived(ask: Ask, kind: Kind) -> Json:
    channel = ask.channel()
    ask.need("read_message_history", channel=channel)
    found = [one for one in ask.world.threads_of(channel) if one.archived and one.kind == kind]
    return _listed(ask.world, sorted(found, key=lambda one: -one.archive_changed_s))


ROUTES = [
    route(
        "POST /channels/{channel_id}/messages/{message_id}/threads",
        "create_thread_from_message",
        from_message,
        201,
    ),
    route("POST /channels/{channel_id}/threads", "create_thread", without_message, 201),
    route("PUT /channels/{channel_id}/thread-members/@me", "join_thread", join, 204),
    route("DELETE /channels/{channel_id}/thread-members/@me", "leave_thread", leave, 204),
    route("GET /channels/{channel_id}/thread-members", "list_thread_members", members),
    route("GET /channels/{channel_id}/thread-members/{user_id}", "get_thread_member", thread_member),
    route("PUT /channels/{channel_id}/thread-members/{user_id}", "add_thread_member", add_member, 204),
    route(
        "DELETE /channels/{channel_id}/thread-members/{user_id}", "delete_thread_member", remove_member, 204
    ),
    route("GET /guilds/{guild_id}/threads/active", "get_active_guild_threads", active),
    route(
        "GET /channels/{channel_id}/threads/archived/public", "list_public_archived_threads", archived_public
    ),
    route(
        "GET /channels/{channel_id}/threads/archived/private",
        "list_private_archived_threads",
        archived_private,
    ),
]
