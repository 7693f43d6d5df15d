"""Channels of the server: made, changed, taken away; their overwrites; direct messages."""

from __future__ import annotations

import re
from typing import Any

from tests.fakes.common.book import Json
from tests.fakes.discord import names
from tests.fakes.discord.ask import Ask, Refused, route
from tests.fakes.discord.permits import BITS, EVERYTHING
from tests.fakes.discord.routes_people import check_guild
from tests.fakes.discord.rules import Fault, text
from tests.fakes.discord.things import Channel, Event, Kind, Overwrite
from tests.fakes.discord.wire import channel_json
from tests.fakes.discord.world import World

GUILDS = 1 << 0
MANAGE_ROLES = BITS["manage_roles"]
NAME, TOPIC = 100, 1024
CHANNELS, IN_CATEGORY, OVERWRITES = 500, 50, 1000
KEYS = {
    "name",
    "type",
    "topic",
    "position",
    "permission_overwrites",
    "parent_id",
    "nsfw",
    "rate_limit_per_user",
    "default_auto_archive_duration",
    "default_thread_rate_limit_per_user",
    "flags",
    "lock_permissions",
}


def normal_name(given: str) -> str:
    """Return the name of a text channel as Discord keeps it: lower case, a hyphen for white space, few other marks."""
    lowered = re.sub(r"\s+", "-", given.strip().lower())
    return re.sub(r"[!-,./:-@\[-^`{-~]", "", lowered) or "-"


def tell_channel(world: World, channel: Channel, name: str, *, saw: bool = True) -> None:
    """Tell of a channel that was made, changed or taken away, to a bot that sees it; `saw` where it is gone already."""
    if (saw and name.endswith("DELETE")) or world.bot_sees(channel):
        world.emit(Event(name=name, data=channel_json(world, channel), intent=GUILDS))


def channels(ask: Ask) -> list[Json]:
    """Every channel but threads; Discord lists those too that the bot cannot look into."""
    check_guild(ask)
    found = [one for one in ask.world.channels.values() if not one.is_direct and not one.is_thread]
    return [channel_json(ask.world, one) for one in found]


def add_channel(ask: Ask) -> Json:
    check_guild(ask)
    body = ask.keys()
    kind = body.get("type") or 0
    if kind not in (Kind.TEXT, Kind.CATEGORY):
        raise ask.wrong("not_supported_here", f"a channel of type {kind} is not held by the stand-in")
    _check(ask, body)
    if not body.get("name"):
        raise ask.wrong("invalid_channel", [("name", "This field is required")])
    parent = _parent(ask, body)
    ask.need("manage_channels", channel=parent)
    overwrites = _overwrites(ask, body, None)
    if sum(not one.is_direct and not one.is_thread for one in ask.world.channels.values()) >= CHANNELS:
        raise Refused(30013)
    channel = ask.world.add_channel(
        normal_name(body["name"]) if kind == Kind.TEXT else body["name"],
        Kind(kind),
        parent_id=parent.id if parent else "",
        topic=body.get("topic"),
        position=body.get("position") or len(ask.world.channels),
        nsfw=bool(body.get("nsfw")),
        slowmode_s=body.get("rate_limit_per_user") or 0,
        overwrites=overwrites if overwrites is not None else _of_parent(parent),
    )
    tell_channel(ask.world, channel, "CHANNEL_CREATE")
    return channel_json(ask.world, channel)


def _check(ask: Ask, body: Json) -> None:
    faults: list[Fault] = [(one, "there is no such key here") for one in sorted(set(body) - KEYS)]
    if body.get("name") is not None:
        faults += text(body["name"], "name", NAME)
    if body.get("topic") is not None:
        faults += text(body["topic"], "topic", TOPIC, 0)
    if not 0 <= (body.get("rate_limit_per_user") or 0) <= 21_600:
        faults.append(("rate_limit_per_user", "0 to 21600 is allowed"))
    if len(body.get("permission_overwrites") or []) > OVERWRITES:
        faults.append(("permission_overwrites", f"Must be {OVERWRITES} or fewer in length."))
    if faults:
        raise ask.wrong("invalid_channel", faults)


def _parent(ask: Ask, body: Json) -> Channel | None:
    """Return the category a channel is to stand in; at most fifty stand in one."""
    given = body.get("parent_id")
    if given in (None, ""):
        return None
    parent = ask.world.channels.get(str(given))
    if parent is None:
        if str(given) not in ask.world.gone:
            ask.world.violate("unknown_id", ask.operation, f"parent_id {given} never was a channel's id")
        raise Refused(50035, errors=_category_error("Category does not exist"))
    if parent.kind != Kind.CATEGORY:
        raise ask.wrong("invalid_channel", [("parent_id", f"{parent.name} is no category")])
    inside = [one for one in ask.world.channels.values() if one.parent_id == parent.id]
    if len(inside) >= IN_CATEGORY:
        raise Refused(50035, errors=_category_error("Maximum number of channels in category reached (50)"))
    return parent


def _category_error(words: str) -> Json:
    return {"parent_id": {"_errors": [{"code": "CHANNEL_PARENT_INVALID", "message": words}]}}


def _of_parent(parent: Channel | None) -> dict[str, Overwrite]:
    """Return the category's overwrites: a channel made in it without any of its own takes them."""
    return {one.id: Overwrite(**vars(one)) for one in parent.overwrites.values()} if parent else {}


def _overwrites(ask: Ask, body: Json, channel: Channel | None) -> dict[str, Overwrite] | None:
    """Return the overwrites of a body, None where it has none. The bot gives and takes only what it has itself."""
    if body.get("permission_overwrites") is None:
        return None
    found = {}
    for one in body["permission_overwrites"]:
        overwrite = overwrite_of(ask, str(one["id"]), one)
        _check_may_set(ask, overwrite, channel)
        found[overwrite.id] = overwrite
    return found


def overwrite_of(ask: Ask, target: str, given: Json) -> Overwrite:
    kind = int(given.get("type") or 0)
    known: dict[str, Any] = ask.world.users if kind == 1 else ask.world.roles
    if target not in known:
        raise ask.wrong(
            "unknown_id",
            f"overwrite: {target} is no {'member' if kind else 'role'}",
            10009 if kind else 10011,
        )
    return Overwrite(
        id=target, kind=kind, allow=int(given.get("allow") or 0), deny=int(given.get("deny") or 0)
    )


def _check_may_set(ask: Ask, overwrite: Overwrite, channel: Channel | None) -> None:
    """Refuse bits that the bot has not.

    The right to manage roles is set by administrators only, and by who was given it in this very channel.
    """
    held = ask.world.permissions(ask.world.bot.id, channel)
    if held == EVERYTHING:
        return
    mine = [ask.world.bot.id, *ask.world.members[ask.world.bot.id].roles]
    own = [channel.overwrites[one] for one in mine if channel and one in channel.overwrites]
    given_here = any(one.allow & MANAGE_ROLES for one in own)
    if (overwrite.allow | overwrite.deny) & (~held | (0 if given_here else MANAGE_ROLES)):
        raise Refused(50013)


def channel(ask: Ask) -> Json:
    return channel_json(ask.world, ask.channel())


def change_channel(ask: Ask) -> Json:
    from tests.fakes.discord.routes_threads import change_thread

    found, body = ask.channel(), ask.keys()
    if found.is_thread:
        return change_thread(ask, found, body)
    if found.is_direct:
        raise Refused(50024)
    _check(ask, body)
    ask.need("manage_channels", channel=found)
    if "permission_overwrites" in body:
        ask.need("manage_roles", channel=found)
        found.overwrites = _overwrites(ask, body, found) or {}
    if "parent_id" in body and str(body["parent_id"] or "") != found.parent_id:
        parent = _parent(ask, body)
        found.parent_id = parent.id if parent else ""
        if body.get("lock_permissions"):
            found.overwrites = _of_parent(parent)
    if body.get("name"):
        found.name = normal_name(body["name"]) if found.kind == Kind.TEXT else body["name"]
    if "topic" in body:
        found.topic = body["topic"]
    found.position = body.get("position") or found.position
    found.nsfw = bool(body.get("nsfw", found.nsfw))
    found.slowmode_s = body.get("rate_limit_per_user", found.slowmode_s) or 0
    tell_channel(ask.world, found, "CHANNEL_UPDATE")
    return channel_json(ask.world, found)


def delete_channel(ask: Ask) -> Json:
    """A thread needs the right to manage threads; a direct message is only closed."""
    found = ask.channel()
    shown = channel_json(ask.world, found)
    if found.is_direct:
        return shown
    ask.need("manage_threads" if found.is_thread else "manage_channels", channel=found)
    take_away(ask.world, found)
    return shown


def take_away(world: World, found: Channel) -> None:
    """Take a channel from the server and tell of it."""
    saw = world.bot_sees(found)
    data = channel_json(world, found)
    world.remove_channel(found)
    if saw:
        if found.is_thread:
            data = {key: data[key] for key in ("id", "guild_id", "parent_id", "type")}
        name = "THREAD_DELETE" if found.is_thread else "CHANNEL_DELETE"
        world.emit(Event(name=name, data=data, intent=GUILDS))


def set_overwrite(ask: Ask) -> None:
    found = ask.channel()
    ask.need("manage_roles", channel=found)
    overwrite = overwrite_of(ask, ask.path["overwrite_id"], ask.keys())
    _check_may_set(ask, overwrite, found)
    found.overwrites[overwrite.id] = overwrite
    tell_channel(ask.world, found, "CHANNEL_UPDATE")


def delete_overwrite(ask: Ask) -> None:
    found = ask.channel()
    ask.need("manage_roles", channel=found)
    if found.overwrites.pop(ask.path["overwrite_id"], None) is None:
        raise Refused(10009)
    tell_channel(ask.world, found, "CHANNEL_UPDATE")


def add_direct(ask: Ask) -> Json:
    """Open the direct message with somebody; the same one every time."""
    user_id = str(ask.keys().get("recipient_id") or "")
    if user_id not in ask.world.users:
        raise ask.wrong("unknown_id", f"recipient_id {user_id!r} is nobody's id", 10013)
    if user_id == names.BOT_USER_ID:
        raise ask.wrong("direct_to_itself", "the bot writes to itself", 50007)
    if user_id not in ask.world.members and not _has_direct(ask.world, user_id):
        raise Refused(50007)
    return channel_json(ask.world, ask.world.direct_channel(user_id))


def _has_direct(world: World, user_id: str) -> bool:
    return any(one.is_direct and user_id in one.recipients for one in world.channels.values())


def typing(ask: Ask) -> None:
    ask.need("send_messages", channel=ask.text_channel())


ROUTES = [
    route("GET /guilds/{guild_id}/channels", "list_guild_channels", channels),
    route("POST /guilds/{guild_id}/channels", "create_guild_channel", add_channel, 201),
    route("GET /channels/{channel_id}", "get_channel", channel),
    route("PATCH /channels/{channel_id}", "update_channel", change_channel),
    route("DELETE /channels/{channel_id}", "delete_channel", delete_channel),
    route(
        "PUT /channels/{channel_id}/permissions/{overwrite_id}",
        "set_channel_permission_overwrite",
        set_overwrite,
        204,
    ),
    route(
        "DELETE /channels/{channel_id}/permissions/{overwrite_id}",
        "delete_channel_permission_overwrite",
        delete_overwrite,
        204,
    ),
    route("POST /users/@me/channels", "create_dm", add_direct),
    route("POST /channels/{channel_id}/typing", "trigger_typing_indicator", typing, 204),
]
