"""chat.*: messages posted, edited, deleted, and those that one person sees."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any

from tests.fakes.common.book import Json
from tests.fakes.slack.method import Args, Method, method
from tests.fakes.slack.rules_blocks import faults_of
from tests.fakes.slack.rules_shapes import MENTION, unescaped
from tests.fakes.slack.wire import message_json
from tests.fakes.slack.world import Channel, Message, Refused, Whisper, World

TEXT_CUT_AT = 40_000
TEXT_GOOD_UP_TO = 4_000
METADATA_BYTES = 16_000


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a message says. `blocks` is None where the call had none."""

    text: str
    blocks: list[Json] | None


def checked_content(world: World, call: str, given: Json) -> Content:
    """Return text and blocks of a message, checked by every rule; `call` is named in a violation.

    Raises:
        Refused: invalid_blocks with what is wrong, no_text.
    """
    text = str(given.get("text") or "")
    blocks = _blocks_of(world, call, given.get("blocks"))
    if given.get("attachments") or given.get("markdown_text"):
        world.violate(
            "not_supported_here", call, "attachments and markdown_text are not held by the stand-in"
        )
    if not text and not blocks:
        world.violate("no_text", call, "neither text nor blocks")
        raise Refused("no_text")
    if not text:
        world.violate("no_fallback_text", call, "blocks without text: notifications and readers get nothing")
    if (found := unescaped(text)) is not None:
        world.violate("unescaped_text", call, f"& or < is not escaped near {found!r}")
    if len(text) > TEXT_CUT_AT:
        world.violate("text_cut", call, f"{len(text)} characters are cut at {TEXT_CUT_AT}")
    elif len(text) > TEXT_GOOD_UP_TO:
        world.violate("text_too_long", call, f"{len(text)} characters, {TEXT_GOOD_UP_TO} are good")
    for one in people_in(text, blocks or []):
        if one.startswith("@") and one[1:] not in world.users:
            world.violate("mention_of_nobody", call, f"<{one}> is nobody's id")
        if one.startswith("!subteam^") and one.removeprefix("!subteam^") not in world.usergroups:
            world.violate("mention_of_nobody", call, f"<{one}> is no group's id")
    return Content(text=text[:TEXT_CUT_AT], blocks=blocks)


def _blocks_of(world: World, call: str, given: Any) -> list[Json] | None:
    if given in (None, ""):
        return None
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            world.violate("invalid_blocks_format", call, "blocks are no JSON")
            raise Refused("invalid_blocks_format") from None
    faults = faults_of(given, "message")
    if faults:
        world.violate("invalid_blocks", call, "; ".join(faults))
        error = (
            "msg_blocks_too_long" if all("msg_blocks_too_long" in one for one in faults) else "invalid_blocks"
        )
        raise Refused(error, errors=faults, response_metadata={"messages": faults})
    return numbered(world, given)


def numbered(world: World, blocks: list[Json]) -> list[Json]:
    """Return the blocks as Slack keeps them: each with a block_id, each element with an action_id."""
    kept = copy.deepcopy(blocks)
    for block in kept:
        block.setdefault("block_id", world.new_id("b"))
        inner = block["elements"] if block["type"] == "actions" else []
        for element in [*inner, block.get("accessory"), block.get("element")]:
            if isinstance(element, dict) and element.get("type") != "image":
                element.setdefault("action_id", world.new_id("a"))
    return kept


def people_in(text: str, blocks: list[Json]) -> list[str]:
    """Return whom a message mentions: @U…, !subteam^S…, !here. What people see counts: the blocks where there are any."""
    seen = json.dumps(_markup_in(blocks), ensure_ascii=False) if blocks else text
    return [found.split("|")[0] for found in MENTION.findall(seen)]


def _markup_in(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for one in value for found in _markup_in(one)]
    if not isinstance(value, dict):
        return []
    if value.get("type") == "mrkdwn":
        return [str(value.get("text", ""))]
    if value.get("type") == "user" and "user_id" in value:
        return [f"<@{value['user_id']}>"]
    return [found for one in value.values() for found in _markup_in(one)]


def checked_metadata(args: Args) -> Json | None:
    """Return the metadata of a message; None where the call had none, {} where it takes them away."""
    given = args.structure("metadata", "invalid_metadata_format")
    if given is None or given == {}:
        return None if given is None else {}
    good = isinstance(given, dict) and set(given) <= {"event_type", "event_payload", "entities"}
    if not good or not isinstance(given.get("event_type"), str) or not given["event_type"]:
        raise args.wrong("invalid_metadata_format", f"event_type is missing: {given!r}")
    if not isinstance(given.get("event_payload"), dict):
        raise args.wrong("invalid_metadata_format", "event_payload is no object")
    if len(json.dumps(given)) > METADATA_BYTES:
        raise args.wrong("metadata_too_large", f"{len(json.dumps(given))} bytes")
    return dict(given)


def target(world: World, args: Args) -> Channel:
    """Return where to post: a conversation's id, or a person's, which opens the direct message."""
    given = args.text("channel")
    if given[:1] in ("U", "W") and given in world.users:
        channel = world.direct_channel(given)
    elif given.startswith("#"):
        raise args.wrong("channel_not_found", f"{given}: a name is no id")
    else:
        channel = args.channel()
    if channel.archived:
        raise Refused("is_archived")
    if channel.is_im and any(world.users[one].deleted for one in channel.members):
        raise Refused("is_archived")
    if channel.kind == "public" and not args.is_member(channel):
        if world.scopes is None or "chat:write.public" not in world.scopes:
            raise Refused("not_in_channel")
        world.scopes_used.add("chat:write.public")
    return channel


def parent_of(args: Args, channel: Channel) -> str | None:
    """Return the thread a message goes to, None for the channel itself."""
    given = args.text("thread_ts")
    if not given:
        return None
    parent = channel.messages.get(given)
    if parent is None:
        raise Refused("thread_not_found")
    if parent.thread_ts not in (None, parent.ts):
        args.world.violate("thread_ts_of_a_reply", args.method, f"{given} is a reply; its parent is wanted")
        return parent.thread_ts
    return given


def post(world: World, args: Args) -> Json:
    channel = target(world, args)
    content = checked_content(world, args.method, dict(args.given))
    metadata = checked_metadata(args)
    thread_ts = parent_of(args, channel)
    message = world.post(
        channel,
        world.bot.id,
        content.text,
        blocks=content.blocks or [],
        thread_ts=thread_ts,
        broadcast=args.flag("reply_broadcast"),
        metadata=metadata or None,
        by_bot=True,
        unfurls=args.flag("unfurl_links") or args.flag("unfurl_media", default=True),
        notified=people_in(content.text, content.blocks or []),
    )
    told = message_json(world, channel, message)
    world.emit({**told, "channel": channel.id, "channel_type": KIND_IN_EVENTS[channel.kind]})
    shown = message_json(world, channel, message, metadata=True)
    return {"channel": channel.id, "ts": message.ts, "message": shown}


KIND_IN_EVENTS = {"public": "channel", "private": "group", "im": "im"}


def own_message(args: Args, channel: Channel, error: str) -> Message:
    """Return the message that is named by its ts; refused where it is not there or not the bot's."""
    message = channel.messages.get(args.text("ts"))
    if message is None:
        raise Refused("message_not_found")
    if not message.by_bot or message.subtype:
        raise args.wrong(error, f"{message.ts} is not a message of the bot")
    return message


def update(world: World, args: Args) -> Json:
    """Without blocks, a text takes the blocks away; metadata that are not given stay."""
    channel = args.joined_channel(archived="is_inactive")
    message = own_message(args, channel, "cant_update_message")
    content = checked_content(world, args.method, dict(args.given))
    if len(content.text) > TEXT_GOOD_UP_TO:
        raise Refused("msg_too_long")
    metadata = checked_metadata(args)
    if metadata is not None:
        message.metadata = metadata or None
    if content.blocks is not None or content.text:
        message.blocks = content.blocks or []
    message.text = content.text or message.text
    message.edit_times_s.append(world.clock.now_s())
    return {
        "channel": channel.id,
        "ts": message.ts,
        "text": message.text,
        "message": message_json(world, channel, message, metadata=True),
    }


def delete(world: World, args: Args) -> Json:
    channel = args.joined_channel(archived="")
    message = own_message(args, channel, "cant_delete_message")
    remove(channel, message.ts)
    return {"channel": channel.id, "ts": message.ts}


def remove(channel: Channel, ts: str) -> None:
    """Take a message out of a channel, from its pins too."""
    del channel.messages[ts]
    if ts in channel.pins:
        channel.pins.remove(ts)


def post_ephemeral(world: World, args: Args) -> Json:
    channel = args.channel()
    if channel.archived:
        raise Refused("is_archived")
    if not args.is_member(channel):
        raise Refused("not_in_channel")
    user = args.text("user")
    if user not in world.users:
        raise args.wrong("user_not_found", f"user={user}")
    if user not in channel.members or world.users[user].deleted:
        raise Refused("user_not_in_channel")
    content = checked_content(world, args.method, dict(args.given))
    whisper = Whisper(
        ts=world.next_ts(),
        user=user,
        channel=channel.id,
        text=content.text,
        blocks=content.blocks or [],
        origin=args.method,
        thread_ts=args.text("thread_ts") or None,
    )
    world.whispers.append(whisper)
    return {"message_ts": whisper.ts}


def permalink(world: World, args: Args) -> Json:
    channel = args.channel()
    ts = args.text("message_ts")
    if ts not in channel.messages:
        raise Refused("message_not_found")
    return {"channel": channel.id, "permalink": permalink_of(world, channel.id, ts)}


def permalink_of(world: World, channel_id: str, ts: str) -> str:
    return f"{world.address}/archives/{channel_id}/p{ts.replace('.', '')}"


SAYING = "text blocks attachments markdown_text metadata link_names parse as_user"
POSTING = f"{SAYING} thread_ts reply_broadcast unfurl_links unfurl_media mrkdwn username icon_emoji icon_url"
METHODS: dict[str, Method] = {
    "chat.postMessage": method(post, "channel", POSTING, scopes=["chat:write"], tier=0),
    "chat.update": method(update, "channel ts", f"{SAYING} reply_broadcast file_ids", scopes=["chat:write"]),
    "chat.delete": method(delete, "channel ts", "as_user", scopes=["chat:write"]),
    "chat.postEphemeral": method(
        post_ephemeral,
        "channel user",
        f"{SAYING} thread_ts username icon_emoji icon_url",
        scopes=["chat:write"],
        tier=100,
    ),
    "chat.getPermalink": method(permalink, "channel message_ts", tier=0),
}
