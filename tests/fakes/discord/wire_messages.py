"""How Discord writes a message into answers and events, and which events its life makes."""

from __future__ import annotations

from tests.fakes.common.book import Json
from tests.fakes.discord import names
from tests.fakes.discord.things import Attachment, Channel, Event, Message
from tests.fakes.discord.wire import member_json, stamp, thread_json, user_json
from tests.fakes.discord.world import PRIVILEGED, World

GUILD_MESSAGES, GUILD_REACTIONS = 1 << 9, 1 << 10
DIRECT_MESSAGES, DIRECT_REACTIONS = 1 << 12, 1 << 13
# What another one's message lacks without the intent for messages' content.
CONTENT = {"content": "", "embeds": [], "attachments": [], "components": []}


def message_json(world: World, message: Message, *, nonce: bool = False) -> Json:
    """Return the message whole. Discord does not keep the nonce: only the answer to its making and its event have it."""
    channel = world.channels.get(message.channel_id)
    shown: Json = {
        "id": message.id,
        "channel_id": message.channel_id,
        "type": message.kind,
        "content": message.content,
        "author": user_json(world.users[message.author_id]),
        "timestamp": stamp(message.made_s),
        "edited_timestamp": stamp(message.edit_times_s[-1]) if message.edit_times_s else None,
        "flags": message.flags,
        "tts": False,
        "pinned": bool(channel and message.id in channel.pins),
        "mention_everyone": message.mention_everyone,
        "mentions": [user_json(world.users[one]) for one in message.mentions],
        "mention_roles": list(message.mention_roles),
        "attachments": [attachment_json(world, one) for one in message.attachments],
        "embeds": [{"type": "rich", **one} for one in message.embeds],
        "components": message.components,
    }
    if message.reactions:
        shown["reactions"] = reactions_json(world, message)
    if message.reference:
        shown["message_reference"] = {"type": 0, **message.reference}
    if message.kind == 19:
        shown["referenced_message"] = _referenced(world, message)
    if message.author_id == names.BOT_USER_ID and message.interaction_id:
        shown["application_id"] = names.APP_ID
        shown.update(_interaction_fields(world, message))
    if message.thread_id in world.channels:
        shown["thread"] = thread_json(world, world.channels[message.thread_id])
    if nonce and message.nonce is not None:
        shown["nonce"] = message.nonce
    return shown


def seen_by_bot(world: World, message: Message) -> Json:
    """Return the message as the bot may read it: without others' content where the intent was not given."""
    shown = message_json(world, message)
    if world.allowed_intents & PRIVILEGED["message_content"] or not is_hidden(world, message):
        return shown
    return {**shown, **CONTENT}


def is_hidden(world: World, message: Message) -> bool:
    """Whether the content is another one's, in the server, and does not mention the bot."""
    channel = world.channels.get(message.channel_id)
    if channel is None or channel.is_direct:
        return False
    return message.author_id != world.bot.id and world.bot.id not in message.mentions


def _referenced(world: World, message: Message) -> Json | None:
    channel = world.channels.get(message.channel_id)
    found = channel.messages.get((message.reference or {}).get("message_id", "")) if channel else None
    return message_json(world, found) if found else None


def _interaction_fields(world: World, message: Message) -> Json:
    interaction = world.interactions.get(message.interaction_id)
    if interaction is None:
        return {}
    metadata: Json = {
        "id": interaction.id,
        "type": interaction.kind,
        "user": user_json(world.users[interaction.user_id]),
        "authorizing_integration_owners": {"0": names.GUILD_ID if interaction.in_guild else "0"},
    }
    if interaction.kind == 3:
        metadata["interacted_message_id"] = interaction.message_id
    if interaction.kind == 5:
        metadata["triggering_interaction_metadata"] = {
            **metadata,
            "type": 3 if interaction.message_id else 2,
            **({"interacted_message_id": interaction.message_id} if interaction.message_id else {}),
        }
    return {"interaction_metadata": metadata}


def attachment_json(world: World, one: Attachment) -> Json:
    address = f"{world.address}/attachments/{one.id}/{one.name}"
    shown: Json = {
        "id": one.id,
        "filename": one.name,
        "size": len(one.content),
        "url": address,
        "proxy_url": address,
        "content_type": one.content_type,
    }
    return {**shown, "description": one.description} if one.description else shown


def reactions_json(world: World, message: Message) -> list[Json]:
    return [
        {
            "emoji": {"id": None, "name": emoji},
            "count": len(users),
            "count_details": {"burst": 0, "normal": len(users)},
            "burst_colors": [],
            "me_burst": False,
            "me": world.bot.id in users,
        }
        for emoji, users in message.reactions.items()
        if users
    ]


def message_event(world: World, channel: Channel, message: Message, name: str) -> Event:
    """Return MESSAGE_CREATE or MESSAGE_UPDATE, with what is left of it without the intent for content."""
    data = message_json(world, message, nonce=name == "MESSAGE_CREATE")
    # Known and documented: what one person alone sees is told as if it were a direct message.
    direct = channel.is_direct or bool(message.seen_by)
    if not direct:
        data["guild_id"] = names.GUILD_ID
        author = world.members.get(message.author_id)
        if author:
            data["member"] = member_json(world, author, with_user=False)
    bare = {**data, **CONTENT} if is_hidden(world, message) else None
    return Event(name=name, data=data, intent=DIRECT_MESSAGES if direct else GUILD_MESSAGES, bare=bare)


def tell_message(world: World, channel: Channel, message: Message, name: str = "MESSAGE_CREATE") -> None:
    """Tell of a message to a bot that sees its channel; of its own ephemeral ones wherever they are."""
    if world.bot_sees(channel) or message.seen_by:
        world.emit(message_event(world, channel, message, name))
