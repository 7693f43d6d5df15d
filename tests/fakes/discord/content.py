"""What a message says: checked by every rule, and put into a new message or over an old one."""

from __future__ import annotations

import copy
from typing import Any

from tests.fakes.common.book import Json
from tests.fakes.discord.ask import Ask, Refused
from tests.fakes.discord.rules import FLAGS_OF_BOTS, MENTION, ROLE_MENTION, Fault, content_faults, is_empty
from tests.fakes.discord.rules_components import component_faults
from tests.fakes.discord.things import Attachment, Channel, Flag, Message
from tests.fakes.discord.world import World

KEYS = {
    "content",
    "embeds",
    "components",
    "allowed_mentions",
    "attachments",
    "flags",
    "tts",
    "nonce",
    "enforce_nonce",
    "message_reference",
}
NOT_HELD = ("poll", "sticker_ids", "shared_client_theme")
COMPLAINTS = {"content": "invalid_content", "embeds": "invalid_embeds", "components": "invalid_components"}


def check_content(ask: Ask, body: Json, *, flags: int = FLAGS_OF_BOTS, edited: Message | None = None) -> None:
    """Refuse what Discord would refuse; `flags` are those that may be set here.

    Raises:
        Refused: 50035 with every fault, 50006 for a message that says nothing.
    """
    for key in NOT_HELD:
        if body.get(key):
            ask.world.violate("not_supported_here", ask.operation, f"{key} is not held by the stand-in")
    judged = body
    if edited and "flags" not in body:
        judged = {**body, "flags": edited.flags & Flag.COMPONENTS_V2}
    odd_keys = sorted(set(body) - KEYS - set(NOT_HELD))
    faults: list[Fault] = [(one, "there is no such key here") for one in odd_keys]
    faults += [*content_faults(judged), *component_faults(judged)]
    if faults:
        rule = COMPLAINTS.get(faults[0][0].split("/")[0], "invalid_message")
        raise ask.wrong(rule, faults)
    odd = int(body.get("flags") or 0) & ~flags
    if odd:
        raise ask.wrong("invalid_flags", [("flags", f"{odd} may not be set here")])
    _check_attachments(ask, body, edited)
    _check_mentions(ask, body)
    if edited is None and says_nothing(body, ask.files):
        raise ask.wrong("empty_message", "no content, embed, component or file", 50006)


def says_nothing(body: Json, files: dict[int, Attachment]) -> bool:
    embeds = [one for one in body.get("embeds") or [] if not is_empty(one)]
    return not (str(body.get("content") or "").strip() or embeds or body.get("components") or files)


def _check_attachments(ask: Ask, body: Json, edited: Message | None) -> None:
    listed = {str(one.get("id")) for one in body.get("attachments") or []}
    kept = {one.id for one in edited.attachments} if edited else set()
    sent = {str(one) for one in ask.files}
    for one in sorted(listed - kept - sent):
        raise ask.wrong(
            "invalid_attachments", [("attachments", f"{one} is neither a file sent nor one kept")]
        )
    if listed and sent - listed:
        ask.world.violate(
            "invalid_attachments", ask.operation, f"files {sorted(sent - listed)} are not listed"
        )
    for one in body.get("embeds") or []:
        for key in ("image", "thumbnail"):
            url = str((one.get(key) or {}).get("url", ""))
            names = [file.name for file in ask.files.values()]
            if url.startswith("attachment://") and url.removeprefix("attachment://") not in names:
                ask.world.violate("invalid_attachments", ask.operation, f"{url} is no file of this message")


def _check_mentions(ask: Ask, body: Json) -> None:
    words = all_words(body)
    for user_id in MENTION.findall(words):
        if user_id not in ask.world.users:
            ask.world.violate("mention_of_nobody", ask.operation, f"<@{user_id}> is nobody's id")
    for role_id in ROLE_MENTION.findall(words):
        if role_id not in ask.world.roles:
            ask.world.violate("mention_of_nobody", ask.operation, f"<@&{role_id}> is no role's id")
    allowed = body.get("allowed_mentions") or {}
    for user_id in allowed.get("users") or []:
        if str(user_id) not in ask.world.users:
            ask.world.violate("mention_of_nobody", ask.operation, f"allowed_mentions: {user_id} is nobody")


def all_words(value: Any) -> str:
    """Return the words of a message, wherever they stand."""
    if isinstance(value, dict):
        keys = ("content", "embeds", "title", "description", "fields", "name", "value", "text", "footer")
        inner = [
            all_words(value[one]) for one in (*keys, "author", "components", "accessory") if one in value
        ]
        return "\n".join(one for one in inner if one)
    if isinstance(value, list):
        return "\n".join(all_words(one) for one in value)
    return value if isinstance(value, str) else ""


def fields_of(ask: Ask, channel: Channel, body: Json) -> Json:
    """Return the fields of a new message."""
    return {
        "content": str(body.get("content") or ""),
        "embeds": [one for one in copy.deepcopy(body.get("embeds") or []) if not is_empty(one)],
        "components": numbered(body.get("components")),
        "attachments": list(ask.files.values()),
        "flags": int(body.get("flags") or 0),
        **mentions(ask.world, channel, body),
    }


def numbered(components: Any) -> list[Json]:
    """Return components as Discord keeps them: each with a number as id."""
    kept: list[Json] = copy.deepcopy(components or [])
    number = 0

    def give(part: Json) -> None:
        nonlocal number
        number += 1
        part.setdefault("id", number)
        inner = part.get("components") or []
        for one in [*inner, part.get("accessory"), part.get("component")]:
            if isinstance(one, dict):
                give(one)
        if part.get("type") == 2:
            part.setdefault("disabled", False)

    for one in kept:
        give(one)
    return kept


def mentions(world: World, channel: Channel, body: Json) -> Json:
    """Return whom a message names, and whom it really pings: what allowed_mentions leaves, and the bot's rights.

    Words within embeds ping nobody. A role that is not mentionable is pinged only by who may mention everyone.
    """
    words = str(body.get("content") or "")
    if int(body.get("flags") or 0) & Flag.COMPONENTS_V2:
        words = all_words(body)
    allowed = body.get("allowed_mentions")
    parse = ("users", "roles", "everyone") if allowed is None else allowed.get("parse") or ()
    users = {str(one) for one in (allowed or {}).get("users") or []}
    roles = {str(one) for one in (allowed or {}).get("roles") or []}
    named = [one for one in dict.fromkeys(MENTION.findall(words)) if one in world.users]
    named_roles = [one for one in dict.fromkeys(ROLE_MENTION.findall(words)) if one in world.roles]
    may_all = world.may(world.bot.id, "mention_everyone", channel)
    everyone = may_all and "everyone" in parse and any(one in words for one in ("@everyone", "@here"))
    pinged_roles = [
        one
        for one in named_roles
        if ("roles" in parse or one in roles) and (may_all or world.roles[one].mentionable)
    ]
    pinged = [one for one in named if "users" in parse or one in users]
    for role in pinged_roles:
        pinged += [one.user_id for one in world.members.values() if role in one.roles]
    if everyone:
        pinged += list(world.members)
    quiet = int(body.get("flags") or 0) & Flag.SUPPRESS_NOTIFICATIONS
    seers = [one for one in dict.fromkeys(pinged) if world.may(one, "view_channel", channel)]
    return {
        "mentions": [one for one in named if "users" in parse or one in users],
        "mention_roles": pinged_roles,
        "mention_everyone": bool(everyone),
        "notified": [] if quiet else seers,
        "allowed_mentions": allowed,
    }


def edit(ask: Ask, message: Message, body: Json) -> None:
    """Put what an edit says over a message. A key that is not there leaves things as they are; nobody is pinged."""
    if "content" in body:
        message.content = str(body["content"] or "")
    if "embeds" in body:
        message.embeds = [one for one in copy.deepcopy(body["embeds"] or []) if not is_empty(one)]
    if "components" in body:
        message.components = numbered(body["components"])
    if "flags" in body and body["flags"] is not None:
        message.flags = message.flags & ~FLAGS_OF_BOTS | int(body["flags"]) & FLAGS_OF_BOTS
    if "attachments" in body:
        kept = {str(one.get("id")) for one in body["attachments"] or []}
        message.attachments = [one for one in message.attachments if one.id in kept]
    message.attachments += ask.files.values()
    left: Json = {
        "content": message.content,
        "embeds": message.embeds,
        "components": message.components,
    }
    if says_nothing(left, ask.files) and not message.attachments:
        raise ask.wrong("empty_message", "nothing would be left of the message", 50006)
    message.edit_times_s.append(ask.world.clock.now_s())


def check_writable(ask: Ask, channel: Channel) -> None:
    """Refuse a new message where the bot may not write; a sleeping thread is woken by who may.

    Raises:
        Refused: 50013, 50007, 160005.
    """
    if channel.is_direct:
        person = ask.world.users[channel.recipients[0]]
        if not person.direct_open or person.id not in ask.world.members:
            raise Refused(50007)
        return
    ask.need("send_messages_in_threads" if channel.is_thread else "send_messages", channel=channel)
    if ask.files:
        ask.need("attach_files", channel=channel)
    body = ask.keys()
    if body.get("embeds"):
        ask.need("embed_links", channel=channel)
    if channel.is_thread and channel.locked:
        ask.world.permissions_used.add("manage_threads")
        if not ask.world.may(ask.world.bot.id, "manage_threads", channel):
            raise Refused(160005)
